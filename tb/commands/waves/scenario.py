# SPDX-License-Identifier: MIT
"""Cocotb side of `tb.commands.waves.timing`: what its diagrams show, one test after the other in one run of the smallest build."""

import random

import cocotb
from cocotb.handle import SimHandleBase
from cocotb.triggers import RisingEdge

from models.formats import Level, Policy
from models.levels import LEVELS
from models.quantized_lstm import QuantizedLSTM
from models.tests.random_networks import random_input, random_network
from tb.bench.drivers import seed
from tb.bench.registers import counter_address
from tb.tests.lstm_accelerator.cases import harness, network_of, sequences_of

INPUTS = 8  # a word


def network_with_all_levels() -> tuple[QuantizedLSTM, list]:
    """A network of one unit, and one step after which its rows end at all three levels."""
    for number in range(1000):
        network = random_network(number, INPUTS, [1], levels=LEVELS["HH 3/4 all"], exponents=False)
        x = random_input(number, network, 1, 1)
        if set(network.run(x, Policy.SENSITIVITY, override=True).levels[0].flatten().tolist()) == set(Level):
            return network, [x]
    raise AssertionError("no network found")


@cocotb.test()
async def one_unit(dut: SimHandleBase) -> None:
    bench = await harness(dut)
    await bench.registers.read64(counter_address(0))
    network, sequences = network_with_all_levels()
    await bench.load(network)
    for policy in (Policy.STATIC_HIGH, Policy.SENSITIVITY):
        await bench.play(sequences, policy)
    bench.check()


@cocotb.test()
async def soft_reset_within_a_packet(dut: SimHandleBase) -> None:
    """Three beats of h a step, taken slowly: the reset comes before the last of them."""
    generator, bench = random.Random(seed()), await harness(dut, h=200)
    await bench.load(network_of(INPUTS, [33], 1, generator))
    await bench.begin(sequences_of(bench.network, [4], generator), trace=False)
    while not dut.accelerator.m_h_tvalid_o.value:
        await RisingEdge(dut.clk_i)
    await bench.soft_reset()
