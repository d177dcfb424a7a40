# SPDX-License-Identifier: MIT
"""One step of an LSTM layer in integers (docs/numerics.md), for a batch and all units at once.

Products are matrix products of integers: of bytes and nibbles in int8, where that is fast, else in float32. Both are exact in any order
of summation: int8 products are added in pairs in 16 bits on processors without VNNI, but 255 * 8 * 2 fits there, which is why the two
planes are multiplied apart; and no sum exceeds 127 * 127 * 1024 < 2**24.
Row sums are sums of (m / 2**s) * acc in float64: exact, as they are integers of 44 bits over a power of two. Adding the half that
rounds them takes 53 bits at most up to s = 52; beyond, the sum is below 2**-8 and rounds to zero whatever is lost of it.
From z on, int32 holds everything: a product of Q0.15 and an int16 is at most 2**30 in size.
"""

import math

import torch
from torch import Tensor

from . import activation
from .fixed_point import round_real_, round_shift, saturate
from .grid import power_of_two
from .layer import QuantizedLayer, split_planes

# Sequences times weights from which int8 is faster than float32: a call of it costs more. Without AVX2 it never is.
INT8_PRODUCTS = 1 << 22 if torch.cpu._is_avx2_supported() else math.inf


def _computed(of_low, of_high, low, high):
    """What belongs to the precisions that are computed, low first."""
    return [part for part, computed in ((of_low, low), (of_high, high)) if computed]


class FloatProduct:
    """Products of activations and a weight matrix w [rows, k] in float32."""

    def __init__(self, w: Tensor, low: bool, high: bool):
        self.weights = torch.cat(_computed(split_planes(w)[0].T, w.T, low, high), dim=1).float()

    def __call__(self, activations: Tensor) -> Tensor:
        """Accumulators [n, precisions * rows] of integers -127..127 [n, k]: low (hi plane alone), then high."""
        return activations.float() @ self.weights


class Int8Product:
    """The same in int8, by oneDNN: it takes activations unsigned, 128 above their values, and the planes one below the other."""

    def __init__(self, w: Tensor, low: bool, high: bool):
        self.low, self.high = low, high
        planes = torch.cat(split_planes(w)[:1 + high]).to(torch.int8)
        self.weights = torch.ops.onednn.qlinear_prepack(planes.contiguous(), None)

    def __call__(self, activations: Tensor) -> Tensor:
        activations = (activations.int() + 128).to(torch.uint8)
        sums = torch.ops.onednn.qlinear_pointwise(
            activations, 1.0, 128, self.weights, torch.ones(1), torch.zeros(1, dtype=torch.int32), None, 1.0, 0, torch.float32, "none", [], "")
        if not self.high:
            return sums
        hi, lo = sums.chunk(2, dim=1)
        both_planes = lo.add_(hi, alpha=16)
        return sums if self.low else both_planes


class RowSums:
    """Row sums of a layer and their pre-activations z for a batch, in low precision, in high precision, or in both.

    shape: [precisions, 4, units], low first, of z after the batch.
    """

    def __init__(self, layer: QuantizedLayer, batch: int, low: bool, high: bool):
        self.shape = (low + high, 4, layer.units)
        self.product_ih, self.product_hh = (
            (Int8Product if batch * w.numel() >= INT8_PRODUCTS else FloatProduct)(w, low, high) for w in (layer.w_ih, layer.w_hh)
        )
        scale = (layer.m.double() * power_of_two(-layer.s).unsqueeze(2)).permute(2, 1, 0).flatten(1)
        self.scale_x0, self.scale_x1, self.scale_h = torch.cat(_computed(16 * scale, scale, low, high), dim=1)
        self.b = torch.cat(_computed(layer.b_low.T, layer.b.T, low, high)).flatten().double()

    def prepare(self, x: Tensor) -> Tensor:
        """Accumulators of the input: integers x [steps, batch, terms, inputs] to [steps, batch, terms, precisions * 4 * units]."""
        return self.product_ih(x.flatten(0, 2)).unflatten(0, x.shape[:3])

    def __call__(self, prepared: Tensor, h: Tensor) -> Tensor:
        """z [batch, precisions, 4, units] of a step from its prepared part and h [batch, units] of the step before."""
        sums = self.product_hh(h).double().mul_(self.scale_h)
        for accumulators, scale in zip(prepared.unbind(1), (self.scale_x0, self.scale_x1)):
            sums += accumulators.double().mul_(scale)
        return round_real_(sums).add_(self.b).clamp_(-32768, 32767).int().unflatten(1, self.shape)


def finish(z: Tensor, c: Tensor, c_frac: int) -> tuple[Tensor, Tensor, Tensor]:
    """Finish a step: z [batch, 4, units] in Q3.12 and c [batch, units] of the step before.

    Returns the words of the gates, as models.activation gives them, the new c, and the words of its tanh.
    """
    gates = activation.gate_words(z)
    i, f, g, _ = activation.values_of(gates).unbind(1)
    c = saturate(round_shift(f * c, 15) + round_shift(i * g, 30 - c_frac), 16)
    argument = saturate(c << (12 - c_frac), 16) if c_frac <= 12 else round_shift(c, c_frac - 12)
    return gates, c, activation.tanh_words(argument)


def exact_output(gates: Tensor, tanh_c: Tensor) -> Tensor:
    """o * t in Q0.30 from what finish returns."""
    return activation.values_of(gates[:, 3]) * activation.values_of(tanh_c)


def output(gates: Tensor, tanh_c: Tensor) -> Tensor:
    """h in Q0.7 from what finish returns."""
    return round_shift(exact_output(gates, tanh_c), 23).clamp(-127, 127)


def choose(mask: Tensor, these: Tensor, others: Tensor) -> Tensor:
    """torch.where of integers, without its branch, which is slow where the mask is irregular."""
    return torch.addcmul(others, mask, these - others)
