# SPDX-License-Identifier: MIT
"""The user's LSTM, recorded sequences and a metric: what operating points are chosen and judged by."""

import hashlib
from collections.abc import Callable
from collections.abc import Sequence as ListOf
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ..cache import cached
from ..evaluation import Bootstrap
from ..float_lstm import hidden_states
from ..importers import ImportedLSTM, ImportFailure, load_lstm
from ..networks.network import Network, Sample
from ..policies import Policy
from ..quantized_network import NetworkRun, Progress, QuantizedNetwork, quantize_stages, stages
from ..sources import code
from .data import LEAST_GROUPS, Sequence, Use, first_steps, read_sequences, sequences_of, split
from .metric import Metric, as_metric, decibels, powers

# Steps of each use: enough for scales, for a choice, and for a narrow interval of a metric.
STEPS = {Use.FIT: 2048, Use.SEARCH: 16384, Use.CHECK: 16384}


@dataclass(frozen=True)
class OwnSample(Sample):
    """A Sample whose sequences are in the order in which the LSTM takes the steps; labels: outputs of the float LSTM, float64 [steps, outputs].

    given: labels of the file, or None. start: the LSTM in float with the state that the sequence begins with.
    """

    given: Any
    start: ImportedLSTM


class OwnTask(Network):
    """An LSTM of the user's with the sequences of each use. lstm: of a file or an nn.LSTM; sequences: of `read_sequences`, or a file, or a list of float
    [steps, inputs]; metric: as of `as_metric`. Raises ImportFailure, which says what to do, and FileNotFoundError.
    """

    def __init__(self, lstm: str | Path | nn.LSTM | ImportedLSTM, sequences: str | Path | list, metric: Metric | Callable | str | Path | None = None,
                 labels: list | None = None, node: str = "", name: str = ""):
        from_file = isinstance(lstm, str | Path)
        self.path = Path(lstm) if from_file else None
        self.imported = load_lstm(lstm, node) if from_file else lstm if isinstance(lstm, ImportedLSTM) else _of_module(lstm)
        self.name, self.metric_of, self.node = name or (Path(lstm).name if from_file else "lstm"), as_metric(metric), node
        self.metric_name, self.higher_is_better = self.metric_of.name, self.metric_of.higher_is_better
        self.lstm = self.imported.lstms[-1]
        self.about = Path(sequences).name if isinstance(sequences, str | Path) else f"{len(sequences)} sequences"
        if isinstance(sequences, str | Path):
            sequences = read_sequences(sequences, self.imported.inputs)
        elif not all(isinstance(sequence, Sequence) for sequence in sequences):
            sequences = sequences_of(sequences, labels)
        self.sequences: list[Sequence] = sequences
        self.parts = split(sequences)
        self._samples: dict[tuple[Use, int], list[OwnSample]] = {}
        self.check_key = ""  # of sequences of CHECK that are not among the others
        self.model_key = key_of_model(lstm, node) if from_file else _key_of_weights(self.imported)

    @property
    def data_key(self) -> str:
        """Of the contents of all sequences."""
        digest = hashlib.sha256()
        for sequence in self.sequences:
            labels = b"" if sequence.labels is None else np.ascontiguousarray(sequence.labels).tobytes()
            state = b"" if sequence.state is None else b"".join(part.contiguous().numpy().tobytes() for part in sequence.state)
            digest.update(repr((sequence.inputs.shape, sequence.group, len(labels), len(state))).encode() + sequence.inputs.numpy().tobytes() + labels + state)
        return digest.hexdigest()

    def check_enough(self) -> None:
        """Raises ImportFailure where there are too few sequences to choose an operating point and to check it on others."""
        groups = len({sequence.group for sequence in self.sequences})
        if groups < LEAST_GROUPS:
            raise ImportFailure(f"{self.about}: {groups} sequences or groups; at least {LEAST_GROUPS} are needed to fit, to choose on some and to check on others: "
                                "record more, or cut long ones")

    def of(self, use: Use, steps: int | None = None) -> list[OwnSample]:
        """Samples of a use, of so many steps at least where there are as many (default: STEPS). Without a metric of the task, long sequences are cut."""
        steps = STEPS[use] if steps is None else steps
        if (use, steps) not in self._samples:
            cut = self.metric_of.is_signal_to_error or use is Use.FIT
            self._samples[use, steps] = self.samples_of(first_steps(self.parts[use], steps, cut))
        return self._samples[use, steps]

    def check_on(self, other: "OwnTask") -> None:
        """Take all sequences of another task, which calibration has not seen, for CHECK."""
        self.about, self.parts, self._samples = other.about, {**self.parts, Use.CHECK: other.sequences}, {}
        self.check_key = other.data_key

    def play(self, sequences: list[Sequence], steps: int) -> list[OwnSample]:
        """Samples of the first sequences with so many steps; the last one is cut there, unless a metric of the task needs all of it."""
        chosen: list[Sequence] = []
        for sequence in sequences:
            left = steps - sum(len(before.inputs) for before in chosen)
            if left > 0:
                chosen.append(replace(sequence, inputs=sequence.inputs[:left]) if self.metric_of.is_signal_to_error else sequence)
        return self.samples_of(chosen)

    def from_zero(self, use: Use, steps: int) -> tuple[list[Tensor], list[Tensor]]:
        """(inputs, float32 [steps, inputs] each, outputs of the float LSTM, float64 [steps, outputs] each) of so many steps of a use, from zero state, in the order
        in which the LSTM takes them."""
        zero = replace(self.imported, h0=None, c0=None)
        inputs = [sequence.inputs for sequence in first_steps(self.parts[use], steps, cut=True)]
        return [zero.directed(x) for x in inputs], _float_outputs([(zero, x) for x in inputs])

    def inputs_of(self, use: Use) -> list[Tensor]:
        """Inputs of a use, float32 [steps, inputs] each, in the order of time, cut where `of` cuts those of FIT."""
        return [sequence.inputs for sequence in first_steps(self.parts[use], STEPS[use], cut=True)]

    def samples_of(self, sequences: list[Sequence]) -> list[OwnSample]:
        """Samples of sequences, with the outputs of the float LSTM as their labels. Raises ImportFailure where a state does not fit the LSTM."""
        starts = [self._start(sequence) for sequence in sequences]
        exact = _float_outputs([(start, sequence.inputs) for start, sequence in zip(starts, sequences)])
        return [OwnSample(self.imported.directed(sequence.inputs), h, sequence.group, sequence.labels, start)
                for sequence, start, h in zip(sequences, starts, exact)]

    def _start(self, sequence):
        if sequence.state is None:
            return self.imported
        units = {lstm.hidden_size for lstm in self.imported.lstms}
        wanted = [sum(lstm.num_layers * (1 + lstm.bidirectional) for lstm in self.imported.lstms), *units]
        if len(units) > 1 or list(sequence.state[0].shape) != wanted:
            raise ImportFailure(f"{self.about}: h0 and c0 have {list(sequence.state[0].shape)} a sequence; the LSTM has [layers * directions, units] = {wanted}")
        layers = [1 + lstm.bidirectional for lstm in self.imported.lstms for _ in range(lstm.num_layers)]
        h, c = ([part for part in values.split(layers)] for values in sequence.state)
        return replace(self.imported, h0=h, c0=c)

    def quantize(self) -> QuantizedNetwork:
        """Quantized on the sequences of FIT, each from zero state, without thresholds; kept in the cache. Raises ValueError for values that the formats do not hold."""
        samples = self.of(Use.FIT)
        return cached(("own fit", self.model_key, self.data_key, len(samples), code("models.own.task")), lambda: quantize_stages(
            [stage for lstm in self.imported.lstms for stage in stages(lstm)], [sample.inputs for sample in samples], low_share=None))

    # As a Network, for reports of runs in RTL.

    def calibration(self, steps: int | None = None) -> list[Sample]:
        """As Network.calibration: samples of FIT, of so many steps at least."""
        return self.of(Use.FIT, steps)

    def test(self, steps: int | None = None) -> list[Sample]:
        """As Network.test: samples of CHECK, of so many steps at least."""
        return self.of(Use.CHECK, steps)

    def head(self, sample: Sample, hidden: ListOf[Tensor]) -> Tensor:
        """h of the last layer, float [steps, outputs], as it is: what comes after the LSTM is up to the metric."""
        return hidden[-1]

    def metric(self, samples: ListOf[Sample], outputs: ListOf[Tensor], whole: bool = True) -> float:
        """The metric, in its own unit, of outputs, float [steps, outputs] a sample, in the order in which the LSTM takes the steps.

        whole: whether these are all of a use, so that an error is told (ImportFailure); else it gives NaN.
        """
        return (self.metric_of if whole else self.metric_of.of_part)(self._in_time(outputs), self._labels(samples))

    def float_outputs(self, samples: list[Sample]) -> list[Tensor]:
        """Outputs of the float LSTM, float64 [steps, outputs] a sample, in the order in which it takes the steps."""
        return [sample.labels for sample in samples]

    def _in_time(self, outputs):
        return [self.imported.directed(output).double().numpy() for output in outputs]

    def _labels(self, samples):
        own = not self.metric_of.is_signal_to_error
        return [sample.given if own and sample.given is not None else self.imported.directed(sample.labels).numpy() for sample in samples]

    def replicates(self, samples: list[OwnSample], outputs: list[Tensor]) -> np.ndarray:
        """The metric, in its own unit, over groups drawn anew with replacement, always the same draws: float64 [replicates]. outputs: as of `metric`."""
        bootstrap = Bootstrap(_Parts(self), samples)
        if not self.metric_of.is_signal_to_error:
            return bootstrap.estimate(outputs).replicates
        sums = np.zeros((len(bootstrap.members), 2))
        np.add.at(sums, bootstrap.group, powers(self._in_time(outputs), self._labels(samples)))
        return np.array([decibels(*pair) for pair in bootstrap.draws @ sums])


