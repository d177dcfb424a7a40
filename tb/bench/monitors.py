# SPDX-License-Identifier: MIT
"""The rules of AXI that the monitors of tb/bench/hdl watch, by bit of their violations_o."""

from enum import IntFlag

from cocotb.handle import SimHandleBase
from cocotb.triggers import ReadOnly, RisingEdge

from tb.bench.drivers import clock_cycles
from tb.bench.scoreboard import fail

STREAMS = ("x", "image", "h", "trace")


class StreamRule(IntFlag):
    """Rules of axi_stream_monitor."""

    VALID_WITHDRAWN = 1 << 0
    BEAT_CHANGED = 1 << 1
    USER_WITHOUT_LAST = 1 << 2
    PACKET_TOO_LONG = 1 << 3
    VALID_IN_RESET = 1 << 4
    UNKNOWN = 1 << 5


class LiteRule(IntFlag):
    """Rules of axi_lite_monitor."""

    AW_WITHDRAWN = 1 << 0
    W_WITHDRAWN = 1 << 1
    B_WITHDRAWN = 1 << 2
    AR_WITHDRAWN = 1 << 3
    R_WITHDRAWN = 1 << 4
    AW_CHANGED = 1 << 5
    W_CHANGED = 1 << 6
    B_CHANGED = 1 << 7
    AR_CHANGED = 1 << 8
    R_CHANGED = 1 << 9
    B_RESPONSE = 1 << 10
    R_RESPONSE = 1 << 11
    B_UNASKED = 1 << 12
    R_UNASKED = 1 << 13
    VALID_IN_RESET = 1 << 14
    UNKNOWN = 1 << 15


def check_rules(dut: SimHandleBase) -> None:
    """Fails with the port and the rule if a monitor of hdl/harness.v has seen one broken."""
    for name, rules in (*((stream, StreamRule) for stream in STREAMS), ("s_axil", LiteRule)):
        broken = rules(int(getattr(dut, f"{name}_violations_o").value))
        if broken:
            fail(f"{name}: rule of AXI broken: {', '.join(rule.name for rule in rules if rule in broken)}")


def waiting_streams(dut: SimHandleBase) -> dict:
    """What each stream of hdl/harness.v waits for in this cycle: "source", "sink" or nothing ("moves")."""
    words = {0b11: "moves", 0b10: "waits for its sink", 0b01: "waits for its source", 0b00: "has neither valid nor ready"}
    return {name: words[int(getattr(dut, f"{name}_state_o").value)] for name in STREAMS}


async def cycle(dut: SimHandleBase, **inputs) -> None:
    """One clock cycle with these inputs; rst: that of rst_ni."""
    for name, value in inputs.items():
        getattr(dut, "rst_ni" if name == "rst" else f"{name}_i").value = value
    await RisingEdge(dut.clk_i)


async def expect_broken(dut: SimHandleBase, rules: type[IntFlag], broken: IntFlag) -> None:
    """Asserts which rules a single monitor has seen broken since reset, and that the next reset clears them."""
    for level, expected in ((1, broken), (0, rules(0))):
        dut.rst_ni.value = level
        await clock_cycles(dut, 2)
        await ReadOnly()
        got = rules(int(dut.violations_o.value))
        assert got == expected, f"expected {expected!r}, got {got!r}"
        await RisingEdge(dut.clk_i)
