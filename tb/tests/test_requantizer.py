# SPDX-License-Identifier: MIT
"""requantizer: random rows, and the rows around its two saturations."""

import random

import cocotb

from models.fixed_point import round_shift, saturate
from tb.bench.drivers import pipeline, reset, seed
from tb.bench.runner import run

LATENCY = 2
SUM, BIAS = 1 << 43, 1 << 17


def stimuli(generator):
    for shift in range(64):
        for scaled in (0, -1, 1 << 15, -1 << 15, 1 << 16, (1 << 19) - 1, -1 << 19, 1 << 19, generator.randint(-1 << 17, 1 << 17)):
            for bias in (0, BIAS - 1, -BIAS, generator.randrange(-BIAS, BIAS)):
                value = (scaled << shift) + generator.choice((-1, 0, 1)) * (1 << shift) // 2
                yield max(-SUM, min(SUM - 1, value)), shift, bias
    for _ in range(2000):
        yield generator.randrange(-SUM, SUM) >> generator.randrange(44), generator.randrange(64), generator.randrange(-BIAS, BIAS)


@cocotb.test()
async def z_is_exact(dut):
    await reset(dut)
    rows = list(stimuli(random.Random(seed())))

    def drive(row):
        dut.sum_i.value, dut.shift_i.value, dut.bias_i.value = row

    seen = await pipeline(dut, rows, LATENCY, lambda: dut.z_o.value.to_signed(), drive)
    for (value, shift, bias), z in zip(rows, seen, strict=True):
        assert z == saturate(round_shift(value, shift) + bias, 16), f"sum {value}, shift {shift}, bias {bias}"


def test_requantizer():
    run(__name__, "requantizer")
