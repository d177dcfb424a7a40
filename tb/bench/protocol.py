# SPDX-License-Identifier: MIT
"""cocotbext-axi's agents on ports with the suffixes _i and _o, and a monitor of the rules of AXI."""

import random
from collections.abc import Iterator

from cocotb.handle import SimHandleBase
from cocotb.triggers import RisingEdge
from cocotb_bus.monitors import BusMonitor
from cocotbext.axi import AxiLiteBus, AxiLiteMaster, AxiStreamBus, AxiStreamSink, AxiStreamSource
from cocotbext.axi.axil_channels import AxiLiteARBus, AxiLiteAWBus, AxiLiteBBus, AxiLiteRBus, AxiLiteWBus

from tb.bench.scoreboard import fail

AXIL = {"aw": (AxiLiteAWBus, "awready"), "w": (AxiLiteWBus, "wready"), "b": (AxiLiteBBus, "bvalid bresp"), "ar": (AxiLiteARBus, "arready"),
        "r": (AxiLiteRBus, "rvalid rdata rresp")}


def _bus(base, dut, prefix: str, outputs: str):
    """A bus of cocotbext-axi whose `outputs` end in _o and whose other signals end in _i."""
    def suffixed(names):
        return {name: f"{name}_{'o' if name in outputs.split() else 'i'}" for name in names}

    optional = [name for name in base._optional_signals if any(hasattr(dut, f"{prefix}_{name}_{end}") for end in "io")]
    ported = type(base.__name__, (base,), {"_signals": suffixed(base._signals), "_optional_signals": suffixed(optional)})
    return ported.from_prefix(dut, prefix)


def axil_master(dut: SimHandleBase, prefix: str = "s_axil") -> AxiLiteMaster:
    """A master of cocotbext-axi on an AXI4-Lite port."""
    buses = (_bus(base, dut, prefix, outputs) for base, outputs in AXIL.values())
    return AxiLiteMaster(AxiLiteBus.from_channels(*buses), dut.clk_i, dut.rst_ni, reset_active_level=False)


def stream_source(dut: SimHandleBase, prefix: str) -> AxiStreamSource:
    """A source of cocotbext-axi on an AXI4-Stream input."""
    return AxiStreamSource(_bus(AxiStreamBus, dut, prefix, "tready"), dut.clk_i, dut.rst_ni, reset_active_level=False)


def stream_sink(dut: SimHandleBase, prefix: str) -> AxiStreamSink:
    """A sink of cocotbext-axi on an AXI4-Stream output."""
    return AxiStreamSink(_bus(AxiStreamBus, dut, prefix, "tdata tvalid tlast tuser"), dut.clk_i, dut.rst_ni, reset_active_level=False)


def pauses(seed: int, rate: float) -> Iterator[bool]:
    """A pause generator: pauses in so large a share of the cycles."""
    generator = random.Random(seed)
    while True:
        yield generator.random() < rate


class RulesMonitor(BusMonitor):
    """Asserts that an output of the design keeps valid and payload until ready; it gives what was transferred."""

    def __init__(self, dut: SimHandleBase, name: str, valid: str, ready: str, payload: tuple):
        self._signals = {"valid": f"{valid}_o", "ready": f"{ready}_i", **{signal: f"{signal}_o" for signal in payload}}
        self.payload = payload
        super().__init__(dut, name, dut.clk_i)

    async def _monitor_recv(self):
        waiting = None
        while True:
            await RisingEdge(self.clock)
            valid = bool(self.bus.valid.value)
            now = tuple(int(getattr(self.bus, signal).value) for signal in self.payload) if valid else None
            if waiting is not None and now != waiting:
                fail(f"{self.name}: {waiting} became {now} while it had to wait for ready")
            waiting = now if valid and not self.bus.ready.value else None
            if valid and self.bus.ready.value:
                self._recv(now)


def rules(dut: SimHandleBase) -> list[RulesMonitor]:
    """Monitors of all outputs of the accelerator."""
    return [RulesMonitor(dut, "m_h", "tvalid", "tready", ("tdata", "tlast", "tuser")), RulesMonitor(dut, "m_trace", "tvalid", "tready", ("tdata", "tlast")),
            RulesMonitor(dut, "s_axil", "bvalid", "bready", ("bresp",)), RulesMonitor(dut, "s_axil", "rvalid", "rready", ("rdata", "rresp"))]
