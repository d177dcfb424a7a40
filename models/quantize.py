# SPDX-License-Identifier: MIT
"""Post-training quantization of torch.nn.LSTM: from float weights and sample inputs to the integers of docs/numerics.md.

`fit` finds what does not depend on levels of precision: scales, weights whose upper nibbles alone meet activations whose upper nibbles alone are good,
too, and biases. `with_levels` adds levels, the bias of each, and what thresholds between them follow from: the error that each one leaves. Thresholds are
set by models.thresholds. Deterministic: the same weights and samples give the same integers.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from .cell import SegmentSums
from .effects import CELL_FLOOR, CELL_FLOORS, Effects, before, effects_of
from .float_lstm import LayerStates, LayerWeights, layer_weights, run_layer
from .formats import GATES, ROW_CONSTANT, SCALES, Policy
from .grid import power_of_two, round_to, significant_bits
from .layer import MAX_SIZE, QuantizedLayer
from .levels import ALL, LEVELS, Cost, Levels, time_cost
from .policies import DECIDING, POLICIES
from .quantized_lstm import QuantizedLSTM, input_terms, refinement_rows, rows_at_levels
from .threads import one_thread
from .thresholds import seek, set_log2_lambda
from .weight_rounding import round_planes

CHOSEN_LEVELS = LEVELS["HH 3/4 all"]  # by measurement (docs/policies.md)
H_SCALE = 1 / 120
B_RANGE = ROW_CONSTANT["b"].range
MULTIPLIER = SCALES["m_h"]
Z_UNITS = 2.0**12  # units of a pre-activation of 1
TERM_SCALE = 238  # units of the second term in one of the first, which rounds to +-1/2: +-119
# Relative error of the pre-activations, from the rounding of the input, above which a second term is used, and what counts as
# a pre-activation of no size: see needs_two_terms.
INPUT_ERROR = 0.05
SMALL_PREACTIVATION = 0.1
# Weight of an error in low precision beside one in high precision, when weights are rounded: as accurate as rounding to nearest in high
# precision, and up to half the error in low.
LOW_WEIGHT = 0.05
# Largest inputs that the scale may represent, as fractions of the largest one that occurs: beyond, the gates may be saturated anyway.
INPUT_RANGES = [2.0**-octaves for octaves in range(12)]
SCALE_BITS = 12  # of the factor by which the scale of an input differs from the others
# Frames on which scales of the input are compared.
SCALE_FRAMES = 2048
# Error of a pre-activation beyond which a gate takes no further harm.
LARGE_ERROR = 3.0
# Bounds between which log2_lambda of a policy is sought; least error of a row.
LOG2_LAMBDAS, LEAST_ERROR = (-100.0, 40.0), 2.0**-100
# Steps of the calibration on which thresholds are sought.
THRESHOLD_STEPS = 4096
# Headroom of the cell state over the calibration, before saturation.
CELL_MARGIN = 1.25


@one_thread()
def quantize(lstm: nn.LSTM, calibration: list[Tensor], *, terms: int | None = None, input_scale: float | None = None,
             gradients: list[Tensor] | None = None, emphasis: float = 1.0, low_share: float | None = 0.80,
             policy: Policy = Policy.SENSITIVITY, levels: Levels = CHOSEN_LEVELS) -> QuantizedLSTM:
    """Quantize an nn.LSTM with the sample inputs `calibration`, a list of float tensors [steps, inputs], each from zero state.

    terms: 1 or 2 vectors for an input (default: two where one does not carry it). input_scale: real value of one unit of the input, for
    one term, where it is the h of a stage below (default: chosen by input from the calibration). gradients: by layer, of some projections of an output
    in the pre-activations z, float [projections, sequences, steps, 4 * units] (default: those of h in the same step): what errors do to the output.
    emphasis: exponent with which their squares weigh the frames that weights are rounded for; 0 lets all frames count alike. low_share: of row-weights at the
    lowest level, that policies which decide shall each reach on the calibration; None leaves thresholds to the caller, and refinements uncounted.
    policy: of all layers, whose thresholds they get (`for_policy` gives others) and whose refinements are counted for the compiler.
    Dropout is ignored, as in evaluation; batch_first says nothing about weights. Raises ValueError, which says what and why, for what
    cannot be quantized.
    """
    fitted = fit(lstm, calibration, gradients, Settings(emphasis, cell_floor=CELL_FLOOR), input_scale, terms)
    q = with_levels(fitted, levels, exponents=input_scale is None)
    return q if low_share is None else _at_low_share(q, calibration, low_share, policy)


@dataclass(frozen=True)
class Settings:
    """How a network is quantized.

    emphasis: as of `quantize`. low_weight: of an error of 4-bit weights beside one of 8-bit weights, when weights are rounded.
    cell_floor: of SENSITIVITY, one of models.effects.CELL_FLOORS.
    """

    emphasis: float = 0.0
    low_weight: float = LOW_WEIGHT
    cell_floor: int = 42


@dataclass
class Fitted:
    """What one fit leaves for every set of levels: layers without levels, and what their rows lose by each number of quarters of each segment.

    layers: by layer, the constants of a QuantizedLayer that do not depend on its levels. inputs: by layer, integers x [frames, terms, inputs] and h
    before [frames, units] under STATIC_HIGH; effects: by layer, what errors there do; seen: by layer and policy, what it sees of rows on average, by cell_floor.
    """

    layers: list[dict]
    input_scales: tuple[Tensor, ...]
    order: Tensor
    inputs: list[Tensor]
    effects: list[Effects]
    seen: list[dict]


@torch.no_grad()
def fit(lstm: nn.LSTM, calibration: list[Tensor], gradients: list[Tensor] | None, settings: Settings = Settings(),
        input_scale: float | None = None, terms: int | None = None) -> Fitted:
    """Scales, weights and biases of an nn.LSTM from sample inputs [steps, inputs]; gradients, input_scale, terms as of `quantize`.

    Raises ValueError for what cannot be quantized.
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
        scales = input_scales(inputs[valid], weights[0].w_ih, effects[0], terms)
    order = _order(inputs[valid], scales[0])
    layers, below = [], inputs
    for number, (parameters, state, effect) in enumerate(zip(weights, states, effects)):
        own = (scales, order) if number == 0 else ((torch.full((below.shape[2],), H_SCALE, dtype=torch.float64),), torch.arange(below.shape[2]))
        activations = torch.cat((below, before(state.h)), dim=-1)[valid]
        c_frac = cell_fraction_bits(state.c[valid].abs().max().item())
        layers.append(_weights(number, parameters, activations, effect.importance() ** settings.emphasis, *own, settings) | {"c_frac": c_frac})
        below = state.h
    fitted = Fitted(layers, scales, order, [], effects, [])
    q = QuantizedLSTM([_layer(constants, (ALL,)) for constants in layers], scales, order)
    x = q.quantize_input(inputs)
    high = q.run(x, Policy.STATIC_HIGH, native=True)
    for state, h, c in zip(states, high.layer_h, high.layer_c):
        fitted.inputs.append((x[valid], before(h)[valid]))
        fitted.seen.append({entry.code: entry.seen(state, c, valid) for entry in POLICIES.values() if entry.seen})
        x = h.unsqueeze(2)
    return fitted


