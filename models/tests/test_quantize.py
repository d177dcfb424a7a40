# SPDX-License-Identifier: MIT
"""Quantization against torch.nn.LSTM in float, calibration, and refusals."""

import copy
import random

import pytest
import torch
from torch import nn

import models.quantize
from models.effects import CELL_FLOOR, Effects
from models.formats import Level
from models.layer import split_activations, split_planes
from models.levels import LEVELS
from models.policies import BUILD_POLICIES, DECIDING, Policy
from models.quantize import quantize
from models.tests import scalar_reference
from models.thresholds import set_log2_lambda

LENGTHS = (25, 7, 40, 1, 33)
# Largest |h - float h| of STATIC_HIGH over inputs of the calibration's range, and its root mean square. Rounding h alone errs by
# 1/240 = 0.0042 and 1/240 / sqrt(3) = 0.0024; weights and inputs of 8 bits (of which the largest may be cut to 119 / 127) and the recurrence add the rest.
MAX_ERROR, RMS_ERROR = 0.017, 0.004


def samples(lstm, seed=0, lengths=LENGTHS, scale=1.0):
    """Bounded inputs, so that no input exceeds the calibration."""
    generator = torch.Generator().manual_seed(seed)
    return [scale * (2 * torch.rand(length, lstm.input_size, generator=generator) - 1) for length in lengths]


def network(inputs=20, units=24, seed=0, gain=1.0, **options):
    torch.manual_seed(seed)
    lstm = nn.LSTM(inputs, units, **options).eval()
    with torch.no_grad():
        for parameter in lstm.parameters():
            parameter *= gain
    return lstm


def float_h(lstm, sample):
    with torch.no_grad():
        return lstm(sample.unsqueeze(0 if lstm.batch_first else 1))[0].squeeze(0 if lstm.batch_first else 1)


def errors(lstm, q, inputs, policy):
    """h less that of the float network, of all samples."""
    q = q.for_policy(policy)
    runs = [(q.run(q.quantize_input(sample).unsqueeze(0), policy), sample) for sample in inputs]
    return torch.cat([run.h[0] / 120 - float_h(lstm, sample) for run, sample in runs])


def rms(error):
    return error.square().mean().sqrt().item()


@pytest.mark.parametrize("options", [
    {}, {"num_layers": 3}, {"bias": False}, {"batch_first": True}, {"num_layers": 2, "dropout": 0.5}, {"inputs": 1, "units": 1},
    {"inputs": 3, "units": 50}, {"inputs": 70, "units": 5},
], ids=str)
def test_high_precision_is_close_to_float(options):
    lstm = network(**options)
    q = quantize(lstm, samples(lstm))
    error = errors(lstm, q, samples(lstm, seed=1), Policy.STATIC_HIGH)
    assert error.abs().max() < MAX_ERROR
    assert rms(error) < RMS_ERROR


def test_precision_orders_the_errors():
    """Large weights, so that precision matters: high < SENSITIVITY < CELL_HISTORY < all low."""
    lstm = network(units=64, gain=3)
    q = quantize(lstm, samples(lstm))
    found = {policy: rms(errors(lstm, q, samples(lstm, seed=1), policy)) for policy in BUILD_POLICIES}
    high, low, history, sensitivity = (found[policy] for policy in (Policy.STATIC_HIGH, Policy.STATIC_LOW, Policy.CELL_HISTORY, Policy.SENSITIVITY))
    assert all(2 * high < found[policy] < 0.7 * low for policy in DECIDING)
    assert 2 * high < sensitivity < history < 0.7 * low
    assert sensitivity < 0.02


def test_low_share_on_calibration_meets_its_target():
    """Of all policies that decide, to the quarter of a unit of log2_lambda."""
    lstm = network(units=48, num_layers=2)
    calibration = samples(lstm, lengths=(30,) * 6)
    for target in (0.8, 0.5, 0.7):
        q = quantize(lstm, calibration, low_share=target)
        x = q.quantize_input(torch.stack(calibration))
        for policy in DECIDING:
            of_policy = q.for_policy(policy)
            assert {layer.policy for layer in of_policy.layers} == {policy}
            assert of_policy.run(x).low_share == pytest.approx(target, abs=0.06)
        assert torch.equal(q.run(x).levels[0], q.run(x, Policy.SENSITIVITY).levels[0])


