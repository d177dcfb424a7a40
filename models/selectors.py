# SPDX-License-Identifier: MIT
"""What policies see of a unit, and the selectors that choose levels by it (docs/numerics.md).

A selector is called once a step with z [batch, 4, units] at the lowest level, the old c and the old history [batch, units]; it returns the level
of each row by its place in the layer's list, int8 [batch, 4, units]. models.policies says which policy has which.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from .activation import codes_of, log_code, size_code
from .cell import finish
from .layer import QuantizedLayer

Selector = Callable[[Tensor, Tensor, Tensor], Tensor]


def sensitivity(gates: Tensor, tanh_c: Tensor, c: Tensor, cell_floor: int = 0) -> Tensor:
    """Estimates S [batch, 4, units] of how far an error in each pre-activation would move h, in half octaves, int8 ("Precision selection" in docs/numerics.md).

    gates [batch, 4, units] and tanh_c [batch, units]: words, int32, of i, f, g, o and of tanh(c'), as models.activation gives them; c: the cell state before the
    step, integers [batch, units]. cell_floor: least value of the code of o * tanh'(c'), 0..63, as an error that stays in the cell state shows later. Another factor
    that is zero makes S negative. int8 holds it all: S is 113 at most, and one factor at most is zero, as only tanh has slopes of zero, where its value is not.
    """
    (i, _, g, o), (slope_i, slope_f, slope_g, slope_o) = (codes.unbind(1) for codes in codes_of(gates))
    t, slope_t = codes_of(tanh_c)
    through_cell = (o + slope_t).clamp(min=cell_floor)
    code_c = log_code(c.abs())
    return torch.stack((through_cell + slope_i + g, through_cell + slope_f + code_c, through_cell + i + slope_g, slope_o + t), dim=1)


def cell_codes(c: Tensor, history: Tensor) -> Tensor:
    """Sizes X, int32 [batch, 4, units], that CELL_HISTORY compares, in octaves: of c before the step for f and o, of its latest changes for i and g.

    c: int32 [batch, units]; history: int32 [batch, units], 0..31 in half octaves ("Precision selection" in docs/numerics.md).
    """
    size, change = size_code(c.abs()) >> 1, history >> 2
    return torch.stack((change, size, change, size), dim=1)


def next_history(history: Tensor, change: Tensor) -> Tensor:
    """Decaying peak of the size of the change c' - c, half octaves, 0..31: int32 of the shape of both, history 0..31 ("Precision selection" in docs/numerics.md)."""
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


def row_thresholds(layer: QuantizedLayer) -> Tensor:
    """Thresholds of the rows by level above the lowest, int16 [levels - 1, 4, units]; what a policy sees is negative only where it has a factor of zero,
    for never."""
    theta = torch.tensor(layer.theta, dtype=torch.int16).reshape(-1, 4, 1)
    return (theta + layer.offset.transpose(1, 2)).clamp(-1, 127).to(torch.int16)


def level_of(seen: Tensor, thresholds: Tensor) -> Tensor:
    """The highest level, int8 [batch, 4, units], whose threshold, int16 [levels - 1, 4, units], is exceeded by what the policy sees, integers [batch, 4, units]; else
    0."""
    level = torch.zeros(seen.shape, dtype=torch.int8)
    for number, threshold in enumerate(thresholds, start=1):
        level.masked_fill_(seen > threshold, number)
    return level


class CellHistory:
    """By the size of the cell state, or of its latest changes.

    Called with z [batch, 4, units], which it does not look at, and c and history, int32 [batch, units]; gives levels, int8 [batch, 4, units].
    """

    def __init__(self, layer: QuantizedLayer):
        self.thresholds = row_thresholds(layer)

    def __call__(self, z: Tensor, c: Tensor, history: Tensor) -> Tensor:
        return level_of(cell_codes(c, history), self.thresholds)


class Sensitivity:
    """By how far an error in the row would move h.

    Called with z, int32 [batch, 4, units] in Q3.12 at the lowest level, c, int32 [batch, units], and history, which it does not look at; gives levels, int8 [batch,
    4, units].
    """

    def __init__(self, layer: QuantizedLayer):
        self.thresholds, self.c_frac, self.cell_floor = row_thresholds(layer), layer.c_frac, layer.cell_floor

    def __call__(self, z: Tensor, c: Tensor, history: Tensor) -> Tensor:
        gates, _, tanh_c = finish(z, c, self.c_frac)
        return level_of(sensitivity(gates, tanh_c, c, self.cell_floor), self.thresholds)


class StaticRows:
    """The same level of a row in every step: that of its thresholds below zero.

    Called with z [batch, 4, units], c and history [batch, units], of which the size of the batch alone counts; gives levels, int8 [batch, 4, units].
    """

    def __init__(self, layer: QuantizedLayer):
        self.level = level_of(torch.zeros(1, 4, layer.units, dtype=torch.int16), row_thresholds(layer))

    def __call__(self, z: Tensor, c: Tensor, history: Tensor) -> Tensor:
        return self.level.expand(len(c), -1, -1)


class Random:
    """Levels with the probabilities given, [gate][level], of which those of a gate add up to 1; seed: the same one gives the same levels.

    Called with z [batch, 4, units], of which the shape alone counts, c and history; gives levels, int8 [batch, 4, units].
    """

    def __init__(self, shares: list[list[float]], seed: int):
        # Shares of rows at or above each level but the lowest, [gates, levels - 1].
        self.above = torch.tensor(shares, dtype=torch.float64).flip(1).cumsum(1).flip(1)[:, 1:]
        self.generator = torch.Generator().manual_seed(seed)

    def __call__(self, z: Tensor, c: Tensor, history: Tensor) -> Tensor:
        drawn = torch.rand(z.shape, generator=self.generator, dtype=torch.float64)
        return sum((drawn < above.unsqueeze(1)).to(torch.int8) for above in self.above.unbind(1))