@torch.no_grad()
def with_levels(fitted: Fitted, levels: Levels, exponents: bool = False, cost: Cost = time_cost, own_biases: bool = False) -> QuantizedLSTM:
    """The network with a set of levels: biases of each, and what its thresholds follow from (row_offsets).

    exponents: of the groups of x. cost: of a row at a level, what is to be saved. own_biases: of each level, else levels above the lowest have b, as in builds.
    Raises ValueError for levels that cannot be refined one into the next.
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
        offsets.append(_row_offsets(layer, torch.stack(errors), torch.tensor([cost(level, levels[0], layer.row_words) for level in levels], dtype=torch.float64), seen))
    q = QuantizedLSTM(layers, fitted.input_scales, fitted.order)
    q.row_offsets = offsets
    return q


def needs_two_terms(x: Tensor, w_ih: Tensor, largest: float) -> bool:
    """Whether one int8 vector with the largest value `largest` does not carry inputs x, float64 [frames, inputs], to W_ih, float64 [rows, inputs].

    Per frame, the norm of the error of W_ih x over the norm of W_ih x plus that of a vector of SMALL_PREACTIVATION, as an error in what is hardly there does not
    matter; two terms where the mean over the frames exceeds INPUT_ERROR. A mean over frames, not over energy: inputs of many decades lose the quiet frames.
    """
    if largest == 0:
        return False
    scale = largest / 127
    rounded = torch.floor(x / scale + 0.5).clamp(-127, 127) * scale
    small = SMALL_PREACTIVATION * w_ih.shape[0] ** 0.5
    error = (x - rounded) @ w_ih.T
    return ((error.norm(dim=1) / ((x @ w_ih.T).norm(dim=1) + small)).mean() > INPUT_ERROR).item()


def check(lstm: nn.LSTM, calibration: list[Tensor]) -> None:
    """Raises ValueError, which says what and why, for an nn.LSTM or sample inputs, float [steps, inputs] each, that cannot be quantized."""
    if not isinstance(lstm, nn.LSTM):
        raise ValueError(f"expected a torch.nn.LSTM, got {type(lstm).__name__}")
    if lstm.bidirectional:
        raise ValueError("a bidirectional LSTM is two runs: quantize each direction as an LSTM of its own")
    for name, size in (("input_size", lstm.input_size), ("hidden_size", lstm.hidden_size)):
        if size > MAX_SIZE:
            raise ValueError(f"{name}={size}: the accelerator takes 1..{MAX_SIZE}")
    if lstm.proj_size:
        raise ValueError(f"proj_size={lstm.proj_size}: projections of h are not supported")
    for name, parameter in lstm.named_parameters():
        if not torch.isfinite(parameter).all():
            raise ValueError(f"{name} has values that are NaN or infinite")
    if not calibration:
        raise ValueError("the calibration is empty: give at least one sequence [steps, inputs]")
    for number, sample in enumerate(calibration):
        if sample.dim() != 2 or sample.shape[1] != lstm.input_size or not len(sample):
            raise ValueError(f"calibration sequence {number} has shape {tuple(sample.shape)}, expected [steps, {lstm.input_size}]")
        if not torch.isfinite(sample).all():
            raise ValueError(f"calibration sequence {number} has values that are NaN or infinite")


def float_states(weights: list[LayerWeights], x: Tensor) -> Iterator[LayerStates]:
    """LayerStates, float64, of each layer over x [batch, steps, inputs], from zero state; a generator, layer by layer."""
    for parameters in weights:
        yield (states := run_layer(parameters, x))
        x = states.h


def cell_fraction_bits(largest: float) -> int:
    """Most fraction bits, 8..15, with which an int16 holds the largest |c| and its margin; beyond +-128, c saturates."""
    return next((bits for bits in range(15, 8, -1) if largest * CELL_MARGIN * 2**bits <= 32767), 8)


def row_scale(w: Tensor) -> Tensor:
    """Scale of each row of w [rows, columns], float64 [rows, 1], with which its largest weights fill -127..119; 1 for a row of zeros."""
    scale = torch.maximum(w.amax(1) / 119, -w.amin(1) / 127).unsqueeze(1)
    return scale.where(scale > 0, 1)


def round_weights(w: Tensor, scale: Tensor, activations: Tensor, importance: Tensor, low_weight: float = LOW_WEIGHT) -> tuple[Tensor, Tensor]:
    """(integers of w, float64 [rows, columns], mean error of each row's sum [rows]): gate by gate, as each has its important frames.

    w: real weights [rows, columns]; scale: broadcasts to it; activations [frames, columns], importance [frames, rows], all float64. low_weight: of the squared error
    of the upper halves alone beside that of 8 bits.
    """
    integers, means = [], []
    for rows, row_scales, frames in zip(w.chunk(4), scale.chunk(4), importance.chunk(4, dim=1)):
        weight = frames.mean(1)
        weight = weight / weight.sum() if weight.any() else torch.full_like(weight, 1 / len(weight))
        mean = weight @ activations
        centred = (activations - mean) * weight.sqrt().unsqueeze(1)
        integers.append(round_planes(rows, row_scales, centred.T @ centred, low_weight, 1 / weight.square().sum().item()))
        means.append((rows - integers[-1] * row_scales) @ mean)
    return torch.cat(integers), torch.cat(means)


def input_scales(x: Tensor, w_ih: Tensor, effects: Effects, terms: int | None = None) -> tuple[Tensor, ...]:
    """Scales of one or two terms of inputs x [frames, inputs], float64 [inputs] each; negative where the largest value is positive, as -127 is farther than 119.

    Inputs are brought to one size, half of it in their own scales and half in their weights w_ih [rows, inputs], so that neither loses much by rounding. The range is
    the one of INPUT_RANGES with the least error: large inputs may saturate if the gates do. terms: 1 or 2 (default: as many as needs_two_terms asks for).
    """
    size, weight = x.abs().mean(0), w_ih.abs().mean(0)
    balance = torch.where((size > 0) & (weight > 0), (size / weight).sqrt(), 1)
    balance = significant_bits(balance / balance.mean(), SCALE_BITS)
    balance = torch.where(x.amax(0) > -x.amin(0), -balance, balance)
    largest = (x / balance).abs().max().item()
    unbalanced, few = x.abs().max().item(), effects.some(SCALE_FRAMES)
    x, effects = x[few], effects.part(few)
    if terms is None:
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
    """A QuantizedLayer without thresholds of any meaning; b of all levels."""
    b, steps = constants["b"], len(levels) - 1
    return QuantizedLayer(levels=levels, b_level=b.expand(len(levels), *b.shape), theta=((0,) * len(GATES),) * steps, exponents=exponents,
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


def mantissas(number: int, ratio: Tensor) -> tuple[Tensor, Tensor]:
    """(m, int64 [rows, 3], 0..65535, s, int64 [rows], 0..63) of a layer with the nearest m / 2**s to ratios, float64 [rows, 3]: the largest one of a row gets all
    bits.

    Raises ValueError, which names the row of layer `number`, for ratios that are too large.
    """
    largest = ratio.amax(1)
    s = MULTIPLIER.width - torch.frexp(largest).exponent.long()
    refuse(number, "weights times the scale of the input", largest / Z_UNITS, s < 0)
    s = s.clamp(max=ROW_CONSTANT["s"].range[1])
    return torch.floor(ratio * power_of_two(s).unsqueeze(1) + 0.5).clamp(max=MULTIPLIER.range[1]).long(), s


def refuse(number: int, what: str, values: Tensor, bad: Tensor) -> None:
    """Raises ValueError for the first of the values [rows] of layer `number` that is bad, bool [rows], if there is one; what: they are, in words."""
    if bad.any():
        row = bad.nonzero()[0].item()
        gate, unit = divmod(row, len(bad) // len(GATES))
        raise ValueError(f"layer {number}, gate {GATES[gate]}, unit {unit}: {what} {values[row].item():g} is beyond what the formats hold")


def by_unit(rows: Tensor, units: int) -> Tensor:
    """[units, 4, ...] of values [4 * units, ...], any type, in PyTorch's order of rows."""
    return rows.unflatten(0, (len(GATES), units)).transpose(0, 1).contiguous()


def _row_offsets(layer, errors, costs, seen):
    """Row offsets by policy and cell_floor, [levels - 1, units, 4]: -log2 of the squared error that a word takes away, for what the policy sees.

    errors [levels, 4, units] that each level leaves, costs [levels] in words. Where a level takes away less for a word than the one after it
    does, both get the mean of the two: a level that is on no lower convex hull is passed over.
    """
    slopes = _hull_slopes(errors, costs)

    def offsets(entry, factor):
        aligned = torch.tensor(entry.alignment(layer.c_frac)).unsqueeze(1)
        return (aligned - (slopes / factor).clamp(min=LEAST_ERROR).log2()).transpose(1, 2)

    return {entry.code: {floor: offsets(entry, factor) for floor, factor in seen.get(entry.code, dict.fromkeys(CELL_FLOORS, 1.0)).items()}
            for entry in POLICIES.values() if entry.has_thresholds}


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


def _at_low_share(q, calibration, low_share, policy):
    """The network for a policy, after the policies that decide have found thresholds for a low share on the calibration, and refinements with them."""
    lengths = torch.tensor([len(sample) for sample in calibration])
    few = max(1, int((lengths.cumsum(0) <= THRESHOLD_STEPS).sum()))
    x = q.quantize_input(nn.utils.rnn.pad_sequence([sample.double() for sample in calibration[:few]], batch_first=True))
    valid = torch.arange(x.shape[1]) < lengths[:few].unsqueeze(1)
    for deciding in DECIDING:
        seek(lambda log2_lambda: set_log2_lambda(q, deciding, log2_lambda), lambda: _low_share(q, _counts(q, deciding, x, valid)), low_share, LOG2_LAMBDAS, 0.25)
        refined = _refinements(q, deciding, x, valid)
        q.thresholds = [found | {deciding: (layer.theta, layer.offset, own)} for layer, found, own in zip(q.layers, q.thresholds, refined)]
    q.layers = [replace(layer, policy=policy) for layer in q.layers]
    q.refinements = _refinements(q, policy, x, valid)  # where the policy does not decide
    return q.for_policy(policy)


def _counts(q, policy, x, valid):
    """Rows at each level over the valid frames, by layer [codes, units, 4]."""
    return [rows_at_levels(levels, valid, len(layer.by_code)).sum(1) for levels, layer in zip(q.run(x, policy, native=True).levels, q.layers)]


def _refinements(q, policy, x, valid):
    return [refinement_rows(layer, counts) for layer, counts in zip(q.layers, _counts(q, policy, x, valid))]


def _low_share(q, counts):
    low, total = (sum(layer.row_weights * int(part.sum()) for layer, part in zip(q.layers, parts)) for parts in ([found[0] for found in counts], counts))
    return low / total
