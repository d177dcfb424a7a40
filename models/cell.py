# SPDX-License-Identifier: MIT
"""One step of an LSTM layer in integers (docs/numerics.md), for a batch and all units at once.

Sums of quarters are exact matrix products of integers (models.products).
Row sums are sums of (m / 2**s) * acc in float64: exact, as they are integers of 44 bits over a power of two. Adding the half that
rounds them takes 53 bits at most up to s = 52; beyond, the sum is below 2**-8 and rounds to zero whatever is lost of it.
From z on, int32 holds everything: a product of Q0.15 and an int16 is at most 2**30 in size.
"""

from collections.abc import Iterator

import torch
from torch import Tensor

from . import activation
from .fixed_point import round_real_, round_shift, saturate
from .grid import power_of_two
from .layer import LARGEST_H, QuantizedLayer, split_activations, split_planes
from .products import IntegerProduct


class SegmentSums:
    """Exact sums of the first quarters of products with one weight matrix, for the numbers of quarters that are asked for ("Quarters" in docs/numerics.md).

    w: integers [rows, k], -127..119; quarters: 0..4 each, of which 0 has no sum; exponents: whether groups of the activations have one.
    """

    def __init__(self, w: Tensor, quarters: list[int], exponents: bool = False):
        self.exponents, self.quarters = exponents, sorted(set(quarters) - {0})
        upper, lower = split_planes(w)
        # With a = 2**e ah + al: HH is 16 wh times 2**e ah, HL makes it 16 wh times a, and LL, wl times al, is what three quarters lack of w times a.
        planes = {"HH": 16 * upper if 1 in quarters else None, "HH + HL": 16 * upper if 2 in quarters else None, "all": w if {3, 4} & set(quarters) else None,
                  "LL": lower if 3 in quarters else None}
        self.products = {name: IntegerProduct(plane.T) for name, plane in planes.items() if plane is not None}

    def __call__(self, a: Tensor) -> dict[int, Tensor]:
        """By number of quarters, tensors [n, rows], int32 or float32, that hold exact integers, of integers a [n, k] within models.layer.ACTIVATIONS."""
        if not self.products:
            return {}
        operands = {"HH + HL": (whole := a.to(torch.int8)), "all": whole}
        if {"HH", "LL"} & self.products.keys():
            upper, e = split_activations(whole, self.exponents)
            operands["HH"] = (upper << e).to(torch.int8)
            operands["LL"] = whole - operands["HH"]
        found = {name: product(operands[name]) for name, product in self.products.items()}
        sums = {1: lambda: found["HH"], 2: lambda: found["HH + HL"], 3: lambda: found["all"] - found["LL"], 4: lambda: found["all"]}
        return {number: sums[number]() for number in self.quarters}


def row_scales(layer: QuantizedLayer) -> Tensor:
    """m / 2**s of the rows of a layer, float64 [segments x0, x1 and h, 4 * units]: exact."""
    return (layer.m.double() * power_of_two(-layer.s).unsqueeze(2)).permute(2, 1, 0).flatten(1)


class RowSums:
    """Pre-activations z of a layer at some of its levels, for a batch. levels: places in layer.levels; None: all quarters.

    `steps` gives the sums of x, step by step; z is in Q3.12, with biases of 18 bits and the saturation of int16 ("Formats" in docs/numerics.md).
    """

    def __init__(self, layer: QuantizedLayer, levels: list[int | None]):
        constants = [layer.level_constants(level) for level in levels]
        self.levels, self.units = [level for level, _ in constants], layer.units
        self.segments = [SegmentSums(layer.w_ih, [level[term] for level in self.levels], layer.exponents) for term in range(layer.terms)]
        self.segments.append(SegmentSums(layer.w_hh, [level.h for level in self.levels]))
        scale = row_scales(layer)
        self.scales = [*scale[:layer.terms], scale[2]]
        self.b = [b.T.flatten().double() for _, b in constants]

    def steps(self, x: Tensor) -> Iterator[list[dict[int, Tensor]]]:
        """Sums of x in each step, by segment and number of quarters, of integers x [steps, batch, terms, inputs] within models.layer.ACTIVATIONS."""
        steps, batch = x.shape[:2]
        found = [sums(x[:, :, term].flatten(0, 1)) for term, sums in enumerate(self.segments[:-1])]
        found = [{quarters: sums.unflatten(0, (steps, batch)) for quarters, sums in each.items()} for each in found]
        return ([{quarters: sums[step] for quarters, sums in each.items()} for each in found] for step in range(steps))

    def with_h(self, sums: list[dict[int, Tensor]], h: Tensor) -> list[dict[int, Tensor]]:
        """Sums of a step, which `steps` gives without h, with those of h of the step before: integers [batch, units] in units of 1/120."""
        return [*sums, self.segments[-1](h)]

    def z(self, place: int, sums: list[dict[int, Tensor]]) -> Tensor:
        """z, int32 [batch, 4, units] in Q3.12, from the sums of all segments at the level of that place among those that were asked for."""
        level = self.levels[place]
        quarters = (*level[:len(self.scales) - 1], level.h)
        scaled = sum(own[number].double() * scale for own, scale, number in zip(sums, self.scales, quarters) if number)
        return round_real_(scaled).add_(self.b[place]).clamp_(-32768, 32767).int().unflatten(1, (4, self.units))


def finish(z: Tensor, c: Tensor, c_frac: int) -> tuple[Tensor, Tensor, Tensor]:
    """Finish a step: z, int32 [batch, 4, units] in Q3.12, and c, int32 [batch, units], of the step before, with c_frac fraction bits, 8..15.

    Returns the words of the gates, int32 [batch, 4, units] as models.activation gives them, the new c within int16, and the words of its tanh, both int32 [batch,
    units] ("Cell and output" in docs/numerics.md).
    """
    gates = activation.gate_words(z)
    i, f, g, _ = activation.values_of(gates).unbind(1)
    c = saturate(round_shift(f * c, 15) + round_shift(i * g, 30 - c_frac), 16)
    argument = saturate(c << (12 - c_frac), 16) if c_frac <= 12 else round_shift(c, c_frac - 12)
    return gates, c, activation.tanh_words(argument)


def exact_output(gates: Tensor, tanh_c: Tensor) -> Tensor:
    """o * t in Q0.30, int32 [batch, units], from the gates [batch, 4, units] and tanh_c [batch, units] that `finish` returns."""
    return activation.values_of(gates[:, 3]) * activation.values_of(tanh_c)


def output(gates: Tensor, tanh_c: Tensor) -> Tensor:
    """h in units of 1/120, int32 [batch, units], from what `finish` returns: round(15 o t / 2**27), within LARGEST_H ("Cell and output" in docs/numerics.md)."""
    return round_real_(exact_output(gates, tanh_c).double().mul_(15 / 2**27)).clamp_(*LARGEST_H).int()
