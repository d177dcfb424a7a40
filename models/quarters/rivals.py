# SPDX-License-Identifier: MIT
"""Rivals of the precision unit, at their best, and other costs than time, as designs of a study: a multiplier moves each, so that all are calibrated to one budget.

- Widths: bits of weights and activations, by layer, fixed (models.quarters.widths), counted as a machine that scales perfectly in both operands,
  or as the quarter-product machine;
- Shares: levels by chance (RANDOM), as often in each layer and gate as SENSITIVITY takes them at the multiplier;
- Frugal: SENSITIVITY for another cost than time, except in layers where all quarters at once (STATIC_HIGH) cost less.

STATIC_ROWS needs nothing of its own: it is a policy of the machine.
"""

import copy
from dataclasses import dataclass, field, replace
from typing import ClassVar

from torch import Tensor

from ..cache import cached
from ..levels import ALL, Cost
from ..networks import Part
from ..policies import Policy
from ..quantized_network import NetworkRun, Progress, QuantizedNetwork
from ..sources import code
from ..study import Design, Point, Study
from . import widths
from .memories import COSTS, energy_over_high, rows_cost

LEARNED_STEPS = 4096  # of the fitted data, on which RANDOM learns shares, and Frugal which layers take all quarters
SEEDS = (0, 1, 2)


def _made_by():
    """What results depend on, for the keys of the cache: designs are a part of them."""
    return code(__name__)


@dataclass(frozen=True)
class Widths:
    """Static widths. cost: of widths.WIDTH_COSTS, by which they are chosen and speeds counted; exponents: of words of the network's own input."""

    cost: str = "ideal"
    exponents: bool = False
    own_offsets: bool = True  # of thresholds, which there are none of
    made_by: str = field(default_factory=_made_by)


@dataclass(frozen=True)
class _OfDesign:
    design: Design
    made_by: str = field(default_factory=_made_by)

    @property
    def own_offsets(self) -> bool:
        """As of the design."""
        return self.design.own_offsets


class Shares(_OfDesign):
    """RANDOM with the shares of levels that SENSITIVITY has in a design."""


class Frugal(_OfDesign):
    """SENSITIVITY in a design, and STATIC_HIGH in the layers where that takes less of what the design is to save."""


class RandomNetwork(QuantizedNetwork):
    """A network whose rows have levels by chance, with shares that are learned from some float sequences [steps, inputs]; its thresholds are those
    of the network that it is made from."""

    def __init__(self, base: QuantizedNetwork, inputs: list[Tensor]):
        super().__init__(base.stages)
        self.inputs, self.learned = inputs, None

    def set_log2_lambda(self, policy: Policy, log2_lambda: float, own_offsets: bool = False) -> None:
        """Learn the shares, [direction][layer][gate][level], that SENSITIVITY has at a multiplier."""
        super().set_log2_lambda(Policy.SENSITIVITY, log2_lambda, own_offsets)
        self.learned = self.shares(super().run(self.inputs, Policy.SENSITIVITY))

    def run(self, inputs: list[Tensor], policy: Policy = Policy.RANDOM, shares: list | None = None, seed: int = 0,
            progress: Progress = lambda steps: None) -> NetworkRun:
        """As QuantizedNetwork.run, of float sequences [steps, inputs], with the shares [direction][layer][gate][level] that were learned, unless others are given."""
        return super().run(inputs, policy, shares or self.learned, seed, progress)


class FrugalNetwork(QuantizedNetwork):
    """A network whose layers have a policy of their own: SENSITIVITY, or STATIC_HIGH where that costs less on some float sequences [steps, inputs]. A row that is
    refined costs more than one that takes all quarters at once; layers with few rows at the lowest level are cheaper without it."""

    def __init__(self, base: QuantizedNetwork, inputs: list[Tensor], cost: Cost):
        super().__init__([[copy.copy(direction) for direction in stage] for stage in base.stages])
        self.inputs, self.cost = inputs, cost

    def set_log2_lambda(self, policy: Policy, log2_lambda: float, own_offsets: bool = False) -> None:
        """Set thresholds of SENSITIVITY, and choose each layer's policy by what its rows then cost."""
        super().set_log2_lambda(policy, log2_lambda, own_offsets)
        counted = super().run(self.inputs, policy)
        for direction, layers in zip(self.directions, counted.rows):
            for number, (layer, counts) in enumerate(zip(direction.layers, layers)):
                rows = counts.sum((1, 2)).tolist()
                if rows_cost(layer, rows, self.cost) > sum(rows) * self.cost(ALL, ALL, layer.row_words):
                    direction.layers[number] = replace(layer, policy=Policy.STATIC_HIGH)

    def run(self, inputs: list[Tensor], policy: Policy | None = None, shares: list | None = None, seed: int = 0,
            progress: Progress = lambda steps: None) -> NetworkRun:
        """As QuantizedNetwork.run, of float sequences [steps, inputs]; SENSITIVITY stands for each layer's own policy."""
        return super().run(inputs, None if policy == Policy.SENSITIVITY else policy, shares, seed, progress)


class RivalStudy(Study):
    """A study that knows designs of rivals, and costs in energy, as well. Results of other designs are those of Study, under the same keys."""

    costs: ClassVar[dict[str, Cost]] = COSTS

    def quantized(self, design: Design | Widths | Shares | Frugal) -> QuantizedNetwork:
        """As Study.quantized, of a design or of a rival's."""
        if isinstance(design, Design):
            return super().quantized(design)
        if design not in self._quantized:
            if isinstance(design, Widths):
                key = ("quarters widths", *self._fit_key, code(widths.__name__), design.exponents)
                self._quantized[design] = widths.WidthNetwork(cached(key, lambda: self._fitted_widths(design.exponents)).stages, design.cost)
            else:
                base, learned_on = super().quantized(design.design), [sample.inputs for sample in self._part(Part.FIT, LEARNED_STEPS)]
                random = isinstance(design, Shares)
                self._quantized[design] = RandomNetwork(base, learned_on) if random else FrugalNetwork(base, learned_on, self.costs[design.design.cost])
        return self._quantized[design]

    def _fitted_widths(self, exponents):
        samples = self._part(Part.FIT, self.fit_steps)
        return widths.network_of(widths.fit(self.network, samples, self.settings, self.fitted, exponents), self.fitted, "ideal")

    def energy(self, design: Design | Widths | Shares | Frugal, point: Point) -> float:
        """Energy of rows, over STATIC_HIGH's; of widths NaN, where nothing has quarters."""
        return float("nan") if isinstance(design, Widths) else energy_over_high(self.quantized(design), point.counts)

    def widths_at(self, design: Widths, log2_lambda: float) -> dict:
        """The widths by direction and layer at a multiplier, and their ideal speeds over the baseline build, by cost."""
        q = self.quantized(design)
        q.set_log2_lambda(Policy.STATIC_HIGH, log2_lambda)
        return {"widths": [[width._asdict() for width in direction] for direction in q.widths], "speeds": {cost: q.speed(cost) for cost in widths.WIDTH_COSTS}}
