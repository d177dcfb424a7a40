# SPDX-License-Identifier: MIT
"""The rounding rule, exhaustively at small widths, against exact fractions."""

import math
from fractions import Fraction

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from models.fixed_point import round_real_, round_shift, saturate


@pytest.mark.parametrize("shift", range(12))
def test_round_shift_is_floor_of_x_plus_half_for_every_small_value(shift):
    values = torch.arange(-1100, 1101)
    expected = [math.floor(Fraction(int(v), 1 << shift) + Fraction(1, 2)) for v in values]
    assert round_shift(values, shift).tolist() == expected
    assert [round_shift(int(v), shift) for v in values] == expected


def test_negative_ties_go_up():
    assert round_shift(torch.tensor([-3, -1, 1, 3]), 1).tolist() == [-1, 0, 1, 2]


@pytest.mark.parametrize("shift", range(64))
@given(value=st.integers(-(1 << 43), (1 << 43) - 1))
def test_round_shift_of_wide_sums(shift, value):
    expected = math.floor(Fraction(value, 1 << shift) + Fraction(1, 2))
    assert round_shift(torch.tensor([value]), shift).item() == expected
    assert round_shift(value, shift) == expected
    assert round_real_(torch.tensor([value * 2.0**-shift], dtype=torch.float64)).item() == expected


@pytest.mark.parametrize("bits", [2, 8, 16])
def test_saturate(bits):
    low, high = -(1 << bits - 1), (1 << bits - 1) - 1
    values = [low - 1, low, -1, 0, high, high + 1]
    expected = [low, low, -1, 0, high, high]
    assert [saturate(v, bits) for v in values] == expected
    assert saturate(torch.tensor(values), bits).tolist() == expected
