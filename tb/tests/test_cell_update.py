# SPDX-License-Identifier: MIT
"""cell_update: c', its form for tanh, and h of random and extreme units, back to back in the schedule of post-processing."""

import random

import cocotb
import torch
from cocotb.triggers import RisingEdge

from models import activation
from models.fixed_point import round_shift, saturate
from tb.bench.drivers import reset, seed
from tb.bench.runner import run

CYCLES = 8


def units(generator):
    """(i, f, g, o, c, c_frac): gates Q0.15, c with c_frac fraction bits."""
    extremes = (0, 1, 16384, 32766, 32767)
    for c_frac in range(8, 16):
        for _ in range(60):
            i, f, o = (generator.choice([generator.choice(extremes), generator.randrange(32768)]) for _ in range(3))
            g = generator.choice([generator.choice((-32766, 32766, 0, -1)), generator.randint(-32766, 32766)])
            c = generator.choice([generator.choice((-32768, 32767, 0, -1)), generator.randrange(-32768, 32768)])
            yield i, f, g, o, c, c_frac


def expected(i, f, g, o, c, c_frac):
    """c', the argument of tanh in Q3.12, t and h (docs/numerics.md, "Cell and output")."""
    c_new = saturate(round_shift(f * c, 15) + round_shift(i * g, 30 - c_frac), 16)
    argument = saturate(c_new << 12 - c_frac, 16) if c_frac <= 12 else round_shift(c_new, c_frac - 12)
    t = activation.tanh(torch.tensor(argument))[0].item()
    return c_new, argument, t, max(-127, min(127, round_shift(o * t, 23)))


@cocotb.test()
async def units_back_to_back(dut):
    await reset(dut)
    h_before = None
    for unit in units(random.Random(seed())):
        i, f, g, o, c, c_frac = unit
        c_new, argument, t, h = expected(*unit)
        dut.c_i.value, dut.c_frac_i.value = c, c_frac
        for cycle, value in enumerate((i, f, g, o, 0, 0, t, 0)):
            dut.value_i.value = value
            for number, name in enumerate("ifgo"):
                getattr(dut, f"{name}_valid_i").value = cycle == number
            await RisingEdge(dut.clk_i)
            if cycle == 0 and h_before is not None:
                assert dut.h_o.value.to_signed() == h_before, f"h of the unit before {unit}"
            if cycle == 4:
                assert dut.c_new_o.value.to_signed() == c_new, f"c' of {unit}"
                assert dut.tanh_argument_o.value.to_signed() == argument, f"argument of tanh of {unit}"
        h_before = h


def test_cell_update():
    run(__name__, "cell_update")
