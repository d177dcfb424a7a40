# SPDX-License-Identifier: MIT
"""The ports of the bare accelerator, beat by beat, with the AXI agents of cocotbext-axi under pauses on every channel."""

import logging
import random

import cocotb
from cocotb.triggers import RisingEdge
from cocotbext.axi import AxiStreamFrame
from cocotbext.axi.constants import AxiResp

from codegen.registers import read_map
from models.compiler import compile_image
from tb.bench.drivers import reset, seed
from tb.bench.protocol import axil_master, pauses, rules, stream_sink, stream_source
from tb.bench.registers import Config, Control, Error, Register, Status
from tb.bench.runner import run
from tb.bench.scoreboard import Scoreboard
from tb.tests.lstm_accelerator.cases import SMALL, network_of, sequences_of

BYTES = 16  # of a beat


def frame(beats: list[int], user: bool = False) -> AxiStreamFrame:
    """A packet of beats, tuser on the last."""
    data = b"".join(beat.to_bytes(BYTES, "little") for beat in beats)
    return AxiStreamFrame(data, tuser=[0] * (len(data) - BYTES) + [int(user)] * BYTES)


def last_user(packet: AxiStreamFrame) -> bool:
    """tuser of the last beat of a packet that a sink gave: a list, or a number when all beats have the same."""
    return bool(packet.tuser if isinstance(packet.tuser, int) else packet.tuser[-1])


async def started(dut):
    """Clock, reset, and an AXI4-Lite master."""
    logging.getLogger(f"cocotb.{dut._name}").setLevel(logging.WARNING)
    dut.rst_ni.value = 0
    master = axil_master(dut)
    await reset(dut)
    return master


@cocotb.test(timeout_time=5, timeout_unit="ms")
@cocotb.parametrize(rate=[0.0, 0.4])
async def a_run_beat_by_beat(dut, rate):
    generator, master = random.Random(seed()), await started(dut)
    x, image_port, h, trace = stream_source(dut, "s_x"), stream_source(dut, "s_image"), stream_sink(dut, "m_h"), stream_sink(dut, "m_trace")
    for number, agent in enumerate((x, image_port, h, trace)):
        agent.set_pause_generator(pauses(seed() + number, rate))
    watching = rules(dut)
    network = network_of(9, [19, 35], 2, generator)
    image = compile_image(network, SMALL)
    for packet in image.packets():
        await image_port.send(frame(packet))
    await image_port.wait()
    sequences = sequences_of(network, [2, 1], generator)
    await master.write_dword(Register.CONFIG, Config.IRQ_ENABLE | Config.TRACE)
    await master.write_dword(Register.LAYERS, image.layers)
    await master.write_dword(Register.SEQUENCES, len(sequences))
    await master.write_dword(Register.CONTROL, Control.START)
    expected_h, expected_trace = [], []
    for sequence in sequences:
        result, steps = network.run(sequence), sequence.shape[1]
        for step in range(steps):
            last = step == steps - 1
            await x.send(frame(image.encode_x(sequence[0, step]), last))
            expected_h.append((bytes(frame(image.encode_h(result.h[0, step])).tdata), last))
            expected_trace.append(bytes(frame(image.encode_trace([levels[0, step] for levels in result.levels])).tdata))
    await RisingEdge(dut.irq_o)
    scoreboard = Scoreboard(dut)
    frames = [h.recv_nowait() for _ in range(h.count())]
    scoreboard.equal("packets of h", expected_h, [(bytes(packet.tdata), last_user(packet)) for packet in frames])
    scoreboard.equal("packets of trace", expected_trace, [bytes(trace.recv_nowait().tdata) for _ in range(trace.count())])
    scoreboard.equal("status", Status.DONE, Status(await master.read_dword(Register.STATUS)) & (Status.DONE | Status.BUSY))
    scoreboard.equal("sticky errors", Error(0), Error(await master.read_dword(Register.ERRORS)))
    assert all(monitor.stats.received_transactions for monitor in watching), "a monitor of the rules saw nothing"
    scoreboard.check()


@cocotb.test(timeout_time=5, timeout_unit="ms")
@cocotb.parametrize(rate=[0.0, 0.5])
async def registers_under_pauses(dut, rate):
    generator, master = random.Random(seed()), await started(dut)
    channels = (master.write_if.aw_channel, master.write_if.w_channel, master.write_if.b_channel, master.read_if.ar_channel, master.read_if.r_channel)
    for number, channel in enumerate(channels):
        channel.set_pause_generator(pauses(seed() + number, rate))
    rules(dut)
    scoreboard = Scoreboard(dut)
    writable = {Register[register.name]: register.mask for register in read_map().registers if register.access == "rw"}
    values = {}
    for _ in range(60):
        register, mask = generator.choice(list(writable.items()))
        values[register] = generator.getrandbits(32) & mask
        await master.write_dword(register, values[register])
        got = {name: await master.read_dword(name) for name in values}
        scoreboard.equal_all("registers", values, got)
    await master.write_dword(Register.LAYERS, 0xAABBCCDD)
    await master.write(Register.LAYERS, b"\x11\x22")
    scoreboard.equal("LAYERS after a write of two bytes", 0xAABB2211, await master.read_dword(Register.LAYERS))
    for address in (*read_map().holes[::200], Register.LAYERS + 1):
        reading, writing = await master.read(address, 4), await master.write(address, bytes(4))
        scoreboard.equal(f"answers at {address:#x}", (AxiResp.SLVERR, AxiResp.SLVERR), (reading.resp, writing.resp))
    scoreboard.check()


def test_protocols():
    run(__name__, "lstm_accelerator", SMALL.parameters())
