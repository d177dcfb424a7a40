# SPDX-License-Identifier: MIT
"""The vectorised model against the scalar reference, and properties of the whole network."""

import dataclasses
import random

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from models.cell import RowSums
from models.formats import Level
from models.levels import ALL, LEVELS
from models.policies import BUILD_POLICIES, DECIDING, Policy
from models.quantized_lstm import QuantizedLSTM
from models.tests import scalar_reference
from models.tests.random_networks import random_input, random_layer, random_network

STUDY = (None, *(LEVELS[name] for name in ("HH all", "HH 3/4", "HH HL 3/4 all", "HH x:HL HL 3/4 all", "HL all")))  # None: whatever builds can have
seeds = st.integers(0, 1 << 20)
sizes = st.integers(1, 9)


def scalar_unit(layer, unit):
    """The four rows of a unit as plain Python integers."""
    def row(gate):
        index = gate * layer.units + unit
        by_level = {name: getattr(layer, name)[:, unit, gate].tolist() for name in ("b_level", "offset")}
        return {"w_ih": layer.w_ih[index].tolist(), "w_hh": layer.w_hh[index].tolist(), "m": layer.m[unit, gate].tolist(),
                "s": layer.s[unit, gate].item(), "b": layer.b[unit, gate].item(), **by_level}

    return [row(gate) for gate in range(4)]


def run_scalar(network, x, policy, seed=0):
    """([h, c, codes of levels] [layer][step][unit], the last history [layer]), of one sequence x [steps, terms, inputs]; the quarters of every row are
    added in a random order."""
    order = random.Random(seed)
    trace, values = [], x.tolist()
    for layer in network.layers:
        settings = {name: getattr(layer, name) for name in ("levels", "theta", "c_frac", "cell_floor")}
        codes = [*layer.codes, len(layer.by_code) - 1]
        units = [scalar_unit(layer, unit) for unit in range(layer.units)]
        h, c, history = ([0] * layer.units for _ in range(3))
        steps = []
        for terms in values:
            x_terms, old = [scalar_reference.activations(term, layer.exponents) for term in terms], scalar_reference.activations(h)
            results = [scalar_reference.unit_step(unit, x_terms, old, c[n], history[n], policy, settings, lambda parts: order.sample(parts, len(parts)))
                       for n, unit in enumerate(units)]
            h, c, history, levels = (list(column) for column in zip(*results))
            steps.append((h, c, [[codes[level] for level in unit] for unit in levels]))
        trace.append((steps, history))
        values = [[h] for h, _, _ in steps]
    return trace


@pytest.mark.parametrize("policy", BUILD_POLICIES)
@given(seed=seeds, inputs=sizes, units=st.lists(sizes, min_size=1, max_size=3), terms=st.sampled_from((1, 2)), levels=st.sampled_from(STUDY),
       exponents=st.booleans(), shared=st.booleans())
def test_equals_the_scalar_reference(policy, seed, inputs, units, terms, levels, exponents, shared):
    network = random_network(seed, inputs, units, terms, policy, levels, exponents, shared)
    x = random_input(seed, network, batch=2, steps=5)
    run = network.run(x, policy)
    for sequence in range(2):
        for number, (steps, history) in enumerate(run_scalar(network, x[sequence], policy, seed)):
            h, c, chosen = ([step[part] for step in steps] for part in range(3))
            assert run.levels[number][sequence].tolist() == chosen
            assert run.layer_c[number][sequence].tolist() == c
            assert run.layer_h[number][sequence].tolist() == h
            assert run.state.history[number][sequence].tolist() == history


@pytest.mark.parametrize("policy", BUILD_POLICIES)
def test_groups_beyond_the_first_equal_the_scalar_reference(policy):
    """More than one group of inputs, each with an exponent of its own, and of h."""
    network = random_network(5, 130, [70], policy=policy, levels=LEVELS["HH 3/4 all"], exponents=True)
    x = random_input(5, network, batch=1, steps=4)
    run = network.run(x, policy)
    for step, (h, c, levels) in enumerate(run_scalar(network, x[0], policy)[0][0]):
        assert (run.h[0, step].tolist(), run.layer_c[0][0, step].tolist(), run.levels[0][0, step].tolist()) == (h, c, levels)


