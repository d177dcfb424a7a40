# SPDX-License-Identifier: MIT
"""The records of build/eval.json and the points of the plot, from the results of all tasks."""

from models.evaluation import difference
from models.networks import load
from tb.commands.evaluation.task import BASELINE


def records(net: str, results: dict) -> list[dict]:
    """The records of build/eval.json of a network: see docs/results.md for the words."""
    network, by = load(net), {}
    for task, result in results.items():
        if task.net == net and task.kind not in ("fit", "frontier"):
            by.setdefault(task.name, {})[task.kind] = result
    high, sensitivity = by["STATIC_HIGH"]["metric"]["estimate"], by["SENSITIVITY"]["metric"]["estimate"]
    found, per_step = [], {name: parts["cycles"]["cycles"] / parts["cycles"]["steps"] for name, parts in by.items() if "cycles" in parts}
    for name, parts in by.items():
        if name == BASELINE:
            continue
        estimate, run = parts["metric"]["estimate"], parts.get("cycles")  # FLOAT runs on no build
        paired = difference(network, estimate, high)
        against = difference(network, estimate, sensitivity)
        found.append({
            "network": net, "policy": name, "metric": network.metric_name, "value": estimate.value, "ci95": estimate.interval,
            "delta_mean": paired.mean, "delta_ci95": paired.interval, "no_loss": paired.no_loss, "delta_sensitivity_ci95": against.interval,
            "others": parts["metric"].get("others", {}), "low_share": parts["metric"].get("low_share"), "mean_quarters": parts["metric"].get("mean_quarters"),
            "cycles": run and run["cycles"], "cycles_steps": run and run["steps"], "speedup": run and per_step["STATIC_HIGH"] / per_step[name],
            "speedup_baseline": run and per_step[BASELINE] / per_step[name], "rtl_steps_checked": parts.get("rtl", {}).get("steps", 0),
        })
    return found


def frontier(net: str, results: dict) -> list[dict]:
    """Points of the plot: policy, mean of quarters, estimate over the samples of the frontier."""
    return [{"network": net, "policy": task.policy, **result} for task, result in results.items() if task.net == net and task.kind == "frontier"]
