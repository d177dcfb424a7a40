# SPDX-License-Identifier: MIT
"""counters: every tile is counted, in builds of any number of tiles; counts carry into every bit. Registers, snapshot and clear: test_control.py."""

import cocotb
import pytest
from cocotb.triggers import RisingEdge, Timer

from models.formats import CLASS_COUNTERS, COUNTERS, QUANTITIES, CycleClass, TileEvent
from tb.bench.drivers import clock_cycles, reset
from tb.bench.registers import Counter
from tb.bench.runner import PERIOD, environment_simulator, run

CLASS_BITS = next(bits for name, bits, _ in QUANTITIES if name == "CLASS")
COUNTER_BITS = 64
VISIBLE = ("--public-flat-rw",) if environment_simulator() == "verilator" else ()  # the live values, which Icarus shows anyway


async def snapshot(dut) -> list[int]:
    """All counters as of the cycle before this one, cleared."""
    dut.snapshot_i.value = dut.clear_i.value = 1
    await clock_cycles(dut, 1)
    dut.snapshot_i.value = dut.clear_i.value = dut.busy_i.value = 0
    await clock_cycles(dut, 1)
    values = []
    for index in range(len(COUNTERS)):
        dut.read_enable_i.value, dut.read_index_i.value = 1, index
        await clock_cycles(dut, 2)
        values.append(int(dut.read_data_o.value))
    return values


async def count(dut, cycles: int, classes: list[int], events: list[int]) -> list[int]:
    """What is counted in so many busy cycles with these classes and events, by tile."""
    dut.class_i.value = sum(code << CLASS_BITS * tile for tile, code in enumerate(classes))
    dut.event_i.value = sum(word << len(TileEvent) * tile for tile, word in enumerate(events))
    dut.busy_i.value = dut.step_done_i.value = dut.activation_write_i.value = dut.activation_pair_i.value = 1
    await Timer((cycles - 1) * PERIOD + PERIOD // 4, "ns")
    await RisingEdge(dut.clk_i)
    dut.busy_i.value = 0
    return await snapshot(dut)


def expected(cycles: int, classes: list[int], events: list[int]) -> list[int]:
    counts = [0] * len(COUNTERS)
    for code in classes:
        counts[CLASS_COUNTERS[code]] += cycles
    for event in TileEvent:
        counts[Counter[f"{event.name}S"]] = cycles * sum(word >> event & 1 for word in events)
    counts[Counter.CYCLES], counts[Counter.STEPS], counts[Counter.ACTIVATION_WRITES] = cycles, cycles, 2 * cycles
    return counts


@cocotb.test(timeout_time=4, timeout_unit="ms")
async def every_tile_is_counted(dut):
    """All tiles in one class, then each in a class of its own; one tile alone has events, then all of them; every number of tiles in each class, with events."""
    await reset(dut)
    await snapshot(dut)
    tiles, every = len(dut.class_i) // CLASS_BITS, (1 << len(TileEvent)) - 1
    cases = [([code] * tiles, [every] * tiles) for code in CycleClass]
    cases += [([(code + tile) % len(CycleClass) for tile in range(tiles)], [every * (tile == alone) for tile in range(tiles)])
              for code, alone in enumerate(range(tiles))]
    cases += [([code] * some + [(code + 1) % len(CycleClass)] * (tiles - some), [every] * some + [0] * (tiles - some)) for code in CycleClass for some in range(1, tiles)]
    for classes, events in cases:
        assert await count(dut, 3, classes, events) == expected(3, classes, events), f"classes {classes}, events {events}"


@cocotb.test(timeout_time=4, timeout_unit="ms")
async def a_snapshot_holds_what_happened_until_the_cycle_before(dut):
    """Cycles that are busy end with the one of the snapshot, whose cycle the next snapshot has."""
    await reset(dut)
    await snapshot(dut)
    for cycles in range(1, 6):
        dut.busy_i.value = 1
        await clock_cycles(dut, cycles)
        assert (await snapshot(dut))[Counter.CYCLES] == cycles
        assert (await snapshot(dut))[Counter.CYCLES] == 1, "the cycle of the snapshot"


@cocotb.test(timeout_time=4, timeout_unit="ms")
async def counts_carry(dut):
    """Past 2^16 in every counter, from zero."""
    await reset(dut)
    await snapshot(dut)
    tiles, cycles = len(dut.class_i) // CLASS_BITS, (1 << 16) + 5
    every = [(1 << len(TileEvent)) - 1] * tiles
    classes = [tile % len(CycleClass) for tile in range(tiles)]
    assert await count(dut, cycles, classes, every) == expected(cycles, classes, every)


@cocotb.test(timeout_time=4, timeout_unit="ms")
async def counts_carry_into_every_bit(dut):
    """From 2^n - 1 on, and beyond 2^64 - 1. To count that far takes years, so that the live values are set: no port does that."""
    await reset(dut)
    await snapshot(dut)
    tiles, every = len(dut.class_i) // CLASS_BITS, (1 << len(TileEvent)) - 1
    classes, events = [tile % len(CycleClass) for tile in range(tiles)], [every] * tiles
    for bit in range(1, COUNTER_BITS + 1):
        for counter in range(len(COUNTERS)):
            dut.live_q[counter].value = (1 << bit) - 1
        await clock_cycles(dut, 1)
        counted = [(value + (1 << bit) - 1) % (1 << COUNTER_BITS) for value in expected(1, classes, events)]
        assert await count(dut, 1, classes, events) == counted, f"from 2^{bit} - 1"


@pytest.mark.parametrize("tiles", [11, 16])
def test_counters(tiles):
    run(__name__, "counters", {"Tiles": tiles}, flags=VISIBLE)