def test_levels_of_cell_history_are_those_of_its_errors():
    """Thresholds go by the mean of 2**X, here one frame after the other, over the expected error that STATIC_ROWS goes by."""
    lstm = network(units=6)
    calibration = samples(lstm)
    q = quantize(lstm, calibration)
    sums = torch.zeros(6, 4, dtype=torch.float64)
    for sample in calibration:
        c = q.run(q.quantize_input(sample).unsqueeze(0), Policy.STATIC_HIGH).layer_c[0][0].tolist()
        before, history = [0] * 6, [0] * 6
        for state in c:
            for unit, (old, new) in enumerate(zip(before, state)):
                change, size = history[unit] >> 2, scalar_reference.size(abs(old)) >> 1
                sums[unit] += torch.tensor([2.0**change, 2.0**size] * 2)
                history[unit] = max(scalar_reference.size(abs(new - old)), history[unit] - 1)
            before = state
    history, rows = (q.row_offsets[0][policy][CELL_FLOOR] for policy in (Policy.CELL_HISTORY, Policy.STATIC_ROWS))
    assert torch.allclose(history - rows, (sums / sum(LENGTHS)).log2().expand_as(rows))


@pytest.mark.parametrize("policy", DECIDING)
def test_thresholds_move_all_rows_alike(policy):
    """A log2_lambda higher by one is theta + 1 everywhere; a part of it moves as many rows."""
    lstm = network(num_layers=3)
    q = quantize(lstm, samples(lstm))

    def thresholds(log2_lambda):
        set_log2_lambda(q, policy, log2_lambda)
        return torch.cat([(torch.tensor(layer.theta).unsqueeze(1) + layer.offset)[0] for layer in q.layers])

    assert torch.equal(thresholds(-19.0), thresholds(-20.0) + 1)
    moved = thresholds(-19.7) - thresholds(-20.0)
    assert set(moved.flatten().tolist()) == {0, 1}
    assert moved.double().mean() == pytest.approx(0.3, abs=0.1)


def test_static_rows_are_those_of_the_largest_error_in_every_step():
    lstm = network()
    q = quantize(lstm, samples(lstm))
    row_offset = q.row_offsets[0][Policy.STATIC_ROWS][CELL_FLOOR]
    set_log2_lambda(q, Policy.STATIC_ROWS, -row_offset[0].median().item() - 0.5, own_offsets=True)
    levels = q.run(q.quantize_input(samples(lstm)[0]).unsqueeze(0), Policy.STATIC_ROWS).levels[0][0]
    refined = row_offset[0] < row_offset[0].median()
    assert torch.equal(levels > Level.LOWEST, refined.expand_as(levels)) and refined.any()


def test_errors_that_matter_less_are_left():
    """A unit that the loss does not depend on is refined less, another more, at the same share."""
    lstm = network(gain=2)
    calibration = samples(lstm)
    x = nn.utils.rnn.pad_sequence(calibration, batch_first=True)
    gradients = torch.full((1, *x.shape[:2], 4, lstm.hidden_size), 1.0)
    gradients[..., :12] = 0.03
    refinements = torch.tensor(quantize(lstm, calibration, gradients=[gradients.flatten(3)]).refinements[0])
    assert 2 * refinements[:12].mean() < refinements[12:].mean()


