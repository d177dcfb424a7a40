# SPDX-License-Identifier: MIT
"""Arrays of numpy.save and numpy.savez from elsewhere: no array is larger than its file, and nothing is unpickled."""

import io
from pathlib import Path

import numpy as np

from .archive import open_zip, read_member
from .imported import ImportFailure

FAILURES = (ValueError, OSError, EOFError, MemoryError, OverflowError, SyntaxError, TypeError)


def read_array(path: Path) -> np.ndarray:
    """The array of a .npy file, read-only and mapped, so that what its header claims costs no memory.

    Raises ImportFailure that names the file and says what to do, and FileNotFoundError.
    """
    _exists(path)
    try:
        values = np.load(path, mmap_mode="r", allow_pickle=False)
    except FAILURES as error:
        raise ImportFailure(f"{path.name}: it is not a whole .npy file of numbers; save one with numpy.save(file, inputs)") from error
    if not isinstance(values, np.ndarray):
        values.close()
        raise ImportFailure(f"{path.name}: it holds several arrays, as numpy.savez writes them; save one with numpy.save(file, inputs)")
    return _real(values, path.name)


def read_arrays(path: Path) -> dict[str, np.ndarray]:
    """The arrays of a .npz file by name, in its order. Raises as read_array."""
    _exists(path)
    try:
        with open_zip(path) as archive:
            members = {name: read_member(archive, name) for name in archive.namelist()}
    except ImportFailure as error:
        raise ImportFailure(f"{path.name}: {error}") from error
    arrays = {}
    for member, content in members.items():
        try:
            values = np.load(io.BytesIO(content), allow_pickle=False)
        except FAILURES as error:
            raise ImportFailure(f"{path.name}: {member} within it is not an array of numbers; save one with numpy.savez(file, ...)") from error
        arrays[member.removesuffix(".npy")] = _real(values, f"{path.name}: {member}")
    return arrays


def _exists(path):
    if not path.is_file():
        raise FileNotFoundError(f"no file {path}")


def _real(values, name):
    kind = getattr(values, "dtype", np.dtype(object))
    if not (np.issubdtype(kind, np.floating) or np.issubdtype(kind, np.integer)):
        raise ImportFailure(f"{name}: its values are {kind.name}, not real numbers; save them as float32")
    return values
