# SPDX-License-Identifier: MIT
"""The table of sigmoid and tanh in Verilog (models/activation.py)."""

from codegen.output import Output
from models.activation import verilog_include


def outputs() -> list[Output]:
    return [Output("rtl/activation_table.vh", verilog_include())]
