# SPDX-License-Identifier: MIT
"""Every sticky error of docs/registers.md at the ports of the accelerator: its bit, its effect, and a bit-equal clean run after it."""

import random
from pathlib import Path

import cocotb
from cocotb.triggers import RisingEdge

from codegen.registers import BUS_BYTES, read_map
from models.compiler import Block
from models.formats import ALL_TILES, DESCRIPTOR, HEADER, MAX_UNITS, Target
from tb.bench.agents import Packet, play_image
from tb.bench.drivers import clock_cycles, seed
from tb.bench.registers import BusError, Config, Control, Error, Register, StateSelect, Status
from tb.tests.lstm_accelerator.cases import SMALL, harness, network_of, run_on, sequences_of

X_BEATS = 3  # of the network of `loaded`
EVERY_SELECTION = StateSelect.tile(0xFF) | StateSelect.KIND | StateSelect.address(0xFFFF)


async def loaded(dut):
    """A harness with a network whose x packets have X_BEATS beats, and the generator of the test."""
    generator, bench = random.Random(seed()), await harness(dut)
    await bench.load(network_of(9 * X_BEATS // 2 * 2, [7, 5], 2, generator))
    return bench, generator


async def clean_run(bench, generator):
    await bench.play(sequences_of(bench.network, [2, 1], generator))
    bench.check()


async def errors_after(bench, packet, errors):
    """Sends one image packet and compares the errors it raises."""
    await play_image(bench.dut, Path("packet.hex"), [packet])
    await clock_cycles(bench.dut, 8)
    await bench.expect_errors(errors)


@cocotb.test(timeout_time=10, timeout_unit="ms")
@cocotb.parametrize(difference=[-1, 1, 3], step=[0, 1])
async def x_of_the_wrong_length(dut, difference, step):
    bench, generator = await loaded(dut)
    await clean_run(bench, generator)
    sequences = sequences_of(bench.network, [3], generator)
    packets = [Packet.of(bench.image.encode_x(x)) for x in sequences[0][0]]
    packets[step] = packets[step]._replace(beats=packets[step].beats + difference)
    bench.scoreboard.expect(bench.h, [Packet.of(bench.image.encode_h(bench.network.run(sequences[0]).h[0, index])) for index in range(step)])
    await bench.registers.write(Register.CONFIG, 0)
    await bench.registers.write(Register.CONTROL, Control.START)
    for packet in packets:
        bench.x.append(packet)
    await clock_cycles(dut, 2000)
    assert bench.h.stats.received_transactions == 3 + step, "the step of a wrong packet was played, or one before it was not"
    await bench.expect_errors(Error.X_SHORT if difference < 0 else Error.X_LONG)
    await bench.registers.write(Register.CONTROL, Control.START)
    await bench.soft_reset()
    await bench.expect_errors(0)
    await clean_run(bench, generator)


@cocotb.test(timeout_time=10, timeout_unit="ms")
async def start_after_a_wrong_packet_needs_a_soft_reset(dut):
    bench, generator = await loaded(dut)
    await bench.registers.write(Register.CONTROL, Control.START)
    bench.x.append(Packet(0, 1))
    await clock_cycles(dut, 50)
    await bench.expect_errors(Error.X_SHORT)
    await bench.registers.write(Register.CONTROL, Control.START)
    await bench.expect_errors(Error.START)
    await bench.soft_reset()
    await clean_run(bench, generator)


@cocotb.test(timeout_time=10, timeout_unit="ms")
async def a_load_while_busy_changes_nothing(dut):
    bench, generator = await loaded(dut)
    await bench.begin(sequences_of(bench.network, [8], generator))
    weights = Block(Target.WEIGHTS_HI, ALL_TILES, 0, [0xA5] * 20).packet(bench.build)
    await errors_after(bench, weights, Error.LOAD_BUSY)
    await bench.finish(100000)
    await clean_run(bench, generator)


@cocotb.test(timeout_time=10, timeout_unit="ms")
async def bad_headers_load_nothing(dut):
    bench, generator = await loaded(dut)
    build = bench.build
    good = Block(Target.WEIGHTS_HI, ALL_TILES, 0, [0xA5] * 3).packet(build)
    changes = [dict(target=len(Target)), dict(target=Target.WEIGHTS_HI | 16), dict(tile=build.tiles), dict(tile=ALL_TILES - 1), dict(address=1 << 31)]
    for header in (*(HEADER.replace(good[0], **fields) for fields in changes), *(good[0] | 1 << bit for gap in HEADER.gaps for bit in gap)):
        await errors_after(bench, [header, *good[1:]], Error.LOAD_TARGET)
    for target in Target:
        await errors_after(bench, Block(target, ALL_TILES, target.depth(build) - 1, [1, 1]).packet(build), Error.LOAD_TARGET)
    await clean_run(bench, generator)


@cocotb.test(timeout_time=10, timeout_unit="ms")
async def a_load_of_the_wrong_length(dut):
    bench, generator = await loaded(dut)
    cells = Block(Target.CELL, 0, 0, [0x11, 0x22, 0x33, 0x44]).packet(bench.build)
    await errors_after(bench, cells, 0)
    replaced = Block(Target.CELL, 0, 0, [0x55] * 4).packet(bench.build)
    await errors_after(bench, replaced[:3], Error.LOAD_LENGTH)
    bench.scoreboard.equal("cells", [0x55, 0x55, 0x33, 0x44], [await bench.read_state(0, address) for address in range(4)])
    replaced = Block(Target.CELL, 0, 0, [0x66] * 2).packet(bench.build)
    await errors_after(bench, [*replaced, 0x77, 0x77], Error.LOAD_LENGTH)
    bench.scoreboard.equal("cells", [0x66, 0x66, 0x33, 0x44], [await bench.read_state(0, address) for address in range(4)])
    await clean_run(bench, generator)


@cocotb.test(timeout_time=10, timeout_unit="ms")
async def bad_descriptors_are_not_written(dut):
    bench, generator = await loaded(dut)
    good = next(block for block in bench.image.blocks if block.target == Target.DESCRIPTORS)
    word = good.words[0]
    build = bench.build
    changes = [dict(slots=500), dict(x_words=build.words(MAX_UNITS) + 1), dict(h_words=9), dict(x_addr=build.activation_depth), dict(h_addr=build.activation_depth),
               dict(unit_base=build.unit_depth), dict(w_base=build.weight_depth),
               *({name: value} for name, (_, field) in DESCRIPTOR.places.items() for value in (field.least - 1, field.beyond or -1) if value >= 0)]
    reserved = [bit for high, low in DESCRIPTOR.gaps for bit in {low, high}]
    assert len(changes) >= 12 and len(reserved) >= 4
    every_bit = [(1 << DESCRIPTOR.width) - 1, 0]
    for bad in (*(DESCRIPTOR.replace(word, **fields) for fields in changes), *(word | 1 << bit for bit in reserved), *every_bit):
        await errors_after(bench, Block(Target.DESCRIPTORS, good.tile, good.address, [bad]).packet(bench.build), Error.DESCRIPTOR)
    two_terms = DESCRIPTOR.replace(word, x_words=1, two_terms=1)
    await errors_after(bench, Block(Target.DESCRIPTORS, good.tile, good.address + 1, [two_terms]).packet(bench.build), Error.DESCRIPTOR)
    await clean_run(bench, generator)


@cocotb.test(timeout_time=10, timeout_unit="ms")
async def start_with_bad_configuration(dut):
    bench, generator = await loaded(dut)

    async def refused():
        await bench.registers.write(Register.CONTROL, Control.START)
        await bench.expect_errors(Error.START)
        bench.scoreboard.equal("busy", 0, await bench.registers.read(Register.STATUS) & Status.BUSY)

    for layers in (0, 9, bench.image.layers + 1):
        await bench.registers.write(Register.LAYERS, layers)
        await refused()
    await bench.registers.write(Register.LAYERS, bench.image.layers)
    await bench.registers.write(Register.SEQUENCES, 0)
    await refused()
    await bench.registers.write(Register.SEQUENCES, 1)
    dut.image_stall_i.value = 250
    loading = cocotb.start_soon(play_image(dut, Path("image.hex"), bench.image.packets()[:1]))
    await clock_cycles(dut, 1000)
    await refused()
    dut.image_stall_i.value = 0
    await loading
    await clean_run(bench, generator)


@cocotb.test(timeout_time=10, timeout_unit="ms")
async def a_soft_reset_clears_errors_but_not_the_configuration(dut):
    bench, generator = await loaded(dut)
    await clean_run(bench, generator)
    counted = await bench.counters()
    for bits in (0x5555_5555, 0xAAAA_AAAA):
        config = Config.STATEFUL | Config.OVERRIDE | Config.policy(1 + bits % 2)
        kept = {Register.CONFIG: config, Register.LAYERS: 9, Register.SEQUENCES: bits, Register.STATE_SELECT: bits & EVERY_SELECTION}
        for register, value in kept.items():
            await bench.registers.write(register, value)
        await bench.registers.write(Register.CONTROL, Control.START)
        await bench.registers.write(Register.CONTROL, Control.SOFT_RESET)
        await clock_cycles(dut, 20)
        got = {register: await bench.registers.read(register) for register in (*kept, Register.ERRORS, Register.STATUS, Register.INTERRUPT)}
        bench.scoreboard.equal_all("registers", kept | {Register.ERRORS: 0, Register.STATUS: 0, Register.INTERRUPT: 2}, got)
        bench.scoreboard.equal_all("counters", counted, await bench.counters())
        await bench.registers.write(Register.INTERRUPT, 3)
    await clean_run(bench, generator)


@cocotb.test(timeout_time=10, timeout_unit="ms")
async def state_is_not_read_while_resetting(dut):
    bench, generator = await loaded(dut)
    await bench.begin(sequences_of(bench.network, [8], generator))
    await bench.h.wait_for_recv()
    await RisingEdge(dut.clk_i)
    dut.h_stall_i.value = 255
    dut.trace_stall_i.value = 255
    for _ in range(20000):
        await RisingEdge(dut.clk_i)
        if dut.h_state_o.value == 0b10:  # a packet has begun, which the reset has to finish
            break
    bench.x.clear()
    dut.x_flush_i.value = 1
    await bench.registers.write(Register.CONTROL, Control.SOFT_RESET)
    assert await bench.registers.read(Register.STATUS) & Status.RESETTING, "the reset did not wait for the packet"
    await expect_bus_error(bench.read_state(0, 0))
    await bench.registers.write(Register.CONTROL, Control.START)
    errors = await bench.registers.read(Register.ERRORS)
    assert await bench.registers.read(Register.STATUS) & Status.RESETTING, "the packet was over before the errors were raised"
    bench.scoreboard.equal("sticky errors", Error.ACCESS | Error.START, Error(errors))
    dut.h_stall_i.value = 0
    dut.trace_stall_i.value = 0
    await bench.soft_reset()
    await clean_run(bench, generator)


@cocotb.test(timeout_time=10, timeout_unit="ms")
async def state_is_not_read_while_busy_or_beyond(dut):
    bench, generator = await loaded(dut)
    for tile, address, kind in ((bench.build.tiles, 0, 0), (0xFF, 0, 0), (0, bench.build.unit_depth, 0), (0, 0xFFFF, 0), (0, 0xFFFF, 1)):
        await expect_bus_error(bench.read_state(tile, address, kind))
        await bench.expect_errors(Error.ACCESS)
    await bench.begin(sequences_of(bench.network, [20], generator))
    await expect_bus_error(bench.read_state(0, 0))
    await bench.expect_errors(Error.ACCESS)
    await bench.finish(100000)
    await clean_run(bench, generator)


@cocotb.test(timeout_time=10, timeout_unit="ms")
async def unknown_addresses_answer_with_an_error(dut):
    bench, generator = await loaded(dut)
    holes = read_map().holes
    for address in (hole for hole in holes if not {hole - BUS_BYTES, hole + BUS_BYTES} <= {*holes}):  # those beside registers, the first and the last
        await expect_bus_error(bench.registers.read(address))
        await expect_bus_error(bench.registers.write(address, 1))
    await expect_bus_error(bench.registers.write(Register.ID, 0))
    await clean_run(bench, generator)


@cocotb.test(timeout_time=10, timeout_unit="ms")
async def an_error_raises_the_interrupt(dut):
    bench, generator = await loaded(dut)
    await bench.registers.write(Register.CONFIG, Config.IRQ_ENABLE)
    await bench.registers.write(Register.LAYERS, 0)
    await bench.registers.write(Register.CONTROL, Control.START)
    await RisingEdge(dut.clk_i)
    assert dut.irq_o.value == 1 and await bench.registers.read(Register.INTERRUPT) == 2
    await bench.registers.write(Register.INTERRUPT, 2)
    assert dut.irq_o.value == 0
    await bench.expect_errors(Error.START)
    await clean_run(bench, generator)


async def expect_bus_error(access):
    try:
        await access
    except BusError:
        return
    raise AssertionError("the access was answered with OKAY, not SLVERR")


def test_errors():
    run_on(__name__, SMALL)
