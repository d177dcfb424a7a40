# SPDX-License-Identifier: MIT
"""Energy of the memories of the quarter-product machine and of the 8-bit baseline build: python -m models.quarters.energy

Reads and writes of macros (memories.py), without logic, clock and wires. Where all rows start at the lowest level; where each row starts at the level that costs
least on other steps ("own start": always refined is one such); and where it starts at the level that it had in the step before ("last level"). Levels are those of
models.quarters.cost; writes build/quarters/energy.json.
"""

import argparse
import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch
from rich import box
from rich.console import Console
from rich.table import Table
from torch import Tensor

from ..build import Build
from ..formats import EXPONENT_GROUP as WORD
from ..layer import QuantizedLayer
from ..levels import ALL, HH, Level, Levels, row_quarters
from .cycle_model import GRANULE, Shape
from .memories import BASELINE, OWN, Memories, row_energy

OUT = Path("build/quarters/energy.json")
# Choices of macros: the densest, and smaller ones that cost more area and less energy.
CHOICES = {"2048x64": {"weights": "1P_2048x64"}, "1024x64": {"weights": "1P_1024x64"}, "512x64": {"weights": "1P_512x64"}}


def segment_words(layer: Shape, lanes: int = WORD) -> tuple[int, int, int]:
    """Words of each segment of a row, x0, x1 and h, of `lanes` values each."""
    x = math.ceil(layer.inputs / lanes)
    return x, x * (layer.terms - 1), math.ceil(layer.units / lanes)


def memory_energy(layers: list, counts: list[Tensor], steps: int = 1, tiles: int = 4, own: Memories = OWN, rows_at_once: int = 1,
                  starts: list | None = None, second_passes: list | None = None) -> float:
    """pJ of a step. layers: QuantizedLayers or Shapes. counts: by layer, rows of `steps` steps at each level, [levels, units, 4], as NetworkRun.rows has them; where
    the layer has more levels than that, the one is all quarters.

    starts: by layer, level at which each row starts, [units, 4] (default: the lowest). second_passes: by layer, units that are finished twice, in all steps
    (default: as if their four rows were refined independently).
    """
    return sum(parts(layers, counts, steps, tiles, own, rows_at_once, starts, second_passes).values())


def parts(layers: list, counts: list[Tensor], steps: int = 1, tiles: int = 4, own: Memories = OWN, rows_at_once: int = 1,
          starts: list | None = None, second_passes: list | None = None) -> dict[str, float]:
    """As memory_energy, in pJ of a step, by what is read or written; counts by layer, integers [levels, units, 4]."""
    rows = passes = 0.0
    for number, (layer, found) in enumerate(zip(layers, counts)):
        levels = layer.levels if len(found) == len(layer.levels) else (ALL,)
        start = torch.zeros(found.shape[1:], dtype=torch.int64) if starts is None else starts[number]
        costs = torch.tensor([[row_energy(high, segment_words(layer), low, own, rows_at_once, second_pass=0) if level >= place else 0.0
                               for level, high in enumerate(levels)] for place, low in enumerate(levels)], dtype=torch.float64)
        # [levels, units, 4] by the level reached: below its start a row is at its start.
        place = torch.arange(len(levels)).view(-1, 1, 1)
        rows += float((found * costs[start, torch.maximum(place, start)]).sum())
        refined = (found * (place > start)).sum(0) / steps
        twice = steps * float((1 - (1 - refined).prod(1)).sum()) if second_passes is None else second_passes[number]
        passes += (steps * layer.units + twice) * own.pass_read + steps * layer.units * own.cell_write
    return {"rows": rows / steps, "post-processing": passes / steps, "activation writes": _writes(layers, tiles, own)}


def baseline_parts(layers: list, tiles: int = 4, own: Memories = BASELINE, rows_at_once: int = 1) -> dict[str, float]:
    """The same of a step of the 8-bit baseline build, in pJ."""
    rows = passes = 0.0
    for layer in layers:
        words = segment_words(layer, Build().baseline().dot_lanes)
        visits = sum(count > 0 for count in words)
        rows += 4 * layer.units * (sum(words) * (own.weight_read + own.activation_read / rows_at_once) + visits * own.multiplier_read)
        passes += layer.units * (own.pass_read + own.cell_write)
    return {"rows": rows, "post-processing": passes, "activation writes": _writes(layers, tiles, own)}


