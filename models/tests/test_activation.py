# SPDX-License-Identifier: MIT
"""Sigmoid and tanh over all 65536 arguments."""

import torch

from models import activation

ALL_Z = torch.arange(-32768, 32768)
ARGUMENT = ALL_Z.double() / 4096
# In steps of 2^-15; measured 2.39 and 3.77. Linear interpolation between knots h = 1/16 apart errs by max|f''| h^2 / 8 = 3.08,
# the rounding of knots and of y by 1/2 each; sigmoid halves all that and rounds once more.
SIGMOID_BOUND = 2.55
TANH_BOUND = 4.1


def error(value, function):
    return (value.double() - function(ARGUMENT) * 32768).abs().max().item()


def test_maximum_error_of_every_argument():
    assert error(activation.sigmoid(ALL_Z)[0], torch.sigmoid) <= SIGMOID_BOUND
    assert error(activation.tanh(ALL_Z)[0], torch.tanh) <= TANH_BOUND


def test_monotone_and_in_range():
    for value, low, high in ((activation.sigmoid(ALL_Z)[0], 11, 32757), (activation.tanh(ALL_Z)[0], -32766, 32766)):
        assert (value.diff() >= 0).all()
        assert (value.min().item(), value.max().item()) == (low, high)


def test_symmetry():
    positive = torch.arange(0, 32768)
    assert torch.equal(activation.tanh(-positive)[0], -activation.tanh(positive)[0])
    total = activation.sigmoid(-positive)[0] + activation.sigmoid(positive)[0]
    assert total.min() >= 32768 and total.max() <= 32769


def test_slopes_are_derivatives():
    """4096 sigmoid' and 1024 tanh', at the middle of the table's segment: the scales behind theta."""
    sigmoid = torch.sigmoid(ARGUMENT)
    tanh = torch.tanh(ARGUMENT)
    assert (activation.sigmoid(ALL_Z)[1] - 4096 * sigmoid * (1 - sigmoid)).abs().max() < 15
    assert (activation.tanh(ALL_Z)[1] - 1024 * (1 - tanh * tanh)).abs().max() < 15


def test_fields_fit_the_verilog_word():
    base, slope = activation.table()
    assert len(base) == len(slope) == 256
    assert min(base) >= 0 and max(base) < 1 << 15
    assert min(slope) >= 0 and max(slope) < 1 << 11
