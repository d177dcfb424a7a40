# SPDX-License-Identifier: MIT
"""Rounding of real numbers to a grid where they decide something or are written, so that every processor gets the same.

Sums and functions in float64 differ in their last bits between instruction sets, libraries and numbers of threads: by 1e-16 to 1e-12 of
their size. A difference that small is lost where a number is rounded to a grid that is coarser by many orders of magnitude, unless the number
lies that near to the middle between two points. So all that leads to integers is float64, and float32 only where it is exact.

What is rounded: inputs of an LSTM and their scales, thresholds, scores that are ranked, refinements that deal units to tiles, numbers in
files. Weights and biases are integers in the end; that grid is the coarsest of all, and what leads to them is not rounded before.
"""

import torch
from torch import Tensor


def round_to(values: Tensor, step: float) -> Tensor:
    """Nearest multiples of `step`, a power of two: float64 of the shape of values."""
    return torch.floor(values.double() / step + 0.5) * step


def significant_bits(values: Tensor, bits: int) -> Tensor:
    """Positive numbers rounded to so many bits from the first one on: float64 of the shape of values."""
    mantissa, exponent = torch.frexp(values.double())
    return round_to(mantissa, 2.0**-bits) * power_of_two(exponent)


def power_of_two(exponent: Tensor) -> Tensor:
    """2**exponent, float64 of the shape of exponent, of integers -1022..1023: put together from its bits, as functions may err by one."""
    return (exponent.long() + 1023 << 52).view(torch.float64)


def significant(number: float, digits: int = 6) -> float:
    """A number as it is written to a file: so many decimal digits from the first one on."""
    return float(f"{number:.{digits - 1}e}")
