# SPDX-License-Identifier: MIT
"""Cocotb side of `tb.commands.soak`: one constrained-random run on one build. Every choice comes from the seed.

In the folder of the run, `situations` says in words what was chosen.
"""

import random
from pathlib import Path

import cocotb

from models.formats import MAX_UNITS
from tb.bench.agents import Packet, play_image
from tb.bench.drivers import clock_cycles, seed
from tb.bench.registers import Control, Error, Register
from tb.tests.lstm_accelerator.cases import any_network, harness, network_of, policies, random_state, sequences_of

ACTIONS_PER_NETWORK = 6
RATES = (0, 0, 0, 30, 128, 240)  # of stalls, in 1/256 of the cycles


def lengths(bench, generator) -> list:
    """Steps of each sequence; the largest layer takes a hundred thousand cycles for one."""
    large = max(layer.units for layer in bench.network.layers) == MAX_UNITS
    return [1] * generator.randint(1, 2) if large else [generator.randint(1, 6) for _ in range(generator.randint(1, 4))]


async def play(bench, generator):
    await bench.play(sequences_of(bench.network, lengths(bench, generator), generator), generator.choice(policies(bench.build)), trace=generator.random() < 0.8)


async def carry_state(bench, generator):
    if bench.state is None or generator.random() < 0.5:
        await bench.load_state(random_state(bench.network, generator))
    await bench.play(sequences_of(bench.network, lengths(bench, generator), generator), generator.choice(policies(bench.build)), stateful=True)


async def soft_reset(bench, generator):
    await bench.begin(sequences_of(bench.network, [8, 8], generator), generator.choice(policies(bench.build)))
    await clock_cycles(bench.dut, generator.randint(0, 2000))
    await bench.soft_reset()


async def hard_reset(bench, generator):
    network = bench.network
    await bench.begin(sequences_of(network, [8, 8], generator), generator.choice(policies(bench.build)))
    await clock_cycles(bench.dut, generator.randint(0, 2000))
    await bench.hard_reset()
    await bench.load(network)


async def another_network(bench, generator):
    build = bench.build
    if build.unit_depth >= MAX_UNITS and generator.random() < 0.5:
        await bench.load(network_of(generator.choice((1, 5, 64)), [MAX_UNITS], 1, generator))
    else:
        await bench.load(any_network(build, generator))


async def wrong_x(bench, generator):
    """An x packet a beat too long; the run is given up."""
    packet = Packet.of([*bench.image.encode_x(sequences_of(bench.network, [1], generator)[0][0, 0]), 0])
    await bench.registers.write(Register.LAYERS, bench.image.layers)
    await bench.registers.write(Register.CONTROL, Control.START)
    bench.x.append(packet)
    while not bench.dut.x_busy_o.value:
        await clock_cycles(bench.dut, 1)
    while bench.dut.x_busy_o.value:
        await clock_cycles(bench.dut, 1)
    await clock_cycles(bench.dut, 8)
    await bench.expect_errors(Error.X_LONG)
    await bench.soft_reset()


async def load_while_busy(bench, generator):
    """A load in the middle of a run, which must not notice it."""
    runs = await bench.begin(sequences_of(bench.network, [8, 8], generator))
    await play_image(bench.dut, Path("packet.hex"), [bench.image.packets()[0]])
    await clock_cycles(bench.dut, 8)
    await bench.expect_errors(Error.LOAD_BUSY)
    await bench.finish(bench.limit(runs))
    bench.state = runs[-1].state


ACTIONS = {play: 6, carry_state: 2, soft_reset: 2, hard_reset: 1, another_network: 2, wrong_x: 1, load_while_busy: 1}


@cocotb.test()
async def soak(dut):
    generator = random.Random(seed())
    stalls = {stream: generator.choice(RATES) for stream in ("x", "h", "trace", "image")} | {"patient": generator.random() < 0.2}
    bench = await harness(dut, **stalls)
    with open("situations", "w") as situations:
        def note(text):
            situations.write(text + "\n")
            situations.flush()

        note(f"stalls {stalls}")
        await another_network(bench, generator)
        for action in [*generator.choices(list(ACTIONS), ACTIONS.values(), k=ACTIONS_PER_NETWORK), play]:
            layers = bench.network.layers
            note(f"{action.__name__}: {layers[0].terms} terms of {layers[0].inputs} inputs, layers of {[layer.units for layer in layers]}")
            await action(bench, generator)
    bench.check()
