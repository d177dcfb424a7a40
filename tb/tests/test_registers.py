# SPDX-License-Identifier: MIT
"""control: every field of every register by itself, as rtl/registers.rdl has it: reset value, access, neighbours, strobes, holes.

The expectations are read from the RDL when the test runs, not from what is generated of it. What the hardware sets needs a stimulus, which
stands here by the name of the field; a field without one fails the test that misses it.
"""

from random import Random

import cocotb
import pytest
from cocotb.triggers import RisingEdge

from codegen.registers import ADDRESS_BITS, BUS_BYTES, read_map
from models.formats import GATES, Level, TileEvent
from tb.bench.drivers import clock_cycles, reset, seed
from tb.bench.registers import AxiLiteDriver, packed_levels, refused
from tb.bench.runner import run
from tb.tests.test_control import ALL_LAYERS, CLASS_BITS

BUILD = {"Tiles": 3, "Lanes": 8, "DynamicPrecision": 1, "InFlight": 4, "WeightDepth": 512, "UnitDepth": 32, "ActivationDepth": 16}
MAP = read_map()
WORD = (1 << 8 * BUS_BYTES) - 1
SETTINGS = [register for register in MAP.registers if register.access == "rw"]
STICKY = [register for register in MAP.registers if register.access == "rw1c"]
PULSES = [register for register in MAP.registers if register.access == "w"]
READ_ONLY = [register for register in MAP.registers if register.access == "r"]
KEPT = [*SETTINGS, *STICKY]  # what must not change unless it is written itself
STATE_DATA, CONTROL, STATUS = (MAP.register(name) for name in ("STATE_DATA", "CONTROL", "STATUS"))


def bit(register, name: str) -> int:
    """The mask of a field."""
    return next(field.mask for field in register.fields if field.name == name)


def counter_words() -> list[int]:
    """Addresses of all words of all counters."""
    return [group.address + group.stride * block + group.step * number + word
            for group in MAP.groups for block in range(group.count) for number in range(len(group.registers)) for word in range(0, group.step, BUS_BYTES)]


async def begin(dut) -> AxiLiteDriver:
    """Reset, with nothing to do, all layers valid, and the row counters free."""
    await reset(dut, layer_valid=ALL_LAYERS, input_finished=1, output_idle=1)
    await clock_cycles(dut, 12)
    return AxiLiteDriver(dut)


async def values(bus, registers) -> dict:
    return {register.name: await bus.read(register.address) for register in registers}


async def scramble(bus, random) -> dict:
    """Random values in all settings; returns the values of all that is kept."""
    for register in SETTINGS:
        await bus.write(register.address, random.getrandbits(32))
    return await values(bus, KEPT)


@cocotb.test(timeout_time=2, timeout_unit="ms")
async def every_register_has_its_reset_value(dut):
    bus, random = await begin(dut), Random(seed())
    await scramble(bus, random)
    dut.error_event_i.value = (1 << len(dut.error_event_i)) - 1
    await clock_cycles(dut, 1)
    dut.error_event_i.value = 0
    await clock_cycles(dut, 1)
    assert all((await values(bus, STICKY)).values())
    dut.rst_ni.value = 0
    await clock_cycles(dut, 1)
    dut.rst_ni.value = 1
    for register in [STATUS, *(register for register in MAP.registers if register not in (STATUS, STATE_DATA))]:  # it shows the walk of the row counters
        expected = sum((BUILD[field.build_parameter] if field.build_parameter else field.reset) << field.low for field in register.fields)
        assert await bus.read(register.address) == expected, f"{register.name} after reset"
    for address in counter_words():
        assert await bus.read(address) == 0, f"counter word {address:#x} after reset"


@cocotb.test(timeout_time=2, timeout_unit="ms")
async def a_reset_forgets_a_read(dut):
    """In every cycle of a read that raises an error, and whose address stays at the port."""
    for cycle in range(8):
        bus = await begin(dut)
        await bus.write(MAP.register("STATE_SELECT").address, 0xFFFF)
        dut.s_axil_araddr_i.value, dut.s_axil_arvalid_i.value = STATE_DATA.address, 1
        await clock_cycles(dut, 1)
        dut.s_axil_arvalid_i.value = 0
        await clock_cycles(dut, cycle)
        dut.rst_ni.value = 0
        await clock_cycles(dut, 4)
        dut.rst_ni.value = 1
        await clock_cycles(dut, 20)
        assert not any((await values(bus, STICKY)).values()), f"a reset {cycle} cycles after the address of a read"


