# SPDX-License-Identifier: MIT
"""What an import gives: LSTMs in float, ready to be quantized."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor, nn

from ..error_budget import LOSS_DB, set_by_error
from ..float_lstm import hidden_states
from ..layer import LARGEST_H, MAX_SIZE
from ..quantize import H_SCALE
from ..quantized_lstm import MAX_LAYERS, State
from ..quantized_network import QuantizedNetwork, quantize_stages, stages

LISTED, LONGEST = 8, 100  # names in a message, characters of a name
MOST_STAGES = 16  # layers of two directions; the accelerator has no limit, but files may repeat a layer without end


class ImportFailure(ValueError):
    """The file holds no LSTM that the accelerator can run; one line says why and what to do."""


@dataclass
class ImportedLSTM:
    """A stack of LSTMs, each over the outputs of the one below.

    lstms: one nn.LSTM as a rule; more where layers differ in size or in their directions. batch_first is False in all.
    reverse: all of them run from the last step to the first, with their outputs in the order of time.
    h0, c0: by layer, float [directions, units]; None: zero.
    notes: what the import took for granted, a sentence each.
    """

    lstms: list[nn.LSTM]
    reverse: bool = False
    h0: list[Tensor] | None = None
    c0: list[Tensor] | None = None
    notes: list[str] = field(default_factory=list)

    @property
    def inputs(self) -> int:
        """Inputs of the lowest LSTM in a step."""
        return self.lstms[0].input_size

    def check(self) -> None:
        """Raises ImportFailure for sizes that the accelerator does not have, and for weights that are no numbers."""
        layers = 0
        for lstm in self.lstms:
            check_sizes(lstm.input_size, lstm.hidden_size, lstm.num_layers, 1 + lstm.bidirectional)
            layers = 0 if lstm.bidirectional else layers + lstm.num_layers
            if layers > MAX_LAYERS:
                raise ImportFailure(f"{layers} layers one above the other: the accelerator takes 1 to {MAX_LAYERS}; use fewer")
            for name, values in lstm.named_parameters():
                if not values.isfinite().all():
                    raise ImportFailure(f"{name} has values that are NaN or infinite: save it from before the training diverged")

    def __call__(self, x: Tensor) -> Tensor:
        """Outputs of the last layer, float64 [steps, outputs], of one sequence, float [steps, inputs]."""
        x, layer = self.directed(x), 0
        for lstm in self.lstms:
            state = None
            if self.h0 is not None:
                state = tuple(torch.cat(values[layer:layer + lstm.num_layers]) for values in (self.h0, self.c0))
            x, layer = hidden_states(lstm, [x], state)[0][-1], layer + lstm.num_layers
        return self.directed(x)

    def directed(self, x: Tensor) -> Tensor:
        """A sequence [steps, values], of any type, in the order in which the LSTMs take it, or back from it."""
        return x.flip(0) if self.reverse else x

    def quantize(self, calibration: list[Tensor], decibels: float = LOSS_DB) -> QuantizedNetwork:
        """Quantized on sample inputs, a list of float [steps, inputs]; decibels: as of `set_by_error`. Its sequences are `directed`.

        Raises ImportFailure for inputs or weights that are too large for the formats.
        """
        inputs, from_zero = [self.directed(sample) for sample in calibration], replace(self, h0=None, c0=None)
        try:
            q = quantize_stages([stage for lstm in self.lstms for stage in stages(lstm)], inputs, low_share=None)
        except ValueError as error:
            largest = max(sample.abs().max().item() for sample in calibration) if calibration else 0
            weight = max(values.abs().max().item() for lstm in self.lstms for values in lstm.parameters())
            raise ImportFailure(f"{error}; inputs reach {largest:.3g}, weights {weight:.3g}: give the inputs as the LSTM saw them in training") from error
        return set_by_error(q, inputs, [self.directed(from_zero(sample)) for sample in calibration], decibels)

    def initial_states(self, q: QuantizedNetwork) -> list[State | None]:
        """By direction of q, the state of one sequence, integers [1, units] by layer, that every sequence begins with; None: zero.

        Raises ImportFailure where a cell does not hold it.
        """
        if self.h0 is None:
            return [None] * len(q.directions)
        states, layer = [], 0
        for stage in q.stages:
            for direction, part in enumerate(stage):
                numbers = range(layer, layer + len(part.layers))
                h = [_rounded(self.h0[number][direction] / H_SCALE, LARGEST_H, "initial_h") for number in numbers]
                c = [_rounded(self.c0[number][direction] * 2.0**quantized.c_frac, (-32767, 32767), "initial_c")
                     for number, quantized in zip(numbers, part.layers)]
                states.append(State(h, c, [torch.zeros_like(part) for part in h]))
            layer += len(stage[0].layers)
        return states


def _rounded(values: Tensor, within: tuple[int, int], name: str) -> Tensor:
    """int32 [1, units]; h = 1 rounds to the largest one, as in the accelerator."""
    rounded = torch.floor(values + 0.5)
    if rounded.abs().max() > within[1] + 1:
        scale = (within[1] + 1) / rounded.abs().max()
        raise ImportFailure(f"{name} is {1 / scale:.3g} times what the states of the calibration allow: give INPUTS= in whose course c is as large")
    return rounded.clamp(*within).int().unsqueeze(0)


def check_sizes(inputs: int, units: int, layers: int, directions: int) -> None:
    """Raises ImportFailure for an LSTM that the accelerator does not have, before its weights are read."""
    for what, size in (("hidden size", units), ("input size", max(inputs, directions * units if layers > 1 else 0))):
        if not 1 <= size <= MAX_SIZE:
            raise ImportFailure(f"{what} {size}: the accelerator takes 1 to {MAX_SIZE}; use a smaller LSTM")
    most = MAX_LAYERS if directions == 1 else MOST_STAGES
    if layers > most:
        raise ImportFailure(f"{layers} layers one above the other: the accelerator takes 1 to {most}; use fewer")


def listed(names: Iterable[str]) -> str:
    """The first of some names, for a message; long ones are cut."""
    names = [name if len(name) <= LONGEST else f"...{name[-LONGEST:]}" for name in names]
    return ", ".join(names[:LISTED]) + (f" and {len(names) - LISTED} more" if len(names) > LISTED else "")


def lstm_of(weights: list, bidirectional: bool) -> nn.LSTM:
    """nn.LSTM of weights [layer][direction] of (w_ih [4 * units, inputs], w_hh [4 * units, units], b_ih, b_hh [4 * units]) in PyTorch's order of gates; no biases:
    None."""
    first = weights[0][0]
    lstm = nn.LSTM(first[0].shape[1], first[1].shape[1], len(weights), bias=first[2] is not None, bidirectional=bidirectional)
    lstm.requires_grad_(False)
    for values, targets in zip((direction for layer in weights for direction in layer), lstm.all_weights, strict=True):
        for value, target in zip(values, targets):
            target.copy_(value)
    return lstm
