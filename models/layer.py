# SPDX-License-Identifier: MIT
"""The integers of one layer and what their formats hold (docs/numerics.md)."""

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from . import formats
from .formats import DESCRIPTOR, EXPONENT_GROUP, GATES, MAX_UNITS, ROW_CONSTANT, SCALES, Policy
from .levels import ALL, Level, Levels, check

MAX_SIZE = MAX_UNITS  # of inputs, too
ACTIVATIONS = (-128, 119)  # what two signed nibbles hold, within a byte
LARGEST_H = (-120, 119)  # h in units of 1/120
MAX_EXPONENT = 4
# Largest values, and least ones without their sign, of two nibbles with exponents below MAX_EXPONENT: ah, which rounds a / 2**e, is within -8..7.
UP_TO = torch.tensor([(8 << e) - 1 - (1 << e >> 1) for e in range(MAX_EXPONENT)], dtype=torch.int32)
DOWN_TO = torch.tensor([(8 << e) + (1 << e >> 1) for e in range(MAX_EXPONENT)], dtype=torch.int32)


@dataclass(frozen=True, eq=False)
class QuantizedLayer:
    """Integers of one layer. Rows of weights are in PyTorch's order (gates i, f, g, o; units within), other rows are [unit, gate].

    w_ih [4 * units, inputs], w_hh [4 * units, units]: -127..119
    m [units, 4, 3]: unsigned 16-bit mantissas of segments x0, x1, h; s [units, 4]: 0..63
    levels: see models.levels, the lowest first
    b [units, 4]: of all quarters, b_level [levels, units, 4]: of each level; 18 bits, units of 2**-12
    theta [levels - 1][gate] and offset [levels - 1, units, 4]: int8; a level is taken where what the policy sees exceeds their sum
    c_frac: 8..15; cell_floor: 6 bits; terms: 1 or 2
    exponents: whether groups of the input's values have one (layer 0 only)
    theta and offset are those of one policy that decides: the layer's own. What a build has of all this is less: models.compiler says so.
    Raises ValueError for anything else. Another layer is made by dataclasses.replace, which checks it too.
    """

    w_ih: Tensor
    w_hh: Tensor
    m: Tensor
    s: Tensor
    levels: Levels
    b: Tensor
    b_level: Tensor
    theta: tuple
    offset: Tensor
    c_frac: int
    cell_floor: int = 0
    policy: Policy = Policy.SENSITIVITY
    terms: int = 1
    exponents: bool = False

    def __post_init__(self):
        check(self.levels)
        units, count = self.units, len(self.levels)
        for name, size in (("units", units), ("inputs", self.inputs)):
            if not 1 <= size <= MAX_SIZE:
                raise ValueError(f"{name}: {size}, the accelerator takes 1..{MAX_SIZE}")
        rows = (units, len(GATES))
        shapes = {"w_ih": (4 * units, self.inputs), "w_hh": (4 * units, units), "m": (*rows, 3), "s": rows, "b": rows,
                  "b_level": (count, *rows), "offset": (count - 1, *rows)}
        for name, shape in shapes.items():
            tensor = getattr(self, name)
            if tuple(tensor.shape) != shape or tensor.is_floating_point():
                raise ValueError(f"{name}: {tensor.dtype} of shape {tuple(tensor.shape)}, expected integers of shape {shape}")
        object.__setattr__(self, "theta", tuple(tuple(int(value) for value in gates) for gates in self.theta))
        if len(self.theta) != count - 1 or any(len(gates) != len(GATES) for gates in self.theta):
            raise ValueError(f"theta: expected one value for each of the gates {', '.join(GATES)}, for each of {count - 1} levels above the lowest")
        ranges = {
            "w_ih": (-127, 119), "w_hh": (-127, 119), "m": SCALES["m_h"].range, "terms": (1, 2), "s": ROW_CONSTANT["s"].range,
            "b": ROW_CONSTANT["b"].range, "b_level": ROW_CONSTANT["b_low"].range, "offset": ROW_CONSTANT["offset"].range,
            "theta": DESCRIPTOR["theta_all"].range, **{name: DESCRIPTOR[name].range for name in ("c_frac", "cell_floor")},
        }
        for name, (low, high) in ranges.items():
            values = torch.as_tensor(getattr(self, name))
            if values.numel() and (values.min() < low or values.max() > high):
                raise ValueError(f"{name}: {values.min().item()}..{values.max().item()}, the format holds {low}..{high}")

    @property
    def units(self) -> int:
        """Units of the layer, 1..1024."""
        return self.w_hh.shape[1]

    @property
    def inputs(self) -> int:
        """Inputs of the layer, 1..1024, of each term."""
        return self.w_ih.shape[1]

    @property
    def row_weights(self) -> int:
        """Weights that meet an activation in one row: those of W_ih meet each term."""
        return self.terms * self.inputs + self.units

    @property
    def row_words(self) -> tuple[int, int, int]:
        """Words of each segment of a row, x0, x1 and h, as the default build has them."""
        return segment_words(self.inputs, self.units, self.terms)

    @property
    def codes(self) -> tuple[int, ...]:
        """Codes of the layer's levels in runs, traces and counters: see level_codes."""
        return level_codes(self.levels)

    @cached_property
    def by_code(self) -> Levels:
        """Quarters of each code: see levels_by_code."""
        return levels_by_code(self.levels)

    def level_constants(self, place: int | None) -> tuple[Level, Tensor]:
        """(quarters by segment, b, integers of 18 bits [units, 4] in units of 2**-12) of a level by its place in the layer's list, or of all quarters (None)."""
        return (ALL, self.b) if place is None else (self.levels[place], self.b_level[place])