def test_random_networks_choose_every_level_and_saturate():
    """The networks behind these tests exercise what they should."""
    for levels, shared in ((LEVELS["HH 3/4 all"], True), (LEVELS["HH x:HL HL 3/4 all"], False)):
        network = random_network(3, 9, [40, 40], levels=levels, shared=shared)
        x = random_input(3, network, batch=4, steps=20)
        for policy in DECIDING:
            found = torch.cat(network.run(x, policy, override=True).levels)
            assert all((found == level).double().mean() > 0.02 for level in range(len(levels))), (policy, levels)
        assert torch.cat(network.run(x).layer_h).abs().max() > 100


def test_cells_saturate():
    """A cell state that the format cannot hold stops at its ends."""
    network = random_network(6, 9, [40])
    network.layers[0] = dataclasses.replace(network.layers[0], c_frac=14)
    c = network.run(random_input(3, network, batch=4, steps=20)).layer_c[0]
    assert (c.min(), c.max()) == (-32768, 32767)


def test_largest_sums_stay_exact():
    """1024 inputs and units, every product of the largest size: neither sums of quarters nor float64 row sums lose anything."""
    layer = random_layer(torch.Generator().manual_seed(0), 1024, 1024, terms=2, levels=LEVELS["HH HL 3/4 all"])
    w_ih, w_hh, m, s = torch.full_like(layer.w_ih, -127), torch.full_like(layer.w_hh, -127), torch.full_like(layer.m, 65535), torch.full_like(layer.s, 31)
    w_ih[:, 1::2] = 119
    layer = dataclasses.replace(layer, w_ih=w_ih, w_hh=w_hh, m=m, s=s)
    x = torch.full((1, 1, 2, 1024), -128)
    x[..., 1::2], x[0, 0, 1, 5] = 119, 3
    h = torch.full((1, 1024), -120, dtype=torch.int32)
    h[0, 3] = 119
    levels = [0, 1, 2, 3, None]
    rows = RowSums(layer, levels)
    (sums_of_x,) = rows.steps(x)
    sums = rows.with_h(sums_of_x, h)
    row = scalar_unit(layer, 0)[1]
    x_terms, old = [scalar_reference.activations(term) for term in x[0, 0].tolist()], scalar_reference.activations(h[0].tolist())
    for place, level in enumerate(levels):
        counts, b = (ALL, row["b"]) if level is None else (layer.levels[level], row["b_level"][level])
        total = scalar_reference.row_sum(row, x_terms, old, counts)
        assert rows.z(place, sums)[0, 1, 0].item() == scalar_reference.sat16(scalar_reference.rounded(total, row["s"]) + b)


def test_a_factor_of_zero_never_refines_at_the_lowest_thresholds():
    network = random_network(4, 5, [6])
    layer = network.layers[0]
    network.layers[0] = dataclasses.replace(layer, theta=((-128,) * 4,) * len(layer.theta), offset=torch.full_like(layer.offset, -128))
    run = network.run(random_input(1, network, batch=2, steps=1), Policy.SENSITIVITY)
    assert (run.levels[0][..., 1] == Level.LOWEST).all()  # the cell state is zero
    assert (run.levels[0][..., 2] == Level.ALL).any()


def test_strides_do_not_matter():
    network = random_network(1, 5, [6])
    state = network.zero_state(1)
    state.h[0] = torch.arange(6, dtype=torch.int8).unsqueeze(1).T
    state.first = False
    x = torch.arange(5, dtype=torch.int8).view(5, 1, 1, 1).permute(1, 2, 3, 0)
    run = network.run(x, state=state)
    state.h[0] = state.h[0].clone(memory_format=torch.contiguous_format)
    assert torch.equal(run.layer_c[0], network.run(x.clone(memory_format=torch.contiguous_format), state=state).layer_c[0])


@settings(max_examples=30)
@given(seed=seeds, units=st.lists(sizes, min_size=1, max_size=3))
def test_a_refined_row_is_the_8_bit_row(seed, units):
    """With all rows at all quarters, every policy gives the outputs of STATIC_HIGH."""
    network = random_network(seed, 6, units)
    x = random_input(seed, network, batch=2, steps=4)
    high = network.run(x, Policy.STATIC_HIGH)
    everything = [[[0.0] * (len(layer.levels) - 1) + [1.0]] * 4 for layer in network.layers]
    always = QuantizedLSTM([dataclasses.replace(layer, theta=((-128,) * 4,) * len(layer.theta), offset=torch.zeros_like(layer.offset)) for layer in network.layers],
                           network.input_scales)
    for run in (network.run(x, Policy.RANDOM, shares=everything), always.run(x, Policy.CELL_HISTORY, override=True)):
        assert run.low_share == 0 and run.mean_quarters == 4
        assert torch.equal(run.h, high.h)
        assert all(torch.equal(a, b) for a, b in zip(run.layer_c, high.layer_c))


