# SPDX-License-Identifier: MIT
"""cell_update: c', its form for tanh, and h of random and extreme units, back to back in the schedule of post-processing."""

import random

import cocotb
import numpy as np
import torch
from cocotb.triggers import RisingEdge

from models import activation
from models.fixed_point import round_shift, saturate
from models.layer import LARGEST_H
from tb.bench.drivers import reset, seed
from tb.bench.runner import run

CYCLES = 8  # from a unit to the next
C_NEW, T, H = 5, 7, 10  # cycles of a unit


def units(generator):
    """(i, f, g, o, c, c_frac, t): gates and t Q0.15, c with c_frac fraction bits; t is given where it is not tanh(c'), so that every h occurs."""
    extremes = (0, 1, 16384, 32766, 32767)
    for c_frac in range(8, 16):
        for _ in range(60):
            i, f, o = (generator.choice([generator.choice(extremes), generator.randrange(32768)]) for _ in range(3))
            g = generator.choice([generator.choice((-32766, 32766, 0, -1)), generator.randint(-32766, 32766)])
            c = generator.choice([generator.choice((-32768, 32767, 0, -1)), generator.randrange(-32768, 32768)])
            yield i, f, g, o, c, c_frac, None
        # c' and the argument of tanh around their limits: f c is c within 1, and i g adds what is missing.
        for limit in (32767, -32768, 32768 >> max(0, 12 - c_frac), -32768 >> max(0, 12 - c_frac)):
            for target in range(limit - 2, limit + 3):
                c, f = max(-32768, min(32767, target - (3 if target > 0 else -3))), 32767
                g = (target - round_shift(f * c, 15)) * 2 ** (30 - c_frac) // 32767
                yield 32767, f, g, 32767, c, c_frac, None
    for sign in (1, -1):
        for product in range(len(range(LARGEST_H[0], 1)) + 1):  # o * t around each half of a unit of h
            o = 32767 if product > 90 else generator.randrange(28000, 32768)
            t = sign * round((product - 0.5) * 2**27 / 15 / o)
            for nudged in (t - 1, t, t + 1):
                yield 0, 0, 0, o, 0, 12, max(-32766, min(32766, nudged))
    for o, t in edges():
        yield 0, 0, 0, o, 0, 12, t


def edges():
    """(o, t) whose product is the last one below a half of a unit of h, or the first one above, where it has such factors."""
    o = np.arange(1, 32768)
    for h in range(LARGEST_H[0], LARGEST_H[1] + 2):
        below = ((2 * h - 1 << 26) - 1) // 15
        for product in (below, below + 1):
            good = o[(product % o == 0) & (abs(product // o) <= 32766)]
            if len(good):
                yield int(good[-1]), product // int(good[-1])


def expected(i, f, g, o, c, c_frac, t):
    """c', the argument of tanh in Q3.12, t and h (docs/numerics.md, "Cell and output" and h in units of 1/120)."""
    c_new = saturate(round_shift(f * c, 15) + round_shift(i * g, 30 - c_frac), 16)
    argument = saturate(c_new << 12 - c_frac, 16) if c_frac <= 12 else round_shift(c_new, c_frac - 12)
    t = activation.tanh(torch.tensor(argument))[0].item() if t is None else t
    return c_new, argument, t, max(LARGEST_H[0], min(LARGEST_H[1], round_shift(15 * o * t, 27)))


@cocotb.test()
async def units_back_to_back(dut):
    await reset(dut)
    h_before, seen = None, {"c_frac": set(), "h": set(), "c": set(), "argument": set(), "sum": set()}
    for unit in units(random.Random(seed())):
        i, f, g, o, c, c_frac, _ = unit
        seen["sum"].add(round_shift(f * c, 15) + round_shift(i * g, 30 - c_frac))
        c_new, argument, t, h = expected(*unit)
        for name, value in (("c_frac", c_frac), ("h", h), ("c", c_new), ("argument", argument)):
            seen[name].add(value)
        for cycle, value in enumerate((i, f, g, o, 0, 0, 0, t)):
            dut.value_i.value = value
            dut.c_i.value, dut.c_frac_i.value = (c, c_frac) if cycle == 0 else (~c, 15 - c_frac)
            for number, name in enumerate("ifgo"):
                getattr(dut, f"{name}_valid_i").value = cycle == number
            await RisingEdge(dut.clk_i)
            if cycle == H - CYCLES and h_before is not None:
                assert dut.h_o.value.to_signed() == h_before, f"h of the unit before {unit}"
            if cycle != C_NEW:
                assert int(dut.tanh_argument_o.value) == 0, f"an argument of tanh in cycle {cycle} of {unit}"
            else:
                assert dut.c_new_o.value.to_signed() == c_new, f"c' of {unit}"
                assert dut.tanh_argument_o.value.to_signed() == argument, f"argument of tanh of {unit}"
        h_before = h
    assert seen["c_frac"] == {*range(8, 16)} and seen["h"] == {*range(LARGEST_H[0], LARGEST_H[1] + 1)}, "not every fraction or h occurred"
    assert {-32768, 32767} <= seen["c"] & seen["argument"], "c' or the argument of tanh did not saturate"
    assert {32766, 32767, 32768, 32769, -32767, -32768, -32769, -32770} <= seen["sum"], "a sum beside the limits of c' did not occur"


def test_cell_update():
    run(__name__, "cell_update")
