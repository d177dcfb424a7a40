# SPDX-License-Identifier: MIT
"""A stack of quantized LSTM layers that computes the integers of the accelerator, for a batch and all units at once."""

import copy
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from .cell import RowSums, choose, finish, output
from .layer import QuantizedLayer
from .policies import DECIDING, Policy, next_history
from .selectors import Oracle, make_selector

MAX_LAYERS = 8
# Row sums of the input part that are prepared at once: enough for an efficient product, few enough to stay in the cache.
PREPARED_SUMS = 1 << 19


@dataclass
class State:
    """State between two steps: lists, by layer, of integer tensors [batch, units].

    h Q0.7, c with c_frac fraction bits, history 0..31. With first, the next step begins a sequence: all three read as zero.
    """

    h: list
    c: list
    history: list
    first: bool = False


@dataclass
class Run:
    """What a run computed.

    h [batch, steps, units] int8: Q0.7 of the last layer; layer_h, layer_c: the same for every layer (c int16);
    masks: by layer, bool [batch, steps, units, 4 gates], true where the lo plane was added; policies: that chose them;
    state: after the last step.
    """

    layer_h: list
    layer_c: list
    masks: list
    policies: list
    state: State
    row_weights: list

    @property
    def h(self) -> Tensor:
        return self.layer_h[-1]

    def rows(self, layer: int, gate: int, plane: str) -> int:
        """Rows of a gate (0..3) that were computed over a plane, "hi" or "lo"."""
        mask = self.masks[layer][..., gate]
        return mask.numel() if plane == "hi" else int(mask.sum())

    def low_share_of(self, gates: Iterable[int]) -> float:
        """1 - weights of lo / weights of hi, over the given gates. models.counters counts in words of a build."""
        layers = range(len(self.masks))
        hi, lo = (
            sum(self.row_weights[layer] * self.rows(layer, gate, plane) for layer in layers for gate in gates) for plane in ("hi", "lo")
        )
        return 1 - lo / hi

    @property
    def low_share(self) -> float:
        return self.low_share_of(range(4))

    @property
    def low_share_by_gate(self) -> list[float]:
        return tuple(self.low_share_of([gate]) for gate in range(4))


def input_terms(x: Tensor, scales: Sequence[float | Tensor]) -> list[Tensor]:
    """Integers -127..127 of each term, as floats, for real inputs x [..., inputs]: a term carries what the ones before leave."""
    terms = []
    for scale in scales:
        terms.append(torch.floor(x / scale + 0.5).clamp(-127, 127))
        x = x - terms[-1] * scale
    return terms


