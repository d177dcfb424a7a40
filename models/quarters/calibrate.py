# SPDX-License-Identifier: MIT
"""Operating points of the quarter-product machine: python -m models.quarters.calibrate

Each policy is swept over its Lagrange multiplier on the SEARCH half of the held-out calibration data; models.choose finds the multiplier with
which a test shows no loss against 8 bits with a probability of 90 %. What it gives is measured on the CHECK half, whose groups neither the fit
nor the choice has seen. SENSITIVITY is calibrated for time, for energy, and for their product; each rival (models.quarters.rivals) for itself. Points
are cached; writes build/quarters/calibrated.json, and what it found of rivals and of other costs to models/calibrated/, where
`make calibrate` has written of the network.
"""

import argparse
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
from rich import box
from rich.table import Table

from ..calibration import is_calibrated, path_of, read, sweep, text_of
from ..evaluation import interval
from ..grid import significant
from ..networks import MODULES
from ..policies import POLICIES, Policy
from ..quantized_network import Progress
from ..study import Design, Use, settings_of
from .compare import CHOSEN, DESIGNS
from .memories import COSTS
from .report import measure_networks
from .rivals import SEEDS, Frugal, RivalStudy, Shares, Widths

OUT = Path("build/quarters/calibrated.json")
DESIGN = DESIGNS[CHOSEN]
# What is kept beside the points of `make calibrate`: rivals that no build has, and SENSITIVITY for other costs than time.
KEPT = {**dict.fromkeys(("STATIC_ROWS", "static widths", "RANDOM"), "rivals"), **dict.fromkeys(("SENSITIVITY for energy", "SENSITIVITY for product"), "costs")}
# Where the search of each task begins, log2 of an error for a word of quarters (for energy: for a pJ).
STARTS = {
    **{f"SENSITIVITY for {cost}": POLICIES[Policy.SENSITIVITY].start for cost in COSTS}, "SENSITIVITY for energy": -35.0,
    **{policy.name: POLICIES[policy].start for policy in (Policy.STATIC_ROWS, Policy.CELL_HISTORY)}, "static widths": -30.0, "RANDOM": -44.0,
}


@dataclass(frozen=True)
class Task:
    """A policy of a design, to be calibrated."""

    label: str
    policy: Policy
    design: Design | Widths | Shares | Frugal


def design_for(design: Design, cost: str) -> Design | Frugal:
    """A design whose thresholds save a cost of COSTS."""
    return design if cost == design.cost else Frugal(replace(design, cost=cost))


def tasks(design: Design) -> list[Task]:
    """What is calibrated of a design: SENSITIVITY for each cost, policies of thresholds, and rivals."""
    found = [Task(f"SENSITIVITY for {cost}", Policy.SENSITIVITY, design_for(design, cost)) for cost in COSTS]
    found += [Task(policy.name, policy, design) for policy in (Policy.STATIC_ROWS, Policy.CELL_HISTORY)]
    return [*found, Task("static widths", Policy.STATIC_HIGH, Widths("ideal", design.exponents)), Task("RANDOM", Policy.RANDOM, Shares(design))]


def details(study: RivalStudy, task: Task, log2_lambda: float, progress: Progress) -> dict:
    """Of a rival alone: the widths, and what they would cost on either machine; RANDOM under several seeds. log2_lambda: of the choice."""
    if isinstance(task.design, Widths):
        return study.widths_at(task.design, log2_lambda)
    if isinstance(task.design, Shares):
        return {"seeds": [checked(study, task.design, task.policy, log2_lambda, progress, seed=seed) for seed in SEEDS]}
    return {}


def calibrate(study: RivalStudy, task: Task, budget: float, progress: Progress) -> dict:
    """log2_lambda of a task within a budget in margins, the sweep that led to it, and what it gives on CHECK."""
    found = sweep(study, task.design, task.policy, STARTS[task.label], budget, progress, DESIGN)
    chosen, points, line = found.log2_lambda, found.points, found.curve
    return {"label": task.label, "policy": task.policy.name, "design": asdict(task.design), "log2_lambda": chosen, "expected_loss": found.loss, "needed": found.needed,
            "slope": line.slope, "slope_error": line.slope_error,
            "sweep": [{"log2_lambda": key, "excess": one.excess, "loss": float(np.nanmean(one.replicates)), "error": one.error, "speed": points[key].speed,
                       "energy": study.energy(task.design, points[key]), "shares": points[key].shares} for key, one in sorted(found.swept.items())],
            "check": checked(study, task.design, task.policy, chosen, progress), **details(study, task, chosen, progress)}


