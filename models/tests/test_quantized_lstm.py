# SPDX-License-Identifier: MIT
"""The vectorised model against the scalar reference, and properties of the whole network."""

import dataclasses
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from models import cell
from models.layer import split_planes
from models.policies import Policy
from models.quantized_lstm import QuantizedLSTM
from models.tests import scalar_reference
from models.tests.random_networks import random_input, random_layer, random_network

STATIC = (Policy.STATIC_HIGH, Policy.STATIC_LOW)
DECIDING = (Policy.CELL_HISTORY, Policy.SENSITIVITY)
seeds = st.integers(0, 1 << 20)
sizes = st.integers(1, 9)


def scalar_unit(layer, unit):
    """The four rows of a unit as plain Python integers."""
    def row(gate):
        index = gate * layer.units + unit
        names = {name: getattr(layer, name)[unit, gate].tolist() for name in ("m", "s", "b", "b_low", "offset")}
        return {"w_ih": layer.w_ih[index].tolist(), "w_hh": layer.w_hh[index].tolist(), **names}

    return [row(gate) for gate in range(4)]


def scalar_settings(layer):
    return {name: getattr(layer, name) for name in ("c_frac", "theta", "cell_floor")}


def run_scalar(network, x, policy):
    """h, c, masks [layer][step][unit] and the last history, of one sequence x [steps, terms, inputs]."""
    trace, values = [], x.tolist()
    for layer in network.layers:
        settings = scalar_settings(layer)
        units = [scalar_unit(layer, unit) for unit in range(layer.units)]
        h, c, history = ([0] * layer.units for _ in range(3))
        steps = []
        for terms in values:
            results = [scalar_reference.unit_step(unit, terms, h, c[n], history[n], policy, settings) for n, unit in enumerate(units)]
            h, c, history, mask = (list(column) for column in zip(*results))
            steps.append((h, c, mask))
        trace.append((steps, history))
        values = [[h] for h, _, _ in steps]
    return trace


@pytest.mark.parametrize("policy", STATIC + DECIDING)
@given(seed=seeds, inputs=sizes, units=st.lists(sizes, min_size=1, max_size=3), terms=st.sampled_from((1, 2)))
def test_equals_the_scalar_reference(policy, seed, inputs, units, terms):
    network = random_network(seed, inputs, units, terms, policy)
    x = random_input(seed, network, batch=2, steps=5)
    run = network.run(x, policy)
    bits = torch.tensor([1, 2, 4, 8])
    for sequence in range(2):
        for number, (steps, history) in enumerate(run_scalar(network, x[sequence], policy)):
            h, c, mask = ([step[part] for step in steps] for part in range(3))
            assert run.layer_h[number][sequence].tolist() == h
            assert run.layer_c[number][sequence].tolist() == c
            assert (run.masks[number][sequence] * bits).sum(-1).tolist() == mask
            assert run.state.history[number][sequence].tolist() == history
            assert run.state.h[number][sequence].tolist() == h[-1]
            assert run.state.c[number][sequence].tolist() == c[-1]


@pytest.fixture(params=["float32", "int8"])
def product(request, monkeypatch):
    """Every product in this type, whatever its size."""
    if request.param == "int8" and math.isinf(cell.INT8_PRODUCTS):
        pytest.skip("this processor has no AVX2")
    monkeypatch.setattr(cell, "INT8_PRODUCTS", 0 if request.param == "int8" else math.inf)


@pytest.mark.parametrize("policy", STATIC + DECIDING)
def test_products_of_both_types_equal_the_scalar_reference(policy, product):
    network = random_network(3, 9, [40, 33], terms=2, policy=policy)
    x = random_input(3, network, batch=1, steps=3)
    run = network.run(x, policy)
    for number, (steps, _) in enumerate(run_scalar(network, x[0], policy)):
        assert run.layer_h[number][0].tolist() == [h for h, _, _ in steps]
        assert run.layer_c[number][0].tolist() == [c for _, c, _ in steps]


def test_random_networks_decide_both_ways_and_saturate():
    """The networks behind these tests exercise what they should."""
    network = random_network(3, 9, [40, 40])
    x = random_input(3, network, batch=4, steps=20)
    for policy in DECIDING:
        shares = network.run(x, policy, override=True).low_share_by_gate
        assert all(0.05 < share < 0.95 for share in shares), shares
    assert network.run(x).h.abs().max() > 100


def test_cells_saturate():
    """A cell state that the format cannot hold stops at its ends."""
    network = random_network(6, 9, [40])
    network.layers[0] = dataclasses.replace(network.layers[0], c_frac=14)
    c = network.run(random_input(3, network, batch=4, steps=20)).layer_c[0]
    assert (c.min(), c.max()) == (-32768, 32767)