class QuantizedLSTM:
    """A stack of quantized layers.

    input_scales: the real value of one unit of each term of the input, or a tensor [inputs] where it differs by input. refinements: by
    layer, the rows [units] that each unit is expected to refine in a step, if they are known. row_offsets, thresholds: by layer and
    policy, what calibration left (row offsets of models.thresholds: float64 [units, 4], of SENSITIVITY by cell_floor; thresholds: theta, offset,
    refinements).
    """

    def __init__(self, layers: list[QuantizedLayer], input_scales: Sequence[float | Tensor] = (1.0,), refinements: list | None = None):
        self.layers = list(layers)
        self.input_scales = tuple(torch.as_tensor(scale, dtype=torch.float64) for scale in input_scales)
        self.refinements = refinements
        self.row_offsets = [{} for _ in self.layers]
        self.thresholds = [{} for _ in self.layers]
        if not 1 <= len(self.layers) <= MAX_LAYERS:
            raise ValueError(f"{len(self.layers)} layers, the accelerator takes 1..{MAX_LAYERS}")
        if len(self.input_scales) != self.layers[0].terms:
            raise ValueError(f"{len(self.input_scales)} input scales for {self.layers[0].terms} input terms")
        for number, (below, layer) in enumerate(zip(self.layers, self.layers[1:]), start=1):
            if layer.terms != 1:
                raise ValueError(f"layer {number} has {layer.terms} input terms; only layer 0 can have two")
            if layer.inputs != below.units:
                raise ValueError(f"layer {number} has {layer.inputs} inputs, but the layer below has {below.units} units")

    def quantize_input(self, x: Tensor) -> Tensor:
        """Real inputs [..., inputs] to int8 [..., terms, inputs]; beyond the range of the scales they saturate."""
        if not torch.isfinite(x).all():
            raise ValueError("the input has values that are NaN or infinite")
        return torch.stack(input_terms(x.double(), self.input_scales), dim=-2).to(torch.int8)

    def for_policy(self, policy: Policy) -> "QuantizedLSTM":
        """The same network with the thresholds and refinements of a policy, if it is one that decides and calibration left any."""
        other = copy.copy(self)
        if all(policy in found for found in self.thresholds):
            own = [found[policy] for found in self.thresholds]
            other.layers = [replace(layer, policy=policy, theta=theta, offset=offset) for layer, (theta, offset, _) in zip(self.layers, own)]
            other.refinements = [refinements for *_, refinements in own]
        return other

    def zero_state(self, batch: int) -> State:
        """State before the first step of a sequence."""
        h, c, history = ([torch.zeros(batch, layer.units, dtype=torch.int32) for layer in self.layers] for _ in range(3))
        return State(h, c, history, first=True)

    def run(self, x: Tensor, policy: Policy | None = None, state: State | None = None, shares: list | None = None, seed: int = 0, override: bool = False) -> Run:
        """Run integer inputs x [batch, steps, terms, inputs] from a state (default: the start of a sequence).

        policy: for every layer (default: each layer's own); shares: [layer][gate], the fractions of rows that RANDOM and ORACLE refine; seed: of
        RANDOM. override: as the accelerator's register of that name, let a policy decide by whatever thresholds the layers have.
        Raises ValueError for wrong inputs, and for a policy that would decide by thresholds made for another one.
        """
        self._check_input(x)
        if not override:
            self._check_thresholds(policy)
        state = state or self.zero_state(len(x))
        run = Run([], [], [], [], State([], [], []), [layer.row_weights for layer in self.layers])
        x = x.transpose(0, 1)
        for number, layer in enumerate(self.layers):
            chosen = Policy(layer.policy if policy is None else policy)
            selector = make_selector(chosen, layer, shares and shares[number], MAX_LAYERS * seed + number)
            start = [getattr(state, name)[number] for name in ("h", "c", "history")]
            if isinstance(selector, Oracle):
                _run_layer(layer, x, chosen, selector, start, state.first)
                selector.settle()
            h, c, masks, end = _run_layer(layer, x, chosen, selector, start, state.first)
            run.layer_h.append(h.transpose(0, 1))
            run.layer_c.append(c.transpose(0, 1))
            run.masks.append(masks.permute(1, 0, 3, 2))
            run.policies.append(chosen)
            for name, final in zip(("h", "c", "history"), end):
                getattr(run.state, name).append(final)
            x = h.unsqueeze(2)
        return run

    def _check_thresholds(self, policy):
        if policy not in DECIDING:
            return
        for number, (layer, known) in enumerate(zip(self.layers, self.thresholds)):
            if layer.policy != policy and (layer.policy in DECIDING or policy in known):
                name = Policy(policy).name
                raise ValueError(f"layer {number} has no thresholds of {name}, but those of another policy: run q.for_policy(Policy.{name}) if q comes "
                                 "from quantize, or calibrate for it; override=True runs it all the same, as the accelerator's override does")

    def _check_input(self, x):
        layer = self.layers[0]
        if x.dim() != 4 or tuple(x.shape[2:]) != (layer.terms, layer.inputs) or 0 in x.shape:
            raise ValueError(f"input of shape {tuple(x.shape)}, expected [batch, steps, {layer.terms}, {layer.inputs}]")
        if x.is_floating_point() or x.min() < -127 or x.max() > 127:
            raise ValueError("inputs are integers -127..127: quantize_input makes them")


def _run_layer(layer, x, policy, selector, start, first):
    """Run a layer over integers x [steps, batch, terms, inputs] from start (h, c, history), which read as zero if first.

    Returns h int8 and c int16 [steps, batch, units], masks [steps, batch, 4, units], and the final (h, c, history).
    """
    steps, batch = x.shape[:2]
    rows = RowSums(layer, batch, low=policy != Policy.STATIC_HIGH, high=policy != Policy.STATIC_LOW)
    h, c, history = (torch.zeros_like(part) if first else part.int() for part in start)
    all_h = torch.empty(steps, batch, layer.units, dtype=torch.int8)
    all_c = torch.empty(steps, batch, layer.units, dtype=torch.int16)
    masks = torch.full((steps, batch, 4, layer.units), policy == Policy.STATIC_HIGH)
    block = max(1, PREPARED_SUMS // (batch * layer.terms * math.prod(rows.shape)))
    for step, prepared in enumerate(part for steps_of_x in x.split(block) for part in rows.prepare(steps_of_x)):
        z = rows(prepared, h)
        if selector is None:
            z = z[:, 0]
        else:
            masks[step] = mask = selector(z, c, history)
            z = choose(mask, z[:, 1], z[:, 0])
        gates, new_c, tanh_c = finish(z, c, layer.c_frac)
        h = output(gates, tanh_c)
        history, c = next_history(history, new_c - c), new_c
        all_h[step], all_c[step] = h, c
    return all_h, all_c, masks, (h, c, history)
