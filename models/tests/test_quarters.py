# SPDX-License-Identifier: MIT
"""Quarter products and sums of them, exponents, and sets of levels."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from models.cell import SegmentSums, finish, output
from models.layer import ACTIVATIONS, group_exponents, split_activations, split_planes
from models.levels import ALL, LEVELS, QUARTERS, Level, check, quarter_words, row_quarters
from models.tests import scalar_reference
from models.tests.test_quantized_lstm import seeds


def test_nibbles_are_lossless_for_every_weight_and_activation():
    w = torch.arange(-127, 120)
    upper, lower = split_planes(w)
    assert torch.equal(16 * upper + lower, w)
    a = torch.arange(ACTIVATIONS[0], ACTIVATIONS[1] + 1)
    ah, e = split_activations(a)
    assert all(part.min() >= -8 and part.max() <= 7 for part in (upper, lower, ah, a - (ah << e)))


def test_all_quarters_are_the_product_of_8_bits():
    w = torch.arange(-127, 120).expand(10, -1)
    a = torch.arange(*ACTIVATIONS).unsqueeze(1).expand(-1, w.shape[1])
    for exponents in (False, True):
        assert torch.equal(SegmentSums(w, [4], exponents)(a)[4].long(), a @ w.T)


@given(seed=seeds, inputs=st.integers(1, 140), exponents=st.booleans())
def test_sums_of_the_first_quarters(seed, inputs, exponents):
    """Sums of one to four quarters, of words of their own exponents, and the largest ones within float32's integers."""
    generator = torch.Generator().manual_seed(seed)
    w = torch.randint(-127, 120, (3, inputs), generator=generator)
    a = torch.randint(ACTIVATIONS[0], ACTIVATIONS[1] + 1, (2, inputs), generator=generator) >> torch.randint(0, 7, (2, 1), generator=generator)
    found = SegmentSums(w, [1, 2, 3, 4], exponents)(a)
    for row in range(3):
        for frame in range(2):
            total = dict.fromkeys(QUARTERS, 0)
            for start in range(0, inputs, 64):
                group = scalar_reference.activations(a[frame, start:start + 64].tolist(), exponents)
                for name, value in scalar_reference.products(w[row, start:start + 64].tolist(), group).items():
                    total[name] += value
            assert [found[count][frame, row].item() for count in (1, 2, 3, 4)] == [sum(total[name] for name in QUARTERS[:count]) for count in (1, 2, 3, 4)]


def test_exponents_are_the_least_that_hold_a_group():
    for value in range(ACTIVATIONS[0], ACTIVATIONS[1] + 1):
        group = torch.full((1, 70), 0)
        group[0, 17] = value
        e = scalar_reference.group_exponent(group[0, :64].tolist())
        upper, exponents = split_activations(group, exponents=True)
        assert (upper[0, 17].item(), exponents[0, 17].item()) == (scalar_reference.nibbles(value, e)[0], e)
        assert group_exponents(group).tolist() == [[e, 0]]
        assert e == 0 or not all(-8 <= part <= 7 for part in scalar_reference.nibbles(value, e - 1))


@pytest.mark.parametrize("sign, largest", [(1, 119), (-1, -120)])
def test_h_reaches_the_ends_of_its_format(sign, largest):
    """An open output gate and a saturated cell: 119.99 in either direction, of which the positive one does not fit."""
    z, c = torch.full((1, 4, 1), 32767, dtype=torch.int32), torch.full((1, 1), sign * 32767, dtype=torch.int32)
    z[:, 0] = -32768
    gates, _, tanh_c = finish(z, c, 8)
    assert output(gates, tanh_c).item() == largest
    scalar = [scalar_reference.sigmoid(-32768), scalar_reference.sigmoid(32767), scalar_reference.tanh(32767), scalar_reference.sigmoid(32767)]
    assert scalar_reference.cell(scalar, sign * 32767, 8)[2] == largest


def test_refined_rows_hold_what_lower_levels_held():
    for levels in LEVELS.values():
        check(levels)
    for wrong, message in (((), "no levels"), ((ALL, ALL), "every quarter"), ((Level(2, 0, 2), Level(3, 0, 1)), "every quarter"), ((Level(5, 0, 1),), "0..4")):
        with pytest.raises(ValueError, match=message):
            check(wrong)


def test_words_by_quarter_add_up_to_the_cycles_of_a_row():
    for levels in LEVELS.values():
        for level in levels:
            words = quarter_words(level, (2, 2, 4))
            assert sum(words) == row_quarters(level, (2, 2, 4))
            assert list(words) == sorted(words, reverse=True)
    assert quarter_words(Level(3, 1, 2), (2, 2, 4)) == (8, 6, 2, 0)
