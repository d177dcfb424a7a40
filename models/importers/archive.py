# SPDX-License-Identifier: MIT
"""Zip archives from elsewhere: how much they unpack to is known, and bounded, before anything is unpacked."""

import struct
import zipfile
import zlib
from pathlib import Path

from .imported import ImportFailure

FREE = 64 << 20  # bytes that may be unpacked whatever their ratio
MOST_RATIO = 200  # of unpacked bytes to those of the file
FAILURES = (zipfile.BadZipFile, zlib.error, struct.error, EOFError, OSError, NotImplementedError, RuntimeError, ValueError)
DAMAGED = "it is cut short or damaged: save or copy it again"


def open_zip(path: Path) -> zipfile.ZipFile:
    """The archive, for reading. Raises ImportFailure for one that cannot be read, or that unpacks to far more than the file has."""
    try:
        archive = zipfile.ZipFile(path)
    except FAILURES as error:
        raise ImportFailure(DAMAGED) from error
    unpacked, packed = sum(member.file_size for member in archive.infolist()), path.stat().st_size
    if unpacked > max(FREE, MOST_RATIO * packed):
        archive.close()
        raise ImportFailure(f"it unpacks to {size(unpacked)} from {size(packed)}: save it without compression")
    return archive


def read_member(archive: zipfile.ZipFile, name: str) -> bytes:
    """What a member holds. Raises ImportFailure where it cannot be read."""
    try:
        return archive.read(name)
    except (*FAILURES, KeyError, MemoryError) as error:
        raise ImportFailure(f"{name} within it is missing or damaged: save or copy the file again") from error


def read_part(path: Path, archive: zipfile.ZipFile, name: str, first: int = 0, count: int | None = None) -> bytes:
    """count bytes (default: all) from byte `first` of a member that is not compressed. PyTorch may write no checksums, so none is checked.

    Raises ImportFailure where it cannot be read, or has fewer bytes.
    """
    try:
        member = archive.getinfo(name)
        count = member.file_size - first if count is None else count
        if member.compress_type != zipfile.ZIP_STORED or first + count > min(member.file_size, path.stat().st_size):
            raise EOFError
        with path.open("rb") as file:
            file.seek(member.header_offset + 26)
            file.seek(member.header_offset + 30 + sum(struct.unpack("<HH", file.read(4))) + first)
            content = file.read(count)
        if len(content) != count:
            raise EOFError
        return content
    except (*FAILURES, KeyError, MemoryError) as error:
        raise ImportFailure(f"{name} within it is missing or damaged: save or copy the file again") from error


def size(count: float) -> str:
    """A number of bytes in words."""
    units = ["bytes", "KiB", "MiB", "GiB", "TiB"]
    while count >= 1024 and len(units) > 1:
        count, units = count / 1024, units[1:]
    return f"{count:.3g} {units[0]}"
