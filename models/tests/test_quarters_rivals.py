# SPDX-License-Identifier: MIT
"""Rivals of the precision unit: static widths by layer, and levels by chance."""

import json
from dataclasses import replace
from importlib import import_module
from itertools import product

import pytest
import torch

from models import fit
from models.float_lstm import hidden_states
from models.levels import ALL, Level
from models.networks import Part
from models.policies import Policy
from models.quantize import Settings
from models.quantized_lstm import QuantizedLSTM
from models.quantized_network import QuantizedNetwork
from models.quarters import widths
from models.quarters.compare import own_constants
from models.quarters.memories import energy_over_high
from models.quarters.rivals import Frugal, RandomNetwork, RivalStudy, Shares, Widths
from models.quarters.widths import BITS, WIDTH_COSTS, HiddenCode, InputCode, Size, Width, ideal_cost, limits, own_cost, own_level, round_within
from models.study import Design, Use
from models.tests.toy_network import INPUTS, UNITS, Toy

DESIGN = own_constants("HH HL all")
LAMBDAS = [-60.0, *(step / 2 for step in range(-60, 0)), 20.0]
EIGHT, FOUR = Width(8, 8, 8), Width(4, 4, 4)


@pytest.fixture(scope="module")
def toy():
    """(network, samples, fitted in 8 bits, fitted for every width): two layers."""
    network = Toy(layers=2)
    samples = network.calibration(240)
    base = fit.fit(network, samples, Settings())
    return network, samples, base, widths.fit(network, samples, Settings(), base, exponents=False)


@pytest.fixture
def quantized(toy):
    _, _, base, fitted = toy
    return widths.network_of(fitted, base, "ideal")


def test_widths_of_8_bits_are_static_high(toy, quantized):
    _, samples, base, _ = toy
    inputs = [sample.inputs for sample in samples]
    quantized.directions[0].set_widths([EIGHT, EIGHT])
    own = base.stages[0][0]
    high = QuantizedNetwork([[QuantizedLSTM(quantized.directions[0].layers, own.input_scales, own.order)]])
    expected, found = high.run(inputs, Policy.STATIC_HIGH), quantized.run(inputs, Policy.STATIC_HIGH)
    for one, other in zip(expected.hidden, found.hidden):
        assert all(torch.equal(a, b) for a, b in zip(one, other))
    assert quantized.speedup(found) == quantized.speedup_over_high(found) == 1
    quantized.directions[0].set_widths([EIGHT, Width(8, 7, 8)])
    assert not torch.equal(quantized.run(inputs, Policy.STATIC_HIGH).hidden[0][1], expected.hidden[0][1])


def test_stages_meet_each_others_words_in_their_order():
    """Of two directions, whose stages order the words that they get, each for itself: with 8 bits the outputs are those of float, nearly."""
    network = Toy(bidirectional=True, layers=2)
    samples = network.calibration(240)
    base = fit.fit(network, samples, Settings())
    assert not torch.equal(base.stages[1][0].order, torch.arange(2 * UNITS)), "the order is one of its own"
    quantized = widths.network_of(widths.fit(network, samples, Settings(), base, exponents=False), base, "ideal")
    inputs = [sample.inputs for sample in samples]
    found = quantized.run(inputs, Policy.STATIC_HIGH)
    with torch.no_grad():
        errors = [(found.hidden[number][-1] - network.lstm(x)[0]).abs().max() for number, x in enumerate(inputs)]
    assert max(errors) < 0.05


def test_costs():
    size = Size(40, 256)
    for cost in WIDTH_COSTS.values():
        assert cost(FOUR, size) == cost(EIGHT, size) / 4
        assert all(cost(Width(*bits), size) <= cost(EIGHT, size) for bits in product(BITS, repeat=3))
        assert cost(Width(6, 7, 5, 2), size) > cost(Width(6, 7, 5), size)
    assert ideal_cost(EIGHT, size) == 3 + 16
    assert ideal_cost(Width(4, 8, 5, 2), size) == (4 * 8 * 2 * 3 + 4 * 5 * 16) / 64
    assert own_cost(EIGHT, size) == 4 * (1 + 4)
    assert own_level(EIGHT) == ALL._replace(x1=0) and own_level(Width(8, 8, 8, 2)) == ALL and own_level(FOUR) == Level(1, 0, 1)
    assert own_level(Width(4, 8, 4, 2)) == Level(2, 2, 1) and own_level(Width(5, 4, 8)) == Level(3, 0, 4)


