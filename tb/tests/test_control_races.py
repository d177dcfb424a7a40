# SPDX-License-Identifier: MIT
"""control: two events in the same cycle, or a few cycles apart. Each pair is swept cycle by cycle against what docs/registers.md says.

A write of a register that is handed to the bus in cycle 0 takes effect in cycle 1, a read is looked up in cycle 1 and answered in cycle 3, if
nothing holds them up. The other event is moved around them.
"""

from random import Random

import cocotb
import pytest
from cocotb.triggers import Event, FallingEdge, RisingEdge

from models.formats import CELL, CLASS_COUNTERS, GATES, CycleClass, Level, TileEvent
from tb.bench.drivers import clock_cycles, seed
from tb.bench.registers import (
    ALL_ERRORS,
    ALL_INTERRUPTS,
    ROWS_BLOCKS,
    BusError,
    Control,
    Counter,
    Error,
    Interrupt,
    Register,
    Row,
    StateSelect,
    Status,
    counter_address,
    packed_levels,
    row_address,
    row_counts,
)
from tb.bench.runner import run
from tb.tests.test_control import BUILD, CLASS_BITS, begin, finish, start

OFFSETS = range(-8, 9)  # cycles from the effect of the access to the other event
LEAD = 9                # cycles before the access in which nothing happens, so that the other event may come first
EFFECT = LEAD + 1       # cycle in which a write takes effect and a read is looked up
TILES, LANES = BUILD["Tiles"], BUILD["Lanes"]
EVENTS = ALL_ERRORS & ~(Error.START | Error.ACCESS)  # errors that come from outside of control


async def inputs(dut, changes: dict):
    """Sets inputs: changes holds, by cycle from now, values by name."""
    for cycle in range(max(changes) + 1):
        for name, value in changes.get(cycle, {}).items():
            getattr(dut, f"{name}_i").value = value
        await RisingEdge(dut.clk_i)


async def race(dut, access, changes: dict):
    """Awaits an access to a register that takes effect in cycle EFFECT, with inputs that change in cycles of their own."""
    async def delayed():
        await clock_cycles(dut, LEAD)
        return await access

    moving = cocotb.start_soon(inputs(dut, changes))
    result = await cocotb.start_soon(delayed())
    await moving
    return result


async def access_error(access):
    """The value of a read, or None where it was answered with SLVERR."""
    try:
        return await access
    except BusError:
        return None


@cocotb.test(timeout_time=2, timeout_unit="ms")
async def an_error_is_not_lost_while_errors_are_cleared(dut):
    random, bus = Random(seed()), await begin(dut)
    for offset in OFFSETS:
        for _ in range(4):
            old, cleared, new = (random.getrandbits(len(Error)) & EVENTS for _ in range(3))
            await inputs(dut, {0: {"error_event": old}, 1: {"error_event": 0}})
            at = EFFECT + offset
            await race(dut, bus.write(Register.ERRORS, cleared), {at: {"error_event": new}, at + 1: {"error_event": 0}})
            expected = (old | new) & ~cleared if offset < 0 else old & ~cleared | new
            assert await bus.read(Register.ERRORS) == expected, f"errors {offset} cycles after they were cleared"
            await bus.write(Register.ERRORS, ALL_ERRORS)


@cocotb.test(timeout_time=2, timeout_unit="ms")
async def an_interrupt_is_not_lost_while_interrupts_are_cleared(dut):
    bus = await begin(dut)
    for offset in OFFSETS:
        at = EFFECT + offset
        await race(dut, bus.write(Register.INTERRUPT, ALL_INTERRUPTS), {at: {"error_event": 1}, at + 1: {"error_event": 0}})
        assert await bus.read(Register.INTERRUPT) == (Interrupt.ERROR if offset >= 0 else 0), f"an error {offset} cycles after its interrupt was cleared"
        await bus.write(Register.INTERRUPT, ALL_INTERRUPTS)
        await start(dut, bus)
        await race(dut, bus.write(Register.INTERRUPT, ALL_INTERRUPTS), {at: {"input_finished": 1}})
        assert await bus.read(Register.INTERRUPT) == (Interrupt.DONE if offset >= 0 else 0), f"the end of a run {offset} cycles after the interrupt was cleared"
        assert await bus.read(Register.STATUS) == Status.DONE
        await bus.write(Register.INTERRUPT, ALL_INTERRUPTS)


