# SPDX-License-Identifier: MIT
"""row_pass: every word and quarter of random passes over one or two rows, in order, one a cycle and without a gap; two passes wait; each memory read once a word
at most, activations once for both rows; tags; clear."""

import json
import os
from collections import Counter as Sum
from collections import deque
from dataclasses import dataclass
from itertools import combinations_with_replacement, product
from random import Random

import cocotb
import pytest
from cocotb.triggers import RisingEdge

from models.formats import BUILD_POLICIES, COMPLETE, DESCRIPTOR, GATES, MAX_LAYERS, PASS, SEGMENT, WORD_TAG, Gate, Kind, Level, Policy, Quarter
from models.levels import ALL, SEGMENTS, check
from models.levels import Level as Counts
from models.policies import DECIDING
from tb.bench.drivers import at_widths, clock_cycles, reset, seed
from tb.bench.registers import packed_levels
from tb.bench.runner import run

WIDTHS = json.loads(os.environ.get("WIDTHS", "{}"))
DYNAMIC = WIDTHS.get("DynamicPrecision", 1)
ORDER = (Quarter.LH, Quarter.LL, Quarter.HL, Quarter.HH)
WEIGHTS_HI, WEIGHTS_LO, ACTIVATIONS_HI, ACTIVATIONS_LO = MEMORIES = range(4)
OPERANDS = {Quarter.HH: (WEIGHTS_HI, ACTIVATIONS_HI), Quarter.HL: (WEIGHTS_HI, ACTIVATIONS_LO),
            Quarter.LH: (WEIGHTS_LO, ACTIVATIONS_HI), Quarter.LL: (WEIGHTS_LO, ACTIVATIONS_LO)}
IDLE = 0.3  # share of cycles in which no pass is offered, where there are gaps


@dataclass
class Pass:
    """A row pass and what it meets: fields of PASS, kind, fields of the descriptor, the policy in force, steps that are the first of a sequence."""

    kind: Kind
    fields: dict
    levels: list
    descriptor: dict
    policy: Policy
    step_first: int

    def counts(self) -> tuple[Counts, Counts]:
        """Quarters that each segment of the row has before this pass, and after it."""
        names = {level: Counts(*(self.descriptor[f"{level}_{segment}"] for segment in SEGMENTS)) for level in ("lowest", "middle")}
        if self.kind is Kind.REFINEMENT:
            return names["lowest"], ALL if self.levels[self.fields["gate"]] == Level.ALL else names["middle"]
        one = Counts(1, 1, 1)
        return Counts(0, 0, 0), one if not DYNAMIC else ALL if self.policy is Policy.STATIC_HIGH else names["lowest"]

    def segments(self) -> list[str]:
        """Segments that this pass may add to."""
        x = ["x0", "x1"][:1 + self.descriptor["two_terms"]]
        if self.kind is Kind.REFINEMENT:
            return [*x, "h"]
        return x if (self.fields["layer"] == 0) == (self.kind is Kind.EARLY) else ["h"]

    def word_segments(self) -> list[list[dict]]:
        """What comes out, word by word of each segment: docs/architecture.md, "How a tile works" and "Memories of a tile"."""
        before, after, d, f = *self.counts(), self.descriptor, self.fields
        gates = sorted({f["gate"], f["second"]})
        bank = f["step"] & 1
        segments = []
        added = [segment for segment in self.segments() if getattr(after, segment) > getattr(before, segment)]
        for segment in added:
            number, is_h = SEGMENTS.index(segment), segment == "h"
            length = d["h_words"] if is_h else d["x_words"]
            start = d["h_addr"] if is_h else d["x_addr"] + d["x_words"] * (segment == "x1")
            order = [quarter for quarter in ORDER if before[number] <= quarter < after[number]]
            segments.append([])
            for word, gate, quarter in product(range(length), gates, order):
                row = f["base"] + gate * (d["x_words"] + d["h_words"])
                segments[-1].append(dict(
                    quarter=quarter, weight=row + word + (d["x_words"] if is_h else 0), activation=(bank ^ is_h) << WIDTHS["OffsetWidth"] | start + word,
                    own_exponent=f["layer"] == 0 and not is_h, unit=f["unit"], gate=gate, index=f["index"], segment=SEGMENT.pack(x1=segment == "x1", h=is_h),
                    first=(word, quarter) == (0, order[0]), last=(word, quarter) == (length - 1, order[-1]), second=gate != f["gate"],
                    zero=is_h and self.step_first >> f["step"] & 1, fresh=self.kind is Kind.EARLY and segment == added[0], complete=0))
        segments[-1][-1]["complete"] = f["complete"]
        return segments

    def data(self) -> int:
        """What post-processing is told when the rows are complete; nothing in the baseline build."""
        if not DYNAMIC:
            return 0
        levels = [Level.LOWEST] * len(GATES)
        if self.kind is Kind.REFINEMENT:
            levels = self.levels
        elif self.policy is Policy.STATIC_HIGH:
            levels = [Level.ALL] * len(GATES)
        return COMPLETE.pack(levels=packed_levels(levels), is_final=self.kind is Kind.REFINEMENT or self.policy not in DECIDING)


