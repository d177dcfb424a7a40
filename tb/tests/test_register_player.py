# SPDX-License-Identifier: MIT
"""register_player: each access of a list once and in order, whatever the port waits for, and answers in their places; the test's own accesses between lists."""

import random

import cocotb
import pytest
from cocotb.triggers import RisingEdge

from tb.bench.drivers import clock_cycles, reset, seed
from tb.bench.registers import BusError, RegisterPlayer
from tb.bench.runner import run

OKAY, SLVERR = 0, 2


async def port(dut, generator, seen, wait, refused=()):
    """A register port: takes each channel after up to `wait` cycles, and answers after as many; what it reads are the numbers of the accesses."""

    async def take(*channels):
        taken = {}
        while len(taken) < len(channels):
            open_channels = [channel for channel in channels if channel not in taken and generator.randint(0, wait) == 0]
            for channel in open_channels:
                getattr(dut, f"m_{channel}ready_i").value = 1
            await RisingEdge(dut.clk_i)
            for channel in open_channels:
                getattr(dut, f"m_{channel}ready_i").value = 0
                if getattr(dut, f"m_{channel}valid_o").value:
                    taken[channel] = int(dut.m_wdata_o.value if channel == "w" else getattr(dut, f"m_{channel}addr_o").value)
        return [taken[channel] for channel in channels]

    async def answer(channel, address, data=0):
        await clock_cycles(dut, generator.randint(1, 1 + wait))
        getattr(dut, f"m_{channel}valid_i").value = 1
        getattr(dut, f"m_{channel}resp_i").value = SLVERR if address in refused else OKAY
        if channel == "r":
            dut.m_rdata_i.value = data
        await RisingEdge(dut.clk_i)
        while not getattr(dut, f"m_{channel}ready_o").value:
            await RisingEdge(dut.clk_i)
        getattr(dut, f"m_{channel}valid_i").value = 0

    while True:
        await RisingEdge(dut.clk_i)
        if dut.m_awvalid_o.value or dut.m_wvalid_o.value:
            assert dut.m_wstrb_o.value == 0xF
            seen.append(tuple(await take("aw", "w")))
            await answer("b", seen[-1][0])
        elif dut.m_arvalid_o.value:
            seen.append((*await take("ar"), None))
            await answer("r", seen[-1][0], len(seen))


def random_accesses(generator, count):
    return [(generator.randrange(0, 4096, 4), generator.choice([None, generator.getrandbits(32)])) for _ in range(count)]


@cocotb.test(timeout_time=1, timeout_unit="ms")
@cocotb.parametrize(wait=[0, 3])
async def accesses_are_made_once_and_in_order(dut, wait):
    generator, seen = random.Random(seed()), []
    await reset(dut)
    cocotb.start_soon(port(dut, generator, seen, wait))
    player = RegisterPlayer(dut, "")
    for count in (1, player.capacity, 2 * player.capacity + 3, 0, 2):
        accesses, before = random_accesses(generator, count), len(seen)
        found = await player.play(accesses)
        assert seen[before:] == accesses
        assert found == [before + number for number, (_, value) in enumerate(accesses, start=1) if value is None]


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def an_error_is_told_after_the_list(dut):
    generator, seen = random.Random(seed()), []
    await reset(dut)
    cocotb.start_soon(port(dut, generator, seen, 1, refused={0x40, 0x44}))
    player = RegisterPlayer(dut, "")
    for wrong, words in (((0x40, None), "read of 0x40"), ((0x44, 7), "write of 0x44")):
        accesses = [(0x10, None), wrong, (0x20, 1)]
        with pytest.raises(BusError, match=words):
            await player.play(accesses)
        assert seen[-3:] == accesses
    assert len(await player.play([(0x10, None)])) == 1


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def between_lists_the_own_accesses_pass(dut):
    generator, seen = random.Random(seed()), []
    await reset(dut)
    ports = {"awaddr": 12, "awvalid": 1, "wdata": 32, "wstrb": 4, "wvalid": 1, "bready": 1, "araddr": 12, "arvalid": 1, "rready": 1}

    async def passes():
        values = {name: generator.getrandbits(width) for name, width in ports.items()}
        for name, value in values.items():
            getattr(dut, f"s_{name}_i").value = value
        await clock_cycles(dut, 2)
        assert {name: int(getattr(dut, f"m_{name}_o").value) for name in ports} == values

    for _ in range(20):
        await passes()
    for name in ports:
        getattr(dut, f"s_{name}_i").value = 0
    cocotb.start_soon(port(dut, generator, seen, 2))
    await RegisterPlayer(dut, "").play(random_accesses(generator, 5))
    assert len(seen) == 5


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def a_reset_ends_a_list(dut):
    generator, seen = random.Random(seed()), []
    await reset(dut)
    player = RegisterPlayer(dut, "")
    task = cocotb.start_soon(player.play([(0x10, None), (0x20, 1)]))
    await clock_cycles(dut, 5)
    assert dut.m_arvalid_o.value == 1
    dut.rst_ni.value = 0
    await clock_cycles(dut, 2)
    assert dut.m_arvalid_o.value == 0
    task.cancel()
    dut.rst_ni.value = 1
    await clock_cycles(dut, 3)
    assert dut.m_arvalid_o.value == 0, "what was under way at the reset begins again"
    cocotb.start_soon(port(dut, generator, seen, 0))
    accesses = random_accesses(generator, 9)
    await player.play(accesses)
    assert seen == accesses


@pytest.mark.parametrize("simulator", ["verilator", "icarus"])
def test_register_player(simulator):
    run(__name__, "register_player", {"Accesses": 8}, simulator=simulator)
