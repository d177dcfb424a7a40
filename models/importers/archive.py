# SPDX-License-Identifier: MIT
"""Zip archives from elsewhere: how much they unpack to is known, and bounded, before anything is unpacked."""

import zipfile
import zlib
from pathlib import Path

from .imported import ImportFailure

FREE = 64 << 20  # bytes that may be unpacked whatever their ratio
MOST_RATIO = 200  # of unpacked bytes to those of the file
FAILURES = (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError, RuntimeError, ValueError)


def open_zip(path: Path) -> zipfile.ZipFile:
    """The archive, for reading. Raises ImportFailure for one that cannot be read, or that unpacks to far more than the file has."""
    try:
        archive = zipfile.ZipFile(path)
    except FAILURES as error:
        raise ImportFailure("it is cut short or damaged: save or copy it again") from error
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


def size(count: float) -> str:
    """A number of bytes in words."""
    units = ["bytes", "KiB", "MiB", "GiB", "TiB"]
    while count >= 1024 and len(units) > 1:
        count, units = count / 1024, units[1:]
    return f"{count:.3g} {units[0]}"
