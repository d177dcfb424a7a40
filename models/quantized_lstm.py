# SPDX-License-Identifier: MIT
"""A stack of quantized LSTM layers that computes the integers of the accelerator, for a batch and all units at once."""

import copy
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from . import native as native_code
from .cell import RowSums, finish, output
from .formats import Level, Policy
from .layer import ACTIVATIONS, QuantizedLayer
from .levels import ALL, row_quarters
from .policies import DECIDING, POLICIES, make_selector
from .selectors import Selector, next_history
from .threads import one_thread

MAX_LAYERS = 8
COUNTED_STEPS = 127  # whose number int8 holds: sums of int8 are ten times as fast as those of other types
# Row sums of the input part that are prepared at once: enough for an efficient product, few enough to stay in the cache.
PREPARED_SUMS = 1 << 19


@dataclass
class State:
    """State between two steps: lists, by layer, of integer tensors [batch, units].

    h in units of 1/120, c with c_frac fraction bits, history 0..31. With first, the next step begins a sequence: all three read as zero.
    """

    h: list[Tensor]
    c: list[Tensor]
    history: list[Tensor]
    first: bool = False


@dataclass
class Run:
    """What a run computed.

    layer_h, layer_c: by layer, [batch, steps, units], int8 in units of 1/120 and int16; levels: by layer, int8 [batch, steps, units, 4 gates], codes of levels
    (models.layer.level_codes: those of models.formats.Level in networks that builds have); policies: that chose them; state: after the last step.
    """

    layer_h: list[Tensor]
    layer_c: list[Tensor]
    levels: list[Tensor]
    policies: list[Policy]
    state: State
    layers: list[QuantizedLayer]

    @property
    def h(self) -> Tensor:
        """h of the last layer, int8 [batch, steps, units] in units of 1/120."""
        return self.layer_h[-1]

    def rows(self, layer: int, gate: int, level: int) -> int:
        """Rows of a gate (0..3) that ended at a level, by its code."""
        return int((self.levels[layer][..., gate] == level).sum())

    def level_shares_of(self, gates: Sequence[int]) -> list[float]:
        """Share of the row-weights of some gates, 0..3 each, at each level, by code."""
        codes = max(len(layer.by_code) for layer in self.layers)
        totals = [sum(layer.row_weights * self.rows(number, gate, code) for number, layer in enumerate(self.layers) for gate in gates) for code in range(codes)]
        return [total / sum(totals) for total in totals]

    @property
    def level_shares(self) -> list[float]:
        """Share of the row-weights of all gates at each level, by code."""
        return self.level_shares_of(range(4))

    @property
    def low_share(self) -> float:
        """Share of the row-weights whose row stayed at the lowest level."""
        return self.level_shares[Level.LOWEST]

    @property
    def low_share_by_gate(self) -> list[float]:
        """Share of the row-weights of each gate, i, f, g and o, whose row stayed at the lowest level."""
        return [self.level_shares_of([gate])[Level.LOWEST] for gate in range(4)]

    @property
    def mean_quarters(self) -> float:
        """Words of quarter products over words of products, as the default build has them: 0..4."""
        quarters = words = 0
        for number, layer in enumerate(self.layers):
            for code, level in enumerate(layer.by_code):
                rows = sum(self.rows(number, gate, code) for gate in range(4))
                quarters += rows * row_quarters(level, layer.row_words)
                words += rows * sum(layer.row_words)
        return quarters / words

    def refinements(self) -> list[list[float]]:
        """Refinements of each unit, in rows of all quarters a step, [layer][unit]: see `refinement_rows`."""
        return [refinement_rows(layer, torch.stack([(levels == code).sum((0, 1)) for code in range(len(layer.by_code))]))
                for layer, levels in zip(self.layers, self.levels)]


def rows_at_levels(levels: Tensor, valid: Tensor, codes: int) -> Tensor:
    """In how many valid steps a row of each sequence is at each level, int64 [codes, batch, units, 4].

    levels: codes, int8 [batch, steps, units, 4]; valid: bool [batch, steps]; codes: their number.
    """
    parts = levels.transpose(0, 1).masked_fill(~valid.T[..., None, None], -1).split(COUNTED_STEPS)
    return torch.stack([sum((part == code).view(torch.int8).sum(0, dtype=torch.int8).long() for part in parts) for code in range(codes)])


