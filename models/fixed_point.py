# SPDX-License-Identifier: MIT
"""The one rounding rule and the saturation of docs/numerics.md."""

from typing import TypeVar

import torch
from torch import Tensor

Integers = TypeVar("Integers", int, Tensor)


def round_real_(value: Tensor) -> Tensor:
    """round(value) = floor(value + 1/2) in place, of a floating-point tensor of any shape; exact where that sum is ("One rounding rule" in docs/numerics.md)."""
    return value.add_(0.5).floor_()


def round_shift(value: Integers, shift: int) -> Integers:
    """round(value / 2**shift) with round(x) = floor(x + 1/2), for shift >= 0 ("One rounding rule" in docs/numerics.md).

    value is an integer, or an integer tensor of any shape whose type holds value + 2**(shift - 1). Half of 2**shift is 0 for shift = 0.
    """
    return (value + (1 << shift >> 1)) >> shift


def saturate(value: Integers, bits: int) -> Integers:
    """Clamp an integer, or an integer tensor of any shape, to the signed range of the given number of bits."""
    low, high = -(1 << (bits - 1)), (1 << (bits - 1)) - 1
    if isinstance(value, torch.Tensor):
        return value.clamp(low, high)
    return max(low, min(high, value))
