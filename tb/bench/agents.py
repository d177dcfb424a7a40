# SPDX-License-Identifier: MIT
"""Python side of the Verilog stream agents of tb/bench/hdl: it wakes once a packet."""

from pathlib import Path
from typing import NamedTuple

from cocotb.handle import SimHandleBase
from cocotb.triggers import ReadOnly
from cocotb_bus.drivers import BusDriver
from cocotb_bus.monitors import BusMonitor

from models.formats import BEAT_WIDTH as BEAT


class Packet(NamedTuple):
    """An AXI4-Stream packet: its beats as one integer (the first beat lowest), their number, and tuser of the last."""

    data: int
    beats: int
    user: bool = False

    @classmethod
    def of(cls, beats: list[int], user: bool = False) -> "Packet":
        """The packet of a list of 128-bit beats."""
        return cls(sum(beat << BEAT * index for index, beat in enumerate(beats)), len(beats), user)

    def split(self) -> list[int]:
        """The beats as a list."""
        return [self.data >> BEAT * index & (1 << BEAT) - 1 for index in range(self.beats)]


class PacketDriver(BusDriver):
    """Hands packets to a stream_player; `append` queues one, and the next is ready before the one playing ends."""

    _signals = {"packet": "packet_i", "beats": "beats_i", "user": "user_i", "offer": "offer_i", "taken": "taken_o",
                "flush": "flush_i"}

    def __init__(self, dut: SimHandleBase, name: str):
        super().__init__(dut, name, dut.clk_i)
        self.sent = 0
        self.offer = int(self.bus.taken.value)
        self.capacity = len(self.bus.packet) // BEAT

    async def _driver_send(self, packet: Packet, sync=True):
        assert packet.beats <= self.capacity, f"{self.name}: {packet.beats} beats, the player holds {self.capacity}"
        self.bus.packet.value = packet.data
        self.bus.beats.value = packet.beats
        self.bus.user.value = packet.user
        self.offer ^= 1
        self.bus.offer.value = self.offer
        await self.bus.taken.value_change
        self.sent += 1


class PacketMonitor(BusMonitor):
    """Gives the packets of a stream_recorder."""

    _signals = {"packet": "packet_o", "beats": "beats_o", "user": "user_o", "done": "done_o"}

    def __init__(self, dut: SimHandleBase, name: str):
        super().__init__(dut, name, dut.clk_i)

    async def _monitor_recv(self):
        while True:
            await self.bus.done.value_change
            await ReadOnly()
            beats = int(self.bus.beats.value)
            bits = str(self.bus.packet.value)[-BEAT * beats:]
            self._recv(Packet(int(bits, 2), beats, bool(self.bus.user.value)))


def write_image(path: Path, packets: list[list[int]]) -> int:
    """Writes image packets as the file of an image_player; returns the number of beats."""
    lines = [f"{(index == len(packet) - 1) << BEAT | beat:033x}" for packet in packets for index, beat in enumerate(packet)]
    path.write_text("\n".join(lines) + "\n")
    return len(lines)


async def play_image(dut: SimHandleBase, path: Path, packets: list[list[int]]) -> None:
    """Plays image packets and returns when the last beat has been taken."""
    dut.image_beats_i.value = write_image(path, packets)
    dut.image_file_i.value = int.from_bytes(str(path).encode(), "big")
    dut.image_play_i.value = 1 - int(dut.image_done_o.value)
    await dut.image_done_o.value_change
