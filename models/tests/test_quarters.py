# SPDX-License-Identifier: MIT
"""The quarter-product machine: the vectorised model against the scalar reference, and properties of its sums."""

import dataclasses
import random

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from models import cell as two_planes
from models.layer import QuantizedLayer
from models.policies import Policy
from models.quarters.cell import RowSums, SegmentSums, output
from models.quarters.layer import ACTIVATIONS, QuarterLayer, split_activations
from models.quarters.levels import ALL, LEVELS, QUARTERS, Level, check, quarter_words, row_quarters
from models.quarters.lstm import run_layer
from models.quarters.selectors import make_selector
from models.selectors import make_selector as make_mask_selector
from models.tests import scalar_quarters
from models.tests.random_networks import random_layer as random_two_plane_layer
from models.tests.random_quarters import random_input, random_layer, random_network
from models.tests.test_quantized_lstm import seeds, sizes

POLICIES = {Policy.STATIC_HIGH: "HIGH", Policy.STATIC_LOW: "LOW", Policy.CELL_HISTORY: "HISTORY", Policy.SENSITIVITY: "SENSITIVITY"}
names_of_levels = st.sampled_from(sorted(LEVELS))


def scalar_unit(layer, unit):
    """The four rows of a unit as plain Python integers."""
    def row(gate):
        index = gate * layer.units + unit
        by_level = {name: getattr(layer, name)[:, unit, gate].tolist() for name in ("b_level", "offset")}
        return {"w_ih": layer.w_ih[index].tolist(), "w_hh": layer.w_hh[index].tolist(), "m": layer.m[unit, gate].tolist(),
                "s": layer.s[unit, gate].item(), "b": layer.b[unit, gate].item(), **by_level}

    return [row(gate) for gate in range(4)]


def run_scalar(network, x, policy, seed):
    """(h, c, levels) [layer][step][unit] of one sequence x [steps, terms, inputs]; the quarters of every row are added in a random order."""
    order = random.Random(seed)
    trace, values = [], x.tolist()
    for layer in network.layers:
        settings = {name: getattr(layer, name) for name in ("levels", "theta", "c_frac", "cell_floor", "exponents")}
        units = [scalar_unit(layer, unit) for unit in range(layer.units)]
        h, c, history = ([0] * layer.units for _ in range(3))
        steps = []
        for terms in values:
            results = [scalar_quarters.unit_step(unit, terms, h, c[n], history[n], POLICIES[policy], settings, lambda parts: order.sample(parts, len(parts)))
                       for n, unit in enumerate(units)]
            h, c, history, levels = (list(column) for column in zip(*results))
            steps.append((h, c, levels))
        trace.append(steps)
        values = [[h] for h, _, _ in steps]
    return trace


@pytest.mark.parametrize("policy", POLICIES)
@given(seed=seeds, inputs=sizes, units=st.lists(sizes, min_size=1, max_size=3), terms=st.sampled_from((1, 2)), levels=names_of_levels, exponents=st.booleans())
def test_equals_the_scalar_reference(policy, seed, inputs, units, terms, levels, exponents):
    network = random_network(seed, inputs, units, terms, LEVELS[levels], exponents)
    x = random_input(seed, network, batch=2, steps=5)
    run = network.run(x, policy)
    for sequence in range(2):
        for number, steps in enumerate(run_scalar(network, x[sequence], policy, seed)):
            h, c, chosen = ([step[part] for step in steps] for part in range(3))
            assert run.levels[number][sequence].tolist() == chosen
            assert run.c[number][sequence].tolist() == c
            assert run.h[number][sequence].tolist() == h


@pytest.mark.parametrize("policy", POLICIES)
def test_words_beyond_the_first_equal_the_scalar_reference(policy):
    """More than one word of inputs, each with an exponent of its own, and of h."""
    network = random_network(5, 130, [70], exponents=True)
    x = random_input(5, network, batch=1, steps=4)
    run = network.run(x, policy)
    for step, (h, c, levels) in enumerate(run_scalar(network, x[0], policy, 5)[0]):
        assert (run.h[0][0, step].tolist(), run.c[0][0, step].tolist(), run.levels[0][0, step].tolist()) == (h, c, levels)


def test_random_networks_choose_every_level_and_saturate():
    """The networks behind these tests exercise what they should."""
    network = random_network(3, 9, [40, 40], levels=LEVELS["HH x:HL HL 3/4 all"])
    x = random_input(3, network, batch=4, steps=20)
    for policy in (Policy.CELL_HISTORY, Policy.SENSITIVITY):
        levels = network.run(x, policy).levels
        assert all((torch.cat(levels) == level).double().mean() > 0.02 for level in range(5)), policy
    assert torch.cat(network.run(x, Policy.SENSITIVITY).h).min() < -100


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
                word = a[frame, start:start + 64].tolist()
                e = scalar_quarters.word_exponent(word) if exponents else 4
                for name, value in scalar_quarters.products(w[row, start:start + 64].tolist(), word, e).items():
                    total[name] += value
            assert [found[count][frame, row].item() for count in (1, 2, 3, 4)] == [sum(total[name] for name in QUARTERS[:count]) for count in (1, 2, 3, 4)]


def test_exponents_are_the_least_that_hold_a_word():
    values = torch.arange(ACTIVATIONS[0], ACTIVATIONS[1] + 1)
    for value in values.tolist():
        word = torch.full((1, 64), 0)
        word[0, 17] = value
        e = scalar_quarters.word_exponent(word[0].tolist())
        assert split_activations(word, exponents=True)[0, 17] == scalar_quarters.nibbles(value, e)[0] << e
        assert e == 0 or not all(-8 <= part <= 7 for part in scalar_quarters.nibbles(value, e - 1))


