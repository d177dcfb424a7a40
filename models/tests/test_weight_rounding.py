# SPDX-License-Identifier: MIT
"""Rounding of weights against rounding to nearest: what it gains in low precision, and what it keeps."""

import torch

from models.weight_rounding import round_planes


def problem(rows=40, columns=48, frames=4000, seed=0):
    """(w, scale, covariance): weights whose largest fills the range, inputs of a few strong directions, as hidden states are."""
    generator = torch.Generator().manual_seed(seed)
    inputs = torch.randn(frames, 10, generator=generator).double() @ torch.randn(10, columns, generator=generator).double()
    inputs += 0.3 * torch.randn(frames, columns, generator=generator)
    w = torch.randn(rows, columns, generator=generator).double()
    return w, w.abs().amax(1, keepdim=True) / 119, torch.cov(inputs.T), frames


def errors(w, scale, covariance, integers):
    """Mean squared error of the row sums in high precision, and in low."""
    hi = torch.floor((integers + 8) / 16)
    return [((w - scale * kept) @ covariance * (w - scale * kept)).sum(1).mean().item() for kept in (integers, 16 * hi)]


def nearest(w, scale):
    return torch.floor(w / scale + 0.5).clamp(-127, 119)


def test_weights_stay_in_their_range():
    w, scale, covariance, frames = problem()
    for low_weight in (0, 0.03, 1):
        integers = round_planes(w, 0.7 * scale, covariance, low_weight, frames)
        assert torch.equal(integers, integers.round()) and integers.min() >= -127 and integers.max() <= 119


def test_low_weight_trades_high_precision_for_low():
    w, scale, covariance, frames = problem()
    high, low = zip(*(errors(w, scale, covariance, round_planes(w, scale, covariance, weight, frames)) for weight in (0, 0.03, 0.3)))
    assert list(high) == sorted(high) and list(low) == sorted(low, reverse=True)
    near_high, near_low = errors(w, scale, covariance, nearest(w, scale))
    assert high[0] < 0.7 * near_high
    assert high[1] < near_high and low[1] < 0.8 * near_low


def test_inputs_that_never_vary_are_rounded_to_nearest():
    w, scale, covariance, frames = problem()
    assert torch.equal(round_planes(w, scale, torch.zeros_like(covariance), 0.03, frames), nearest(w, scale))
    diagonal = torch.diag(torch.rand(len(covariance)).double() + 0.1)
    assert torch.equal(round_planes(w, scale, diagonal, 0, frames), nearest(w, scale))
