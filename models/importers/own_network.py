# SPDX-License-Identifier: MIT
"""An imported LSTM as a Network: its task is its own output, its data is a file of inputs, or numbers from a range."""

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ..networks.network import Network, Sample
from ..quantized_network import QuantizedNetwork
from .arrays import read_array
from .imported import ImportedLSTM, ImportFailure

TEST_PART = 4  # one in so many sequences, or steps of the only one
RANDOM_SEQUENCES, RANDOM_STEPS = 32, 128


class OwnNetwork(Network):
    """labels of the samples are the outputs of the float LSTM, [steps, outputs].

    calibration, test: lists of float [steps, inputs]. about: where these inputs come from, in words. Sequences of the samples, hidden states
    and outputs are in the order in which the LSTM takes them.
    """

    metric_name = "signal to error of h, dB"

    def __init__(self, name: str, imported: ImportedLSTM, calibration: list[Tensor], test: list[Tensor], about: str):
        self.name, self.imported, self.about = name, imported, about
        self.lstm = imported.lstms[-1]
        self._calibration, self._test = calibration, test

    def calibration(self, steps: int | None = None) -> list[Sample]:
        return self._first(self._calibration, steps)

    def test(self, steps: int | None = None) -> list[Sample]:
        return self._first(self._test, steps)

    def quantize(self, steps: int | None = None) -> QuantizedNetwork:
        """Quantized on the first steps of the calibration."""
        return self.imported.quantize([self.imported.directed(sample.inputs) for sample in self.calibration(steps)])

    def head(self, sample: Sample, hidden: Sequence[Tensor]) -> Tensor:
        return hidden[-1]

    def metric(self, samples: Sequence[Sample], outputs: Sequence[Tensor]) -> float:
        """Power of the float outputs over that of the error, in dB."""
        exact = torch.cat([sample.labels for sample in samples])
        error = (torch.cat(list(outputs)) - exact).square().sum().item()
        return 10 * math.log10(exact.square().sum().item() / error) if error and exact.any() else math.inf

    def float_outputs(self, samples: list[Sample]) -> list[Tensor]:
        return [sample.labels for sample in samples]

    def _first(self, sequences, steps):
        """As many steps as there are, up to so many; the last sequence may be cut."""
        samples, left = [], steps if steps is not None else sum(map(len, sequences))
        for number, sequence in enumerate(sequences):
            if left > 0:
                part = sequence[:left]
                directed = self.imported.directed
                samples.append(Sample(directed(part), directed(self.imported(part)), f"{number}"))
                left -= len(part)
        return samples


def read_inputs(path: Path, size: int) -> tuple[list[Tensor], list[Tensor], str]:
    """(calibration, test, words about them) from a file of numpy.save: [steps, size], or [sequences, steps, size].

    No sequence is in both; the only one of a file is split in time. Raises ImportFailure that says what to do, and FileNotFoundError.
    """
    values = read_array(path)
    if values.ndim not in (2, 3) or values.shape[-1] != size or 0 in values.shape:
        raise ImportFailure(f"{path.name}: shape {list(values.shape)}; the LSTM takes [steps, {size}] or [sequences, steps, {size}]")
    if not np.isfinite(values).all():
        raise ImportFailure(f"{path.name}: values that are NaN or infinite; leave these steps out")
    with np.errstate(over="ignore"):
        numbers = values.astype(np.float32)
    if not np.isfinite(numbers).all():
        raise ImportFailure(f"{path.name}: values up to {np.abs(values).max():.3g}, beyond float32; save the inputs as the LSTM saw them in training")
    sequences = list(torch.from_numpy(numbers).reshape(-1, *values.shape[-2:]))
    if len(sequences) == 1:
        steps = len(sequences[0])
        if steps < 2:
            raise ImportFailure(f"{path.name}: one step; calibration and test need one each")
        test = max(1, steps // TEST_PART)
        about = f"the one sequence of {path.name}, split in time: {steps - test} steps calibrate, the last {test} test from zero state"
        return [sequences[0][:-test]], [sequences[0][-test:]], about
    test = max(1, len(sequences) // TEST_PART)
    about = f"{path.name}: {len(sequences) - test} sequences calibrate, the last {test} test"
    return sequences[:-test], sequences[-test:], about


def random_inputs(low: float, high: float, size: int, seed: int) -> tuple[list[Tensor], list[Tensor], str]:
    """As read_inputs, with numbers of a range, each as likely as the others."""
    generator = torch.Generator().manual_seed(seed)
    values = low + (high - low) * torch.rand(RANDOM_SEQUENCES, RANDOM_STEPS, size, generator=generator)
    half = RANDOM_SEQUENCES // 2
    about = f"random numbers from {low:g} to {high:g}, as there is no INPUTS=file.npy: accuracy and low share hold for such inputs only"
    return list(values[:half]), list(values[half:]), about
