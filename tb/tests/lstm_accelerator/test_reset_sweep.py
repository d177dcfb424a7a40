# SPDX-License-Identifier: MIT
"""Soft and hard reset in every cycle of a run and of a load, with and without stalls: whatever was under way, what comes after equals the model.

The build and the network are the smallest that pass through all states; the classes of tile-cycles tell that they do. STRIDE of the
environment: one cycle in so many, from one on that the seed chooses.
"""

import os
import random
from pathlib import Path

import cocotb
import pytest

from models.build import Build
from models.policies import Policy
from tb.bench.agents import play_image
from tb.bench.drivers import clock_cycles, seed
from tb.tests.lstm_accelerator.cases import harness, network_of, run_on, sequences_of

TINY = Build(tiles=2, lanes=8, in_flight=2, weight_depth=256, unit_depth=16, activation_depth=16)
STALLS = {"no": {}, "some": {"x": 100, "h": 252, "trace": 100, "image": 100}}  # in 1/256 of the cycles; h waits longer than a step
DRAWS = 50  # of networks
BEYOND = 4  # cycles after the end of what is swept
NEVER = {"HL", "LH", "LL"}  # in the baseline build

sweep = cocotb.parametrize(reset=["soft", "hard"], stalls=[*STALLS])


async def begun(dut, stalls):
    """A harness, a network that is loaded, sequences under whose run all classes of tile-cycles occur, and the cycles of the run."""
    generator = random.Random(seed())
    bench = await harness(dut, **STALLS[stalls])
    never = (set() if bench.build.dynamic else NEVER) | (set() if STALLS[stalls] else {"WAIT_OUTPUT"})
    for _ in range(DRAWS):
        network = network_of(3, [2, 1], 2, generator)
        sequences = sequences_of(network, [2, 1], generator)
        await bench.load(network)
        measured = await bench.play(sequences, policy_of(bench))
        missing = {name for name, cycles in measured["classes"].items() if not cycles}
        if missing <= never:
            return bench, network, sequences, measured["cycles"]
    raise AssertionError(f"no run of {DRAWS} has all classes of cycles; the last lacks {missing}")


def policy_of(bench):
    return Policy.SENSITIVITY if bench.build.dynamic else None


def swept(cycles: int) -> range:
    """Every cycle up to a little after this one, or one in STRIDE."""
    stride = int(os.environ.get("STRIDE", 1))
    return range(seed() % stride, cycles + BEYOND, stride)


async def abort(bench, reset: str):
    await (bench.soft_reset() if reset == "soft" else bench.hard_reset())


@cocotb.test(timeout_time=1, timeout_unit="sec")
@sweep
async def a_reset_in_every_cycle_of_a_run(dut, reset, stalls):
    bench, network, sequences, length = await begun(dut, stalls)
    for cycles in swept(length):
        await bench.begin(sequences, policy_of(bench))
        await clock_cycles(dut, cycles)
        await abort(bench, reset)
        if reset == "hard":
            await bench.load(network)
        await bench.play(sequences, policy_of(bench))
    bench.check()


@cocotb.test(timeout_time=1, timeout_unit="sec")
@sweep
async def a_reset_in_every_cycle_of_a_load(dut, reset, stalls):
    bench, network, sequences, _ = await begun(dut, stalls)
    other = network_of(3, [2, 1], 2, random.Random(seed()))
    begin = int(dut.cycles_o.value)
    await bench.load(other)
    for cycles in swept(int(dut.cycles_o.value) - begin):
        loading = cocotb.start_soon(play_image(dut, Path("aborted.hex"), bench.image.packets()))
        await clock_cycles(dut, cycles)
        await abort(bench, reset)
        await loading
        await clock_cycles(dut, 8)
        await bench.expect_errors(0)
        await bench.load(network)
        await bench.play(sequences, policy_of(bench))
        await bench.load(other)
    bench.check()


BUILDS = {"dynamic": TINY, "baseline": TINY.baseline()}


@pytest.mark.parametrize("build", BUILDS)
def test_some_cycles(build):
    run_on(__name__, BUILDS[build], simulator="verilator", environment={"STRIDE": "37"})


@pytest.mark.slow
@pytest.mark.parametrize("build", BUILDS)
def test_every_cycle(build):
    run_on(__name__, BUILDS[build], simulator="verilator")


@pytest.mark.slow
@pytest.mark.parametrize("build", BUILDS)
def test_some_cycles_with_unknowns(build):
    run_on(__name__, BUILDS[build], simulator="icarus", environment={"STRIDE": "37"})
