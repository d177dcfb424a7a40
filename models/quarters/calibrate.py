# SPDX-License-Identifier: MIT
"""Operating points of the quarter-product machine: python -m models.quarters.calibrate

Each policy is swept over its Lagrange multiplier on the SEARCH half of the held-out calibration data; models.quarters.choose finds the multiplier with
which a test shows no loss against 8 bits with a probability of 90 %. What it gives is measured on the CHECK half, whose groups neither the fit
nor the choice has seen. SENSITIVITY is calibrated for time, for the energy of the memories, and for their product. Points are cached;
writes build/quarters/calibrated.json.
"""

import argparse
import json
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from rich import box
from rich.console import Console
from rich.table import Table
from tqdm import tqdm

from ..evaluation import interval
from ..networks import FROZEN
from ..policies import Policy
from .choose import curve
from .levels import COSTS
from .study import Design, Study, Use, settings_of

OUT = Path("build/quarters/calibrated.json")
DESIGN = Design("HH HL all", exponents=True)  # chosen by models.quarters.compare
# Coarse ends of a sweep, and how it is refined: halfway between the points around the choice.
SWEEPS = {
    Policy.SENSITIVITY: (-40.0, -36.0, -32.0, -28.0, -24.0), Policy.CELL_HISTORY: (-44.0, -39.0, -34.0, -29.0, -24.0),
    Policy.STATIC_ROWS: (-44.0, -39.0, -34.0, -29.0, -24.0),
}
BISECTIONS = 3
ENOUGH = 8.0  # a loss, in margins, behind which nothing can be chosen


@dataclass(frozen=True)
class Task:
    """A policy of a design, to be calibrated."""

    label: str
    policy: Policy
    design: Design


def tasks(design: Design) -> list[Task]:
    found = [Task(f"SENSITIVITY for {cost}", Policy.SENSITIVITY, replace(design, cost=cost)) for cost in COSTS]
    return found + [Task(policy.name, policy, design) for policy in (Policy.CELL_HISTORY, Policy.STATIC_ROWS)]


def calibrate(study: Study, task: Task, budget: float, progress) -> dict:
    """log2_lambda of a task within a budget in margins, the sweep that led to it, and what it gives on CHECK."""
    high = study.point(Use.SEARCH, DESIGN, Policy.STATIC_HIGH, progress=progress)
    points, sweep = {}, {}

    def measure(log2_lambda):
        points[log2_lambda] = study.point(Use.SEARCH, task.design, task.policy, log2_lambda, progress=progress)
        sweep[log2_lambda] = study.against_high(Use.SEARCH, log2_lambda, points[log2_lambda], high)

    for log2_lambda in SWEEPS[task.policy]:
        measure(log2_lambda)
        if np.nanmean(sweep[log2_lambda].replicates) > ENOUGH and len(sweep) > 1:
            break
    for _ in range(BISECTIONS):
        chosen, known = curve(list(sweep.values())).choose(budget), sorted(sweep)
        above = min(max(int(np.searchsorted(known, chosen)), 1), len(known) - 1)
        measure(round(4 * (known[above - 1] + known[above]) / 2) / 4)
    line = curve(list(sweep.values()))
    chosen = np.floor(4 * line.choose(budget)) / 4
    loss, needed = line.at(chosen)
    return {"label": task.label, "policy": task.policy.name, "design": vars(task.design), "log2_lambda": chosen, "expected_loss": loss, "needed": needed,
            "slope": line.slope, "slope_error": line.slope_error,
            "sweep": [{"log2_lambda": key, "excess": sweep[key].excess, "loss": float(np.nanmean(sweep[key].replicates)), "error": sweep[key].error,
                       "speed": points[key].speed, "energy": points[key].energy, "shares": points[key].shares} for key in sorted(sweep)],
            "check": checked(study, task.design, task.policy, chosen, progress)}


def checked(study: Study, design: Design, policy: Policy, log2_lambda: float | None, progress=lambda steps: None, shares=None, seed: int = 0) -> dict:
    """What a policy gives on CHECK: speeds, shares, and losses in margins against 8 bits and float with their intervals."""
    high = study.point(Use.CHECK, DESIGN, Policy.STATIC_HIGH, progress=progress)
    point = study.point(Use.CHECK, design, policy, log2_lambda, shares, seed, progress)
    against_high = study.against_high(Use.CHECK, log2_lambda or 0.0, point, high)
    against_float = study.against_float(Use.CHECK, point)
    return {"speed": point.speed, "over_high": point.over_high, "energy": point.energy, "shares": point.shares, "low_weights": point.low_weights, "words": point.words,
            "metric": point.estimate.value, "high": high.estimate.value, "float": study.float_estimate(Use.CHECK).value, "excess": against_high.excess,
            "loss": study.loss(Use.CHECK, high.estimate.value, point.estimate.value), "interval": interval(against_high.replicates),
            "loss_float": study.loss(Use.CHECK, study.float_estimate(Use.CHECK).value, point.estimate.value), "interval_float": interval(against_float),
            "error_in_test": against_high.error}


def network_results(name: str, budget: float, progress) -> dict:
    study = Study(name, settings_of(name))
    found = [calibrate(study, task, budget, progress) for task in tasks(DESIGN)]
    fixed = {policy.name: checked(study, DESIGN, policy, None, progress) for policy in (Policy.STATIC_HIGH, Policy.STATIC_LOW)}
    groups = {use.name: len({sample.group for sample in samples}) for use, samples in study.held_out.items()}
    return {"network": name, "budget": budget, "groups": groups, "policies": found, "fixed": fixed}


def table(found: list[dict]) -> Table:
    """Speeds on CHECK by policy and network, geometric means, and where a loss is not excluded there."""
    shown = Table(box=box.SIMPLE_HEAD, title="ideal speed over the baseline build on CHECK; loss in margins [95 %]")
    for heading in ("policy", *(one["network"] for one in found), "geometric mean"):
        shown.add_column(heading, justify="left" if heading == "policy" else "right")
    for place, first in enumerate(found[0]["policies"]):
        results = [one["policies"][place]["check"] for one in found]
        cells = [f"{one['speed']:.2f}x\n{one['loss']:+.2f} [{one['interval'][0]:+.2f}, {one['interval'][1]:+.2f}]" for one in results]
        shown.add_row(first["label"], *cells, f"{np.exp(np.mean(np.log([one['speed'] for one in results]))):.2f}x")
    return shown


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m models.quarters.calibrate", description=__doc__.splitlines()[0])
    parser.add_argument("--net", action="append", choices=FROZEN, help="network; several times for several")
    parser.add_argument("--budget", type=float, default=1.0, help="largest loss, in margins (%(default)s)")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    networks = arguments.net or FROZEN
    with tqdm(unit="step", dynamic_ncols=True) as bar:
        try:
            found = [network_results(name, arguments.budget, bar.update) for name in networks]
        except KeyboardInterrupt:
            sys.exit("interrupted: what was measured is kept, the same command goes on")
    Console(width=200).print(table(found))
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text(json.dumps(found, indent=1) + "\n")
    print(OUT)


if __name__ == "__main__":
    from .calibrate import main  # by its own name, as what the cache holds is of classes of modules

    main()
