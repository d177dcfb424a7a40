# SPDX-License-Identifier: MIT
"""The largest layer that is legal: 1024 units, whose image alone is a quarter of a million beats."""

import random

import cocotb
import pytest

from models.build import Build
from models.policies import Policy
from tb.bench.drivers import seed
from tb.tests.lstm_accelerator.cases import harness, network_of, random_state, run_on, sequences_of

BUILD = Build(tiles=4, lanes=64, in_flight=8, weight_depth=17408, unit_depth=256, activation_depth=32)
ONE_TILE = Build(tiles=1, lanes=64, in_flight=8, weight_depth=69632, unit_depth=1024, activation_depth=32)  # full to the last word and unit


@cocotb.test()
async def the_most_units(dut):
    generator, bench = random.Random(seed()), await harness(dut)
    await bench.load(network_of(5, [1024], 1, generator))
    for policy in (Policy.SENSITIVITY, Policy.STATIC_HIGH):
        await bench.play(sequences_of(bench.network, [2, 1], generator), policy)
    await bench.load_state(random_state(bench.network, generator))
    await bench.play(sequences_of(bench.network, [1], generator), Policy.CELL_HISTORY, stateful=True)
    bench.check()


@pytest.mark.slow
@pytest.mark.parametrize("build", [BUILD, ONE_TILE], ids=["four_tiles", "one_tile"])
def test_most_units(build):
    run_on(__name__, build)
