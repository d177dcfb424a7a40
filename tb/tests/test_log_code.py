# SPDX-License-Identifier: MIT
"""log_code: all 65,536 values against the definition of docs/numerics.md."""

import cocotb
from cocotb.triggers import Timer

from tb.bench.runner import run


def log_code(value):
    """2 e + f: e the position of the leading one, f the bit below it."""
    exponent = value.bit_length() - 1
    return 2 * exponent + (value >> exponent - 1 & 1 if exponent else 0)


@cocotb.test()
async def every_value(dut):
    for value in range(1 << 16):
        dut.value_i.value = value
        await Timer(1, "ns")
        assert dut.zero_o.value == (value == 0), value
        if value:
            assert int(dut.code_o.value) == log_code(value), value


def test_log_code():
    run(__name__, "log_code")
