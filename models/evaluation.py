# SPDX-License-Identifier: MIT
"""What a precision policy costs and gains on a network's task: metrics, intervals and shares."""

from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from torch import Tensor

from .formats import Policy
from .networks import Network, Sample
from .quantized_network import NetworkRun, Progress, QuantizedNetwork

REPLICATES = 1000
SLOW_REPLICATES = 400  # of metrics that are no means over samples
PART_STEPS = 1 << 17  # of samples that are run at once


@dataclass
class Estimate:
    """An estimate of the metric of a task, with its 95 % interval, and its replicates (float64 [replicates]), all in the unit of the metric."""

    value: float
    replicates: np.ndarray

    @property
    def interval(self) -> tuple[float, float]:
        """(low, high) of 95 %, in the unit of the metric."""
        return interval(self.replicates)


def interval(replicates: np.ndarray) -> tuple[float, float]:
    """95 % percentile interval (low, high) of replicates [replicates]; those that are NaN are left out."""
    return tuple(float(end) for end in np.nanquantile(replicates, (0.025, 0.975)))


class Bootstrap:
    """Resamples the groups (speakers, documents, images) of a list of samples with replacement: always the same draws.

    `estimate(outputs)` of two policies have paired replicates, whose differences give the paired interval. group: place of each sample's group, [samples]; members:
    places of the samples of each group; draws: how often each group is drawn, [REPLICATES, groups].
    """

    def __init__(self, network: Network, samples: list[Sample], seed: int = 0):
        self.network, self.samples = network, samples
        names = list(dict.fromkeys(sample.group for sample in samples))
        places = {name: place for place, name in enumerate(names)}
        self.group = np.array([places[sample.group] for sample in samples])
        self.members = [np.flatnonzero(self.group == place) for place in range(len(names))]
        self.draws = np.random.default_rng(seed).multinomial(len(names), np.full(len(names), 1 / len(names)), size=REPLICATES)

    def mean(self, values: np.ndarray, weights: np.ndarray) -> Estimate:
        """A weighted mean of values of the samples, both float [samples], in the unit of the values."""
        sums, counts = np.bincount(self.group, weights * values), np.bincount(self.group, weights)
        return Estimate(float(sums.sum() / counts.sum()), self.draws @ sums / (self.draws @ counts))

    def estimate(self, outputs: list[Tensor]) -> Estimate:
        """The metric of one head output a sample, each of the network's own shape. Means over samples, each with its weight, are found to be such, and resampled as
        group sums, REPLICATES times; other metrics are computed anew, SLOW_REPLICATES times, and are NaN where one kind is missing."""
        value = self.network.metric(self.samples, outputs)
        single = np.array([self.network.metric([sample], [output]) for sample, output in zip(self.samples, outputs)])
        weights = np.array([self.network.weight(sample) for sample in self.samples])
        if abs(np.average(single, weights=weights) - value) < 1e-6 * max(1, abs(value)):
            return Estimate(value, self.mean(single, weights).replicates)

        @cache
        def resampled(draw):
            chosen = np.concatenate([np.repeat(members, times) for members, times in zip(self.members, draw)])
            return self.network.metric([self.samples[index] for index in chosen], [outputs[index] for index in chosen])

        replicates = np.array([resampled(tuple(draw)) for draw in self.draws[:SLOW_REPLICATES].tolist()])  # NaN where one kind is missing
        return Estimate(value, replicates)


def margin(network: Network, base: float) -> float:
    """How much worse a metric may be without loss, in its own unit, from the float network's metric on the same samples.

    Half a percent of bits. Of a rate half a point, or a tenth of the float network's error where that is less: half a point is a fifth of an error of 2.5 %.
    """
    if network.own_margin is not None:
        return network.own_margin
    if network.relative_margin:
        return 0.005 * abs(base)
    return min(0.005, 0.1 * (1 - base if network.higher_is_better else base))


def loss(network: Network, base: float, reference: float | np.ndarray, metric: float | np.ndarray) -> float | np.ndarray:
    """How much worse a metric is than a reference, in margins, of figures or replicates [replicates] alike, both in the metric's unit.

    base: the float network's metric on the same samples.
    """
    return (reference - metric) / margin(network, base) * (1 if network.higher_is_better else -1)


def no_loss(losses: np.ndarray) -> bool:
    """Non-inferiority: the unfavourable end of the 95 % interval of replicates [replicates] of a paired loss, in margins, stays within one margin."""
    return bool(interval(losses)[1] <= 1)


def outputs(network: Network, samples: list[Sample], run: NetworkRun) -> list[Tensor]:
    """Head outputs of a NetworkRun over the samples, one a sample, float64 of the shape that `network.head` gives it."""
    with torch.no_grad():
        return [network.head(sample, hidden) for sample, hidden in zip(samples, run.hidden)]


def evaluate(network: Network, quantized: QuantizedNetwork, samples: list[Sample], policy: Policy, shares: list | None = None, seed: int = 0,
             progress: Progress = lambda steps: None) -> tuple[list[Tensor], NetworkRun]:
    """(head outputs of all samples, NetworkRun without its hidden states): a part at a time, as hidden states take room.

    shares [direction][layer][gate][level] and seed: of RANDOM, as of QuantizedNetwork.run. progress is called with the steps of each batch. Raises ValueError as
    QuantizedLSTM.run.
    """
    found, runs = [], []
    for part in _parts(samples):
        run = quantized.run([sample.inputs for sample in part], policy, shares, seed, progress)
        found += outputs(network, part, run)
        runs.append(run)
    rows = [[sum(counts) for counts in zip(*layers)] for layers in zip(*(run.rows for run in runs))]
    sequence_rows = [[torch.cat(counts) for counts in zip(*layers)] for layers in zip(*(run.sequence_rows for run in runs))]
    return found, NetworkRun([], rows, sequence_rows, sum(run.steps for run in runs))


def _parts(samples):
    """Samples that follow each other, of PART_STEPS or a little more, the last part of fewer."""
    part, steps = [], 0
    for sample in samples:
        part.append(sample)
        steps += len(sample.inputs)
        if steps >= PART_STEPS:
            yield part
            part, steps = [], 0
    if part:
        yield part


def spread(samples: list[Sample], steps: int) -> list[Sample]:
    """Whole samples, evenly spread over a list, that hold so many steps or a few more (all samples, if there are not so many steps)."""
    chosen, total = [], sum(len(sample.inputs) for sample in samples)
    stride = max(1, int(total / (steps + 1)))
    for sample in samples[::stride]:
        if steps <= 0:
            break
        chosen.append(sample)
        steps -= len(sample.inputs)
    return chosen