def level_codes(levels: Levels) -> tuple[int, ...]:
    """Codes of levels, those of models.formats.Level where a build can have them: their places, but all quarters are ALL even without a MIDDLE."""
    return tuple(max(place, formats.Level.ALL) if level == ALL else place for place, level in enumerate(levels))


def levels_by_code(levels: Levels) -> Levels:
    """Quarters of each code, the last one that of STATIC_HIGH; without a level between the lowest and all quarters, MIDDLE is all quarters, too."""
    below = [level for level in levels if level != ALL]
    return (*below, *[ALL] * max(1, 1 + formats.Level.ALL - len(below)))


def segment_words(inputs: int, units: int, terms: int, lanes: int = EXPONENT_GROUP) -> tuple[int, int, int]:
    """Words of each segment of a row, x0, x1 and h, of `lanes` values each; terms: 1 or 2."""
    x, h = -(-inputs // lanes), -(-units // lanes)
    return x, x * (terms - 1), h


def split_planes(w: Tensor) -> tuple[Tensor, Tensor]:
    """(upper, lower) nibbles, -8..7 each, of integer weights -127..119 of any shape: w = 16 * upper + lower."""
    upper = (w + 8) >> 4
    return upper, w - (upper << 4)


def group_exponents(a: Tensor) -> Tensor:
    """The least e, 0..4, with which all values of each group of EXPONENT_GROUP are two nibbles, 2**e ah + al: int32 [..., groups] of integers a [..., values].

    a is within ACTIVATIONS; after the last value of a group that is not full come zeros ("Formats" in docs/numerics.md).
    """
    groups = torch.nn.functional.pad(a.int(), (0, -a.shape[-1] % EXPONENT_GROUP)).unflatten(-1, (-1, EXPONENT_GROUP))
    return torch.maximum(torch.bucketize(groups.amax(-1), UP_TO, out_int32=True), torch.bucketize(-groups.amin(-1), DOWN_TO, out_int32=True))


def split_activations(a: Tensor, exponents: bool = False) -> tuple[Tensor, Tensor | int]:
    """(ah, e) of integers a [..., values] in ACTIVATIONS: a = 2**e ah + al with nibbles ah and al, -8..7. Without exponents e is 4, with them the least of each
    group, of the shape of a."""
    if not exponents:
        return (a + 8) >> 4, MAX_EXPONENT
    e = group_exponents(a).repeat_interleave(EXPONENT_GROUP, dim=-1)[..., :a.shape[-1]]
    return (a.int() + ((1 << e) >> 1)) >> e, e
