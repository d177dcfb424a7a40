# SPDX-License-Identifier: MIT
"""Drivers for the register port of the accelerator; addresses and bits come from register_map.py, which is generated."""

from collections.abc import Awaitable, Sequence

from cocotb.handle import SimHandleBase
from cocotb.triggers import RisingEdge, with_timeout
from cocotb_bus.drivers import BusDriver

from models.formats import GATES, Level
from tb.bench import functional_coverage
from tb.bench.drivers import PERIOD
from tb.bench.register_map import ROWS_BLOCKS, Config, Control, Counter, Interrupt, Register, Row, StateSelect, Status, counter_address, row_address  # noqa: F401  the names of the registers for tests
from tb.bench.register_map import Errors as Error

ALL_ERRORS, ALL_INTERRUPTS = sum(Error), sum(Interrupt)

ANSWER_CYCLES = 1000  # many times what the slowest register takes


def packed_levels(levels: Sequence[int]) -> int:
    """Levels of the four gates, as a commit has them."""
    return sum(level << 2 * gate for gate, level in enumerate(levels))


def row_counts(levels: Sequence[int]) -> list[int]:
    """What a unit that ends at these levels of its gates adds to the row counters of its layer, in the order of Row."""
    counted = {f"{level.name}_{gate.upper()}": int(levels[number] == level) for level in (Level.MIDDLE, Level.ALL) for number, gate in enumerate(GATES)}
    return [1 if row is Row.UNITS else counted[row.name] for row in Row]


class BusError(Exception):
    """The accelerator answered SLVERR."""


async def refused(access: Awaitable) -> bool:
    """Whether an access is answered with SLVERR: a write or a read of AxiLiteDriver."""
    try:
        await access
    except BusError:
        return True
    return False


class AxiLiteDriver(BusDriver):
    """Reads and writes registers, one access at a time; between accesses it does not wake."""

    _signals = {name: f"{name}_i" for name in ("awaddr", "awvalid", "wdata", "wstrb", "wvalid", "bready", "araddr", "arvalid", "rready")}
    _signals |= {name: f"{name}_o" for name in ("awready", "wready", "bresp", "bvalid", "arready", "rdata", "rresp", "rvalid")}

    def __init__(self, dut: SimHandleBase, name: str = "s_axil"):
        super().__init__(dut, name, dut.clk_i)

    async def write(self, address: int, value: int, strobe: int = 0xF) -> None:
        """Writes the bytes of a register that `strobe` has; raises BusError on SLVERR."""
        bus = self.bus
        bus.awaddr.value, bus.wdata.value, bus.wstrb.value = address, value, strobe
        await self._handshake(("awvalid", "awready"), ("wvalid", "wready"))
        await self._response("bvalid", "bready")
        if functional_coverage.ON:
            functional_coverage.sample_write(address, strobe)
        if bus.bresp.value != 0:
            raise BusError(f"write of {address:#x}")

    async def read(self, address: int) -> int:
        """Reads a register; raises BusError on SLVERR."""
        bus = self.bus
        bus.araddr.value = address
        await self._handshake(("arvalid", "arready"))
        await self._response("rvalid", "rready")
        if bus.rresp.value != 0:
            assert bus.rdata.value == 0, f"refused read of {address:#x}: rdata {int(bus.rdata.value):#x}"
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


class RegisterPlayer:
    """Hands lists of accesses to a register_player: it wakes once a list, and gives the answers of AxiLiteDriver in a fraction of the time."""

    ACCESS, ANSWER = 1 + 12 + 32, 2 + 32  # bits

    def __init__(self, dut: SimHandleBase, prefix: str = "registers_"):
        self.clock = dut.clk_i
        self.accesses, self.count, self.offer = (getattr(dut, f"{prefix}{port}_i") for port in ("accesses", "count", "offer"))
        self.done, self.answers = (getattr(dut, f"{prefix}{port}_o") for port in ("done", "answers"))
        self.capacity = len(self.accesses) // self.ACCESS

    async def play(self, accesses: Sequence[tuple[int, int | None]]) -> list[int]:
        """Writes registers, (address, value), and reads them, (address, None), in this order; returns what was read. Raises BusError on SLVERR, after the list."""
        answers = []
        for start in range(0, len(accesses), self.capacity):
            answers += await self._play(accesses[start:start + self.capacity])
        return [answer for answer, (_, value) in zip(answers, accesses, strict=True) if value is None]

    async def _play(self, accesses):
        packed = [(value is not None) << 44 | address << 32 | (value or 0) for address, value in accesses]
        self.accesses.value = sum(access << self.ACCESS * index for index, access in enumerate(packed))
        self.count.value = len(packed)
        self.offer.value = 1 - int(self.done.value)
        await with_timeout(self.done.value_change, len(packed) * ANSWER_CYCLES * PERIOD, "ns")
        await RisingEdge(self.clock)
        bits = str(self.answers.value)
        words = [bits[len(bits) - self.ANSWER * (index + 1):len(bits) - self.ANSWER * index] for index in range(len(packed))]
        for (address, value), word in zip(accesses, words):
            if value is not None and functional_coverage.ON:
                functional_coverage.sample_write(address, 0xF)
            if word[:2] != "00":
                raise BusError(f"{'read' if value is None else 'write'} of {address:#x}")
        return [int(word[2:], 2) for word in words]
