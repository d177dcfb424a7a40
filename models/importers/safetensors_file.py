# SPDX-License-Identifier: MIT
"""Tensors of a safetensors file."""

from pathlib import Path

from safetensors import SafetensorError, safe_open

from .archive import DAMAGED
from .imported import ImportFailure
from .tensors import StoredTensor

KINDS = {"F16": "float16", "BF16": "bfloat16", "F32": "float32", "F64": "float64"}


def tensors(path: Path) -> dict[str, StoredTensor]:
    """All tensors by name, with their shapes; numbers are read when they are asked for. Raises ImportFailure."""
    def reader(name):
        def get():
            with safe_open(path, "pt") as file:
                return file.get_tensor(name)

        return get

    try:
        with safe_open(path, "pt") as file:
            parts = {name: file.get_slice(name) for name in file.keys()}
            return {name: StoredTensor(tuple(part.get_shape()), KINDS.get(part.get_dtype(), part.get_dtype()), reader(name)) for name, part in parts.items()}
    except (SafetensorError, OSError, ValueError, OverflowError) as error:
        raise ImportFailure(DAMAGED) from error