@cocotb.test(timeout_time=8, timeout_unit="ms")
async def every_bit_is_written_by_itself(dut):
    """A walking one and a walking zero in each setting: bits of fields are kept, others read 0, and no other register changes."""
    bus, random = await begin(dut), Random(seed())
    for register in SETTINGS:
        kept = await scramble(bus, random)
        for number in range(32):
            for value in (1 << number, WORD ^ 1 << number):
                await bus.write(register.address, value)
                expected = kept | {register.name: value & register.mask}
                assert await values(bus, KEPT) == expected, f"{value:#x} written to {register.name}"
        await bus.write(register.address, WORD ^ register.mask)
        assert await bus.read(register.address) == 0, f"bits of {register.name} that belong to no field"


@cocotb.test(timeout_time=8, timeout_unit="ms")
async def every_strobe_writes_its_byte(dut):
    bus, random = await begin(dut), Random(seed())
    for register in SETTINGS:
        for strobe in range(1 << BUS_BYTES):
            kept, value = await scramble(bus, random), random.getrandbits(32)
            bytes_written = sum(0xFF << 8 * byte for byte in range(BUS_BYTES) if strobe >> byte & 1)
            await bus.write(register.address, value, strobe)
            expected = kept | {register.name: (kept[register.name] & ~bytes_written | value & bytes_written) & register.mask}
            assert await values(bus, KEPT) == expected, f"{register.name} with strobe {strobe:04b}"


@cocotb.test(timeout_time=8, timeout_unit="ms")
async def what_is_read_only_is_not_written(dut):
    bus, random = await begin(dut), Random(seed())
    kept = await scramble(bus, random)
    fixed = await values(bus, [register for register in READ_ONLY if register is not STATE_DATA])
    for address in [*(register.address for register in READ_ONLY), *counter_words()]:
        for value in (0, WORD):
            assert await refused(bus.write(address, value)), f"write of {address:#x}"
        assert await values(bus, KEPT) == kept, f"a write of {address:#x} changed another register"
    assert await values(bus, [register for register in READ_ONLY if register is not STATE_DATA]) == fixed


@cocotb.test(timeout_time=40, timeout_unit="ms")
async def every_other_address_is_a_hole(dut):
    """All addresses, aligned or not: a hole answers reads and writes with SLVERR, and a write changes nothing."""
    bus, random = await begin(dut), Random(seed())
    readable = {register.address for register in MAP.registers} | set(counter_words())
    writable = {register.address for register in MAP.registers if register.access != "r"}
    kept = await scramble(bus, random)
    await bus.write(MAP.register("STATE_SELECT").address, 0)  # a cell that there is
    kept["STATE_SELECT"] = 0
    for address in range(1 << ADDRESS_BITS):
        assert await refused(bus.read(address)) == (address not in readable), f"read of {address:#x}"
        if address not in writable:
            assert await refused(bus.write(address, WORD)), f"write of {address:#x}"
        if address % 64 == 63:
            assert await values(bus, KEPT) == kept, f"a write of {address - 63:#x}..{address:#x} changed a register"
    assert await bus.read(STATUS.address) == 0


async def raise_error(dut, bus, field):
    """Raises one error of ERRORS."""
    if field.name == "START":
        dut.loading_i.value = 1
        await bus.write(CONTROL.address, bit(CONTROL, "start"))
        dut.loading_i.value = 0
    elif field.name == "ACCESS":
        select = MAP.register("STATE_SELECT")
        await bus.write(select.address, bit(select, "tile"))
        assert await refused(bus.read(STATE_DATA.address))
    else:
        dut.error_event_i.value = field.mask
        await clock_cycles(dut, 1)
        dut.error_event_i.value = 0
        await clock_cycles(dut, 1)


