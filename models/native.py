# SPDX-License-Identifier: MIT
"""Runs of a layer by native code, native.cpp, which gives the integers of models.cell and models.selectors in a fraction of the time.

It is compiled once, by the C++ compiler of the system (environment: `CXX`, else c++), in a few seconds, and kept in the cache (models.cache) for processors with the
same instructions. Where that fails there is one warning, and PyTorch runs everything, as it does for selectors that are not known here.
models/tests/test_native.py compares both to the bit.
"""

import ctypes
import functools
import hashlib
import os
import platform
import shlex
import subprocess
import tempfile
import warnings
from pathlib import Path

import torch
from torch import Tensor
from torch.nn.functional import pad
from torch.utils.weak import WeakTensorKeyDictionary

from . import activation, cache
from .cell import row_scales
from .layer import QuantizedLayer, split_planes
from .selectors import CellHistory, Random, Selector, Sensitivity, StaticRows

SOURCE = Path(__file__).with_suffix(".cpp")
# Of floating point nothing is contracted or reordered. That it raises no exceptions, and sets no errno, lets loops of floor() be made of vectors.
FLAGS = ("-std=c++17", "-O3", "-march=native", "-ffp-contract=off", "-fno-trapping-math", "-fno-math-errno", "-shared", "-fPIC")
VECTOR = 32  # as in native.cpp, and the names of policies there
FIXED, GIVEN, CELL_HISTORY, SENSITIVITY = range(4)
KINDS = {type(None): FIXED, StaticRows: GIVEN, Random: GIVEN, CellHistory: CELL_HISTORY, Sensitivity: SENSITIVITY}
NUMBERS = ("steps", "batch", "terms", "inputs", "units", "levels", "exponents", "c_frac", "cell_floor", "policy")
ARRAYS = {"quarters": torch.int64, "weights_x": torch.int16, "weights_h": torch.int16, "scales": torch.float64, "b": torch.float64, "thresholds": torch.int16,
          "table": torch.int32, "x": torch.int8, "h": torch.int32, "c": torch.int32, "history": torch.int32, "all_h": torch.int8, "level": torch.int8,
          "all_c": torch.int16}
_KEPT = WeakTensorKeyDictionary()  # weights as native code reads them, by their tensor


class _Layer(ctypes.Structure):
    _fields_ = [*((name, ctypes.c_int64) for name in NUMBERS), *((name, ctypes.c_void_p) for name in ARRAYS)]


def instructions() -> str:
    """Text that tells the instructions that -march=native means here."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    of_first = [next((line for line in lines if line.startswith(name)), "") for name in ("model name", "flags", "Features")]
    return "\n".join([platform.machine(), platform.processor(), *of_first])


def _compile() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        command = [*shlex.split(os.environ.get("CXX") or "c++"), *FLAGS, str(SOURCE), "-o", str(Path(folder) / "native.so")]
        ended = subprocess.run(command, capture_output=True, text=True)
        if ended.returncode:
            raise OSError(next((line for line in ended.stderr.splitlines() if "error" in line), f"{command[0]} ended with {ended.returncode}"))
        return (Path(folder) / "native.so").read_bytes()


@functools.cache
def library() -> ctypes.CDLL | None:
    """The native code, compiled when it is asked for the first time; None, after a warning, where that fails."""
    try:
        # What the cache holds was checked to the bit: the loader would crash on a file that is not whole.
        content = cache.cached(("native", hashlib.sha256(repr((SOURCE.read_bytes(), FLAGS, instructions())).encode()).hexdigest()), _compile)
        with tempfile.TemporaryDirectory(prefix="unfinished-", dir=cache.FOLDER) as folder:
            (path := Path(folder) / "native.so").write_bytes(content)
            return ctypes.CDLL(str(path))
    except (OSError, ValueError) as error:  # of a compiler or its name, or of a folder that cannot be written
        warnings.warn(f"native code does not work here, so that the models are slower: {error}", stacklevel=2)
        return None


def runs(selector: Selector | None) -> bool:
    """Whether native code runs here, and knows a selector, which is None where nothing is to be decided."""
    return type(selector) in KINDS and library() is not None


def run_layer(layer: QuantizedLayer, places: list[int | None], x: Tensor, selector: Selector | None, start: tuple[Tensor, Tensor, Tensor], all_h: Tensor, all_c: Tensor,
              levels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """As models.quantized_lstm.run_layer, of which the outputs all_h, all_c and levels (as places in the layer's list) are filled; returns the final h, c, history.

    places: of the levels that rows may have in layer.levels, None for all quarters. selector: one for which `runs` is true.
    """
    constants = [layer.level_constants(place) for place in places]
    kind, steps, batch = KINDS[type(selector)], *x.shape[:2]
    if kind == GIVEN:  # one after the other, in the order of a generator of random numbers
        for step in range(steps):
            levels[step] = selector(levels[step], *start[1:])
    end = [part.to(torch.int32).clone(memory_format=torch.contiguous_format) for part in start]
    base, slope = (torch.tensor(part, dtype=torch.int32) for part in activation.table())
    arrays = {
        "quarters": torch.tensor([level for level, _ in constants]), "weights_x": _weights(layer.w_ih), "weights_h": _weights(layer.w_hh), "scales": row_scales(layer),
        "b": torch.stack([b.T.flatten() for _, b in constants]), "thresholds": getattr(selector, "thresholds", torch.zeros(0)),
        "table": base << 16 | slope, "x": x, **dict(zip(("h", "c", "history"), end)), "all_h": all_h, "level": levels, "all_c": all_c}
    arrays = {name: arrays[name].to(kept_as).contiguous() for name, kept_as in ARRAYS.items()}  # the results are so already
    library().run_layer(ctypes.byref(_Layer(
        steps, batch, layer.terms, layer.inputs, layer.units, len(places), layer.exponents, layer.c_frac, getattr(selector, "cell_floor", 0), kind,
        *(arrays[name].data_ptr() for name in ARRAYS))))
    return tuple(end)


def _weights(w: Tensor) -> Tensor:
    """w, -wl and 16 wh of integers w [rows, k], each with zeros after it: int16 [rows, 3, k as a multiple of VECTOR]."""
    kept = _KEPT.get(w)
    if kept is None or kept[0] != w._version:
        upper, lower = split_planes(w)
        kept = _KEPT[w] = w._version, pad(torch.stack((w, -lower, 16 * upper), dim=1).to(torch.int16), (0, -w.shape[1] % VECTOR)).contiguous()
    return kept[1]
