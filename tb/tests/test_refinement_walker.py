# SPDX-License-Identifier: MIT
"""refinement_walker: for every set of levels, the passes that models/cycle_model.py counts, in their order; two rows that end at one level share one."""

from itertools import product
from random import Random

import cocotb
from cocotb.triggers import RisingEdge

from models.cycle_model import refinement_passes
from models.formats import ENTRY, GATES, PASS, Level
from tb.bench.drivers import at_widths, clock_cycles, reset, seed, settled
from tb.bench.registers import packed_levels
from tb.bench.runner import run

WIDTHS = {"IndexWidth": 3, "UnitWidth": 9, "WeightWidth": 13}
PASS_WORD, ENTRY_WORD = at_widths(PASS, WIDTHS), at_widths(ENTRY, WIDTHS)


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def every_set_of_levels(dut):
    """All 80 sets with a row to refine, in a random order, with gaps between units and before a pass is taken; some are given up by a clear."""
    random = Random(seed())
    await reset(dut)
    sets = [levels for levels in product(Level, repeat=len(GATES)) if any(level != Level.LOWEST for level in levels)]
    for levels in random.sample(sets, len(sets)) + random.choices(sets, k=100):
        entry = {name: random.getrandbits(ENTRY_WORD[name].width) for name in ENTRY_WORD.places}
        index, left = random.getrandbits(WIDTHS["IndexWidth"]), refinement_passes(levels)
        dut.entry_i.value, dut.index_i.value, dut.levels_i.value = ENTRY_WORD.pack(**entry), index, packed_levels(levels)
        given_up = len(left) if random.random() < 0.8 else random.randrange(len(left))
        for number, rows in enumerate(left):
            dut.valid_i.value, dut.take_i.value = 1, 0
            dut.clear_i.value = int(number == given_up)
            await clock_cycles(dut, random.choice((1, 1, 2)) if number == given_up else random.choice((0, 0, 1)))
            dut.clear_i.value = 0
            if number == given_up:
                break
            dut.take_i.value = 1
            await settled(dut)
            got, last = PASS_WORD.unpack(int(dut.pass_o.value)), number == len(left) - 1
            shared = {name: entry[name] for name in ("base", "unit", "step", "layer")}
            assert got == dict(levels=packed_levels(levels), complete=last, gate=rows[0], second=rows[-1], index=index, **shared), f"{rows} of {levels}"
            assert dut.valid_o.value and bool(dut.pop_o.value) == last
            await RisingEdge(dut.clk_i)
        dut.valid_i.value = dut.take_i.value = 0
        await settled(dut)
        assert not dut.valid_o.value and not dut.pop_o.value
        await RisingEdge(dut.clk_i)


def test_refinement_walker():
    run(__name__, "refinement_walker", WIDTHS)
