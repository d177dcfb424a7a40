# SPDX-License-Identifier: MIT
"""The integers of one layer of the quarter-product machine, and what their formats hold."""

from dataclasses import dataclass

import torch
from torch import Tensor

from ..formats import DESCRIPTOR, GATES, ROW_CONSTANT, SCALES, Policy
from ..layer import MAX_SIZE
from .levels import ALL, Levels, check

WORD = 64  # nibbles of a word of weights or activations
ACTIVATIONS = (-128, 119)  # what two signed nibbles hold, within a byte
LARGEST_H = (-120, 119)  # h in units of 1/120
MAX_EXPONENT = 4


@dataclass(frozen=True, eq=False)
class QuarterLayer:
    """Integers of one layer. Rows of weights are in PyTorch's order (gates i, f, g, o; units within), other rows are [unit, gate].

    w_ih [4 * units, inputs], w_hh [4 * units, units]: -127..119
    m [units, 4, 3]: unsigned 16-bit mantissas of segments x0, x1, h; s [units, 4]: 0..63
    levels: see models.quarters.levels, the lowest first
    b [units, 4]: of all quarters, b_level [levels, units, 4]: of each level; 18 bits, units of 2**-12
    theta [levels - 1][gate] and offset [levels - 1, units, 4]: int8; a level is taken where what the policy sees exceeds their sum
    c_frac: 8..15; cell_floor: 6 bits; terms: 1 or 2
    exponents: whether words of the input have one (layer 0 only)
    Raises ValueError for anything else.
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
            "b": ROW_CONSTANT["b"].range, "b_level": ROW_CONSTANT["b"].range, "offset": ROW_CONSTANT["offset"].range,
            **{name: DESCRIPTOR[name].range for name in ("c_frac", "theta", "cell_floor")},
        }
        for name, (low, high) in ranges.items():
            values = torch.as_tensor(getattr(self, name))
            if values.numel() and (values.min() < low or values.max() > high):
                raise ValueError(f"{name}: {values.min().item()}..{values.max().item()}, the format holds {low}..{high}")

    @property
    def units(self) -> int:
        return self.w_hh.shape[1]

    @property
    def inputs(self) -> int:
        return self.w_ih.shape[1]

    def words(self, lanes: int = WORD) -> tuple[int, int, int]:
        """Words of each segment of a row, x0, x1 and h, of so many weights each."""
        x, h = -(-self.inputs // lanes), -(-self.units // lanes)
        return x, x * (self.terms - 1), h

    def level_constants(self, level: int | None) -> tuple:
        """(quarters by segment, b [units, 4]) of a level, or of all quarters (None)."""
        return (ALL, self.b) if level is None else (self.levels[level], self.b_level[level])


def split_activations(a: Tensor, exponents: bool = False) -> Tensor:
    """The upper part 2**e ah of integers a [..., values], in -136..119 each, in the units of a: a - part is al, a nibble too.

    Without exponents e is 4: a = 16 ah + al. With them each word of WORD values has the least e, 0..4, with which ah and al are nibbles for all
    of the word.
    """
    if not exponents:
        return (a + 8) >> 4 << 4
    parts = []
    for word in a.split(WORD, dim=-1):
        # 2**e ah within -8.5 2**e .. 7.5 2**e, the end above excluded; e = 0 leaves nothing for al.
        largest, least = word.amax(-1, keepdim=True), word.amin(-1, keepdim=True)
        e = torch.full_like(largest, MAX_EXPONENT)
        for smaller in range(MAX_EXPONENT - 1, -1, -1):
            half = 1 << smaller >> 1
            fits = (((largest + half) >> smaller) <= 7) & (((least + half) >> smaller) >= -8)
            e = torch.where(fits, smaller, e)
        parts.append(((word + ((1 << e) >> 1)) >> e) << e)
    return torch.cat(parts, dim=-1)
