# SPDX-License-Identifier: MIT
"""Images whose descriptors are legal one by one and wrong together: whatever they do, a soft reset ends it, no port is X, and a good network runs after it.

Before it, all memories are filled: by random words, and those of h and decisions by a run. An X at a port is then one of the design, not of a word that
nobody wrote.
"""

import random
from pathlib import Path

import cocotb
import pytest
from cocotb.triggers import with_timeout

from models.compiler import Block, compile_image
from models.formats import ALL_TILES, BEAT_WIDTH, DESCRIPTOR, MAX_LAYERS, Target
from models.policies import DECIDING
from tb.bench.agents import Packet, play_image
from tb.bench.drivers import PERIOD, clock_cycles, seed
from tb.bench.registers import Config, Control, Register
from tb.tests.lstm_accelerator.cases import harness, network_of, run_on, sequences_of
from tb.tests.lstm_accelerator.test_reset_sweep import BUILDS

IMAGES = {"verilator": 100, "icarus": 8}
RUN_CYCLES, RESET_CYCLES = 1500, 1000
RATES = (0, 60, 200)  # of stalls, in 1/256 of the cycles


def small_network(generator):
    return network_of(generator.choice((1, 3, 9)), generator.choices((1, 2, 4), k=generator.randint(1, 3)), generator.choice((1, 2)), generator)


def everything(build, generator) -> list[list[int]]:
    """Packets of random words for all memories."""
    targets = [target for target in Target if target is not Target.DESCRIPTORS and target.depth(build)]
    return [Block(target, ALL_TILES, 0, [generator.getrandbits(target.bits(build)) for _ in range(target.depth(build))]).packet(build) for target in targets]


def descriptors_of(network, build) -> dict:
    """Words by (layer, tile)."""
    blocks = [block for block in compile_image(network, build).blocks if block.target is Target.DESCRIPTORS]
    return {(block.address, tile): block.words[0] for block in blocks for tile in range(build.tiles) if block.tile in (tile, ALL_TILES)}


def moved(word: int, build, generator) -> int:
    """The descriptor at other places, of which it fits into each."""
    field = DESCRIPTOR.unpack(word)
    x, h, slots = field["x_words"] * (1 + field["two_terms"]), field["h_words"], field["slots"]
    room = {"x_addr": build.activation_depth - x, "h_addr": build.activation_depth - h, "unit_base": build.unit_depth - slots,
            "w_base": build.weight_depth - 4 * slots * (field["x_words"] + h)}
    chosen = generator.sample(sorted(room), generator.randint(1, len(room)))
    return DESCRIPTOR.replace(word, **{name: generator.randint(0, room[name]) for name in chosen})


def hostile(build, generator) -> dict:
    """Descriptors by (layer, tile), each of one of several networks and of any of its layers, some of them moved."""
    kinds = [descriptors_of(small_network(generator), build) for _ in range(3)]
    strange = generator.choice((0.1, 0.5, 1.0))  # share of what is wrong
    found = {}
    for layer in range(generator.randint(1, MAX_LAYERS)):
        for tile in range(build.tiles):
            source = generator.choice(kinds) if generator.random() < strange else kinds[0]
            fits = [word for (number, of), word in source.items() if of == tile and (number == 0 or layer)]
            word = generator.choice([word for word in fits if not layer or not DESCRIPTOR.unpack(word)["two_terms"]] or fits[:1])
            if layer:
                word = DESCRIPTOR.replace(word, two_terms=0)
            found[layer, tile] = moved(word, build, generator) if generator.random() < strange else word
    return found


def x_packet(word: int, build, generator) -> Packet:
    """Random x of the length that a descriptor asks for, now and then a beat more or less."""
    field = DESCRIPTOR.unpack(word)
    bits = 8 * build.dot_lanes * field["x_words"] * (1 + field["two_terms"])
    beats = max(1, -(-bits // BEAT_WIDTH) + build.dynamic + generator.choice((0, 0, 0, 0, 0, 0, -1, 1)))
    return Packet(generator.getrandbits(BEAT_WIDTH * beats), beats, generator.random() < 0.5)


async def mistreat(bench, generator):
    """Loads a hostile image and starts it; ends after some time."""
    dut, build = bench.dut, bench.build
    descriptors = hostile(build, generator)
    packets = [Block(Target.DESCRIPTORS, tile, layer, [word]).packet(build) for (layer, tile), word in descriptors.items()]
    await play_image(dut, Path("hostile.hex"), packets)
    await clock_cycles(dut, 8)
    await bench.expect_errors(0)  # legal one by one
    await bench.registers.write(Register.LAYERS, 1 + max(layer for layer, _ in descriptors))
    await bench.registers.write(Register.SEQUENCES, generator.randint(1, 3))
    override = Config.OVERRIDE | Config.policy(generator.choice(DECIDING)) if build.dynamic and generator.random() < 0.5 else 0
    await bench.registers.write(Register.CONFIG, Config.TRACE | Config.STATEFUL * generator.randrange(2) | override)
    await bench.registers.write(Register.CONTROL, Control.START)
    for _ in range(8):
        bench.x.append(x_packet(descriptors[0, generator.randrange(build.tiles)], build, generator))
    await clock_cycles(dut, generator.randint(1, RUN_CYCLES))


@cocotb.test(timeout_time=1, timeout_unit="sec")
async def there_is_always_a_way_out(dut):
    generator = random.Random(seed())
    bench, ended = await harness(dut), 0
    await bench.load(network_of(9, [4] * MAX_LAYERS, 2, generator))
    await bench.play(sequences_of(bench.network, [4], generator))  # every position of both banks
    for _ in range(IMAGES["verilator" if cocotb.SIM_NAME.startswith("Verilator") else "icarus"]):
        for stream in ("x", "h", "trace"):
            getattr(dut, f"{stream}_stall_i").value = generator.choice(RATES)
        await play_image(dut, Path("words.hex"), everything(bench.build, generator))
        bench.scoreboard.muted = True  # what comes means nothing
        before = bench.h.stats.received_transactions
        await mistreat(bench, generator)
        await with_timeout(bench.soft_reset(), RESET_CYCLES * PERIOD, "ns")
        ended += bench.h.stats.received_transactions - before
        bench.scoreboard.muted = False
        await bench.expect_errors(0)
        bench.streams_stall = True
        await bench.load(small_network(generator))
        await bench.play(sequences_of(bench.network, [2, 1], generator))
    assert ended, "no hostile image has ever finished a step"
    bench.check()


@pytest.mark.parametrize("simulator", ["verilator", pytest.param("icarus", marks=pytest.mark.slow)])
@pytest.mark.parametrize("build", BUILDS)
def test_hostile_images(build, simulator):
    run_on(__name__, BUILDS[build], simulator=simulator)
