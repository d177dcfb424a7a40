# SPDX-License-Identifier: MIT
"""What the quarter-product machine costs in cycles, before its RTL exists: python -m models.quarters.cost

Networks: cycles of real levels (SENSITIVITY in the chosen design, at the multipliers of models/calibrated/), of all rows at HH and of STATIC_HIGH on 4, 8 and
16 tiles, against the 8-bit baseline build with as many; and what a faster post-processing, a wider commit bus, a larger in-flight buffer and shared words change. Sizes:
the same for layers of made-up sizes, with levels at random. Levels of networks are of held-out calibration data. What was run is cached; writes build/quarters/cost.json.
"""

import argparse
import json
import math
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import torch
from rich import box
from rich.console import Console
from rich.table import Table
from torch import Tensor
from tqdm import tqdm

from ..build import Build
from ..cache import cached
from ..calibration import read
from ..cycle_model import CycleModel
from ..levels import LEVELS
from ..policies import Policy
from ..quantized_network import QuantizedNetwork, directed
from ..sources import code
from ..study import Study, Use, settings_of
from .compare import CHOSEN, DESIGNS
from .cycle_model import TIMING, QuarterBuild, QuarterCycleModel, Shape, Sharing, dealt

OUT = Path("build/quarters/cost.json")
DESIGN = DESIGNS[CHOSEN]
# Networks with an operating point for time; its multiplier is that of models/calibrated/.
NETWORKS = ("textgenrnn", "silero", "ddddocr", "dtln")
DEAL_STEPS = 1_000  # of levels by which units are dealt to tiles; other steps than those that are counted
UNIT_STEPS = 6_400  # units times steps of a run: enough that its begin and end do not count
SIZE_STEPS = 3_200  # the same of a layer of made-up size
TILES = (4, 8, 16)
MACHINE_TILES = (16,)  # on which other machines are tried
# Machines by name, as changes of the plain one.
MACHINES = {
    "a unit every 5 cycles": {"timing": replace(TIMING, pass_interval=5, commit_queue=3)},
    "a unit every 4 cycles": {"timing": replace(TIMING, pass_interval=4, commit_queue=4)},
    "two h a cycle": {"timing": replace(TIMING, commits=2)},
    "x on a bus of its own": {"timing": replace(TIMING, x_apart=True)},
    "two h a cycle, a unit every 5": {"timing": replace(TIMING, commits=2, pass_interval=5, commit_queue=3)},
    "16 units in flight": {"in_flight": 16},
    "two rows share a word": {"sharing": Sharing.ROWS},
    "quarters share a word": {"sharing": Sharing.QUARTERS},
}
# (inputs, units, terms) of made-up layers, and the machines that they are run on.
SIZES = ((16, 16, 1), (32, 32, 1), (64, 64, 1), (100, 128, 1), (128, 128, 1), (150, 150, 1), (40, 256, 2), (256, 256, 1), (512, 512, 1), (1024, 1024, 1))
SIZE_MACHINES = ("two rows share a word", "quarters share a word", "two h a cycle, a unit every 5")
# Levels of made-up layers and their shares: of the design that was measured before the choice. Without exponents.
SIZE_LEVELS, SIZE_SHARES = LEVELS["HH HL 3/4 all"], (0.65, 0.18, 0.09, 0.08)


@dataclass
class Stack:
    """One run: layers, and their codes of levels, integers [steps, units, 4] a layer: `before`, by which units are dealt, and `levels`, which are counted."""

    shapes: list[Shape]
    before: list[Tensor]
    levels: list[Tensor]

    @property
    def steps(self) -> int:
        """Steps that are counted."""
        return len(self.levels[0])

    def of(self, value: int) -> list[Tensor]:
        """The same level in every row, of the shapes of `levels`: integers [steps, units, 4] a layer."""
        return [torch.full_like(part, value) for part in self.levels]

    def cycles(self, policy: Policy, build: QuarterBuild) -> tuple[int, float]:
        """Cycles and ideal ones under a policy: SENSITIVITY, STATIC_LOW or STATIC_HIGH."""
        levels = {Policy.SENSITIVITY: lambda: self.levels, Policy.STATIC_LOW: lambda: self.of(0), Policy.STATIC_HIGH: lambda: self.of(-1)}[policy]()
        model = QuarterCycleModel(self.shapes, build, levels, dealt(self.shapes, self.before, build.tiles), policy)
        return model.cycles(), model.ideal()

    def baseline(self, tiles: int) -> int:
        """Cycles of the 8-bit baseline build."""
        build = Build(tiles=tiles, dynamic=False, activation_depth=1024)
        order = [list(range(shape.units)) for shape in self.shapes]
        return CycleModel(SimpleNamespace(layers=self.shapes), build, self.of(-1), order, Policy.STATIC_HIGH).cycles()


