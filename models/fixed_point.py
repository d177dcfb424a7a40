"""The one rounding rule and the saturation of docs/numerics.md."""

import torch


def round_shift(value, shift):
    """round(value / 2**shift) with round(x) = floor(x + 1/2), for shift >= 0.

    value and shift are Python integers or integer tensors; 2 * value must fit the tensor's type.
    Doubling first keeps shift = 0 an ordinary case.
    """
    return (((2 * value) >> shift) + 1) >> 1


def saturate(value, bits):
    """Clamp an integer or an integer tensor to the signed range of the given number of bits."""
    low, high = -(1 << (bits - 1)), (1 << (bits - 1)) - 1
    if isinstance(value, torch.Tensor):
        return value.clamp(low, high)
    return max(low, min(high, value))
