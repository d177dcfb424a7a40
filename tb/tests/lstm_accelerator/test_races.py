# SPDX-License-Identifier: MIT
"""Two events in the same cycle, or a few cycles apart: whichever comes first, the outcome is one that docs/registers.md names, and a run
after it equals the model.

Each test sweeps the distance of its two events cycle by cycle, and asserts that every outcome it allows occurred: a sweep that misses the
cycle in question proves nothing.
"""

import random
from pathlib import Path

import cocotb
import pytest
from cocotb.triggers import RisingEdge

from models.compiler import ALL_TILES, Block, Target, compile_image
from models.formats import CELL
from tb.bench.agents import play_image
from tb.bench.drivers import clock_cycles, seed
from tb.bench.registers import Control, Error, Interrupt, Register, Status
from tb.tests.lstm_accelerator.cases import SMALL, harness, network_of, run_on, sequences_of

OFFSETS = range(-8, 9)  # cycles from one event to the other
FREE_CELLS = SMALL.unit_depth - 8  # cells, and words of activations, from here on are not used by the network below
FREE_ACTIVATIONS = 2 * SMALL.activation_depth - 8
WORD_BITS = {Target.CELL: CELL.kept(dynamic=True), Target.ACTIVATIONS: 8 * SMALL.dot_lanes}  # that are kept: of a cell, c and the history
MOVES = 0b11  # state of a stream: valid and ready
DESCRIPTOR_CYCLES = 3  # from the last beat of a descriptor to the cycle in which it is written
QUIET = 12  # cycles after which loads are written and the row counters are free


async def loaded(dut):
    """A harness with a small network of two layers, and the generator of the test."""
    generator, bench = random.Random(seed()), await harness(dut)
    await bench.load(network_of(5, [3, 2], 1, generator))
    for target in WORD_BITS:  # nobody knows what is there before
        await load(dut, free_packet(bench, target, [0] * 8))
    return bench, generator


async def race(dut, offset: int, first, second):
    """Awaits both; `second` begins `offset` cycles after `first`, before it if negative."""
    async def after(cycles, event):
        await clock_cycles(dut, cycles)
        return await event

    tasks = [cocotb.start_soon(after(max(0, -offset), first)), cocotb.start_soon(after(max(0, offset), second))]
    for task in tasks:
        await task


class Watch:
    """Notes the cycles in which beats of the image were taken, and those in which writes of registers took effect.

    A write takes effect in the cycle after its address and data were taken, if the row counters are free.
    """

    def __init__(self, dut):
        self.beats, self.writes = [], []
        self.task = cocotb.start_soon(self.run(dut))

    async def run(self, dut):
        while True:
            await RisingEdge(dut.clk_i)
            cycle = int(dut.cycles_o.value)
            if dut.image_state_o.value == MOVES:
                self.beats.append(cycle)
            if dut.s_axil_wvalid_i.value and dut.s_axil_wready_o.value:
                self.writes.append(cycle + 1)


async def load(dut, packet):
    await play_image(dut, Path("race.hex"), [packet])


async def free_words(bench, target: Target, count: int) -> list[int]:
    """What stands in words of a memory that the network does not use."""
    if target == Target.CELL:
        return [await bench.read_state(0, FREE_CELLS + index) for index in range(count)]
    lanes = bench.build.dot_lanes
    return [sum([await bench.read_state(0, (FREE_ACTIVATIONS + index) * lanes + lane, 1) << 8 * lane for lane in range(lanes)]) for index in range(count)]


def free_packet(bench, target: Target, words: list[int]) -> list[int]:
    """Beats of a packet that writes these words there."""
    return Block(target, ALL_TILES, {Target.CELL: FREE_CELLS, Target.ACTIVATIONS: FREE_ACTIVATIONS}[target], words).packet(bench.build)


async def length_of_a_run(bench, sequences) -> int:
    """Cycles from the call of a start to the interrupt. Without stalls, it is the same each time."""
    runs = await bench.prepare(sequences)
    begin = int(bench.dut.cycles_o.value)
    await bench.registers.write(Register.CONTROL, Control.START | Control.CLEAR)
    await bench.dut.irq_o.rising_edge
    end = int(bench.dut.cycles_o.value)
    await bench.conclude(runs)
    return end - begin


def every(cycles: range) -> range:
    """These cycles; under Icarus, which is slow, some of them."""
    return cycles if cocotb.SIM_NAME.startswith("Verilator") else range(cycles.start, cycles.stop, 11)


async def clean_run(bench, generator):
    await bench.play(sequences_of(bench.network, [2, 1], generator))


