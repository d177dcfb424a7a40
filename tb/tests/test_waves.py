# SPDX-License-Identifier: MIT
"""The layout of the waves names signals that are there, and filters that name every value."""

import re

import cocotb
import pytest
import pywellen

from models.build import Build
from models.formats import BUILD_POLICIES, GATES, CycleClass, Kind, Level, Quarter
from tb.bench.runner import LAYOUTS, WAVES
from tb.tests.lstm_accelerator.cases import harness, run_on

FOLDER = LAYOUTS
LAYOUT = (FOLDER / "harness.gtkw").read_text()
CODES = {"class": len(CycleClass), "kind": len(Kind), "gate": len(GATES), "policy": len(BUILD_POLICIES), "sequencer_state": 3, "run_state": 3,
         "levels": len(Level) ** len(GATES), "quarter": len(Quarter), "phase": 1 + 15 + sum(range(1, 8))}  # one unit in 15 phases, or two that are 8 apart at least


@cocotb.test()
async def a_few_cycles(dut):
    await harness(dut)


def test_every_signal_is_there():
    dump = pywellen.Waveform(str(run_on(__name__, Build(), simulator="icarus", waves=True) / WAVES))
    there = {variable.full_name: variable.bitwidth for variable in dump.all_vars()}
    named = re.findall(r"^(?:\+\{.*\} )?(harness\.[\w.\[\]]*?)(?:\[(\d+):(\d+)\])?$", LAYOUT, re.MULTILINE)
    missing = [name for name, high, low in named if there.get(name) != (int(high) - int(low) + 1 if high else 1)]
    assert len(named) > 150 and not missing, f"not in the design: {missing}"


@pytest.mark.parametrize("name", CODES)
def test_every_value_has_a_name(name):
    assert f"^1 {name}.filter" in LAYOUT
    lines = (FOLDER / f"{name}.filter").read_text().splitlines()
    assert len({line.split()[0] for line in lines}) == len(lines) == CODES[name]
