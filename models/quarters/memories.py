# SPDX-License-Identifier: MIT
"""What an access of the memories of a tile costs, from the macros of memories.json (syn/macros.py makes it from a public PDK).

A memory is as many macros as its words are wide, side by side, and as many such rows as its bytes ask; an access wakes one row. Row sums are flip-flops: 44 of
them cost 1 or 2 pJ a write, and are left to the logic.
"""

import json
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

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
        """pJ of the multiplier of a row and segment, once a visit."""
        return self._read(16, self.multipliers)

    @cached_property
    def pass_read(self) -> float:
        """pJ of what post-processing reads for a unit: constants of four rows, the cell."""
        return 4 * self._read(self.constant_bits, self.constants) + self._read(self.cell_bits, self.cells)

    @cached_property
    def cell_write(self) -> float:
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


QUARTERS = Memories()
# Of the 8-bit baseline build: words of 16 weights and activations in 8 bits; a row has no second bias and no threshold, a cell no history.
BASELINE = Memories(constants="1P_256x48", weight_bits=128, activation_bits=128, constant_bits=24, cell_bits=16, h_macros=1)
