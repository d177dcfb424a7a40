# SPDX-License-Identifier: MIT
"""The precision policies: what chooses, row by row, a level of precision. One entry each, from which everything that differs by policy is read.

A policy of your own is an entry here, a code in models.formats, a selector (models.selectors) and a Verilog module; docs/own-policy.md leads there.
"""

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from .effects import sensitivity_seen, size_seen
from .float_lstm import LayerStates
from .formats import GATES, Policy
from .layer import QuantizedLayer
from .selectors import CellHistory, Random, Selector, Sensitivity, StaticRows, cell_codes, next_history, sensitivity, theta_alignment

__all__ = ("BUILD_POLICIES", "DECIDING", "GATES", "POLICIES", "Policy", "PolicyEntry", "cell_codes", "make_selector", "next_history", "sensitivity", "theta_alignment")


@dataclass(frozen=True)
class PolicyEntry:
    """What is to be known of a policy.

    level: of all rows, where nothing is to be decided: None for all quarters, else a place in the layer's list.
    selector: of a layer, with [gate][level] shares (None where it has none) and a seed; None where nothing is to be decided.
    decides: by thresholds of its own, which calibration finds. needs_shares: of levels, which say how often.
    in_build: whether builds have it. Other policies run in the models only.
    seen: what it sees of rows on average over frames, [4, units] by cell_floor, from float states, c int16 [batch, steps, units] and valid [batch, steps];
    thresholds follow from the error that a word removes, divided by it (models.quantize). None: they follow from that error alone, or there are none.
    alignment: constant part of what it sees, by gate, from c_frac. start: log2 of the error for a word from which calibration searches.
    """

    code: Policy
    level: int | None = 0
    selector: Callable[[QuantizedLayer, list | None, int], Selector] | None = None
    decides: bool = False
    needs_shares: bool = False
    seen: Callable[[LayerStates, Tensor, Tensor], dict[int, Tensor]] | None = None
    alignment: Callable[[int], tuple[float, ...]] = lambda c_frac: (0.0,) * len(GATES)
    start: float = 0.0

    @property
    def name(self) -> str:
        """The policy's name, as POLICY= and tables have it."""
        return self.code.name

    @property
    def in_build(self) -> bool:
        """Whether builds have it, or the models only."""
        return self.code.in_build

    @property
    def has_thresholds(self) -> bool:
        """Whether theta and offset of a layer mean something to it."""
        return self.start != 0


POLICIES: dict[Policy, PolicyEntry] = {entry.code: entry for entry in (
    PolicyEntry(Policy.STATIC_HIGH, level=None),
    PolicyEntry(Policy.STATIC_LOW),
    PolicyEntry(Policy.CELL_HISTORY, selector=lambda layer, shares, seed: CellHistory(layer), decides=True, seen=size_seen, start=-32.0),
    PolicyEntry(Policy.SENSITIVITY, selector=lambda layer, shares, seed: Sensitivity(layer), decides=True, seen=sensitivity_seen, alignment=theta_alignment,
                start=-26.0),
    PolicyEntry(Policy.RANDOM, selector=lambda layer, shares, seed: Random(shares, seed), needs_shares=True),
    PolicyEntry(Policy.STATIC_ROWS, selector=lambda layer, shares, seed: StaticRows(layer), start=-32.0),
)}
BUILD_POLICIES = tuple(code for code, entry in POLICIES.items() if entry.in_build)
DECIDING = tuple(code for code, entry in POLICIES.items() if entry.decides)


def make_selector(policy: Policy, layer: QuantizedLayer, shares: list | None, seed: int) -> Selector | None:
    """Selector of a policy for a layer; None where nothing is to be decided.

    shares: of the layer, [gate][level], of rows, for those that need them; seed: of RANDOM. Raises ValueError where a policy needs shares and none are given.
    """
    entry = POLICIES[policy]
    if entry.needs_shares and shares is None:
        raise ValueError(f"{entry.name} needs the shares of levels, [layer][gate][level]")
    return entry.selector(layer, shares, seed) if entry.selector else None
