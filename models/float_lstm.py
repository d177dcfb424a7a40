# SPDX-License-Identifier: MIT
"""The LSTM in float64: what quantization, gradients and the evaluation compare integers with.

torch.nn.LSTM gives neither pre-activations nor cell states, and its float32 differs from processor to processor in digits that matter.
Weights are PyTorch's: gates i, f, g, o, one above the other.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn


class LayerWeights(NamedTuple):
    """Of one layer and direction, float64: w_ih [4 * units, inputs], w_hh [4 * units, units], bias [4 * units], both biases added."""

    w_ih: Tensor
    w_hh: Tensor
    bias: Tensor


class LayerStates(NamedTuple):
    """What a layer computes, float64 [batch, steps, ...]: z [4 * units], c and h [units]."""

    z: Tensor
    c: Tensor
    h: Tensor


def layer_weights(lstm: nn.LSTM, layer: int, suffix: str = "") -> LayerWeights:
    """Weights of a layer of an nn.LSTM in float64, a bias of zeros where it has none; suffix: "_reverse" for its second direction."""
    w_ih, w_hh = (getattr(lstm, f"weight_{kind}_l{layer}{suffix}").double() for kind in ("ih", "hh"))
    if not lstm.bias:
        return LayerWeights(w_ih, w_hh, w_ih.new_zeros(len(w_ih)))
    return LayerWeights(w_ih, w_hh, sum(getattr(lstm, f"bias_{kind}_l{layer}{suffix}").double() for kind in ("ih", "hh")))


def cell_step(z: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
    """(c, h), float64 [batch, units], after a step with pre-activations z [batch, 4 * units] and the cell state c [batch, units] before it.

    c' = f c + i g, h = o tanh(c'), as torch.nn.LSTM has them.
    """
    i, f, g, o = z.chunk(4, dim=1)
    c = f.sigmoid() * c + i.sigmoid() * g.tanh()
    return c, o.sigmoid() * c.tanh()


def layer_steps(weights: LayerWeights, x: Tensor, state: tuple[Tensor, Tensor] | None = None) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Yields (z, c, h), float64 [batch, 4 * units] and twice [batch, units], of each step of a layer over x, float [batch, steps, inputs].

    state: (h, c) before the first step, float64 [batch, units]; None: zero. z is part of the graph where gradients are enabled.
    """
    h, c = state or (x.new_zeros(len(x), weights.w_hh.shape[1], dtype=torch.float64),) * 2
    for prepared in (x.double() @ weights.w_ih.T + weights.bias).unbind(1):
        z = prepared + h @ weights.w_hh.T
        if torch.is_grad_enabled() and not z.requires_grad:
            z.requires_grad_()
        c, h = cell_step(z, c)
        yield z, c, h


def run_layer(weights: LayerWeights, x: Tensor, state: tuple[Tensor, Tensor] | None = None) -> LayerStates:
    """States of all steps, float64, of x [batch, steps, inputs] from state (h, c) [batch, units], or from zero: what layer_steps yields, stacked."""
    return LayerStates(*(torch.stack(parts, dim=1) for parts in zip(*layer_steps(weights, x, state))))


@torch.no_grad()
def hidden_states(lstm: nn.LSTM, sequences: Sequence[Tensor], states: tuple[Tensor, Tensor] | None = None) -> list[list[Tensor]]:
    """By sequence [steps, inputs] and layer, the outputs, float64 [steps, outputs], two directions side by side, in the order of time.

    states: (h, c) that all sequences begin with, float [layers * directions, units] as nn.LSTM takes them; None: zero.
    """
    hidden, below = [[] for _ in sequences], list(sequences)
    suffixes = ("", "_reverse") if lstm.bidirectional else ("",)
    for layer in range(lstm.num_layers):
        outputs = []
        for direction, suffix in enumerate(suffixes):
            x = nn.utils.rnn.pad_sequence([x.flip(0) if direction else x for x in below], batch_first=True)
            place = layer * len(suffixes) + direction
            start = states and tuple(part[place].double().expand(len(x), -1) for part in states)
            h = run_layer(layer_weights(lstm, layer, suffix), x, start).h
            own = [h[index, :len(sequence)] for index, sequence in enumerate(sequences)]
            outputs.append([h.flip(0) if direction else h for h in own])
        below = [torch.cat(directions, dim=1) for directions in zip(*outputs)]
        for layers, h in zip(hidden, below):
            layers.append(h)
    return hidden
