# SPDX-License-Identifier: MIT
"""The policies that choose levels.

A selector is called once a step with z [batch, 4, units] at the lowest level, the old c and the old history [batch, units]; it returns the
level of each row, int64 [batch, 4, units].
"""

from collections.abc import Callable

import torch
from torch import Tensor

from ..cell import finish
from ..policies import Policy, cell_codes, sensitivity
from .layer import QuarterLayer

# (z [batch, 4, units] at the lowest level, c, history [batch, units]) -> level of each row.
Selector = Callable[[Tensor, Tensor, Tensor], Tensor]


def row_thresholds(layer: QuarterLayer) -> Tensor:
    """Thresholds of the rows by level above the lowest, int16 [levels - 1, 4, units]; what a policy sees is negative only where it has a factor of zero,
    for never."""
    theta = torch.tensor(layer.theta, dtype=torch.int16).reshape(-1, 4, 1)
    return (theta + layer.offset.transpose(1, 2)).clamp(-1, 127).to(torch.int16)


def level_of(seen: Tensor, thresholds: Tensor) -> Tensor:
    """The highest level [batch, 4, units] whose threshold [levels - 1, 4, units] is exceeded by what the policy sees [batch, 4, units]; else 0."""
    level = torch.zeros(seen.shape, dtype=torch.int64)
    for number, threshold in enumerate(thresholds, start=1):
        level[seen > threshold] = number
    return level


class CellHistory:
    """By the size of the cell state, or of its latest changes."""

    def __init__(self, layer: QuarterLayer):
        self.thresholds = row_thresholds(layer)

    def __call__(self, z: Tensor, c: Tensor, history: Tensor) -> Tensor:
        return level_of(cell_codes(c, history), self.thresholds)


class Sensitivity:
    """By how far an error in the row would move h."""

    def __init__(self, layer: QuarterLayer):
        self.thresholds, self.c_frac, self.cell_floor = row_thresholds(layer), layer.c_frac, layer.cell_floor

    def __call__(self, z: Tensor, c: Tensor, history: Tensor) -> Tensor:
        gates, _, tanh_c = finish(z, c, self.c_frac)
        return level_of(sensitivity(gates, tanh_c, c, self.cell_floor), self.thresholds)


class StaticRows:
    """The same level of a row in every step: that of its thresholds below zero."""

    def __init__(self, layer: QuarterLayer):
        self.level = level_of(torch.zeros(1, 4, layer.units, dtype=torch.int16), row_thresholds(layer))

    def __call__(self, z: Tensor, c: Tensor, history: Tensor) -> Tensor:
        return self.level.expand(len(c), -1, -1)


class Random:
    """Levels with the probabilities given, [gate][level]."""

    def __init__(self, shares: list[list[float]], seed: int):
        # At or above each level but the lowest.
        self.above = torch.tensor(shares, dtype=torch.float64).flip(1).cumsum(1).flip(1)[:, 1:]
        self.generator = torch.Generator().manual_seed(seed)

    def __call__(self, z: Tensor, c: Tensor, history: Tensor) -> Tensor:
        drawn = torch.rand(z.shape, generator=self.generator, dtype=torch.float64)
        return sum((drawn < above.unsqueeze(1)).long() for above in self.above.unbind(1))


def make_selector(policy: Policy, layer: QuarterLayer, shares: list | None, seed: int) -> Selector | None:
    """Selector of a policy for a layer; None where nothing is to be decided. shares: of the layer, [gate][level], for RANDOM."""
    if policy is Policy.RANDOM and shares is None:
        raise ValueError("RANDOM needs the shares of levels, [layer][gate][level]")
    makers = {
        Policy.CELL_HISTORY: lambda: CellHistory(layer), Policy.SENSITIVITY: lambda: Sensitivity(layer),
        Policy.STATIC_ROWS: lambda: StaticRows(layer), Policy.RANDOM: lambda: Random(shares, seed),
    }
    return makers[policy]() if policy in makers else None
