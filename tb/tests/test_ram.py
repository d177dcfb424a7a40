# SPDX-License-Identifier: MIT
"""ram: random writes of granules and reads against a list; the old word on a collision; the output holds."""

import random

import cocotb
import pytest
from cocotb.triggers import RisingEdge

from tb.bench.drivers import reset, seed
from tb.bench.runner import run


@cocotb.test()
async def it_is_a_memory(dut):
    await reset(dut)
    generator = random.Random(seed())
    granules, width = len(dut.write_enable_i), len(dut.write_data_i)
    granule_width = width // granules
    depth = 1 << len(dut.read_address_i)
    words, read = {}, None
    for cycle in range(3000):
        write, address, data = generator.getrandbits(granules), generator.randrange(depth), generator.getrandbits(width)
        if cycle < depth:  # every word once, so that all contents are known
            write, address = (1 << granules) - 1, cycle
        enable, read_address = generator.getrandbits(1), generator.choice([address, generator.randrange(depth)])
        dut.write_enable_i.value, dut.write_address_i.value, dut.write_data_i.value = write, address, data
        dut.read_enable_i.value, dut.read_address_i.value = enable, read_address
        await RisingEdge(dut.clk_i)
        if read is not None:
            assert int(dut.read_data_o.value) == read, f"cycle {cycle}, address {read_address}"
        if enable:
            read = words.get(read_address)
        mask = sum((1 << granule_width) - 1 << granule_width * lane for lane in range(granules) if write >> lane & 1)
        words[address] = words.get(address, 0) & ~mask | data & mask


@pytest.mark.parametrize("width, depth, write_width", [(8, 16, 8), (16, 32, 16), (128, 64, 128), (64, 32, 8)])
def test_ram(width, depth, write_width):
    run(__name__, "ram", {"Width": width, "Depth": depth, "WriteWidth": write_width})