async def raise_interrupt(dut, bus, field):
    """Raises one interrupt of INTERRUPT."""
    if field.name == "done":
        dut.input_finished_i.value = 0
        await bus.write(CONTROL.address, bit(CONTROL, "start"))
        dut.input_finished_i.value = 1
        await clock_cycles(dut, 3)
    else:
        assert field.name == "error", f"no stimulus for {field.name}"
        await raise_error(dut, bus, MAP.register("ERRORS").fields[0])


@cocotb.test(timeout_time=4, timeout_unit="ms")
async def every_sticky_bit_is_cleared_by_itself(dut):
    """A bit is set by its event and by no write, stays while zeros or other bits are written, or its byte is not strobed, and then goes alone."""
    bus = await begin(dut)
    for register, cause in zip(STICKY, (raise_error, raise_interrupt), strict=True):
        for field in register.fields:
            for each in STICKY:
                await bus.write(each.address, WORD)
            await bus.write(register.address, WORD)
            assert await bus.read(register.address) == 0, f"{register.name} was set by a write"
            await cause(dut, bus, field)
            assert await bus.read(register.address) == field.mask, f"{register.name}.{field.name} after its event"
            for value, strobe in ((0, 15), (WORD ^ field.mask, 15), (WORD, 15 ^ 1 << field.low // 8), (WORD, 0)):
                await bus.write(register.address, value, strobe)
                assert await bus.read(register.address) == field.mask, f"{register.name}.{field.name} after a write of {value:#x}, strobe {strobe:04b}"
            for other in register.fields:
                if other is not field:
                    await cause(dut, bus, other)
            assert await bus.read(register.address) == register.mask, f"all of {register.name}"
            await bus.write(register.address, field.mask, 1 << field.low // 8)
            assert await bus.read(register.address) == register.mask ^ field.mask, f"{register.name}.{field.name} was not cleared alone"


@cocotb.test(timeout_time=4, timeout_unit="ms")
async def every_pulse_acts_alone_and_reads_zero(dut):
    """What a bit of CONTROL does is seen at the ports; bits of no field, and bits whose byte is not strobed, do nothing."""
    bus = await begin(dut)
    seen = set()

    async def watch():
        while True:
            await RisingEdge(dut.clk_i)
            for name in ("start", "clear", "commit_stall"):
                if getattr(dut, f"{name}_o").value:
                    seen.add(name)

    effects = {"start": {"start"}, "soft_reset": {"clear"}, "snapshot": {"commit_stall"}, "clear": {"commit_stall"}}
    cocotb.start_soon(watch())
    for register in PULSES:
        fields = {field.low: field.name for field in register.fields}
        assert set(fields.values()) <= effects.keys(), f"no effect known for a field of {register.name}"
        for number in range(32):
            for strobe in (15, 15 ^ 1 << number // 8):
                seen.clear()
                await bus.write(register.address, 1 << number, strobe)
                await clock_cycles(dut, 16)
                expected = effects[fields[number]] if number in fields and strobe == 15 else set()
                assert seen == expected, f"bit {number} of {register.name}, strobe {strobe:04b}"
                assert await bus.read(register.address) == 0


@cocotb.test(timeout_time=2, timeout_unit="ms")
async def every_bit_of_status_shows_its_own(dut):
    bus = await begin(dut)

    async def busy():
        dut.input_finished_i.value = 0
        await bus.write(CONTROL.address, bit(CONTROL, "start"))

    async def done():
        await busy()
        dut.input_finished_i.value = 1
        await clock_cycles(dut, 3)

    async def resetting():
        dut.output_idle_i.value = 0
        await bus.write(CONTROL.address, bit(CONTROL, "soft_reset"))

    async def bank():
        dut.bank_i.value = 1

    async def counters_busy():
        await bus.write(CONTROL.address, bit(CONTROL, "snapshot"))

    stimuli = {stimulus.__name__: stimulus for stimulus in (busy, done, resetting, bank, counters_busy)}
    for field in STATUS.fields:
        assert await bus.read(STATUS.address) == 0
        await stimuli[field.name]()
        assert await bus.read(STATUS.address) == field.mask, f"STATUS of {field.name}"
        dut.input_finished_i.value, dut.output_idle_i.value, dut.bank_i.value = 1, 1, 0
        await clock_cycles(dut, 16)
        await bus.write(CONTROL.address, bit(CONTROL, "soft_reset"))


def stimulus_of(name: str, number: int) -> dict:
    """Inputs that make a counter of COUNTERS count by one in a cycle in which all tiles but the first are idle."""
    counters = [register.name for register in MAP.group("COUNTERS").registers]
    idle = counters.index("IDLE") - counters.index("HH")
    classes = {"class": sum(idle << CLASS_BITS * tile for tile in range(BUILD["Tiles"]))}
    if counters.index("HH") <= number <= counters.index("IDLE"):
        return {"class": classes["class"] >> CLASS_BITS << CLASS_BITS | number - counters.index("HH")}
    known = {"CYCLES": {}, "ACTIVATION_WRITES": {"act_we": 1}, "STEPS": {"step_done": 1}, **{f"{event.name}S": {"event": 1 << event} for event in TileEvent}}
    return classes | known[name]


@cocotb.test(timeout_time=8, timeout_unit="ms")
async def every_counter_counts_its_own(dut):
    """One event a cycle for some cycles of a run: it is found at the address of its counter, and the others count cycles and idle tiles only."""
    bus, group, cycles = await begin(dut), MAP.group("COUNTERS"), 5
    tiles, names = BUILD["Tiles"], [register.name for register in MAP.group("COUNTERS").registers]
    for number, register in enumerate(group.registers):
        for name, value in ({"act_we": 0, "step_done": 0, "event": 0} | stimulus_of("CYCLES", 0)).items():
            getattr(dut, f"{name}_i").value = value
        dut.input_finished_i.value = 0
        await bus.write(CONTROL.address, bit(CONTROL, "start") | bit(CONTROL, "clear"))
        for name, value in stimulus_of(register.name, number).items():
            getattr(dut, f"{name}_i").value = value
        await clock_cycles(dut, cycles)
        for name, value in ({"act_we": 0, "step_done": 0, "event": 0} | stimulus_of("CYCLES", 0)).items():
            getattr(dut, f"{name}_i").value = value
        dut.input_finished_i.value = 1
        await clock_cycles(dut, 12)
        await bus.write(CONTROL.address, bit(CONTROL, "snapshot"))
        got = {name: await bus.read(group.address + group.step * index) for index, name in enumerate(names)}
        expected = dict.fromkeys(names, 0) | {"CYCLES": got["CYCLES"], "IDLE": tiles * got["CYCLES"]}
        assert got["CYCLES"] >= cycles
        if register.name not in ("CYCLES", "IDLE"):
            expected[register.name] = cycles
        if names.index("HH") <= number < names.index("IDLE"):
            expected["IDLE"] -= cycles
        assert got == expected, f"{register.name} counted alone"


@cocotb.test(timeout_time=8, timeout_unit="ms")
async def every_row_counter_counts_its_own(dut):
    bus, group = await begin(dut), MAP.group("ROWS")
    levels = {"UNITS": [0] * 4, **{f"{level.name}_{gate.upper()}": [level * (other == gate) for other in GATES] for level in (Level.MIDDLE, Level.ALL) for gate in GATES}}
    for block in range(group.count):
        for register in group.registers:
            dut.commit_valid_i.value, dut.commit_layer_i.value, dut.commit_levels_i.value = 1, block, packed_levels(levels[register.name])
            await clock_cycles(dut, 3)
            dut.commit_valid_i.value = 0
            await bus.write(CONTROL.address, bit(CONTROL, "snapshot") | bit(CONTROL, "clear"))
            got = {(other, each.name): await bus.read(group.address + group.stride * other + group.step * number)
                   for other in range(group.count) for number, each in enumerate(group.registers)}
            assert {name: count for name, count in got.items() if count} == {(block, "UNITS"): 3, (block, register.name): 3}


@pytest.mark.parametrize("simulator", ["verilator", "icarus"])
def test_registers(simulator):
    run(__name__, "control", BUILD, simulator=simulator)
