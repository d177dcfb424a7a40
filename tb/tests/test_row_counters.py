# SPDX-License-Identifier: MIT
"""row_counters: counts of commits at full rate by layer, gate and level; snapshot and clear lose nothing; zero after reset."""

from random import Random

import cocotb
from cocotb.triggers import RisingEdge, Timer

from models.formats import GATES, Level
from tb.bench.drivers import clock_cycles, reset, seed
from tb.bench.registers import ROWS_BLOCKS, Row, packed_levels, row_counts
from tb.bench.runner import PERIOD, run


async def commits(dut, random, live, cycles, rate):
    """Random commits, mostly to the layer of the one before, added to `live`."""
    layer = 0
    for _ in range(cycles):
        layer = layer if random.random() < 0.6 else random.randrange(ROWS_BLOCKS)
        levels, valid = random.choices([*Level], k=len(GATES)), random.random() < rate
        dut.commit_valid_i.value, dut.commit_layer_i.value, dut.commit_levels_i.value = int(valid), layer, packed_levels(levels)
        await RisingEdge(dut.clk_i)
        if valid:
            live[layer] = [sum(pair) for pair in zip(live[layer], row_counts(levels), strict=True)]
    return layer


async def request(dut, random, live, snapshot, clear):
    """Asks for a snapshot or clear in the same cycle as a last commit, and waits."""
    dut.snapshot_i.value, dut.clear_i.value = snapshot, clear
    await commits(dut, random, live, 1, 1.0)
    dut.snapshot_i.value = dut.clear_i.value = dut.commit_valid_i.value = 0
    await RisingEdge(dut.clk_i)
    while dut.busy_o.value:
        await RisingEdge(dut.clk_i)


async def read(dut):
    values = []
    for layer in range(ROWS_BLOCKS):
        values.append([])
        for index in Row:
            dut.read_enable_i.value, dut.read_layer_i.value, dut.read_index_i.value = 1, layer, index
            await clock_cycles(dut, 1)
            dut.read_enable_i.value = 0
            await clock_cycles(dut, 1)
            values[-1].append(int(dut.read_data_o.value))
    return values


def zeros():
    return [[0] * len(Row) for _ in range(ROWS_BLOCKS)]


@cocotb.test(timeout_time=2, timeout_unit="ms")
async def counts_are_exact(dut):
    random = Random(seed())
    await reset(dut)
    while dut.busy_o.value:
        await RisingEdge(dut.clk_i)
    assert await read(dut) == zeros()
    live = zeros()
    for clear in (0, 1, 0, 1):
        before = [list(counts) for counts in live]
        await commits(dut, random, live, 400, random.choice([0.5, 1.0]))
        assert live != before
        await request(dut, random, live, 1, clear)
        assert await read(dut) == live
        if clear:
            live = zeros()
    kept = await read(dut)
    await commits(dut, random, live, 50, 1.0)
    await request(dut, random, live, 0, 1)
    assert await read(dut) == kept, "clear without snapshot keeps the snapshot"
    await request(dut, random, zeros(), 1, 0)
    assert sum(map(sum, await read(dut))) <= len(GATES) + 1, "clear without snapshot clears the live counts"


@cocotb.test(timeout_time=2, timeout_unit="ms")
async def counts_carry(dut):
    """Past 2^16 commits, two a cycle, whose rows all end at MIDDLE, then at ALL. Further up takes years."""
    random, cycles = Random(seed()), (1 << 15) + 3
    await reset(dut)
    while dut.busy_o.value:
        await RisingEdge(dut.clk_i)
    expected = zeros()
    for layer, level in ((2, Level.MIDDLE), (5, Level.ALL)):
        levels = [level] * len(GATES)
        dut.commit_layer_i.value, dut.commit_levels_i.value, dut.pair_levels_i.value = layer, packed_levels(levels), packed_levels(levels)
        dut.commit_valid_i.value = dut.pair_valid_i.value = 1
        await Timer((cycles - 1) * PERIOD + PERIOD // 4, "ns")
        await RisingEdge(dut.clk_i)
        dut.commit_valid_i.value = dut.pair_valid_i.value = 0
        expected[layer] = [2 * cycles * count for count in row_counts(levels)]
    last = zeros()
    await request(dut, random, last, 1, 0)  # with a commit of its own
    assert await read(dut) == [[sum(pair) for pair in zip(*counts, strict=True)] for counts in zip(expected, last, strict=True)]


def test_row_counters():
    run(__name__, "row_counters")
