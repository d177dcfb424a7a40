# SPDX-License-Identifier: MIT
"""Builds, random networks and runs that the tests of the accelerator share."""

import json
import os
import random
from dataclasses import asdict, replace

import torch

from models.build import Build
from models.policies import BUILD_POLICIES, Policy
from models.quantized_lstm import QuantizedLSTM, State
from models.tests.random_networks import random_input, random_network
from tb.bench.drivers import seed
from tb.bench.harness import Harness, parameters
from tb.bench.runner import run

WEIGHT_LOW, WEIGHT_HIGH = -127, 119
SMALL = Build(tiles=2, lanes=8, in_flight=4, weight_depth=1024, unit_depth=64, activation_depth=64)
BUILDS = {
    "small": SMALL,
    "small_baseline": SMALL.baseline(),
    "three_tiles": Build(tiles=3, lanes=8, in_flight=2, weight_depth=2048, unit_depth=32, activation_depth=64),
    "one_tile": Build(tiles=1, lanes=64, in_flight=8, weight_depth=1024, unit_depth=128, activation_depth=32),
    "sixteen_tiles": Build(tiles=16, lanes=16, in_flight=4, weight_depth=1024, unit_depth=32, activation_depth=64),
    "eleven_tiles_baseline": Build(tiles=11, lanes=16, in_flight=4, weight_depth=1024, unit_depth=32, activation_depth=32).baseline(),
}
# What else the soak plays: as many tiles as there can be, and all units of the largest layer in one.
SOAK_BUILDS = BUILDS | {
    "sixteen_tiles": Build(tiles=16, lanes=16, in_flight=4, weight_depth=512, unit_depth=16, activation_depth=64),
    "largest_layer": Build(tiles=1, lanes=64, in_flight=8, weight_depth=69632, unit_depth=1024, activation_depth=32),
}


def run_on(module: str, build: Build, environment: dict | None = None, **arguments):
    """Runs the cocotb tests of a module on a build; arguments as of tb.bench.runner.run. Returns the folder of the run."""
    environment = {"BUILD": json.dumps(asdict(build)), **(environment or {})}
    return run(module, "harness", parameters(build), environment=environment, **arguments)


async def harness(dut, **stalls) -> Harness:
    """In a cocotb test: a started harness of the build of run_on."""
    bench = Harness(dut, Build(**json.loads(os.environ["BUILD"])))
    await bench.start(seed(), **stalls)
    return bench


def policies(build: Build) -> list:
    """Overrides to test: None leaves each layer its own."""
    return [None, *BUILD_POLICIES] if build.dynamic else [None]


def network_of(inputs: int, units: list[int], terms: int, generator: random.Random, **choices) -> QuantizedLSTM:
    """A random network whose layers have policies of their own; choices: of random_network, such as levels."""
    network = random_network(generator.getrandbits(30), inputs, units, terms, **choices)
    layers = [replace(layer, policy=Policy(generator.randrange(len(BUILD_POLICIES)))) for layer in network.layers]
    return QuantizedLSTM(layers, network.input_scales, network.order)


def any_network(build: Build, generator: random.Random) -> QuantizedLSTM:
    """1 to 3 layers; sizes one, odd, prime, multiples of a beat, of lanes and of tiles and one beside, as far as the smallest build holds them."""
    lanes = build.dot_lanes
    sizes = [size for size in (1, 2, 7, 13, 16, 17, lanes - 1, lanes, lanes + 1, 2 * lanes + 1, build.tiles, build.tiles + 1) if 1 <= size <= 33]
    inputs, terms = generator.choice([*sizes, 17, lanes + 1]), generator.choice((1, 1, 2))
    return network_of(inputs, generator.choices(sizes, k=generator.randint(1, 3)), terms, generator)


def single(layer, bias=None, **fields) -> QuantizedLSTM:
    """A network of one layer, with some fields replaced; a number fills the whole tensor. bias: of every level, a number or a tensor [units, 4]."""
    if bias is not None:
        biases = torch.as_tensor(bias).expand_as(layer.b)
        fields |= {"b": biases, "b_level": biases.expand_as(layer.b_level)}
    fields = {name: torch.full_like(getattr(layer, name), value) if isinstance(value, int) and torch.is_tensor(getattr(layer, name)) else value
              for name, value in fields.items()}
    layer = replace(layer, **fields)
    return QuantizedLSTM([layer], [0.01, 0.01 / 238][:layer.terms])


def sequences_of(network: QuantizedLSTM, lengths, generator: random.Random) -> list:
    """Random sequences of these numbers of steps."""
    return [random_input(generator.getrandbits(30), network, 1, steps) for steps in lengths]


def random_state(network: QuantizedLSTM, generator: random.Random) -> State:
    """Any h, c and history, as a host may load them."""
    numbers = torch.Generator().manual_seed(generator.getrandbits(30))

    def integers(low, high):
        return [torch.randint(low, high + 1, (1, layer.units), generator=numbers, dtype=torch.int32) for layer in network.layers]

    return State(integers(-120, 119), integers(-32768, 32767), integers(0, 31))


async def play_all(bench, network, sequences, **arguments):
    """Loads a network and plays sequences under every policy."""
    await bench.load(network)
    for policy in policies(bench.build):
        await bench.play(sequences, policy, **arguments)
