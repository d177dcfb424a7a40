# SPDX-License-Identifier: MIT
"""requantizer: random rows, and the rows around its two saturations, half a unit apart; zero where there is no row."""

import random

import cocotb

from models.fixed_point import round_shift, saturate
from models.formats import QUANTITIES, ROW_CONSTANT
from tb.bench.drivers import pipeline, reset, seed
from tb.bench.runner import run

LATENCY = 3
SUM = 1 << next(bits for name, bits, _ in QUANTITIES if name == "ROW_SUM") - 1
BIAS_LOW, BIAS_HIGH = ROW_CONSTANT["b"].range
KEPT = 1 << 20  # halves of a unit beyond which the sum itself saturates


def stimuli(generator):
    """(row sum, shift, bias): halves is twice the scaled sum."""
    for shift in range(64):
        for bias in (0, -1, BIAS_HIGH, BIAS_LOW, generator.randint(BIAS_LOW, BIAS_HIGH)):
            bounds = (0, KEPT, -KEPT, 2 * KEPT, -2 * KEPT, 2 * (32767 - bias), 2 * (-32768 - bias))
            for halves in [bound + near for bound in bounds for near in range(-2, 3)] + [generator.randint(-KEPT, KEPT)]:
                for below in (0, -1, 1):  # less than half a unit, where the shift leaves room for it
                    yield max(-SUM, min(SUM - 1, (halves << shift) // 2 + below)), shift, bias
    for _ in range(2000):
        yield generator.randrange(-SUM, SUM) >> generator.randrange(44), generator.randrange(64), generator.randint(BIAS_LOW, BIAS_HIGH)


@cocotb.test()
async def z_is_exact(dut):
    await reset(dut)
    generator = random.Random(seed())
    rows = [(*row, generator.random() < 0.9) for row in stimuli(generator)]

    def drive(row):
        dut.sum_i.value, dut.shift_i.value, dut.bias_i.value, dut.valid_i.value = row

    seen = await pipeline(dut, rows, LATENCY, lambda: dut.z_o.value.to_signed(), drive)
    for (value, shift, bias, valid), z in zip(rows, seen, strict=True):
        assert z == (saturate(round_shift(value, shift) + bias, 16) if valid else 0), f"sum {value}, shift {shift}, bias {bias}, valid {valid}"


def test_requantizer():
    run(__name__, "requantizer")
