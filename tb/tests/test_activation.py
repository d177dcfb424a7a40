# SPDX-License-Identifier: MIT
"""activation: every z of both functions, value and slope, against models.activation."""

import cocotb
import torch

from models import activation
from tb.bench.drivers import pipeline, reset
from tb.bench.runner import run

LATENCY = 2
ALL = range(-32768, 32768)


@cocotb.test()
async def every_value_of_both_functions(dut):
    await reset(dut)

    def drive(stimulus):
        dut.tanh_i.value, dut.z_i.value = stimulus

    stimuli = [(is_tanh, z) for is_tanh in (0, 1) for z in ALL]
    # The slope comes a cycle before its value.
    slopes = await pipeline(dut, stimuli, LATENCY - 1, lambda: int(dut.slope_o.value), drive)
    values = await pipeline(dut, stimuli, LATENCY, lambda: dut.value_o.value.to_signed(), drive)
    z = torch.tensor(list(ALL), dtype=torch.int32)
    expected = [pair for function in (activation.sigmoid, activation.tanh)
                for pair in zip(*(part.tolist() for part in function(z)), strict=True)]
    for stimulus, wanted, got in zip(stimuli, expected, zip(values, slopes, strict=True), strict=True):
        assert got == wanted, f"(tanh, z) = {stimulus}: expected {wanted}, got {got}"


def test_activation():
    run(__name__, "activation")
