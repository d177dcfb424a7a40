# SPDX-License-Identifier: MIT
"""row_sums: exact row sums of segments of any length, one word a cycle, also of one row in consecutive cycles, and of two rows in turn; fresh rows, the largest
sums, clear."""

import json
import os
from collections import Counter as Sum
from dataclasses import dataclass
from random import Random

import cocotb
import pytest
from cocotb.triggers import RisingEdge

from models.formats import GATES, MAX_UNITS, SCALES, SEGMENT, WORD_TAG, word_sum_width
from tb.bench.drivers import at_widths, reset, seed
from tb.bench.runner import run

WIDTHS = json.loads(os.environ.get("WIDTHS", "{}"))
OPERAND_BITS, LANES = WIDTHS.get("OperandBits", 4), WIDTHS.get("Lanes", 64)
TAG_WORD = at_widths(WORD_TAG, WIDTHS)
SEGMENTS = {name: SEGMENT.pack(x1=name == "m_x1", h=name == "m_h") for name in SCALES.places}
LARGEST_SUM = LANES << 2 * OPERAND_BITS - 2  # of a word: all products of the two least operands
LARGEST_SEGMENT = MAX_UNITS << 14  # of 1024 products of -128 and -128
LARGEST_STEP = LARGEST_SUM << 8 if OPERAND_BITS == 4 else LARGEST_SUM
EXTREME_WORDS = LARGEST_SEGMENT // LARGEST_STEP  # of such a segment
EXTREME = min(0.125, 8 / EXTREME_WORDS)  # share of the rows that have such segments: where they are long, others must find room beside them
SHIFTS = range(9) if OPERAND_BITS == 4 else (0,)
WRITTEN = 4  # cycles from the tag of the last word of a segment to that in which its row sum is written


@dataclass
class Open:
    """A segment of a row whose words come."""

    row: tuple[int, int]  # index, gate
    tag: dict
    left: int
    extreme: int          # all words have the largest sum, of this sign
    total: int = 0


class Rows:
    """What goes in, and the row sums that come of it."""

    def __init__(self, random: Random, rate: float):
        self.random, self.rate = random, rate
        self.rows, self.stored = {}, {}  # sums as of the latest word, and as of the memory
        self.row, self.open = (0, 0), []
        self.extreme, self.sign = 0, 1
        self.met = Sum()

    def begin(self):
        """Chooses the next segment, or one of two rows of a unit; extreme ones come several to a row, whose sum is then the largest."""
        random = self.random
        again = self.extreme and random.random() < 0.7
        row = self.row if again or random.random() < 0.5 else (random.randrange(1 << WIDTHS["IndexWidth"]), random.randrange(len(GATES)))
        if not again:
            self.extreme = self.sign if random.random() < EXTREME else 0
            self.sign = -self.sign if self.extreme else self.sign
        self.row = row
        two = not self.extreme and random.random() < 0.5
        rows = [row, (row[0], random.choice([gate for gate in range(len(GATES)) if gate != row[1]]))][:1 + two]
        known = [self.rows.get(each) for each in rows]
        fresh = any(old is None or abs(old) > 2 * (LARGEST_SEGMENT << 16) for old in known) or (not again and random.random() < 0.2)
        left = EXTREME_WORDS if self.extreme else random.choice((1, 1, 1, random.randint(2, 12)))
        tag = dict(fresh=fresh, zero=not self.extreme and random.random() < 0.1, segment=SEGMENTS[random.choice([*SEGMENTS])],
                   unit=random.getrandbits(WIDTHS["UnitWidth"]), first=1)
        self.open = [Open(each, tag | dict(index=each[0], gate=each[1], second=each is not row), left, self.extreme) for each in rows]

    def next(self) -> dict | None:
        """The next word, or None."""
        if self.random.random() >= self.rate:
            return None
        if not self.open:
            self.begin()
        segment = self.open[0] if self.open[0].tag["first"] else self.random.choice(self.open)  # those of a second row come after the first of the first
        shift = max(SHIFTS) if segment.extreme else self.random.choice(SHIFTS)
        word_sum = segment.extreme * LARGEST_SUM or self.random.choice((LARGEST_SUM, -LARGEST_SUM, self.random.randint(-LARGEST_SUM, LARGEST_SUM)))
        segment.total += 0 if segment.tag["zero"] else word_sum << shift
        segment.left -= 1
        last = segment.left == 0
        tag = segment.tag | dict(last=last, complete=last and self.random.random() < 0.3, data=self.random.getrandbits(9))
        segment.tag["first"] = 0
        if last:
            self.open.remove(segment)
        return dict(sum=word_sum, shift=shift, tag=tag, of=segment)


