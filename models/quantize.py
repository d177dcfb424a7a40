"""Post-training quantization of torch.nn.LSTM: from float weights and sample inputs to the integers of docs/numerics.md.

Deterministic: the same weights and samples give the same integers.
"""

from dataclasses import replace

import torch
from torch import nn

from models.layer import QuantizedLayer, split_planes
from models.policies import GATES, Policy, theta_alignment
from models.quantized_lstm import QuantizedLSTM

H_SCALE = 2.0**-7
Z_UNITS = 2.0**12  # units of a pre-activation of 1
LIMB_SCALE = 254  # units of the second limb in one of the first, which rounds to +-1/2
# Relative error of the pre-activations, from the rounding of the input, above which a second limb is used, and what counts as
# a pre-activation of no size: see needs_two_limbs.
INPUT_ERROR = 0.05
SMALL_PREACTIVATION = 0.1
# Headroom of the cell state over the calibration, before saturation.
CELL_MARGIN = 1.25
# Thresholds between which the sensitivity threshold is sought, in half octaves: every row or none is refined beyond.
LEAST_THRESHOLD, GREATEST_THRESHOLD = -64, 16


def quantize(lstm, calibration, *, limbs=None, input_percentile=100.0, low_share=0.80, hold=1, policy=Policy.SENSITIVITY):
    """Quantize an nn.LSTM with the sample inputs `calibration`, a list of float tensors [steps, inputs], each from zero state.

    limbs: 1 or 2 int8 vectors for an input (default: two where one does not carry it). input_percentile: of |input| over the calibration
    that is the largest value represented. low_share: that SENSITIVITY and CELL_HISTORY shall reach on the calibration. hold: steps for
    which CELL_HISTORY stays high after a change. policy: of all layers, also the one whose refinements are counted for the compiler.
    Dropout is ignored, as in evaluation; batch_first says nothing about weights. Raises ValueError, which says what and why, for what
    cannot be quantized.
    """
    _check(lstm, calibration)
    inputs = nn.utils.rnn.pad_sequence([sample.double() for sample in calibration], batch_first=True)
    lengths = torch.tensor([len(sample) for sample in calibration])
    valid = torch.arange(inputs.shape[1]) < lengths.unsqueeze(1)

    with torch.no_grad():
        weights = [_weights(lstm, number) for number in range(lstm.num_layers)]
        largest = _quantile(inputs[valid].abs().flatten(), input_percentile / 100)
        if limbs is None:
            limbs = 1 + needs_two_limbs(inputs[valid], weights[0][0], largest)
        first = (largest or 1.0) / 127
        input_scales = (first, first / LIMB_SCALE)[:limbs]
        layers = []
        for number, (parameters, cells) in enumerate(zip(weights, _float_cells(weights, inputs))):
            c_frac = _cell_fraction_bits(cells[valid].abs().max().item())
            scales = input_scales if number == 0 else (H_SCALE,)
            layers.append(_quantize_layer(number, *parameters, scales, c_frac, hold, policy))
        q = QuantizedLSTM(layers, input_scales)

        x = q.quantize_input(inputs)
        high = q.run(x, Policy.STATIC_HIGH)
        _set_low_biases(q, x, high, valid)
        _set_history_thresholds(q, high, valid, 1 - low_share)
        _set_history_thresholds(q, q.run(x, Policy.CELL_HISTORY), valid, 1 - low_share)
        _set_sensitivity_thresholds(q, x, valid, low_share)
        run = q.run(x)
        q.refinements = [mask[valid].sum(-1).double().mean(0).tolist() for mask in run.masks]
    return q


def needs_two_limbs(x, w_ih, largest):
    """Whether one int8 vector with the largest value `largest` does not carry inputs x [frames, inputs] to W_ih [rows, inputs].

    Per frame, the norm of the error of W_ih x over the norm of W_ih x plus that of a vector of SMALL_PREACTIVATION, as an error in what
    is hardly there does not matter; two limbs where the mean over the frames exceeds INPUT_ERROR. A mean over frames, not over energy:
    inputs of many decades lose the quiet frames.
    """
    if largest == 0:
        return False
    scale = largest / 127
    rounded = torch.floor(x / scale + 0.5).clamp(-127, 127) * scale
    small = SMALL_PREACTIVATION * w_ih.shape[0] ** 0.5
    error = (x - rounded) @ w_ih.T
    return ((error.norm(dim=1) / ((x @ w_ih.T).norm(dim=1) + small)).mean() > INPUT_ERROR).item()


def _check(lstm, calibration):
    if not isinstance(lstm, nn.LSTM):
        raise ValueError(f"expected a torch.nn.LSTM, got {type(lstm).__name__}")
    if lstm.bidirectional:
        raise ValueError("a bidirectional LSTM is two runs: quantize each direction as an LSTM of its own")
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


def _weights(lstm, number):
    """(w_ih, w_hh, bias) of a layer, in float64; both biases added."""
    w_ih, w_hh = (getattr(lstm, f"weight_{kind}_l{number}").double() for kind in ("ih", "hh"))
    if not lstm.bias:
        return w_ih, w_hh, w_ih.new_zeros(len(w_ih))
    return w_ih, w_hh, getattr(lstm, f"bias_ih_l{number}").double() + getattr(lstm, f"bias_hh_l{number}").double()


def _quantile(values, fraction):
    """Least of the values that so large a fraction does not exceed."""
    return values.kthvalue(max(1, round(fraction * len(values)))).values.item()


