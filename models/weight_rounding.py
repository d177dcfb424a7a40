# SPDX-License-Identifier: MIT
"""Rounding of weights to 8 bits whose hi nibbles alone are good 4-bit weights.

Which integers are best depends on what the weights meet: errors of a row's weights matter as far as their sum over the inputs does, e' C e
with the covariance C of the inputs (the mean is the bias's). Two errors count: of the whole weight, and of its hi nibble. Column by column,
as in GPTQ (Frantar et al., arXiv 2210.17323), the errors of a rounded weight are compensated by the weights that are still free; then a few
rounds of coordinate descent choose every weight again, with all others as they are.
"""

import torch
from torch import Tensor

from .grid import round_to

# Damping of the covariance, in its mean diagonal: at least, and of columns per frame, as few frames say little.
LEAST_DAMPING, SMALL_SAMPLE_DAMPING = 0.002, 0.2
DESCENTS = 3


def round_planes(w: Tensor, scale: Tensor, covariance: Tensor, low_weight: float, frames: float) -> Tensor:
    """Integers -127..119 [rows, columns] for real weights w of the same shape, with scales that broadcast to it, all float64.

    covariance [columns, columns] of the inputs over so many frames. low_weight: of the squared error in low precision beside that in high
    precision; 0 gives the best 8-bit weights.
    """
    columns = len(covariance)
    damping = max(LEAST_DAMPING, SMALL_SAMPLE_DAMPING * columns / frames) * covariance.diag().mean()
    if damping == 0:
        return torch.floor(w / scale + 0.5).clamp(-127, 119)
    # Columns that differ by rounding errors alone stay in their order.
    diagonal = round_to(covariance.diag() / covariance.diag().max(), 2.0**-20)
    order = diagonal.argsort(descending=True, stable=True)
    damped = covariance[order][:, order] + damping * torch.eye(columns, dtype=w.dtype)
    scale = scale.expand_as(w)[:, order].T.contiguous()
    w = w[:, order].T.contiguous()
    integers = _compensate(w, scale, damped, low_weight)
    return _descend(w, scale, damped, low_weight, integers).T[:, order.argsort()]


def _compensate(w, scale, covariance, low_weight):
    """Integers [columns, rows], in one pass: the errors of a column move the wishes of those after it."""
    spread = torch.linalg.cholesky(torch.cholesky_inverse(torch.linalg.cholesky(covariance)), upper=True)
    high, low, integers = w.clone(), w.clone(), torch.empty_like(w)
    for column in range(len(w)):
        integers[column] = _choose(high[column] / scale[column], low[column] / scale[column], low_weight)
        follow = spread[column, column + 1:].unsqueeze(1) / spread[column, column]
        high[column + 1:] -= follow * (high[column] - scale[column] * integers[column])
        low[column + 1:] -= follow * (low[column] - scale[column] * _high_part(integers[column]))
    return integers


def _descend(w, scale, covariance, low_weight, integers):
    """Better integers [columns, rows], in place: each in turn becomes the best one given all others. Few do change, and only their rows are looked at again."""
    high = (covariance @ (w - scale * integers)).T.contiguous()
    low = (covariance @ (w - scale * _high_part(integers))).T.contiguous()
    for column in list(range(len(w))) * DESCENTS:
        weight = covariance[column, column] * scale[column]
        before, before_low = integers[column].clone(), _high_part(integers[column])
        integers[column] = _choose(before + high[:, column] / weight, before_low + low[:, column] / weight, low_weight)
        for error, change in ((high, integers[column] - before), (low, _high_part(integers[column]) - before_low)):
            rows = change.nonzero().squeeze(1)
            error[rows] -= (scale[column] * change)[rows].unsqueeze(1) * covariance[column]
    return integers


def _high_part(integers):
    """16 times the hi nibble."""
    return 16 * torch.floor((integers + 8) / 16)


def _choose(high, low, low_weight):
    """The integers nearest to both wishes: of whole weights, `high`, and of 16 times their hi nibbles, `low`."""
    below = torch.floor(low / 16)
    candidates = torch.stack([torch.floor(high + 0.5).clamp(-127, 119)] + [
        (16 * hi + torch.floor(high - 16 * hi + 0.5).clamp(-8, 7)).clamp(-127, 119) for hi in (below.clamp(-8, 7), (below + 1).clamp(-8, 7))])
    cost = (high - candidates).square() + low_weight * (low - _high_part(candidates)).square()
    return candidates.gather(0, cost.argmin(0, keepdim=True)).squeeze(0)
