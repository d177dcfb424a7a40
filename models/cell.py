# SPDX-License-Identifier: MIT
"""One step of an LSTM layer in integers (docs/numerics.md), for a batch and all units at once.

Sums of quarters are matrix products of integers in float32: exact in any order, as no partial sum exceeds 128 * 128 * 1024 = 2**24.
Row sums are sums of (m / 2**s) * acc in float64: exact, as they are integers of 44 bits over a power of two. Adding the half that
rounds them takes 53 bits at most up to s = 52; beyond, the sum is below 2**-8 and rounds to zero whatever is lost of it.
From z on, int32 holds everything: a product of Q0.15 and an int16 is at most 2**30 in size.
"""

import torch
from torch import Tensor

from . import activation
from .fixed_point import round_real_, round_shift, saturate
from .grid import power_of_two
from .layer import LARGEST_H, QuantizedLayer, split_activations, split_planes


class SegmentSums:
    """Exact sums of the first quarters of products with one weight matrix w [rows, k], for the numbers of quarters that are asked for."""

    def __init__(self, w: Tensor, quarters: list[int], exponents: bool = False):
        self.exponents, self.rows = exponents, len(w)
        self.quarters = sorted(set(quarters) - {0})
        hi, lo = (plane.float() for plane in split_planes(w))
        # With the upper part u of an activation a: HH is 16 wh u, HH + HL is 16 wh a, and LH is wl u.
        self.upper = _Products(HH=16 * hi if 1 in quarters else None, LH=lo if 3 in quarters else None)
        self.whole = _Products(HL=16 * hi if 2 in quarters or 3 in quarters else None, LL=w.float() if 4 in quarters else None)

    def __call__(self, a: Tensor) -> dict[int, Tensor]:
        """By number of quarters, float32 [n, rows] of integers a [n, k]."""
        found = self.whole(a)
        if self.upper.names:
            upper, e = split_activations(a, self.exponents)
            found |= self.upper(upper << e)
        sums = {1: lambda: found["HH"], 2: lambda: found["HL"], 3: lambda: found["HL"] + found["LH"], 4: lambda: found["LL"]}
        return {number: sums[number]() for number in self.quarters}


class _Products:
    """Products with several matrices [rows, k] at once, by name."""

    def __init__(self, **matrices: Tensor | None):
        present = {name: matrix for name, matrix in matrices.items() if matrix is not None}
        self.names = tuple(present)
        self.weights = torch.cat([matrix.T for matrix in present.values()], dim=1).contiguous() if present else None

    def __call__(self, a: Tensor) -> dict[str, Tensor]:
        if not self.names:
            return {}
        return dict(zip(self.names, (a.float() @ self.weights).chunk(len(self.names), dim=1)))


class RowSums:
    """Pre-activations z of a layer at some of its levels, for a batch. levels: places in layer.levels; None: all quarters."""

    def __init__(self, layer: QuantizedLayer, levels: list[int | None]):
        constants = [layer.level_constants(level) for level in levels]
        self.levels, self.shape = [level for level, _ in constants], (len(levels), 4, layer.units)
        self.sums_x = [SegmentSums(layer.w_ih, [level[term] for level in self.levels], layer.exponents) for term in range(layer.terms)]
        self.sums_h = SegmentSums(layer.w_hh, [level.h for level in self.levels])
        scale = (layer.m.double() * power_of_two(-layer.s).unsqueeze(2)).permute(2, 1, 0).flatten(1)
        self.scales_x, self.scale_h = scale[:layer.terms], scale[2]
        self.b = torch.stack([b.T.flatten() for _, b in constants]).double()

    def prepare(self, x: Tensor) -> Tensor:
        """Scaled sums of the input, float64 [steps, batch, levels, rows], of integers x [steps, batch, terms, inputs]."""
        steps, batch = x.shape[:2]
        result = torch.zeros(steps * batch, len(self.levels), len(self.scale_h), dtype=torch.float64)
        for term, (sums, scale) in enumerate(zip(self.sums_x, self.scales_x)):
            found = sums(x[:, :, term].flatten(0, 1))
            for place, level in enumerate(self.levels):
                if level[term]:
                    result[:, place] += found[level[term]].double().mul_(scale)
        return result.unflatten(0, (steps, batch))

    def __call__(self, prepared: Tensor, h: Tensor) -> Tensor:
        """z [batch, levels, 4, units], int32, of a step from its prepared part, which is overwritten, and h [batch, units] of the step before."""
        found = {quarters: sums.double().mul_(self.scale_h) for quarters, sums in self.sums_h(h).items()}
        for place, level in enumerate(self.levels):
            if level.h:
                prepared[:, place] += found[level.h]
        return round_real_(prepared).add_(self.b).clamp_(-32768, 32767).int().unflatten(1, self.shape[:1]).unflatten(2, self.shape[1:])


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
    """h in units of 1/120, int32, from what finish returns: round(15 o t / 2**27), within LARGEST_H."""
    return round_real_(exact_output(gates, tanh_c).double().mul_(15 / 2**27)).clamp_(*LARGEST_H).int()
