# SPDX-License-Identifier: MIT
"""Area, energy and leakage of the memories of a tile, as SRAM macros of IHP SG13G2 (130 nm): models/quarters/memories.json, which syn/macros.py makes.

A memory is as many macros as its words are wide, side by side, and as many such rows as its words ask; an access wakes one row. Where a macro's word holds several
words of the memory, they share it. Register files are too small for macros; see syn/synthesize.py.
"""

from dataclasses import dataclass

from models.build import Build
from models.formats import Target
from models.quarters.memories import macro

NODE, VOLTS = 130, 1.2  # nm, V
BUILDS = {"baseline": Build().baseline(), "dynamic": Build()}

# Macros by the instance of a memory, those that fit its ports and whose words fit best: of 512 words or less, which limits the access to 3.9 ns; the exponent beside the
# upper halves of activations has one of its own. Memories that are loaded while the tile is idle have one port.
MACROS = {
    "weights_hi": ("1P_512x64",), "weights_lo": ("1P_512x64",), "activations": ("2P_256x32",), "activations_hi": ("2P_256x32", "2P_256x8"),
    "activations_lo": ("2P_256x32",), "scales": ("1P_256x48",), "constants": ("1P_256x64", "1P_256x48"), "cells": ("2P_512x8",),
}


@dataclass(frozen=True)
class Memory:
    """A memory of so many words of so many bits, made of rows of macros: their names, side by side, and how many rows."""

    bits: int
    words: int
    row: tuple[str, ...]
    rows: int

    def figure(self, name: str) -> float:
        """Of a row of macros the sum of a figure, as read_pj."""
        return sum(macro(part)[name] for part in self.row)

    def write_pj(self, bits: int) -> float:
        """Of a write of so many bits of a word: the macros that hold them."""
        return -(-bits // macro(self.row[0])["bits"]) * macro(self.row[0])["write_pj"]

    @property
    def area_um2(self) -> float:
        return self.rows * self.figure("area_um2")

    @property
    def leakage_mw(self) -> float:
        return self.rows * self.figure("leakage_nw") * 1e-6

    @property
    def access_ns(self) -> float:
        """Clock to output of a macro; the choice of a row comes after it."""
        return max(macro(part)["access_ns"] for part in self.row)


def made_of(bits: int, words: int, names: tuple[str, ...]) -> Memory:
    """A memory of these macros: the last that is wide enough, or as many of the first as fit, and of the last for what is left."""
    fitting = [name for name in names if macro(name)["bits"] >= bits]
    if fitting:
        row, shared = (fitting[-1],), macro(fitting[-1])["bits"] // bits
    else:
        width = macro(names[0])["bits"]
        count, left = divmod(bits, width)
        row, shared = (names[0],) * count + (names[-1],) * -(-left // macro(names[-1])["bits"]), 1
    return Memory(bits, words, row, -(-words // (shared * macro(row[0])["words"])))


def memories(build: Build) -> dict[str, Memory]:
    """Memories of a tile by name of their instance."""
    bits, activation_words = build.operand_bits * build.dot_lanes, Target.ACTIVATIONS.depth(build)
    sizes = {"weights_hi": (bits, build.weight_depth)}
    if build.dynamic:
        sizes |= {"weights_lo": (bits, build.weight_depth), "activations_hi": (bits + 4, activation_words), "activations_lo": (bits, activation_words)}
    else:
        sizes |= {"activations": (bits, activation_words)}
    sizes |= {name: (target.word.kept(build.dynamic), target.depth(build))
              for name, target in (("scales", Target.SCALES), ("constants", Target.ROW_CONSTANTS), ("cells", Target.CELL))}
    return {name: made_of(*size, MACROS[name]) for name, size in sizes.items()}