@pytest.mark.parametrize("policy", BUILD_POLICIES)
@settings(max_examples=30)
@given(seed=seeds, units=st.lists(sizes, min_size=1, max_size=3), cut=st.integers(1, 7))
def test_carried_state_equals_one_run(policy, seed, units, cut):
    network = random_network(seed, 5, units, policy=policy)
    x = random_input(seed, network, batch=3, steps=8)
    whole = network.run(x, policy)
    first = network.run(x[:, :cut], policy)
    second = network.run(x[:, cut:], policy, state=first.state)
    for number in range(len(units)):
        assert torch.equal(torch.cat((first.layer_h[number], second.layer_h[number]), 1), whole.layer_h[number])
        assert torch.equal(torch.cat((first.levels[number], second.levels[number]), 1), whole.levels[number])
        assert torch.equal(second.state.c[number], whole.state.c[number])
        assert torch.equal(second.state.history[number], whole.state.history[number])


def test_long_inputs_are_prepared_in_blocks(monkeypatch):
    network = random_network(1, 7, [6, 5], terms=2)
    x = random_input(1, network, batch=2, steps=30)
    whole = network.run(x)
    monkeypatch.setattr("models.quantized_lstm.PREPARED_SUMS", 1000)
    assert torch.equal(network.run(x).h, whole.h)


def test_own_policies_of_the_layers():
    network = random_network(2, 6, [8, 8], levels=LEVELS["HH 3/4 all"])
    policies = (Policy.STATIC_HIGH, Policy.STATIC_LOW)
    network.layers = [dataclasses.replace(layer, policy=policy) for layer, policy in zip(network.layers, policies)]
    run = network.run(random_input(2, network, batch=1, steps=4))
    assert (run.levels[0] == Level.ALL).all() and (run.levels[1] == Level.LOWEST).all()
    assert run.rows(0, 3, Level.ALL) == run.rows(1, 3, Level.LOWEST) == 32
    assert run.low_share == pytest.approx(16 / 30)
    assert run.mean_quarters == pytest.approx(2.5)


def test_levels_have_the_codes_of_builds():
    """Two levels are LOWEST and ALL, three are what builds have, and all quarters come after any other number."""
    codes = {"HH all": (0, 2), "HL all": (0, 2), "HH 3/4": (0, 1), "HH 3/4 all": (0, 1, 2), "HH HL 3/4": (0, 1, 2), "HH HL 3/4 all": (0, 1, 2, 3)}
    for name, expected in codes.items():
        network = random_network(1, 6, [20], levels=LEVELS[name])
        layer = network.layers[0]
        assert layer.codes == expected and layer.by_code[-1] == ALL and all(layer.by_code[code] == level for code, level in zip(expected, layer.levels))
        x = random_input(1, network, batch=2, steps=10)
        assert set(network.run(x).levels[0].unique().tolist()) <= set(expected)
        assert network.run(x, Policy.STATIC_HIGH).levels[0].unique().tolist() == [len(layer.by_code) - 1]
        assert network.run(x, Policy.STATIC_LOW).levels[0].unique().tolist() == [0]


def shares_of(run, layer):
    """[gate][level] of the first layer."""
    return [[(run.levels[0][..., gate] == code).double().mean().item() for code in layer.codes] for gate in range(4)]


def test_random_meets_its_shares_and_its_seed():
    network = random_network(4, 12, [64], levels=LEVELS["HH 3/4 all"])
    x = random_input(4, network, batch=8, steps=30)
    shares = [[[0.5, 0.2, 0.3], [0.9, 0.1, 0.0], [0.0, 0.0, 1.0], [1.0, 0.0, 0.0]]]
    run = network.run(x, Policy.RANDOM, shares=shares, seed=5)
    for found, wanted in zip(shares_of(run, network.layers[0]), shares[0]):
        assert found == pytest.approx(wanted, abs=0.02)
    again, other = (network.run(x, Policy.RANDOM, shares=shares, seed=seed) for seed in (5, 6))
    assert torch.equal(again.levels[0], run.levels[0])
    assert not torch.equal(other.levels[0], run.levels[0])


def test_input_terms_carry_16_bits():
    network = random_network(0, 3, [2], terms=2)
    x = torch.tensor([[-1.27, 0.012345, 1.0], [5.0, -5.0, 0.0]])
    terms = network.quantize_input(x)
    assert terms.shape == (2, 2, 3) and terms.dtype == torch.int8
    real = (terms * torch.tensor(network.input_scales).unsqueeze(1)).sum(-2)
    assert (real[0] - x[0]).abs().max() <= 0.01 / 238 / 2 + 1e-7
    assert terms[1].tolist() == [[119, -127, 0], [119, -127, 0]]


