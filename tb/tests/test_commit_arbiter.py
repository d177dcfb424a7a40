# SPDX-License-Identifier: MIT
"""commit_arbiter: every commit of every tile comes through once, in the tile's order; nobody waits for more than one round; pairs; stall and clear."""

from random import Random

import cocotb
import pytest
from cocotb.triggers import RisingEdge

from tb.bench.drivers import reset, seed, settled
from tb.bench.runner import run

FIELDS = dict(layer=3, position=10, h=8, levels=8, bank=1)
PAIR_FIELDS = ("position", "h", "levels")
GROUP, PAIR_TILES = 16, 9  # positions of a word; tiles from which two commits of a word are taken at once
LAYERS, WORDS = (0b010, 0b101), (0b010101, 0b101010)  # few, so that commits of two tiles often go to one word, and every bit is high in one and low in the other


def any_commit(random):
    position = GROUP * random.choice(WORDS) + random.randrange(GROUP)
    return {"layer": random.choice(LAYERS), "position": position, "h": random.getrandbits(8), "levels": random.getrandbits(8), "bank": random.randrange(2)}


def word(commit):
    return commit["layer"], commit["bank"], commit["position"] // GROUP


@cocotb.test(timeout_time=2, timeout_unit="ms")
@cocotb.parametrize(rate=[0.1, 1.0], stall=[0.0, 0.3])
async def nothing_is_lost_or_doubled(dut, rate, stall):
    random = Random(seed())
    await reset(dut)
    tiles = len(dut.commit_valid_i)
    total, pairs = 60, 0
    queues = [[any_commit(random) for _ in range(total)] for _ in range(tiles)]
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
        ready, pair = int(dut.commit_ready_o.value), bool(dut.pair_valid_o.value)
        chosen = [tile for tile in range(tiles) if offered[tile] and ready >> tile & 1]
        assert bool(dut.commit_valid_o.value) == (any(offered) and not stalled)
        assert len(chosen) == bool(dut.commit_valid_o.value) + pair
        got = [{name: int(getattr(dut, f"commit_{name}_o").value) for name in FIELDS}] if chosen else []
        if pair:
            got.append(got[0] | {name: int(getattr(dut, f"pair_{name}_o").value) for name in PAIR_FIELDS})
            pairs += 1
        heads = [queues[tile][0] for tile in range(tiles) if offered[tile]]
        if chosen and tiles >= PAIR_TILES:
            assert pair == (sum(word(head) == word(got[0]) for head in heads) > 1), "two commits of one word are taken at once"
        assert sorted(map(str, got)) == sorted(str(queues[tile][0]) for tile in chosen) and len(set(map(word, got))) <= 1
        for tile in chosen:
            queues[tile].pop(0)
            offered[tile], waited[tile], taken = False, 0, taken + 1
        for tile in range(tiles):
            waited[tile] += offered[tile] and not stalled
            assert waited[tile] < tiles, f"tile {tile} waits for more than one round"
    assert (pairs > 0) == (tiles >= PAIR_TILES)


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def nothing_passes_during_clear(dut):
    await reset(dut, commit_valid=1, clear=1)
    assert not dut.commit_valid_o.value and not dut.commit_ready_o.value and not dut.pair_valid_o.value
    dut.clear_i.value = 0
    await settled(dut)
    assert dut.commit_valid_o.value and int(dut.commit_ready_o.value) == 1, "after it the first that waits"


@pytest.mark.parametrize("tiles", [1, 3, 9, 12, 16])
def test_commit_arbiter(tiles):
    run(__name__, "commit_arbiter", {"Tiles": tiles})
