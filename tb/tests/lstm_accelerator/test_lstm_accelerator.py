# SPDX-License-Identifier: MIT
"""The accelerator against the models: random networks on random builds; every output, decision, state and work counter compared."""

import random

import cocotb
import pytest

from codegen.registers import read_map
from models.policies import DECIDING
from tb.bench.drivers import clock_cycles, seed
from tb.bench.register_map import Build as Fields
from tb.bench.registers import Register
from tb.tests.lstm_accelerator.cases import BUILDS, any_network, harness, network_of, policies, random_state, run_on, sequences_of

# Rates in 1/256 of the cycles.
STALLS = {"no_stalls": {}, "slow_input": dict(x=230), "slow_output": dict(h=253, trace=235), "all_stall": dict(x=100, h=100, trace=100, image=60),
          "slow_trace": dict(trace=253)}


@cocotb.test()
@cocotb.parametrize(stalls=list(STALLS.values()))
async def random_networks(dut, stalls):
    generator, bench = random.Random(seed()), await harness(dut, **stalls)
    for _ in range(4):
        await bench.load(any_network(bench.build, generator))
        for policy in policies(bench.build):
            lengths = [generator.randint(1, 5) for _ in range(generator.randint(1, 3))]
            await bench.play(sequences_of(bench.network, lengths, generator), policy)
    bench.check()


@cocotb.test()
@cocotb.parametrize(stalls=[STALLS["no_stalls"], STALLS["slow_output"]])
async def the_smallest_networks(dut, stalls):
    """And the smallest with two beats of h: with a slow output the next step is complete before the second one is fetched."""
    generator, bench = random.Random(seed()), await harness(dut, **stalls)
    for inputs, units, terms in ((1, [1], 1), (1, [1] * 8, 2), (2, [1, 2], 2), (1, [17], 1)):
        await bench.load(network_of(inputs, units, terms, generator))
        for policy in policies(bench.build):
            await bench.play(sequences_of(bench.network, [1, 1, 3, 1], generator), policy)
    bench.check()


@cocotb.test()
async def without_trace_nothing_is_traced(dut):
    generator, bench = random.Random(seed()), await harness(dut)
    await bench.load(any_network(bench.build, generator))
    await bench.play(sequences_of(bench.network, [3, 2], generator), trace=False)
    await bench.play(sequences_of(bench.network, [2], generator), trace=True)
    bench.check()


@cocotb.test()
@cocotb.parametrize(stalls=[STALLS["no_stalls"], STALLS["all_stall"]])
async def state_is_carried_and_loaded(dut, stalls):
    generator, bench = random.Random(seed()), await harness(dut, **stalls)
    await bench.load(any_network(bench.build, generator))
    await bench.play(sequences_of(bench.network, [3], generator))
    await bench.play(sequences_of(bench.network, [1, 2], generator), stateful=True)
    await bench.play(sequences_of(bench.network, [2], generator), stateful=True)
    for policy in DECIDING:
        await bench.load_state(random_state(bench.network, generator))
        await bench.play(sequences_of(bench.network, [2, 1], generator), policy, stateful=True)
    await bench.play(sequences_of(bench.network, [2], generator))
    bench.check()


@cocotb.test()
async def a_sequence_forgets_the_state_before(dut):
    """Also where a unit of its first step is finished right before one of its second."""
    generator, bench = random.Random(seed()), await harness(dut)
    for _ in range(6):
        await bench.load(network_of(3, [generator.randint(1, 9), generator.randint(1, 9)], 1, generator))
        for policy in policies(bench.build):
            await bench.load_state(random_state(bench.network, generator))
            await bench.play(sequences_of(bench.network, [2], generator), policy)
    bench.check()


@cocotb.test()
async def a_soft_reset_leaves_a_clean_accelerator(dut):
    generator, bench = random.Random(seed()), await harness(dut, h=60, trace=60)
    await bench.load(any_network(bench.build, generator))
    for _ in range(20):
        await bench.begin(sequences_of(bench.network, [5, 4], generator))
        await clock_cycles(dut, generator.randint(0, 400))
        await bench.soft_reset()
        await bench.play(sequences_of(bench.network, [generator.randint(1, 3), 1], generator))
    bench.check()


@cocotb.test()
async def a_hard_reset_leaves_a_clean_accelerator(dut):
    generator, bench = random.Random(seed()), await harness(dut)
    network = any_network(bench.build, generator)
    await bench.load(network)
    await bench.begin(sequences_of(network, [5], generator))
    await clock_cycles(dut, generator.randint(20, 200))
    await bench.hard_reset()
    await bench.load(network)
    await bench.play(sequences_of(network, [3], generator))
    bench.check()


@cocotb.test()
async def identity_and_capabilities(dut):
    bench = await harness(dut)
    build = bench.build
    expected = {
        Register.ID: int.from_bytes(b"LSTM", "big"), Register.VERSION: read_map().register("VERSION").reset,
        Register.BUILD: Fields.tiles(build.tiles) | Fields.lanes(build.lanes) | Fields.in_flight(build.in_flight) | Fields.DYNAMIC * build.dynamic,
        Register.WEIGHT_DEPTH: build.weight_depth, Register.UNIT_DEPTH: build.unit_depth, Register.ACTIVATION_DEPTH: build.activation_depth,
    }
    got = {register: await bench.registers.read(register) for register in expected}
    bench.scoreboard.equal_all("registers", expected, got)
    bench.check()


@pytest.mark.parametrize("name", BUILDS)
def test_lstm_accelerator(name):
    run_on(__name__, BUILDS[name])