def stacks(name: str) -> list[Stack]:
    """The runs of a network, one a direction, with levels of held-out samples, at its operating point for time; kept in the cache.

    Raises FileNotFoundError where the network was never calibrated, or its data are not installed.
    """
    study = Study(name, settings_of(name))

    def find():
        q = study.quantized(DESIGN)
        q.set_log2_lambda(Policy.SENSITIVITY, log2_lambda_of(name), DESIGN.own_offsets)
        units = sum(layer.units for direction in q.directions for layer in direction.layers) // len(q.directions)
        steps = max(16, UNIT_STEPS // units)
        found = levels_of(q, [sample.inputs for sample in study.samples(Use.CHECK)], DEAL_STEPS + steps)
        return [([Shape(layer.units, layer.inputs, layer.levels, layer.terms) for layer in direction.layers],
                 [part[:DEAL_STEPS] for part in levels], [part[DEAL_STEPS:DEAL_STEPS + steps] for part in levels])
                for direction, levels in zip(q.directions, found)]

    return [Stack(*parts) for parts in cached(("quarters cost levels", *study.key, DESIGN, log2_lambda_of(name), UNIT_STEPS, DEAL_STEPS), find)]


def log2_lambda_of(name: str) -> float:
    """log2 of the Lagrange multiplier of a network's operating point for time. Raises FileNotFoundError where it was never calibrated."""
    return read(name)["log2_lambda"][Policy.SENSITIVITY.name]


def levels_of(q: QuantizedNetwork, sequences: list[Tensor], steps: int) -> list[list[Tensor]]:
    """Codes of levels under SENSITIVITY of so many steps of sequences one after the other, int8, [direction][layer] of [steps, units, 4].

    sequences: float [steps, inputs] each.
    """
    count, chosen = 0, []
    for sequence in sequences:
        if count >= steps:
            break
        chosen.append(sequence)
        count += len(sequence)
    result = []
    for stage in q.stages:
        outputs = []
        for reverse, direction in enumerate(stage):
            runs = [direction.run(direction.quantize_input(directed(sequence, reverse))[None], Policy.SENSITIVITY) for sequence in chosen]
            result.append([torch.cat([run.levels[number][0] for run in runs])[:steps] for number in range(len(direction.layers))])
            outputs.append([directed(run.h[0], reverse) for run in runs])
        chosen = [torch.cat(parts, dim=1).double() / 120 for parts in zip(*outputs)]
    return result


def made_up(inputs: int, units: int, terms: int) -> Stack:
    """A layer with levels at random, as often as SIZE_SHARES says; terms: 1 or 2. The same levels on every call."""
    steps = max(4, SIZE_STEPS // units)
    generator = torch.Generator().manual_seed(0)
    drawn = torch.multinomial(torch.tensor(SIZE_SHARES), 2 * steps * units * 4, replacement=True, generator=generator).view(2, steps, units, 4)
    return Stack([Shape(units, inputs, SIZE_LEVELS, terms)], [drawn[0]], [drawn[1]])


POLICIES = {"STATIC_HIGH": Policy.STATIC_HIGH, "all HH": Policy.STATIC_LOW, "SENSITIVITY": Policy.SENSITIVITY}
MACHINE_POLICIES = ("all HH", "SENSITIVITY")


def measure(key: tuple, make: Callable, tiles: int, machine: str | None, policies: tuple[str, ...] = tuple(POLICIES)) -> dict:
    """Speed over the baseline build and overhead over ideal, by policy, of all runs of a network one after the other. machine: of MACHINES."""
    schedule = code("models.quarters.cycle_model")

    def run():
        own = make()
        build = QuarterBuild(tiles=tiles, **(MACHINES[machine] if machine else {}))
        baseline, result = cached(("quarters cost baseline", key, tiles, schedule), lambda: sum(stack.baseline(tiles) for stack in own)), {}
        for policy in policies:
            found = [stack.cycles(POLICIES[policy], build) for stack in own]
            cycles, ideal = sum(cycles for cycles, _ in found), sum(ideal for _, ideal in found)
            result[policy] = {"cycles": cycles, "ideal": ideal, "speed": baseline / cycles, "overhead": cycles / ideal - 1}
        return {"baseline": baseline, "steps": own[0].steps, **result}

    return cached(("quarters cost", key, tiles, machine and repr(MACHINES[machine]), policies, schedule), run)


def network_tables(found: dict) -> list[Table]:
    """Speeds by tiles, policy and network, and what other machines gain, in per cent. found: by network, what `measure` gave."""
    names = list(found)
    shown = Table(box=box.SIMPLE_HEAD, title="networks: speed over the baseline build with as many tiles (cycles over the ideal), one h a cycle, a unit every 8")
    for heading in ("tiles", "policy", *names, "mean"):
        shown.add_column(heading, justify="right" if heading not in ("tiles", "policy") else "left")
    for tiles in TILES:
        for policy in POLICIES:
            cells = [found[name]["plain"][tiles][policy] for name in names]
            shown.add_row(str(tiles), policy, *(f"{cell['speed']:.3f} ({100 * cell['overhead']:+.1f} %)" for cell in cells), f"{_mean(cells):.3f}")
    changes = Table(box=box.SIMPLE_HEAD, title="what another machine gains over that one, in per cent")
    for heading in ("machine", "tiles", "policy", *names, "mean"):
        changes.add_column(heading, justify="right" if heading not in ("machine", "policy") else "left")
    for machine in MACHINES:
        for tiles in MACHINE_TILES:
            for policy in MACHINE_POLICIES:
                gains = [found[name]["machines"][machine][tiles][policy]["speed"] / found[name]["plain"][tiles][policy]["speed"] for name in names]
                mean = math.exp(sum(map(math.log, gains)) / len(gains))
                changes.add_row(machine, str(tiles), policy, *(f"{100 * gain - 100:+.1f}" for gain in gains), f"{100 * mean - 100:+.1f}")
    return [shown, changes]


def size_table(found: dict, tiles: int) -> Table:
    """Speeds over the baseline build of layers of made-up sizes on so many tiles. found: by size, what `measure` gave by tiles and machine."""
    shown = Table(box=box.SIMPLE_HEAD, title=f"layers of {tiles} tiles: speed over the baseline build")
    for heading in ("layer", *(f"{policy}, {sharing}" for policy in POLICIES for sharing in ("alone", "rows share", "quarters share")), "all HH, a unit every 5, two h"):
        shown.add_column(heading, justify="right" if heading != "layer" else "left")
    for size, by_tiles in found.items():
        own = by_tiles[tiles]
        shown.add_row(size, *(f"{own[machine][policy]['speed']:.2f}" for policy in POLICIES for machine in ("plain", "two rows share a word", "quarters share a word")),
                      f"{own['two h a cycle, a unit every 5']['all HH']['speed']:.2f}")
    return shown


def _mean(cells):
    return math.exp(sum(math.log(cell["speed"]) for cell in cells) / len(cells))


def main() -> None:
    """The command; its arguments are those of the process. Writes OUT."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--net", action="append", choices=sorted(NETWORKS),
                        help="network; several times for several; without layers of made-up sizes (default: all, with them)")
    parser.add_argument("--sizes-only", action="store_true", help="layers of made-up sizes only")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    networks = [] if arguments.sizes_only else arguments.net or list(NETWORKS)
    sizes = () if arguments.net else SIZES
    result = {"design": CHOSEN, "networks": {}, "sizes": {}}
    runs = len(sizes) * (1 + len(SIZE_MACHINES)) * len(TILES) + len(networks) * (len(TILES) + len(MACHINES) * len(MACHINE_TILES))
    with tqdm(total=runs, unit="run", dynamic_ncols=True) as bar:
        def at(key, make, machine, all_tiles, policies=tuple(POLICIES)):
            found = {}
            for tiles in all_tiles:
                found[tiles] = measure(key, make, tiles, machine, policies)
                bar.update()
            return found

        try:
            for size in sizes:
                own = {machine or "plain": at((*size, SIZE_STEPS), lambda size=size: [made_up(*size)], machine, TILES) for machine in (None, *SIZE_MACHINES)}
                name = f"{'2 x ' if size[2] == 2 else ''}{size[0]} + {size[1]}"
                result["sizes"][name] = {tiles: {machine: found[tiles] for machine, found in own.items()} for tiles in TILES}
            for name in networks:
                key, make = (name, DESIGN, log2_lambda_of(name), UNIT_STEPS, code("models.study")), partial(stacks, name)
                result["networks"][name] = {"plain": at(key, make, None, TILES), "machines": {
                    machine: at(key, make, machine, MACHINE_TILES, MACHINE_POLICIES) for machine in MACHINES}}
        except KeyboardInterrupt:
            sys.exit("interrupted: what was run is kept, the same command goes on")
    console = Console(width=200)
    for table in [*(network_tables(result["networks"]) if networks else ()), *(size_table(result["sizes"], tiles) for tiles in TILES if sizes)]:
        console.print(table)
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text(json.dumps(result, indent=1) + "\n")
    print(OUT)


if __name__ == "__main__":
    main()