class _Parts:
    """A task as Bootstrap takes it: figures of some of the sequences, which need not exist."""

    def __init__(self, task: OwnTask):
        self._task = task

    def metric(self, samples, outputs):
        return self._task.metric(samples, outputs, whole=False)

    def weight(self, sample):
        return 1


def run(quantized: QuantizedNetwork, samples: list[OwnSample], policy: Policy, progress: Progress = lambda steps: None) -> NetworkRun:
    """Runs samples, each from its own state: several at once where all begin with zero. progress: told of steps as they are done."""
    if all(sample.start.h0 is None for sample in samples):
        return quantized.run([sample.inputs for sample in samples], policy, progress=progress)
    rows = [[torch.zeros(len(layer.by_code), layer.units, 4, dtype=torch.int64) for layer in direction.layers] for direction in quantized.directions]
    sequence_rows = [[torch.zeros(len(samples), len(layer.by_code), dtype=torch.int64) for layer in direction.layers] for direction in quantized.directions]
    hidden = []
    for number, sample in enumerate(samples):
        found = quantized.run_singly([sample.inputs], policy, states=sample.start.initial_states(quantized))
        runs = [own for stage in found for (_, own), in stage]
        for counts, by_sequence, own in zip(rows, sequence_rows, runs):
            for layer, of_sequence, levels in zip(counts, by_sequence, own.levels):
                own_rows = torch.stack([(levels[0] == level).sum(0) for level in range(len(layer))])
                layer += own_rows
                of_sequence[number] = own_rows.sum((1, 2))
        last = [own.h[0].double() / 120 for (_, own), in found[-1]]
        hidden.append([torch.cat([h.flip(0) if reverse else h for reverse, h in enumerate(last)], dim=1)])
        progress(len(sample.inputs))
    return NetworkRun(hidden, rows, sequence_rows, sum(len(sample.inputs) for sample in samples))


