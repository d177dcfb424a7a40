# SPDX-License-Identifier: MIT
"""The monitor of AXI4-Stream: legal packets break no rule, and each broken rule sets its bit."""

import random

import cocotb
import pytest
from cocotb.types import Logic

from tb.bench.drivers import clock_cycles, reset, seed
from tb.bench.monitors import StreamRule, cycle, expect_broken
from tb.bench.runner import run

MAX_BEATS = 4
BREACHES = {
    StreamRule.VALID_WITHDRAWN: [dict(tvalid=1), dict(tvalid=0)],
    StreamRule.BEAT_CHANGED: [dict(tvalid=1), dict(tdata=1 << 127)],
    StreamRule.USER_WITHOUT_LAST: [dict(tvalid=1, tready=1, tuser=1)],
    StreamRule.PACKET_TOO_LONG: [dict(tvalid=1, tready=1)] * (MAX_BEATS + 1),
    StreamRule.VALID_IN_RESET: [dict(rst=0), dict(tvalid=1), dict(rst=1, tvalid=0)],
}


@cocotb.test()
@cocotb.parametrize(rule=list(BREACHES))
async def a_broken_rule_of_a_stream_is_named(dut, rule):
    await reset(dut)
    for inputs in BREACHES[rule]:
        await cycle(dut, **inputs)
    await cycle(dut, tready=1)
    await cycle(dut, tvalid=0)
    await expect_broken(dut, StreamRule, rule)


@cocotb.test()
async def legal_packets_break_no_rule(dut):
    generator = random.Random(seed())
    await reset(dut)
    await clock_cycles(dut, 2)
    for _ in range(100):
        beats = generator.randint(1, MAX_BEATS)
        for beat in range(beats):
            while generator.random() < 0.3:
                await cycle(dut, tvalid=0, tready=generator.getrandbits(1), tdata=generator.getrandbits(128))
            last = int(beat == beats - 1)
            offered = dict(tvalid=1, tdata=generator.getrandbits(128), tlast=last, tuser=last & generator.getrandbits(1))
            while generator.random() < 0.5:
                await cycle(dut, **offered, tready=0)
            await cycle(dut, **offered, tready=1)
    await cycle(dut, tvalid=1, tready=0)
    await cycle(dut, withdraw=1)
    await cycle(dut, tvalid=0)
    await cycle(dut, withdraw=0)
    await expect_broken(dut, StreamRule, StreamRule(0))


@cocotb.test(skip=getattr(cocotb, "SIM_NAME", "").startswith("Verilator"))
@cocotb.parametrize(signal=["tvalid", "tready", "tdata"])
async def what_is_unknown_is_seen(dut, signal):
    await reset(dut)
    await cycle(dut, tvalid=1, tready=1, tlast=1)
    await cycle(dut, **{signal: Logic("X") if signal != "tdata" else "X" * 128})
    await cycle(dut, tvalid=0, tready=0, tdata=0)
    await expect_broken(dut, StreamRule, StreamRule.UNKNOWN)


@pytest.mark.parametrize("simulator", ["verilator", "icarus"])
def test_axi_stream_monitor(simulator):
    run(__name__, "axi_stream_monitor", {"MaxBeats": MAX_BEATS}, simulator=simulator)
