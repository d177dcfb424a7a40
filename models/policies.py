# SPDX-License-Identifier: MIT
"""Precision policies: what chooses, row by row, between low and high precision (docs/numerics.md)."""

import torch
from torch import Tensor

from .activation import codes_of, log_code, size_code
from .formats import BUILD_POLICIES, GATES, Policy  # noqa: F401  their codes are part of the descriptor

DECIDING = (Policy.CELL_HISTORY, Policy.SENSITIVITY)  # by thresholds of its own


def sensitivity(gates: Tensor, tanh_c: Tensor, c: Tensor, cell_floor: int = 0) -> Tensor:
    """Estimates S [batch, 4, units] of how far an error in each pre-activation would move h, in half octaves, int8.

    gates [batch, 4, units] and tanh_c [batch, units]: words of i, f, g, o and of tanh(c'), as models.activation gives them;
    c: the cell state before the step. cell_floor: least value of the code of o * tanh'(c'), as an error that stays in the cell state shows
    later. Another factor that is zero makes S negative. int8 holds it all: S is 113 at most, and one factor at most is zero, as only tanh
    has slopes of zero, where its value is not.
    """
    (i, _, g, o), (slope_i, slope_f, slope_g, slope_o) = (codes.unbind(1) for codes in codes_of(gates))
    t, slope_t = codes_of(tanh_c)
    through_cell = (o + slope_t).clamp(min=cell_floor)
    code_c = log_code(c.abs())
    return torch.stack((through_cell + slope_i + g, through_cell + slope_f + code_c, through_cell + i + slope_g, slope_o + t), dim=1)


def cell_codes(c: Tensor, history: Tensor) -> Tensor:
    """Sizes X [batch, 4, units] that CELL_HISTORY compares, in octaves: of c before the step for f and o, of its latest changes for i and g."""
    size, change = size_code(c.abs()) >> 1, history >> 2
    return torch.stack((change, size, change, size), dim=1)


def next_history(history: Tensor, change: Tensor) -> Tensor:
    """Decaying peak of the size of the change c' - c, half octaves, 0..31."""
    return torch.maximum(size_code(change.abs().clamp(max=32767)), history - 1)


def theta_alignment(c_frac: int) -> tuple[int, ...]:
    """Constant part of theta (i, f, g, o): S - alignment is 2 log2 of the real sensitivity |dh / dz|, on average.

    Fraction bits of the factors: gates and t 15, c c_frac; slopes 12 for a sigmoid (4096 sigmoid'), 10 for tanh (1024 tanh').
    A code rounds down, by 0.58 on average: 2 for four factors, 1 for two.
    """
    return (2 * (15 + 10 + 12 + 15) - 2, 2 * (15 + 10 + 12 + c_frac) - 2, 2 * (15 + 10 + 15 + 10) - 2, 2 * (12 + 15) - 1)


def cell_floor_value(cell_floor: int) -> float:
    """Real o tanh'(c') of which the code is cell_floor, on average; 0 for no floor. Fraction bits as of theta_alignment."""
    return 2.0 ** ((cell_floor - 2 * (15 + 10) + 1) / 2) if cell_floor else 0.0
