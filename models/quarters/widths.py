# SPDX-License-Identifier: MIT
"""A rival of the precision unit: widths that are chosen once, by layer. Weights of 4..8 bits, the input of 4..8, h of 4..8, and nothing decides at run time.

As good as a designer could make it: weights rounded for their width as GPTQ does, within it, with the scale of each row sought; activations with the range that
does the least harm, words of the network's input with exponents where the machine has them; biases refitted for each choice; h leaves a
layer in 8 bits for the host, and is rounded anew, from all its bits, for each matrix that it meets. Widths come from a Lagrange multiplier, as
thresholds of the policies do: of each layer those with the least sum of the expected squared effect and of the price of its cycles.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from .. import quantize
from ..build import Build
from ..cell import RowSums, exact_output, finish, output
from ..effects import Effects, before
from ..fit import FittedNetwork
from ..fixed_point import round_real_
from ..float_lstm import hidden_states, layer_weights
from ..formats import EXPONENT_GROUP as WORD
from ..grid import round_to, significant_bits
from ..layer import LARGEST_H, QuantizedLayer
from ..levels import ALL, Level, quarter_words, row_quarters
from ..networks import Network, Sample
from ..policies import Policy
from ..quantize import LARGE_ERROR, SCALE_FRAMES, Z_UNITS, by_unit, float_states, mantissas, refuse
from ..quantized_lstm import PREPARED_SUMS, Run, State
from ..quantized_network import NetworkRun, QuantizedNetwork, directed, stages
from ..weight_rounding import DESCENTS, LEAST_DAMPING, SMALL_SAMPLE_DAMPING

BITS = (4, 5, 6, 7, 8)
BASELINE_WORD = Build().baseline().dot_lanes
EIGHT_BITS = (-127, 119)  # what weights and inputs of 8 bits are, as those of the quarter-product machine
# Ranges that are tried, as fractions of the largest value that occurs: of weights, of h, and of the network's input, which may saturate far below.
WEIGHT_RANGES = [1 - 0.05 * number for number in range(11)]
H_RANGES = [2.0 ** (-number / 4) for number in range(13)]
INPUT_RANGES = [2.0 ** (-number / 2) for number in range(23)]
FINER = (2.0**-0.25, 2.0**0.25)  # of the best of INPUT_RANGES
EXPONENT_UNITS = [2.0 ** (number / 2) for number in range(-6, 3)]  # of the least step of words with exponents, in that of 8 bits
ERROR_BITS = 20  # to which squared effects are rounded before they are compared
BLOCK = 32  # columns that are rounded before all others hear of their errors, by one product of matrices


class Width(NamedTuple):
    """Bits of the weights of a layer, of its input and of h, 4..8 each; vectors that carry the input, 1 or 2."""

    weights: int
    x: int
    h: int
    terms: int = 1


class Size(NamedTuple):
    """Inputs and units of a layer."""

    inputs: int
    units: int


def ideal_cost(width: Width, size: Size) -> float:
    """Cycles of a row on a machine that scales perfectly in both operands: of 16 products of 8x8 a cycle, k * j / 64."""
    inputs, units = (-(-count // BASELINE_WORD) for count in size)
    return width.weights * (width.x * width.terms * inputs + width.h * units) / 64


def own_level(width: Width) -> Level:
    """The quarters that the quarter-product machine needs for a width; LH comes after HL there."""
    def quarters(bits):
        return (1 if bits <= 4 else 2) if width.weights <= 4 else (3 if bits <= 4 else 4)

    return Level(quarters(width.x), quarters(width.x) * (width.terms - 1), quarters(width.h))


def own_words(size: Size) -> tuple[int, int, int]:
    """Words of WORD values of each segment of a row on the quarter-product machine: x0, x1 and h."""
    inputs, units = (-(-count // WORD) for count in size)
    return inputs, inputs, units


def own_cost(width: Width, size: Size) -> float:
    """Cycles of a row on the quarter-product machine, padded words of 64."""
    return row_quarters(own_level(width), own_words(size))


WIDTH_COSTS: dict[str, Callable[[Width, Size], float]] = {"ideal": ideal_cost, "quarters": own_cost}


def limits(bits: int, eight: tuple[int, int] = EIGHT_BITS) -> tuple[int, int]:
    """Least and largest integer of so many bits; eight: of 8 bits, a matter of the format."""
    return eight if bits == 8 else (-(1 << bits - 1), (1 << bits - 1) - 1)


@dataclass(frozen=True)
class HiddenCode:
    """Integers of h, or of an input that is the h of a layer below: factor of them are 1. bits: 4..8."""

    bits: int
    factor: float = 120.0

    def __call__(self, h: Tensor) -> Tensor:
        """Integers, float64, of real h of any shape."""
        return torch.floor(h * self.factor + 0.5).clamp(*limits(self.bits, LARGEST_H))


@dataclass(frozen=True)
class InputCode:
    """Integers of the network's input: one or two vectors, in ratio times the units of 8 bits. exponents: a word's values share the least exponent
    that holds them, from 0 on to where 8 bits end."""

    bits: int
    terms: int = 1
    ratio: float = 1.0
    exponents: bool = False

    @property
    def second(self) -> float:
        """Units of the second vector in one of the first."""
        return quantize.TERM_SCALE if self.bits == 8 else 2.0**self.bits - 2

    def __call__(self, x: Tensor, unit: Tensor) -> Tensor:
        """Integers [..., terms, inputs], float64, of real x [..., inputs], unit [inputs]."""
        scale, terms = unit * self.ratio, []
        if self.exponents:
            return torch.cat([_with_exponent(word, self.bits) for word in (x / scale).split(WORD, dim=-1)], dim=-1).unsqueeze(-2)
        for _ in range(self.terms):
            terms.append(torch.floor(x / scale + 0.5).clamp(*limits(self.bits)))
            x, scale = x - terms[-1] * scale, scale / self.second
        return torch.stack(terms, dim=-2)

    def value(self, integers: Tensor) -> Tensor:
        """What integers [..., terms, inputs] say, in the units of 8 bits: float64 [..., inputs]."""
        return sum(term / self.second**number for number, term in enumerate(integers.unbind(-2))) * self.ratio


def _with_exponent(word, bits):
    low, high = limits(bits)
    largest, least = word.amax(-1, keepdim=True), word.amin(-1, keepdim=True)
    step = torch.full_like(largest, 1 << 8 - bits)
    for exponent in range(8 - bits - 1, -1, -1):
        smaller = 1 << exponent
        step = torch.where((torch.floor(largest / smaller + 0.5) <= high) & (torch.floor(least / smaller + 0.5) >= low), smaller, step)
    return torch.floor(word / step + 0.5).clamp(low, high) * step


@dataclass
class Weights:
    """Integers of w_ih, int8 [rows, inputs], and w_hh, int8 [rows, units], of some bits, and their scales, float64 [rows, 1], of w_ih for inputs in the units of 8
    bits."""

    w_ih: Tensor
    w_hh: Tensor
    scale_ih: Tensor
    scale_hh: Tensor


@dataclass
class FittedWidths:
    """A layer for every width. inputs: codes by bits and terms; errors: squared effect on the output of all rows together; constants [rows]:
    what is added to the bias."""

    number: int
    size: Size
    c_frac: int
    bias: Tensor
    weights: dict[int, Weights]
    inputs: dict[tuple[int, int], InputCode | HiddenCode]
    hidden: dict[int, HiddenCode]
    errors: dict[Width, float]
    constants: dict[Width, Tensor]

    def choose(self, log2_lambda: float, cost: Callable[[Width, Size], float]) -> Width:
        """The width with the least sum of its squared effect and its cycles, at a price of 2**log2_lambda each; of equal ones the cheapest."""
        rows, price = 4 * self.size.units, 2.0**log2_lambda
        return min(self.errors, key=lambda width: (self.errors[width] + price * rows * cost(width, self.size), cost(width, self.size)))

    def layer(self, width: Width) -> QuantizedLayer:
        """The layer with a width: a machine of 8 bits whose integers are smaller. Raises ValueError for values that the formats do not hold."""
        weights, x, h = self.weights[width.weights], self.inputs[width.x, width.terms], self.hidden[width.h]
        ratio, second = (x.ratio, 1 / x.second) if isinstance(x, InputCode) else (120 / x.factor, 0.0)
        scale_ih = weights.scale_ih * ratio
        scales = torch.cat((scale_ih, scale_ih * (second if width.terms > 1 else 0.0), weights.scale_hh * (quantize.H_SCALE * (120 / h.factor))), dim=1)
        m, s = mantissas(self.number, scales * Z_UNITS)
        bias = self.bias + self.constants[width]
        refuse(self.number, "bias", bias, bias.abs() * Z_UNITS + 0.5 >= 1 << 17)
        b = by_unit(torch.floor(bias * Z_UNITS + 0.5).long(), self.size.units)
        return QuantizedLayer(weights.w_ih, weights.w_hh, by_unit(m, self.size.units), by_unit(s, self.size.units), (ALL,), b, b.unsqueeze(0), (),
                            b.new_zeros(0, *b.shape), self.c_frac, terms=width.terms)


class WidthLSTM:
    """A stack of layers with their widths, one for each of the layers; takes the place of QuantizedLSTM.

    unit: real value of one unit of 8 bits of each input, float64 [inputs]; order: the network's input at each place of the words, int64 [inputs].
    """

    def __init__(self, fitted: list[FittedWidths], unit: Tensor, order: Tensor):
        self.fitted, self.unit, self.order = fitted, unit, order
        self.set_widths([max(layer.errors, key=lambda width: ideal_cost(width, layer.size)) for layer in fitted])

    def set_widths(self, widths: list[Width]) -> None:
        """Of each layer one of those that it was fitted for."""
        self.widths = list(widths)
        self.layers = [fitted.layer(width) for fitted, width in zip(self.fitted, self.widths)]

    def _input_code(self, number):
        return self.fitted[number].inputs[self.widths[number].x, self.widths[number].terms]

    def quantize_input(self, x: Tensor) -> Tensor:
        """Real inputs [..., inputs] to integers, int16 [..., terms, inputs], in the order of the words."""
        code, x = self._input_code(0), x.double()[..., self.order]
        return (code(x, self.unit[self.order]) if isinstance(code, InputCode) else code(x).unsqueeze(-2)).to(torch.int16)

    def run(self, x: Tensor, policy: Policy = Policy.STATIC_HIGH, shares: list | None = None, seed: int = 0, native: bool = False) -> Run:
        """Run integer inputs x [batch, steps, terms, inputs] from zero state, in PyTorch whatever `native` says. What Run.h holds is h in 8 bits."""
        result, x, exact = Run([], [], [], [], State([], [], []), self.layers), x.transpose(0, 1), torch.empty(0)
        for number, (layer, fitted, width) in enumerate(zip(self.layers, self.fitted, self.widths)):
            if number:
                x = self._input_code(number)(exact.double() * 2.0**-30).unsqueeze(2)
            exact, h, c = _run_layer(layer, x, fitted.hidden[width.h])
            result.layer_h.append(h.transpose(0, 1))
            result.layer_c.append(c.transpose(0, 1))
            result.levels.append(torch.full((), layer.codes[0], dtype=torch.int8).expand(h.shape[1], h.shape[0], layer.units, 4))
        return result


def _run_layer(layer, x, code):
    """(h in Q0.30, in 8 bits, and c) [steps, batch, units] over integers x [steps, batch, terms, inputs]; code: of the h that comes back."""
    steps, batch = x.shape[:2]
    rows = RowSums(layer, [None])
    h, c = (torch.zeros(batch, layer.units, dtype=torch.int32) for _ in range(2))
    all_exact, all_h, all_c = (torch.empty(steps, batch, layer.units, dtype=kind) for kind in (torch.int32, torch.int8, torch.int16))
    block = max(1, PREPARED_SUMS // (batch * 4 * layer.units))
    for step, sums in enumerate(sums for steps_of_x in x.split(block) for sums in rows.steps(steps_of_x)):
        gates, c, tanh_c = finish(rows.z(0, rows.with_h(sums, h)), c, layer.c_frac)
        exact = exact_output(gates, tanh_c)
        h = round_real_(exact.double().mul_(code.factor * 2.0**-30)).clamp_(*limits(code.bits, LARGEST_H))
        all_exact[step], all_h[step], all_c[step] = exact, output(gates, tanh_c), c
    return all_exact, all_h, all_c


class WidthNetwork(QuantizedNetwork):
    """A network of static widths. cost: of WIDTH_COSTS, by which widths are chosen and speeds are counted."""

    def __init__(self, stages: list[list[WidthLSTM]], cost: str = "ideal"):
        super().__init__(stages)
        self.cost = cost

    def set_log2_lambda(self, policy: Policy, log2_lambda: float, own_offsets: bool = False) -> None:
        """Give each layer the width with the least sum of its squared effect and its cycles, at a price of 2**log2_lambda each; policy and own_offsets are not looked
        at."""
        for direction in self.directions:
            direction.set_widths([layer.choose(log2_lambda, WIDTH_COSTS[self.cost]) for layer in direction.fitted])

    def set_cell_floor(self, cell_floor: int) -> None:
        """Nothing here depends on it."""

    @property
    def widths(self) -> list[list[Width]]:
        """By direction and layer."""
        return [direction.widths for direction in self.directions]

    def _layers(self):
        """(rows, width, size, terms of 8 bits) of each layer."""
        return [(4 * layer.size.units, width, layer.size, max(width.terms for width in layer.errors))
                for direction in self.directions for layer, width in zip(direction.fitted, direction.widths)]

    def cycles(self, cost: str | None = None) -> float:
        """Of all tiles together, a step, by a cost of WIDTH_COSTS (default: its own)."""
        return sum(rows * WIDTH_COSTS[cost or self.cost](width, size) for rows, width, size, _ in self._layers())

    def _high(self, cost):
        return sum(rows * WIDTH_COSTS[cost](Width(8, 8, 8, terms), size) for rows, _, size, terms in self._layers())

    def speed(self, cost: str | None = None) -> float:
        """Ideal speed over the baseline build, of a machine that has a cost of WIDTH_COSTS (default: its own)."""
        return self._high("ideal") / self.cycles(cost)

    def speedup(self, run: NetworkRun) -> float:
        """Ideal speed over the baseline build, whatever was run."""
        return self.speed()

    def time_over_baseline(self, run: NetworkRun) -> Tensor:
        """Of each sequence, float64 [sequences], its ideal time over that of the baseline build: the same for all."""
        return torch.full((len(run.sequence_rows[0][0]),), 1 / self.speed(), dtype=torch.float64)

    def speedup_over_high(self, run: NetworkRun) -> float:
        """Ideal speed over 8 bits in all layers on the same machine, whatever was run."""
        return self._high(self.cost) / self.cycles()

    def words_by_quarter(self, run: NetworkRun) -> list[int]:
        """Words of HH, HL, LH and LL of the quarter-product machine, for the steps of a run."""
        words = [[run.steps * rows * count for count in quarter_words(own_level(width), own_words(size))] for rows, width, size, _ in self._layers()]
        return [sum(column) for column in zip(*words)]

    def level_shares(self, run: NetworkRun) -> list[float]:
        """All rows are at one level."""
        return [1.0]

    def low_weight_share(self, run: NetworkRun) -> float:
        """Share, 0..1, of weights of 4 bits."""
        weights = [(rows * (size.inputs + size.units), width.weights <= 4) for rows, width, size, _ in self._layers()]
        return sum(count for count, low in weights if low) / sum(count for count, _ in weights)


def fit(network: Network, samples: list[Sample], settings: quantize.Settings, fitted: FittedNetwork, exponents: bool) -> list[list[list[FittedWidths]]]:
    """[stage][direction][layer] for every width, from the samples that `fitted` was fitted to, with its units of the input and its effects.

    exponents: whether words of the network's input may have some.
    """
    result, calibration = [], [sample.inputs for sample in samples]
    for number, (modules, stage) in enumerate(zip(stages(network.lstm), fitted.stages)):
        directions, outputs = [], []
        for reverse, (module, own) in enumerate(zip(modules, stage)):
            inputs = [directed(sequence, reverse) for sequence in calibration]
            directions.append(fit_direction(module, inputs, settings, own, exponents, own_input=number == 0))
            outputs.append([directed(hidden[-1], reverse) for hidden in hidden_states(module, inputs)])
        calibration = [torch.cat(both, dim=1) for both in zip(*outputs)]
        result.append(directions)
    return result


@torch.no_grad()
def fit_direction(lstm: nn.LSTM, calibration: list[Tensor], settings: quantize.Settings, fitted: quantize.Fitted, exponents: bool = False,
                  own_input: bool = True) -> list[FittedWidths]:
    """As `fit`, of an nn.LSTM of one direction, by layer; calibration: float sequences [steps, inputs].

    own_input: the network's, whose units are by input; else it is the h of a stage below.
    """
    below = nn.utils.rnn.pad_sequence([sample.double() for sample in calibration], batch_first=True)
    valid = torch.arange(below.shape[1]) < torch.tensor([len(sample) for sample in calibration]).unsqueeze(1)
    weights = [layer_weights(lstm, number) for number in range(lstm.num_layers)]
    result = []
    for number, (parameters, state, effects, constants) in enumerate(zip(weights, float_states(weights, below), fitted.effects, fitted.layers)):
        first = number == 0 and own_input
        order = fitted.order if number == 0 else slice(None)  # of the words of the input, which is the h of a stage below or the network's own
        unit = fitted.input_scales[0][order] if first else torch.full((below.shape[2],), quantize.H_SCALE, dtype=torch.float64)
        x, h, w_ih = below[valid][:, order], before(state.h)[valid], parameters.w_ih[:, order]
        importance = effects.importance() ** settings.emphasis
        covariances = gate_covariances(torch.cat((x / unit, h), dim=1), importance)
        rounded = {bits: round_matrices(w_ih * unit, parameters.w_hh, covariances, bits) for bits in BITS}
        few = effects.some(SCALE_FRAMES)
        codes = _input_codes(x[few], w_ih, unit, effects.part(few), constants["terms"], exponents) if first \
            else {(bits, 1): code for bits, code in _hidden_codes(x[few], w_ih, effects.part(few)).items()}
        hidden = _hidden_codes(h[few], parameters.w_hh, effects.part(few))
        errors, biases = _effects_of_widths((w_ih * unit, parameters.w_hh), (x, h), unit, rounded, codes, hidden, effects)
        result.append(FittedWidths(number, Size(x.shape[1], h.shape[1]), constants["c_frac"], parameters.bias, rounded, codes, hidden, errors, biases))
        below = state.h
    return result


def network_of(fitted: list[list[list[FittedWidths]]], base: FittedNetwork, cost: str) -> WidthNetwork:
    """The network of what `fit` gave, all of it in 8 bits at first. base: the network that it was fitted with; cost: of WIDTH_COSTS."""
    return WidthNetwork([[WidthLSTM(layers, own.input_scales[0], own.order) for layers, own in zip(stage, owns)]
                         for stage, owns in zip(fitted, base.stages)], cost)


def gate_covariances(activations: Tensor, importance: Tensor) -> list[tuple[Tensor, float]]:
    """Of each gate, the covariance [columns, columns] of activations [frames, columns] weighed by importance [frames, rows], and how many frames it is worth;
    float64."""
    result = []
    for frames in importance.chunk(4, dim=1):
        weight = frames.mean(1)
        weight = weight / weight.sum() if weight.any() else torch.full_like(weight, 1 / len(weight))
        centred = (activations - weight @ activations) * weight.sqrt().unsqueeze(1)
        result.append((centred.T @ centred, 1 / weight.square().sum().item()))
    return result


def round_matrices(w_ih: Tensor, w_hh: Tensor, covariances: list[tuple[Tensor, float]], bits: int) -> Weights:
    """Both matrices of a layer in so many bits, float64 [rows, columns], that meet activations with covariances of gate_covariances. Of each row
    the better one of two: with the scale that holds all its weights, and with the one that rounds it best alone."""
    low, high = limits(bits)
    integers, scales, inputs = [], [], w_ih.shape[1]
    for gate_ih, gate_hh, (covariance, frames) in zip(w_ih.chunk(4), w_hh.chunk(4), covariances):
        w, rows = torch.cat((gate_ih, gate_hh), dim=1), len(gate_ih)
        pairs = [torch.stack(_row_scales(part, covariance[place, place], low, high))
                 for part, place in ((gate_ih, slice(0, inputs)), (gate_hh, slice(inputs, None)))]
        both = torch.cat([pair.flatten(0, 1).expand(-1, size) for pair, size in zip(pairs, (inputs, w.shape[1] - inputs))], dim=1)
        found, harm = round_within(w.repeat(2, 1), both, covariance, (low, high), frames)
        better = (harm[rows:] < harm[:rows]).unsqueeze(1)
        integers.append(torch.where(better, found[rows:], found[:rows]))
        scales.append([torch.where(better, pair[1], pair[0]) for pair in pairs])
    found = torch.cat(integers).to(torch.int8)
    scale_ih, scale_hh = (torch.cat(parts).where((w != 0).any(1, keepdim=True), 0) for parts, w in zip(zip(*scales), (w_ih, w_hh)))
    return Weights(found[:, :inputs].contiguous(), found[:, inputs:].contiguous(), scale_ih, scale_hh)


def _row_scales(w, covariance, low, high):
    """(scales [rows, 1] that hold all of w [rows, columns], those of WEIGHT_RANGES with the least error when each weight is rounded alone)."""
    full = torch.maximum(w.amax(1) / high, w.amin(1) / low).unsqueeze(1)
    full = full.where(full > 0, 1)
    best, least = full, None
    for fraction in WEIGHT_RANGES:
        error = w - torch.floor(w / (full * fraction) + 0.5).clamp(low, high) * (full * fraction)
        harm = ((error @ covariance) * error).sum(1, keepdim=True)
        best, least = (full, harm) if least is None else (torch.where(harm < least, full * fraction, best), torch.minimum(harm, least))
    return full, best


def round_within(w: Tensor, scale: Tensor, covariance: Tensor, within: tuple[int, int], frames: float) -> tuple[Tensor, Tensor]:
    """(integers, float64 [rows, columns], within two limits, their squared errors [rows]) for real weights w and scales, float64 [rows, columns]:
    models.weight_rounding.round_planes for one precision, any width.

    covariance: float64 [columns, columns], over so many frames.
    """
    columns = len(covariance)
    damping = max(LEAST_DAMPING, SMALL_SAMPLE_DAMPING * columns / frames) * covariance.diag().mean()
    if damping == 0:
        return torch.floor(w / scale + 0.5).clamp(*within), w.new_zeros(len(w))
    order = round_to(covariance.diag() / covariance.diag().max(), 2.0**-20).argsort(descending=True, stable=True)
    damped = covariance[order][:, order] + damping * torch.eye(columns, dtype=w.dtype)
    w, scale = (matrix[:, order].T.contiguous() for matrix in (w, scale))
    spread = torch.linalg.cholesky(torch.cholesky_inverse(torch.linalg.cholesky(damped)), upper=True)
    wish, integers = w.clone(), torch.empty_like(w)
    blocks = [slice(start, min(start + BLOCK, columns)) for start in range(0, columns, BLOCK)]
    for block in blocks:
        own, errors = spread[block, block], torch.empty_like(wish[block])
        for place, column in enumerate(range(block.start, block.stop)):
            integers[column] = torch.floor(wish[column] / scale[column] + 0.5).clamp(*within)
            errors[place] = (wish[column] - scale[column] * integers[column]) / own[place, place]
            wish[column + 1:block.stop] -= own[place, place + 1:].unsqueeze(1) * errors[place]
        wish[block.stop:] -= spread[block, block.stop:].T @ errors
    rest = damped @ (w - scale * integers)
    for block in blocks * DESCENTS:
        own, moves, near = damped[block, block], torch.empty_like(rest[block]), rest[block].clone()
        for place, column in enumerate(range(block.start, block.stop)):
            was = integers[column].clone()
            integers[column] = torch.floor(was + near[place] / (own[place, place] * scale[column]) + 0.5).clamp(*within)
            moves[place] = scale[column] * (integers[column] - was)
            near -= own[place].unsqueeze(1) * moves[place]
        rest -= damped[:, block] @ moves
    error = w - scale * integers
    return integers.T[:, order.argsort()], (error * (damped @ error)).sum(0)


def _hidden_codes(h, w, effects):
    """By bits, the code of h [frames, units] with the range that does the least harm after w [rows, units]; of 8 bits the machine's."""
    largest, codes = h.abs().max().item() or 1.0, {8: HiddenCode(8)}
    for bits in BITS[:-1]:
        candidates = [HiddenCode(bits, (1 << bits - 1) / (largest * fraction)) for fraction in H_RANGES]
        codes[bits] = min(candidates, key=lambda code: _harm(code(h) / code.factor - h, w, effects))
    return codes