def refinement_rows(layer: QuantizedLayer, counts: Tensor) -> list[float]:
    """By unit, the work of its refinements in a step, in rows of all quarters, from the counts of its rows at each level, integers [codes, units, 4]: what balances
    tiles."""
    lowest, every = row_quarters(layer.by_code[0], layer.row_words), row_quarters(ALL, layer.row_words)
    added = torch.tensor([(row_quarters(level, layer.row_words) - lowest) / every for level in layer.by_code], dtype=torch.float64)
    return (torch.einsum("lug,l->u", counts.double(), added) / counts[:, 0, 0].sum()).tolist()


def input_terms(x: Tensor, scales: Sequence[float | Tensor]) -> list[Tensor]:
    """Integers of each term, -127..119, as floats of the shape of x, for real inputs x [..., inputs]: a term carries what the ones before leave.

    scales: real value of one unit of each term, a number or a tensor [inputs].
    """
    terms = []
    for scale in scales:
        terms.append(torch.floor(x / scale + 0.5).clamp(-127, ACTIVATIONS[1]))
        x = x - terms[-1] * scale
    return terms


class QuantizedLSTM:
    """A stack of quantized layers. Raises ValueError, which says what, for layers that no accelerator holds one above the other.

    input_scales: the real value of one unit of each term of the input, or a tensor [inputs] where it differs by input; negative where inputs change their sign.
    order: the network's input at each place of the words of the input (default: as they come). refinements: by layer, the refinements [units] of each unit in a step
    (refinement_rows), if they are known. row_offsets, thresholds: by layer and policy, what calibration left (row offsets of models.quantize: float64 [levels - 1,
    units, 4] by cell_floor; thresholds: theta, offset, refinements).
    """

    def __init__(self, layers: list[QuantizedLayer], input_scales: Sequence[float | Tensor] = (1.0,), order: Tensor | None = None,
                 refinements: list | None = None):
        self.layers = list(layers)
        self.input_scales = tuple(torch.as_tensor(scale, dtype=torch.float64) for scale in input_scales)
        self.refinements = refinements
        self.row_offsets: list[dict] = [{} for _ in self.layers]
        self.thresholds: list[dict] = [{} for _ in self.layers]
        if not 1 <= len(self.layers) <= MAX_LAYERS:
            raise ValueError(f"{len(self.layers)} layers, the accelerator takes 1..{MAX_LAYERS}")
        self.order = torch.arange(self.layers[0].inputs) if order is None else order
        if len(self.input_scales) != self.layers[0].terms:
            raise ValueError(f"{len(self.input_scales)} input scales for {self.layers[0].terms} input terms")
        for number, (below, layer) in enumerate(zip(self.layers, self.layers[1:]), start=1):
            if layer.terms != 1:
                raise ValueError(f"layer {number} has {layer.terms} input terms; only layer 0 can have two")
            if layer.exponents:
                raise ValueError(f"layer {number} has exponents; only layer 0, whose input the host forms, can have them")
            if layer.inputs != below.units:
                raise ValueError(f"layer {number} has {layer.inputs} inputs, but the layer below has {below.units} units")

    def quantize_input(self, x: Tensor) -> Tensor:
        """Real inputs [..., inputs] to int8 [..., terms, inputs], in the order of the words; beyond the range of the scales they saturate.

        Raises ValueError for values that are NaN or infinite.
        """
        if not torch.isfinite(x).all():
            raise ValueError("the input has values that are NaN or infinite")
        return torch.stack(input_terms(x.double(), self.input_scales), dim=-2).to(torch.int8)[..., self.order]

    def for_policy(self, policy: Policy) -> "QuantizedLSTM":
        """The same network with the thresholds and refinements of a policy, if it is one that decides and calibration left any."""
        other = copy.copy(self)
        if all(policy in found for found in self.thresholds):
            own = [found[policy] for found in self.thresholds]
            other.layers = [replace(layer, policy=policy, theta=theta, offset=offset) for layer, (theta, offset, _) in zip(self.layers, own)]
            other.refinements = [refinements for *_, refinements in own]
        return other

    def zero_state(self, batch: int) -> State:
        """State before the first step of a batch of so many sequences."""
        h, c, history = ([torch.zeros(batch, layer.units, dtype=torch.int32) for layer in self.layers] for _ in range(3))
        return State(h, c, history, first=True)

    @one_thread()
    def run(self, x: Tensor, policy: Policy | None = None, state: State | None = None, shares: list | None = None, seed: int = 0, override: bool = False,
            native: bool = False) -> Run:
        """Run integer inputs x [batch, steps, terms, inputs] from a state (default: the start of a sequence).

        policy: for every layer (default: each layer's own); shares: [layer][gate][level], of rows, for RANDOM; seed: of RANDOM.
        override: as the accelerator's register of that name, let a policy decide by whatever thresholds the layers have.
        native: by native code, which gives the same integers in a fraction of the time (models.native); where it does not work, and for policies that it does not
        know, by PyTorch as without it.
        Raises ValueError for wrong inputs, and for a policy that would decide by thresholds made for another one.
        """
        self._check_input(x)
        if not override:
            self._check_thresholds(policy)
        state = state or self.zero_state(len(x))
        run = Run([], [], [], [], State([], [], []), list(self.layers))
        x = x.transpose(0, 1)
        for number, layer in enumerate(self.layers):
            chosen = Policy(layer.policy if policy is None else policy)
            selector = make_selector(chosen, layer, shares and shares[number], MAX_LAYERS * seed + number)
            start = [getattr(state, name)[number] for name in ("h", "c", "history")]
            if state.first:
                start = [torch.zeros_like(part) for part in start]
            h, c, levels, end = run_layer(layer, x, chosen, selector, start, native)
            run.layer_h.append(h.transpose(0, 1))
            run.layer_c.append(c.transpose(0, 1))
            run.levels.append(levels.permute(1, 0, 3, 2))
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
        layer, (low, high) = self.layers[0], ACTIVATIONS
        if x.dim() != 4 or tuple(x.shape[2:]) != (layer.terms, layer.inputs) or 0 in x.shape:
            raise ValueError(f"input of shape {tuple(x.shape)}, expected [batch, steps, {layer.terms}, {layer.inputs}]")
        if x.is_floating_point() or x.min() < low or x.max() > high:
            raise ValueError(f"inputs are integers {low}..{high}: quantize_input makes them")


