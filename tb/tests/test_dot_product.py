# SPDX-License-Identifier: MIT
"""dot_product: random and extreme words, for the lanes and operand widths of both builds."""

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
    generator, bits = random.Random(seed()), int(os.environ["OPERAND_BITS"])
    lanes = len(dut.activations_i) // bits
    low, high = -1 << bits - 1, (1 << bits - 1) - 1
    extremes = (low, low + 1, high, -1, 0)
    words = [([weight] * lanes, [activation] * lanes) for weight in extremes for activation in extremes]
    words += [([low if lane == other else 0 for lane in range(lanes)], [low] * lanes) for other in range(lanes)]
    words += [tuple([generator.randint(low, high) for _ in range(lanes)] for _ in range(2)) for _ in range(1000)]

    def drive(word):
        dut.weights_i.value, dut.activations_i.value = pack(word[0], bits), pack(word[1], bits)

    seen = await pipeline(dut, words, LATENCY, lambda: dut.sum_o.value.to_signed(), drive)
    for (weights, activations), total in zip(words, seen, strict=True):
        assert total == sum(w * a for w, a in zip(weights, activations)), f"weights {weights}, activations {activations}"


@pytest.mark.parametrize("lanes, operand_bits", [*((lanes, 4) for lanes in (8, 16, 32, 64)), *((lanes, 8) for lanes in (2, 4, 8, 16))])
def test_dot_product(lanes, operand_bits):
    run(__name__, "dot_product", {"Lanes": lanes, "OperandBits": operand_bits}, environment={"OPERAND_BITS": str(operand_bits)})
