# SPDX-License-Identifier: MIT
"""Post-training quantization of torch.nn.LSTM: from float weights and sample inputs to the integers of docs/numerics.md.

Deterministic: the same weights and samples give the same integers.
"""

from collections.abc import Iterator
from dataclasses import replace

import torch
from torch import Tensor, nn

from .effects import CELL_FLOOR, before, effects_of, squared_sensitivity
from .float_lstm import LayerStates, LayerWeights, layer_weights, run_layer
from .formats import ROW_CONSTANT, SCALES
from .grid import power_of_two, significant_bits
from .layer import MAX_SIZE, QuantizedLayer, split_planes
from .policies import GATES, Policy, cell_codes, next_history, theta_alignment
from .quantized_lstm import QuantizedLSTM, input_terms
from .thresholds import CELL_FLOORS, seek, set_log2_lambda
from .weight_rounding import round_planes

H_SCALE = 2.0**-7
LEAST_BIAS, LARGEST_BIAS = ROW_CONSTANT["b"].range
MULTIPLIER = SCALES["m_h"]
Z_UNITS = 2.0**12  # units of a pre-activation of 1
TERM_SCALE = 254  # units of the second term in one of the first, which rounds to +-1/2
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
# Bounds between which log2_lambda of a policy is sought; least factor, and least error, of a row.
LOG2_LAMBDAS, LEAST_FACTOR, LEAST_ERROR = (-100.0, 40.0), 2.0**-60, 2.0**-100
# Steps of the calibration on which thresholds are sought.
THRESHOLD_STEPS = 4096
# Headroom of the cell state over the calibration, before saturation.
CELL_MARGIN = 1.25


def quantize(lstm: nn.LSTM, calibration: list[Tensor], *, terms: int | None = None, input_scale: float | None = None,
             gradients: list[Tensor] | None = None, emphasis: float = 1.0, low_share: float | None = 0.80,
             policy: Policy = Policy.SENSITIVITY) -> QuantizedLSTM:
    """Quantize an nn.LSTM with the sample inputs `calibration`, a list of float tensors [steps, inputs], each from zero state.

    terms: 1 or 2 int8 vectors for an input (default: two where one does not carry it). input_scale: real value of one unit of the input, for
    one term (default: chosen by input from the calibration). gradients: by layer, of some projections of an output in the pre-activations z,
    float [projections, sequences, steps, 4 * units] (default: those of h in the same step): what errors do to the output. emphasis: exponent
    with which their squares weigh the frames that weights are rounded for; 0 lets all frames count alike. low_share: that
    SENSITIVITY and CELL_HISTORY shall each reach on the calibration; None leaves thresholds to the caller, and refinements uncounted.
    policy: of all layers, whose thresholds they get (`for_policy` gives others) and whose refinements are counted for the compiler.
    Dropout is ignored, as in evaluation; batch_first says nothing about weights. Raises ValueError, which says what and why, for what
    cannot be quantized.
    """
    check(lstm, calibration)
    inputs = nn.utils.rnn.pad_sequence([sample.double() for sample in calibration], batch_first=True)
    lengths = torch.tensor([len(sample) for sample in calibration])
    valid = torch.arange(inputs.shape[1]) < lengths.unsqueeze(1)

    with torch.no_grad():
        weights = [layer_weights(lstm, number) for number in range(lstm.num_layers)]
        states = list(float_states(weights, inputs))
        effects = effects_of(gradients, states, valid)
        input_scales = (input_scale,) if input_scale else _input_scales(inputs[valid], weights[0].w_ih, effects[0], terms)
        layers, below = [], inputs
        for number, (parameters, state, effect) in enumerate(zip(weights, states, effects)):
            activations = torch.cat((below, before(state.h)), dim=-1)[valid]
            scales = input_scales if number == 0 else (H_SCALE,)
            c_frac = cell_fraction_bits(state.c[valid].abs().max().item())
            layers.append(_quantize_layer(number, parameters, activations, effect.importance() ** emphasis, scales, c_frac, policy))
            below = state.h

        q = QuantizedLSTM(layers, input_scales)
        x = q.quantize_input(inputs)
        high = q.run(x, Policy.STATIC_HIGH)
        q.layers, errors = _with_low_precision(layers, x, high, valid, effects)
        q.row_offsets = [_row_offsets(*parts, valid) for parts in zip(q.layers, errors, states, high.layer_c)]
        if low_share is None:
            return q
        few = max(1, int((lengths.cumsum(0) <= THRESHOLD_STEPS).sum()))
        return _at_low_share(q, x[:few], valid[:few], low_share, policy)


def needs_two_terms(x: Tensor, w_ih: Tensor, largest: float) -> bool:
    """Whether one int8 vector with the largest value `largest` does not carry inputs x [frames, inputs] to W_ih [rows, inputs].

    Per frame, the norm of the error of W_ih x over the norm of W_ih x plus that of a vector of SMALL_PREACTIVATION, as an error in what
    is hardly there does not matter; two terms where the mean over the frames exceeds INPUT_ERROR. A mean over frames, not over energy:
    inputs of many decades lose the quiet frames.
    """
    if largest == 0:
        return False
    scale = largest / 127
    rounded = torch.floor(x / scale + 0.5).clamp(-127, 127) * scale
    small = SMALL_PREACTIVATION * w_ih.shape[0] ** 0.5
    error = (x - rounded) @ w_ih.T
    return ((error.norm(dim=1) / ((x @ w_ih.T).norm(dim=1) + small)).mean() > INPUT_ERROR).item()