def _float_cells(weights, x):
    """Cell states [batch, steps, units] of each layer in float, which nn.LSTM does not give; x [batch, steps, inputs]."""
    for w_ih, w_hh, bias in weights:
        h = c = x.new_zeros(len(x), w_hh.shape[1])
        hidden, cells = [], []
        for prepared in (x @ w_ih.T + bias).unbind(1):
            i, f, g, o = (prepared + h @ w_hh.T).chunk(4, dim=1)
            c = f.sigmoid() * c + i.sigmoid() * g.tanh()
            h = o.sigmoid() * c.tanh()
            hidden.append(h)
            cells.append(c)
        x = torch.stack(hidden, dim=1)
        yield torch.stack(cells, dim=1)


def _cell_fraction_bits(largest):
    """Most fraction bits, 8..15, with which an int16 holds the largest |c| and its margin; beyond +-128, c saturates."""
    return next((bits for bits in range(15, 8, -1) if largest * CELL_MARGIN * 2**bits <= 32767), 8)


def _quantize_rows(w):
    """(integers -127..119, scale of each row [rows, 1]) of float rows."""
    scale = torch.maximum(w.amax(1) / 119, -w.amin(1) / 127).unsqueeze(1)
    return torch.floor(w / scale.where(scale > 0, 1) + 0.5).to(torch.int8), scale


def _quantize_layer(number, w_ih, w_hh, bias, input_scales, c_frac, hold, policy):
    """A layer with thresholds of no meaning yet; b_low = b."""
    units = w_hh.shape[1]

    def by_unit(rows):
        return rows.unflatten(0, (4, units)).transpose(0, 1).contiguous()

    integer_ih, scale_ih = _quantize_rows(w_ih)
    integer_hh, scale_hh = _quantize_rows(w_hh)
    second = input_scales[1] if len(input_scales) > 1 else 0.0
    ratio = torch.cat((scale_ih * input_scales[0], scale_ih * second, scale_hh * H_SCALE), dim=1) * Z_UNITS
    # The largest ratio of a row gets all 16 bits of its mantissa: ratio = m / 2**s.
    s = 16 - torch.frexp(ratio.amax(1)).exponent
    b = torch.floor(bias * Z_UNITS + 0.5)
    for what, values, bad in (("weights times the scale of the input", ratio.amax(1) / Z_UNITS, s < 0), ("bias", bias, b.abs() >= 1 << 17)):
        if bad.any():
            row = bad.nonzero()[0].item()
            gate, unit = divmod(row, units)
            raise ValueError(f"layer {number}, gate {GATES[gate]}, unit {unit}: {what} {values[row].item():g} is beyond what the formats hold")
    s = s.clamp(max=63)
    m = torch.floor(ratio * 2.0 ** s.unsqueeze(1) + 0.5).clamp(max=65535).long()
    b = by_unit(b.long())
    return QuantizedLayer(
        w_ih=integer_ih, w_hh=integer_hh, m=by_unit(m), s=by_unit(s.long()), b=b, b_low=b, offset=torch.zeros_like(b), c_frac=c_frac,
        theta=theta_alignment(c_frac), history_threshold=1, hold=hold, policy=policy, limbs=len(input_scales),
    )


def _set_low_biases(q, x, run, valid):
    """b_low = b + mean of the lo part of the pre-activation; the mean of a linear part is that of its mean input."""
    for layer, h in zip(q.layers, run.layer_h):
        before = nn.functional.pad(h, (0, 0, 1, 0))[:, :-1]
        means = (*x[valid].double().mean(0), *[x.new_zeros(layer.inputs).double()] * (2 - layer.limbs), before[valid].double().mean(0))
        planes = [split_planes(w)[1].double() for w in (layer.w_ih, layer.w_ih, layer.w_hh)]
        lo = torch.stack([plane @ mean for plane, mean in zip(planes, means)], dim=-1).unflatten(0, (4, layer.units)).transpose(0, 1)
        missing = (lo * layer.m).sum(-1) / 2.0**layer.s
        layer.b_low = (layer.b + torch.floor(missing + 0.5).long()).clamp(-(1 << 17), (1 << 17) - 1)
        x = h.unsqueeze(2)


def _set_history_thresholds(q, run, valid, share):
    """Thresholds with which CELL_HISTORY refines the share of the units' steps in which the cells of the run changed most."""
    for layer, c in zip(q.layers, run.layer_c):
        c = c.int()
        change = c.diff(dim=1, prepend=torch.zeros_like(c[:, :1])).abs()
        recent = torch.zeros_like(change)
        recent[:, 0] = 1 << 16
        for lag in range(1, min(layer.hold, c.shape[1] - 1) + 1):
            recent[:, lag:] = torch.maximum(recent[:, lag:], change[:, :-lag])
        layer.history_threshold = min(max(int(_quantile(recent[valid].flatten(), 1 - share)) + 1, 1), 65535)


def _set_sensitivity_thresholds(q, x, valid, low_share):
    """One threshold of the real sensitivity for all layers and gates: of whole half octaves, the one that comes nearest to the low share."""
    def share_with(threshold):
        for layer in q.layers:
            layer.theta = tuple(threshold + constant for constant in theta_alignment(layer.c_frac))
        refined = [mask[valid].double().mean().item() * 4 * layer.units * layer.row_weights
                   for mask, layer in zip(q.run(x, Policy.SENSITIVITY).masks, q.layers)]
        return 1 - sum(refined) / sum(4 * layer.units * layer.row_weights for layer in q.layers)

    below, above = LEAST_THRESHOLD, GREATEST_THRESHOLD
    shares = {below: 0.0, above: 1.0}
    while above - below > 1:
        middle = (below + above) // 2
        shares[middle] = share_with(middle)
        below, above = (middle, above) if shares[middle] < low_share else (below, middle)
    share_with(min((below, above), key=lambda threshold: abs(shares[threshold] - low_share)))
