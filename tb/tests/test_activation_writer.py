# SPDX-License-Identifier: MIT
"""activation_writer: commits, one or two of a word, loads and granules of x are on the bus one cycle later, in this order of priority; x waits for the others."""

import os
from random import Random

import cocotb
import pytest
import torch
from cocotb.triggers import RisingEdge

from models.compiler import nibbles
from models.formats import MAX_UNITS
from models.layer import LARGEST_H
from tb.bench.drivers import reset, seed
from tb.bench.runner import run

DEPTH = 256  # words of a bank
LANES, DYNAMIC = int(os.environ.get("DOT_LANES", 8)), bool(int(os.environ.get("DYNAMIC", 1)))
GRANULE = min(16, LANES)  # bytes of x in a cycle
PAIR_GROUP = 16  # positions of which two may come at once
ALL_H = range(LARGEST_H[0], LARGEST_H[1] + 1)
BYTES = dict(zip(ALL_H, nibbles(torch.tensor(ALL_H)).tolist() if DYNAMIC else [h & 255 for h in ALL_H]))  # of an h on the bus


def commit(dut, random: Random) -> dict:
    """Offers the h of one unit, or of two of a word, and tells the write that must come."""
    bank, position = random.randrange(2), random.randrange(min(MAX_UNITS, DEPTH * LANES))
    word, lane = divmod(position, LANES)
    address, h = random.choice((0, DEPTH - 1 - word, random.randrange(DEPTH - word))), random.choice(ALL_H)
    dut.commit_valid_i.value, dut.commit_bank_i.value, dut.commit_position_i.value, dut.commit_h_i.value, dut.h_address_i.value = 1, bank, position, h & 255, address
    written = {lane: BYTES[h]}
    size = min(LANES, PAIR_GROUP)
    other, h = position // size * size + random.randrange(size), random.choice(ALL_H)
    if other != position and random.random() < 0.5:
        dut.pair_valid_i.value, dut.pair_position_i.value, dut.pair_h_i.value = 1, other, h & 255
        written[other % LANES] = BYTES[h]
    return dict(pair=len(written) > 1, address=bank * DEPTH + address + word, bytes=written)


def load(dut, random: Random) -> dict:
    """Offers a loaded word."""
    address, word = random.randrange(2 * DEPTH), random.randbytes(LANES)
    dut.load_valid_i.value, dut.load_address_i.value, dut.load_data_i.value = 1, address, int.from_bytes(word, "little")
    return dict(pair=False, address=address, bytes=dict(enumerate(word)))


def granule(dut, random: Random) -> dict:
    """Offers a granule of x."""
    address, number, data, exponent = random.randrange(2 * DEPTH), random.randrange(LANES // GRANULE), random.randbytes(GRANULE), random.randrange(16)
    dut.x_address_i.value, dut.x_granule_i.value, dut.x_data_i.value, dut.x_exponent_i.value = address, number, int.from_bytes(data, "little"), exponent
    return dict(pair=False, address=address, bytes=dict(enumerate(data, number * GRANULE)), exponent=exponent)


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def every_write_is_on_the_bus(dut):
    """Random writes in random cycles; a granule that finds the port taken is held, and comes in the first cycle in which it is free."""
    random = Random(seed())
    await reset(dut)
    due, x, held = None, None, None
    for cycle in range(4000):
        dut.commit_valid_i.value = dut.pair_valid_i.value = dut.load_valid_i.value = 0
        first = random.choices([commit, load, None], [0.4, 0.2, 0.4])[0]
        expected = first(dut, random) if first else None
        x = x or (granule(dut, random) if random.random() < 0.7 else None)
        dut.x_valid_i.value = int(x is not None)
        await RisingEdge(dut.clk_i)
        ready = bool(dut.x_ready_o.value)
        assert ready == (held is None) == (not dut.x_held_o.value), f"x waits for a granule that is held, cycle {cycle}"
        assert bool(dut.act_we_o.value) == (due is not None), f"a write too many or too few in cycle {cycle}"
        if due:
            data, enable = int(dut.act_data_o.value), int(dut.act_be_o.value)
            got = dict(pair=bool(dut.act_pair_o.value), address=int(dut.act_address_o.value))
            got["bytes"] = {lane: data >> 8 * lane & 255 for lane in range(LANES) if enable >> lane & 1}
            got |= dict(exponent=int(dut.act_exponent_o.value)) if "exponent" in due else {}
            assert got == due, f"cycle {cycle}"
        if ready:
            held, x = x, None
        if first is None:
            expected, held = held, None
        due = expected


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def clear_drops_what_is_held(dut):
    random = Random(seed())
    await reset(dut)
    for clear in (0, 1, 0):
        granule(dut, random)
        load(dut, random)
        dut.x_valid_i.value = dut.load_valid_i.value = 1
        await RisingEdge(dut.clk_i)
        dut.x_valid_i.value, dut.clear_i.value = 0, clear
        load(dut, random)
        await RisingEdge(dut.clk_i)
        dut.load_valid_i.value = dut.clear_i.value = 0
        await RisingEdge(dut.clk_i)
        assert dut.act_we_o.value and bool(dut.x_held_o.value) == (not clear), "a load is on the bus, and the granule waits unless it was dropped"
        await RisingEdge(dut.clk_i)
        assert bool(dut.act_we_o.value) == (not clear), "the granule comes after the loads"
        await RisingEdge(dut.clk_i)
        assert not dut.act_we_o.value and not dut.x_held_o.value


@pytest.mark.parametrize("dot_lanes, dynamic", [(2, 0), (4, 0), (8, 1), (16, 1), (64, 1)])
def test_activation_writer(dot_lanes, dynamic):
    run(__name__, "activation_writer", {"DotLanes": dot_lanes, "DynamicPrecision": dynamic, "ActivationDepth": DEPTH},
        environment={"DOT_LANES": str(dot_lanes), "DYNAMIC": str(dynamic)})
