# SPDX-License-Identifier: MIT
"""fifo: order, fullness, flow-through and clear, for several widths and depths, under all stall patterns."""

import os
import random

import cocotb
import pytest
from cocotb.triggers import RisingEdge

from tb.bench.drivers import ValidReadyDriver, ValidReadyMonitor, clock_cycles, reset, seed
from tb.bench.runner import run
from tb.bench.scoreboard import Scoreboard


@cocotb.test(timeout_time=1, timeout_unit="ms")
@cocotb.parametrize(stall_in=[0.0, 0.5], stall_out=[0.0, 0.7])
async def words_keep_their_order(dut, stall_in, stall_out):
    await reset(dut)
    words = [random.Random(seed()).getrandbits(len(dut.data_i)) for _ in range(300)]
    scoreboard = Scoreboard(dut)
    driver = ValidReadyDriver(dut, None, stall_in, seed())
    monitor = ValidReadyMonitor(dut, None, stall_out, seed() + 1)
    scoreboard.expect(monitor, words)
    for word in words:
        driver.append(word)
    while monitor.stats.received_transactions < len(words):
        await RisingEdge(dut.clk_i)
    await clock_cycles(dut, 5)
    scoreboard.check()


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def it_holds_depth_words_and_clear_empties_it(dut):
    await reset(dut, valid=1)
    depth = int(os.environ["DEPTH"])
    for accepted in range(depth):
        assert dut.ready_o.value == 1, f"full after {accepted} words"
        await RisingEdge(dut.clk_i)
    assert dut.ready_o.value == 0 and dut.valid_o.value == 1
    dut.valid_i.value = 0
    dut.clear_i.value = 1
    await clock_cycles(dut, 2)
    assert dut.ready_o.value == 1 and dut.valid_o.value == 0


@pytest.mark.parametrize("width, depth", [(1, 1), (8, 2), (13, 5), (64, 8)])
def test_fifo(width, depth):
    run(__name__, "fifo", {"Width": width, "Depth": depth}, environment={"DEPTH": str(depth)})