@cocotb.test(timeout_time=2, timeout_unit="ms")
async def a_refused_read_is_not_lost_while_errors_are_cleared(dut):
    """The one error that a read raises while a write clears it: ACCESS, two cycles after the look-up."""
    bus = await begin(dut)
    await bus.write(Register.STATE_SELECT, StateSelect.tile(TILES))
    for offset in OFFSETS:
        clearing = cocotb.start_soon(write_after(dut, bus, LEAD + offset, Register.ERRORS, ALL_ERRORS))
        assert await race(dut, access_error(bus.read(Register.STATE_DATA)), {0: {}}) is None
        await clearing
        assert await bus.read(Register.ERRORS) == (Error.ACCESS if offset <= 2 else 0), f"errors were cleared {offset} cycles after the look-up"
        await bus.write(Register.ERRORS, ALL_ERRORS)


@cocotb.test(timeout_time=2, timeout_unit="ms")
async def the_end_of_a_run_and_an_error_both_interrupt(dut):
    bus = await begin(dut)
    for offset in OFFSETS:
        await bus.write(Register.INTERRUPT, ALL_INTERRUPTS)
        await start(dut, bus)
        changes = {EFFECT: {"input_finished": 1}}
        for cycle, value in ((EFFECT + offset, 1), (EFFECT + offset + 1, 0)):
            changes[cycle] = changes.get(cycle, {}) | {"error_event": value}
        await inputs(dut, changes)
        await clock_cycles(dut, 2)
        assert await bus.read(Register.INTERRUPT) == ALL_INTERRUPTS, f"an error {offset} cycles after the end of a run"
        assert await bus.read(Register.STATUS) == Status.DONE and await bus.read(Register.ERRORS) == 1


@cocotb.test(timeout_time=2, timeout_unit="ms")
async def a_soft_reset_against_an_error(dut):
    bus = await begin(dut)
    for offset in OFFSETS:
        at = EFFECT + offset
        await race(dut, bus.write(Register.CONTROL, Control.SOFT_RESET), {at: {"error_event": EVENTS}, at + 1: {"error_event": 0}})
        assert await bus.read(Register.ERRORS) == (EVENTS if offset >= 0 else 0), f"an error {offset} cycles after the soft reset"
        assert await bus.read(Register.INTERRUPT) == 2, "soft reset keeps interrupts"
        await bus.write(Register.ERRORS, ALL_ERRORS)
        await bus.write(Register.INTERRUPT, ALL_INTERRUPTS)


@cocotb.test(timeout_time=2, timeout_unit="ms")
@cocotb.parametrize(also=[0, Control.SNAPSHOT, Control.CLEAR, Control.SNAPSHOT | Control.CLEAR])
async def a_start_against_the_end_of_a_run(dut, also):
    bus = await begin(dut)
    for offset in OFFSETS:
        await start(dut, bus)
        at = EFFECT + offset
        await race(dut, bus.write(Register.CONTROL, Control.START | also), {at: {"input_finished": 1}, at + 1: {"input_finished": 0}})
        begun = offset < 0
        assert await bus.read(Register.STATUS) & ~Status.COUNTERS_BUSY == (Status.BUSY if begun else Status.DONE), f"the run ended {offset} cycles after the start"
        assert await bus.read(Register.ERRORS) == 0 and await bus.read(Register.INTERRUPT) == 1
        if begun:
            await finish(dut)
        await bus.write(Register.INTERRUPT, ALL_INTERRUPTS)
        await clock_cycles(dut, 12)  # until the row counters are free


@cocotb.test(timeout_time=2, timeout_unit="ms")
async def a_soft_reset_against_the_end_of_a_run(dut):
    bus = await begin(dut)
    for offset in OFFSETS:
        await start(dut, bus)
        await race(dut, bus.write(Register.CONTROL, Control.SOFT_RESET), {EFFECT + offset: {"input_finished": 1}})
        assert await bus.read(Register.STATUS) == 0, "a soft reset clears done"
        assert await bus.read(Register.INTERRUPT) == (1 if offset < 0 else 0), f"the run ended {offset} cycles after the soft reset"
        await bus.write(Register.INTERRUPT, ALL_INTERRUPTS)


@cocotb.test(timeout_time=2, timeout_unit="ms")
async def a_start_against_the_end_of_a_soft_reset(dut):
    bus = await begin(dut)
    for offset in OFFSETS:
        dut.output_idle_i.value = 0
        await bus.write(Register.CONTROL, Control.SOFT_RESET)
        dut.input_finished_i.value = 0
        at = EFFECT + offset  # the last cycle of the reset
        await race(dut, bus.write(Register.CONTROL, Control.START), {at: {"output_idle": 1}})
        begun = offset < 0
        assert await bus.read(Register.STATUS) == (Status.BUSY if begun else 0), f"the soft reset ended {offset} cycles after the start"
        assert await bus.read(Register.ERRORS) == (0 if begun else Error.START)
        await finish(dut)
        await bus.write(Register.CONTROL, Control.SOFT_RESET)
        await bus.write(Register.INTERRUPT, ALL_INTERRUPTS)


