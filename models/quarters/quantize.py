# SPDX-License-Identifier: MIT
"""Post-training quantization of torch.nn.LSTM for the quarter-product machine, by the ideas of models.quantize.

What is new: weights whose hi nibbles alone meet activations whose hi nibbles alone are good, too; a bias for each level; inputs that fill
-127..119, with a negative scale where their largest value is positive; and thresholds between levels from the error that each one leaves.
"""

from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from ..effects import CELL_FLOOR, Effects, before, effects_of, squared_sensitivity
from ..float_lstm import LayerWeights, layer_weights
from ..grid import power_of_two, round_to, significant_bits
from ..policies import GATES, Policy, theta_alignment
from ..quantize import (
    INPUT_RANGES,
    LARGE_ERROR,
    LEAST_ERROR,
    LEAST_FACTOR,
    SCALE_BITS,
    SCALE_FRAMES,
    Z_UNITS,
    by_unit,
    cell_fraction_bits,
    check,
    float_states,
    mantissas,
    mean_size,
    needs_two_terms,
    refuse,
    round_weights,
    row_scale,
)
from ..thresholds import CELL_FLOORS, OFFSET_GRID
from .cell import SegmentSums
from .layer import QuarterLayer
from .levels import ALL, Cost, Levels, time_cost
from .lstm import QuarterLSTM, input_terms

H_SCALE = 1 / 120
TERM_SCALE = 238  # units of the second term in one of the first, which rounds to +-1/2: +-119
B_RANGE = (-(1 << 17), (1 << 17) - 1)


@dataclass(frozen=True)
class Settings:
    """How a network is quantized.

    emphasis: as of models.quantize. low_weight: of an error of 4-bit weights beside one of 8-bit weights, when weights are rounded.
    cell_floor: of SENSITIVITY, one of models.thresholds.CELL_FLOORS.
    """

    emphasis: float = 0.0
    low_weight: float = 0.05
    cell_floor: int = 42


@dataclass
class Fitted:
    """What one fit leaves for every set of levels: layers without levels, and what their rows lose by each number of quarters of each segment.

    layers: by layer, the constants of a QuarterLayer that do not depend on its levels. inputs: by layer, integers x [frames, terms, inputs] and h
    before [frames, units] under STATIC_HIGH; effects: by layer, what errors there do; seen: by layer, what policies see of rows on average.
    """

    layers: list[dict]
    input_scales: tuple[Tensor, ...]
    order: Tensor
    inputs: list[Tensor]
    effects: list[Effects]
    seen: list[dict]


@torch.no_grad()
def fit(lstm: nn.LSTM, calibration: list[Tensor], gradients: list[Tensor] | None, settings: Settings = Settings(),
        input_scale: float | None = None) -> Fitted:
    """Scales, weights and biases of an nn.LSTM from sample inputs [steps, inputs]; gradients as of models.quantize.quantize.

    input_scale: real value of one unit of the input, where it is the h of a stage below. Raises ValueError for what cannot be quantized.
    """
    check(lstm, calibration)
    inputs = nn.utils.rnn.pad_sequence([sample.double() for sample in calibration], batch_first=True)
    lengths = torch.tensor([len(sample) for sample in calibration])
    valid = torch.arange(inputs.shape[1]) < lengths.unsqueeze(1)
    weights = [layer_weights(lstm, number) for number in range(lstm.num_layers)]
    states = list(float_states(weights, inputs))
    effects = effects_of(gradients, states, valid)
    if input_scale:
        scales = (torch.full((inputs.shape[2],), input_scale, dtype=torch.float64),)
    else:
        scales = input_scales(inputs[valid], weights[0].w_ih, effects[0])
    order = _order(inputs[valid], scales[0])
    layers, below = [], inputs
    for number, (parameters, state, effect) in enumerate(zip(weights, states, effects)):
        own = (scales, order) if number == 0 else ((torch.full((below.shape[2],), H_SCALE, dtype=torch.float64),), torch.arange(below.shape[2]))
        activations = torch.cat((below, before(state.h)), dim=-1)[valid]
        c_frac = cell_fraction_bits(state.c[valid].abs().max().item())
        layers.append(_weights(number, parameters, activations, effect.importance() ** settings.emphasis, *own, settings) | {"c_frac": c_frac})
        below = state.h
    fitted = Fitted(layers, scales, order, [], effects, [])
    q = QuarterLSTM([_layer(constants, (ALL,)) for constants in layers], scales, order)
    x = q.quantize_input(inputs)
    high = q.run(x, Policy.STATIC_HIGH)
    for layer, state, h, c in zip(layers, states, high.h, high.c):
        fitted.inputs.append((x[valid], before(h)[valid]))
        fitted.seen.append(_seen(layer, state, c, valid))
        x = h.unsqueeze(2)
    return fitted


