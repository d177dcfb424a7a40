# SPDX-License-Identifier: MIT
"""Exact matrix products of small integers, as fast as the processor has them."""

import functools

import torch
from torch import Tensor

# Size of all three dimensions from which products of int8 are faster than those of float32; where one is 1, PyTorch 2.13 mistakes the order of the other.
INT8_FROM = 16


@functools.cache
def int8_is_exact() -> bool:
    """Whether PyTorch multiplies matrices of int8 fast and exactly here: with the instructions called VNNI it does.

    Without them oneDNN adds two products in 16 bits and saturates (its guide for developers, "Nuances of int8 computations"). Environment variables can keep it from
    VNNI, so the largest products are tried as well.
    """
    if not torch.cpu._is_vnni_supported():
        return False
    a, w = torch.full((INT8_FROM, 64), -128, dtype=torch.int8), torch.full((64, 64), -128, dtype=torch.int8)
    a[1::2], w[:, 1::2] = 127, 127
    return torch.equal(torch._int_mm(a, w), (a.double() @ w.double()).int())


class IntegerProduct:
    """The product with a matrix w, integers [k, n] that int8 holds, k up to 1024.

    Called with a, int8 [m, k]; gives [m, n], int32 or float32, which hold the same integers: no partial sum exceeds 128 * 128 * 1024 = 2**24, so that float32 is exact
    in any order.
    """

    def __init__(self, w: Tensor):
        self.w = w.to(torch.int8).contiguous()

    @functools.cached_property
    def _float_w(self):
        return self.w.float()

    def __call__(self, a: Tensor) -> Tensor:
        if min(len(a), *self.w.shape) >= INT8_FROM and int8_is_exact():
            return torch._int_mm(a.contiguous(), self.w)
        return a.float() @ self._float_w
