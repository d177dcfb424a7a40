# SPDX-License-Identifier: MIT
"""input_stream: x reaches its bank byte for byte, with its exponents, and is announced once it is there; never more than two steps ahead; lengths; clear."""

import os
from random import Random

import cocotb
import pytest
from cocotb.triggers import RisingEdge, Timer

from models.formats import BEAT_WIDTH, EXPONENT_GROUP, MAX_UNITS
from models.layer import MAX_EXPONENT
from tb.bench.axi_stream import send, to_beats
from tb.bench.drivers import clock_cycles, reset, seed
from tb.bench.runner import PERIOD, run

LANES, DYNAMIC = int(os.environ.get("DOT_LANES", 0)), bool(int(os.environ.get("DYNAMIC", 0)))
DEPTH = int(os.environ.get("DEPTH", 0))  # words of a bank: the longest packet, of two terms, fits


def packet_of(data: bytes, terms: int, random: Random) -> tuple[list[int], list[int]]:
    """Beats of an x packet, and the exponent of each byte: of groups of a term's values, which begin anew with each term; none in the baseline build."""
    if not DYNAMIC:
        return to_beats(data), [0] * len(data)
    term = len(data) // (terms + 1)
    groups = -(-term // EXPONENT_GROUP)
    exponents = [random.randint(0, MAX_EXPONENT) for _ in range(groups * (terms + 1))]
    header = sum(exponent << 4 * number for number, exponent in enumerate(exponents))
    header |= random.getrandbits(BEAT_WIDTH) >> 4 * len(exponents) << 4 * len(exponents)  # the others say nothing
    return [header, *to_beats(data)], [exponents[index // term * groups + index % term // EXPONENT_GROUP] for index in range(len(data))]


class Memory:
    """The activation memories and the tiles after them: takes granules, checks each step that is announced, completes it later.

    prompt: also checks that no cycle is lost inside a packet: a beat is taken while the last granule of the one before leaves, or none waits.
    """

    def __init__(self, dut, random: Random, stall: float, prompt: bool = False):
        self.dut, self.random, self.stall, self.prompt = dut, random, stall, prompt
        self.granule = min(16, LANES)
        self.bytes, self.exponents, self.steps, self.loaded, self.done = {}, {}, [], 0, 0
        self.last_write, self.cycle = {}, 0
        cocotb.start_soon(self.run())

    def expect(self, data: bytes, exponents: list[int], first: bool, last: bool):
        self.steps.append((data, exponents, first, last))

    async def run(self):
        dut, previous, held, waiting, inside = self.dut, None, None, 0, False  # granules that wait; inside of a packet
        while True:
            dut.x_ready_i.value, dut.x_held_i.value = int(not held and self.random.random() >= self.stall), int(held is not None)
            complete = self.loaded > self.done and self.random.random() < 0.1
            dut.first_layer_done_i.value = dut.step_done_i.value = int(complete)
            await RisingEdge(dut.clk_i)
            self.cycle += 1
            self.done += complete
            if dut.x_loaded_o.value:
                assert self.cycle == self.last_write[self.loaded & 1] + 2, "a step is announced when its last granule is in the memories"
                self.check(int(dut.step_first_o.value), int(dut.step_last_o.value))
            now = (int(dut.x_address_o.value), int(dut.x_granule_o.value), int(dut.x_data_o.value), int(dut.x_exponent_o.value)) if dut.x_valid_o.value else None
            assert previous is None or now == previous, "a granule changed while it had to wait"
            previous = now if not dut.x_ready_i.value else None
            held = held or (now if dut.x_ready_i.value else None)
            if held and self.random.random() >= self.stall:
                self.write(*held)
                held = None
            if self.prompt:
                sent, ready = bool(now and dut.x_ready_i.value), bool(dut.s_x_tready_o.value)
                assert not inside or ready == (waiting == sent), f"ready {ready} with {waiting} granules to send, {int(sent)} of them in this cycle"
                taken = ready and bool(dut.s_x_tvalid_i.value)
                waiting = waiting * inside - sent * inside + (16 // self.granule if inside or not DYNAMIC else 0) * taken
                if taken:
                    inside = not dut.s_x_tlast_i.value

    def write(self, address, granule, data, exponent):
        bank, offset = divmod(address, DEPTH)
        self.last_write[bank] = self.cycle
        step = self.loaded + (self.loaded & 1 != bank)
        assert step < self.done + 2, f"step {step} is written, but {step - 2} still needs the bank"
        base = (bank * DEPTH + offset) * LANES + granule * self.granule
        for index, byte in enumerate(data.to_bytes(self.granule, "little")):
            self.bytes[base + index], self.exponents[base + index] = byte, exponent

    def check(self, first, last):
        data, exponents, is_first, is_last = self.steps[self.loaded]
        base = ((self.loaded & 1) * DEPTH + int(self.dut.x_address_i.value)) * LANES
        got = bytes(self.bytes.get(base + index, 0) for index in range(len(data)))
        assert got == data, f"step {self.loaded}: memory {got.hex()}, packet {data.hex()}"
        got = [self.exponents[base + index] for index in range(len(data))]
        assert got == exponents, f"step {self.loaded}: exponents {got}, packet {exponents}"
        assert (first >> self.loaded % 4 & 1, last >> self.loaded % 4 & 1) == (is_first, is_last), f"flags of step {self.loaded}"
        inside = range(base, base + len(data))
        others = [address for address in self.bytes if address // (DEPTH * LANES) == self.loaded & 1 and address not in inside]
        assert not others, f"bytes outside of the region of x were written: {others}"
        self.loaded += 1


async def start(dut, words, terms, address, sequences=1, stateful=0):
    dut.x_words_i.value, dut.x_terms_i.value, dut.x_address_i.value = words, terms, address
    dut.sequences_i.value, dut.stateful_i.value, dut.start_i.value = sequences, stateful, 1
    await clock_cycles(dut, 1)
    dut.start_i.value = 0


@cocotb.test(timeout_time=3, timeout_unit="ms")
@cocotb.parametrize(stall=[0.0, 0.5], stateful=[0, 1], terms=[0, 1])
async def packets_reach_the_memory(dut, stall, stateful, terms):
    random = Random(seed())
    await reset(dut)
    memory = Memory(dut, random, stall, prompt=True)
    lengths = [3, 1, 2]
    most = min(DEPTH // 2, 1024 // LANES)
    for words in (random.randint(1, most), 1, most, min(most, EXPONENT_GROUP // LANES), min(most, EXPONENT_GROUP // LANES + 1)):
        await start(dut, words, terms, random.randrange(DEPTH - words * 2 + 1), len(lengths), stateful)
        memory.bytes.clear()
        for length in lengths:
            for step in range(length):
                data = random.randbytes(words * LANES * (terms + 1))
                last = step == length - 1
                beats, exponents = packet_of(data, terms, random)
                memory.expect(data, exponents, step == 0 and not stateful, last)
                await send(dut, "s_x", beats, last, stall, random)
        assert not dut.finished_o.value
        while not dut.finished_o.value:
            await clock_cycles(dut, 1)
        assert memory.loaded == memory.done == len(memory.steps) and dut.bank_o.value == memory.loaded & 1
        await clock_cycles(dut, 1)
        assert not dut.s_x_tready_o.value, "nothing is taken after the last sequence"


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def a_beat_a_cycle(dut):
    await reset(dut, x_ready=1)
    words = min(DEPTH, 1024 // LANES) // 2
    await start(dut, words, 1, 0)
    beats, _ = packet_of((bytes(range(256)) * 8)[:words * 2 * LANES], 1, Random(seed()))
    sent = cocotb.start_soon(send(dut, "s_x", beats, True))
    cycles = 0
    while not sent.done():
        await clock_cycles(dut, 1)
        cycles += 1
    assert cycles <= len(beats) * max(1, 16 // LANES) + 2, f"{cycles} cycles for {len(beats)} beats"


@cocotb.test(timeout_time=1, timeout_unit="ms")
@cocotb.parametrize(length=["short", "long", "one beat"], clear_inside=[False, True])
async def a_wrong_length_halts_until_clear(dut, length, clear_inside):
    """One beat: in the dynamic build a packet that ends at its exponents."""
    random = Random(seed())
    await reset(dut)
    memory = Memory(dut, random, 0.0)
    errors = []

    async def watch():
        while True:
            await RisingEdge(dut.clk_i)
            errors.extend(["short"] * int(dut.short_error_o.value) + ["long"] * int(dut.long_error_o.value))

    cocotb.start_soon(watch())
    words = max(3, 48 // LANES)
    await start(dut, words, 0, 1)
    data, long = random.randbytes(words * LANES), length == "long"
    beats, exponents = packet_of(data, 0, random)
    memory.expect(data, exponents, True, False)
    await send(dut, "s_x", beats, False)
    wrong = {"short": beats[:-1], "long": beats + beats, "one beat": beats[:1]}[length]
    await send(dut, "s_x", wrong, True, last=not (long and clear_inside))
    await clock_cycles(dut, 8)
    assert errors == ["long" if long else "short"] and dut.halted_o.value and memory.loaded == 1
    assert dut.s_x_tready_o.value == (long and clear_inside), "after an error the rest of its packet is taken, and no other"
    memory.done = memory.loaded  # a clear is one of the tiles, too: they complete nothing after it
    dut.clear_i.value = 1
    await clock_cycles(dut, 2)
    dut.clear_i.value = 0
    if long and clear_inside:
        await send(dut, "s_x", beats[:2], True)
    await clock_cycles(dut, 2)
    assert not dut.halted_o.value and not dut.s_x_tready_o.value and not dut.bank_o.value
    memory.steps, memory.loaded, memory.done = [(data, exponents, True, True)], 0, 0
    memory.bytes.clear()
    await start(dut, words, 0, 2)
    await send(dut, "s_x", beats, True)
    while not dut.finished_o.value:
        await clock_cycles(dut, 1)
    assert memory.loaded == 1 and len(errors) == 1


@cocotb.test(timeout_time=1, timeout_unit="ms")
@cocotb.parametrize(before=[1, 2])
async def clear_discards_the_rest_of_a_packet(dut, before):
    """before: beats that came before the clear."""
    random = Random(seed())
    await reset(dut)
    memory = Memory(dut, random, 0.0)
    words = max(4, 64 // LANES)
    await start(dut, words, 0, 0)
    data = random.randbytes(words * LANES)
    beats, exponents = packet_of(data, 0, random)
    await send(dut, "s_x", beats[:before], last=False)
    dut.clear_i.value = 1
    await clock_cycles(dut, 3)
    dut.clear_i.value = 0
    await clock_cycles(dut, 4)
    memory.bytes.clear()
    await start(dut, words, 0, 0)
    await send(dut, "s_x", beats[before:] + beats, True)
    memory.expect(data, exponents, True, True)
    await send(dut, "s_x", beats, True)
    while not dut.finished_o.value:
        await clock_cycles(dut, 1)
    assert memory.loaded == 1


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def every_bit_of_the_sequences_counts(dut):
    """A run of 2^n + 1 sequences is not over after the first, nor after 2^n where that is short enough to be played: one sequence a cycle."""
    beats, _ = packet_of(bytes(LANES), 0, Random(seed()))
    await reset(dut, x_ready=1)
    for bit in range(32):
        await start(dut, 1, 0, 0, (1 << bit) + 1)
        await send(dut, "s_x", beats, True)
        await complete_step(dut)
        assert not dut.finished_o.value and dut.s_x_tready_o.value, f"1 of {(1 << bit) + 1} sequences"
        dut.clear_i.value = 1
        await clock_cycles(dut, 1)
        dut.clear_i.value = 0


async def complete_step(dut):
    """The tiles complete the one step that came in."""
    await clock_cycles(dut, 4)
    dut.first_layer_done_i.value = dut.step_done_i.value = 1
    await clock_cycles(dut, 1)
    dut.first_layer_done_i.value = dut.step_done_i.value = 0
    await clock_cycles(dut, 2)


@cocotb.test(timeout_time=2, timeout_unit="ms")
async def a_long_run_ends_after_its_last_sequence(dut):
    """More than 2^16 sequences of a beat each, one a cycle. In the baseline build, whose packets have no beat of exponents."""
    if DYNAMIC or LANES < 16:
        return
    count = (1 << 16) + 2
    await reset(dut, x_ready=1)
    await start(dut, 1, 0, 0, count)
    dut.s_x_tvalid_i.value = dut.s_x_tlast_i.value = dut.s_x_tuser_i.value = 1
    await clock_cycles(dut, 1)
    dut.first_layer_done_i.value = dut.step_done_i.value = 1  # of the step before, in every cycle
    await Timer((count - 2) * PERIOD + PERIOD // 4, "ns")
    await RisingEdge(dut.clk_i)
    assert dut.s_x_tready_o.value, "the last sequence is taken"
    dut.s_x_tvalid_i.value = 0
    await RisingEdge(dut.clk_i)
    dut.first_layer_done_i.value = dut.step_done_i.value = 0
    await clock_cycles(dut, 1)
    assert not dut.s_x_tready_o.value and dut.finished_o.value


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def nothing_begins_during_clear(dut):
    """A packet that comes while clear is high waits, and is the first of the next run."""
    random = Random(seed())
    await reset(dut)
    memory = Memory(dut, random, 0.0)
    words = max(4, 64 // LANES)
    for active in (False, True):
        if active:
            await start(dut, words, 0, 0)
        dut.clear_i.value = 1
        await clock_cycles(dut, 1)
        data = random.randbytes(words * LANES)
        beats, exponents = packet_of(data, 0, random)
        memory.steps, memory.loaded, memory.done, memory.bytes = [(data, exponents, True, True)], 0, 0, {}
        sent = cocotb.start_soon(send(dut, "s_x", beats, True))
        for cycle in range(6):
            await clock_cycles(dut, 1)
            assert not dut.s_x_tready_o.value, f"a beat is taken in cycle {cycle} of clear"
        dut.clear_i.value = 0
        await clock_cycles(dut, 4)
        await start(dut, words, 0, 0)
        await sent
        while not dut.finished_o.value:
            await clock_cycles(dut, 1)
        assert memory.loaded == 1


@pytest.mark.parametrize("dot_lanes, dynamic", [(8, 1), (16, 1), (32, 1), (64, 1), (2, 0), (4, 0), (16, 0)])
def test_input_stream(dot_lanes, dynamic):
    depth = max(64, 2 * MAX_UNITS // dot_lanes)
    run(__name__, "input_stream", {"DotLanes": dot_lanes, "DynamicPrecision": dynamic, "ActivationDepth": depth},
        environment={"DOT_LANES": str(dot_lanes), "DYNAMIC": str(dynamic), "DEPTH": str(depth)})