@cocotb.test(timeout_time=2, timeout_unit="ms")
@cocotb.parametrize(gone=[False, True])
async def a_start_against_a_load(dut, gone):
    """A start is refused if a packet is under way in its cycle, and otherwise closes the loader in that very cycle. gone: the packet ends."""
    bus = await begin(dut)
    closed = []

    async def watch():
        while True:
            await RisingEdge(dut.clk_i)
            closed.append(int(dut.load_closed_o.value))

    for offset in OFFSETS:
        dut.loading_i.value = int(gone)
        dut.input_finished_i.value = 0
        closed.clear()
        watching = cocotb.start_soon(watch())
        await race(dut, bus.write(Register.CONTROL, Control.START), {EFFECT + offset: {"loading": int(not gone)}})
        watching.cancel()
        begun = offset <= 0 if gone else offset > 0
        assert await bus.read(Register.ERRORS) == (0 if begun else Error.START), f"loading changed {offset} cycles after the start"
        assert closed[:EFFECT + 1] == [0] * EFFECT + [int(begun)], f"closed from cycle {closed.index(1)}, not {EFFECT}"
        dut.loading_i.value = 0
        await finish(dut)
        await bus.write(Register.ERRORS, ALL_ERRORS)
        await bus.write(Register.INTERRUPT, ALL_INTERRUPTS)


