# SPDX-License-Identifier: MIT
"""The integers of one layer and what their formats hold (docs/numerics.md)."""

from dataclasses import dataclass

import torch

from .formats import DESCRIPTOR, GATES, MAX_UNITS, ROW_CONSTANT, SCALES, Policy

MAX_SIZE = MAX_UNITS  # of inputs, too


@dataclass(frozen=True, eq=False)
class QuantizedLayer:
    """Integers of one layer. Rows of weights are in PyTorch's order (gates i, f, g, o; units within), other rows are [unit, gate].

    w_ih [4 * units, inputs], w_hh [4 * units, units]: -127..119
    m [units, 4, 3]: unsigned 16-bit mantissas of segments x0, x1, h; s [units, 4]: 0..63
    b, b_low [units, 4]: 18 bits, units of 2**-12; offset [units, 4]: int8, in the units of the policy
    c_frac: 8..15; theta (i, f, g, o): int8; cell_floor: 6 bits; terms: 1 or 2
    theta and offset are those of one policy that decides: the layer's own.
    Raises ValueError for anything else. Another layer is made by dataclasses.replace, which checks it too.
    """

    w_ih: torch.Tensor
    w_hh: torch.Tensor
    m: torch.Tensor
    s: torch.Tensor
    b: torch.Tensor
    b_low: torch.Tensor
    offset: torch.Tensor
    c_frac: int
    theta: tuple
    cell_floor: int = 0
    policy: Policy = Policy.SENSITIVITY
    terms: int = 1

    def __post_init__(self):
        units, inputs = self.units, self.inputs
        for name, size in (("units", units), ("inputs", inputs)):
            if not 1 <= size <= MAX_SIZE:
                raise ValueError(f"{name}: {size}, the accelerator takes 1..{MAX_SIZE}")
        rows = (units, len(GATES))
        shapes = {"w_ih": (4 * units, inputs), "w_hh": (4 * units, units), "m": (*rows, 3), "s": rows, "b": rows, "b_low": rows, "offset": rows}
        for name, shape in shapes.items():
            tensor = getattr(self, name)
            if tuple(tensor.shape) != shape or tensor.is_floating_point():
                raise ValueError(f"{name}: {tensor.dtype} of shape {tuple(tensor.shape)}, expected integers of shape {shape}")
        object.__setattr__(self, "theta", tuple(int(value) for value in self.theta))
        if len(self.theta) != len(GATES):
            raise ValueError(f"theta: {len(self.theta)} values, expected one for each of the gates {', '.join(GATES)}")
        ranges = {
            "w_ih": (-127, 119), "w_hh": (-127, 119), "m": SCALES["m_h"].range, "terms": (1, 2),
            **{name: ROW_CONSTANT[name].range for name in ("s", "b", "b_low", "offset")},
            **{name: DESCRIPTOR[name].range for name in ("c_frac", "theta", "cell_floor")},
        }
        for name, (low, high) in ranges.items():
            values = torch.as_tensor(getattr(self, name))
            if values.min() < low or values.max() > high:
                raise ValueError(f"{name}: {values.min().item()}..{values.max().item()}, the format holds {low}..{high}")

    @property
    def units(self) -> int:
        return self.w_hh.shape[1]

    @property
    def inputs(self) -> int:
        return self.w_ih.shape[1]

    @property
    def row_weights(self) -> int:
        """Weights that meet an activation in one row: those of W_ih meet each term."""
        return self.terms * self.inputs + self.units


def split_planes(w: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """(hi, lo) nibbles, -8..7 each, of integer weights -127..119: w = 16 * hi + lo."""
    hi = (w + 8) >> 4
    return hi, w - (hi << 4)
