# SPDX-License-Identifier: MIT
"""Which levels of precision: python -m models.quarters.compare

Every set of levels, and words of x with and without exponents, under SENSITIVITY on held-out calibration data. A set is swept over its
Lagrange multiplier; its speed, ideal and with padded words over the baseline build, is read at one excess error of the output that is the same
for all sets of a network: half the margin of "no loss", by a loss that is proportional to the error (REFERENCE). Errors are means over
samples without the worst TRIMMED, as one text that tips over would decide else. Points are cached; writes build/quarters/levels.json.
"""

import argparse
import json
import sys
from pathlib import Path

import numpy as np
import torch
from rich import box
from rich.console import Console
from rich.table import Table
from tqdm import tqdm

from ..cache import cached
from ..evaluation import Bootstrap, outputs, task_loss
from ..networks import NETWORKS, Network, Sample, load
from ..policies import Policy
from ..sources import code
from .data import fit_samples, held_out_samples
from .levels import LEVELS
from .network import FittedNetwork, QuarterNetwork, fit
from .quantize import Settings

OUT = Path("build/quarters/levels.json")
LOG2_LAMBDAS = (-42.0, -39.0, -37.0, -35.0, -33.0, -31.0, -29.0, -27.0, -24.0)
REFERENCE = "HH HL 3/4 all"
TRIMMED = 0.02
REPLICATES = 400


def sample_errors(network: Network, found: list, exact: list) -> np.ndarray:
    """Mean squared difference of each sample's output, where it is comparable, [samples]."""
    return np.array([float((network.comparable(a) - network.comparable(b)).square().mean()) for a, b in zip(found, exact)])


def trimmed_mean(errors: np.ndarray) -> float:
    """Mean over samples without the worst TRIMMED."""
    kept = int(np.ceil(len(errors) * (1 - TRIMMED)))
    return float(np.partition(errors, kept - 1)[:kept].mean())


class Sweeps:
    """Points of a network: per-sample errors, speed, level shares, metric, of sets of levels at multipliers."""

    def __init__(self, name: str, settings: Settings):
        self.network, self.settings = load(name), settings
        module = type(self.network).__module__
        self.key = (name, settings, code("models.quarters.network", "models.quarters.data", module))
        self._fitted: FittedNetwork | None = None
        self._quantized: dict[str, QuarterNetwork] = {}
        self._samples: list[Sample] | None = None

    @property
    def samples(self) -> list[Sample]:
        self._samples = self._samples or held_out_samples(self.network)
        return self._samples

    def quantized(self, levels: str) -> QuarterNetwork:
        self._fitted = self._fitted or cached(("quarters fit", *self.key), lambda: fit(self.network, fit_samples(self.network), self.settings))
        if levels not in self._quantized:
            self._quantized[levels] = self._fitted.with_levels(LEVELS[levels])
        return self._quantized[levels]

    def exact(self) -> list:
        return self.network.float_outputs(self.samples)

    def point(self, levels: str, policy: Policy, log2_lambda: float | None = None) -> dict:
        """errors [samples], speed, over_high, shares by level, low_weights, metric, of a policy at a multiplier."""
        def measure():
            q = self.quantized(levels)
            if log2_lambda is not None:
                q.set_log2_lambda(policy, log2_lambda, self.settings.own_offsets)
            run = q.run([sample.inputs for sample in self.samples], policy)
            found = outputs(self.network, self.samples, run)
            return {"errors": sample_errors(self.network, found, self.exact()), "speed": q.speedup(run), "over_high": q.speedup_over_high(run),
                    "shares": q.level_shares(run), "low_weights": q.low_weight_share(run), "outputs": found}

        return cached(("quarters point", *self.key, levels, policy.name, log2_lambda), measure)


def error_for_loss(sweeps: Sweeps, margins: float) -> tuple[float, list]:
    """The excess error at which the loss of the task is so many margins, by a line through zero fitted to REFERENCE's sweep, and its points."""
    high = sweeps.point(REFERENCE, Policy.STATIC_HIGH)
    bootstrap = Bootstrap(sweeps.network, sweeps.samples)
    base, points = bootstrap.estimate(high["outputs"]), []
    for log2_lambda in (*LOG2_LAMBDAS, None):
        policy = Policy.STATIC_LOW if log2_lambda is None else Policy.SENSITIVITY
        point = sweeps.point(REFERENCE, policy, log2_lambda)
        found = bootstrap.estimate(point["outputs"])
        loss = task_loss(sweeps.network, found.replicates, base.replicates, base.value)
        points.append((trimmed_mean(point["errors"]) - trimmed_mean(high["errors"]), float(np.nanmean(loss)), float(np.nanstd(loss))))
    # Weighed as counts are: the variance of a loss grows with it.
    visible = [(excess, loss, error) for excess, loss, error in points if excess > 0]
    slope = sum(loss / max(error, 1e-3)**2 * excess for excess, loss, error in visible) / sum((excess / max(error, 1e-3))**2 for excess, _, error in visible)
    return margins / max(slope, 1e-12), points


