# SPDX-License-Identifier: MIT
"""The widest sums that are legal: 1024 inputs of two terms, with extreme weights and inputs; of each quarter, too."""

import random

import cocotb
import pytest
import torch

from models.build import Build
from models.formats import MAX_UNITS
from models.layer import ACTIVATIONS, split_activations, split_planes
from tb.bench.drivers import seed
from tb.tests.lstm_accelerator.cases import WEIGHT_HIGH, WEIGHT_LOW, harness, network_of, play_all, run_on, single

INPUTS, UNITS = MAX_UNITS, 5
LEAST_LOWER = -120  # upper half -7, lower half -8
BUILD = Build(tiles=2, lanes=64, in_flight=2, weight_depth=256, unit_depth=8, activation_depth=64)


def largest_of_quarters(w: torch.Tensor, a: torch.Tensor) -> list[int]:
    """The largest |sum| of HH, HL, LH and LL over all rows [rows, inputs] and vectors [vectors, inputs]."""
    upper = split_activations(a)[0]
    return [(weights.long() @ values.long().T).abs().max().item() for weights in split_planes(w) for values in (upper, a - 16 * upper)]


@cocotb.test()
async def the_widest_sums(dut):
    generator, bench = random.Random(seed()), await harness(dut)
    layer = network_of(INPUTS, [UNITS], 2, generator, exponents=False).layers[0]
    sign = torch.ones(4 * UNITS, INPUTS, dtype=torch.int64)
    sign[1::UNITS], sign[2::UNITS, INPUTS // 2:], sign[3::UNITS, ::2] = -1, -1, -1
    weights = torch.where(sign > 0, WEIGHT_HIGH, WEIGHT_LOW)
    weights[4::UNITS] = LEAST_LOWER
    low, high = ACTIVATIONS
    choice = torch.randint(0, 2, (1, 3, 2, INPUTS), generator=torch.Generator().manual_seed(seed()))
    steps = [torch.full((1, 1, 2, INPUTS), value) for value in (low, high, LEAST_LOWER)]
    sequences = [torch.cat([*steps, torch.where(choice > 0, high, low)], 1).to(torch.int8)]
    assert largest_of_quarters(weights, sequences[0].long().view(-1, INPUTS)) == [8 * 8 * INPUTS] * 4, "the sum of a quarter could be larger"
    for mantissa, shift in ((65535, 24), (65535, 0), (1, 10)):
        await play_all(bench, single(layer, w_ih=weights, m=mantissa, s=shift), sequences)
    bench.check()


@pytest.mark.parametrize("build", [BUILD, BUILD.baseline()], ids=["dynamic", "baseline"])
def test_widest_sums(build):
    run_on(__name__, build)
