# SPDX-License-Identifier: MIT
"""Results that are kept under build/cache/, so that what was interrupted goes on where it was.

A file holds a checksum of its key and its result, and the result. What fails it (a flipped bit, an end that is missing, another format, the
file of another key) is computed anew, and never reaches pickle, which would run whatever the bytes say.

joblib.Memory and diskcache, which do such things elsewhere, check neither: a flipped bit comes back as a number that looks like any other.
joblib also takes a function's own text for all that its result depends on; here keys are made from all that is imported (models/sources.py).

Environment: `CACHE`, another folder.
"""

import hashlib
import os
import pickle
import tempfile
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent
# Beside the sources in a checkout; an installed package keeps them where the user's caches are.
USER_CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "lstm-dynamic-precision"
FOLDER = Path(os.environ.get("CACHE") or (ROOT.parent / "build" / "cache" if (ROOT.parent / "Makefile").exists() else USER_CACHE)).resolve()
CHECKSUM_BYTES = 32
MISSING = object()


def path_of(key: tuple) -> Path:
    """File of a key, a tuple of plain values, the first of which says what kind of result it is."""
    return FOLDER / f"{key[0]}-{hashlib.sha256(repr(key).encode()).hexdigest()[:24]}"


def store(key: tuple, result: object) -> None:
    """Keep a result, whole or not at all.

    Raises TypeError for an object of a class of `__main__`, which is another module in any other process that reads it.
    """
    payload = pickle.dumps(result)
    if b"__main__" in payload:
        raise TypeError(f"a result of {key[0]} has a class of __main__: import what makes it by the name of its module")
    FOLDER.mkdir(parents=True, exist_ok=True)
    descriptor, unfinished = tempfile.mkstemp(prefix="unfinished-", dir=FOLDER)
    with open(descriptor, "wb") as file:
        file.write(_checksum(key, payload) + payload)
    os.replace(unfinished, path_of(key))


def find(key: tuple) -> object:
    """The result that is kept for a key, or MISSING."""
    try:
        content = path_of(key).read_bytes()
    except OSError:
        return MISSING
    checksum, payload = content[:CHECKSUM_BYTES], content[CHECKSUM_BYTES:]
    return pickle.loads(payload) if checksum == _checksum(key, payload) else MISSING


def cached(key: tuple, make: Callable) -> object:
    """What `make()` gave for this key the first time that it was asked for."""
    result = find(key)
    if result is MISSING:
        result = make()
        store(key, result)
    return result


def _checksum(key: tuple, payload: bytes) -> bytes:
    return hashlib.sha256(repr(key).encode() + b"\0" + payload).digest()
