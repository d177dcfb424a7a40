# SPDX-License-Identifier: MIT
"""The policies that decide while the network runs.

A selector is called once a step with z [batch, 2 precisions, 4, units], the old c and the old history [batch, units]; it returns the mask
of refined rows [batch, 4, units].
"""

from collections.abc import Callable

import torch
from torch import Tensor

from .cell import exact_output, finish
from .layer import QuantizedLayer
from .policies import Policy, cell_codes, sensitivity


def row_thresholds(layer: QuantizedLayer) -> Tensor:
    """Thresholds of the rows [4, units], int8: what is compared is negative only where an estimate has a factor of zero, for never."""
    return (torch.tensor(layer.theta).unsqueeze(1) + layer.offset.T).clamp(-1, 127).to(torch.int8)


class CellHistory:
    """Rows where the cell state, or its latest change, is larger than the row's threshold."""

    def __init__(self, layer: QuantizedLayer):
        self.threshold = row_thresholds(layer)

    def __call__(self, z: Tensor, c: Tensor, history: Tensor) -> Tensor:
        return cell_codes(c, history) > self.threshold


class Sensitivity:
    """Rows where an error would move h by more than the row's threshold."""

    def __init__(self, layer: QuantizedLayer):
        self.threshold, self.c_frac, self.cell_floor = row_thresholds(layer), layer.c_frac, layer.cell_floor

    def __call__(self, z: Tensor, c: Tensor, history: Tensor) -> Tensor:
        gates, _, tanh_c = finish(z[:, 0], c, self.c_frac)
        return sensitivity(gates, tanh_c, c, self.cell_floor) > self.threshold


class StaticRows:
    """The same rows in every step: those with a negative threshold."""

    def __init__(self, layer: QuantizedLayer):
        self.mask = row_thresholds(layer) < 0

    def __call__(self, z: Tensor, c: Tensor, history: Tensor) -> Tensor:
        return self.mask.expand(len(c), -1, -1)


class Random:
    """Every row with the probability given for its gate."""

    def __init__(self, shares: list[float], seed: int):
        self.shares = torch.tensor(shares).unsqueeze(1)
        self.generator = torch.Generator().manual_seed(seed)

    def __call__(self, z: Tensor, c: Tensor, history: Tensor) -> Tensor:
        return torch.rand(z[:, 0].shape, generator=self.generator) < self.shares


class Oracle:
    """Rows with the largest |h with this gate low - h all high|, h before its rounding to 8 bits.

    As a first run goes on, the share of each gate is met in every step by itself: the largest errors of batch and layer. `settle`
    then turns all errors of that run into one threshold a gate, with which a second run spends its refinements in the steps that
    need them. The second run's share is the given one but for the errors that its own decisions move; rows without error stay low.
    """

    def __init__(self, layer: QuantizedLayer, shares: list[float]):
        self.c_frac, self.shares = layer.c_frac, shares
        self.settled, self.errors = None, []

    def __call__(self, z: Tensor, c: Tensor, history: Tensor) -> Tensor:
        errors = self._errors(z, c)
        if self.settled is not None:
            return errors >= self.settled
        self.errors.append(errors)
        return errors >= self._thresholds(errors.transpose(0, 1).flatten(1))

    def settle(self) -> None:
        self.settled = self._thresholds(torch.stack(self.errors).movedim(2, 0).flatten(1))
        self.errors = []

    def _errors(self, z, c):
        def output(z_mixed):
            gates, _, tanh_c = finish(z_mixed, c, self.c_frac)
            return exact_output(gates, tanh_c)

        low, high = z.unbind(1)
        right = output(high)
        wrong = [output(torch.cat((high[:, :gate], low[:, gate:gate + 1], high[:, gate + 1:]), dim=1)) for gate in range(4)]
        return (torch.stack(wrong, dim=1) - right.unsqueeze(1)).abs()

    def _thresholds(self, errors):
        """Least error to refine, by gate, from errors [4, rows]."""
        counts = [round(share * errors.shape[1]) for share in self.shares]
        least = [rows.topk(count).values[-1].item() if count else 1 << 31 for rows, count in zip(errors, counts)]
        return torch.tensor(least).clamp(min=1).unsqueeze(1)


def make_selector(policy: Policy, layer: QuantizedLayer, shares: list[float] | None, seed: int) -> Callable[[Tensor, Tensor, Tensor], Tensor] | None:
    """Selector of a policy for a layer; None where nothing is to be decided. shares: of the layer, by gate."""
    if policy in (Policy.RANDOM, Policy.ORACLE) and shares is None:
        raise ValueError(f"{policy.name} needs the shares of rows to refine, [layer][gate]")
    makers = {
        Policy.CELL_HISTORY: lambda: CellHistory(layer),
        Policy.SENSITIVITY: lambda: Sensitivity(layer),
        Policy.STATIC_ROWS: lambda: StaticRows(layer),
        Policy.RANDOM: lambda: Random(shares, seed),
        Policy.ORACLE: lambda: Oracle(layer, shares),
    }
    return makers[policy]() if policy in makers else None