async def play(dut, rows: Rows, cycles: int, clear: bool = False):
    """Feeds words and compares every output of every cycle. clear: in the last cycle."""
    random = rows.random
    due, scale, before, late = [None] * WRITTEN, None, None, None
    for cycle in range(cycles):
        word = rows.next()
        tag = word["tag"] if word else None
        dut.valid_i.value = int(word is not None)
        dut.sum_i.value = late["sum"] if late else random.randint(-LARGEST_SUM, LARGEST_SUM)
        dut.shift_i.value = late["shift"] if late else random.getrandbits(4)
        late = word
        dut.tag_i.value = TAG_WORD.pack(**tag) if word else random.getrandbits(TAG_WORD.width)
        dut.scale_i.value = scale if scale is not None else random.getrandbits(SCALES.width)
        read = rows.row if random.random() < 0.5 else (random.randrange(1 << WIDTHS["IndexWidth"]), random.randrange(len(GATES)))
        dut.read_index_i.value, dut.read_gate_i.value = read
        dut.clear_i.value = int(clear and cycle == cycles - 1)
        await RisingEdge(dut.clk_i)
        if read in rows.stored:
            assert dut.read_sum_o.value.to_signed() == rows.stored[read], f"row sum {read} in cycle {cycle}"
        written, due = due[0], due[1:]
        assert bool(dut.write_o.value) == (written is not None), f"write in cycle {cycle}"
        assert bool(dut.complete_o.value) == bool(written and written["complete"]), f"complete in cycle {cycle}"
        if written:
            rows.stored[written["row"]] = written["sum"]
            if written["complete"]:
                assert (int(dut.complete_index_o.value), int(dut.complete_data_o.value)) == (written["row"][0], written["data"])
        assert bool(dut.scale_read_o.value) == bool(word and tag["last"]), f"scale read in cycle {cycle}"
        due.append(None)
        scale = None
        if word and tag["last"]:
            assert int(dut.scale_address_o.value) == tag["unit"] << 2 | tag["gate"], "row of the scale"
            values = {name: random.choice((0, 1, 65535, random.getrandbits(16))) for name in SEGMENTS}
            values[next(name for name, code in SEGMENTS.items() if code == tag["segment"])] |= 65535 * abs(word["of"].extreme)
            scale = SCALES.pack(**values)
            row, total, m = word["of"].row, word["of"].total, next(values[name] for name, code in SEGMENTS.items() if code == tag["segment"])
            rows.rows[row] = (0 if tag["fresh"] else rows.rows[row]) + m * total
            due[-1] = dict(row=row, sum=rows.rows[row], complete=tag["complete"], data=tag["data"])
            rows.met["the same row in the cycle before", tag["fresh"]] += before == row
            rows.met["segment", tag["segment"]] += 1
            rows.met["zero"] += tag["zero"]
            rows.met["largest", total // LARGEST_SEGMENT] += abs(total) == LARGEST_SEGMENT
            rows.met["second row", bool(rows.open)] += tag["second"]
            rows.met["beyond two"] += abs(rows.rows[row]) > 2 * LARGEST_SEGMENT * 65535
        before = row if word and tag["last"] else None
    dut.clear_i.value = 0


WANTED = [("the same row in the cycle before", False), ("the same row in the cycle before", True), "zero", ("largest", 1), ("largest", -1), "beyond two",
          ("second row", False), ("second row", True), *(("segment", code) for code in SEGMENTS.values())]


@cocotb.test(timeout_time=2, timeout_unit="ms")
@cocotb.parametrize(rate=[1.0, 0.6])
async def sums_are_exact(dut, rate):
    await reset(dut)
    rows = Rows(Random(seed()), rate)
    await play(dut, rows, 12000 + 48 * EXTREME_WORDS)
    missing = [what for what in WANTED if not rows.met[what]]
    assert not missing, f"never met: {missing}"


@cocotb.test(timeout_time=2, timeout_unit="ms")
async def clear_ends_what_is_under_way(dut):
    """What is in the memory stays; nothing of a run that was given up is written or completes a row."""
    await reset(dut)
    rows = Rows(Random(seed()), 1.0)
    for _ in range(100):
        await play(dut, rows, rows.random.randint(1, 20), clear=True)
        rows.rows, rows.open = {**rows.stored}, []


@pytest.mark.parametrize("lanes, operand_bits, index, unit", [(64, 4, 3, 9), (8, 4, 1, 3), (16, 8, 2, 6), (2, 8, 2, 6)])
def test_row_sums(lanes, operand_bits, index, unit):
    widths = {"Lanes": lanes, "OperandBits": operand_bits, "IndexWidth": index, "UnitWidth": unit}
    run(__name__, "row_sums", {"InFlight": 1 << index, "InputWidth": word_sum_width(operand_bits, lanes), "UnitWidth": unit},
        environment={"WIDTHS": json.dumps(widths)})
