"""Registers of the accelerator (docs/registers.md) and a driver for their AXI4-Lite port."""

from enum import IntEnum, IntFlag

from cocotb.triggers import RisingEdge
from cocotb_bus.drivers import BusDriver

from models.formats import Counter  # noqa: F401  which the registers from COUNTERS on read, in order


class Register(IntEnum):
    """Byte addresses."""

    ID = 0x000
    VERSION = 0x004
    BUILD = 0x008
    WEIGHT_DEPTH = 0x00C
    UNIT_DEPTH = 0x010
    ACTIVATION_DEPTH = 0x014
    CONTROL = 0x020
    STATUS = 0x024
    CONFIG = 0x028
    LAYERS = 0x02C
    SEQUENCES = 0x030
    ERRORS = 0x034
    INTERRUPT = 0x038
    STATE_SELECT = 0x040
    STATE_DATA = 0x044
    COUNTERS = 0x100
    ROWS = 0x400


class Control(IntFlag):
    START = 1
    SOFT_RESET = 2
    SNAPSHOT = 4
    CLEAR = 8


class Status(IntFlag):
    BUSY = 1
    DONE = 2
    RESETTING = 4
    BANK = 8
    COUNTERS_BUSY = 16


class Config(IntFlag):
    STATEFUL = 1
    TRACE = 2
    OVERRIDE = 4
    IRQ_ENABLE = 1 << 8

    @staticmethod
    def policy(code: int) -> int:
        """The bits that give this policy to all layers, with the override on."""
        return Config.OVERRIDE | code << 4


class Error(IntFlag):
    X_SHORT = 1
    X_LONG = 2
    LOAD_BUSY = 4
    LOAD_TARGET = 8
    LOAD_LENGTH = 16
    DESCRIPTOR = 32
    START = 64
    ACCESS = 128


ANSWER_CYCLES = 1000  # many times what the slowest register takes


class BusError(Exception):
    """The accelerator answered SLVERR."""


class AxiLiteDriver(BusDriver):
    """Reads and writes registers, one access at a time; between accesses it does not wake."""

    _signals = {name: f"{name}_i" for name in ("awaddr", "awvalid", "wdata", "wstrb", "wvalid", "bready", "araddr", "arvalid", "rready")}
    _signals |= {name: f"{name}_o" for name in ("awready", "wready", "bresp", "bvalid", "arready", "rdata", "rresp", "rvalid")}

    def __init__(self, dut, name="s_axil"):
        super().__init__(dut, name, dut.clk_i)

    async def write(self, address: int, value: int):
        """Writes a register; raises BusError on SLVERR."""
        bus = self.bus
        bus.awaddr.value, bus.wdata.value, bus.wstrb.value = address, value, 0xF
        await self._handshake(("awvalid", "awready"), ("wvalid", "wready"))
        await self._response("bvalid", "bready")
        if bus.bresp.value != 0:
            raise BusError(f"write of {address:#x}")

    async def read(self, address: int) -> int:
        """Reads a register; raises BusError on SLVERR."""
        bus = self.bus
        bus.araddr.value = address
        await self._handshake(("arvalid", "arready"))
        await self._response("rvalid", "rready")
        if bus.rresp.value != 0:
            raise BusError(f"read of {address:#x}")
        return int(bus.rdata.value)

    async def read64(self, address: int) -> int:
        """Reads a 64-bit counter, low word first."""
        return await self.read(address) | await self.read(address + 4) << 32

    async def _handshake(self, *channels):
        open_channels = {getattr(self.bus, valid): getattr(self.bus, ready) for valid, ready in channels}
        for valid in open_channels:
            valid.value = 1
        for _ in range(ANSWER_CYCLES):
            await RisingEdge(self.clock)
            for valid in [valid for valid, ready in open_channels.items() if ready.value]:
                valid.value = 0
                del open_channels[valid]
            if not open_channels:
                return
        raise AssertionError(f"s_axil: no {channels[0][1]} for {ANSWER_CYCLES} cycles")

    async def _response(self, valid, ready):
        getattr(self.bus, ready).value = 1
        for _ in range(ANSWER_CYCLES):
            await RisingEdge(self.clock)
            if getattr(self.bus, valid).value:
                getattr(self.bus, ready).value = 0
                return
        raise AssertionError(f"s_axil: no {valid} for {ANSWER_CYCLES} cycles")
