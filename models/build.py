# SPDX-License-Identifier: MIT
"""Parameters of a build of rtl/lstm_accelerator.v (docs/architecture.md)."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from . import formats

if TYPE_CHECKING:
    from .layer import QuantizedLayer

MOST_WEIGHTS = 1 << formats.HEADER["address"].bits  # words of a plane that a load reaches


@dataclass(frozen=True)
class Build:
    """One build. Raises ValueError, which says the rule, for what cannot be built.

    tiles: 1..16. lanes: products of 4x4 a cycle and tile of the dynamic build, 8, 16, 32 or 64; the baseline build has a quarter as many of 8x8. in_flight: units in
    work in a tile. weight_depth: words of weights a tile, of each half in the dynamic build; unit_depth: units a tile, over all layers; activation_depth: words of
    activations a bank.
    """

    tiles: int = 4
    lanes: int = 64
    dynamic: bool = True
    in_flight: int = 8
    weight_depth: int = 8192
    unit_depth: int = 512
    activation_depth: int = 128

    def __post_init__(self):
        rules = (
            (1 <= self.tiles <= formats.MAX_TILES, f"Tiles is 1..{formats.MAX_TILES}"),
            (self.lanes in (8, 16, 32, 64), "Lanes is 8, 16, 32 or 64"),
            (self.in_flight >= 2 and self.in_flight & (self.in_flight - 1) == 0, "InFlight is a power of two, at least 2"),
            (8 <= self.weight_depth <= MOST_WEIGHTS, f"WeightDepth is 8..{MOST_WEIGHTS}"),
            (2 <= self.unit_depth <= 1 << 16, f"UnitDepth is 2..{1 << 16}"),
            (self.activation_depth >= 2 and self.activation_depth & (self.activation_depth - 1) == 0
             and self.activation_depth * self.dot_lanes <= 1 << 15, "ActivationDepth is a power of two, 2..32768 / DotLanes"),
        )
        for holds, rule in rules:
            if not holds:
                raise ValueError(f"{rule}: {self}")

    @property
    def dot_lanes(self) -> int:
        """Values of a word of weights or activations."""
        return formats.dot_lanes(self.lanes, self.dynamic)

    @property
    def operand_bits(self) -> int:
        """Bits of a weight or an activation, as they are multiplied."""
        return formats.operand_bits(self.dynamic)

    @property
    def commits(self) -> int:
        """h that the commit bus takes in a cycle."""
        return 2 if self.tiles > 8 else 1

    def words(self, values: int) -> int:
        """Words that a vector of so many values takes."""
        return -(-values // self.dot_lanes)

    def row_words(self, layer: "QuantizedLayer") -> int:
        """Words that a row of a QuantizedLayer reads for each quarter: those of W_ih meet each term."""
        return layer.terms * self.words(layer.inputs) + self.words(layer.units)

    def baseline(self) -> "Build":
        """The 8-bit baseline build with the same bytes of memory: a word has a quarter of the values, so there are four times as many. Nothing waits for
        decisions, so four units in flight take no more cycles than eight."""
        if not self.dynamic:
            return self
        return replace(self, dynamic=False, in_flight=min(self.in_flight, 4), weight_depth=4 * self.weight_depth, activation_depth=4 * self.activation_depth)

    def parameters(self) -> dict[str, int]:
        """Verilog parameters of the top module."""
        return {
            "Tiles": self.tiles,
            "Lanes": self.lanes,
            "DynamicPrecision": int(self.dynamic),
            "InFlight": self.in_flight,
            "WeightDepth": self.weight_depth,
            "UnitDepth": self.unit_depth,
            "ActivationDepth": self.activation_depth,
        }