@torch.no_grad()
def with_levels(fitted: Fitted, levels: Levels, exponents: bool = False, cost: Cost = time_cost, own_biases: bool = True) -> QuarterLSTM:
    """The network with a set of levels: biases of each, and what its thresholds follow from (row_offsets).

    exponents: of the words of x. cost: of a row at a level, what is to be saved. own_biases: of each level, else levels above the lowest have b.
    """
    layers, offsets = [], []
    for number, (constants, inputs, effect, seen) in enumerate(zip(fitted.layers, fitted.inputs, fitted.effects, fitted.seen)):
        layer = _layer(constants, levels, exponents and number == 0)
        b_level, errors = [], []
        for place, level in enumerate(levels):
            missing = _missing(layer, level, *inputs)
            constant = effect.constant(missing) if own_biases or place == 0 else 0.0 * missing[0]
            b_level.append((layer.b + by_unit(torch.floor(constant + 0.5).long(), layer.units)).clamp(*B_RANGE))
            errors.append(effect.squared((missing - constant) / Z_UNITS).unflatten(0, (4, layer.units)))
        layers.append(replace(layer, b_level=torch.stack(b_level)))
        offsets.append(_row_offsets(layer, torch.stack(errors), torch.tensor([cost(level, levels[0], layer.words()) for level in levels], dtype=torch.float64), seen))
    q = QuarterLSTM(layers, fitted.input_scales, fitted.order)
    q.row_offsets = offsets
    return q


def set_log2_lambda(q: QuarterLSTM, policy: Policy, log2_lambda: float, own_offsets: bool = True) -> None:
    """Thresholds of a policy at a Lagrange multiplier: a row is refined where the expected squared error that is taken away exceeds
    2**log2_lambda for a word of quarter products.

    own_offsets: offsets of each row and level; else a row has one, that of the first level, and the levels differ by gate.
    """
    for number, (layer, all_offsets) in enumerate(zip(q.layers, q.row_offsets)):
        if len(layer.levels) == 1:
            continue
        offsets = all_offsets[policy][layer.cell_floor] if policy is Policy.SENSITIVITY else all_offsets[policy]
        rows = torch.floor(round_to(log2_lambda + offsets, OFFSET_GRID) + 0.5)
        if own_offsets:
            theta = rows.median(1).values.clamp(-128, 127)
            offset = rows - theta.unsqueeze(1)
        else:
            first = rows[0].median(0).values.clamp(-128, 127)
            offset = (rows[0] - first).expand_as(rows)
            theta = torch.floor((rows - offset).median(1).values + 0.5).clamp(-128, 127)
        q.layers[number] = replace(layer, policy=policy if policy is not Policy.STATIC_ROWS else layer.policy,
                                   theta=tuple(map(tuple, theta.int().tolist())), offset=offset.clamp(-128, 127).long().contiguous())


def input_scales(x: Tensor, w_ih: Tensor, effects: Effects) -> tuple[Tensor, ...]:
    """Scales of one or two terms of inputs x [frames, inputs], by input, as models.quantize finds them; negative where the largest value is
    positive, as -127 is farther than 119."""
    size, weight = x.abs().mean(0), w_ih.abs().mean(0)
    balance = torch.where((size > 0) & (weight > 0), (size / weight).sqrt(), 1)
    balance = significant_bits(balance / balance.mean(), SCALE_BITS)
    balance = torch.where(x.amax(0) > -x.amin(0), -balance, balance)
    largest = (x / balance).abs().max().item()
    unbalanced, few = x.abs().max().item(), effects.some(SCALE_FRAMES)
    x, effects = x[few], effects.part(few)
    terms = 1 + needs_two_terms(x, w_ih, unbalanced)

    def scales(fraction):
        first = balance * ((largest or 1.0) * fraction / 127)
        return (first, first / TERM_SCALE)[:terms]

    def error(fraction):
        rounded = sum(term * scale for term, scale in zip(input_terms(x, scales(fraction)), scales(fraction)))
        return effects.squared(((rounded - x) @ w_ih.T).clamp(-LARGE_ERROR, LARGE_ERROR)).sum()

    return scales(min(INPUT_RANGES, key=error))


def _order(x, scale):
    """Inputs by their mean square in units of their scales, so that the members of a word are alike."""
    power = (x / scale).square().mean(0)
    return round_to(power / power.max(), 2.0**-20).argsort(descending=True, stable=True)


