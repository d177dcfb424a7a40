# SPDX-License-Identifier: MIT
"""Beat-level AXI4-Stream agents for the tests of single modules; long runs use the Verilog agents of tb/bench/agents.py."""

from random import Random

from cocotb.handle import SimHandleBase
from cocotb.triggers import RisingEdge


async def send(dut: SimHandleBase, name: str, beats: list[int], user: bool | None = None, stall: float = 0.0, random: Random | None = None, last: bool = True) -> None:
    """Sends `beats` as one packet (without tlast if not `last`) on the stream `name`; pauses before a beat with probability `stall`."""
    valid, ready = getattr(dut, f"{name}_tvalid_i"), getattr(dut, f"{name}_tready_o")
    for index, beat in enumerate(beats):
        while random and random.random() < stall:
            await RisingEdge(dut.clk_i)
        end = last and index == len(beats) - 1
        getattr(dut, f"{name}_tdata_i").value = beat
        getattr(dut, f"{name}_tlast_i").value = int(end)
        if user is not None:
            getattr(dut, f"{name}_tuser_i").value = int(end and user)
        valid.value = 1
        await RisingEdge(dut.clk_i)
        while not ready.value:
            await RisingEdge(dut.clk_i)
        valid.value = 0


async def receive(dut: SimHandleBase, name: str, packets: list, stall: float = 0.0, random: Random | None = None) -> None:
    """Appends each packet of the stream `name` to `packets` as (beats, tuser of the last beat), and asserts that a stalled beat stays."""
    signal = {part: getattr(dut, f"{name}_{part}_o") for part in ("tdata", "tvalid", "tlast", "tuser")}
    ready, beats, waiting = getattr(dut, f"{name}_tready_i"), [], None
    while True:
        ready.value = int(not random or random.random() >= stall)
        await RisingEdge(dut.clk_i)
        beat = tuple(int(signal[part].value) for part in ("tdata", "tlast", "tuser")) if signal["tvalid"].value else None
        assert waiting is None or beat == waiting, f"{name}: beat {waiting} became {beat} while it had to wait"
        waiting = beat if beat and not ready.value else None
        if beat and ready.value:
            beats.append(beat[0])
            if beat[1]:
                packets.append((beats, beat[2]))
                beats = []


def to_beats(data: bytes) -> list[int]:
    """Bytes as beats of 16, byte 0 lowest, zero-padded."""
    return [int.from_bytes(data[start:start + 16], "little") for start in range(0, len(data), 16)]
