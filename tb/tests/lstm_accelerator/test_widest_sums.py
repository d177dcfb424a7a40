# SPDX-License-Identifier: MIT
"""The widest sums that are legal: 1024 inputs of two terms, with extreme weights and inputs."""

import random

import cocotb
import torch

from models.build import Build
from tb.bench.drivers import seed
from tb.tests.lstm_accelerator.cases import WEIGHT_HIGH, WEIGHT_LOW, harness, network_of, play_all, run_on, single

INPUTS = 1024
BUILD = Build(tiles=2, lanes=64, in_flight=2, weight_depth=256, unit_depth=8, activation_depth=64)


@cocotb.test()
async def the_widest_sums(dut):
    generator, bench = random.Random(seed()), await harness(dut)
    layer = network_of(INPUTS, [5], 2, generator).layers[0]
    sign = torch.ones(20, INPUTS, dtype=torch.int64)
    sign[1::5], sign[2::5, INPUTS // 2:], sign[3::5, ::2] = -1, -1, -1
    extreme = torch.where(sign > 0, WEIGHT_HIGH, WEIGHT_LOW)
    choice = torch.randint(0, 2, (1, 3, 2, INPUTS), generator=torch.Generator().manual_seed(seed()), dtype=torch.int8)
    steps = [torch.full((1, 1, 2, INPUTS), value, dtype=torch.int8) for value in (-127, 127)]
    sequences = [torch.cat([*steps, 254 * choice.short() - 127], 1).to(torch.int8)]
    for mantissa, shift in ((65535, 24), (65535, 0), (1, 10)):
        await play_all(bench, single(layer, w_ih=extreme, m=mantissa, s=shift), sequences)
    bench.check()


def test_widest_sums():
    run_on(__name__, BUILD)
