# SPDX-License-Identifier: MIT
"""Cycles of machines that rtl/ is not, from the levels of their rows: others in Timing, words that are shared, rows that start at a higher level.

The schedule is that of models.cycle_model, and without any of that so are the cycles. A row that starts at a level above the lowest (always refined) has all of that
level's quarters in its early and late pass. A unit whose four rows do so is finished once.
"""

import math
from dataclasses import dataclass
from enum import Enum

import torch
from torch import Tensor

from ..compiler import deal
from ..cycle_model import LayerWork, Schedule, Timing, refinement_passes
from ..formats import BEAT_WIDTH, GATES, Level
from ..formats import EXPONENT_GROUP as WORD
from ..layer import levels_by_code
from ..levels import ALL, Levels
from ..policies import POLICIES, Policy

TIMING = Timing()
GRANULE = BEAT_WIDTH // 8  # values of x that a beat brings, and that the activation bus takes in a cycle


class Sharing(Enum):
    """Who has the words that the end of a segment, its values after the last full word, does not fill.

    NONE: nobody. ROWS: an end of at most half a word is read for gates i and f, or g and o, at once, each in its half of the tree, which gives two sums.
    QUARTERS: an end of at most half (a quarter of) a word is read for two (all four) quarters of its row at once, each with its own shift.
    """

    NONE = "none"
    ROWS = "rows"
    QUARTERS = "quarters"


@dataclass(frozen=True)
class QuarterBuild:
    """A build of a machine."""

    tiles: int = 4
    in_flight: int = 8
    sharing: Sharing = Sharing.NONE
    timing: Timing = TIMING


@dataclass(frozen=True)
class Shape:
    """What the model has to know of a layer; a QuantizedLayer has it too."""

    units: int
    inputs: int
    levels: Levels = (ALL,)
    terms: int = 1

    @property
    def by_code(self) -> Levels:
        return levels_by_code(self.levels)


def segment_words(before: Tensor, after: Tensor, values: int, sharing: Sharing = Sharing.NONE) -> Tensor:
    """Words that bring the rows of a unit from so many quarters of a segment to so many, [..., gates]; a word that two rows share counts for the first."""
    full, end = divmod(values, WORD)
    missing = after - before
    if sharing is Sharing.QUARTERS and end:
        width = next(width for width in (WORD // 4, WORD // 2, WORD) if end <= width)
        return missing * full + _words(after * width) - _words(before * width)
    if sharing is Sharing.ROWS and 0 < end <= WORD // 2:
        pairs = missing.unflatten(-1, (2, 2))
        first, both = pairs[..., 0], pairs.amax(-1)
        shared = torch.stack((both * (first > 0), both * (first == 0)), dim=-1).flatten(-2)
        return missing * full + shared
    return missing * math.ceil(values / WORD)


def _words(lanes):
    return -(-lanes // WORD)


def layer_work(layer: Shape, number: int, levels: Tensor, policy: Policy, always: Tensor | None = None, sharing: Sharing = Sharing.NONE) -> LayerWork:
    """What layer `number` asks of the tiles. levels [steps, units, 4]: codes, in the image's order.

    always: bool [units, 4], rows that start at the highest level.
    """
    start = torch.zeros(layer.units, len(GATES), dtype=torch.int64)
    if always is not None:
        start[always] = len(layer.by_code) - 1
    if policy is Policy.STATIC_HIGH:
        start[:] = len(layer.by_code) - 1
    table = torch.tensor(layer.by_code)
    begun, reached = table[start], table[torch.maximum(levels.long(), start)]
    values = (layer.inputs, layer.inputs * (layer.terms - 1), layer.units)

    def words(before, after, segments):
        return sum(segment_words(before[..., segment], after[..., segment], values[segment], sharing) for segment in segments if values[segment])

    zero = torch.zeros_like(begun)
    x, h = (_in_pairs(words(zero, begun, segments)).tolist() for segments in ((0, 1), (2,)))
    decides = POLICIES[policy].selector is not None
    later = words(begun, reached, (0, 1, 2)).tolist() if decides else [[[0] * len(GATES)] * layer.units] * len(levels)
    early, late = (x, h) if number == 0 else (h, x)
    return LayerWork(layer.units, early, late, (decides & (start < len(layer.by_code) - 1).any(1)).tolist(),
                     [[_refinements(*unit) for unit in zip(*step)] for step in zip(levels.tolist(), later)])


def _in_pairs(words: Tensor) -> Tensor:
    """Words of passes over gates i and f, then g and o. words [units, 4]: of each row."""
    pairs = words.unflatten(-1, (2, 2)).sum(-1)
    return torch.stack((pairs, torch.zeros_like(pairs)), dim=-1).flatten(-2)


def _refinements(levels: list[int], words: list[int]) -> list[int]:
    """Words of the refinement passes of a unit, from those of its rows."""
    passes = refinement_passes([level if count else Level.LOWEST for level, count in zip(levels, words)])
    return [sum(words[gate] for gate in gates) for gates in passes]


class QuarterCycleModel(Schedule):
    """One run: `QuarterCycleModel(layers, build, levels, order, policy).cycles()`.

    layers: QuantizedLayers or Shapes. levels: by layer, codes [steps, units, 4] as of models.quantized_lstm.Run, of one sequence, in the network's order; order:
    by layer, the network's unit in each position of the image; always: by layer, bool [units, 4] in the network's order, rows that start at the highest level.
    """

    def __init__(self, layers: list, build: QuarterBuild, levels: list[Tensor], order: list[list[int]] | None = None, policy: Policy = Policy.SENSITIVITY,
                 always: list[Tensor] | None = None, trace: bool = True):
        order = order or [list(range(layer.units)) for layer in layers]
        work = [layer_work(layer, number, found[:, positions], policy, always and always[number][positions], build.sharing)
                for number, (layer, found, positions) in enumerate(zip(layers, levels, order))]
        granules = layers[0].terms * (math.ceil(layers[0].inputs / WORD) * WORD // GRANULE)
        super().__init__(work, build.tiles, build.in_flight, granules, 1, True, trace, build.timing)


def dealt(layers: list, levels: list[Tensor], tiles: int) -> list[list[int]]:
    """Order of the units of each layer that balances the words of refinements of a run like this one, as models.compiler deals them."""
    found = []
    for number, (layer, own) in enumerate(zip(layers, levels)):
        words = [[sum(unit) for unit in step] for step in layer_work(layer, number, own, Policy.SENSITIVITY).refinements]
        found.append(deal([sum(unit) / len(words) for unit in zip(*words)], tiles))
    return found
