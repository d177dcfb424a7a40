# SPDX-License-Identifier: MIT
"""tb.bench.runner: a failed test leaves waves of its last moments, and no more, and names the command that shows them; an interrupted build does no harm;
builds share what they have in common."""

import re

import cocotb
import pytest
import pywellen

from tb.bench import runner
from tb.bench.drivers import clock_cycles, reset
from tb.bench.runner import LAST_CYCLES, PERIOD, SIMULATORS, SimulationError, run


@cocotb.test()
async def ends_well(dut):
    await reset(dut)


@cocotb.test()
async def fails(dut):
    await reset(dut)
    await clock_cycles(dut, 2 * LAST_CYCLES)
    raise AssertionError("on purpose")


@cocotb.test()
async def comes_later(dut):
    await reset(dut)
    await clock_cycles(dut, 2 * LAST_CYCLES)


@pytest.mark.parametrize("simulator", SIMULATORS)
def test_a_failure_leaves_waves(simulator, monkeypatch):
    monkeypatch.delenv("RETRACE", raising=False)
    monkeypatch.setenv("WAVES", "0")
    with pytest.raises(SimulationError, match="fails: on purpose") as error:
        run(__name__, "fifo", simulator=simulator, waves=False)
    waves = pywellen.Waveform(re.search(r"gtkwave (\S+)", str(error.value))[1])
    clock = next(variable.signal for variable in waves.all_vars() if variable.full_name == "fifo.clk_i")
    rises = [time for time, value in clock if value == 1]
    assert abs(len(rises) - LAST_CYCLES) < 4
    assert rises[-1] < 1000 * PERIOD * (2 * LAST_CYCLES + 20), "the trace goes on after the failure"


@pytest.mark.parametrize("simulator", SIMULATORS)
def test_a_build_that_was_interrupted_is_made_anew(simulator, monkeypatch, tmp_path):
    """Files that are there in part, with no stamp that says they are whole."""
    monkeypatch.setattr(runner, "BUILD", tmp_path)
    folder = runner.build("log_code", simulator=simulator)
    (folder / "stamp").unlink()
    for path in folder.iterdir():
        if path.is_file() and path.name != "lock":
            path.write_bytes(path.read_bytes()[:100])
    assert runner.build("log_code", simulator=simulator) == folder and (folder / "stamp").exists()
    run("tb.tests.test_log_code", "log_code", simulator=simulator, folder=tmp_path / "run")


def test_builds_share_the_compiled_headers_of_verilator(monkeypatch, tmp_path):
    """A build in which they are of no use, such as one with other flags, would say so."""
    monkeypatch.setattr(runner, "BUILD", tmp_path)
    for width in (3, 4):
        folder = runner.build("fifo", {"Width": width}, "verilator")
        assert "[-Winvalid-pch]" not in (folder / "build.log").read_text()
    header, = folder.parent.glob("headers-*/headers.h.gch")
    assert f"-include {header.with_suffix('')} " in (folder / "build.log").read_text() and not list(folder.glob("*.gch"))
