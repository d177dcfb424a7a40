# SPDX-License-Identifier: MIT
"""Cocotb side of `tb.commands.functional`: one random case on one build, made for the bins of tb/bench/functional_coverage.py.

A case plays RUNS runs, each of a network of its own. Layers, stalls and shape of the sequences come from a shuffled list of all their combinations, so that a case
has none twice. After each run comes a reset while something is under way, after some an error; the next run shows what they left. Every choice comes from the seed.
"""

import random
from dataclasses import replace
from itertools import cycle, product
from pathlib import Path

import cocotb
import torch
from cocotb.handle import SimHandleBase

from codegen.registers import read_map
from models.compiler import Block
from models.formats import HEADER, Target
from models.levels import ALL, Level
from models.quantized_lstm import QuantizedLSTM
from tb.bench.agents import Packet, play_image
from tb.bench.drivers import clock_cycles, seed
from tb.bench.functional_coverage import ERRORS, LAYERS, LONG, SHAPES, STALLS, STROBES, WAYS
from tb.bench.harness import Harness
from tb.bench.registers import ALL_ERRORS, Control, Error, Register, refused
from tb.tests.lstm_accelerator.cases import harness, network_of, policies, sequences_of
from tb.tests.lstm_accelerator.test_reset_sweep import TINY

# Small, so that a run is short and every state of it is likely; one for each class of tiles.
BUILDS = {"one_tile": replace(TINY, tiles=1), "tiny": TINY, "three_tiles": replace(TINY, tiles=3), "six_tiles": replace(TINY, tiles=6),
          "twelve_tiles": replace(TINY, tiles=12), "tiny_baseline": TINY.baseline()}
RUNS = 40
RATES = (60, 200, 253)  # of stalls, in 1/256 of the cycles; with the highest, outputs wait longer than a step takes
STUCK = 255
RESETS_OF_A_RUN = 4
WALK = 14  # cycles, a little more than the row counters walk after a snapshot
LOWEST_WITH_LL = (Level(4, 4, 1), ALL)  # which random networks do not have otherwise
MOST_CYCLES = 5000  # until a packet of h has begun


def lengths_of(shape: str, generator: random.Random) -> list[int]:
    """Steps of each sequence of a run of a shape."""
    several = generator.randint(2, 3)
    return {"one step": [1], "one sequence": [generator.randint(2, 4)], "one long sequence": [generator.randint(LONG, LONG + 4)],
            "sequences of one step": [1] * several, "several sequences": [2, *(generator.randint(1, 3) for _ in range(several - 1))]}[shape]


