# SPDX-License-Identifier: MIT
"""Products of integers: exact to the largest sums, for every size and layout, whatever multiplies them here."""

import pytest
import torch

from models import products
from models.products import INT8_FROM, IntegerProduct

SIZES = (1, 5, INT8_FROM - 1, INT8_FROM, 33, 64)


@pytest.fixture(params=[False, True], ids=["float32", "int8 where it is exact"])
def way(request, monkeypatch):
    if not request.param:
        monkeypatch.setattr(products, "int8_is_exact", lambda: False)


@pytest.mark.parametrize("m", SIZES)
def test_every_size_and_layout(way, m):
    numbers = torch.Generator().manual_seed(m)
    for k in SIZES:
        for n in SIZES:
            a, w = (torch.randint(-128, 128, shape, generator=numbers, dtype=torch.int8) for shape in ((m, k), (k, n)))
            wide = torch.zeros(m, 2, k, dtype=torch.int8)
            wide[:, 1] = a
            for left in (a, a.T.contiguous().T, wide[:, 1]):
                for right in (w, w.T.contiguous().T):
                    assert torch.equal(IntegerProduct(right)(left).long(), a.long() @ w.long())


def test_the_largest_sums(way):
    a, w = torch.full((INT8_FROM, 1024), -128, dtype=torch.int8), torch.full((1024, INT8_FROM), -128, dtype=torch.int8)
    a[1], w[:, 1] = 127, 127
    assert torch.equal(IntegerProduct(w)(a).long(), a.long() @ w.long())


def test_saturating_products_are_not_taken_for_exact(monkeypatch):
    """As a processor without VNNI has them."""
    monkeypatch.setattr(torch, "_int_mm", lambda a, w: (a.int()[:, ::2] @ w.int()[::2]).clamp(-32768, 32767))
    assert not products.int8_is_exact.__wrapped__()