@cocotb.test(timeout_time=40, timeout_unit="ms")
@cocotb.parametrize(words=[1, 4], target=[Target.CELL, Target.ACTIVATIONS])
async def a_start_against_a_load(dut, words, target):
    """Start first: the packet is refused with LOAD_BUSY and writes nothing. Packet under way: no start. Packet over: both are done."""
    bench, generator = await loaded(dut)
    seen = set()
    for offset in OFFSETS:
        before = await free_words(bench, target, words)
        new = [generator.getrandbits(WORD_BITS[target]) for _ in range(words)]
        runs = await bench.prepare(sequences_of(bench.network, [1], generator))
        watch = Watch(dut)
        await race(dut, offset, bench.registers.write(Register.CONTROL, Control.START | Control.CLEAR), load(dut, free_packet(bench, target, new)))
        watch.task.cancel()
        start, header, last = watch.writes[0], watch.beats[0], watch.beats[-1]
        errors = Error.LOAD_BUSY if start <= header else Error.START if start <= last + 1 else Error(0)
        await clock_cycles(dut, QUIET)
        await bench.expect_errors(errors)
        if Error.START in errors:
            assert not await bench.registers.read(Register.STATUS) & Status.BUSY
            await bench.registers.write(Register.CONTROL, Control.START | Control.CLEAR)
        await bench.conclude(runs)
        bench.scoreboard.equal(f"words after a packet whose header came {header - start} cycles after the start", before if Error.LOAD_BUSY in errors else new,
                               await free_words(bench, target, words))
        seen.add(errors)
        await clean_run(bench, generator)
    bench.check()
    assert seen == {Error.LOAD_BUSY, Error.START, Error(0)}, f"outcomes {seen}"


@cocotb.test(timeout_time=40, timeout_unit="ms")
async def a_start_against_a_descriptor(dut):
    """A start sees the last descriptor of an image, or is refused: it never runs with the one before."""
    bench, generator = await loaded(dut)
    seen = set()
    for offset in OFFSETS:
        networks = [network_of(5, [units], 1, generator) for units in (2, 3)]
        await bench.load(networks[0])
        await bench.load(networks[1])
        images = [compile_image(network, bench.build) for network in networks]
        old, new = ([block.packet(bench.build) for block in image.blocks if block.target == Target.DESCRIPTORS] for image in images)
        for packet in (*old, *new[:-1]):
            await load(dut, packet)
        runs = await bench.prepare(sequences_of(bench.network, [2], generator))
        watch = Watch(dut)
        await race(dut, offset, bench.registers.write(Register.CONTROL, Control.START | Control.CLEAR), load(dut, new[-1]))
        watch.task.cancel()
        start, header, written = watch.writes[0], watch.beats[0], watch.beats[-1] + DESCRIPTOR_CYCLES
        await clock_cycles(dut, QUIET)
        if start <= header:  # a run with old and new descriptors, which nobody can want
            bench.x.clear()
            await bench.soft_reset()
            await load(dut, new[-1])
            seen.add("start")
            await bench.expect_errors(0)
        else:
            await bench.expect_errors(Error.START if start <= written else Error(0))
            if start <= written:
                await bench.registers.write(Register.CONTROL, Control.START | Control.CLEAR)
            seen.add("refused" if start <= written else "both")
            await bench.conclude(runs)
        await clean_run(bench, generator)
    bench.check()
    assert seen == {"start", "refused", "both"}, f"outcomes {seen}"


@cocotb.test(timeout_time=40, timeout_unit="ms")
async def a_load_against_the_end_of_a_run(dut):
    """While busy the packet is refused, from the cycle after on it is loaded; the run notices nothing."""
    bench, generator = await loaded(dut)
    sequences = sequences_of(bench.network, [1], generator)  # always these: other ones may take other cycles
    length = await length_of_a_run(bench, sequences)
    seen = set()
    for offset in range(-12, 5):
        before = await free_words(bench, Target.CELL, 2)
        new = [generator.getrandbits(WORD_BITS[Target.CELL]) for _ in range(2)]
        runs = await bench.prepare(sequences)
        watch = Watch(dut)
        await race(dut, length + offset, bench.registers.write(Register.CONTROL, Control.START | Control.CLEAR), load(dut, free_packet(bench, Target.CELL, new)))
        watch.task.cancel()
        await clock_cycles(dut, QUIET)
        errors = Error(await bench.registers.read(Register.ERRORS))
        await bench.expect_errors(errors)
        await bench.conclude(runs)
        bench.scoreboard.equal(f"cells after a packet {offset} cycles after the end", before if errors else new, await free_words(bench, Target.CELL, 2))
        seen.add(errors)
        await clean_run(bench, generator)
    bench.check()
    assert seen == {Error.LOAD_BUSY, Error(0)}, f"outcomes {seen}"


