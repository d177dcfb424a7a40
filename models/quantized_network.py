# SPDX-License-Identifier: MIT
"""A torch.nn.LSTM with one or two directions as runs of QuantizedLSTM, whose outputs the host puts together.

A stack with one direction is one run. A layer with two is two runs, the second over reversed time, and its outputs side by side are the
input of the layer above: stage by stage.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor, nn

from . import thresholds
from .build import Build
from .float_lstm import hidden_states
from .formats import Level, Policy
from .layer import segment_words
from .levels import QUARTERS, quarter_words, row_quarters
from .quantize import H_SCALE, quantize
from .quantized_lstm import QuantizedLSTM, refinement_rows, rows_at_levels
from .threads import one_thread

T = TypeVar("T")
Progress = Callable[[int], object]  # told of steps as they are done

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


def by_direction(modules: list[list[nn.LSTM]], calibration: list[Tensor], make: Callable[[nn.LSTM, list[Tensor], float | None], T]) -> list[list[T]]:
    """make(module, inputs, input_scale) of each module of [stage][direction], from float sequences [steps, inputs]: a stage's inputs are the float outputs of the one
    below, in units of h; input_scale: of these, None for the network's own inputs."""
    result = []
    for number, stage in enumerate(modules):
        made, outputs = [], []
        for reverse, module in enumerate(stage):
            inputs = [directed(sequence, reverse) for sequence in calibration]
            made.append(make(module, inputs, H_SCALE if number else None))
            outputs.append([directed(hidden[-1], reverse) for hidden in hidden_states(module, inputs)])
        calibration = [torch.cat(both, dim=1) for both in zip(*outputs)]
        result.append(made)
    return result


def quantize_network(lstm: nn.LSTM, calibration: list[Tensor], gradients: list[list[Tensor]] | None = None, emphasis: float = 1.0,
                     low_share: float | None = 0.80) -> "QuantizedNetwork":
    """QuantizedNetwork of an nn.LSTM with one or two directions, from sample inputs as of `quantize`, which it calls direction by direction.

    calibration: float sequences [steps, inputs]. gradients: by direction and layer, float [projections, sequences, steps, 4 * units]; emphasis and low_share: as of
    `quantize`. Raises ValueError as `quantize`.
    """
    return quantize_stages(stages(lstm), calibration, gradients, emphasis, low_share)


def quantize_stages(modules: list[list[nn.LSTM]], calibration: list[Tensor], gradients: list[list[Tensor]] | None = None, emphasis: float = 1.0,
                    low_share: float | None = 0.80) -> "QuantizedNetwork":
    """As quantize_network, of [stage][direction] of nn.LSTM modules. Stages of one direction above each other become one. Raises ValueError."""
    own, result = iter(gradients or ()), []
    for directions in by_direction(modules, calibration, lambda module, inputs, scale: quantize(
            module, inputs, input_scale=scale, gradients=next(own, None), emphasis=emphasis, low_share=low_share)):
        if result and len(directions) == len(result[-1]) == 1:
            directions = [_stacked(result.pop()[0], directions[0])]
        result.append(directions)
    return QuantizedNetwork(result)


def _stacked(below, above):
    """Two QuantizedLSTM as one."""
    q = QuantizedLSTM([*below.layers, *above.layers], below.input_scales, below.order, below.refinements and [*below.refinements, *above.refinements])
    q.row_offsets, q.thresholds = [*below.row_offsets, *above.row_offsets], [*below.thresholds, *above.thresholds]
    return q


@dataclass
class NetworkRun:
    """What all sequences gave.

    hidden: by sequence and layer, float [steps, outputs], as a Network's head takes them. steps: of all sequences together.
    rows: by QuantizedLSTM (in the order of `QuantizedNetwork.directions`) and layer, the rows at each level, int64 [codes, units, 4].
    sequence_rows: the same by sequence, int64 [sequences, codes].
    """

    hidden: list[list[Tensor]]
    rows: list[list[Tensor]]
    sequence_rows: list[list[Tensor]]
    steps: int