def test_effects_of_a_sequence_add_up():
    """Errors that keep their sign do more than those that change it; a constant takes the first away, not the second."""
    effects = Effects(torch.ones(1, 20, 2), torch.arange(20) // 10)
    errors = torch.ones(20, 2, dtype=torch.float64)
    errors[1::2, 1] = -1
    assert effects.squared(errors).tolist() == [10.0, 0.0]  # two sequences of 10 frames: 2 * 10 ** 2 / 20
    assert effects.constant(errors).tolist() == [1.0, 0.0]
    alone = Effects(torch.ones(1, 20, 2), torch.arange(20))
    assert alone.squared(errors).tolist() == [1.0, 1.0]
    nothing = Effects(torch.zeros(1, 20, 2), torch.arange(20))
    assert nothing.constant(errors).tolist() == [1.0, 0.0]  # means, where nothing tells more


def test_some_frames_are_those_of_whole_sequences():
    sequence = torch.arange(12_000) // 100
    chosen = Effects(torch.ones(1, 12_000, 1), sequence).some(2000)
    assert 1000 <= chosen.sum() <= 3000 and len(sequence[chosen].unique()) * 100 == chosen.sum()
    uneven = torch.repeat_interleave(torch.tensor([1, 6000, 6000]))
    assert Effects(torch.ones(1, 12_001, 1), uneven).some(2000).sum() >= 1000


def test_every_policy_deals_by_its_own_refinements():
    lstm = network(gain=2)
    calibration = samples(lstm)
    q = quantize(lstm, calibration)
    for policy in DECIDING:
        assert q.for_policy(policy).refinements == quantize(lstm, calibration, policy=policy).refinements
    assert q.for_policy(Policy.CELL_HISTORY).refinements != q.for_policy(Policy.SENSITIVITY).refinements


def test_a_constant_is_the_best_one():
    torch.manual_seed(1)
    effects, values = Effects(torch.randn(2, 60, 3), torch.arange(60) // 7), torch.randn(60, 3, dtype=torch.float64)
    best = effects.constant(values)
    assert all((effects.squared(values - best) < effects.squared(values - best - step)).all() for step in (-0.01, 0.01))


@pytest.mark.parametrize("levels", ["HH 3/4 all", "HL all"])
def test_low_bias_replaces_the_mean_of_the_missing_quarters(levels):
    """With gradients that are the same in all frames, and sequences of one length; a layer's own input has no exponents here."""
    lstm = network(num_layers=2, gain=2)
    calibration = samples(lstm, lengths=[20] * 5)
    q = quantize(lstm, calibration, terms=2, gradients=[torch.ones(1, 5, 20, 4 * lstm.hidden_size)] * 2, levels=LEVELS[levels])
    missing = [torch.zeros(layer.units, 4, dtype=torch.float64) for layer in q.layers]
    for sample in calibration:
        x = q.quantize_input(sample).unsqueeze(0)
        run = q.run(x, Policy.STATIC_HIGH)
        segments = [x[0, :, term] for term in range(2)]
        for number, layer in enumerate(q.layers):
            before = torch.cat((torch.zeros(1, layer.units), run.layer_h[number][0, :-1]))
            lowest, kinds = layer.levels[0], (0, 1, 2) if number == 0 else (0, 2)
            for values, weights, m in zip((*segments, before), (layer.w_ih,) * len(segments) + (layer.w_hh,), kinds):
                values, (upper, _) = values.long(), split_planes(weights.long())
                ah, e = split_activations(values, layer.exponents and m < 2)
                here = {0: 0 * ah, 1: ah << e, 2: values}[lowest[m]].double() @ (16 * upper).double().T
                products = (values.double() @ weights.double().T - here).unflatten(1, (4, layer.units)).transpose(1, 2)
                missing[number] += (products * layer.m[..., m] / 2.0 ** layer.s).sum(0)
            segments = [run.layer_h[number][0]]
    for layer, total in zip(q.layers, missing):
        assert ((layer.b_level[0] - layer.b) - total / 100).abs().max() <= 0.5 + 1e-6
        assert (layer.b_level[0] != layer.b).any() and (layer.b_level[1:] == layer.b).all()


def test_refinements_are_those_of_the_calibration():
    """In rows of all quarters: of HH to 3/4 two of the four are added, to all quarters three, of an input and h of one word each."""
    lstm = network(num_layers=2, gain=2)
    calibration = samples(lstm)
    q = quantize(lstm, calibration)
    totals = [torch.zeros(layer.units) for layer in q.layers]
    for sample in calibration:
        for total, levels in zip(totals, q.run(q.quantize_input(sample).unsqueeze(0)).levels):
            total += torch.tensor([0.0, 0.5, 0.75])[levels.long()].sum((0, 1, 3))
    for total, refinements in zip(totals, q.refinements):
        assert (total / sum(LENGTHS)).tolist() == pytest.approx(refinements)


def test_inputs_of_many_decades_get_two_terms():
    """Power spectra: quiet frames and loud ones, weights that need the quiet ones."""
    lstm = network(gain=3)
    generator = torch.Generator().manual_seed(0)
    decades = [torch.pow(10.0, 5 * torch.rand(30, 1, generator=generator) - 3) * torch.rand(30, 20, generator=generator) for _ in range(4)]
    q = quantize(lstm, decades)
    assert q.layers[0].terms == 2 and len(q.input_scales) == 2
    one = quantize(lstm, decades, terms=1)
    assert one.layers[0].terms == 1
    assert 4 * rms(errors(lstm, q, decades, Policy.STATIC_HIGH)) < rms(errors(lstm, one, decades, Policy.STATIC_HIGH))


def test_two_terms_carry_16_bits():
    lstm = network()
    calibration = samples(lstm)
    q = quantize(lstm, calibration, terms=2)
    x = torch.cat(calibration).double()
    scales = torch.stack(q.input_scales)[:, q.order]
    error = ((q.quantize_input(x) * scales).sum(-2) - x[:, q.order]).abs()
    assert (error <= 1.001 * scales[1].abs() / 2)[x[:, q.order] / scales[0] < 119.5].all()  # beyond, they saturate
    assert (q.input_scales[1].abs() < 2e-4).all()


def test_ordinary_inputs_get_one_term():
    for make in (torch.rand, torch.randn):
        lstm = network()
        torch.manual_seed(3)
        calibration = [make(40, 20) for _ in range(4)]
        assert quantize(lstm, calibration).layers[0].terms == 1
    assert quantize(lstm, calibration, terms=2).layers[0].terms == 2
    assert quantize(lstm, [torch.zeros(5, 20)]).layers[0].terms == 1


def test_inputs_saturate_where_gates_do():
    """An input so large that all gates are saturated may be cut; a large one that matters is not."""
    lstm = network()
    calibration = samples(lstm)
    ordinary = quantize(lstm, calibration, terms=1).input_scales[0].abs().median()
    calibration[0][3, 4] = 500.0
    assert quantize(lstm, calibration, terms=1).input_scales[0].abs().median() < 3 * ordinary
    with torch.no_grad():
        lstm.weight_ih_l0[:, 4] *= 1e-3
    assert quantize(lstm, calibration, terms=1).input_scales[0][4].abs() > 200 / 127


def test_rows_of_zeros_and_of_a_bias_alone():
    lstm = network()
    with torch.no_grad():
        lstm.weight_ih_l0[5], lstm.weight_hh_l0[5], lstm.bias_ih_l0[5], lstm.bias_hh_l0[5] = 0, 0, 0, 0
        lstm.weight_ih_l0[30], lstm.weight_hh_l0[30] = 0, 0
        lstm.weight_ih_l0[60] = 0
        lstm.weight_hh_l0[80] = 0
    q = quantize(lstm, samples(lstm))
    layer = q.layers[0]
    assert not layer.m[5, 0].any() and layer.b[5, 0] == 0
    assert layer.b[6, 1] == round((lstm.bias_ih_l0[30] + lstm.bias_hh_l0[30]).item() * 4096)
    assert errors(lstm, q, samples(lstm, seed=1), Policy.STATIC_HIGH).abs().max() < MAX_ERROR


@pytest.mark.parametrize("scale", [1e-12, 1e-3, 1e4, 1e12])
def test_scales_of_any_size(scale):
    """The input in other units, the weights to match: m and s take them up."""
    lstm = network()
    inputs = samples(lstm, scale=scale)
    with torch.no_grad():
        lstm.weight_ih_l0 /= scale
    q = quantize(lstm, inputs)
    assert errors(lstm, q, samples(lstm, seed=1, scale=scale), Policy.STATIC_HIGH).abs().max() < MAX_ERROR


def test_shifts_stay_in_their_range():
    """Rows too small to matter end at the largest shift; rows of large weights at small ones."""
    lstm = network()
    with torch.no_grad():
        lstm.weight_ih_l0[0], lstm.weight_hh_l0[0] = 1e-20, 1e-20
        lstm.weight_ih_l0[1] = 1e5
    layer = quantize(lstm, samples(lstm)).layers[0]
    assert layer.s[0, 0] == 63 and not layer.m[0, 0].any()
    assert 0 <= layer.s[1, 0] < 4


def test_cell_states_that_count_up():
    """An integrator: the cell grows with the steps, and its format with it."""
    lstm = network(inputs=1, units=1)
    with torch.no_grad():
        for parameter in lstm.parameters():
            parameter.zero_()
        lstm.bias_ih_l0[:] = torch.tensor([10.0, 15.0, 3.0, 10.0])
    fraction_bits = [quantize(lstm, [torch.zeros(steps, 1)]).layers[0].c_frac for steps in (1, 5, 30, 130)]
    assert fraction_bits == [14, 12, 9, 8]


def test_quantization_is_deterministic():
    lstm = network(num_layers=2)
    first, second = (quantize(lstm, samples(lstm)) for _ in range(2))
    for one, other in zip(first.layers, second.layers):
        assert all(torch.equal(torch.as_tensor(value), torch.as_tensor(vars(other)[name])) for name, value in vars(one).items())
    assert torch.equal(first.input_scales[0], second.input_scales[0]) and first.refinements == second.refinements


def test_padding_of_short_sequences_changes_nothing():
    """The order of the sequences, and with it who is padded beside whom, does not matter."""
    lstm = network()
    calibration = samples(lstm)
    shuffled = random.Random(0).sample(calibration, len(calibration))
    one, other = quantize(lstm, calibration).layers[0], quantize(lstm, shuffled).layers[0]
    assert torch.equal(one.b_level, other.b_level)
    assert (one.theta, one.c_frac) == (other.theta, other.c_frac)


def spoil(name, index, value):
    lstm = network()
    with torch.no_grad():
        getattr(lstm, name)[index] = value
    return lstm


GOOD = [torch.zeros(4, 20)]
REFUSALS = [
    (nn.GRU(20, 24), GOOD, "expected a torch.nn.LSTM, got GRU"),
    (nn.LSTMCell(20, 24), GOOD, "LSTMCell"),
    (nn.LSTM(20, 24, bidirectional=True), GOOD, "two runs"),
    (nn.LSTM(20, 24, proj_size=8), GOOD, "proj_size=8"),
    (nn.LSTM(20, 1025), GOOD, "1025"),
    (nn.LSTM(1025, 4), [torch.zeros(1, 1025)], "1025"),
    (nn.LSTM(20, 4, num_layers=9), GOOD, "9 layers"),
    (spoil("weight_hh_l0", (3, 4), float("nan")), GOOD, "weight_hh_l0 has values that are NaN"),
    (spoil("bias_ih_l0", 3, float("inf")), GOOD, "bias_ih_l0 has values that are NaN or infinite"),
    (spoil("bias_ih_l0", 25, 33.0), GOOD, "layer 0, gate f, unit 1: bias 3.* is beyond"),
    (spoil("weight_hh_l0", (50, 0), 1e9), GOOD, "layer 0, gate g, unit 2: weights"),
    (network(), [], "calibration is empty"),
    (network(), [torch.zeros(4, 21)], r"shape \(4, 21\), expected \[steps, 20\]"),
    (network(), [torch.zeros(0, 20)], "calibration sequence 0"),
    (network(), [*GOOD, torch.full((2, 20), float("nan"))], "calibration sequence 1 has values that are NaN"),
]


@pytest.mark.parametrize("lstm, calibration, message", REFUSALS, ids=[message for *_, message in REFUSALS])
def test_refusals(lstm, calibration, message):
    with pytest.raises(ValueError, match=message):
        quantize(copy.deepcopy(lstm), calibration)


def test_one_thread_within_and_the_callers_afterwards(monkeypatch):
    """Two threads take three times as long for many small operations."""
    seen, before = [], torch.get_num_threads()
    monkeypatch.setattr(models.quantize, "check", lambda *_: seen.append(torch.get_num_threads()))
    torch.set_num_threads(2)
    try:
        quantize(network(), GOOD)
        assert (seen, torch.get_num_threads()) == ([1], 2)
    finally:
        torch.set_num_threads(before)
