# SPDX-License-Identifier: MIT
"""Cocotb side of `tb.commands.endurance`: one case, which plays random networks on one build until GOAL values have been compared.

What the soak does (soak.py) with each network, and a long run of it, in which everything but cycles is compared. Every choice comes from the seed.
Writes `compared.json`: values that the scoreboard compared, by monitor, and seconds of a processor; of a failure, those compared before.
"""

import json
import os
import random
import time
from pathlib import Path
from types import SimpleNamespace

import cocotb
import torch
from cocotb.handle import SimHandleBase

from models.build import Build
from models.compiler import demands
from models.formats import GATES, MAX_LAYERS, MAX_UNITS
from models.quantized_lstm import QuantizedLSTM
from tb.bench.drivers import seed
from tb.bench.harness import Harness
from tb.tests.lstm_accelerator import soak
from tb.tests.lstm_accelerator.cases import harness, network_of, policies, sequences_of

ACTIONS = {action: weight for action, weight in soak.ACTIONS.items() if action is not soak.another_network}
ACTIONS_PER_NETWORK = 2
LONG_VALUES, LONG_CYCLES = 200_000, 400_000  # of a long run, whichever it reaches first
MOST_INPUTS = 256


def network_that_fits(build: Build, generator: random.Random) -> QuantizedLSTM:
    """1 to 8 layers of random sizes, made smaller until the build holds them."""
    units = [generator.randint(1, min(MAX_UNITS, build.unit_depth * build.tiles)) for _ in range(generator.randint(1, MAX_LAYERS))]
    inputs, terms = generator.randint(1, MOST_INPUTS), generator.choice((1, 1, 2))
    while True:
        layers = [SimpleNamespace(inputs=below, units=own, terms=1 if number else terms) for number, (below, own) in enumerate(zip([inputs, *units], units))]
        if all(needed <= available for _, needed, available, _ in demands(layers, build)[1]):
            return network_of(inputs, units, terms, generator)
        largest = max(range(len(units)), key=units.__getitem__)
        if units[largest] > 1 and units[largest] >= inputs:
            units[largest] = generator.randint(1, units[largest] - 1)
        elif inputs > 1:
            inputs = generator.randint(1, inputs - 1)
        else:
            units.pop()


def steps_of(network: QuantizedLSTM, build: Build, most: int) -> int:
    """Steps of a long run, which compares `most` values at most."""
    values = network.layers[-1].units + sum(len(GATES) * layer.units for layer in network.layers)
    cycles = sum(2 * len(GATES) * -(-layer.units // build.tiles) * build.row_words(layer) for layer in network.layers)  # at two quarters a row
    return max(1, min(most // values, LONG_CYCLES // cycles))


async def long_run(bench: Harness, generator: random.Random, most: int) -> None:
    """One or two sequences under a policy, from a state or without one."""
    steps = steps_of(bench.network, bench.build, most)
    lengths = [steps] if generator.random() < 0.5 else [steps - steps // 3, steps // 3 or 1]
    stateful = bench.state is not None and generator.random() < 0.3
    await bench.play(sequences_of(bench.network, lengths, generator), generator.choice(policies(bench.build)), stateful=stateful, timed=False)


@cocotb.test()
async def endurance(dut: SimHandleBase) -> None:
    torch.set_num_threads(1)  # a core for each simulation
    generator, goal = random.Random(seed()), int(os.environ["GOAL"])
    stalls = {stream: generator.choice(soak.RATES) for stream in ("x", "h", "trace", "image")} if generator.random() < 0.5 else {}
    bench = await harness(dut, **stalls, patient=generator.random() < 0.2)
    counts = bench.scoreboard.counts
    try:
        while counts.total() < goal:
            await bench.load(network_that_fits(bench.build, generator))
            for action in generator.choices(list(ACTIONS), ACTIONS.values(), k=ACTIONS_PER_NETWORK):
                await action(bench, generator)
            await long_run(bench, generator, min(goal, LONG_VALUES))
        bench.check()
    finally:
        compared = {name.rsplit(".", 1)[-1]: count for name, count in counts.items()}
        Path("compared.json").write_text(json.dumps({"compared": compared, "cpu_seconds": round(time.process_time(), 2)}))