def test_largest_sums_stay_exact(product):
    """1024 inputs and units, every product of the largest size: accumulators and float64 row sums lose nothing."""
    layer = random_layer(torch.Generator().manual_seed(0), 1024, 1024, terms=2)
    layer.w_ih[:] = -127
    layer.w_hh[:] = -127
    layer.w_ih[:, 1::2] = 119
    layer.m[:] = 65535
    layer.s[:] = 31
    network = QuantizedLSTM([layer], input_scales=(1, 1))
    x = torch.full((1, 2, 2, 1024), -127)
    x[..., 1::2] = 126
    x[0, 1, 1, 5] = 3
    run = network.run(x, Policy.STATIC_HIGH)
    rows = scalar_unit(layer, 0)
    h = [0] * 1024
    for step in range(2):
        gates = scalar_reference.gates_of(rows, x[0, step].tolist(), h, 15)
        c = run.layer_c[0][0, step - 1, 0].item() if step else 0
        new_c, _, new_h = scalar_reference.cell(gates, c, layer.c_frac)
        assert (run.layer_c[0][0, step, 0].item(), run.h[0, step, 0].item()) == (new_c, new_h)
        h = run.h[0, step].tolist()


def test_a_factor_of_zero_never_refines_at_the_lowest_thresholds():
    network = random_network(4, 5, [6])
    layer = network.layers[0]
    network.layers[0] = dataclasses.replace(layer, theta=(-128,) * 4, offset=torch.full_like(layer.offset, -128))
    run = network.run(random_input(1, network, batch=2, steps=1), Policy.SENSITIVITY)
    assert not run.masks[0][..., 1].any()  # the cell state is zero
    assert run.masks[0][..., 2].all()


def test_strides_do_not_matter(product):
    network = random_network(1, 5, [6])
    state = network.zero_state(1)
    state.h[0] = torch.arange(6, dtype=torch.int8).unsqueeze(1).T
    state.first = False
    x = torch.arange(5, dtype=torch.int8).view(5, 1, 1, 1).permute(1, 2, 3, 0)
    run = network.run(x, state=state)
    state.h[0] = state.h[0].clone(memory_format=torch.contiguous_format)
    assert torch.equal(run.layer_c[0], network.run(x.clone(memory_format=torch.contiguous_format), state=state).layer_c[0])


def test_planes_are_lossless_for_every_weight():
    w = torch.arange(-127, 120)
    hi, lo = split_planes(w)
    assert torch.equal(16 * hi + lo, w)
    assert all(plane.min() >= -8 and plane.max() <= 7 for plane in (hi, lo))


@settings(max_examples=30)
@given(seed=seeds, units=st.lists(sizes, min_size=1, max_size=3))
def test_a_refined_row_is_the_8_bit_row(seed, units):
    """With all rows refined, every deciding policy gives the outputs of STATIC_HIGH."""
    network = random_network(seed, 6, units)
    x = random_input(seed, network, batch=2, steps=4)
    high = network.run(x, Policy.STATIC_HIGH)
    everything = [[1.0] * 4] * len(units)
    always = QuantizedLSTM([dataclasses.replace(layer, theta=(-128,) * 4) for layer in network.layers], network.input_scales)
    for run in (network.run(x, Policy.RANDOM, shares=everything), always.run(x, Policy.CELL_HISTORY, override=True)):
        assert run.low_share == 0
        assert torch.equal(run.h, high.h)
        assert all(torch.equal(a, b) for a, b in zip(run.layer_c, high.layer_c))


@pytest.mark.parametrize("policy", STATIC + DECIDING)
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
        assert torch.equal(torch.cat((first.masks[number], second.masks[number]), 1), whole.masks[number])
        assert torch.equal(second.state.c[number], whole.state.c[number])
        assert torch.equal(second.state.history[number], whole.state.history[number])


def test_long_inputs_are_prepared_in_blocks(monkeypatch):
    network = random_network(1, 7, [6, 5], terms=2)
    x = random_input(1, network, batch=2, steps=30)
    whole = network.run(x)
    monkeypatch.setattr("models.quantized_lstm.PREPARED_SUMS", 1000)
    assert torch.equal(network.run(x).h, whole.h)


def test_own_policies_of_the_layers():
    network = random_network(2, 6, [8, 8])
    policies = (Policy.STATIC_HIGH, Policy.STATIC_LOW)
    network.layers = [dataclasses.replace(layer, policy=policy) for layer, policy in zip(network.layers, policies)]
    run = network.run(random_input(2, network, batch=1, steps=4))
    assert run.masks[0].all() and not run.masks[1].any()
    assert run.rows(0, 3, "lo") == run.rows(0, 3, "hi") == 32
    assert run.low_share == pytest.approx(16 / 30)


def test_random_meets_its_shares_and_its_seed():
    network = random_network(4, 12, [64, 64])
    x = random_input(4, network, batch=8, steps=30)
    shares = [[0.1, 0.3, 0.0, 1.0], [0.5, 0.2, 0.7, 0.05]]
    run = network.run(x, Policy.RANDOM, shares=shares, seed=5)
    for mask, wanted in zip(run.masks, shares):
        assert mask.float().mean((0, 1, 2)).tolist() == pytest.approx(wanted, abs=0.02)
    again, other = (network.run(x, Policy.RANDOM, shares=shares, seed=seed) for seed in (5, 6))
    assert torch.equal(again.masks[0], run.masks[0])
    assert not torch.equal(other.masks[0], run.masks[0])