def test_four_bits_take_a_quarter(quantized):
    quantized.directions[0].set_widths([FOUR, FOUR])
    assert quantized.speed("ideal") == 4
    assert quantized.speedup_over_high(None) == 4
    assert quantized.low_weight_share(None) == 1


def test_integers_are_within_their_widths(toy, quantized):
    _, samples, _, fitted = toy
    direction = quantized.directions[0]
    for bits in BITS:
        direction.set_widths([Width(bits, bits, bits)] * 2)
        x = direction.quantize_input(samples[0].inputs)
        values = {"x": x, "h": fitted[0][0][0].hidden[bits](torch.linspace(-1, 1, 999).double())}
        values |= {f"{name} {number}": getattr(layer, name) for number, layer in enumerate(direction.layers) for name in ("w_ih", "w_hh")}
        for name, integers in values.items():
            low, high = limits(bits, (-127, 119))
            assert low <= integers.min() and integers.max() <= high, (name, bits)
            assert integers.max().item() - integers.min().item() > (high - low) / 2, (name, bits)


def test_the_multiplier_chooses_what_an_exhaustive_search_does(toy):
    """Two layers: of all pairs of widths, the pair with the least sum of effect and price; none with as few cycles has less effect."""
    first, second = toy[3][0][0]
    for cost in WIDTH_COSTS.values():
        def of(layer, cost=cost):
            return (torch.tensor(list(layer.errors.values()), dtype=torch.float64),
                    torch.tensor([4 * layer.size.units * cost(width, layer.size) for width in layer.errors], dtype=torch.float64))

        (errors_1, cycles_1), (errors_2, cycles_2) = of(first), of(second)
        errors, cycles = errors_1.unsqueeze(1) + errors_2, cycles_1.unsqueeze(1) + cycles_2
        assert errors.numel() == 125**2
        for log2_lambda in LAMBDAS:
            chosen = [layer.choose(log2_lambda, cost) for layer in (first, second)]
            place = [list(layer.errors).index(width) for layer, width in zip((first, second), chosen)]
            error, spent = errors[place[0], place[1]], cycles[place[0], place[1]]
            assert error + 2**log2_lambda * spent <= (errors + 2**log2_lambda * cycles).min() * (1 + 1e-12)
            assert error <= errors[cycles <= spent].min() * (1 + 1e-12)


def test_cycles_fall_and_effects_grow_with_the_multiplier(toy, quantized):
    cycles, effects = [], []
    for log2_lambda in LAMBDAS:
        quantized.set_log2_lambda(Policy.STATIC_HIGH, log2_lambda)
        cycles.append(quantized.cycles())
        effects.append(sum(layer.errors[width] for layer, width in zip(toy[3][0][0], quantized.widths[0])))
    assert cycles == sorted(cycles, reverse=True) and effects == sorted(effects)
    assert len(set(cycles)) > 5
    assert quantized.widths == [[FOUR, FOUR]]


def test_effects_of_widths_are_those_of_their_errors(toy):
    """Of a layer with its own bias and integers, from its float inputs; and less than with the bias as it was."""
    network, samples, base, fitted = toy
    layer, effects, own = fitted[0][0][0], base.stages[0][0].effects[0], base.stages[0][0]
    x = torch.cat([sample.inputs for sample in samples]).double()[:, own.order]
    hidden = hidden_states(network.lstm, [sample.inputs for sample in samples])
    h = torch.cat([torch.nn.functional.pad(layers[0], (0, 0, 1, 0))[:-1] for layers in hidden])
    w_ih, w_hh = network.lstm.weight_ih_l0.double()[:, own.order], network.lstm.weight_hh_l0.double()
    for width in (EIGHT, FOUR, Width(5, 8, 6)):
        code, weights, code_h = layer.inputs[width.x, 1], layer.weights[width.weights], layer.hidden[width.h]
        values = code.value(code(x, own.input_scales[0][own.order]))
        z = (values @ weights.w_ih.double().T) * weights.scale_ih.T + (code_h(h) / code_h.factor @ weights.w_hh.double().T) * weights.scale_hh.T
        error = x @ w_ih.T + h @ w_hh.T - z
        assert effects.squared(error - layer.constants[width]).sum().item() == pytest.approx(layer.errors[width], rel=1e-5)
        assert layer.errors[width] < effects.squared(error).sum().item()


