# SPDX-License-Identifier: MIT
"""The monitor of AXI4-Lite: each broken rule sets its bit, and no other."""

import cocotb
import pytest
from cocotb.types import Logic

from tb.bench.drivers import reset
from tb.bench.monitors import LiteRule, cycle, expect_broken
from tb.bench.runner import run

CHANNELS = {"aw": "awaddr", "w": "wdata", "b": "bresp", "ar": "araddr", "r": "rdata"}


async def open_accesses(dut):
    """A write and a read that may be answered."""
    await cycle(dut, awvalid=1, awready=1, wvalid=1, wready=1, arvalid=1, arready=1)
    await cycle(dut, awvalid=0, awready=0, wvalid=0, wready=0, arvalid=0, arready=0)


@cocotb.test()
@cocotb.parametrize(channel=list(CHANNELS), fault=["WITHDRAWN", "CHANGED"])
async def a_valid_that_waits_must_hold(dut, channel, fault):
    await reset(dut)
    await open_accesses(dut)
    await cycle(dut, **{f"{channel}valid": 1})
    await cycle(dut, **({f"{channel}valid": 0} if fault == "WITHDRAWN" else {CHANNELS[channel]: 2}))
    await cycle(dut, **{f"{channel}ready": 1})
    await cycle(dut, **{f"{channel}valid": 0})
    await expect_broken(dut, LiteRule, LiteRule[f"{channel.upper()}_{fault}"])


@cocotb.test()
@cocotb.parametrize(fault=["B_RESPONSE", "R_RESPONSE", "B_UNASKED", "R_UNASKED"])
async def an_answer_is_legal_and_asked_for(dut, fault):
    await reset(dut)
    if "RESPONSE" in fault:
        await open_accesses(dut)
    channel = fault[0].lower()
    await cycle(dut, **{f"{channel}valid": 1, f"{channel}ready": 1, f"{channel}resp": 1 if "RESPONSE" in fault else 2})
    await cycle(dut, **{f"{channel}valid": 0})
    await expect_broken(dut, LiteRule, LiteRule[fault])


@cocotb.test()
async def nothing_is_valid_in_reset(dut):
    await reset(dut)
    await cycle(dut, rst=0)
    await cycle(dut, bvalid=1)
    await cycle(dut, bvalid=0, rst=1)
    await expect_broken(dut, LiteRule, LiteRule.VALID_IN_RESET)


@cocotb.test()
async def legal_accesses_break_no_rule(dut):
    await reset(dut)
    await open_accesses(dut)
    await cycle(dut, bvalid=1, rvalid=1, bresp=2, rdata=7)
    await cycle(dut, bready=1, rready=1)
    await cycle(dut, bvalid=0, rvalid=0)
    await expect_broken(dut, LiteRule, LiteRule(0))


@cocotb.test(skip=getattr(cocotb, "SIM_NAME", "").startswith("Verilator"))
async def what_is_unknown_is_seen(dut):
    await reset(dut)
    await cycle(dut, arready=Logic("X"))
    await cycle(dut, arready=0)
    await expect_broken(dut, LiteRule, LiteRule.UNKNOWN)


@pytest.mark.parametrize("simulator", ["verilator", "icarus"])
def test_axi_lite_monitor(simulator):
    run(__name__, "axi_lite_monitor", simulator=simulator)