def network_with(layers: str, tiles: int, generator: random.Random) -> QuantizedLSTM:
    """A network whose number of layers is in a class; as small as the builds are, and larger with more tiles, so that they have work."""
    low, _, high = layers.partition("-")
    count = generator.randint(int(low), int(high or low))
    most = max(2, (tiles + 6) // count)
    choices = {"levels": LOWEST_WITH_LL} if generator.random() < 0.2 else {}
    return network_of(generator.randint(1, 9), [generator.randint(1, most) for _ in range(count)], generator.choice((1, 1, 2)), generator, **choices)


def stall(bench: Harness, stalls: str, generator: random.Random) -> None:
    """Sets the stalls of the streams to those of a class."""
    x, outputs = stalls in ("x", "both"), stalls in ("h or trace", "both")
    stalled = generator.choice((("h",), ("trace",), ("h", "trace"))) if outputs else ()
    for stream in ("x", "h", "trace"):
        getattr(bench.dut, f"{stream}_stall_i").value = generator.choice(RATES) if stream in stalled or (stream == "x" and x) else 0
    bench.streams_stall = x or outputs


async def start(bench: Harness) -> None:
    """Starts a run that x is still to come for."""
    await bench.registers.write(Register.LAYERS, bench.image.layers)
    await bench.registers.write(Register.SEQUENCES, 1)
    await bench.registers.write(Register.CONTROL, Control.START)


def wrong_x(bench: Harness, beats: int, generator: random.Random) -> Packet:
    """A packet of x with so many beats more than it should have."""
    packet = bench.image.encode_x(sequences_of(bench.network, [1], generator)[0][0, 0])
    return Packet.of(packet + [0] * beats if beats > 0 else packet[:beats])


async def reset(bench: Harness, way: str) -> None:
    await (bench.soft_reset() if way == "soft reset" else bench.hard_reset())


async def until_h_is(bench: Harness, states: tuple[int, ...]) -> int:
    """Waits until h has one of these {valid, ready}; returns the cycles it took."""
    for cycles in range(MOST_CYCLES):
        if int(bench.dut.h_state_o.value) in states:
            return cycles
        await clock_cycles(bench.dut, 1)
    raise AssertionError(f"no packet of h in {MOST_CYCLES} cycles")


async def reset_when_idle(bench, way, run, generator):
    """But for the row counters, which may walk."""
    await bench.registers.write(Register.CONTROL, Control.SNAPSHOT)
    await clock_cycles(bench.dut, generator.randint(0, WALK))
    await reset(bench, way)


async def reset_in_a_run(bench, way, run, generator):
    """The run that was just played, up to a little after its end; some times, as most states are short."""
    (sequences, policy, cycles), network = run, bench.network
    for number in range(RESETS_OF_A_RUN):
        if number and way == "hard reset":
            await bench.load(network)
        await bench.begin(sequences, policy)
        await clock_cycles(bench.dut, generator.randint(0, cycles + 4))
        await reset(bench, way)


async def reset_before_a_packet(bench, way, run, generator):
    """A packet is due for a single cycle: the run tells when one begins, and is begun again for a reset in one of the cycles before."""
    sequences, policy, _ = run
    stall(bench, "none", generator)
    await bench.begin(sequences, policy)
    cycles = await until_h_is(bench, (0b10, 0b11))
    await bench.soft_reset()
    await bench.begin(sequences, policy)
    await clock_cycles(bench.dut, max(0, cycles - generator.randint(0, 5)))
    await reset(bench, way)


async def reset_in_a_load(bench, way, run, generator, target=None):
    packets = bench.image.packets()
    if target is not None:
        packets = [[HEADER.replace(packets[0][0], target=target), *[0] * 50]]
    bench.dut.image_stall_i.value = generator.choice((0, *RATES))
    loading = cocotb.start_soon(play_image(bench.dut, Path("aborted.hex"), packets))
    await clock_cycles(bench.dut, generator.randint(0, 2 * sum(map(len, packets))))
    await reset(bench, way)
    bench.dut.image_stall_i.value = 0
    await loading
    await clock_cycles(bench.dut, 8)
    await bench.registers.write(Register.ERRORS, ALL_ERRORS)  # of a header that came after the reset


async def reset_in_a_refused_load(bench, way, run, generator):
    await reset_in_a_load(bench, way, run, generator, len(Target))


async def reset_when_x_is_wrong(bench, way, run, generator):
    """Some cycles after a packet of x that is too long has begun, whose rest is discarded."""
    bench.dut.x_stall_i.value = generator.choice((0, *RATES[:-1]))
    await start(bench)
    bench.x.append(wrong_x(bench, 3, generator))
    while not bench.dut.x_busy_o.value:
        await clock_cycles(bench.dut, 1)
    await clock_cycles(bench.dut, generator.randint(0, 40))
    await reset(bench, way)


async def reset_while_resetting(bench, way, run, generator):
    """A soft reset waits for a packet of h that has begun, and another reset comes."""
    sequences, policy, _ = run
    await bench.begin(sequences, policy)
    bench.dut.h_stall_i.value = STUCK
    await until_h_is(bench, (0b10,))
    bench.x.clear()
    bench.dut.x_flush_i.value = 1
    for _ in range(1 + (way == "soft reset")):
        await bench.registers.write(Register.CONTROL, Control.SOFT_RESET)
    if way == "soft reset":
        bench.dut.h_stall_i.value = 0
    await reset(bench, way)
    bench.dut.x_flush_i.value = 0


RESETS = [reset_when_idle, *[reset_in_a_run] * 4, *[reset_before_a_packet] * 2, reset_in_a_load, reset_in_a_refused_load, reset_when_x_is_wrong, reset_while_resetting]


async def raise_error(bench: Harness, error: Error, generator: random.Random) -> None:
    """Raises one error, and no other."""
    build = bench.build
    packets = {Error.LOAD_TARGET: [HEADER.pack(target=len(Target), tile=0, address=0, words=1), 0],
               Error.LOAD_LENGTH: Block(Target.CELL, 0, 0, [0, 0]).packet(build)[:-1],
               Error.DESCRIPTOR: Block(Target.DESCRIPTORS, 0, 0, [0]).packet(build), Error.LOAD_BUSY: bench.image.packets()[0]}
    if error in (Error.X_SHORT, Error.X_LONG, Error.LOAD_BUSY):
        await start(bench)
    if error in packets:
        await play_image(bench.dut, Path("packet.hex"), [packets[error]])
    elif error is Error.START:
        await bench.registers.write(Register.LAYERS, 0)
        await bench.registers.write(Register.CONTROL, Control.START)
    elif error is Error.ACCESS:
        assert await refused(bench.read_state(build.tiles, 0)), "state of a tile that is not there"
    else:
        bench.x.append(wrong_x(bench, 1 if error is Error.X_LONG else -1, generator))
        while not await bench.registers.read(Register.ERRORS):
            pass
    await clock_cycles(bench.dut, 8)
    bench.scoreboard.equal("sticky errors", error, Error(await bench.registers.read(Register.ERRORS)))


async def clear_error(bench: Harness, error: Error, way: str) -> None:
    """Clears it, and ends the run that it may have left."""
    if way == "write":
        await bench.registers.write(Register.ERRORS, error)
        bench.scoreboard.equal("sticky errors", Error(0), Error(await bench.registers.read(Register.ERRORS)))
    await reset(bench, "soft reset" if way == "write" else way)
    bench.scoreboard.equal("sticky errors after a reset", Error(0), Error(await bench.registers.read(Register.ERRORS)))


async def write_with_every_strobe(bench: Harness, generator: random.Random) -> None:
    """Settings take the bytes that are strobed; CONTROL copies and clears counters or does nothing, and of ERRORS and INTERRUPT, which are 0, nothing is set."""
    values = {"CONTROL": lambda: generator.choice((0, Control.SNAPSHOT, Control.CLEAR)), "ID": lambda: 0}
    names = ["CONTROL", "CONFIG", "LAYERS", "SEQUENCES", "ERRORS", "INTERRUPT", "STATE_SELECT", "ID"]
    for register, strobe in product(map(read_map().register, names), range(len(STROBES))):
        value, before = values.get(register.name, lambda: generator.getrandbits(32))(), await bench.registers.read(register.address)
        answer = await refused(bench.registers.write(register.address, value, strobe))
        written = sum(0xFF << 8 * byte for byte in range(4) if strobe >> byte & 1) if register.access == "rw" else 0
        expected = (before & ~written | value & written) & (register.mask if written else -1)
        bench.scoreboard.equal_all(f"{register.name} with strobe {strobe:04b}", {"refused": register.name == "ID", "value": expected},
                                   {"refused": answer, "value": await bench.registers.read(register.address)})


@cocotb.test()
async def functional(dut: SimHandleBase) -> None:
    torch.set_num_threads(1)  # a core for each simulation
    generator = random.Random(seed())
    bench = await harness(dut)

    def shuffled(*factors):
        every = [*product(*factors)]
        return cycle(generator.sample(every, len(every)))

    runs, resets = shuffled(LAYERS, STALLS, SHAPES), shuffled(WAYS[1:], RESETS)
    errors = shuffled([error for error in ERRORS if bench.build.dynamic or error != "X_SHORT"], WAYS)  # x of the baseline build may have a single beat
    for number in range(RUNS):
        layers, stalls, shape = next(runs)
        stall(bench, stalls, generator)
        await bench.load(network_with(layers, bench.build.tiles, generator))
        if number == 0:
            await write_with_every_strobe(bench, generator)
        sequences, policy = sequences_of(bench.network, lengths_of(shape, generator), generator), generator.choice(policies(bench.build))
        measured = await bench.play(sequences, policy, timed=shape != "one long sequence")
        if number % 2:
            error, way = next(errors)
            await raise_error(bench, Error[error], generator)
            await clear_error(bench, Error[error], way)
        else:
            way, action = next(resets)
            await action(bench, way, (sequences, policy, measured["cycles"]), generator)
    bench.check()