def _input_codes(x, w_ih, unit, effects, terms, exponents):
    """By (bits, terms), the code of x [frames, inputs] that does the least harm; of 8 bits the machine's."""
    scaled, w = x / unit, w_ih * unit
    largest = scaled.abs().max().item() or 1.0

    def harm(code):
        return _harm(code.value(code(x, unit)) - scaled, w, effects)

    codes = {}
    for count in range(1, terms + 1):
        codes[8, count] = InputCode(8, count)
        for bits in BITS[:-1]:
            def with_range(fraction, bits=bits, count=count):
                return InputCode(bits, count, largest * fraction / (1 << bits - 1))

            coarse = min(INPUT_RANGES, key=lambda fraction: harm(with_range(fraction)))
            candidates = [with_range(coarse * finer) for finer in (1, *FINER)]
            if exponents and count == 1:
                candidates += [InputCode(bits, 1, ratio, exponents=True) for ratio in EXPONENT_UNITS]
            codes[bits, count] = min(candidates, key=harm)
    return codes


def _harm(error, w, effects):
    """Squared effect of errors [frames, columns] before w [rows, columns]."""
    return _summed(effects, (error @ w.T).clamp(-LARGE_ERROR, LARGE_ERROR)).square().sum().item()


def _effects_of_widths(matrices, activations, unit, rounded, codes, hidden, effects):
    """(squared effect of all rows, constant for the bias [rows]) by width.

    Effects of errors add up over a sequence before they are squared; so those of the input's part and of the part of h are summed once each, for
    all widths that they are in.
    """
    (w_ih, w_hh), (x, h) = matrices, activations
    exact_x, exact_h = (x / unit) @ w_ih.T, h @ w_hh.T
    alone = _summed(effects, torch.ones_like(exact_h))
    power, errors, constants = alone.square().sum(0), {}, {}

    def part(values, integers, scale, exact):
        error = (exact - (values @ integers.double().T) * scale.T).clamp(-LARGE_ERROR, LARGE_ERROR)
        return _summed(effects, error), error.mean(0)

    for bits, weights in rounded.items():
        parts_x = {key: part(code.value(code(x, unit)) if isinstance(code, InputCode) else code(x) * (120 / code.factor), weights.w_ih, weights.scale_ih, exact_x)
                   for key, code in codes.items()}
        parts_h = {key: part(code(h) / code.factor, weights.w_hh, weights.scale_hh, exact_h) for key, code in hidden.items()}
        for (bits_x, terms), (sums_x, mean_x) in parts_x.items():
            for bits_h, (sums_h, mean_h) in parts_h.items():
                width, sums = Width(bits, bits_x, bits_h, terms), sums_x + sums_h
                constants[width] = torch.where(power > 0, (sums * alone).sum(0) / power, mean_x + mean_h)
                squared = (sums - constants[width] * alone).square().sum() / len(effects.gradients) / len(effects.sequence)
                errors[width] = significant_bits(squared, ERROR_BITS).item()
    return errors, constants


def _summed(effects: Effects, errors):
    """Effects of errors [frames, rows], [projections * sequences, rows]; frames of a sequence follow each other."""
    lengths = torch.bincount(effects.sequence).tolist()
    return torch.cat([torch.stack([part.sum(0) for part in (gradient * errors).split(lengths)]) for gradient in effects.gradients])