def checked(study: RivalStudy, design: Design | Widths | Shares | Frugal, policy: Policy, log2_lambda: float | None, progress: Progress = lambda steps: None,
            seed: int = 0) -> dict:
    """What a policy gives on CHECK: speeds, shares, and losses in margins against 8 bits and float with their intervals."""
    high = study.point(Use.CHECK, DESIGN, Policy.STATIC_HIGH, progress=progress)
    point = study.point(Use.CHECK, design, policy, log2_lambda, None, seed, progress)
    against_high = study.against_high(Use.CHECK, log2_lambda or 0.0, point, high)
    against_float = study.against_float(Use.CHECK, point)
    return {"speed": point.speed, "over_high": point.over_high, "energy": study.energy(design, point), "shares": point.shares,
            "low_weights": point.low_weights, "words": point.words,
            "metric": point.estimate.value, "high": high.estimate.value, "float": study.float_estimate(Use.CHECK).value, "excess": against_high.excess,
            "loss": study.loss(Use.CHECK, high.estimate.value, point.estimate.value), "interval": interval(against_high.replicates),
            "loss_float": study.loss(Use.CHECK, study.float_estimate(Use.CHECK).value, point.estimate.value), "interval_float": interval(against_float),
            "error_in_test": against_high.error}


def network_results(name: str, labels: list[str], budget: float, progress: Progress) -> dict:
    """What the command writes of a network: the tasks of these labels, STATIC_HIGH and STATIC_LOW on CHECK; operating points go to models/calibrated/ as well.

    budget: largest loss in margins. Raises FileNotFoundError that names the package whose data are not installed.
    """
    study = RivalStudy(name, settings_of(name))
    found = [calibrate(study, task, budget, progress) for task in tasks(DESIGN) if task.label in labels]
    fixed = {policy.name: checked(study, DESIGN, policy, None, progress) for policy in (Policy.STATIC_HIGH, Policy.STATIC_LOW)}
    groups = {use.name: len({sample.group for sample in study.samples(use)}) for use in (Use.SEARCH, Use.CHECK)}
    keep(name, found, budget)
    return {"network": name, "budget": budget, "groups": groups, "policies": found, "fixed": fixed}


def keep(name: str, found: list[dict], budget: float) -> None:
    """Write the operating points of KEPT, and their sweeps, to the network's file in models/calibrated/, if it has one with that budget."""
    if not is_calibrated(name) or read(name)["budget"] != budget:
        return
    kept = read(name)
    for one in found:
        if one["label"] in KEPT:
            sweep_of = [{key: significant(point[key]) for key in ("log2_lambda", "loss", "error", "speed")} for point in one["sweep"]]
            kept.setdefault(KEPT[one["label"]], {})[one["label"]] = {"log2_lambda": one["log2_lambda"], "needed": significant(one["needed"]), "sweep": sweep_of}
    path_of(name).write_text(text_of(kept))


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
    """The command; its arguments are those of the process. Writes OUT."""
    parser = argparse.ArgumentParser(prog="python -m models.quarters.calibrate", description=__doc__.splitlines()[0])
    parser.add_argument("--net", action="append", choices=MODULES, help="network; several times for several")
    parser.add_argument("--task", action="append", choices=list(STARTS), help="what to calibrate; several times for several (default: all)")
    parser.add_argument("--budget", type=float, default=1.0, help="largest loss, in margins (%(default)s)")
    arguments = parser.parse_args()
    labels = arguments.task or list(STARTS)
    measure_networks(arguments.net or MODULES, lambda name, progress: network_results(name, labels, arguments.budget, progress), table, OUT)


if __name__ == "__main__":
    from .calibrate import main  # by its own name, as what the cache holds is of classes of modules

    main()