def _writes(layers, tiles, own):
    """Every tile has a copy of all activations."""
    x = layers[0].terms * math.ceil(layers[0].inputs / GRANULE)
    return tiles * (x * own.x_write + sum(layer.units for layer in layers) * own.h_write)


def level_counts(levels: Tensor, count: int) -> Tensor:
    """Rows at each level, int64 [levels, units, 4], of levels, integers [steps, units, 4]; count: how many levels there are."""
    return torch.stack([(levels == place).sum(0) for place in range(count)])


def best_starts(layer: Shape | QuantizedLayer, counts: Tensor, cost: Callable, own: Memories = OWN) -> Tensor:
    """Level, int64 [units, 4], at which each row starts so that it costs least: cost(level, words, start) of a row; counts as of memory_energy, of one layer."""
    words, levels = segment_words(layer), layer.levels
    totals = torch.stack([sum(found * cost(levels[max(place, start)], words, levels[start]) for place, found in enumerate(counts.double()))
                          for start in range(len(levels))])
    return totals.argmin(0)


def by_last_level(layers: list, levels: list[Tensor], own: Memories = OWN, rows_at_once: int = 1) -> tuple[float, float]:
    """(pJ of rows, words) of a step where a row starts at the level that was asked for in the step before. levels: by layer, integers [steps, units, 4]."""
    energy = words = 0.0
    for layer, found in zip(layers, levels):
        start, asked = found[:-1].long(), found[1:].long()
        reached = torch.maximum(start, asked)
        for low, first in enumerate(layer.levels):
            for high, last in enumerate(layer.levels[low:], start=low):
                number = int(((start == low) & (reached == high)).sum())
                energy += number * row_energy(last, segment_words(layer), first, own, rows_at_once)
                words += number * row_quarters(last, segment_words(layer))
    return energy / (len(levels[0]) - 1), words / (len(levels[0]) - 1)


def evaluate(stacks: list, choice: str, rows_at_once: int) -> dict:
    """Energies of a step of a network in pJ, all runs together, and of its rows under starts of rows of their own or of the last level."""
    own, base = replace(OWN, **CHOICES[choice]), replace(BASELINE, **CHOICES[choice])
    result: dict[str, float] = dict.fromkeys(("baseline", "STATIC_HIGH", "all HH", "HH HL", "SENSITIVITY", "own start", "last level", "words", "own start, words",
                                              "last level, words", "started higher"), 0.0)
    rows = 0
    for stack in stacks:
        layers, steps = stack.shapes, stack.steps
        counts = [level_counts(found, len(layer.levels)) for layer, found in zip(layers, stack.levels)]
        twice = [int((found > 0).any(-1).sum()) for found in stack.levels]
        half = len(stack.before[0]) // 2
        known = [level_counts(found[half:], len(layer.levels)) for layer, found in zip(layers, stack.before)]
        starts = [best_starts(layer, found, lambda *row: row_energy(*row, own, rows_at_once)) for layer, found in zip(layers, known)]
        twice_started = [int((found > start).any(-1).sum()) for found, start in zip(stack.levels, starts)]

        def of(level: Level | None, stack=stack, steps=steps):
            shapes = [replace(layer, levels=(level or ALL,)) for layer in stack.shapes]
            return memory_energy(shapes, [torch.full((1, layer.units, 4), steps) for layer in shapes], steps, own=own, rows_at_once=rows_at_once)

        result["baseline"] += sum(baseline_parts(layers, own=base, rows_at_once=rows_at_once).values())
        result["STATIC_HIGH"] += of(ALL)
        result["all HH"] += of(HH)
        result["HH HL"] += of(Level(2, 1, 2))
        plain = parts(layers, counts, steps, own=own, rows_at_once=rows_at_once, second_passes=twice)
        result["SENSITIVITY"] += sum(plain.values())
        result["own start"] += memory_energy(layers, counts, steps, own=own, rows_at_once=rows_at_once, starts=starts, second_passes=twice_started)
        last, last_words = by_last_level(layers, stack.before, own, rows_at_once)
        first = sum(float((level_counts(found[1:], len(layer.levels)).sum((1, 2)).double() * _costs(layer, own, rows_at_once)).sum())
                    for layer, found in zip(layers, stack.before)) / (len(stack.before[0]) - 1)
        result["last level"] += sum(plain.values()) - plain["rows"] + plain["rows"] * last / first
        quarters = [_words(layer, found, torch.zeros_like(start)) / steps for layer, found, start in zip(layers, stack.levels, starts)]
        result["words"] += sum(quarters)
        result["own start, words"] += sum(_words(layer, found, start) / steps for layer, found, start in zip(layers, stack.levels, starts))
        before = sum(_words(layer, found[1:], torch.zeros_like(start)) for layer, found, start in zip(layers, stack.before, starts)) / (len(stack.before[0]) - 1)
        result["last level, words"] += sum(quarters) * last_words / before
        result["started higher"] += sum(int((start > 0).sum()) for start in starts)
        rows += sum(start.numel() for start in starts)
    return {**result, "started higher": result["started higher"] / rows}


