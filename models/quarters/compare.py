# SPDX-License-Identifier: MIT
"""Which levels of precision, and what rivals are worth: python -m models.quarters.compare

Designs (a set of levels, exponents of x or not, constants of its own for each level or not) under SENSITIVITY, and rivals of SENSITIVITY in the chosen
design, on held-out calibration data. What one is worth is its ideal speed over the baseline build, padded words included, at one error of the
output that is the same for all of a network: that at which the loss of the task is half the margin, by a line from excess error to loss that is
fitted to the sweep of REFERENCE. Points are cached, so that what was interrupted goes on; writes build/quarters/levels.json.
"""

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich import box
from rich.table import Table

from ..choose import Curve, curve, isotonic, trimmed_mean
from ..evaluation import interval
from ..networks import MODULES
from ..policies import Policy
from ..quantize import Settings
from ..quantized_network import Progress
from ..study import Design, Point, Use, settings_of
from .report import measure_networks
from .rivals import RivalStudy, Shares, Widths

OUT = Path("build/quarters/levels.json")
STEPS = {"textgenrnn": 64_000, "resemblyzer": 48_000}
OTHER_STEPS = 16_000
SWEEP = (-40.0, -36.0, -33.0, -30.0, -27.0, -24.0, -20.0, -16.0, -12.0)
ENOUGH = 1.5  # a loss, in margins, at which the sweep ends
# Where designs are measured: on both sides of the reference's log2_lambda, or of a rival's start; then in steps beyond, until the error lies between two points.
AROUND, STEP, EXTENSIONS = 1.5, 3.0, 5
LOSS = 0.5  # in margins, of the error at which designs are compared
REPLICATES = 400


def own_constants(levels: str, exponents: bool = False) -> Design:
    """A design whose levels have constants of their own. With shared ones a row has one offset, and two biases, of the lowest level and of all others."""
    return Design(levels, exponents, own_offsets=True, own_biases=True)


REFERENCE = own_constants("HH x:HL HL 3/4 all", exponents=True)
DESIGNS = {
    "HH all": own_constants("HH all"),
    "HH 3/4": own_constants("HH 3/4"),
    "HH HL all": own_constants("HH HL all"),
    "HH 3/4 all": own_constants("HH 3/4 all"),
    "HH HL 3/4 all": own_constants("HH HL 3/4 all"),
    "HH x:HL HL 3/4 all": own_constants("HH x:HL HL 3/4 all"),
    "HH all, exponents": own_constants("HH all", exponents=True),
    "HH 3/4, exponents": own_constants("HH 3/4", exponents=True),
    "HH 3/4 all, exponents": own_constants("HH 3/4 all", exponents=True),
    "HH HL 3/4 all, exponents": own_constants("HH HL 3/4 all", exponents=True),
    "HH x:HL HL 3/4 all, exponents": REFERENCE,
    "HH 3/4 all, exponents, shared constants": Design(),
    "HL all: two planes": own_constants("HL all"),
}
CHOSEN = "HH 3/4 all, exponents, shared constants"
RIVALS = ("STATIC_ROWS", "CELL_HISTORY", "RANDOM", "static widths")


@dataclass(frozen=True)
class Candidate:
    """A policy in a design; start: the log2_lambda at which its search begins (None: the reference's)."""

    design: Design | Widths | Shares
    policy: Policy = Policy.SENSITIVITY
    start: float | None = None


def candidates() -> dict[str, Candidate]:
    """Designs and rivals by name; static widths are those of a machine whose cycles are in proportion to both widths."""
    chosen = DESIGNS[CHOSEN]
    rivals = (Candidate(chosen, Policy.STATIC_ROWS, -30.0), Candidate(chosen, Policy.CELL_HISTORY, -30.0), Candidate(Shares(chosen), Policy.RANDOM, -40.0),
              Candidate(Widths("ideal", chosen.exponents), Policy.STATIC_HIGH, -30.0))
    return {name: Candidate(design) for name, design in DESIGNS.items()} | dict(zip(RIVALS, rivals))


def reference(study: RivalStudy, progress: Progress) -> tuple[Curve, float, float]:
    """(curve of REFERENCE, excess error at which the loss is LOSS, its log2_lambda)."""
    high, found = study.point(Use.SEARCH, REFERENCE, Policy.STATIC_HIGH, progress=progress), []
    for log2_lambda in SWEEP:
        point = study.point(Use.SEARCH, REFERENCE, Policy.SENSITIVITY, log2_lambda, progress=progress)
        found.append(study.against_high(Use.SEARCH, log2_lambda, point, high))
        if np.nanmean(found[-1].replicates) > ENOUGH:
            break
    line = curve(found)
    excess = LOSS / max(line.slope, 1e-12)
    return line, excess, float(np.interp(np.log(excess), np.log(line.excess), line.log2_lambda))


