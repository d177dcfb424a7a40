"""Results that are kept under build/cache/, so that what was interrupted goes on where it was."""

import hashlib
import os
import pickle
from pathlib import Path

ROOT = Path(__file__).resolve().parent
# Beside the sources in a checkout; an installed package keeps them where the user's caches are.
USER_CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "lstm-dynamic-precision"
FOLDER = ROOT.parent / "build" / "cache" if (ROOT.parent / "Makefile").exists() else USER_CACHE


def sources(*names):
    """Hash of the text of files below models/, given as globs: results of another text are other results."""
    digest = hashlib.sha256()
    for name in names:
        for path in sorted(ROOT.glob(name)):
            digest.update(path.read_bytes())
    return digest.hexdigest()


def path_of(key):
    """File of a key, a tuple of plain values."""
    return FOLDER / f"{key[0]}-{hashlib.sha256(repr(key).encode()).hexdigest()[:24]}"


def store(key, result):
    """Keep a result, whole or not at all."""
    path = path_of(key)
    FOLDER.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f"{path.name}.{os.getpid()}")
    unfinished.write_bytes(pickle.dumps(result))
    unfinished.replace(path)


def cached(key, make):
    """What `make()` gave for this key the first time that it was asked for."""
    path = path_of(key)
    if path.exists():
        return pickle.loads(path.read_bytes())
    result = make()
    store(key, result)
    return result