def _costs(layer, own, rows_at_once):
    return torch.tensor([row_energy(level, segment_words(layer), layer.levels[0], own, rows_at_once) for level in layer.levels], dtype=torch.float64)


def _words(layer, levels, start):
    own = torch.tensor([row_quarters(level, segment_words(layer)) for level in layer.levels], dtype=torch.float64)
    return float(own[torch.maximum(levels.long(), start)].sum())


def word_table() -> Table:
    """Energy of 64 products, without what is read once a row pass: the arithmetic of one word."""
    table = Table(box=box.SIMPLE_HEAD, title="memory energy of 64 products, pJ")
    for heading in ("weights in macros of", "activations for", "baseline", "HH", "HH HL", "3/4 or all at once", "HH, then HL", "HH, then 3/4 or all", "HL, then all"):
        table.add_column(heading, justify="left" if heading == "weights in macros of" else "right")
    levels: Levels = (HH, Level(2, 2, 2), ALL)
    for choice, change in CHOICES.items():
        for rows in (1, 2, 4):
            own, base = replace(OWN, **change), replace(BASELINE, **change)

            def of(level, start, own=own, rows=rows):
                visits = 1 + (level != start)
                return f"{row_energy(level, (0, 0, 1), start, own, rows, second_pass=0) - visits * own.multiplier_read:,.0f}"

            table.add_row(choice, f"{rows} row{'s' * (rows > 1)}", f"{4 * (base.weight_read + base.activation_read / rows):,.0f}", *(
                of(level, start) for level, start in (*((level, level) for level in levels), (levels[1], HH), (ALL, HH), (ALL, levels[1]))))
    return table


def network_table(found: dict, title: str) -> Table:
    """Saved over the baseline build, by network."""
    table = Table(box=box.SIMPLE_HEAD, title=title)
    for heading in ("", *found, "mean"):
        table.add_column(heading, justify="right" if heading else "left")
    for name in ("STATIC_HIGH", "all HH", "HH HL", "SENSITIVITY", "own start", "last level"):
        saved = [1 - one[name] / one["baseline"] for one in found.values()]
        table.add_row(f"saved by {name}", *(f"{100 * share:.1f} %" for share in saved), f"{100 * sum(saved) / len(saved):.1f} %")
    for name in ("own start", "last level"):
        more = [one[f"{name}, words"] / one["words"] - 1 for one in found.values()]
        table.add_row(f"words, {name}", *(f"{100 * share:+.1f} %" for share in more), f"{100 * sum(more) / len(more):+.1f} %")
    table.add_row("rows that start higher", *(f"{100 * one['started higher']:.0f} %" for one in found.values()))
    table.add_row("baseline, nJ", *(f"{one['baseline'] / 1000:,.1f}" for one in found.values()))
    return table


def main() -> None:
    """The command; its arguments are those of the process. Writes OUT."""
    from .cost import NETWORKS, stacks  # their imports are slow

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--net", action="append", choices=sorted(NETWORKS), help="network; several times for several (default: all)")
    arguments = parser.parse_args()
    console, result = Console(width=200), {}
    console.print(word_table())
    own = {name: stacks(name) for name in arguments.net or NETWORKS}
    for choice in CHOICES:
        for rows in (1, 2):
            result[f"{choice}, {rows}"] = {name: evaluate(found, choice, rows) for name, found in own.items()}
            console.print(network_table(result[f"{choice}, {rows}"], f"weights in macros of {choice}, activations read for {rows} row{'s' * (rows > 1)} at once"))
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text(json.dumps(result, indent=1) + "\n")
    print(OUT)


if __name__ == "__main__":
    main()