def test_inputs_come_in_the_order_of_the_words():
    network = random_network(0, 3, [2])
    network.order = torch.tensor([2, 0, 1])
    assert network.quantize_input(torch.tensor([0.01, 0.02, 0.03])).tolist() == [[3, 1, 2]]


LAYER_REFUSALS = [
    ({"w_ih": torch.full((8, 3), 120)}, "w_ih"),
    ({"w_hh": torch.full((8, 2), -128)}, "w_hh"),
    ({"w_hh": torch.zeros(8, 2)}, "expected integers"),
    ({"w_ih": torch.zeros(8, 1025, dtype=torch.int64)}, "1025"),
    ({"m": torch.full((2, 4, 3), 65536)}, "m: "),
    ({"s": torch.full((2, 4), 64)}, "s: "),
    ({"s": torch.full((2, 3), 1)}, "shape"),
    ({"b": torch.full((2, 4), 1 << 17)}, "b: "),
    ({"b_level": torch.full((3, 2, 4), -(1 << 17) - 1)}, "b_level"),
    ({"b_level": torch.full((2, 2, 4), 0)}, "b_level"),
    ({"offset": torch.full((2, 2, 4), 128)}, "offset"),
    ({"levels": LEVELS["HH all"]}, "b_level"),
    ({"c_frac": 7}, "c_frac"),
    ({"theta": ((0,) * 4, (0, 0, 0, 128))}, "theta"),
    ({"theta": ((0,) * 4,)}, "gates"),
    ({"theta": ((0,) * 4, (0,) * 3)}, "gates"),
    ({"cell_floor": 64}, "cell_floor"),
    ({"terms": 3}, "terms"),
]


@pytest.mark.parametrize("change, message", LAYER_REFUSALS, ids=[message for _, message in LAYER_REFUSALS])
def test_layer_refuses_what_its_formats_cannot_hold(change, message):
    layer = random_layer(torch.Generator().manual_seed(0), 3, 2, levels=LEVELS["HH 3/4 all"])
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(layer, **change)


def test_network_refuses_what_does_not_fit_together():
    generator = torch.Generator().manual_seed(0)
    one, two = random_layer(generator, 3, 2), random_layer(generator, 3, 2)
    doubled = random_layer(generator, 2, 2, terms=2)
    for layers, message in (([one, two], "3 inputs"), ([one, doubled], "terms"), ([], "0 layers"), ([doubled], "input scales"),
                            ([one, dataclasses.replace(random_layer(generator, 2, 2), exponents=True)], "layer 1 has exponents")):
        with pytest.raises(ValueError, match=message):
            QuantizedLSTM(layers)
    with pytest.raises(ValueError, match="9 layers"):
        random_network(0, 2, [2] * 9)


def test_run_refuses_wrong_inputs():
    network = random_network(0, 3, [2])
    x = random_input(0, network, 1, 2)
    for wrong, message in (
        (x.squeeze(2), "shape"), (x[:, :0], "shape"), (torch.cat((x, x), 2), "shape"), (x.float(), "quantize_input"),
        (torch.full_like(x, 120), "-128..119"),
    ):
        with pytest.raises(ValueError, match=message):
            network.run(wrong)
    with pytest.raises(ValueError, match="shares"):
        network.run(x, Policy.RANDOM)
    with pytest.raises(ValueError, match="NaN"):
        network.quantize_input(torch.tensor([0.0, float("nan"), 0.0]))


def test_thresholds_of_another_policy_are_refused():
    """Unless it is asked for what the override register does, or the layers leave open whose thresholds they hold."""
    network = random_network(0, 3, [4])
    x = random_input(0, network, 1, 5)
    with pytest.raises(ValueError, match=r"layer 0 has no thresholds of CELL_HISTORY.*q.for_policy\(Policy.CELL_HISTORY\).*override=True"):
        network.run(x, Policy.CELL_HISTORY)
    layer = dataclasses.replace(network.layers[0], policy=Policy.CELL_HISTORY)
    assert torch.equal(network.run(x, Policy.CELL_HISTORY, override=True).levels[0], QuantizedLSTM([layer]).run(x).levels[0])
    static = QuantizedLSTM([dataclasses.replace(layer, policy=Policy.STATIC_HIGH)])
    assert torch.equal(static.run(x, Policy.CELL_HISTORY).levels[0], QuantizedLSTM([layer]).run(x).levels[0])