@cocotb.test(timeout_time=40, timeout_unit="ms")
async def a_soft_reset_against_a_load(dut):
    """Words that came up to the first cycle of resetting are written, the others are not. A packet after the reset is whole."""
    bench, generator = await loaded(dut)
    seen = set()
    for offset in OFFSETS:
        before = await free_words(bench, Target.CELL, 4)
        new = [generator.getrandbits(WORD_BITS[Target.CELL]) for _ in range(4)]
        watch = Watch(dut)
        await race(dut, offset, bench.registers.write(Register.CONTROL, Control.SOFT_RESET), load(dut, free_packet(bench, Target.CELL, new)))
        watch.task.cancel()
        header, *beats = watch.beats
        resetting = watch.writes[0] + 1
        written = 4 if header > resetting else sum(beat <= resetting for beat in beats)
        await clock_cycles(dut, QUIET)
        await bench.expect_errors(0)
        bench.scoreboard.equal(f"cells after a packet whose header came {header - resetting} cycles after the begin of the reset", new[:written] + before[written:],
                               await free_words(bench, Target.CELL, 4))
        assert header != resetting, "a header was taken during the reset"
        seen.add(written)
        await clean_run(bench, generator)
    bench.check()
    assert seen == {1, 2, 3, 4}, f"words written: {seen}"


@cocotb.test(timeout_time=40, timeout_unit="ms")
async def a_soft_reset_against_an_error(dut):
    """The error of a header before the reset is cleared; one in the cycle of the reset, or after it, is not."""
    bench, generator = await loaded(dut)
    seen = set()
    bad = [free_packet(bench, Target.CELL, [1, 2])[0] | 7, 1, 2]
    for offset in OFFSETS:
        watch = Watch(dut)
        await race(dut, offset, bench.registers.write(Register.CONTROL, Control.SOFT_RESET), load(dut, bad))
        watch.task.cancel()
        errors = Error(0) if watch.beats[0] < watch.writes[0] else Error.LOAD_TARGET
        await clock_cycles(dut, QUIET)
        await bench.expect_errors(errors)
        seen.add(errors)
        await clean_run(bench, generator)
    bench.check()
    assert seen == {Error.LOAD_TARGET, Error(0)}, f"outcomes {seen}"


@cocotb.test(timeout_time=100, timeout_unit="ms")
async def a_snapshot_with_clear_in_every_cycle_of_a_run(dut):
    """It holds commits back, so cycles change; but both parts add up to the work of the run, and outputs are the model's."""
    bench, generator = await loaded(dut)
    sequences = sequences_of(bench.network, [1], generator)  # always these: other ones may take other cycles
    length = await length_of_a_run(bench, sequences)
    for cycles in every(range(length + 4)):
        runs = await bench.begin(sequences)
        await clock_cycles(dut, cycles)
        await bench.registers.write(Register.CONTROL, Control.SNAPSHOT | Control.CLEAR)
        first = await bench.read_counters()
        await bench.finish(bench.limit(runs))
        second = await bench.counters()
        bench.compare_counters(runs, {name: first[name] + second[name] for name in first})
    await clean_run(bench, generator)
    bench.check()


@cocotb.test(timeout_time=40, timeout_unit="ms")
async def a_start_against_the_end_of_a_run(dut):
    """While busy it is ignored, from the cycle after on it starts the next run: both runs are the model's."""
    bench, generator = await loaded(dut)
    sequences = sequences_of(bench.network, [1], generator)  # always these: other ones may take other cycles
    length = await length_of_a_run(bench, sequences)
    seen = set()
    for offset in range(-12, 5):
        for _ in range(2):  # with the same settings
            runs = await bench.prepare(sequences)
        await bench.registers.write(Register.CONTROL, Control.START)
        await clock_cycles(dut, length + offset - 4)
        await bench.registers.write(Register.CONTROL, Control.START | Control.CLEAR)
        await clock_cycles(dut, 2 * QUIET - offset)  # until the first run has ended in any case, and no second one
        begun = bool(await bench.registers.read(Register.STATUS) & Status.BUSY)
        bench.scoreboard.equal("interrupts", Interrupt.DONE, await bench.registers.read(Register.INTERRUPT))
        await bench.registers.write(Register.INTERRUPT, Interrupt.DONE)
        if not begun:
            await bench.registers.write(Register.CONTROL, Control.START | Control.CLEAR)
        await bench.finish(bench.limit(runs))
        await bench.expect_errors(0)
        seen.add(begun)
        await clean_run(bench, generator)
    bench.check()
    assert seen == {False, True}, "both orders did not occur"


@pytest.mark.parametrize("simulator", ["verilator", pytest.param("icarus", marks=pytest.mark.slow)])
def test_races(simulator):
    run_on(__name__, SMALL, simulator=simulator)
