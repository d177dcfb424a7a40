# SPDX-License-Identifier: MIT
"""A torch.nn.LSTM with one or two directions on the quarter-product machine: as models.quantized_network, of QuarterLSTM."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from ..float_lstm import hidden_states
from ..gradients import gradients
from ..networks import Network, Sample
from ..policies import Policy
from ..quantized_network import batches, directed, stages
from . import quantize
from .levels import ALL, COSTS, QUARTERS, Cost, Level, Levels, quarter_words, row_quarters, time_cost
from .lstm import QuarterLSTM

# Told of steps as they are done.
Progress = Callable[[int], object]
BASELINE_WORD = 16  # weights of a word of the 8-bit baseline build


@dataclass
class FittedNetwork:
    """[stage][direction] of models.quarters.quantize.Fitted."""

    stages: list[list[quantize.Fitted]]

    def with_levels(self, levels: Levels, exponents: bool = False, cost: Cost = time_cost, own_biases: bool = True) -> "QuarterNetwork":
        """The network with a set of levels. exponents: of the words of its own input, which a host forms; not of those of later stages.
        cost, own_biases: as of quantize.with_levels."""
        return QuarterNetwork([[quantize.with_levels(fitted, levels, exponents and number == 0, cost, own_biases) for fitted in stage]
                               for number, stage in enumerate(self.stages)])


@dataclass
class NetworkRun:
    """What all sequences gave.

    hidden: by sequence and layer, float [steps, outputs]. rows: by direction and layer, rows at each level, int64 [levels, units, 4]; of
    STATIC_HIGH one level, all quarters.
    """

    hidden: list[list[Tensor]]
    rows: list[list[Tensor]]
    steps: int


def fit(network: Network, samples: list[Sample], settings: quantize.Settings) -> FittedNetwork:
    """A network fitted to some of its samples, by the gradients of its task."""
    found, result = iter(gradients(network, samples)), []
    calibration = [sample.inputs for sample in samples]
    for number, stage in enumerate(stages(network.lstm)):
        directions, outputs = [], []
        for reverse, module in enumerate(stage):
            inputs = [directed(sequence, reverse) for sequence in calibration]
            directions.append(quantize.fit(module, inputs, next(found), settings, input_scale=quantize.H_SCALE if number else None))
            outputs.append([directed(hidden[-1], reverse) for hidden in hidden_states(module, inputs)])
        calibration = [torch.cat(both, dim=1) for both in zip(*outputs)]
        result.append(directions)
    return FittedNetwork(result)


class QuarterNetwork:
    """stages: [stage][direction] of QuarterLSTM; two directions have one layer each."""

    def __init__(self, stages: list[list[QuarterLSTM]]):
        self.stages = stages

    @property
    def directions(self) -> list[QuarterLSTM]:
        return [direction for stage in self.stages for direction in stage]

    def set_log2_lambda(self, policy: Policy, log2_lambda: float, own_offsets: bool = True) -> None:
        for direction in self.directions:
            quantize.set_log2_lambda(direction, policy, log2_lambda, own_offsets)

    def set_cell_floor(self, cell_floor: int) -> None:
        """Set it in all layers; set_log2_lambda must follow."""
        for direction in self.directions:
            direction.layers = [replace(layer, cell_floor=cell_floor) for layer in direction.layers]

    def run(self, inputs: list[Tensor], policy: Policy, shares: list | None = None, seed: int = 0,
            progress: Progress = lambda steps: None) -> NetworkRun:
        """Run float sequences [steps, inputs], each from zero state. shares: [direction][layer][gate][level], for RANDOM."""
        count = [[1 if policy is Policy.STATIC_HIGH else len(layer.levels) for layer in direction.layers] for direction in self.directions]
        rows = [[torch.zeros(levels, layer.units, 4, dtype=torch.int64) for levels, layer in zip(counts, direction.layers)]
                for counts, direction in zip(count, self.directions)]
        hidden: list = [None] * len(inputs)
        for batch in batches([len(sequence) for sequence in inputs]):
            for index, layers in zip(batch, self._run_batch([inputs[index] for index in batch], policy, shares, seed, rows)):
                hidden[index] = layers
            progress(sum(len(inputs[index]) for index in batch))
        return NetworkRun(hidden, rows, sum(map(len, inputs)))

    def _run_batch(self, sequences, policy, shares, seed, rows):
        lengths = torch.tensor([len(sequence) for sequence in sequences])
        valid = torch.arange(int(lengths.max())) < lengths.unsqueeze(1)
        hidden, number = [[] for _ in sequences], 0
        for stage in self.stages:
            runs = []
            for reverse, direction in enumerate(stage):
                x = nn.utils.rnn.pad_sequence([directed(sequence, reverse) for sequence in sequences], batch_first=True)
                run = direction.run(direction.quantize_input(x), policy, shares and shares[number], seed)
                for counts, levels in zip(rows[number], run.levels):
                    for place in range(len(counts)):
                        counts[place] += (levels[valid] == (place if len(counts) > 1 else levels[valid][0, 0, 0])).sum(0)
                runs.append(run)
                number += 1
            for index, (layers, length) in enumerate(zip(hidden, lengths)):
                parts = zip(*([directed(h[index, :length], reverse) for h in run.h] for reverse, run in enumerate(runs)))
                layers += [torch.cat(part, dim=1).double() / 120 for part in parts]
            sequences = [layers[-1] for layers in hidden]
        return hidden

    def words_by_quarter(self, run: NetworkRun) -> list[int]:
        """Words of HH, HL, LH and LL that all tiles together added, padded: the counters of quarters."""
        totals = [0] * len(QUARTERS)
        for direction, layers in zip(self.directions, run.rows):
            for layer, counts in zip(direction.layers, layers):
                for level, rows in zip(_levels(layer, counts), counts):
                    totals = [total + int(rows.sum()) * words for total, words in zip(totals, quarter_words(level, layer.words()))]
        return totals

    def mean_quarters(self, run: NetworkRun) -> float:
        """Quarter products over products, with padded words."""
        return len(QUARTERS) / self.speedup_over_high(run)

    def speedup(self, run: NetworkRun) -> float:
        """Ideal speedup over the baseline build, of 16 products of 8x8 a cycle and tile: both with padded words, nothing else waits."""
        baseline = sum(4 * layer.units * run.steps * sum(layer.words(BASELINE_WORD)) for direction in self.directions for layer in direction.layers)
        return baseline / sum(self.words_by_quarter(run))

    def speedup_over_high(self, run: NetworkRun) -> float:
        """Ideal speedup over STATIC_HIGH: 4 / mean quarters, with padded words."""
        high = sum(4 * layer.units * run.steps * row_quarters(ALL, layer.words()) for direction in self.directions for layer in direction.layers)
        return high / sum(self.words_by_quarter(run))

    def energy_over_high(self, run: NetworkRun) -> float:
        """Energy of what rows read from memories, over that of STATIC_HIGH."""
        total = high = 0.0
        for direction, layers in zip(self.directions, run.rows):
            for layer, counts in zip(direction.layers, layers):
                levels = _levels(layer, counts)
                total += sum(int(rows.sum()) * COSTS["energy"](level, levels[0], layer.words()) for level, rows in zip(levels, counts))
                high += 4 * layer.units * run.steps * COSTS["energy"](ALL, ALL, layer.words())
        return total / high

    def shares(self, run: NetworkRun) -> list:
        """Shares of levels by [direction][layer][gate][level], as RANDOM takes them."""
        return [[(counts.sum(1) / counts.sum((0, 1))).T.tolist() for counts in layers] for layers in run.rows]

    def level_shares(self, run: NetworkRun) -> list[float]:
        """Share of the row-weights at each level, of all layers, the lowest first; a row counts as many as it meets activations."""
        totals: list[float] = []
        for direction, layers in zip(self.directions, run.rows):
            for layer, counts in zip(direction.layers, layers):
                totals += [0.0] * (len(counts) - len(totals))
                for place, rows in enumerate(counts):
                    totals[place] += int(rows.sum()) * (layer.terms * layer.inputs + layer.units)
        return [total / sum(totals) for total in totals]

    def low_weight_share(self, run: NetworkRun) -> float:
        """Low share as the paper counts: of the weights that meet an activation, those that stay at 4 bits: neither LH nor LL, of x0 and h."""
        low = total = 0
        for direction, layers in zip(self.directions, run.rows):
            for layer, counts in zip(direction.layers, layers):
                for level, rows in zip(_levels(layer, counts), counts):
                    number, segments = int(rows.sum()), ((level.x0, layer.inputs), (level.h, layer.units))
                    low += number * sum(size for quarters, size in segments if quarters <= 2)
                    total += number * sum(size for _, size in segments)
        return low / total


def _levels(layer, counts) -> tuple[Level, ...]:
    return layer.levels if len(counts) == len(layer.levels) else (ALL,)