def run_layer(layer: QuantizedLayer, x: Tensor, policy: Policy, selector: Selector | None, start: Sequence[Tensor],
              native: bool = False) -> tuple[Tensor, Tensor, Tensor, tuple]:
    """Run a layer over integers x [steps, batch, terms, inputs] from start (h, c, history), integers [batch, units].

    Returns h, int8 in units of 1/120, and c, int16 with c_frac fraction bits, [steps, batch, units], codes of levels, int8 [steps, batch, 4, units], and the final
    (h, c, history), int32 [batch, units]. selector: of the policy, None where nothing is to be decided (docs/numerics.md). native: see models.native.
    """
    steps, batch = x.shape[:2]
    fixed = POLICIES[policy].level
    places = [fixed] if selector is None else list(range(len(layer.levels)))
    h, c, history = (part.int() for part in start)
    all_h = torch.empty(steps, batch, layer.units, dtype=torch.int8)
    all_c = torch.empty(steps, batch, layer.units, dtype=torch.int16)
    levels = torch.full((steps, batch, 4, layer.units), len(layer.by_code) - 1 if fixed is None else layer.codes[fixed], dtype=torch.int8)
    if native and native_code.runs(selector):
        h, c, history = native_code.run_layer(layer, places, x, selector, (h, c, history), all_h, all_c, levels)
    else:
        rows = RowSums(layer, places)
        block = max(1, PREPARED_SUMS // (batch * len(places) * 4 * layer.units))
        for step, sums in enumerate(sums for steps_of_x in x.split(block) for sums in rows.steps(steps_of_x)):
            sums = rows.with_h(sums, h)
            z = rows.z(0, sums)
            if selector is not None:
                levels[step] = level = selector(z, c, history)
                for place in range(1, len(places)):
                    z = torch.where(level == place, rows.z(place, sums), z)
            gates, new_c, tanh_c = finish(z, c, layer.c_frac)
            h, c, history = output(gates, tanh_c), new_c, next_history(history, new_c - c)
            all_h[step], all_c[step] = h, c
    if selector is not None:
        for place, code in reversed(list(enumerate(layer.codes))):  # a code is its place or above
            if code != place:
                levels.masked_fill_(levels == place, code)
    return all_h, all_c, levels, (h, c, history)