def random_levels(random: Random) -> dict:
    """Quarters of the levels, as a descriptor may have them."""
    while True:
        lowest = Counts(random.randint(1, 4), random.randint(0, 4), random.randint(1, 4))
        middle = Counts(*(random.randint(count, 4) for count in lowest))
        if (middle.x0, middle.h) != (lowest.x0, lowest.h):
            check((lowest, middle))
            return {f"{level}_{segment}": count for level, counts in (("lowest", lowest), ("middle", middle)) for segment, count in zip(SEGMENTS, counts)}


def random_pass(random: Random) -> Pass:
    """Any pass that the sequencer can ask for."""
    depth, layer = 1 << WIDTHS["OffsetWidth"], random.choice((0, random.randrange(MAX_LAYERS)))
    policy = random.choice([Policy.STATIC_HIGH, Policy.STATIC_LOW, *DECIDING * 2]) if DYNAMIC else random.choice(BUILD_POLICIES)
    kinds = [Kind.EARLY, Kind.LATE, *[Kind.REFINEMENT] * (DYNAMIC and policy in DECIDING) * 2]
    longest = min(depth // 3, 6) if random.random() < 0.98 else min(depth // 3, 100)
    x_words, h_words = (random.choice((1, random.randint(1, longest))) for _ in range(2))
    terms = int(layer == 0 and random.random() < 0.6)
    fields = {name: random.getrandbits(PASS_WORD[name].width) for name in PASS_WORD.places}
    levels = random.choices([*Level], k=len(GATES))
    fields["second"] = random.randint(fields["gate"], len(GATES) - 1)
    levels[fields["gate"]] = levels[fields["second"]] = random.choice((Level.MIDDLE, Level.ALL))
    last_base = max(0, (1 << WIDTHS["WeightWidth"]) - 4 * (x_words + h_words))
    fields |= dict(layer=layer, levels=packed_levels(levels), base=random.choice((0, last_base, random.randint(0, last_base))))
    descriptor = {name: random.randint(*field.range) for name, (_, field) in DESCRIPTOR.places.items() if field.count == 1}
    descriptor |= dict(theta_middle=[0] * 4, theta_all=[0] * 4, x_words=x_words, h_words=h_words, two_terms=terms,
                       x_addr=random.randint(0, depth - x_words * (1 + terms)), h_addr=random.randint(0, depth - h_words), **random_levels(random))
    return Pass(random.choice(kinds), fields, levels, descriptor, policy, random.getrandbits(4))


def spare_bits() -> int:
    """Bits of a descriptor that a pass has no use for: those of other readers, those of larger memories than the build's, and reserved ones."""
    read = ["x_words", "h_words", "x_addr", "h_addr", "two_terms", *(f"{level}_{segment}" for level in ("lowest", "middle") for segment in SEGMENTS)]
    places = [DESCRIPTOR.places[name] for name in read]
    return (1 << DESCRIPTOR.width) - 1 - sum((1 << WIDTHS.get(field.kept, field.kept)) - 1 << low for low, field in places)


PASS_WORD = at_widths(PASS, WIDTHS)
TAG_WORD = at_widths(WORD_TAG, WIDTHS)


class Checker:
    """Plays passes and compares the outputs of every cycle."""

    def __init__(self, dut, random: Random, rate: float):
        self.dut, self.random, self.rate = dut, random, rate
        self.offered = None
        self.queue = deque()  # passes that wait
        self.prepared, self.segments = None, deque()  # a pass, and its segments that the outputs have not had
        self.row, self.words = None, deque()  # the pass of the segment at the outputs, and what is left of the segment
        self.held, self.read, self.place = [None] * 4, set(), None
        self.met, self.spare = Sum(), spare_bits()

    def offer(self):
        """Offers the next pass, or none."""
        dut = self.dut
        if self.offered is None and self.random.random() < self.rate:
            self.offered = random_pass(self.random)
        dut.valid_i.value = int(self.offered is not None)
        dut.kind_i.value = self.offered.kind if self.offered else self.random.choice([*Kind])
        dut.pass_i.value = PASS_WORD.pack(**self.offered.fields) if self.offered else self.random.getrandbits(PASS_WORD.width)

    async def cycle(self):
        """One cycle."""
        dut = self.dut
        await RisingEdge(dut.clk_i)
        assert bool(dut.valid_o.value) == bool(self.words), "a word too many or too few"
        if self.words:
            self.compare(self.row, self.words[0])
        else:
            assert int(dut.reads_o.value) == 0, "a memory is read without a word"
        present = self.row if self.words else None
        ends = len(self.words) == 1 and self.prepared is not present
        passes = len(self.queue) + sum(row is not None for row in {id(row): row for row in (present, self.prepared)}.values())
        ready = passes - ends < 3
        assert bool(dut.ready_o.value) == ready, "two passes wait beside the one whose words come"
        if self.queue:
            assert int(dut.layer_o.value) == self.queue[0].fields["layer"]
        self.advance()
        if self.offered and ready:
            self.queue.append(self.offered)
            self.note(self.offered)
            self.offered = None
        dut.step_first_i.value = self.prepared.step_first if self.prepared else self.random.getrandbits(4)
        if self.queue:
            row = self.queue[0]
            dut.descriptor_i.value = DESCRIPTOR.pack(**row.descriptor) & ~self.spare | self.random.getrandbits(DESCRIPTOR.width) & self.spare
            dut.policy_i.value = row.policy
        self.offer()

    def advance(self):
        """The next word, of the next segment after the last word of one."""
        if self.words:
            self.words.popleft()
        if not self.words and self.prepared:
            self.row = self.prepared
            self.words.extend(self.segments.popleft())
            if not self.segments:
                self.prepared = None
        if not self.prepared and self.queue:
            self.prepared = self.queue.popleft()
            self.segments.extend(self.prepared.word_segments())

    def compare(self, row: Pass, word: dict):
        """Compares a word, and follows what the memories hold."""
        dut, got = self.dut, TAG_WORD.unpack(int(self.dut.tag_o.value))
        got |= dict(quarter=int(dut.quarter_o.value), weight=int(dut.weight_address_o.value), activation=int(dut.activation_address_o.value),
                    own_exponent=int(dut.own_exponent_o.value))
        skipped = set() if word["last"] else {"fresh"}  # asked for with the sum of a segment
        wrong = {name: (value, got[name]) for name, value in word.items() if name not in skipped and got[name] != value}
        assert not wrong, f"(expected, got) {wrong} in {word} of {row}"
        if word["complete"]:
            assert got["data"] == row.data(), f"levels and is_final {got['data']:#b}, expected {row.data():#b} of {row}"
        place = (word["segment"], word["weight"])
        if place != self.place or word["first"]:
            self.place, self.read = place, set()
        for memory in MEMORIES:
            if int(dut.reads_o.value) >> memory & 1:
                assert memory in OPERANDS[word["quarter"]], f"memory {memory} is read for {word['quarter'].name}"
                assert memory not in self.read, f"memory {memory} is read twice for a word"
                assert not word["second"] or memory in (WEIGHTS_HI, WEIGHTS_LO), f"activations, memory {memory}, are read for each of two rows"
                self.read.add(memory)
                self.held[memory] = word["weight" if memory in (WEIGHTS_HI, WEIGHTS_LO) else "activation"]
        held = [self.held[memory] for memory in OPERANDS[word["quarter"]]]
        assert held == [word["weight"], word["activation"]], f"the memories hold {held} for {word} of {row}"

    def note(self, row: Pass):
        """Counts what this pass covers."""
        before, after = row.counts()
        self.met[row.kind, row.policy] += 1
        self.met[row.kind, Gate(row.fields["gate"]), Gate(row.fields["second"])] += 1
        for segment in row.segments():
            self.met[row.kind is Kind.REFINEMENT, segment, getattr(before, segment), getattr(after, segment)] += 1


def wanted() -> list:
    """What must be met: every row, every two rows and every policy of each kind, and every set of quarters of each segment."""
    kinds = {Kind.EARLY: BUILD_POLICIES, Kind.LATE: BUILD_POLICIES} | ({Kind.REFINEMENT: DECIDING} if DYNAMIC else {})
    sets = [(True, segment, before, after) for segment in SEGMENTS for before in range(segment != "x1", 5) for after in range(before, 5)] if DYNAMIC else []
    sets += [(False, segment, 0, after) for segment in SEGMENTS for after in range(segment != "x1", 5)] if DYNAMIC else []
    rows = [*combinations_with_replacement(Gate, 2)]
    return [(kind, policy) for kind, found in kinds.items() for policy in found] + [(kind, *both) for kind in kinds for both in rows] + sets


@cocotb.test(timeout_time=5, timeout_unit="ms")
@cocotb.parametrize(gaps=[False, True])
async def every_word_of_a_pass_comes_once(dut, gaps):
    await reset(dut)
    checker = Checker(dut, Random(seed()), 1 - IDLE * gaps)
    checker.offer()
    missing = wanted()
    for _ in range(4):  # some sets of quarters are rare
        for _ in range(10000):
            await checker.cycle()
        missing = [what for what in missing if not checker.met[what]]
        if not missing:
            return
    assert not missing, f"never met: {missing}"


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def clear_ends_a_pass(dut):
    random = Random(seed())
    await reset(dut)
    for _ in range(100):
        checker = Checker(dut, random, 1.0)
        checker.offer()
        for _ in range(random.randint(1, 12)):
            await checker.cycle()
        dut.valid_i.value, dut.clear_i.value = 0, 1
        await clock_cycles(dut, 1)
        dut.clear_i.value = 0
        for _ in range(3):
            await RisingEdge(dut.clk_i)
            assert not dut.valid_o.value and not dut.reads_o.value and dut.ready_o.value


@pytest.mark.parametrize("dynamic, index, unit, weight, offset", [(1, 3, 9, 13, 7), (1, 1, 3, 7, 5), (0, 2, 6, 15, 9)])
def test_row_pass(dynamic, index, unit, weight, offset):
    widths = {"DynamicPrecision": dynamic, "IndexWidth": index, "UnitWidth": unit, "WeightWidth": weight, "OffsetWidth": offset}
    run(__name__, "row_pass", widths, environment={"WIDTHS": json.dumps(widths)})
