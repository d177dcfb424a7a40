# SPDX-License-Identifier: MIT
"""A torch.nn.LSTM with one or two directions as runs of QuantizedLSTM, whose outputs the host puts together.

A stack with one direction is one run. A layer with two is two runs, the second over reversed time, and its outputs side by side are the
input of the layer above: stage by stage.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from .build import Build
from .float_lstm import hidden_states
from .policies import Policy
from .quantize import H_SCALE, quantize
from .quantized_lstm import QuantizedLSTM

# Steps of all sequences of a batch together: enough for efficient products, few enough to stay in the cache.
BATCH_STEPS = 1 << 14


def stages(lstm: nn.LSTM) -> list[list[nn.LSTM]]:
    """The stages of an nn.LSTM: [stage][direction], nn.LSTM modules of one direction each, with its weights."""
    if not lstm.bidirectional:
        return [[lstm]]
    return [[_direction(lstm, layer, suffix) for suffix in ("", "_reverse")] for layer in range(lstm.num_layers)]


def _direction(lstm, layer, suffix):
    lstm_of_direction = nn.LSTM(2 * lstm.hidden_size if layer else lstm.input_size, lstm.hidden_size, bias=lstm.bias)
    lstm_of_direction.load_state_dict({name: getattr(lstm, f"{name[:-1]}{layer}{suffix}") for name in lstm_of_direction.state_dict()})
    return lstm_of_direction.requires_grad_(False)


def quantize_network(lstm: nn.LSTM, calibration: list[Tensor], gradients: list[list[Tensor]] | None = None, emphasis: float = 1.0,
                     low_share: float | None = 0.80) -> "QuantizedNetwork":
    """QuantizedNetwork of an nn.LSTM with one or two directions, from sample inputs as of `quantize`, which it calls direction by direction.

    gradients, by direction, emphasis and low_share: as of `quantize`.
    """
    return quantize_stages(stages(lstm), calibration, gradients, emphasis, low_share)


def quantize_stages(modules: list[list[nn.LSTM]], calibration: list[Tensor], gradients: list[list[Tensor]] | None = None, emphasis: float = 1.0,
                    low_share: float | None = 0.80) -> "QuantizedNetwork":
    """As quantize_network, of [stage][direction] of nn.LSTM modules. Stages of one direction above each other become one."""
    gradients, result = iter(gradients or ()), []
    for number, stage in enumerate(modules):
        directions, outputs = [], []
        for reverse, module in enumerate(stage):
            inputs = [directed(sequence, reverse) for sequence in calibration]
            scale = H_SCALE if number else None
            directions.append(quantize(module, inputs, input_scale=scale, gradients=next(gradients, None), emphasis=emphasis, low_share=low_share))
            outputs.append([directed(hidden[-1], reverse) for hidden in hidden_states(module, inputs)])
        calibration = [torch.cat(directions, dim=1) for directions in zip(*outputs)]
        if result and len(directions) == len(result[-1]) == 1:
            directions = [_stacked(result.pop()[0], directions[0])]
        result.append(directions)
    return QuantizedNetwork(result)


def _stacked(below, above):
    """Two QuantizedLSTM as one."""
    q = QuantizedLSTM([*below.layers, *above.layers], below.input_scales, below.refinements and [*below.refinements, *above.refinements])
    q.row_offsets, q.thresholds = [*below.row_offsets, *above.row_offsets], [*below.thresholds, *above.thresholds]
    return q


@dataclass
class NetworkRun:
    """What all sequences gave.

    hidden: by sequence and layer, float [steps, outputs], as a Network's head takes them. steps: of all sequences together.
    refined: by QuantizedLSTM (in the order of `QuantizedNetwork.directions`) and layer, the refined rows by unit and gate, int64 [units, 4].
    """

    hidden: list
    refined: list
    steps: int

    def shares(self) -> list:
        """Refined share of the rows, [direction][layer][gate], as RANDOM and ORACLE take them."""
        return [[(counts.sum(0) / (self.steps * len(counts))).tolist() for counts in direction] for direction in self.refined]

    def refinements(self) -> list:
        """Rows that each unit refines in a step, [direction][layer][unit], by which the compiler deals units to tiles."""
        return [[(counts.sum(1) / self.steps).tolist() for counts in direction] for direction in self.refined]


class QuantizedNetwork:
    """stages: [stage][direction] of QuantizedLSTM; two directions have one layer each."""

    def __init__(self, stages: list[list[QuantizedLSTM]]):
        self.stages = stages

    @property
    def directions(self) -> list[QuantizedLSTM]:
        """Every QuantizedLSTM, one run of the accelerator each."""
        return [direction for stage in self.stages for direction in stage]

    def for_policy(self, policy: Policy) -> "QuantizedNetwork":
        """As of QuantizedLSTM."""
        return QuantizedNetwork([[direction.for_policy(policy) for direction in stage] for stage in self.stages])

    def low_share(self, run: NetworkRun, build: Build = Build()) -> float:
        """1 - words of lo planes / words of hi planes that a build reads for a NetworkRun."""
        lo = hi = 0
        for direction, counts in zip(self.directions, run.refined):
            for layer, refined in zip(direction.layers, counts):
                words = build.row_words(layer)
                hi += 4 * layer.units * run.steps * words
                lo += int(refined.sum()) * words
        return 1 - lo / hi

    def run(self, inputs: list[Tensor], policy: Policy | None = None, shares: list | None = None, seed: int = 0,
            progress: Callable[[int], None] = lambda steps: None) -> NetworkRun:
        """Run float sequences [steps, inputs], each from zero state, several at once.

        policy, shares, seed: as of QuantizedLSTM.run, shares [direction][layer][gate]. progress is called with the steps of each batch.
        Sequences of a batch have similar lengths; the zeros behind the shorter ones count nowhere but in ORACLE's thresholds.
        """
        refined = [[torch.zeros(layer.units, 4, dtype=torch.int64) for layer in direction.layers] for direction in self.directions]
        hidden = [None] * len(inputs)
        for batch in batches([len(sequence) for sequence in inputs]):
            results = self._run_batch([inputs[index] for index in batch], policy, shares, seed, refined)
            for index, layers in zip(batch, results):
                hidden[index] = layers
            progress(sum(len(inputs[index]) for index in batch))
        return NetworkRun(hidden, refined, sum(map(len, inputs)))

    def run_singly(self, inputs: list[Tensor], policy: Policy | None = None, shares: list | None = None, states: list | None = None) -> list:
        """Run float sequences [steps, inputs] one by one, as the accelerator does: [stage][direction][sequence] of (integer input, Run).

        policy, shares: as of `run`. states: by direction, with which each sequence begins (None: zero).
        """
        result, number = [], 0
        for stage in self.stages:
            found = []
            for reverse, direction in enumerate(stage):
                x = [direction.quantize_input(directed(sequence, reverse))[None] for sequence in inputs]
                found.append([(one, direction.run(one, policy, states and states[number], shares and shares[number])) for one in x])
                number += 1
            inputs = [side_by_side([run.h[0]] for _, run in directions)[0] for directions in zip(*found)]
            result.append(found)
        return result

    def _run_batch(self, sequences, policy, shares, seed, refined):
        lengths = torch.tensor([len(sequence) for sequence in sequences])
        valid = (torch.arange(int(lengths.max())) < lengths.unsqueeze(1)).unsqueeze(-1)
        hidden, number = [[] for _ in sequences], 0
        for stage in self.stages:
            runs = []
            for reverse, direction in enumerate(stage):
                x = nn.utils.rnn.pad_sequence([directed(sequence, reverse) for sequence in sequences], batch_first=True)
                run = direction.run(direction.quantize_input(x), policy, shares=shares and shares[number], seed=seed)
                for counts, mask in zip(refined[number], run.masks):
                    counts += (mask & valid.unsqueeze(-1)).sum((0, 1))
                runs.append(run)
                number += 1
            for index, (layers, length) in enumerate(zip(hidden, lengths)):
                layers += side_by_side([h[index, :length] for h in run.layer_h] for run in runs)
            sequences = [layers[-1] for layers in hidden]
        return hidden


def directed(sequence: Tensor, reverse: bool | int) -> Tensor:
    """A sequence in the order in which a direction takes it, or back from it."""
    return sequence.flip(0) if reverse else sequence


def side_by_side(directions: Iterable[list[Tensor]]) -> list[Tensor]:
    """By layer, the outputs of one or two directions in the order of time, float, from int8 Q0.7 [layer][steps, units] each in its own."""
    layers = zip(*([directed(h, reverse) for h in layers] for reverse, layers in enumerate(directions)))
    return [torch.cat(parts, dim=1).float() / 128 for parts in layers]


def batches(lengths: list[int]) -> Iterator[list[int]]:
    """Indices in batches of similar lengths, and of at most BATCH_STEPS steps with the padding."""
    batch = []
    for index in sorted(range(len(lengths)), key=lambda index: -lengths[index]):
        if (batch and (len(batch) + 1) * lengths[batch[0]] > BATCH_STEPS) or (batch and lengths[index] < 0.7 * lengths[batch[0]]):
            yield batch
            batch = []
        batch.append(index)
    if batch:
        yield batch