def speed_at(errors: list[np.ndarray], speeds: list[float], high: np.ndarray, excess: float, chosen=slice(None)) -> float:
    """Speed of a sweep at an excess error, between its points linear in both logarithms; at the ends the end's."""
    base = trimmed_mean(high[chosen])
    found = np.maximum.accumulate([max(trimmed_mean(one[chosen]) - base, 1e-12) for one in errors])
    return float(np.exp(np.interp(np.log(excess), np.log(found), np.log(speeds))))


def compare(name: str, settings: dict[str, Settings], names: list[str], bar) -> dict:
    """Speeds of sets of levels of one network at the same excess error, with replicates over samples."""
    all_sweeps = {label: Sweeps(name, setting) for label, setting in settings.items()}
    first = next(iter(all_sweeps.values()))
    excess, losses = error_for_loss(first, 0.5)
    draws = np.random.default_rng(0).integers(len(first.samples), size=(REPLICATES, len(first.samples)))
    result = {"network": name, "excess": excess, "losses": losses, "sets": {}}
    for label, sweeps in all_sweeps.items():
        for levels in names:
            points = [sweeps.point(levels, Policy.SENSITIVITY, log2_lambda) for log2_lambda in LOG2_LAMBDAS]
            points.append(sweeps.point(levels, Policy.STATIC_LOW))
            errors, speeds = [point["errors"] for point in points], [point["speed"] for point in points]
            high = sweeps.point(levels, Policy.STATIC_HIGH)["errors"]
            result["sets"][f"{levels}{label}"] = {
                "speed": speed_at(errors, speeds, high, excess),
                "replicates": [speed_at(errors, speeds, high, excess, draw) for draw in draws],
                "sweep": [{"excess": trimmed_mean(e) - trimmed_mean(high), "speed": s, "shares": p["shares"]} for e, s, p in zip(errors, speeds, points)],
            }
            bar.update()
    return result


def table(found: list[dict]) -> Table:
    """Speeds by network and set of levels, and their geometric mean relative to the best set's, with its interval."""
    shown = Table(box=box.SIMPLE_HEAD, title="ideal speedup over the baseline build at equal error")
    for heading in ("levels", *(one["network"] for one in found), "geometric mean", "of the best [95 %]"):
        shown.add_column(heading, justify="left" if heading == "levels" else "right")
    names = list(found[0]["sets"])
    logs = {name: np.array([np.log([one["sets"][name]["speed"], *one["sets"][name]["replicates"]]) for one in found]).mean(0) for name in names}
    best = max(names, key=lambda name: logs[name][0])
    for name in names:
        ratio = np.exp(logs[name] - logs[best])
        low, high = np.quantile(ratio[1:], (0.025, 0.975))
        shown.add_row(name, *(f"{one['sets'][name]['speed']:.2f}" for one in found), f"{np.exp(logs[name][0]):.2f}", f"{ratio[0]:.3f} [{low:.3f}, {high:.3f}]")
    return shown


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--net", action="append", choices=sorted(NETWORKS), help="network; several times for several")
    parser.add_argument("--levels", action="append", choices=list(LEVELS), help="set of levels; several times for several (default: all)")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    names, networks = arguments.levels or list(LEVELS), arguments.net or sorted(NETWORKS)
    settings = {"": Settings(), " + exponents": Settings(exponents=True), ", shared offsets": Settings(own_offsets=False)}
    with tqdm(total=len(networks) * len(names) * len(settings), unit="sweep", dynamic_ncols=True) as bar:
        try:
            found = [compare(name, settings, names, bar) for name in networks]
        except KeyboardInterrupt:
            sys.exit("interrupted: what was measured is kept, the same command goes on")
    Console().print(table(found))
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text(json.dumps(found, indent=1) + "\n")
    print(OUT)


if __name__ == "__main__":
    main()
