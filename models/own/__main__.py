# SPDX-License-Identifier: MIT
"""`make calibrate MODEL=`: see models/own/calibrate.py."""

import argparse
import sys
from pathlib import Path

import torch
from rich import box
from rich.console import Console
from rich.table import Table
from tqdm import tqdm

from ..importers import ImportFailure
from ..policies import DECIDING, Policy
from .calibrate import FOLDER, Calibration, Point, Target, calibrate, default_target
from .data import Use
from .limits import limits, own_build
from .metric import as_metric
from .task import OwnTask


def table(title: str, metric: str, points: list[Point], chosen: dict[Policy, float] | None = None) -> Table:
    """Points as a person reads them, losses in the unit of the metric; those of the choice with a star."""
    result = Table(title=f"{title}: {metric}", box=box.SIMPLE_HEAD)
    for heading in ("policy", "log2_lambda", "levels, %", "quarters", "speed", "metric", "loss", "95 % interval"):
        result.add_column(heading, justify="left" if heading == "policy" else "right", no_wrap=True)
    for point in points:
        star = "*" if chosen is not None and chosen.get(Policy[point.policy]) == point.log2_lambda else " "
        shares = "/".join(f"{100 * share:.0f}" for share in [*point.shares, *[0] * (3 - len(point.shares))])
        result.add_row(point.policy, f"{'-' if point.log2_lambda is None else f'{point.log2_lambda:g}'} {star}", shares, f"{point.quarters:.2f}", f"{point.speed:.2f}x",
                       f"{point.metric:.4g}", f"{point.loss:+.3g}", f"{point.interval[0]:+.3g}, {point.interval[1]:+.3g}")
    return result


def verdicts(found: Calibration, checked: list[Point]) -> list[str]:
    """By policy that was calibrated, in a sentence: whether CHECK, which no choice has seen, shows that the target is reached."""
    lines, target = [], found.target
    for point in checked:
        if point.log2_lambda is None:
            continue
        if target.kind != "budget":
            reached = point.shares[0] if target.kind == "low_share" else point.speed
            lines.append(f"{point.policy}: {reached:.3g} reached, {target.value:g} asked for; loss {point.loss:+.3g}")
            continue
        words = f"{point.policy}: {point.speed:.2f}x the speed of the baseline build,"
        if point.interval[1] <= target.value:
            lines.append(f"{words} within the budget of {target.value:g}: the interval ends below it")
        elif point.loss <= target.value:
            lines.append(f"{words} within the budget of {target.value:g} as measured, but the interval goes beyond it: more sequences make it narrower")
        else:
            lines.append(f"{words} beyond the budget of {target.value:g} on sequences that the choice has not seen: give more sequences, or a smaller budget")
    return lines


def parse(arguments: list[str] | None) -> argparse.Namespace:
    """The options, checked. Raises ImportFailure for a wrong one."""
    parser = argparse.ArgumentParser(prog="python -m models.own", description=__doc__)
    for name, about in (("model", "file with an LSTM"), ("node", "which LSTM of it"), ("inputs", ".npy or .npz file"),
                        ("metric", "Python file with metric(outputs, labels)"), ("budget", "loss against 8 bits that is accepted, in the unit of the metric"),
                        ("share", "rows at the lowest level, in place of a budget, 0 to 1"),
                        ("speed", "over the baseline build, in place of a budget"), ("tiles", "of the build"), ("lanes", "of the build"), ("weights", "words a tile"),
                        ("policy", "all that decide, or some with commas between them"), ("net", "not together with --model")):
        parser.add_argument(f"--{name}", help=about)
    options = parser.parse_args(arguments)
    if options.net:
        raise ImportFailure(f"NET={options.net}: not together with MODEL=, INPUTS= and what else is about them; leave it out")
    if not options.model or not options.inputs:
        raise ImportFailure("MODEL= and INPUTS= are needed: a file with an LSTM, and one with inputs of it")
    named = [name.strip().upper() for name in (options.policy or "all").split(",")]
    known = [policy.name for policy in DECIDING]
    if named != ["ALL"] and not set(named) <= set(known):
        raise ImportFailure(f"POLICY={options.policy}: choose all or some of {', '.join(known)}")
    options.policies = [policy for policy in DECIDING if named == ["ALL"] or policy.name in named]
    given = [(name, getattr(options, name)) for name in ("budget", "share", "speed") if getattr(options, name) is not None]
    if len(given) > 1:
        raise ImportFailure(f"{' and '.join(f'{name.upper()}=' for name, _ in given)}: give one of them")
    options.target = _target(*given[0]) if given else None
    options.build = own_build(options.tiles, options.lanes, options.weights)
    return options


def _target(name, text):
    kind = "low_share" if name == "share" else name
    try:
        target = Target(kind, float(text))
    except ValueError:
        target = Target(kind, -1.0)
    if not 0 < target.value < (1 if kind == "low_share" else float("inf")):
        raise ImportFailure(f"{name.upper()}={text}: a number above 0{' and below 1' if kind == 'low_share' else ''} is needed")
    return target


def main(arguments: list[str] | None = None) -> Calibration:
    """The command of `make calibrate MODEL=`, with the arguments of its line (default: those of the process). Prints and saves what it found.

    Raises ImportFailure and FileNotFoundError, which say what to do, and ValueError for weights or inputs that the formats do not hold.
    """
    options = parse(arguments)
    task = OwnTask(options.model, options.inputs, as_metric(options.metric), node=options.node or "")
    task.check_enough()
    target = options.target or default_target(task.metric_of)
    print("\n".join(task.imported.notes + limits(task.imported, options.build, task.inputs_of(Use.FIT)).lines()), flush=True)
    print(", ".join(f"{len(task.of(use))} of {len(task.parts[use])} sequences to {use.value}" for use in Use) + f"; target: {target}", flush=True)
    with tqdm(unit="point", desc=task.name) as bar:
        found = calibrate(task, target, options.policies, options.build, bar.update)
        checked = found.check()
    console = Console(width=max(Console().width, 100))
    console.print(table(f"{task.name}, to choose", task.metric_name, found.points, found.chosen))
    console.print(table(f"{task.name}, on sequences that the choice has not seen; float: {found.float_metric():.4g}", task.metric_name, checked))
    print("\n".join(verdicts(found, checked)))
    print(shown(found.save()))
    return found


def shown(path: Path) -> Path:
    """A path below build/ as from the folder of the project."""
    return path.relative_to(FOLDER.parent.parent) if path.is_relative_to(FOLDER.parent.parent) else path


def run(arguments: list[str] | None = None) -> int:
    """The command: its exit code, and one line about what was wrong."""
    torch.set_num_threads(1)
    try:
        main(arguments)
    except (ImportFailure, FileNotFoundError, ValueError) as error:
        model = next((Path(text.partition("=")[2]).name for text in arguments or sys.argv if text.startswith("--model=")), "")
        print(f"calibrate: {'' if isinstance(error, ImportFailure | FileNotFoundError) else f'{model}: '}{error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("calibrate: interrupted; the same command goes on from here", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(run())