def test_oracle_meets_its_shares_and_beats_random():
    network = random_network(6, 12, [64])
    x = random_input(6, network, batch=8, steps=30)
    high = network.run(x, Policy.STATIC_HIGH).h.float()
    shares = [[0.2, 0.1, 0.3, 0.25]]
    oracle, chance = (network.run(x, policy, shares=shares) for policy in (Policy.ORACLE, Policy.RANDOM))
    assert oracle.masks[0].float().mean((0, 1, 2)).tolist() == pytest.approx(shares[0], abs=0.03)
    assert (oracle.h - high).abs().mean() < 0.7 * (chance.h - high).abs().mean()
    assert not network.run(x, Policy.ORACLE, shares=[[0.0] * 4]).masks[0].any()


def test_input_terms_carry_16_bits():
    network = random_network(0, 3, [2], terms=2)
    x = torch.tensor([[-1.27, 0.012345, 1.0], [5.0, -5.0, 0.0]])
    terms = network.quantize_input(x)
    assert terms.shape == (2, 2, 3) and terms.dtype == torch.int8
    real = (terms * torch.tensor(network.input_scales).unsqueeze(1)).sum(-2)
    assert (real[0] - x[0]).abs().max() <= 0.01 / 254 / 2 + 1e-7
    assert terms[1].tolist() == [[127, -127, 0], [127, -127, 0]]


LAYER_REFUSALS = [
    ({"w_ih": torch.full((8, 3), 120)}, "w_ih"),
    ({"w_hh": torch.full((8, 2), -128)}, "w_hh"),
    ({"w_hh": torch.zeros(8, 2)}, "expected integers"),
    ({"w_ih": torch.zeros(8, 1025, dtype=torch.int64)}, "1025"),
    ({"m": torch.full((2, 4, 3), 65536)}, "m: "),
    ({"s": torch.full((2, 4), 64)}, "s: "),
    ({"s": torch.full((2, 3), 1)}, "shape"),
    ({"b": torch.full((2, 4), 1 << 17)}, "b: "),
    ({"b_low": torch.full((2, 4), -(1 << 17) - 1)}, "b_low"),
    ({"offset": torch.full((2, 4), 128)}, "offset"),
    ({"c_frac": 7}, "c_frac"),
    ({"theta": (0, 0, 0, 128)}, "theta"),
    ({"theta": (0, 0, 0)}, "gates"),
    ({"cell_floor": 64}, "cell_floor"),
    ({"terms": 3}, "terms"),
]


@pytest.mark.parametrize("change, message", LAYER_REFUSALS, ids=[message for _, message in LAYER_REFUSALS])
def test_layer_refuses_what_its_formats_cannot_hold(change, message):
    layer = random_layer(torch.Generator().manual_seed(0), 3, 2)
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(layer, **change)


def test_network_refuses_what_does_not_fit_together():
    generator = torch.Generator().manual_seed(0)
    one, two = random_layer(generator, 3, 2), random_layer(generator, 3, 2)
    doubled = random_layer(generator, 2, 2, terms=2)
    for layers, message in (([one, two], "3 inputs"), ([one, doubled], "terms"), ([], "0 layers"), ([doubled], "input scales")):
        with pytest.raises(ValueError, match=message):
            QuantizedLSTM(layers)
    with pytest.raises(ValueError, match="9 layers"):
        random_network(0, 2, [2] * 9)


def test_run_refuses_wrong_inputs():
    network = random_network(0, 3, [2])
    x = random_input(0, network, 1, 2)
    for wrong, message in (
        (x.squeeze(2), "shape"), (x[:, :0], "shape"), (torch.cat((x, x), 2), "shape"), (x.float(), "quantize_input"),
        (torch.full_like(x, -128), "-127..127"),
    ):
        with pytest.raises(ValueError, match=message):
            network.run(wrong)
    for policy in (Policy.RANDOM, Policy.ORACLE):
        with pytest.raises(ValueError, match="shares"):
            network.run(x, policy)
    with pytest.raises(ValueError, match="NaN"):
        network.quantize_input(torch.tensor([0.0, float("nan"), 0.0]))


def test_thresholds_of_another_policy_are_refused():
    """Unless it is asked for what the override register does, or the layers leave open whose thresholds they hold."""
    network = random_network(0, 3, [4])
    x = random_input(0, network, 1, 5)
    with pytest.raises(ValueError, match=r"layer 0 has no thresholds of CELL_HISTORY.*q.for_policy\(Policy.CELL_HISTORY\).*override=True"):
        network.run(x, Policy.CELL_HISTORY)
    layer = dataclasses.replace(network.layers[0], policy=Policy.CELL_HISTORY)
    assert torch.equal(network.run(x, Policy.CELL_HISTORY, override=True).masks[0], QuantizedLSTM([layer]).run(x).masks[0])
    static = QuantizedLSTM([dataclasses.replace(layer, policy=Policy.STATIC_HIGH)])
    assert torch.equal(static.run(x, Policy.CELL_HISTORY).masks[0], QuantizedLSTM([layer]).run(x).masks[0])