def check(lstm: nn.LSTM, calibration: list[Tensor]) -> None:
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
    """LayerStates of each layer over x [batch, steps, inputs]."""
    for parameters in weights:
        yield (states := run_layer(parameters, x))
        x = states.h


def _input_scales(x, w_ih, effects, terms):
    """Scales of one or two terms of inputs x [frames, inputs], by input.

    Inputs are brought to one size, half of it in their own scales and half in their weights, so that neither loses much by rounding. The
    range is the one of INPUT_RANGES with the least error: large inputs may saturate if the gates do.
    """
    size, weight = x.abs().mean(0), w_ih.abs().mean(0)
    balance = torch.where((size > 0) & (weight > 0), (size / weight).sqrt(), 1)
    balance = significant_bits(balance / balance.mean(), SCALE_BITS)
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


def cell_fraction_bits(largest: float) -> int:
    """Most fraction bits, 8..15, with which an int16 holds the largest |c| and its margin; beyond +-128, c saturates."""
    return next((bits for bits in range(15, 8, -1) if largest * CELL_MARGIN * 2**bits <= 32767), 8)


def row_scale(w: Tensor) -> Tensor:
    """Scale of each row [rows, 1] with which its largest weights fill -127..119; 1 for a row of zeros."""
    scale = torch.maximum(w.amax(1) / 119, -w.amin(1) / 127).unsqueeze(1)
    return scale.where(scale > 0, 1)


def round_weights(w: Tensor, scale: Tensor, activations: Tensor, importance: Tensor, low_weight: float = LOW_WEIGHT) -> tuple[Tensor, Tensor]:
    """(integers of w [rows, columns], mean error of each row's sum): gate by gate, as each has its important frames.

    activations [frames, columns], importance [frames, rows].
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


def _quantize_layer(number, weights: LayerWeights, activations, importance, input_scales, c_frac, policy):
    """A layer with thresholds of no meaning yet; b_low = b."""
    units = weights.w_hh.shape[1]
    # The weights of an input in its own units, whatever they are: W_ih x = (W_ih * unit) (x / unit).
    unit = torch.as_tensor(input_scales[0], dtype=torch.float64).expand(weights.w_ih.shape[1])
    w_ih, w_hh = weights.w_ih * unit, weights.w_hh
    scaled = activations.clone()
    scaled[:, :len(unit)] /= unit
    scale_ih, scale_hh = row_scale(w_ih), row_scale(w_hh)
    scale = torch.cat((scale_ih.expand_as(w_ih), scale_hh.expand_as(w_hh)), dim=1)
    integers, mean_error = round_weights(torch.cat((w_ih, w_hh), dim=1), scale, scaled, importance)
    integers = integers.to(torch.int8)

    second = 1 / TERM_SCALE if len(input_scales) > 1 else 0.0
    scale_ih, scale_hh = (scale.where((w != 0).any(1, keepdim=True), 0) for scale, w in ((scale_ih, weights.w_ih), (scale_hh, weights.w_hh)))
    m, s = mantissas(number, torch.cat((scale_ih, scale_ih * second, scale_hh * H_SCALE), dim=1) * Z_UNITS)
    refuse(number, "bias", weights.bias, weights.bias.abs() * Z_UNITS + 0.5 >= LARGEST_BIAS + 1)
    b = by_unit(torch.floor((weights.bias + mean_error) * Z_UNITS + 0.5).clamp(LEAST_BIAS, LARGEST_BIAS).long(), units)
    return QuantizedLayer(
        w_ih=integers[:, :len(unit)].contiguous(), w_hh=integers[:, len(unit):].contiguous(), m=by_unit(m, units), s=by_unit(s, units),
        b=b, b_low=b, offset=torch.zeros_like(b), c_frac=c_frac, theta=theta_alignment(c_frac), cell_floor=CELL_FLOOR, policy=policy,
        terms=len(input_scales),
    )


def mantissas(number: int, ratio: Tensor) -> tuple[Tensor, Tensor]:
    """(m [rows, 3], s [rows]) of a layer with the nearest m / 2**s to ratios [rows, 3]: the largest one of a row gets all bits."""
    largest = ratio.amax(1)
    s = MULTIPLIER.width - torch.frexp(largest).exponent.long()
    refuse(number, "weights times the scale of the input", largest / Z_UNITS, s < 0)
    s = s.clamp(max=ROW_CONSTANT["s"].range[1])
    return torch.floor(ratio * power_of_two(s).unsqueeze(1) + 0.5).clamp(max=MULTIPLIER.range[1]).long(), s


def refuse(number: int, what: str, values: Tensor, bad: Tensor) -> None:
    """Raises ValueError for the first of the values [rows] of a layer that is bad, if there is one."""
    if bad.any():
        row = bad.nonzero()[0].item()
        gate, unit = divmod(row, len(bad) // len(GATES))
        raise ValueError(f"layer {number}, gate {GATES[gate]}, unit {unit}: {what} {values[row].item():g} is beyond what the formats hold")


def by_unit(rows: Tensor, units: int) -> Tensor:
    """[units, 4, ...] of values [4 * units, ...] in PyTorch's order of rows."""
    return rows.unflatten(0, (len(GATES), units)).transpose(0, 1).contiguous()


