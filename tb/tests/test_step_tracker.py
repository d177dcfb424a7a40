# SPDX-License-Identifier: MIT
"""step_tracker: a layer-step is done the cycle after the last tile says so, whatever lead the others have; layers and steps are counted."""

from random import Random

import cocotb
import pytest
from cocotb.triggers import RisingEdge

from tb.bench.drivers import reset, seed
from tb.bench.runner import run


async def play(dut, random, layers, count):
    """Random tiles' pulses, up to 15 layer-steps ahead of the slowest, for `count` layer-steps; checks every cycle."""
    tiles = len(dut.tile_done_i)
    dut.layers_i.value = layers
    done, complete, due = [0] * tiles, 0, None
    while complete < count or due is not None:
        pulses = [done[tile] < min(count, min(done) + 15) and random.random() < 0.4 for tile in range(tiles)]
        dut.tile_done_i.value = sum(pulse << tile for tile, pulse in enumerate(pulses))
        await RisingEdge(dut.clk_i)
        got = (int(dut.first_layer_done_o.value), int(dut.step_done_o.value)) if dut.layer_done_o.value else None
        expected = None if due is None else (int(due % layers == 0), int(due % layers == layers - 1))
        assert got == expected, f"layer-step {due}"
        if due is not None:
            assert int(dut.step_o.value) == due // layers % 4
        done = [count + pulse for count, pulse in zip(done, pulses)]
        due = complete if min(done) > complete else None
        complete += due is not None


@cocotb.test(timeout_time=2, timeout_unit="ms")
@cocotb.parametrize(layers=[1, 2, 5, 8])
async def layer_steps_are_counted(dut, layers):
    await reset(dut)
    await play(dut, Random(seed()), layers, 100)


@cocotb.test(timeout_time=2, timeout_unit="ms")
async def clear_starts_again(dut):
    random = Random(seed())
    await reset(dut)
    await play(dut, random, 3, 5)
    dut.tile_done_i.value = 1
    await RisingEdge(dut.clk_i)
    dut.clear_i.value = 1
    await RisingEdge(dut.clk_i)
    dut.clear_i.value = dut.tile_done_i.value = 0
    await RisingEdge(dut.clk_i)
    assert not dut.layer_done_o.value
    await play(dut, random, 3, 30)


@pytest.mark.parametrize("tiles", [1, 2, 16])
def test_step_tracker(tiles):
    run(__name__, "step_tracker", {"Tiles": tiles})
