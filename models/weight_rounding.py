"""Rounding of weights to 8 bits whose hi nibbles alone are good 4-bit weights.

Which integers are best depends on what the weights meet: errors of a row's weights matter as far as their sum over the inputs does, e' C e
with the covariance C of the inputs (the mean is the bias's). Column by column, as in GPTQ (Frantar et al., arXiv 2210.17323), the error of
a rounded weight is compensated by the weights that are still free. Here two errors are: of the whole weight, and of its hi nibble.
"""

import torch

# Damping of the covariance, in its mean diagonal: at least, and of columns per frame, as few frames say little.
LEAST_DAMPING, SMALL_SAMPLE_DAMPING = 0.002, 0.2


def round_planes(w, scale, covariance, low_weight, frames):
    """Integers -127..119 [rows, columns] for real weights w of the same shape, with scales that broadcast to it, all float64.

    covariance [columns, columns] of the inputs over so many frames. low_weight: of the error in low precision beside the error in high
    precision; 0 gives the best 8-bit weights.
    """
    columns = len(covariance)
    order = covariance.diag().argsort(descending=True, stable=True)
    damping = max(LEAST_DAMPING, SMALL_SAMPLE_DAMPING * columns / frames) * covariance.diag().mean()
    if damping == 0:
        return torch.floor(w / scale + 0.5).clamp(-127, 119)
    damped = covariance[order][:, order] + damping * torch.eye(columns, dtype=w.dtype)
    spread = torch.linalg.cholesky(torch.cholesky_inverse(torch.linalg.cholesky(damped)), upper=True)
    scale = scale.expand_as(w)[:, order]
    high = (w[:, order] / scale).T.contiguous()
    low = high.clone()
    # A compensation in real units, seen in the units of another column of the same row.
    ratio = scale.T.contiguous()
    integers = torch.empty_like(high)
    for column in range(columns):
        q = _choose(high[column], low[column], low_weight)
        integers[column] = q
        follow = spread[column, column + 1:].unsqueeze(1) / spread[column, column]
        errors = torch.stack((high[column] - q, low[column] - 16 * torch.floor((q + 8) / 16))) * ratio[column]
        high[column + 1:] -= follow * errors[0] / ratio[column + 1:]
        low[column + 1:] -= follow * errors[1] / ratio[column + 1:]
    return integers.T[:, order.argsort()]


def _choose(high, low, low_weight):
    """The integers [rows] nearest to both wishes: of whole weights `high`, and of hi nibbles times 16 `low`."""
    below = torch.floor(low / 16)
    candidates = torch.stack([torch.floor(high + 0.5).clamp(-127, 119)] + [
        (16 * hi + torch.floor(high - 16 * hi + 0.5).clamp(-8, 7)).clamp(-127, 119) for hi in (below.clamp(-8, 7), (below + 1).clamp(-8, 7))])
    cost = (high - candidates).square() + low_weight * (low - 16 * torch.floor((candidates + 8) / 16)).square()
    return candidates.gather(0, cost.argmin(0, keepdim=True)).squeeze(0)