def _refinements(q, policy, x, valid):
    """Rows that each unit refines in a step, by layer [units]."""
    return [mask[valid].sum(-1).double().mean(0).tolist() for mask in q.run(x, policy).masks]


def _with_low_precision(layers, x, run, valid, effects):
    """(layers with b_low = b + the constant that best stands for the lo part of the pre-activation, the squared effects, by layer [4, units],
    of rows in low precision)."""
    corrected, errors = [], []
    for layer, h, effect in zip(layers, run.layer_h, effects):
        missing = _missing(layer, x[valid], before(h)[valid]).flatten(1)
        constant = effect.constant(missing)
        b_low = layer.b + by_unit(torch.floor(constant + 0.5).long(), layer.units)
        corrected.append(replace(layer, b_low=b_low.clamp(LEAST_BIAS, LARGEST_BIAS)))
        errors.append(effect.squared((missing - constant) / Z_UNITS).unflatten(0, (4, layer.units)))
        x = h.unsqueeze(2)
    return corrected, errors


def _row_offsets(layer, errors, state, c, valid):
    """Row offsets of `set_log2_lambda` by policy, [units, 4] each, of SENSITIVITY by cell_floor; c int16 [batch, steps, units].

    The squared error that a row in low precision makes, for a word that is read, is a factor of its own times what the policy sees, on
    average. SENSITIVITY sees the squared sensitivity; the factor is kappa**2: the missing lo part, and what of an error in h or c lives on;
    row offset = theta_alignment - 2 log2 kappa. CELL_HISTORY sees 2**X, and STATIC_ROWS nothing.
    """
    means, alignment, sensitivities = errors / layer.row_weights, torch.tensor(theta_alignment(layer.c_frac)).unsqueeze(1), {}
    for cell_floor in CELL_FLOORS:
        seen = squared_sensitivity(state, cell_floor)[valid].mean(0).unflatten(0, (4, layer.units)).clamp(min=LEAST_FACTOR)
        sensitivities[cell_floor] = (alignment - (means / seen).clamp(min=LEAST_FACTOR).log2()).T
    return {
        Policy.SENSITIVITY: sensitivities, Policy.STATIC_ROWS: -means.clamp(min=LEAST_ERROR).log2().T,
        Policy.CELL_HISTORY: -(means / mean_size(c, valid)).clamp(min=LEAST_ERROR).log2().T,
    }


def mean_size(c: Tensor, valid: Tensor) -> Tensor:
    """Mean of 2**X of CELL_HISTORY [4, units] over the valid frames."""
    history, sums = torch.zeros_like(c[:, 0], dtype=torch.int32), 0
    for old, new, there in zip(before(c).int().unbind(1), c.int().unbind(1), valid.unbind(1)):
        sums = sums + (1 << cell_codes(old, history)[there].long()).sum(0)
        history = next_history(history, new - old)
    return sums / valid.sum()


def _missing(layer, x, before):
    """Lo part of the pre-activations [frames, 4, units], in their units, of integers x [frames, terms, inputs], before [frames, units]."""
    segments = [(values, layer.w_ih, layer.m[..., term]) for term, values in enumerate(x.unbind(1))]
    sums = 0
    for values, w, m in (*segments, (before, layer.w_hh, layer.m[..., 2])):
        sums += (values.float() @ split_planes(w)[1].float().T).double().unflatten(1, (4, layer.units)) * m.T
    return sums / power_of_two(layer.s.T)


def _at_low_share(q, x, valid, low_share, policy):
    """The network for a policy, after the policies that decide have found thresholds for a low share on x, and refinements with them."""
    for deciding in (Policy.CELL_HISTORY, Policy.SENSITIVITY):
        seek(lambda log2_lambda: set_log2_lambda(q, deciding, log2_lambda), lambda: _low_share(q, deciding, x, valid), low_share, LOG2_LAMBDAS, 0.25)
        q.thresholds = [found | {deciding: (layer.theta, layer.offset, refined)}
                        for layer, found, refined in zip(q.layers, q.thresholds, _refinements(q, deciding, x, valid))]
    q.layers = [replace(layer, policy=policy) for layer in q.layers]
    q.refinements = _refinements(q, policy, x, valid)  # where the policy does not decide
    return q.for_policy(policy)


def _low_share(q, policy, x, valid):
    refined = [mask[valid].double().mean().item() * 4 * layer.units * layer.row_weights for mask, layer in zip(q.run(x, policy).masks, q.layers)]
    return 1 - sum(refined) / sum(4 * layer.units * layer.row_weights for layer in q.layers)
