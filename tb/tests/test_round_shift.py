# SPDX-License-Identifier: MIT
"""round_shift: every value and shift at a small width, ties of both signs and extremes at the widths in use."""

import random

import cocotb
import pytest
from cocotb.triggers import Timer

from models.fixed_point import round_shift
from tb.bench.drivers import seed
from tb.bench.runner import run


async def compare(dut, value, shift):
    dut.value_i.value = value
    dut.shift_i.value = shift
    await Timer(1, "ns")
    assert dut.rounded_o.value.to_signed() == round_shift(value, shift), f"value {value}, shift {shift}"


@cocotb.test()
async def every_small_value(dut):
    if len(dut.value_i) > 8:
        return
    for value in range(-1 << len(dut.value_i) - 1, 1 << len(dut.value_i) - 1):
        for shift in range(1 << len(dut.shift_i)):
            await compare(dut, value, shift)


@cocotb.test()
async def ties_and_extremes(dut):
    generator = random.Random(seed())
    top = 1 << len(dut.value_i) - 1
    for shift in range(1 << len(dut.shift_i)):
        tie = (1 << shift) // 2
        candidates = [-top, top - 1, 0, -1] + [sign * (odd * tie) + nudge for sign in (1, -1) for odd in (1, 3) for nudge in (-1, 0, 1)]
        for value in candidates + [generator.randrange(-top, top) for _ in range(20)]:
            if -top <= value < top:
                await compare(dut, value, shift)


@pytest.mark.parametrize("width, shift_width", [(6, 3), (8, 4), (16, 2), (32, 5), (43, 6)])
def test_round_shift(width, shift_width):
    run(__name__, "round_shift", {"Width": width, "ShiftWidth": shift_width})
