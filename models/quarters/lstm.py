# SPDX-License-Identifier: MIT
"""A stack of layers of the quarter-product machine, for a batch and all units at once."""

from dataclasses import dataclass, field

import torch
from torch import Tensor

from ..cell import finish
from ..policies import Policy, next_history
from ..quantized_lstm import PREPARED_SUMS
from .cell import RowSums, output
from .layer import ACTIVATIONS, QuarterLayer
from .selectors import Selector, make_selector

# Policies that refine nothing: the level of all rows, None for all quarters.
STATIC = {Policy.STATIC_HIGH: None, Policy.STATIC_LOW: 0}


@dataclass
class Run:
    """What a run computed, by layer.

    h [batch, steps, units] int8 in units of 1/120; c int16; levels [batch, steps, units, 4 gates] int8, -1 for all quarters under STATIC_HIGH.
    """

    h: list[Tensor] = field(default_factory=list)
    c: list[Tensor] = field(default_factory=list)
    levels: list[Tensor] = field(default_factory=list)


def input_terms(x: Tensor, scales: tuple[Tensor, ...]) -> list[Tensor]:
    """Integers of each term, within ACTIVATIONS, as floats, for real inputs x [..., inputs]: a term carries what the ones before leave."""
    terms = []
    for scale in scales:
        terms.append(torch.floor(x / scale + 0.5).clamp(-127, ACTIVATIONS[1]))
        x = x - terms[-1] * scale
    return terms


class QuarterLSTM:
    """A stack of layers. input_scales: the real value of one unit of each term of the input, [inputs]; negative where inputs change their sign.
    order: the input at each place of the words of the input."""

    def __init__(self, layers: list[QuarterLayer], input_scales: tuple[Tensor, ...], order: Tensor):
        self.layers, self.input_scales, self.order = list(layers), input_scales, order
        self.row_offsets: list[dict] = [{} for _ in self.layers]

    def quantize_input(self, x: Tensor) -> Tensor:
        """Real inputs [..., inputs] to int8 [..., terms, inputs], in the order of the words."""
        if not torch.isfinite(x).all():
            raise ValueError("the input has values that are NaN or infinite")
        return torch.stack(input_terms(x.double(), self.input_scales), dim=-2).to(torch.int8)[..., self.order]

    def run(self, x: Tensor, policy: Policy, shares: list | None = None, seed: int = 0) -> Run:
        """Run integer inputs x [batch, steps, terms, inputs] from zero state. shares: [layer][gate][level], for RANDOM."""
        result, x = Run(), x.transpose(0, 1)
        for number, layer in enumerate(self.layers):
            selector = make_selector(policy, layer, shares and shares[number], 8 * seed + number)
            h, c, levels = run_layer(layer, x, policy, selector)
            result.h.append(h.transpose(0, 1))
            result.c.append(c.transpose(0, 1))
            result.levels.append(levels.permute(1, 0, 3, 2))
            x = h.unsqueeze(2)
        return result


def run_layer(layer: QuarterLayer, x: Tensor, policy: Policy, selector: Selector | None = None, start: tuple | None = None) -> tuple[Tensor, Tensor, Tensor]:
    """Run a layer over integers x [steps, batch, terms, inputs] from start (h, c, history) [batch, units], or from zero.

    Returns h int8 and c int16 [steps, batch, units] and levels int8 [steps, batch, 4, units].
    """
    steps, batch = x.shape[:2]
    rows = RowSums(layer, [STATIC[policy]] if selector is None else list(range(len(layer.levels))))
    h, c, history = start or (torch.zeros(batch, layer.units, dtype=torch.int32) for _ in range(3))
    all_h = torch.empty(steps, batch, layer.units, dtype=torch.int8)
    all_c = torch.empty(steps, batch, layer.units, dtype=torch.int16)
    levels = torch.full((steps, batch, 4, layer.units), -1 if policy is Policy.STATIC_HIGH else 0, dtype=torch.int8)
    block = max(1, PREPARED_SUMS // (batch * len(rows.levels) * 4 * layer.units))
    for step, prepared in enumerate(part for steps_of_x in x.split(block) for part in rows.prepare(steps_of_x)):
        z = rows(prepared, h)
        if selector is None:
            z = z[:, 0]
        else:
            level = selector(z[:, 0], c, history)
            levels[step] = level
            z = z.gather(1, level.unsqueeze(1)).squeeze(1)
        gates, new_c, tanh_c = finish(z, c, layer.c_frac)
        h = output(gates, tanh_c)
        history, c = next_history(history, new_c - c), new_c
        all_h[step], all_c[step] = h, c
    return all_h, all_c, levels
