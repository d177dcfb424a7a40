# SPDX-License-Identifier: MIT
"""dot_product: random and extreme words, for the lanes and weight widths of both builds."""

import os
import random

import cocotb
import pytest

from tb.bench.drivers import pipeline, reset, seed
from tb.bench.runner import run

LATENCY = 2


def pack(values, bits):
    """Signed values as one word, the first lowest."""
    return sum((value & (1 << bits) - 1) << bits * lane for lane, value in enumerate(values))


@cocotb.test()
async def sums_are_exact(dut):
    await reset(dut)
    generator, bits = random.Random(seed()), int(os.environ["WEIGHT_BITS"])
    lanes = len(dut.activations_i) // 8
    low, high = -1 << bits - 1, (1 << bits - 1) - 1
    words = [([weight] * lanes, [activation] * lanes) for weight in (low, high, 0) for activation in (-128, -127, 127, 0)]
    words += [([generator.randint(low, high) for _ in range(lanes)], [generator.randint(-127, 127) for _ in range(lanes)])
              for _ in range(1000)]

    def drive(word):
        dut.weights_i.value, dut.activations_i.value = pack(word[0], bits), pack(word[1], 8)

    seen = await pipeline(dut, words, LATENCY, lambda: dut.sum_o.value.to_signed(), drive)
    for (weights, activations), total in zip(words, seen, strict=True):
        assert total == sum(w * a for w, a in zip(weights, activations)), f"weights {weights}, activations {activations}"


@pytest.mark.parametrize("lanes, weight_bits", [(4, 4), (2, 8), (32, 4), (16, 8), (64, 4)])
def test_dot_product(lanes, weight_bits):
    run(__name__, "dot_product", {"Lanes": lanes, "WeightBits": weight_bits}, environment={"WEIGHT_BITS": str(weight_bits)})
