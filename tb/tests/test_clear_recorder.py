# SPDX-License-Identifier: MIT
"""hdl/clear_recorder.v: one word for every clear, which says how, what it cleared and what went on; nothing for what clears nothing."""

import cocotb
import pytest

from tb.bench.drivers import reset
from tb.bench.monitors import cycle
from tb.bench.runner import run

WRITE, SOFT, HARD = range(3)
NOTHING = {"rst": 1, "soft_reset": 0, "errors_cleared": 0, "state": 0}


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def every_clear_is_recorded(dut):
    await reset(dut, errors=0x0F)
    clears = [({"errors_cleared": 0x35}, WRITE, 0x05), ({"soft_reset": 1, "errors_cleared": 0xFF}, SOFT, 0x0F), ({"rst": 0}, HARD, 0x0F),
              ({"errors_cleared": 0xF0}, None, 0), ({}, None, 0), ({"rst": 0, "soft_reset": 1}, HARD, 0x0F)]
    for state, (inputs, way, errors) in enumerate(clears, start=1):
        before = int(dut.cleared_o.value)
        await cycle(dut, **NOTHING | {"state": state} | inputs)
        await cycle(dut, **NOTHING | {"state": 99, "rst": inputs.get("rst", 1)})  # a hard reset lasts, and is one
        for _ in range(2):
            await cycle(dut, **NOTHING)
        assert int(dut.cleared_o.value) == before ^ (way is not None), f"{inputs}"
        if way is not None:
            assert int(dut.clear_o.value) == state << 10 | errors << 2 | way, f"{inputs}"


@pytest.mark.parametrize("simulator", ["verilator", "icarus"])
def test_clear_recorder(simulator):
    run(__name__, "clear_recorder", {"StateBits": 19}, simulator=simulator)
