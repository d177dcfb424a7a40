# SPDX-License-Identifier: MIT
"""Power-up: flip-flops and memories begin with anything (random bits under Verilator, X under Icarus), and after reset it is as if they had not."""

import random

import cocotb
import pytest

from tb.bench.drivers import clock_cycles, seed
from tb.bench.registers import ROWS_BLOCKS, Control, Counter, Error, Register, Row, Status, counter_address, row_address
from tb.bench.runner import environment_seed
from tb.tests.lstm_accelerator.cases import SMALL, any_network, harness, policies, run_on, sequences_of

LAYERS = ROWS_BLOCKS


async def read_counters(bench) -> set:
    """The values of all counters as of the last snapshot."""
    addresses = [counter_address(number) for number in Counter]
    addresses += [row_address(layer, field) for layer in range(LAYERS) for field in Row]
    return {await bench.registers.read64(address) for address in addresses}


@cocotb.test()
async def registers_hold_their_reset_values(dut):
    bench = await harness(dut)
    await clock_cycles(dut, 20)
    expected = {Register.STATUS: 0, Register.CONFIG: 0, Register.LAYERS: 1, Register.SEQUENCES: 1, Register.ERRORS: 0, Register.INTERRUPT: 0,
                Register.STATE_SELECT: 0}
    bench.scoreboard.equal_all("registers", expected, {register: await bench.registers.read(register) for register in expected})
    bench.scoreboard.equal("counters of no snapshot", {0}, await read_counters(bench))
    await bench.registers.write(Register.CONTROL, Control.SNAPSHOT)
    bench.scoreboard.equal("counters", {0}, await read_counters(bench))
    bench.check()


@cocotb.test()
async def no_layer_is_valid(dut):
    bench = await harness(dut)
    for layers in range(1, LAYERS + 1):
        await bench.registers.write(Register.LAYERS, layers)
        await bench.registers.write(Register.CONTROL, Control.START)
        await bench.expect_errors(Error.START)
    bench.scoreboard.equal("busy", 0, await bench.registers.read(Register.STATUS) & Status.BUSY)
    bench.check()


@cocotb.test()
async def memories_hold_what_nobody_knows(dut):
    """What is read before it was written is X, or random bits: no constant hides it."""
    bench, words = await harness(dut), set()
    for tile in range(bench.build.tiles):
        for address in range(8):
            try:
                words.add(await bench.read_state(tile, address))
            except ValueError:  # X
                words.add((tile, address))
    assert len(words) > 8, f"cells before the first load: {words}"


@cocotb.test()
async def the_first_runs_are_exact(dut):
    generator, bench = random.Random(seed()), await harness(dut)
    await bench.load(any_network(bench.build, generator))
    for policy in policies(bench.build):
        await bench.play(sequences_of(bench.network, [generator.randint(1, 4), 2], generator), policy)
    bench.check()


@pytest.mark.parametrize("build", [SMALL, SMALL.baseline()], ids=["dynamic", "baseline"])
def test_unknown_power_up(build):
    run_on(__name__, build, simulator="icarus")


@pytest.mark.parametrize("power_up", range(1, 5))
def test_random_power_up(power_up):
    run_on(__name__, SMALL, simulator="verilator", flags=("--x-assign", "unique"), seed=environment_seed() + power_up)