def speed_at(errors: list[np.ndarray], speeds: list[float], high: np.ndarray, excess: float, draw: slice | np.ndarray = slice(None)) -> float:
    """Speed at an excess error, linear in both logarithms between points; beyond them along the line of the two nearest.

    errors: of each point, float64 [samples]; speeds: of each point, over the baseline build; high: errors of STATIC_HIGH [samples]; draw: which samples count.
    """
    base = trimmed_mean(high[draw])
    x = np.log(np.maximum(isotonic([trimmed_mean(one[draw]) - base for one in errors]), excess * 1e-4))
    y = np.log(speeds)
    place = min(max(int(np.searchsorted(x, np.log(excess))), 1), len(x) - 1)
    low, high_end = x[place - 1], x[place]
    share = 0.5 if high_end - low < 1e-9 else (np.log(excess) - low) / (high_end - low)
    return float(np.exp(y[place - 1] + np.clip(share, -1, 2) * (y[place] - y[place - 1])))


def around(study: RivalStudy, candidate: Candidate, start: float, excess: float, progress: Progress) -> dict[float, Point]:
    """Points of a candidate by log2_lambda, with an excess error between those of two of them if EXTENSIONS suffice."""
    high, points = study.point(Use.SEARCH, REFERENCE, Policy.STATIC_HIGH).error, {}

    def measure(log2_lambda):
        points[log2_lambda] = study.point(Use.SEARCH, candidate.design, candidate.policy, log2_lambda, progress=progress)
        return points[log2_lambda].error - high

    first = round(2 * (start - AROUND)) / 2
    least, most = measure(first), measure(first + 2 * AROUND)
    for _ in range(EXTENSIONS):
        if most < excess:
            most = measure(max(points) + STEP)
        elif least > excess:
            least = measure(min(points) - STEP)
        else:
            break
    return dict(sorted(points.items()))


def compare(name: str, settings: Settings, chosen: dict[str, Candidate], progress: Progress) -> dict:
    """Speeds of candidates on one network at one excess error, with paired replicates over samples."""
    study = RivalStudy(name, settings, STEPS.get(name, OTHER_STEPS))
    line, excess, log2_lambda = reference(study, progress)
    high = study.point(Use.SEARCH, REFERENCE, Policy.STATIC_HIGH).errors
    draws = np.random.default_rng(0).integers(len(high), size=(REPLICATES, len(high)))
    result = {"network": name, "excess": excess, "log2_lambda": log2_lambda, "slope": line.slope, "designs": {}}
    for label, candidate in chosen.items():
        points = around(study, candidate, log2_lambda if candidate.start is None else candidate.start, excess, progress)
        errors, speeds = [point.errors for point in points.values()], [point.speed for point in points.values()]
        result["designs"][label] = {
            "speed": speed_at(errors, speeds, high, excess), "replicates": [speed_at(errors, speeds, high, excess, draw) for draw in draws],
            "points": [{"log2_lambda": key, "excess": point.error - trimmed_mean(high), "speed": point.speed, "shares": point.shares}
                       for key, point in points.items()]}
    low = study.point(Use.SEARCH, REFERENCE, Policy.STATIC_LOW)
    loss = study.against_high(Use.SEARCH, 0.0, low, study.point(Use.SEARCH, REFERENCE, Policy.STATIC_HIGH)).replicates
    result["all_low"] = {"speed": low.speed, "loss": float(np.nanmean(loss)), "interval": interval(loss)}
    return result


def table(found: list[dict]) -> Table:
    """Speeds by network and design, and their geometric mean relative to that of SENSITIVITY in the chosen design, with its interval."""
    shown = Table(box=box.SIMPLE_HEAD, title=f"ideal speed over the baseline build at a loss of {LOSS} margins")
    for heading in ("design", *(one["network"] for one in found), "geometric mean", "of SENSITIVITY's in the chosen design [95 %]"):
        shown.add_column(heading, justify="left" if heading == "design" else "right")
    names = list(found[0]["designs"])
    logs = {name: np.array([np.log([one["designs"][name]["speed"], *one["designs"][name]["replicates"]]) for one in found]).mean(0) for name in names}
    base = CHOSEN if CHOSEN in names else names[0]
    for name in names:
        ratio = np.exp(logs[name] - logs[base])
        low, high = np.quantile(ratio[1:], (0.025, 0.975))
        shown.add_row(name, *(f"{one['designs'][name]['speed']:.2f}" for one in found), f"{np.exp(logs[name][0]):.2f}", f"{ratio[0]:.3f} [{low:.3f}, {high:.3f}]")
    return shown


def main() -> None:
    """The command; its arguments are those of the process. Writes OUT."""
    parser = argparse.ArgumentParser(prog="python -m models.quarters.compare", description=__doc__.splitlines()[0])
    parser.add_argument("--net", action="append", choices=MODULES, help="network; several times for several")
    parser.add_argument("--design", action="append", choices=[*DESIGNS, *RIVALS], help="design or rival; several times for several (default: all)")
    arguments = parser.parse_args()
    known = candidates()
    chosen = {name: known[name] for name in arguments.design or known}
    measure_networks(arguments.net or MODULES, lambda name, progress: compare(name, settings_of(name), chosen, progress), table, OUT)


if __name__ == "__main__":
    from .compare import main  # by its own name, as what the cache holds is of classes of modules

    main()