def _weights(number, weights: LayerWeights, activations, importance, scales, order, settings):
    """Integer weights, scales and bias of a layer, in the order of the words of its input."""
    units, inputs = weights.w_hh.shape[1], len(order)
    unit = scales[0][order]
    w_ih, w_hh = weights.w_ih[:, order] * unit, weights.w_hh
    scaled = torch.cat((activations[:, order] / unit, activations[:, inputs:]), dim=1)
    scale_ih, scale_hh = row_scale(w_ih), row_scale(w_hh)
    scale = torch.cat((scale_ih.expand_as(w_ih), scale_hh.expand_as(w_hh)), dim=1)
    integers, mean_error = round_weights(torch.cat((w_ih, w_hh), dim=1), scale, scaled, importance, settings.low_weight)
    integers = integers.to(torch.int8)
    second = 1 / TERM_SCALE if len(scales) > 1 else 0.0
    scale_ih, scale_hh = (scale.where((w != 0).any(1, keepdim=True), 0) for scale, w in ((scale_ih, w_ih), (scale_hh, w_hh)))
    m, s = mantissas(number, torch.cat((scale_ih, scale_ih * second, scale_hh * H_SCALE), dim=1) * Z_UNITS)
    refuse(number, "bias", weights.bias, weights.bias.abs() * Z_UNITS + 0.5 >= 1 << 17)
    b = by_unit(torch.floor((weights.bias + mean_error) * Z_UNITS + 0.5).clamp(*B_RANGE).long(), units)
    return {"w_ih": integers[:, :inputs].contiguous(), "w_hh": integers[:, inputs:].contiguous(), "m": by_unit(m, units), "s": by_unit(s, units),
            "b": b, "terms": len(scales)}


def _layer(constants, levels, exponents=False):
    """A QuarterLayer without thresholds of any meaning; b of all levels."""
    b, steps = constants["b"], len(levels) - 1
    return QuarterLayer(levels=levels, b_level=b.expand(len(levels), *b.shape), theta=((0,) * len(GATES),) * steps, exponents=exponents,
                        offset=torch.zeros(steps, *b.shape, dtype=torch.int64), cell_floor=CELL_FLOOR, **constants)


def _missing(layer, level, x, h):
    """What a level leaves out of the pre-activations, in their units, float64 [frames, rows], for integers x [frames, terms, inputs], h [frames, units]."""
    scale = (layer.m.double() * power_of_two(-layer.s).unsqueeze(2)).permute(2, 1, 0).flatten(1)
    segments = [(x[:, term], layer.w_ih, scale[term], level[term], layer.exponents) for term in range(layer.terms)]
    result = 0
    for values, w, own_scale, quarters, exponents in (*segments, (h, layer.w_hh, scale[2], level.h, False)):
        sums = SegmentSums(w, [quarters, 4], exponents)(values)
        result = result + (sums[4].double() - (sums[quarters].double() if quarters else 0)) * own_scale
    return result


def _seen(constants, state, c, valid):
    """What each policy sees of the rows on average, [4, units]; of SENSITIVITY by cell_floor."""
    seen = {floor: squared_sensitivity(state, floor)[valid].mean(0).unflatten(0, (4, -1)).clamp(min=LEAST_FACTOR) for floor in CELL_FLOORS}
    return {Policy.SENSITIVITY: seen, Policy.CELL_HISTORY: mean_size(c, valid)}


def _row_offsets(layer, errors, costs, seen):
    """Row offsets by policy, [levels - 1, units, 4], of SENSITIVITY by cell_floor: -log2 of the squared error that a word takes away, for what
    the policy sees.

    errors [levels, 4, units] that each level leaves, costs [levels] in words. Where a level takes away less for a word than the one after it
    does, both get the mean of the two: a level that is on no lower convex hull is passed over.
    """
    slopes = _hull_slopes(errors, costs)
    alignment = torch.tensor(theta_alignment(layer.c_frac)).unsqueeze(1)

    def offsets(factor, aligned):
        return (aligned - (slopes / factor).clamp(min=LEAST_ERROR).log2()).transpose(1, 2)

    return {
        Policy.SENSITIVITY: {floor: offsets(factor, alignment) for floor, factor in seen[Policy.SENSITIVITY].items()},
        Policy.CELL_HISTORY: offsets(seen[Policy.CELL_HISTORY], 0.0), Policy.STATIC_ROWS: offsets(1.0, 0.0),
    }


def _hull_slopes(errors, costs):
    """Errors that a word takes away at each step between levels [levels - 1, ...], on the lower convex hull: no step takes away less than the next."""
    count = len(costs)
    slopes = []
    for step in range(1, count):
        # The hull's slope of a step: the least, over where its edge may begin, of the most, over where it may end.
        least = None
        for begin in range(step):
            most = torch.stack([(errors[begin] - errors[end]) / (costs[end] - costs[begin]) for end in range(step, count)]).amax(0)
            least = most if least is None else torch.minimum(least, most)
        slopes.append(least)
    return torch.stack(slopes).clamp(min=0) if slopes else torch.zeros(0, *errors.shape[1:])
