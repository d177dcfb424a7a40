# SPDX-License-Identifier: MIT
"""The largest memories that a build can have: a network at either end of them and anywhere between, and layers of many units and inputs."""

import random
from pathlib import Path

import cocotb

from models.build import MOST_WEIGHTS, Build
from models.compiler import Block, Image, demands, permute
from models.formats import ALL_TILES, MAX_LAYERS, Policy, Target
from models.levels import ALL, Level
from tb.bench.agents import play_image
from tb.bench.drivers import clock_cycles, seed
from tb.tests.lstm_accelerator.cases import harness, network_of, random_state, run_on, sequences_of

BUILD = Build(tiles=2, lanes=16, in_flight=4, weight_depth=MOST_WEIGHTS, unit_depth=1 << 16, activation_depth=2048)


def moved(image: Image, network, share: float) -> None:
    """Moves everything in an image by a share of the room that is left in each memory: weights, units, activations."""
    _, memories = demands(network.layers, image.build)
    weights, units, words = (int(share * (room - needed)) for _, needed, room, _ in memories)
    _, used_units, used_words = (needed for _, needed, _, _ in memories)
    for place in image._places:
        place.w_base, place.unit_base, place.x_addr, place.h_addr = place.w_base + weights, place.unit_base + units, place.x_addr + words, place.h_addr + words
    zeros = [Block(Target.CELL, ALL_TILES, units, [0] * used_units)]
    zeros += [Block(Target.ACTIVATIONS, ALL_TILES, bank * image.build.activation_depth + words, [0] * used_words) for bank in (0, 1)]
    image.blocks = image._layout(permute(network, image.order))[:-len(zeros)] + zeros  # in place of zeros up to there


@cocotb.test()
async def a_network_anywhere_in_the_memories(dut):
    generator, bench = random.Random(seed()), await harness(dut)
    for share in (0.0, 1.0, *(generator.random() for _ in range(4))):
        network = network_of(generator.choice((1, 20)), [generator.randint(1, 20), generator.randint(1, 9)], generator.choice((1, 2)), generator)
        order = [[*range(layer.units)] for layer in network.layers]
        bench.network, bench.image, bench.state = network, Image(network, bench.build, order), None
        moved(bench.image, network, share)
        await play_image(dut, Path("image.hex"), bench.image.packets())
        await clock_cycles(dut, 8)
        await bench.expect_errors(0)
        await bench.play(sequences_of(network, [2, 1], generator))
        await bench.load_state(random_state(network, generator))
        await bench.play(sequences_of(network, [2], generator), Policy.CELL_HISTORY, stateful=True)
    bench.check()


@cocotb.test()
async def layers_of_many_units(dut):
    """The most that a layer can have, and the most inputs; sizes between them change every bit of a size."""
    generator, bench = random.Random(seed()), await harness(dut)
    for inputs, units in ((1024, 3), (3, 1024), (2, 479), (991, 3)):
        await bench.load(network_of(inputs, [units], 1, generator))
        await bench.play(sequences_of(bench.network, [2 if units == 3 else 1], generator), Policy.STATIC_LOW if units > 3 else None)
    bench.check()


@cocotb.test()
async def the_lowest_level_has_all_quarters_of_a_segment(dut):
    """In as many layers as there can be: what refines them is quarters of another segment."""
    generator, bench = random.Random(seed()), await harness(dut)
    for levels in ((Level(4, 4, 1), Level(4, 4, 2), ALL), (Level(1, 0, 4), Level(2, 0, 4), ALL), (Level(4, 2, 3), ALL)):
        await bench.load(network_of(19, [generator.randint(1, 5) for _ in range(MAX_LAYERS)], 2, generator, levels=levels))
        for policy in (None, Policy.SENSITIVITY, Policy.STATIC_HIGH):
            await bench.play(sequences_of(bench.network, [3, 1], generator), policy)
    bench.check()


def test_far_end():
    run_on(__name__, BUILD)
