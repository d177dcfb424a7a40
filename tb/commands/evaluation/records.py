# SPDX-License-Identifier: MIT
"""The records of build/eval.json, from the results of all tasks: docs/results.md has the words."""

from collections.abc import Iterable

import numpy as np

from models.evaluation import Estimate, interval, loss, no_loss
from models.networks import Network, load
from models.policies import DECIDING, Policy
from tb.commands.evaluation.task import BASELINE, FLOAT, RIVALS, WIDTHS, Task

HIGH, LOW, SENSITIVITY = Policy.STATIC_HIGH.name, Policy.STATIC_LOW.name, Policy.SENSITIVITY.name
FIXED = (Policy.STATIC_ROWS.name, WIDTHS)  # choices that are made once, within the same budget


def records(net: str, results: dict[Task, dict]) -> list[dict]:
    """The records of a network, one a policy or rival."""
    network, by, seeds = load(net), {}, []
    for task, result in results.items():
        if task.net != net or task.kind == "fit":
            continue
        if task.kind == "metric" and task.policy == Policy.RANDOM.name:
            seeds.append(result)
        if not task.seed:
            by.setdefault(task.policy, {})[task.kind] = result
    judge = _Judge(network, *(by[name]["metric"]["estimate"] for name in (FLOAT, HIGH)))
    per_step = {name: parts["cycles"]["cycles"] / parts["cycles"]["steps"] for name, parts in by.items() if "cycles" in parts}
    found = []
    for name, parts in by.items():
        if name == BASELINE:
            continue
        own, run = parts["metric"], parts.get("cycles")
        record = {"network": net, "policy": name, "metric": network.metric_name, "value": own["estimate"].value, "ci95": own["estimate"].interval,
                  **judge.against_high(own["estimate"]), "vs_float": None if name == FLOAT else judge.against_float(own["estimate"])}
        if name != FLOAT:
            record |= {key: own[key] for key in ("levels", "low_share", "low_weights")}
            record |= {"ideal_speed": own["speed"].value, "ideal_speed_ci95": own["speed"].interval, "mean_quarters": None if name == WIDTHS else 4 / own["over_high"]}
        if run:
            record |= {"cycles": run["cycles"], "cycles_steps": run["steps"], "speedup": per_step[HIGH] / per_step[name],
                       "speedup_baseline": per_step[BASELINE] / per_step[name], "rtl_steps_checked": parts.get("rtl", {}).get("steps", 0)}
        if name == Policy.RANDOM.name:
            record["seeds"] = [{"loss": judge.against_high(one["estimate"])["loss"], "ideal_speed": one["speed"].value} for one in seeds]
        if name in (policy.name for policy in DECIDING):
            others = [other for other in (*RIVALS, LOW, *(policy.name for policy in DECIDING)) if other != name and other in by]
            record["vs_rival"] = {other: judge.against_rival(own, by[other]["metric"]) for other in others}
        found.append(record)
    return found


class _Judge:
    """Losses of a network's policies, in margins, paired over groups."""

    def __init__(self, network: Network, exact: Estimate, high: Estimate):
        self.network, self.exact, self.high = network, exact, high

    def _losses(self, reference, estimate):
        """(loss, its replicates)."""
        return tuple(loss(self.network, self.exact.value, *pair) for pair in ((reference.value, estimate.value), (reference.replicates, estimate.replicates)))

    def _against(self, reference, estimate):
        value, replicates = self._losses(reference, estimate)
        return {"loss": value, "loss_ci95": interval(replicates), "no_loss": no_loss(replicates)}

    def against_high(self, estimate: Estimate) -> dict:
        difference = estimate.replicates - self.high.replicates
        return {"delta_mean": estimate.value - self.high.value, "delta_ci95": interval(difference), **self._against(self.high, estimate)}

    def against_float(self, estimate: Estimate) -> dict:
        return self._against(self.exact, estimate)

    def against_rival(self, own: dict, rival: dict) -> dict:
        """How many times as fast, ideally, and how much worse in margins (negative: better)."""
        ratio = own["speed"].replicates / rival["speed"].replicates
        value, replicates = self._losses(rival["estimate"], own["estimate"])
        return {"speed_ratio": own["speed"].value / rival["speed"].value, "speed_ratio_ci95": interval(ratio), "faster": bool(interval(ratio)[0] > 1),
                "loss": value, "loss_ci95": interval(replicates)}


def geometric_mean(values: Iterable[float]) -> float:
    return float(np.exp(np.mean(np.log(list(values)))))