class Memories:
    """Cells and activations behind control: they answer a read one cycle later, and with something else in every cycle without one."""

    def __init__(self, dut, random):
        self.width = len(dut.state_data_i) // TILES
        self.cells = [[random.getrandbits(CELL.width) for _ in range(BUILD["UnitDepth"])] for _ in range(TILES)]
        self.words = [[random.getrandbits(8 * LANES) for _ in range(2 * BUILD["ActivationDepth"])] for _ in range(TILES)]
        cocotb.start_soon(self.run(dut, random))

    async def run(self, dut, random):
        while True:
            await RisingEdge(dut.clk_i)
            select, answer = int(dut.state_read_o.value), random.getrandbits(self.width * TILES)
            for tile in range(TILES):
                if select >> tile & 1:
                    answer &= ~((1 << self.width) - 1 << self.width * tile)
                    memory = self.words if dut.state_kind_o.value else self.cells
                    answer |= memory[tile][int(dut.state_address_o.value)] << self.width * tile
            dut.state_data_i.value = answer

    def any(self, random) -> tuple[int, int]:
        """(a word of STATE_SELECT, what it chooses)"""
        tile, kind = random.randrange(TILES), random.getrandbits(1)
        address = random.randrange(len(self.words[tile]) * LANES if kind else len(self.cells[tile]))
        chosen = self.words[tile][address // LANES] >> 8 * (address % LANES) & 0xFF if kind else self.cells[tile][address]
        return StateSelect.tile(tile) | StateSelect.KIND * kind | StateSelect.address(address), chosen


@cocotb.test(timeout_time=2, timeout_unit="ms")
@cocotb.parametrize(event=["start", "end", "end of soft reset"])
async def state_is_read_while_idle_or_not_at_all(dut, event):
    """A read is looked up in a cycle and answered two cycles later: if one of the three is not idle, the answer is an error, and never what no memory gave."""
    random, bus = Random(seed()), await begin(dut)
    memories = Memories(dut, random)
    for offset in OFFSETS:
        for _ in range(4):
            select, chosen = memories.any(random)
            await bus.write(Register.STATE_SELECT, select)
            if event == "start":
                dut.input_finished_i.value = 0
                writing = cocotb.start_soon(write_after(dut, bus, LEAD + offset, Register.CONTROL, Control.START))
                value = await race(dut, access_error(bus.read(Register.STATE_DATA)), {0: {}})
                await writing
                idle = offset >= 2  # busy from the cycle after the start
                await finish(dut)
            else:
                if event == "end":
                    await start(dut, bus)
                else:
                    dut.output_idle_i.value = 0
                    await bus.write(Register.CONTROL, Control.SOFT_RESET)
                value = await race(dut, access_error(bus.read(Register.STATE_DATA)), {EFFECT + offset: {"input_finished": 1, "output_idle": 1}})
                idle = offset < 0  # from the cycle after the end
            assert value == (chosen if idle else None), f"{event} {offset} cycles after the look-up"
            assert await bus.read(Register.ERRORS) == (0 if idle else Error.ACCESS)
            await bus.write(Register.ERRORS, ALL_ERRORS)
            await bus.write(Register.INTERRUPT, ALL_INTERRUPTS)


async def write_after(dut, bus, cycles, register, value):
    await clock_cycles(dut, cycles)
    await bus.write(register, value)


@cocotb.test(timeout_time=2, timeout_unit="ms")
async def a_read_of_state_against_another_selection(dut):
    """The value is that of the old selection or of the new one, and no mixture."""
    random, bus = Random(seed()), await begin(dut)
    memories = Memories(dut, random)
    for offset in OFFSETS:
        for _ in range(8):
            (old, old_value), (new, new_value) = memories.any(random), memories.any(random)
            await bus.write(Register.STATE_SELECT, old)
            writing = cocotb.start_soon(write_after(dut, bus, LEAD + offset, Register.STATE_SELECT, new))
            value = await race(dut, bus.read(Register.STATE_DATA), {0: {}})
            await writing
            assert value == (new_value if offset < 0 else old_value), f"the selection was written {offset} cycles after the look-up"


class Activity:
    """Random classes, events and commits in every cycle; counts holds those of busy cycles, rows all commits, as the registers count them."""

    def __init__(self, dut, random):
        self.counts, self.rows, self.stop = [0] * len(Counter), [[0] * len(Row) for _ in range(ROWS_BLOCKS)], Event()
        self.task = cocotb.start_soon(self.run(dut, random))

    async def run(self, dut, random):
        while not self.stop.is_set():
            classes = [random.randrange(len(CycleClass)) for _ in range(TILES)]
            events, write, step = random.getrandbits(len(TileEvent) * TILES), random.getrandbits(1), random.getrandbits(1)
            dut.class_i.value = sum(code << CLASS_BITS * tile for tile, code in enumerate(classes))
            dut.event_i.value, dut.act_we_i.value, dut.step_done_i.value = events, write, step
            await FallingEdge(dut.clk_i)  # the arbiter of commits sees the stall of its own cycle
            commit = random.random() < 0.8 and not dut.commit_stall_o.value
            layer, levels = random.randrange(ROWS_BLOCKS), random.choices([*Level], k=len(GATES))
            dut.commit_valid_i.value, dut.commit_layer_i.value, dut.commit_levels_i.value = int(commit), layer, packed_levels(levels)
            await RisingEdge(dut.clk_i)
            if commit:
                self.rows[layer] = [sum(pair) for pair in zip(self.rows[layer], row_counts(levels), strict=True)]
            if dut.busy_o.value:
                self._count(classes, events, write, step)
        dut.commit_valid_i.value = 0

    def _count(self, classes, events, write, step):
        for code in classes:
            self.counts[CLASS_COUNTERS[code]] += 1
        for number, event in enumerate(TileEvent):
            self.counts[Counter[f"{event.name}S"]] += sum(events >> len(TileEvent) * tile + number & 1 for tile in range(TILES))
        for counter, more in ((Counter.CYCLES, 1), (Counter.ACTIVATION_WRITES, write), (Counter.STEPS, step)):
            self.counts[counter] += more


class Readings:
    """Sums of the counters over snapshots with clear."""

    def __init__(self, bus):
        self.bus, self.counts, self.rows = bus, [0] * len(Counter), [[0] * len(Row) for _ in range(ROWS_BLOCKS)]

    async def add(self):
        values = [await self.bus.read64(counter_address(counter)) for counter in Counter]
        assert sum(values[counter] for counter in CLASS_COUNTERS) == TILES * values[Counter.CYCLES]
        self.counts = [total + value for total, value in zip(self.counts, values)]
        for layer, rows in enumerate(self.rows):
            for row in Row:
                rows[row] += await self.bus.read64(row_address(layer, row))


@cocotb.test(timeout_time=4, timeout_unit="ms")
async def a_snapshot_loses_and_doubles_nothing(dut):
    """Snapshots with clear, at every distance from each other, from commits, and from the begin and end of runs, add up to everything."""
    random, bus = Random(seed()), await begin(dut)
    activity, readings, both = Activity(dut, random), Readings(bus), Control.SNAPSHOT | Control.CLEAR
    for offset in OFFSETS:
        await start(dut, bus)
        await race(dut, bus.write(Register.CONTROL, both), {EFFECT + offset: {"input_finished": 1}})  # the end of a run
        await readings.add()
        dut.input_finished_i.value = 0
        await race(dut, bus.write(Register.CONTROL, both | Control.START * (offset == 0)), {0: {}})  # the begin of one
        await clock_cycles(dut, 8 + offset)
        await readings.add()
        if offset:
            await bus.write(Register.CONTROL, Control.START)
        await clock_cycles(dut, 8 - offset)
        await bus.write(Register.CONTROL, both)
        await finish(dut)
        await readings.add()
    activity.stop.set()
    await activity.task
    await clock_cycles(dut, 4)
    await bus.write(Register.CONTROL, both)
    await readings.add()
    assert readings.counts == activity.counts and readings.rows == activity.rows
    assert min(readings.counts) > 0 and min(map(min, readings.rows)) > 0, "something never happened"


@pytest.mark.parametrize("simulator", ["verilator", "icarus"])
def test_control_races(simulator):
    run(__name__, "control", BUILD, simulator=simulator)
