# SPDX-License-Identifier: MIT
"""What an access of the memories of a tile costs, and what a row does, from the macros of memories.json (syn/macros.py makes it from a public PDK).

A memory is as many macros as its words are wide, side by side, and as many such rows as its bytes ask; an access wakes one row. Row sums are flip-flops: 44 of
them cost 1 or 2 pJ a write, and are left to the logic.
"""

import json
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

from ..layer import QuantizedLayer
from ..levels import ALL, HH, QUARTERS, Cost, Level, row_quarters, time_cost
from ..quantized_network import QuantizedNetwork

DATA = Path(__file__).with_suffix(".json")


@cache
def macro(name: str) -> dict:
    """Words, bits, energies in pJ, area in um2, access time in ns and leakage in nW of a macro. Raises KeyError."""
    return json.loads(DATA.read_text())["macros"][name]


def side_by_side(bits: int, name: str) -> int:
    """Macros that a word of so many bits is wide."""
    return -(-bits // macro(name)["bits"])


@dataclass(frozen=True)
class Memories:
    """Macros of the memories of a tile by use, and the bits of their words.

    weight_bits, activation_bits: of a word of one plane. h_macros: macros that a write of one h wakes; x_macros: of 16 values of x.
    constant_bits: what post-processing reads of a row; cell_bits: of a unit.
    """

    weights: str = "1P_2048x64"
    activations: str = "2P_256x32"
    multipliers: str = "1P_1024x16"
    constants: str = "1P_256x64"
    cells: str = "2P_512x8"
    weight_bits: int = 256
    activation_bits: int = 256
    constant_bits: int = 64
    cell_bits: int = 24
    h_macros: int = 2
    x_macros: int = 4

    @cached_property
    def weight_read(self) -> float:
        """pJ of a word of one plane of the weights."""
        return self._read(self.weight_bits, self.weights)

    @cached_property
    def activation_read(self) -> float:
        """pJ of a word of one plane of the activations."""
        return self._read(self.activation_bits, self.activations)

    @cached_property
    def multiplier_read(self) -> float:
        """pJ of the multiplier of a row and segment, once a row pass."""
        return self._read(16, self.multipliers)

    @cached_property
    def pass_read(self) -> float:
        """pJ of what post-processing reads for a unit: constants of four rows, the cell."""
        return 4 * self._read(self.constant_bits, self.constants) + self._read(self.cell_bits, self.cells)

    @cached_property
    def cell_write(self) -> float:
        """pJ of the cell of a unit."""
        return side_by_side(self.cell_bits, self.cells) * macro(self.cells)["write_pj"]

    @cached_property
    def h_write(self) -> float:
        """pJ of one h in the activations of one tile."""
        return self.h_macros * macro(self.activations)["write_pj"]

    @cached_property
    def x_write(self) -> float:
        """pJ of 16 values of x in the activations of one tile."""
        return self.x_macros * macro(self.activations)["write_pj"]

    @staticmethod
    def _read(bits, name):
        return side_by_side(bits, name) * macro(name)["read_pj"]


OWN = Memories()
# Of the 8-bit baseline build: words of 16 weights and activations in 8 bits; a row has no second bias and no threshold, a cell no history.
BASELINE = Memories(constants="1P_256x48", weight_bits=128, activation_bits=128, constant_bits=24, cell_bits=16, h_macros=1)

# A tile as docs/silicon.md measures it: macros of the weights, rows that share a read of activations in a first pass and, in the mean, in a refinement (one or two),
# and pJ of logic and leakage in a cycle, which adds a word of a quarter. These were 200 to 238 by network (docs/silicon-tables.md).
TILE = Memories(weights="1P_512x64")
ROWS_AT_ONCE, REFINED_AT_ONCE = 2, 1.5
CYCLE = 215.0


def planes(before: int, after: int) -> tuple[int, int]:
    """Planes of weights and of activations that bring a segment from so many quarters to so many: a word of each is read once, as memories hold
    what they gave."""
    added = QUARTERS[before:after]
    return len({weight for weight, _ in added}), len({activation for _, activation in added})


def row_energy(level: Level, words: tuple[int, int, int], start: Level = HH, own: Memories = OWN, rows_at_once: float = 1,
               second_pass: float = 0.5, refined_at_once: float = 1) -> float:
    """Energy in pJ of the memory reads of a row that starts at one level and ends at another: what row_quarters is in time. words: as there.

    The difference between two levels, in place of a difference of words, makes a Lagrangian one of energy. A refinement reads a plane again that the start had read.
    rows_at_once: rows that share a word of activations until they are refined; refined_at_once: in a refinement. second_pass: what a refined row
    bears of the second post-processing of its unit.
    """
    first = zip(level._replace(x0=0, x1=0, h=0), start, words)
    parts = [(before, after, count, rows_at_once) for before, after, count in first]
    parts += [(before, after, count, refined_at_once) for before, after, count in zip(start, level, words)]
    total = 0.0
    for before, after, count, rows in parts:
        if after > before and count:
            weights, activations = planes(before, after)
            total += count * (weights * own.weight_read + activations * own.activation_read / rows) + own.multiplier_read
    return total + second_pass * own.pass_read * (level != start)


def energy_cost(level: Level, lowest: Level, words: tuple[int, int, int]) -> float:
    """pJ of a row of a tile of rtl/ that ends at a level, where the lowest level was computed first; words: of each segment, x0, x1 and h."""
    return row_energy(level, words, lowest, TILE, ROWS_AT_ONCE, refined_at_once=REFINED_AT_ONCE) + CYCLE * row_quarters(level, words)


def product_cost(level: Level, lowest: Level, words: tuple[int, int, int]) -> float:
    """What moves the logarithm of time times energy, near STATIC_HIGH, in words: a share of time and one of energy count alike."""
    return 0.5 * (time_cost(level, lowest, words) + energy_cost(level, lowest, words) / energy_cost(ALL, ALL, words) * row_quarters(ALL, words))


COSTS: dict[str, Cost] = {"time": time_cost, "energy": energy_cost, "product": product_cost}


def rows_cost(layer: QuantizedLayer, rows: list[int], cost: Cost) -> float:
    """Cost of a layer's rows, rows [codes] of them at each level; where all are at all quarters they began there, as under STATIC_HIGH."""
    lowest = ALL if rows[-1] == sum(rows) else layer.by_code[0]
    return sum(count * cost(level, lowest, layer.row_words) for level, count in zip(layer.by_code, rows) if count)


def energy_over_high(q: QuantizedNetwork, counts: list[list[list[int]]]) -> float:
    """Energy of rows, over that of STATIC_HIGH on the same build. counts: rows at each level, as of models.study.Point."""
    total = high = 0.0
    for direction, layers in zip(q.directions, counts):
        for layer, rows in zip(direction.layers, layers):
            total += rows_cost(layer, rows, energy_cost)
            high += sum(rows) * energy_cost(ALL, ALL, layer.row_words)
    return total / high