def test_fewer_bits_have_larger_effects(toy):
    for layer in toy[3][0][0]:
        assert layer.errors[FOUR] > 10 * layer.errors[EIGHT]
        for narrow, wide in ((FOUR, Width(4, 8, 8)), (FOUR, Width(8, 4, 4)), (Width(5, 5, 5), Width(6, 6, 6)), (Width(6, 6, 6), EIGHT)):
            assert layer.errors[narrow] > layer.errors[wide]


def test_rounding_within_limits_is_better_than_to_nearest():
    generator = torch.Generator().manual_seed(1)
    w = torch.randn(40, 24, generator=generator, dtype=torch.float64)
    x = torch.randn(500, 24, generator=generator, dtype=torch.float64) @ torch.randn(24, 24, generator=generator, dtype=torch.float64)
    for bits in (4, 6):
        low, high = limits(bits)
        scale = (w.abs().amax(1, keepdim=True) / high).expand_as(w)
        integers, _ = round_within(w, scale, x.T @ x / 500, (low, high), 500)
        nearest = torch.floor(w / scale + 0.5).clamp(low, high)
        harm = [((x @ (w - scale * rounded).T) ** 2).sum() for rounded in (integers, nearest)]
        assert harm[0] < 0.5 * harm[1]
        assert low <= integers.min() and integers.max() <= high


def test_blocks_of_columns_change_no_integer(monkeypatch):
    generator = torch.Generator().manual_seed(2)
    w, x = (torch.randn(rows, 23, generator=generator, dtype=torch.float64) for rows in (30, 400))
    covariance, scale = (x @ x[:23]).T @ (x @ x[:23]) / 400, torch.full_like(w, 0.4)
    found = []
    for block in (1, 7, 32):
        monkeypatch.setattr(widths, "BLOCK", block)
        found.append(round_within(w, scale, covariance, (-8, 7), 400))
    for integers, harm in found[1:]:
        assert torch.equal(integers, found[0][0]) and torch.allclose(harm, found[0][1])


def test_words_with_exponents_hold_large_and_small_words():
    """Two words: the small one is exact, the large one has steps of 16; nothing leaves the byte."""
    x = torch.cat([torch.arange(-8.0, 8.0).repeat(4), torch.linspace(-128, 119, 64)]).double()
    code = InputCode(4, exponents=True)
    found = code(x, torch.ones(128))
    assert found.shape == (1, 128)
    assert torch.equal(found[0, :64], x[:64])
    assert (found[0, 64:] % 16 == 0).all() and (found[0, 64:] - x[64:]).abs().max() <= 8
    assert torch.equal(code.value(found), found[0])


def test_two_vectors_carry_what_one_leaves():
    x = torch.linspace(-7.9, 7.4, 200).double()
    one, two = InputCode(4, 1), InputCode(4, 2)
    errors = [(code.value(code(x, torch.ones(200))) - x).abs().max() for code in (one, two)]
    assert errors[0] > 0.45 and errors[1] < 0.04


def test_h_of_fewer_bits_saturates_at_its_limits():
    assert HiddenCode(4, 8)(torch.tensor([-1.0, -0.5, 0.0, 0.0625, 0.99])).tolist() == [-8, -4, 0, 1, 7]


@pytest.fixture
def study(toy, tmp_path, monkeypatch):
    """A study of the toy, with frozen data, and a cache of its own."""
    network = Toy(layers=2)
    monkeypatch.setattr("models.study.load", lambda name: network)
    monkeypatch.setattr("models.study.frozen_steps", lambda name, part: {Part.FIT: 240, Part.HELD_OUT: 960}[part])
    monkeypatch.setattr("models.cache.FOLDER", tmp_path)
    return RivalStudy("toy", Settings(), fit_steps=240)


def test_random_has_the_shares_of_sensitivity(study):
    """By layer and gate, at each multiplier, and other levels with each seed."""
    inputs = [sample.inputs for sample in study.network.samples(Part.FIT)]
    for log2_lambda in (-26.0, -20.0):
        own, chance = study.quantized(DESIGN), study.quantized(Shares(DESIGN))
        own.set_log2_lambda(Policy.SENSITIVITY, log2_lambda)
        expected = own.shares(own.run(inputs, Policy.SENSITIVITY))
        chance.set_log2_lambda(Policy.RANDOM, log2_lambda)
        assert chance.learned == expected
        found = chance.run(inputs, Policy.RANDOM)
        for a, b in zip(expected[0], chance.shares(found)[0]):
            assert torch.allclose(torch.tensor(a), torch.tensor(b), atol=0.06)
        assert not torch.equal(found.rows[0][0], chance.run(inputs, Policy.RANDOM, seed=1).rows[0][0])
    assert isinstance(chance, RandomNetwork)


