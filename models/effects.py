# SPDX-License-Identifier: MIT
"""What errors in the pre-activations of a layer do to an output of the network: where precision is worth something."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from .float_lstm import LayerStates
from .selectors import cell_codes, cell_floor_value, next_history

# Of SENSITIVITY, where calibration does not choose it, and all that it may choose.
CELL_FLOOR = 38
CELL_FLOORS = (0, 38, 42, 45)
LEAST_FACTOR = 2.0**-60  # of a row, of what a policy sees


@dataclass
class Effects:
    """What errors in the pre-activations of a layer do to an output, to first order.

    gradients: float64 [projections, frames, rows]. The effects of the frames of a sequence (int64 [frames], its number) add up before they
    are squared: errors that keep their sign through many steps of a cell that forgets little matter more than their squares tell.
    """

    gradients: Tensor
    sequence: Tensor

    def importance(self) -> Tensor:
        """Squared effect of an error of 1 in a frame alone, float64 [frames, rows]."""
        return self.gradients.double().square().mean(0)

    def squared(self, errors: Tensor) -> Tensor:
        """Squared effect of errors, float64 [frames, rows], for a frame: float64 [rows]."""
        return self._sums(errors).square().sum(0) / len(self.gradients) / len(self.sequence)

    def constant(self, values: Tensor) -> Tensor:
        """The constants, float64 [rows], in whose place values, float64 [frames, rows], have the least squared effect; their means where nothing has any."""
        alone = self._sums(torch.ones_like(values))
        power = alone.square().sum(0)
        return torch.where(power > 0, (self._sums(values) * alone).sum(0) / power, values.mean(0))

    def some(self, frames: int) -> Tensor:
        """Which frames, bool [frames], belong to whole sequences, evenly chosen, that hold about so many frames, or half as many at least."""
        every = math.ceil(len(self.sequence) / frames)
        while (chosen := self.sequence % every == 0).sum() < min(frames, len(self.sequence)) / 2:
            every -= 1
        return chosen

    def part(self, frames: Tensor) -> "Effects":
        """Those of the frames that a mask, bool [frames], chooses."""
        return Effects(self.gradients[:, frames], self.sequence[frames])

    def _sums(self, errors):
        """Effects of errors [frames, rows], [projections * sequences, rows]."""
        count = int(self.sequence.max()) + 1
        return torch.cat([errors.new_zeros(count, errors.shape[1]).index_add_(0, self.sequence, gradient * errors)
                          for gradient in self.gradients])


def effects_of(gradients: list[Tensor] | None, states: list[LayerStates], valid: Tensor) -> list[Effects]:
    """Effects of each layer, from its gradients or, without them, from what errors do to h in the same step.

    gradients: by layer, float [projections, batch, steps, 4 * units], or None; states: of each layer, float64 [batch, steps, ...]; valid: bool [batch, steps], the
    frames that belong to a sequence.
    """
    if gradients is None:
        alone = torch.arange(valid.sum())
        return [Effects(squared_sensitivity(state, CELL_FLOOR)[valid].sqrt().unsqueeze(0), alone) for state in states]
    return [Effects(gradient[:, valid].double(), valid.nonzero()[:, 0]) for gradient in gradients]


def squared_sensitivity(states: LayerStates, cell_floor: int) -> Tensor:
    """(dh / dz)**2 within a step, float64 [batch, steps, 4 * units], dh / dc with its floor: what SENSITIVITY estimates.

    The derivatives of the cell's equations. cell_floor: the code of the floor, 0 for none (models.selectors.cell_floor_value).
    """
    i, f, g, o = states.z.chunk(4, dim=-1)
    i, f, g, o, t = i.sigmoid(), f.sigmoid(), g.tanh(), o.sigmoid(), states.c.tanh()
    d = (o * (1 - t * t)).clamp(min=cell_floor_value(cell_floor))
    return torch.cat((d * i * (1 - i) * g, d * f * (1 - f) * before(states.c), d * i * (1 - g * g), o * (1 - o) * t), dim=-1).square()


def before(states: Tensor) -> Tensor:
    """States [batch, steps, units] of the step before, zero at first; any type."""
    return nn.functional.pad(states, (0, 0, 1, 0))[:, :-1]


def sensitivity_seen(states: LayerStates, c: Tensor, valid: Tensor) -> dict[int, Tensor]:
    """Mean squared sensitivity of rows over the valid frames, float64 [4, units] by cell_floor: what SENSITIVITY sees.

    states: float64; valid: bool [batch, steps]; c is not looked at.
    """
    return {floor: squared_sensitivity(states, floor)[valid].mean(0).unflatten(0, (4, -1)).clamp(min=LEAST_FACTOR) for floor in CELL_FLOORS}


def size_seen(states: LayerStates, c: Tensor, valid: Tensor) -> dict[int, Tensor]:
    """Mean of 2**X of CELL_HISTORY, float [4, units], over the valid frames; the same for every cell_floor.

    c: int16 [batch, steps, units]; valid: bool [batch, steps]; states are not looked at.
    """
    history, sums = torch.zeros_like(c[:, 0], dtype=torch.int32), 0
    for old, new, there in zip(before(c).int().unbind(1), c.int().unbind(1), valid.unbind(1)):
        sums = sums + (1 << cell_codes(old, history)[there].long()).sum(0)
        history = next_history(history, new - old)
    return dict.fromkeys(CELL_FLOORS, sums / valid.sum())
