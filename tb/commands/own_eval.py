# SPDX-License-Identifier: MIT
"""`make eval MODEL=`: what dynamic precision is worth on the user's own LSTM and task, at the thresholds of `make calibrate MODEL=`.

The integer model runs the sequences that calibration set aside, or those of INPUTS=, under each policy: metric, loss against 8 bits with its 95 % interval over
sequences, levels, speed. Prints a table; writes it as JSON, and the frontier of the calibration, speed against metric, as a picture. `make sim MODEL=` plays
the same thresholds in RTL.
Exit code: 0, 2 when the arguments are wrong.
"""

import argparse
import json
import math
import sys
from dataclasses import asdict
from pathlib import Path

import torch
from matplotlib import pyplot
from rich.console import Console

from models.importers import ImportFailure
from models.own.__main__ import shown, table, verdicts
from models.own.calibrate import Calibration, Point, find, load
from models.own.data import Use
from models.own.limits import own_build
from models.own.metric import as_metric
from models.own.task import OwnTask
from models.policies import Policy

COLOURS = {Policy.SENSITIVITY.name: "tab:blue", Policy.CELL_HISTORY.name: "tab:orange", Policy.STATIC_HIGH.name: "black", Policy.STATIC_LOW.name: "tab:red"}


def draw(found: Calibration, checked: list[Point], exact: float, path: Path) -> None:
    """The frontier: lines over the sequences of SEARCH, and on those of CHECK each policy at its choice, with the interval of its loss."""
    figure, axes = pyplot.subplots(figsize=(6.4, 4.2))
    high = next(point.metric for point in checked if point.policy == Policy.STATIC_HIGH.name)
    sign = -1 if found.task.higher_is_better else 1
    for name in dict.fromkeys(point.policy for point in found.points):
        line = [point for point in found.points if point.policy == name]
        axes.plot([point.speed for point in line], [point.metric for point in line], ".-", color=COLOURS[name], alpha=0.5, label=f"{name}, to choose")
    for point in checked:
        if math.isfinite(point.metric):
            low, top = sorted(high + sign * end for end in point.interval)
            spread = [[max(0.0, point.metric - low)], [max(0.0, top - point.metric)]]
            axes.errorbar(point.speed, point.metric, yerr=spread, fmt="o", color=COLOURS[point.policy], capsize=3, label=f"{point.policy}, checked")
    if math.isfinite(exact):
        axes.axhline(exact, color="grey", linestyle=":", label="float, checked")
    axes.set_xlabel("speed over the 8-bit baseline build")
    axes.set_ylabel(found.task.metric_name)
    axes.set_title(found.task.name)
    axes.legend(fontsize="small")
    axes.grid(alpha=0.3)
    figure.tight_layout()
    figure.savefig(path, dpi=120)
    pyplot.close(figure)


def report(found: Calibration, folder: Path, steps: int | None = None) -> list[Point]:
    """Checks what was found, prints a table, and writes eval.json and frontier.png into a folder."""
    checked, exact = found.check(steps=steps), found.float_metric(steps=steps)
    samples = found.task.of(Use.CHECK, steps)
    console = Console(width=max(Console().width, 100))
    console.print(table(f"{found.task.name}, {len(samples)} sequences that the choice has not seen", found.task.metric_name, checked))
    print(f"float: {exact:.4g}")
    lines = verdicts(found, checked)
    print("\n".join(lines))
    result = {"model": found.task.name, "inputs": found.task.about, "sequences": len(samples), "steps": sum(len(sample.inputs) for sample in samples),
              "metric": found.task.metric_name, "float": exact if math.isfinite(exact) else None, "target": str(found.target), "build": asdict(found.build),
              "points": [asdict(point) for point in checked], "verdicts": lines}
    (folder / "eval.json").write_text(json.dumps(result, indent=1) + "\n")
    draw(found, checked, exact, folder / "frontier.png")
    for name in ("eval.json", "frontier.png"):
        print(shown(folder / name))
    return checked


def parse(arguments: list[str] | None) -> argparse.Namespace:
    """The options, checked. Raises ImportFailure for a wrong one."""
    parser = argparse.ArgumentParser(prog="python -m tb.commands.own_eval", description=__doc__.splitlines()[0])
    for name, about in (("model", "file with an LSTM"), ("node", "which LSTM of it"), ("inputs", "other inputs than those of the calibration"),
                        ("metric", "file of the metric, where it has moved"), ("steps", "at least so many (default: 16384)"), ("tiles", "of the build"),
                        ("lanes", "of the build"), ("weights", "words a tile"), ("net", "not together with --model"), ("jobs", "not of --model"),
                        ("scheduler", "not of --model")):
        parser.add_argument(f"--{name}", help=about)
    options = parser.parse_args(arguments)
    for name in ("net", "jobs", "scheduler"):
        if getattr(options, name):
            raise ImportFailure(f"{name.upper()}={getattr(options, name)}: not together with MODEL=; leave it out")
    if not options.model:
        raise ImportFailure("MODEL= is needed: a file with an LSTM")
    if options.steps is not None and not (options.steps.isdigit() and int(options.steps)):
        raise ImportFailure(f"STEPS={options.steps}: a whole number of at least 1 is needed")
    options.steps = int(options.steps) if options.steps else None
    options.build = own_build(options.tiles, options.lanes, options.weights) if any((options.tiles, options.lanes, options.weights)) else None
    return options


def main(arguments: list[str] | None = None) -> None:
    options = parse(arguments)
    node = options.node or ""
    found = load(options.model, node, as_metric(options.metric) if options.metric else None)
    found.build = options.build or found.build
    if options.inputs:
        other = OwnTask(options.model, options.inputs, found.task.metric_of, node=node)
        if other.data_key != found.task.data_key:
            found.task.check_on(other)
    report(found, find(options.model, node), options.steps)


def run(arguments: list[str] | None = None) -> int:
    """The command: its exit code, and one line about what was wrong."""
    torch.set_num_threads(1)
    try:
        main(arguments)
    except (ValueError, FileNotFoundError) as error:  # ImportFailure, and what the formats do not hold
        print(f"eval: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("eval: interrupted; the same command goes on from here", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(run())
