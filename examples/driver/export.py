# SPDX-License-Identifier: MIT
"""Files for the driver in C: an image, and packets of x. Byte order is little-endian."""

import struct
from pathlib import Path

import torch
from torch import Tensor

from models.compiler import BEAT_BYTES, Image
from tb.bench.register_map import Build as BuildRegister

MAGIC = int.from_bytes(b"LSTM", "big")  # as register ID has it


def beats_to_bytes(beats: list[int]) -> bytes:
    """128-bit beats as bytes, the low one first."""
    return b"".join(beat.to_bytes(BEAT_BYTES, "little") for beat in beats)


def image_file(image: Image, x_beats: int, units: int) -> bytes:
    """The file that lstm_load takes: magic, BUILD, layers, beats of a packet of x, units of the last layer (32 bits each); the position of each unit in a
    packet of h (16 bits each); then each packet of the image, after the number of its beats (32 bits)."""
    build = image.build
    register = BuildRegister.tiles(build.tiles) | BuildRegister.lanes(build.lanes) | (BuildRegister.DYNAMIC if build.dynamic else 0)
    positions = torch.tensor(image.order[-1]).argsort().tolist()
    packets = (struct.pack("<I", len(packet)) + beats_to_bytes(packet) for packet in image.packets())
    return struct.pack(f"<5I{units}H", MAGIC, register, image.layers, x_beats, units, *positions) + b"".join(packets)


def write_files(folder: Path, image: Image, x: Tensor, units: int) -> None:
    """Writes image.bin and x.bin, the packets of the steps of x (int8 [steps, terms, inputs])."""
    packets = [image.encode_x(step) for step in x]
    (folder / "image.bin").write_bytes(image_file(image, len(packets[0]), units))
    (folder / "x.bin").write_bytes(b"".join(map(beats_to_bytes, packets)))
