# SPDX-License-Identifier: MIT
"""output_stream: packets of one layer's bytes (h) and of several layers' nibbles (trace), in any order of commits; stalls; clear."""

import os
from random import Random

import cocotb
import pytest
from cocotb.triggers import FallingEdge, RisingEdge

from tb.bench.axi_stream import receive
from tb.bench.drivers import clock_cycles, reset, seed
from tb.bench.runner import run

BITS, LAYERS = int(os.environ.get("BITS", 0)), int(os.environ.get("LAYERS", 0))
GROUP = 16  # positions of which two may be committed at once


class Stream:
    """Commits steps as tiles do, one unit a cycle or two of a group, two ahead of the packets taken, and knows the packets that must come."""

    def __init__(self, dut, random, units, stall=0.0, take=True):
        self.dut, self.random, self.units = dut, random, units
        self.first = 0 if LAYERS > 1 else len(units) - 1
        self.expected, self.packets, self.free = [], [], 2
        dut.first_layer_i.value, dut.last_layer_i.value = self.first, len(units) - 1
        self.tasks = [cocotb.start_soon(task()) for task in (self.layer_table, self.count_free, self.no_cycle_is_lost)]
        if take:
            self.tasks.append(cocotb.start_soon(receive(dut, "m", self.packets, stall, random)))

    async def layer_table(self):
        """Answers layer_o within the cycle, as the layer table does."""
        while True:
            await FallingEdge(self.dut.clk_i)
            self.dut.units_i.value = self.units[int(self.dut.layer_o.value) % len(self.units)]

    async def count_free(self):
        while True:
            await RisingEdge(self.dut.clk_i)
            self.free += int(self.dut.freed_o.value)

    async def no_cycle_is_lost(self):
        """Two cycles after done comes the first beat, and each is followed at once by the next, also of the next packet if it waits already."""
        dut, pending, busy = self.dut, 0, False
        while True:
            await RisingEdge(dut.clk_i)
            valid, ready, last, done = (getattr(dut, name).value for name in ("m_tvalid_o", "m_tready_i", "m_tlast_o", "done_i"))
            assert valid or not busy, "a beat did not come as soon as it could"
            taken = bool(valid and ready and last)
            pending = pending - taken if not dut.clear_i.value else int(valid and not taken)
            busy = bool(valid and not taken) or (not valid and pending > 0)
            pending += int(done and not dut.clear_i.value)

    async def step(self, bank, last, done=True):
        dut, beats = self.dut, []
        while not self.free:
            await clock_cycles(dut, 1)
        self.free -= 1
        commits = []
        for layer in range(self.first, len(self.units)):
            elements = [self.random.getrandbits(BITS) for _ in range(self.units[layer])]
            commits += [(layer, position, element) for position, element in enumerate(elements)]
            total = sum(element << BITS * position for position, element in enumerate(elements))
            beats += [total >> 128 * beat & (1 << 128) - 1 for beat in range(-(-self.units[layer] * BITS // 128))]
        self.random.shuffle(commits)
        while commits:
            layer, position, element = commits.pop()
            dut.commit_valid_i.value, dut.commit_bank_i.value = 1, bank
            dut.commit_layer_i.value, dut.commit_position_i.value, dut.commit_element_i.value = layer, position, element
            pair = next((commit for commit in commits if (commit[0], commit[1] // GROUP) == (layer, position // GROUP)), None)
            if pair and self.random.random() < 0.5:
                commits.remove(pair)
                dut.pair_valid_i.value, dut.pair_position_i.value, dut.pair_element_i.value = 1, *pair[1:]
            else:
                dut.pair_valid_i.value = 0
            await clock_cycles(dut, 1)
        dut.commit_valid_i.value = dut.pair_valid_i.value = 0
        if done:
            self.expected.append((beats, last))
            dut.done_i.value, dut.done_bank_i.value, dut.done_last_i.value = 1, bank, last
            await clock_cycles(dut, 1)
            dut.done_i.value, dut.done_bank_i.value, dut.done_last_i.value = 0, self.random.getrandbits(1), self.random.getrandbits(1)

    async def drained(self):
        await clock_cycles(self.dut, 2)
        while not self.dut.idle_o.value:
            await clock_cycles(self.dut, 1)
        await clock_cycles(self.dut, 2)
        assert self.packets == self.expected
        for task in self.tasks:
            task.cancel()


@cocotb.test(timeout_time=5, timeout_unit="ms")
@cocotb.parametrize(stall=[0.0, 0.7])
async def packets_hold_the_commits(dut, stall):
    random = Random(seed())
    for units in ([1], [16], [17, 33], [1024], [5, 32, 128], [3] * 8):
        await reset(dut)
        stream = Stream(dut, random, units, stall)
        for step in range(5):
            await stream.step(step & 1, random.getrandbits(1))
        await stream.drained()
        assert stream.free == 2 and len(stream.packets) == 5


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def nothing_leaves_a_reset(dut):
    """In every cycle of a packet: no beat comes in the reset or after it, and no packet is told as taken."""
    for cycle in range(10):
        await reset(dut)
        stream = Stream(dut, Random(seed()), [40])
        await stream.step(0, 1)
        await clock_cycles(dut, cycle)
        for task in stream.tasks:
            task.cancel()
        dut.rst_ni.value = 0
        await clock_cycles(dut, 2)
        for _ in range(4):
            assert not dut.freed_o.value and not dut.m_tvalid_o.value and dut.idle_o.value, f"after a reset {cycle} cycles after a step was done"
            dut.rst_ni.value = 1
            await clock_cycles(dut, 1)


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def a_beat_a_cycle(dut):
    await reset(dut)
    stream = Stream(dut, Random(seed()), [1024])
    await stream.step(0, 0)
    beats = 1024 * BITS // 128
    await clock_cycles(dut, beats + 4)
    assert dut.idle_o.value and stream.packets == stream.expected


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def a_first_packet_may_come_from_the_odd_bank(dut):
    await reset(dut)
    stream = Stream(dut, Random(seed()), [20])
    for step in (1, 2, 3):
        await stream.step(step & 1, 0)
    await stream.drained()


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def a_step_that_is_done_during_clear_is_dropped(dut):
    """In every cycle around a clear of one cycle, which is all that an idle output needs: what is done before the clear or in it sends nothing."""
    random = Random(seed())
    for offset in range(-1, 3):  # cycles from clear to done
        await reset(dut)
        stream = Stream(dut, random, [20])
        await stream.step(0, 0, done=False)
        for cycle in range(-2, 4):
            dut.clear_i.value, dut.done_i.value = int(cycle == 0), int(cycle == offset)
            await clock_cycles(dut, 1)
        await clock_cycles(dut, 12)
        assert len(stream.packets) == (offset > 0), f"{len(stream.packets)} packets of a step that was done {offset} cycles after clear"
        assert dut.idle_o.value
        for task in stream.tasks:
            task.cancel()


@cocotb.test(timeout_time=1, timeout_unit="ms")
@cocotb.parametrize(begun=[False, True])
async def clear_finishes_a_begun_packet_only(dut, begun):
    random = Random(seed())
    await reset(dut)
    stream = Stream(dut, random, [100], take=False)
    await stream.step(1, 1)
    if begun:
        await clock_cycles(dut, 4)
        await stream.step(0, 0)
    dut.clear_i.value = 1
    await clock_cycles(dut, 3)
    assert dut.idle_o.value == (not begun)
    stream.tasks.append(cocotb.start_soon(receive(dut, "m", stream.packets)))
    await clock_cycles(dut, 20)
    assert dut.idle_o.value and stream.packets == stream.expected[:begun]
    dut.clear_i.value = 0
    await clock_cycles(dut, 3)
    assert dut.idle_o.value and not dut.m_tvalid_o.value
    for task in stream.tasks:
        task.cancel()
    stream = Stream(dut, random, [100])
    await stream.step(0, 1)
    await stream.drained()


@pytest.mark.parametrize("bits, layers", [(8, 1), (8, 8), (4, 8)])
def test_output_stream(bits, layers):
    run(__name__, "output_stream", {"ElementBits": bits, "Layers": layers}, environment={"BITS": str(bits), "LAYERS": str(layers)})
