# SPDX-License-Identifier: MIT
"""The Verilog stream agents, tied together: what is played is what is recorded, at full speed and under stalls."""

import random
from pathlib import Path

import cocotb
import pytest
from cocotb.triggers import RisingEdge
from cocotb.utils import get_sim_time

from tb.bench.agents import Packet, PacketDriver, PacketMonitor, play_image
from tb.bench.drivers import PERIOD, clock_cycles, reset, seed
from tb.bench.runner import run
from tb.bench.scoreboard import Scoreboard


def random_packets(generator, count, most):
    sizes = [generator.randint(1, most) for _ in range(count)]
    return [Packet(generator.getrandbits(128 * size), size, bool(generator.getrandbits(1))) for size in sizes]


@cocotb.test(timeout_time=1, timeout_unit="ms")
@cocotb.parametrize(x_stall=[0, 128], h_stall=[0, 200], patient=[0, 1])
async def what_is_played_is_recorded(dut, x_stall, h_stall, patient):
    generator = random.Random(seed())
    await reset(dut, x_stall=x_stall, h_stall=h_stall, patient=patient, seed=seed())
    driver, monitor, scoreboard = PacketDriver(dut, "x"), PacketMonitor(dut, "h"), Scoreboard(dut)
    packets = random_packets(generator, 200, driver.capacity)
    scoreboard.expect(monitor, packets)
    start = get_sim_time("ns")
    for packet in packets:
        driver.append(packet)
    while monitor.stats.received_transactions < len(packets):
        await monitor.wait_for_recv()
    cycles = round((get_sim_time("ns") - start) / PERIOD)
    await RisingEdge(dut.clk_i)
    beats = sum(packet.beats for packet in packets)
    if not x_stall and not h_stall and not patient:
        assert cycles <= beats + 3, f"{beats} beats took {cycles} cycles: the player starves"
    else:
        assert cycles > 1.3 * beats, f"{beats} beats took {cycles} cycles: nothing stalled"
    assert not dut.x_violations_o.value
    scoreboard.check()


@cocotb.test(timeout_time=1, timeout_unit="ms")
@cocotb.parametrize(stall=[0, 100])
async def an_image_is_played_from_its_file(dut, stall):
    generator = random.Random(seed())
    await reset(dut, image_stall=stall, trace_stall=stall, seed=seed())
    monitor, scoreboard = PacketMonitor(dut, "trace"), Scoreboard(dut)
    images = [random_packets(generator, 4, monitor_beats(dut)) for _ in range(3)]
    scoreboard.expect(monitor, [packet._replace(user=False) for image in images for packet in image])
    for image in images:
        await play_image(dut, Path("image.hex"), [packet.split() for packet in image])
        await clock_cycles(dut, 2)
    assert not dut.image_violations_o.value
    scoreboard.check()


@cocotb.test(timeout_time=1, timeout_unit="ms")
@cocotb.parametrize(x_stall=[0, 128])
async def a_flush_withdraws_whole_packets(dut, x_stall):
    generator = random.Random(seed())
    await reset(dut, x_stall=x_stall, h_stall=100, seed=seed())
    driver, monitor = PacketDriver(dut, "x"), PacketMonitor(dut, "h")
    packets, came = random_packets(generator, 200, 3), []
    monitor.add_callback(came.append)
    for packet in packets:
        driver.append(packet)
    while driver.sent < len(packets) or dut.x_busy_o.value:
        dut.x_flush_i.value = generator.random() < 0.2
        await RisingEdge(dut.clk_i)
    await clock_cycles(dut, 2)
    assert 0 < len(came) < len(packets), f"{len(came)} of {len(packets)} packets came"
    left = iter(packets)
    assert all(packet in left for packet in came), "a packet came in part, or out of order"
    assert not dut.x_violations_o.value


def monitor_beats(dut):
    return len(dut.trace_packet_o) // 128


@pytest.mark.parametrize("simulator", ["verilator", "icarus"])
def test_agents(simulator):
    run(__name__, "agents_loopback", {"Beats": 8}, simulator=simulator)
