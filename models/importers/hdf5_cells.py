# SPDX-License-Identifier: MIT
"""Weights of recurrent cells and the model's configuration from an HDF5 file, in a process of its own.

A damaged file can keep the HDF5 library busy without end, or end the process. So `read_cells` runs this file as a program of few imports, with bounds of
time and memory.
"""

import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

SECONDS, PATIENCE = 4, 60  # of processor time; of time on a busy machine
BYTES = 4 << 30
MOST_NUMBERS, MOST_CELLS = 1 << 22, 256  # of a weight, of cells: 1024 units and inputs are 2**22
WEIGHTS = ("kernel", "recurrent_kernel", "bias")


def read_cells(file: Path | bytes) -> tuple[str | None, list[dict]]:
    """(the model's configuration as JSON, or None; cells) of a file, or of its content.

    A cell: "way", the names of the groups that it is in, and those of WEIGHTS that it has, each as "shape", "type", "elsewhere" (in another file) and "values",
    float32, or None where there are too many. Raises ValueError for a file that cannot be read.
    """
    with tempfile.TemporaryDirectory() as folder:
        given, found = Path(folder) / "given", Path(folder) / "found"
        if isinstance(file, bytes):
            given.write_bytes(file)
        else:
            given = file
        program = [sys.executable, "-c", Path(__file__).read_text(encoding="utf-8"), str(given), str(found)]
        try:
            ended = subprocess.run(program, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=PATIENCE)
        except subprocess.TimeoutExpired as error:
            raise ValueError("HDF5 took too long") from error
        if ended.returncode:
            raise ValueError("HDF5 could not read it")
        with np.load(found, allow_pickle=False) as arrays:
            config, cells = json.loads(bytes(arrays["about"]))
            for number, cell in enumerate(cells):
                for name in WEIGHTS:
                    if name in cell:
                        cell[name]["values"] = arrays.get(f"{number} {name}")
    return config, cells


def _main(given, found):
    import h5py  # the program needs it, not the module

    with h5py.File(given, "r") as file:
        config = file.attrs.get("model_config")
        config = bytes(config).decode() if isinstance(config, (bytes, np.bytes_)) else config
        groups = {}

        def visit(name, value):
            if isinstance(value, h5py.Dataset):
                *way, last = re.split(r"[/\\]", name)
                groups.setdefault(tuple(way), {})[last.removesuffix(":0")] = value

        file.visititems(visit)
        cells, arrays = [], {}
        for way, parts in groups.items():
            names = WEIGHTS if "recurrent_kernel" in parts else ("0", "1", "2") if {"cell", "cells"} & {*way} else ()
            if len(cells) < MOST_CELLS and names and names[0] in parts and names[1] in parts:
                cells.append({"way": way})
                for name, own in zip(WEIGHTS, names):
                    if own in parts:
                        part = parts[own]
                        elsewhere = bool(part.external or part.is_virtual)
                        cells[-1][name] = {"shape": part.shape, "type": part.dtype.name if part.dtype.kind == "f" else f"{part.dtype}", "elsewhere": elsewhere}
                        if part.dtype.kind == "f" and part.size <= MOST_NUMBERS and not elsewhere:
                            arrays[f"{len(cells) - 1} {name}"] = np.asarray(part[()], np.float32)
    with open(found, "wb") as file:
        np.savez(file, about=np.frombuffer(json.dumps([config, cells]).encode(), np.uint8), **arrays)


def _bound():
    """Bounds of this process, where the system has them."""
    try:
        import resource
    except ImportError:
        return
    for kind, most in ((resource.RLIMIT_CPU, SECONDS), (resource.RLIMIT_AS, BYTES), (resource.RLIMIT_CORE, 0)):
        resource.setrlimit(kind, (most, most))


if __name__ == "__main__":
    _bound()
    _main(*sys.argv[1:])
