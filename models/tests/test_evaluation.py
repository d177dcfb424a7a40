# SPDX-License-Identifier: MIT
"""Figures with their intervals, "no loss", and cycles over samples."""

import numpy as np
import pytest
import torch

from models import evaluation
from models.build import Build
from models.compiler import compile_image
from models.cycle_model import CycleModel
from models.evaluation import Bootstrap, evaluate, interval, loss, no_loss, spread
from models.network_cycles import cycles
from models.networks import Sample
from models.policies import Policy
from models.quantized_network import quantize_network
from models.tests.toy_network import STEPS, Toy

SMALL = Build(tiles=2, lanes=8, weight_depth=1024, unit_depth=32, activation_depth=32)


@pytest.fixture(scope="module")
def toy():
    return Toy()


@pytest.fixture(scope="module")
def samples(toy):
    return toy.test()


def answers(samples, right):
    """Outputs that are right for the samples where `right` is true."""
    return [torch.tensor([1.0 if bool(sample.labels) == bool(flag) else -1.0]) for sample, flag in zip(samples, right)]


def test_an_interval_covers_the_middle_of_the_replicates():
    assert interval(np.arange(1001.0)) == pytest.approx((25, 975))
    assert interval(np.array([1.0, np.nan, 3.0])) == pytest.approx((1.05, 2.95))


@pytest.mark.parametrize("weighted", [False, True])
def test_means_are_resampled_as_whole_groups(toy, samples, monkeypatch, weighted):
    """The fast way of means equals the figure of the samples drawn, for each draw."""
    if weighted:
        weight = {id(sample): 1 + index % 4 for index, sample in enumerate(samples)}
        single = Toy.metric
        monkeypatch.setattr(Toy, "weight", lambda self, sample: weight[id(sample)])
        monkeypatch.setattr(Toy, "metric", lambda self, chosen, outputs: np.average(
            [single(self, [sample], [output]) for sample, output in zip(chosen, outputs)], weights=[weight[id(sample)] for sample in chosen]))
    outputs = answers(samples, [index % 3 for index in range(len(samples))])
    bootstrap = Bootstrap(toy, samples)
    estimate = bootstrap.estimate(outputs)
    assert estimate.value == toy.metric(samples, outputs)
    assert len(estimate.replicates) == len(bootstrap.draws)
    for draw, replicate in list(zip(bootstrap.draws, estimate.replicates))[:50]:
        chosen = [index for group, times in enumerate(draw) for _ in range(times) for index in (2 * group, 2 * group + 1)]
        assert replicate == pytest.approx(toy.metric([samples[index] for index in chosen], [outputs[index] for index in chosen]))


def test_figures_that_are_no_means_are_computed_for_each_draw(toy, samples, monkeypatch):
    monkeypatch.setattr(Toy, "metric", lambda self, chosen, outputs: float(len({sample.group for sample in chosen})))
    bootstrap = Bootstrap(toy, samples)
    replicates = bootstrap.estimate(answers(samples, [1] * len(samples))).replicates
    assert replicates.tolist() == [float((draw > 0).sum()) for draw in bootstrap.draws[:len(replicates)]]


def test_draws_are_the_same_on_every_call(toy, samples):
    assert (Bootstrap(toy, samples).draws == Bootstrap(toy, samples).draws).all()


@pytest.mark.parametrize("higher, relative, base, value, expected", [
    (True, False, 0.9, 0.80, 2.0), (True, False, 0.9, 0.82, -2.0), (False, False, 0.1, 0.82, 2.0), (True, False, 0.98, 0.80, 5.0), (False, True, 2.0, 0.83, 2.0),
    (False, True, 2.0, 0.79, -2.0),
])
def test_losses_are_in_margins(toy, monkeypatch, higher, relative, base, value, expected):
    """Half a point, a tenth of an error of 2 %, half a percent of bits."""
    monkeypatch.setattr(Toy, "higher_is_better", higher)
    monkeypatch.setattr(Toy, "relative_margin", relative)
    assert loss(toy, base, 0.81, value) == pytest.approx(expected)
    assert loss(toy, base, np.array([0.81, 0.81]), np.array([value, 0.81])) == pytest.approx([expected, 0])


@pytest.mark.parametrize("value, width, expected", [(0.0, 0.0, True), (0.8, 0.0, True), (1.2, 0.0, False), (0.0, 0.9, True), (0.0, 1.2, False), (-2.0, 1.2, True)])
def test_no_loss_is_non_inferiority(value, width, expected):
    """The margin is 1; the upper end counts, a gain never hurts."""
    assert no_loss(value + width * np.linspace(-1, 1, 1001)) is expected


def test_samples_are_spread_over_the_list():
    samples = [Sample(torch.zeros(10, 1), torch.zeros(1), str(number)) for number in range(100)]
    assert [sample.group for sample in spread(samples, 45)] == ["0", "21", "42", "63", "84"]
    assert spread(samples, 1000) == samples == spread(samples, 5000)
    assert len(spread(samples, 1)) == 1


@pytest.mark.parametrize("bidirectional, layers", [(False, 2), (True, 2)])
def test_parts_of_an_evaluation_are_the_whole(monkeypatch, bidirectional, layers):
    toy = Toy(bidirectional, layers)
    samples = toy.test()
    quantized = quantize_network(toy.lstm, [sample.inputs for sample in toy.calibration()])
    whole = quantized.run([sample.inputs for sample in samples], Policy.SENSITIVITY)
    monkeypatch.setattr(evaluation, "PART_STEPS", 7 * STEPS)
    found, run = evaluate(toy, quantized, samples, Policy.SENSITIVITY)
    assert [float(output) for output in found] == [float(toy.head(sample, hidden)) for sample, hidden in zip(samples, whole.hidden)]
    assert run.steps == whole.steps == len(samples) * STEPS
    assert quantized.shares(run) == quantized.shares(whole) and quantized.refinements(run) == quantized.refinements(whole)
    singly = [quantized.run([sample.inputs], Policy.SENSITIVITY) for sample in samples]
    assert quantized.time_over_baseline(run).tolist() == pytest.approx([1 / quantized.speedup(one) for one in singly])
    assert len({quantized.speedup(one) for one in singly}) > 1 and quantized.time_over_baseline(run).mean() == pytest.approx(1 / quantized.speedup(run))


def test_cycles_of_directions_add_up_and_sequences_follow_each_other():
    toy = Toy(bidirectional=True)
    samples = toy.test()[:3]
    quantized = quantize_network(toy.lstm, [sample.inputs for sample in toy.calibration()]).for_policy(Policy.CELL_HISTORY)
    expected = 0
    for part, inputs in zip(quantized.directions, ([sample.inputs for sample in samples], [sample.inputs.flip(0) for sample in samples])):
        runs = [part.run(part.quantize_input(sequence)[None], Policy.CELL_HISTORY) for sequence in inputs]
        levels = [torch.cat([run.levels[0][0] for run in runs])]
        expected += CycleModel(part, SMALL, levels, compile_image(part, SMALL).order, Policy.CELL_HISTORY).cycles()
    assert cycles(quantized, samples, Policy.CELL_HISTORY, SMALL) == expected
