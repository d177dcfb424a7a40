# SPDX-License-Identifier: MIT
"""commit_arbiter: every commit of every tile comes through once, in the tile's order; nobody waits for more than one round; stall and clear."""

from random import Random

import cocotb
import pytest
from cocotb.triggers import RisingEdge

from tb.bench.drivers import reset, seed
from tb.bench.runner import run

FIELDS = dict(layer=3, position=10, h=8, levels=8, bank=1)


@cocotb.test(timeout_time=2, timeout_unit="ms")
@cocotb.parametrize(rate=[0.1, 1.0], stall=[0.0, 0.3])
async def nothing_is_lost_or_doubled(dut, rate, stall):
    random = Random(seed())
    await reset(dut)
    tiles = len(dut.commit_valid_i)
    total = 60
    queues = [[{name: random.getrandbits(bits) for name, bits in FIELDS.items()} for _ in range(total)] for _ in range(tiles)]
    offered, waited, taken = [False] * tiles, [0] * tiles, 0
    while taken < total * tiles:
        for tile in range(tiles):
            offered[tile] = offered[tile] or (bool(queues[tile]) and random.random() < rate)
        for name, bits in FIELDS.items():
            getattr(dut, f"commit_{name}_i").value = sum(queues[tile][0][name] << bits * tile for tile in range(tiles) if offered[tile])
        dut.commit_valid_i.value = sum(1 << tile for tile in range(tiles) if offered[tile])
        stalled = random.random() < stall
        dut.stall_i.value = int(stalled)
        await RisingEdge(dut.clk_i)
        ready = int(dut.commit_ready_o.value)
        chosen = [tile for tile in range(tiles) if offered[tile] and ready >> tile & 1]
        assert len(chosen) == (any(offered) and not stalled) == int(dut.commit_valid_o.value)
        for tile in chosen:
            got = {name: int(getattr(dut, f"commit_{name}_o").value) for name in FIELDS}
            assert got == queues[tile].pop(0), f"tile {tile}"
            offered[tile], waited[tile], taken = False, 0, taken + 1
        for tile in range(tiles):
            waited[tile] += offered[tile] and not stalled
            assert waited[tile] < tiles, f"tile {tile} waits for more than one round"


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def nothing_passes_during_clear(dut):
    await reset(dut, commit_valid=1, clear=1)
    assert not dut.commit_valid_o.value and not dut.commit_ready_o.value


@pytest.mark.parametrize("tiles", [1, 3, 16])
def test_commit_arbiter(tiles):
    run(__name__, "commit_arbiter", {"Tiles": tiles})
