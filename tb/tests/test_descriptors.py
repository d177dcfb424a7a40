# SPDX-License-Identifier: MIT
"""descriptors: each reader gets every bit that the build keeps of the layer it asks for, and zero for the others; reserved bits are refused before."""

import os
from random import Random

import cocotb
import pytest
from cocotb.triggers import RisingEdge

from models.formats import DESCRIPTOR, MAX_LAYERS
from tb.bench.drivers import reset, seed, settled
from tb.bench.runner import run

READERS = ("early", "row_pass", "gates", "late")
KEPT = DESCRIPTOR.kept(bool(int(os.environ.get("DYNAMIC", 1))))  # bits that the build keeps


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def readers_see_what_was_written(dut):
    """Random words, and all ones after all zeros, while four readers ask for layers of their own; a word is there in the cycle after its write."""
    random, full = Random(seed()), (1 << DESCRIPTOR.width) - 1
    await reset(dut)
    layers = [None] * MAX_LAYERS
    words = [(layer, word) for word in (0, full, 0) for layer in range(MAX_LAYERS)]
    words += [(random.randrange(MAX_LAYERS), random.getrandbits(DESCRIPTOR.width)) for _ in range(200)]
    for layer, word in words:
        writes = None in layers or word in (0, full) or random.random() < 0.7
        dut.write_i.value, dut.write_layer_i.value, dut.write_data_i.value = int(writes), layer, word
        asked = [random.choice([number for number, there in enumerate(layers) if there is not None] or [layer]) for _ in READERS]
        for reader, number in zip(READERS, asked):
            getattr(dut, f"{reader}_layer_i").value = number
        await settled(dut)
        for reader, number in zip(READERS, asked):
            if layers[number] is not None:
                assert int(getattr(dut, f"{reader}_o").value) == layers[number] & (1 << KEPT) - 1, f"layer {number} at {reader}"
        await RisingEdge(dut.clk_i)
        if writes:
            layers[layer] = word


@pytest.mark.parametrize("dynamic", [1, 0])
def test_descriptors(dynamic):
    run(__name__, "descriptors", {"DynamicPrecision": dynamic}, environment={"DYNAMIC": str(dynamic)})