@torch.no_grad()
def _float_outputs(sequences):
    """Outputs, in the order in which the LSTM takes the steps, of (ImportedLSTM, inputs in time) each; at once where all begin with zero."""
    if any(start.h0 is not None for start, _ in sequences):
        return [start.directed(start(x)) for start, x in sequences]
    found = [start.directed(x) for start, x in sequences]
    for lstm in sequences[0][0].lstms if sequences else ():
        found = [hidden[-1] for hidden in hidden_states(lstm, found)]
    return found


def _of_module(lstm):
    imported = ImportedLSTM([lstm])
    if not isinstance(lstm, nn.LSTM) or lstm.proj_size:
        raise ImportFailure("an nn.LSTM without proj_size is needed")
    imported.check()
    return imported


def key_of_model(path: str | Path, node: str = "") -> str:
    """Of the contents of a model file and of the files beside it that hold its weights, and of which LSTM."""
    path = Path(path)
    digest = hashlib.sha256(node.encode())
    for part in (path, path.with_name(f"{path.name}.data")):
        if part.is_file():
            with part.open("rb") as file:
                while block := file.read(1 << 20):
                    digest.update(block)
    return digest.hexdigest()


def _key_of_weights(imported):
    digest = hashlib.sha256()
    for lstm in imported.lstms:
        for name, values in lstm.state_dict().items():
            digest.update(f"{name} {tuple(values.shape)}".encode() + values.detach().contiguous().numpy().tobytes())
    return digest.hexdigest()