def test_a_layer_whose_rows_are_refined_often_takes_all_quarters_at_once(study):
    """By energy: both layers where all rows are refined, none where none is, and one between; a layer of STATIC_HIGH decides nothing, the other one goes on."""
    inputs = [sample.inputs for sample in study.network.samples(Part.FIT)]
    frugal, own = (study.quantized(design) for design in (Frugal(replace(Design(), cost="energy")), replace(Design(), cost="energy")))
    chosen = {}
    for log2_lambda in (40.0, *range(-20, -60, -1), -100.0):
        frugal.set_log2_lambda(Policy.SENSITIVITY, log2_lambda)
        own.set_log2_lambda(Policy.SENSITIVITY, log2_lambda)
        policies = tuple(layer.policy for layer in frugal.directions[0].layers)
        found, dynamic = frugal.run(inputs, Policy.SENSITIVITY), own.run(inputs, Policy.SENSITIVITY)
        for policy, rows, before in zip(policies, found.rows[0], dynamic.rows[0]):
            assert policy == Policy.SENSITIVITY or not rows[:-1].any()
            assert policy == Policy.STATIC_HIGH or before[0].any()
        high, plain = (energy_over_high(q, [[part.sum((1, 2)).tolist() for part in run.rows[0]]]) for q, run in ((frugal, found), (own, dynamic)))
        assert high <= min(1, plain) + 0.02  # the levels of one layer move those of the other a little
        chosen.setdefault(policies.count(Policy.STATIC_HIGH), log2_lambda)
    assert list(chosen) == [0, 1, 2]
    assert frugal.run(inputs, Policy.STATIC_LOW).rows[0][0][1:].sum() == 0
    assert {layer.policy for layer in own.directions[0].layers} == {Policy.SENSITIVITY}, "the design's own network keeps its policies"


def test_points_of_rivals(study):
    """Widths and shares are points of a study like any other, each at its multiplier, and are found again."""
    use = Use.SEARCH
    high = study.point(use, DESIGN, Policy.STATIC_HIGH)
    for design, policy in ((Widths(), Policy.STATIC_HIGH), (Widths("quarters"), Policy.STATIC_HIGH), (Shares(DESIGN), Policy.RANDOM)):
        low, fast = (study.point(use, design, policy, log2_lambda) for log2_lambda in (-60.0, 20.0))
        assert low.over_high < 1.6 and fast.over_high == pytest.approx(4, abs=0.01)
        assert fast.error > 3 * max(low.error, high.error)
        assert study.point(use, design, policy, 20.0).errors.tolist() == fast.errors.tolist()
    found = study.widths_at(Widths(), 20.0)
    assert found["widths"] == [[FOUR._asdict()] * 2] and found["speeds"]["ideal"] == 4
    assert study.quantized(Widths()).directions[0].fitted[0].size == (INPUTS, UNITS)


def test_rivals_are_calibrated_for_themselves(study, monkeypatch):
    """Through the command's own steps: each has a multiplier, a sweep on SEARCH and what it gives on CHECK."""
    monkeypatch.setattr("models.study.test_sizes", lambda name: [20.0] * 4000)
    calibrate = import_module("models.quarters.calibrate")
    monkeypatch.setattr("models.calibration.POINTS", 2)
    monkeypatch.setattr("models.calibration.STEP", 4.0)
    monkeypatch.setattr(calibrate, "STARTS", dict.fromkeys(calibrate.STARTS, -20.0))
    found = {}
    for task in calibrate.tasks(calibrate.DESIGN)[-2:]:
        one = calibrate.calibrate(study, task, 100.0, lambda steps: None)
        json.dumps(one)
        assert len(one["sweep"]) == 2 and one["check"]["over_high"] >= 1
        found[task.label] = one
    ideal, random = found.values()
    assert ideal["check"]["speed"] == ideal["speeds"]["ideal"] > 1
    assert len(ideal["widths"][0]) == 2
    errors = [seed["excess"] for seed in random["seeds"]]
    assert len(set(errors)) == 3 and errors[0] == random["check"]["excess"]
