# SPDX-License-Identifier: MIT
"""Which levels of precision: python -m models.quarters.compare

Designs (a set of levels, exponents of x or not, constants of its own for each level or not) under SENSITIVITY on held-out calibration data. What a
design is worth is its ideal speed over the baseline build, padded words included, at one error of the output that is the same for all designs of
a network: that at which the loss of the task is half the margin, by a line from excess error to loss that is fitted to the sweep of
REFERENCE. Points are cached, so that what was interrupted goes on; writes build/quarters/levels.json.
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

from ..evaluation import interval
from ..networks.freeze import NETWORKS as FROZEN
from ..policies import Policy
from .choose import Curve, Swept, curve, isotonic, trimmed_mean
from .network import Progress
from .quantize import Settings
from .study import Design, Point, Study, Use, settings_of

OUT = Path("build/quarters/levels.json")
STEPS = {"textgenrnn": 64_000, "resemblyzer": 48_000}
OTHER_STEPS = 16_000
SWEEP = (-40.0, -36.0, -33.0, -30.0, -27.0, -24.0, -20.0, -16.0, -12.0)
ENOUGH = 1.5  # a loss, in margins, at which the sweep ends
AROUND = (-1.5, 1.5)  # of the reference's log2_lambda: where other designs are measured
LOSS = 0.5  # in margins, of the error at which designs are compared
REPLICATES = 400
# Shared constants: a row has one offset, and two biases, of the lowest level and of all others.
REFERENCE = Design("HH x:HL HL 3/4 all", exponents=True)
DESIGNS = {
    "HH all": Design("HH all"),
    "HH 3/4": Design("HH 3/4"),
    "HH HL all": Design("HH HL all"),
    "HH 3/4 all": Design("HH 3/4 all"),
    "HH HL 3/4 all": Design("HH HL 3/4 all"),
    "HH x:HL HL 3/4 all": Design("HH x:HL HL 3/4 all"),
    "HH all, exponents": Design("HH all", exponents=True),
    "HH 3/4, exponents": Design("HH 3/4", exponents=True),
    "HH 3/4 all, exponents": Design("HH 3/4 all", exponents=True),
    "HH HL 3/4 all, exponents": Design("HH HL 3/4 all", exponents=True),
    "HH x:HL HL 3/4 all, exponents": REFERENCE,
    "HH 3/4 all, exponents, shared constants": Design("HH 3/4 all", exponents=True, own_offsets=False, own_biases=False),
    "HL all: today's two planes": Design("HL all"),
}


def swept(study: Study, use: Use, design: Design, policy: Policy, log2_lambdas: list[float],
          progress: Progress = lambda steps: None) -> tuple[list[Swept], list[Point]]:
    """([Swept], [Point]) of a policy at some multipliers, against STATIC_HIGH."""
    high = study.point(use, REFERENCE, Policy.STATIC_HIGH)
    points = [study.point(use, design, policy, log2_lambda, progress=progress) for log2_lambda in log2_lambdas]
    return [study.against_high(use, log2_lambda, point, high) for log2_lambda, point in zip(log2_lambdas, points)], points


def reference(study: Study, progress: Progress) -> tuple[Curve, float, float]:
    """(curve of REFERENCE, excess error at which the loss is LOSS, its log2_lambda)."""
    found: list[Swept] = []
    for log2_lambda in SWEEP:
        found += swept(study, Use.SEARCH, REFERENCE, Policy.SENSITIVITY, [log2_lambda], progress=progress)[0]
        if np.nanmean(found[-1].replicates) > ENOUGH:
            break
    line = curve(found)
    excess = LOSS / max(line.slope, 1e-12)
    return line, excess, float(np.interp(np.log(excess), np.log(line.excess), line.log2_lambda))


def speed_at(errors: list[np.ndarray], speeds: list[float], high: np.ndarray, excess: float, draw: slice | np.ndarray = slice(None)) -> float:
    """Speed at an excess error, linear in both logarithms between points; beyond them along the line of the two nearest."""
    base = trimmed_mean(high[draw])
    x = np.log(np.maximum(isotonic([trimmed_mean(one[draw]) - base for one in errors]), excess * 1e-4))
    y = np.log(speeds)
    place = min(max(int(np.searchsorted(x, np.log(excess))), 1), len(x) - 1)
    low, high_end = x[place - 1], x[place]
    share = 0.5 if high_end - low < 1e-9 else (np.log(excess) - low) / (high_end - low)
    return float(np.exp(y[place - 1] + np.clip(share, -1, 2) * (y[place] - y[place - 1])))


def compare(name: str, settings: Settings, designs: dict[str, Design], progress: Progress) -> dict:
    """Speeds of designs on one network at one excess error, with paired replicates over samples."""
    study = Study(name, settings, STEPS.get(name, OTHER_STEPS))
    line, excess, log2_lambda = reference(study, progress)
    high = study.point(Use.SEARCH, REFERENCE, Policy.STATIC_HIGH).errors
    draws = np.random.default_rng(0).integers(len(high), size=(REPLICATES, len(high)))
    result = {"network": name, "excess": excess, "log2_lambda": log2_lambda, "slope": line.slope, "designs": {}}
    for label, design in designs.items():
        _, points = swept(study, Use.SEARCH, design, Policy.SENSITIVITY, [round(2 * (log2_lambda + step)) / 2 for step in AROUND], progress=progress)
        errors, speeds = [point.errors for point in points], [point.speed for point in points]
        result["designs"][label] = {
            "speed": speed_at(errors, speeds, high, excess), "replicates": [speed_at(errors, speeds, high, excess, draw) for draw in draws],
            "points": [{"excess": point.error - trimmed_mean(high), "speed": point.speed, "shares": point.shares} for point in points]}
    low = study.point(Use.SEARCH, REFERENCE, Policy.STATIC_LOW)
    loss = study.against_high(Use.SEARCH, 0.0, low, study.point(Use.SEARCH, REFERENCE, Policy.STATIC_HIGH)).replicates
    result["all_low"] = {"speed": low.speed, "loss": float(np.nanmean(loss)), "interval": interval(loss)}
    return result


def table(found: list[dict]) -> Table:
    """Speeds by network and design, and their geometric mean relative to the best design's, with its interval."""
    shown = Table(box=box.SIMPLE_HEAD, title=f"ideal speed over the baseline build at a loss of {LOSS} margins")
    for heading in ("design", *(one["network"] for one in found), "geometric mean", "of the best [95 %]"):
        shown.add_column(heading, justify="left" if heading == "design" else "right")
    names = list(found[0]["designs"])
    logs = {name: np.array([np.log([one["designs"][name]["speed"], *one["designs"][name]["replicates"]]) for one in found]).mean(0) for name in names}
    best = max(names, key=lambda name: logs[name][0])
    for name in names:
        ratio = np.exp(logs[name] - logs[best])
        low, high = np.quantile(ratio[1:], (0.025, 0.975))
        shown.add_row(name, *(f"{one['designs'][name]['speed']:.2f}" for one in found), f"{np.exp(logs[name][0]):.2f}", f"{ratio[0]:.3f} [{low:.3f}, {high:.3f}]")
    return shown


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m models.quarters.compare", description=__doc__.splitlines()[0])
    parser.add_argument("--net", action="append", choices=FROZEN, help="network; several times for several")
    parser.add_argument("--design", action="append", choices=list(DESIGNS), help="design; several times for several (default: all)")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    designs, networks = {name: DESIGNS[name] for name in arguments.design or DESIGNS}, arguments.net or FROZEN
    with tqdm(unit="step", dynamic_ncols=True) as bar:
        try:
            found = [compare(name, settings_of(name), designs, bar.update) for name in networks]
        except KeyboardInterrupt:
            sys.exit("interrupted: what was measured is kept, the same command goes on")
    Console(width=200).print(table(found))
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text(json.dumps(found, indent=1) + "\n")
    print(OUT)


if __name__ == "__main__":
    from .compare import main  # by its own name, as what the cache holds is of classes of modules

    main()
