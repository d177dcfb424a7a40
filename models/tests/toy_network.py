# SPDX-License-Identifier: MIT
"""A network of a few units with a task of its own, for tests of calibration and evaluation."""

import torch
from torch import nn

from models.networks import Network, Part, Sample

STEPS, INPUTS, UNITS = 12, 5, 6


class Toy(Network):
    """Is the mean of the outputs positive? 40 groups of two sequences in the test, 20 in the calibration."""

    name, metric_name = "toy", "share of answers that are right"

    def __init__(self, bidirectional=False, layers=1):
        torch.manual_seed(3)
        self.lstm = nn.LSTM(INPUTS, UNITS, layers, bidirectional=bidirectional).requires_grad_(False)

    def calibration(self, steps=None):
        return self._samples(20, seed=1, steps=steps)

    def test(self, steps=None):
        return self._samples(40, seed=2, steps=steps)

    def samples(self, part, steps=None):
        groups, seed = {Part.FIT: (10, 3), Part.HELD_OUT: (40, 4), Part.TEST: (40, 5)}[part]
        return self._samples(groups, seed, steps)

    def head(self, sample, hidden):
        return 8 * hidden[-1].mean().reshape(1)

    def metric(self, samples, outputs):
        return sum(float(bool(output > 0) == bool(sample.labels)) for sample, output in zip(samples, outputs)) / len(samples)

    def _samples(self, groups, seed, steps):
        generator = torch.Generator().manual_seed(seed)
        samples = []
        for number in range(2 * groups):
            inputs = torch.randn(STEPS, INPUTS, generator=generator)
            label = torch.tensor(bool(torch.rand((), generator=generator) < 0.7))
            samples.append(Sample(inputs, label, f"group {number // 2}"))
        if steps is not None and steps > len(samples) * STEPS:
            raise ValueError(f"toy has {len(samples) * STEPS} steps, not {steps}")
        return samples if steps is None else samples[:-(-steps // STEPS)]