def test_two_planes_are_one_setting():
    """With levels {HL, all}, and the constants, activations and states of today's machine, z, c' and the choice of rows are today's."""
    for seed in range(20):
        generator = torch.Generator().manual_seed(seed)
        old = random_two_plane_layer(generator, 70, 40, terms=1 + seed % 2)
        shared = {name: getattr(old, name) for name in ("w_ih", "w_hh", "m", "s", "b", "c_frac", "cell_floor", "terms")}
        new = QuarterLayer(**shared, levels=LEVELS["HL all"], b_level=torch.stack((old.b_low, old.b)), theta=(old.theta,), offset=old.offset.unsqueeze(0))
        x = torch.randint(-127, 120, (1, 6, old.terms, 70), generator=generator)
        h, c, history = (torch.randint(low, high, (6, 40), generator=generator, dtype=torch.int32)
                         for low, high in ((-120, 120), (-32768, 32768), (0, 32)))
        today = two_planes.RowSums(old, 6, low=True, high=True)
        z_old = today(today.prepare(x)[0], h)
        quarters = RowSums(new, [0, 1])
        z_new = quarters(quarters.prepare(x)[0], h)
        assert torch.equal(z_old, z_new)
        for policy in (Policy.CELL_HISTORY, Policy.SENSITIVITY):
            mask = make_mask_selector(policy, dataclasses.replace(old, policy=policy), None, 0)(z_old, c, history)
            level = make_selector(policy, new, None, 0)(z_new[:, 0], c, history)
            assert torch.equal(mask, level.bool())
            z = two_planes.choose(mask, z_old[:, 1], z_old[:, 0])
            _, new_c, _ = two_planes.finish(z, c, old.c_frac)
            _, found_c, _ = run_layer(new, x.to(torch.int8), policy, make_selector(policy, new, None, 0), (h, c, history))
            assert torch.equal(new_c.to(torch.int16), found_c[0])


def test_two_plane_layers_are_layers_of_today():
    """The comparison above is of today's QuantizedLayer, whose ranges this machine's hold."""
    assert {field.name for field in dataclasses.fields(QuantizedLayer)} - {"b_low", "policy"} <= {field.name for field in dataclasses.fields(QuarterLayer)}


def test_largest_sums_stay_exact():
    """1024 inputs and units, every product of the largest size."""
    layer = random_layer(torch.Generator().manual_seed(0), 1024, 1024, terms=2)
    w_ih, w_hh, m, s = torch.full_like(layer.w_ih, -127), torch.full_like(layer.w_hh, -127), torch.full_like(layer.m, 65535), torch.full_like(layer.s, 31)
    w_ih[:, 1::2] = 119
    layer = dataclasses.replace(layer, w_ih=w_ih, w_hh=w_hh, m=m, s=s)
    x = torch.full((1, 1, 2, 1024), -128)
    x[..., 1::2], x[0, 0, 1, 5] = 119, 3
    h = torch.full((1, 1024), -120, dtype=torch.int32)
    h[0, 3] = 119
    levels = [0, 1, 2, 3, None]
    sums = RowSums(layer, levels)
    z = sums(sums.prepare(x)[0], h)
    row = scalar_unit(layer, 0)[1]
    for place, level in enumerate(levels):
        counts, b = (ALL, row["b"]) if level is None else (layer.levels[level], row["b_level"][level])
        total = scalar_quarters.row_sum(row, x[0, 0].tolist(), h[0].tolist(), counts)
        assert z[0, place, 1, 0].item() == scalar_quarters.sat16(scalar_quarters.rounded(total, row["s"]) + b)


@pytest.mark.parametrize("sign, largest", [(1, 119), (-1, -120)])
def test_h_reaches_the_ends_of_its_format(sign, largest):
    """An open output gate and a saturated cell: 119.99 in either direction, of which the positive one does not fit."""
    z, c = torch.full((1, 4, 1), 32767, dtype=torch.int32), torch.full((1, 1), sign * 32767, dtype=torch.int32)
    z[:, 0] = -32768
    gates, _, tanh_c = two_planes.finish(z, c, 8)
    assert output(gates, tanh_c).item() == largest
    scalar = [scalar_quarters.sigmoid(-32768), scalar_quarters.sigmoid(32767), scalar_quarters.tanh(32767), scalar_quarters.sigmoid(32767)]
    assert scalar_quarters.cell(scalar, sign * 32767, 8)[2] == largest


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


def test_layers_refuse_what_their_formats_do_not_hold():
    layer = random_layer(torch.Generator().manual_seed(0), 5, 6)
    for change, message in (({"w_ih": layer.w_ih + 200}, "w_ih"), ({"b_level": layer.b_level[:2]}, "b_level"), ({"theta": layer.theta[:1]}, "theta"),
                            ({"offset": layer.offset + 300}, "offset"), ({"c_frac": 16}, "c_frac"), ({"levels": LEVELS["HH all"]}, "b_level")):
        with pytest.raises(ValueError, match=message):
            dataclasses.replace(layer, **change)


@given(seed=seeds)
def test_random_reaches_the_shares_that_it_is_given(seed):
    network = random_network(seed, 8, [64], levels=LEVELS["HH HL all"])
    shares = [0.5, 0.3, 0.2]
    levels = network.run(random_input(seed, network, batch=4, steps=10), Policy.RANDOM, shares=[[shares] * 4], seed=seed).levels[0]
    for place, share in enumerate(shares):
        assert (levels == place).double().mean().item() == pytest.approx(share, abs=0.03)
