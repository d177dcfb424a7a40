# SPDX-License-Identifier: MIT
"""Small parts that every cocotb test uses: clock, reset, valid-ready drivers and monitors, and a watchdog.

The sampling rule on both simulators: read right after a rising edge (values of before the edge), or after ReadOnly.
"""

import os
import random
from collections.abc import Callable, Sequence
from dataclasses import replace

import cocotb
from cocotb.clock import Clock
from cocotb.handle import SimHandleBase
from cocotb.triggers import ReadOnly, RisingEdge
from cocotb_bus.drivers import BusDriver
from cocotb_bus.monitors import BusMonitor

from models.formats import Format
from tb.bench.runner import PERIOD


def start_clock(dut: SimHandleBase) -> None:
    """Starts the clock. Under Verilator it runs by itself (cpp/clocked.cpp) but in builds of cocotb's own flow, CLOCK=cocotb."""
    if not cocotb.SIM_NAME.startswith("Verilator") or os.environ.get("CLOCK") == "cocotb":
        Clock(dut.clk_i, PERIOD, unit="ns").start(start_high=False)


async def reset(dut: SimHandleBase, cycles: int = 3, **inputs) -> None:
    """Starts the clock, holds reset for some cycles with all inputs at 0 (or at the given values), and releases it."""
    for handle in dut:
        if handle._name.endswith("_i") and handle._name != "clk_i":
            handle.value = inputs.get(handle._name.removesuffix("_i"), 0)
    if hasattr(dut, "rst_ni"):
        dut.rst_ni.value = 0
    start_clock(dut)
    await clock_cycles(dut, cycles)
    if hasattr(dut, "rst_ni"):
        dut.rst_ni.value = 1
        await clock_cycles(dut, 1)


async def clock_cycles(dut: SimHandleBase, cycles: int) -> None:
    """Waits for `cycles` rising edges."""
    for _ in range(cycles):
        await RisingEdge(dut.clk_i)


async def settled(dut: SimHandleBase) -> None:
    """Waits until all outputs of the current cycle are valid; nothing may be written before the next edge."""
    await ReadOnly()


class ValidReadyDriver(BusDriver):
    """Drives words on a valid-ready port, pausing before a word with probability `stall`."""

    _signals = {"valid": "valid_i", "ready": "ready_o", "data": "data_i"}

    def __init__(self, dut: SimHandleBase, name: str, stall: float = 0.0, seed: int = 0):
        super().__init__(dut, name, dut.clk_i)
        self.stall, self.random = stall, random.Random(seed)
        self.bus.valid.value = 0

    async def _driver_send(self, word, sync=True):
        edge = RisingEdge(self.clock)
        if sync:
            await edge
        while self.random.random() < self.stall:
            self.bus.valid.value = 0
            await edge
        self.bus.data.value = word
        self.bus.valid.value = 1
        await edge
        while not self.bus.ready.value:
            await edge
        self.bus.valid.value = 0


class ValidReadyMonitor(BusMonitor):
    """Takes words from a valid-ready port, not ready with probability `stall`, and asserts that a stalled word stays."""

    _signals = {"valid": "valid_o", "ready": "ready_i", "data": "data_o"}

    def __init__(self, dut: SimHandleBase, name: str, stall: float = 0.0, seed: int = 0):
        self.stall, self.random = stall, random.Random(seed)
        super().__init__(dut, name, dut.clk_i)

    async def _monitor_recv(self):
        edge, waiting = RisingEdge(self.clock), None
        while True:
            await edge
            valid, ready = bool(self.bus.valid.value), bool(self.bus.ready.value)
            word = int(self.bus.data.value) if valid else None
            assert waiting is None or word == waiting, f"{self.name}: word {waiting:#x} changed while it had to wait"
            waiting = word if valid and not ready else None
            if valid and ready:
                self._recv(word)
            self.bus.ready.value = int(self.random.random() >= self.stall)


async def pipeline(dut: SimHandleBase, stimuli: Sequence, latency: int, observe: Callable[[], object], drive: Callable[[object], None]) -> list:
    """Feeds one stimulus a cycle and returns observe() of each, `latency` edges after the edge that took it in."""
    seen = []
    for cycle in range(len(stimuli) + latency):
        if cycle < len(stimuli):
            drive(stimuli[cycle])
        await RisingEdge(dut.clk_i)
        if cycle >= latency:
            seen.append(observe())
    return seen


def seed() -> int:
    """The seed of this test, 32 bits, which cocotb derives from the seed of the run and the name of the test."""
    return cocotb.RANDOM_SEED % (1 << 32)


def at_widths(word: Format, widths: dict[str, int]) -> Format:
    """The format of a word in a build: Verilog parameters replaced by what they are there."""
    return Format(word.name, word.about, *(replace(field, width=widths.get(field.width, field.width)) for field in word.fields))