class QuantizedNetwork:
    """stages: [stage][direction] of QuantizedLSTM; two directions have one layer each."""

    def __init__(self, stages: list[list[QuantizedLSTM]]):
        self.stages = stages

    @property
    def directions(self) -> list[QuantizedLSTM]:
        """Every QuantizedLSTM, one run of the accelerator each."""
        return [direction for stage in self.stages for direction in stage]

    def for_policy(self, policy: Policy) -> "QuantizedNetwork":
        """The same network with the thresholds and refinements of a policy, as of QuantizedLSTM.for_policy."""
        return QuantizedNetwork([[direction.for_policy(policy) for direction in stage] for stage in self.stages])

    def set_log2_lambda(self, policy: Policy, log2_lambda: float, own_offsets: bool = False) -> None:
        """Set a policy's thresholds in all directions: see models.thresholds. Raises KeyError for a policy without thresholds."""
        for direction in self.directions:
            thresholds.set_log2_lambda(direction, policy, log2_lambda, own_offsets)

    def set_cell_floor(self, cell_floor: int) -> None:
        """Set it in all layers; set_log2_lambda of SENSITIVITY must follow."""
        for direction in self.directions:
            thresholds.set_cell_floor(direction, cell_floor)

    def _counts(self, run: NetworkRun):
        """(layer, rows at each level [codes, units, 4]) of all layers."""
        return [pair for direction, layers in zip(self.directions, run.rows) for pair in zip(direction.layers, layers, strict=True)]

    def words_by_quarter(self, run: NetworkRun, build: Build = Build()) -> list[int]:
        """Words of HH, HL, LH and LL that all tiles of a dynamic build together add, padded: the counters of quarters."""
        totals = [0] * len(QUARTERS)
        for layer, counts in self._counts(run):
            words = segment_words(layer.inputs, layer.units, layer.terms, build.dot_lanes)
            for level, rows in zip(layer.by_code, counts):
                totals = [total + int(rows.sum()) * own for total, own in zip(totals, quarter_words(level, words))]
        return totals

    def _all_words(self, run, build):
        """Words of a row, over all rows."""
        return sum(int(counts.sum()) * build.row_words(layer) for layer, counts in self._counts(run))

    def mean_quarters(self, run: NetworkRun) -> float:
        """Quarter products over products, with padded words of the default build: 0..4."""
        return sum(self.words_by_quarter(run)) / self._all_words(run, Build())

    def speedup_over_high(self, run: NetworkRun) -> float:
        """Ideal speedup over STATIC_HIGH: 4 / mean quarters, with padded words."""
        return len(QUARTERS) / self.mean_quarters(run)

    def speedup(self, run: NetworkRun) -> float:
        """Ideal speedup over the baseline build: both with padded words, nothing else waits."""
        return self._all_words(run, Build().baseline()) / sum(self.words_by_quarter(run))

    def time_over_baseline(self, run: NetworkRun) -> Tensor:
        """Of each sequence, float64 [sequences], its ideal time over that of the baseline build; their mean, weighed by steps, is 1 / speedup."""
        words, base = (torch.zeros(len(run.sequence_rows[0][0]), dtype=torch.float64) for _ in range(2))
        layers = [layer for direction in self.directions for layer in direction.layers]
        for layer, rows in zip(layers, (rows for direction in run.sequence_rows for rows in direction), strict=True):
            costs = torch.tensor([row_quarters(level, layer.row_words) for level in layer.by_code], dtype=torch.float64)
            words += rows.double() @ costs
            base += rows.sum(1).double() * Build().baseline().row_words(layer)
        return words / base

    def shares(self, run: NetworkRun) -> list:
        """Shares of levels, of rows, by [direction][layer][gate][level], as RANDOM takes them."""
        return [[(counts[list(layer.codes)].sum(1) / counts.sum((0, 1))).T.tolist() for layer, counts in zip(direction.layers, layers)]
                for direction, layers in zip(self.directions, run.rows)]

    def refinements(self, run: NetworkRun) -> list:
        """Refinements of each unit, in rows of all quarters a step, [direction][layer][unit], by which the compiler deals units to tiles."""
        return [[refinement_rows(layer, counts) for layer, counts in zip(direction.layers, layers)] for direction, layers in zip(self.directions, run.rows)]

    def level_shares(self, run: NetworkRun) -> list[float]:
        """Share of the row-weights at each level, of all layers, by code; a row counts as many as it meets activations."""
        totals: list[float] = []
        for layer, counts in self._counts(run):
            totals += [0.0] * (len(counts) - len(totals))
            for code, rows in enumerate(counts):
                totals[code] += int(rows.sum()) * layer.row_weights
        return [total / sum(totals) for total in totals]

    def low_share(self, run: NetworkRun) -> float:
        """Share of the row-weights whose row stayed at the lowest level."""
        return self.level_shares(run)[Level.LOWEST]

    def low_weight_share(self, run: NetworkRun) -> float:
        """Low share as the paper counts: of the weights that meet an activation, those that stay at 4 bits: neither LH nor LL, of x0 and h."""
        low = total = 0
        for layer, counts in self._counts(run):
            for level, rows in zip(layer.by_code, counts):
                number, segments = int(rows.sum()), ((level.x0, layer.inputs), (level.h, layer.units))
                low += number * sum(size for quarters, size in segments if quarters <= 2)
                total += number * sum(size for _, size in segments)
        return low / total

    @one_thread()
    def run(self, inputs: list[Tensor], policy: Policy | None = None, shares: list | None = None, seed: int = 0,
            progress: Progress = lambda steps: None) -> NetworkRun:
        """Run float sequences [steps, inputs], each from zero state, several at once, in native code where it works (models.native).

        policy, shares, seed: as of QuantizedLSTM.run, shares [direction][layer][gate][level]. progress is called with the steps of each batch. Sequences of a batch
        have similar lengths; the zeros after the shorter ones do not count. Raises ValueError as QuantizedLSTM.run.
        """
        rows = [[torch.zeros(len(layer.by_code), layer.units, 4, dtype=torch.int64) for layer in direction.layers] for direction in self.directions]
        sequence_rows = [[torch.zeros(len(inputs), len(layer.by_code), dtype=torch.int64) for layer in direction.layers] for direction in self.directions]
        hidden: list = [None] * len(inputs)
        for batch in batches([len(sequence) for sequence in inputs]):
            results = self._run_batch([inputs[index] for index in batch], policy, shares, seed, rows, sequence_rows, batch)
            for index, layers in zip(batch, results):
                hidden[index] = layers
            progress(sum(len(inputs[index]) for index in batch))
        return NetworkRun(hidden, rows, sequence_rows, sum(map(len, inputs)))

    def run_singly(self, inputs: list[Tensor], policy: Policy | None = None, shares: list | None = None, states: list | None = None) -> list:
        """Run float sequences [steps, inputs] one by one, as the accelerator does: [stage][direction][sequence] of (integer input, Run).

        The integer input is int8 [1, steps, terms, inputs], in the order in which the direction takes it. policy, shares: as of `run`. states: by direction, with
        which each sequence begins (None: zero). Raises ValueError as QuantizedLSTM.run.
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

    def _run_batch(self, sequences, policy, shares, seed, rows, sequence_rows, batch):
        """Hidden states of some sequences; adds their rows to those of all, and to those of the sequences, whose places `batch` holds."""
        lengths = torch.tensor([len(sequence) for sequence in sequences])
        valid = torch.arange(int(lengths.max())) < lengths.unsqueeze(1)
        hidden, number = [[] for _ in sequences], 0
        for stage in self.stages:
            runs = []
            for reverse, direction in enumerate(stage):
                x = nn.utils.rnn.pad_sequence([directed(sequence, reverse) for sequence in sequences], batch_first=True)
                run = direction.run(direction.quantize_input(x), policy, shares=shares and shares[number], seed=seed, native=True)
                for counts, own, levels in zip(rows[number], sequence_rows[number], run.levels):
                    found = rows_at_levels(levels, valid, len(counts))
                    counts += found.sum(1)
                    own[batch] = found.sum((2, 3)).T
                runs.append(run)
                number += 1
            for index, (layers, length) in enumerate(zip(hidden, lengths)):
                layers += side_by_side([h[index, :length] for h in run.layer_h] for run in runs)
            sequences = [layers[-1] for layers in hidden]
        return hidden


def directed(sequence: Tensor, reverse: bool | int) -> Tensor:
    """A sequence [steps, values], of any type, in the order in which a direction takes it, or back from it; reverse: whether it is the second direction."""
    return sequence.flip(0) if reverse else sequence


def side_by_side(directions: Iterable[list[Tensor]]) -> list[Tensor]:
    """By layer, the outputs of one or two directions in the order of time, float64, from int8 in units of 1/120 [layer][steps, units] each in its own."""
    layers = zip(*([directed(h, reverse) for h in layers] for reverse, layers in enumerate(directions)))
    return [torch.cat(parts, dim=1).double() / 120 for parts in layers]


def batches(lengths: list[int]) -> Iterator[list[int]]:
    """Indices of sequences of these lengths, in steps, in batches of similar lengths, and of at most BATCH_STEPS steps with the padding."""
    batch = []
    for index in sorted(range(len(lengths)), key=lambda index: -lengths[index]):
        if (batch and (len(batch) + 1) * lengths[batch[0]] > BATCH_STEPS) or (batch and lengths[index] < 0.7 * lengths[batch[0]]):
            yield batch
            batch = []
        batch.append(index)
    if batch:
        yield batch
