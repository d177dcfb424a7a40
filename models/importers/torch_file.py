# SPDX-License-Identifier: MIT
"""Tensors of what PyTorch writes: torch.save, new and before version 1.6, of state dicts, checkpoints and whole modules, and TorchScript.

Whole modules are taken apart as data, whatever their class: their parameters have the names that they have in a state dict.
"""

import io
import struct
import zipfile
from pathlib import Path

from .archive import DAMAGED, open_zip, read_part
from .imported import ImportFailure
from .pickles import Made, read_pickle
from .tensors import StoredTensor, from_storage

MAGIC = 0x1950A86A20F9469CFC6C  # of torch.save before version 1.6
DEEPEST = 64  # containers within each other
PARTS = {"_parameters", "_modules", "_buffers"}  # of a module: no part of a name
SIZES = {"Bool": ("bool", 1), "Byte": ("uint8", 1), "Char": ("int8", 1), "Short": ("int16", 2), "Int": ("int32", 4), "Long": ("int64", 8),
         "Half": ("float16", 2), "BFloat16": ("bfloat16", 2), "Float": ("float32", 4), "Double": ("float64", 8),
         "ComplexFloat": ("complex64", 8), "ComplexDouble": ("complex128", 16)}
WRAPPED = {"torch._utils._rebuild_parameter", "torch._utils._rebuild_parameter_with_state", "torch.nn.parameter.Parameter"}
UNREADABLE = {"torch._utils._rebuild_sparse_tensor": "sparse", "torch._utils._rebuild_sparse_csr_tensor": "sparse", "torch._utils._rebuild_qtensor": "quantized",
              "torch._utils._rebuild_meta_tensor_no_storage": "meta (without numbers)", "torch._utils._rebuild_nested_tensor": "nested"}


def tensors(path: Path) -> dict[str, StoredTensor]:
    """All tensors by their full name, with their shapes; numbers are read when they are asked for. Raises ImportFailure."""
    with path.open("rb") as file:
        if not zipfile.is_zipfile(path):
            return _legacy(path, file)
    with open_zip(path) as archive:
        names = [name for name in archive.namelist() if name.endswith("/data.pkl")]
        root = min(names, key=len).removesuffix("data.pkl")
        if f"{root}byteorder" in archive.namelist() and read_part(path, archive, f"{root}byteorder").strip() != b"little":
            raise ImportFailure("its numbers are big-endian: save it on a little-endian machine")
        value = read_pickle(io.BytesIO(read_part(path, archive, f"{root}data.pkl")))
        script = any(name.startswith(f"{root}code/") for name in archive.namelist())

    def content(key):
        def part(first, size):
            with open_zip(path) as archive:
                return read_part(path, archive, f"{root}data/{key}", first, size)

        return part

    found = _named(value, content)
    if script and not found:
        raise ImportFailure("it is TorchScript whose weights were moved into its code, as torch.jit.freeze does: save the model from before that")
    return found


def _legacy(path, file):
    """Pickles of a magic number, a version, the machine, the value and the keys of its storages, then the storages."""
    if read_pickle(file) != MAGIC:
        raise ImportFailure("it is a pickle, but none of torch.save: save the state dict with torch.save(model.state_dict(), file)")
    outside = []
    _, machine, value, keys = (read_pickle(file, outside) for _ in range(4))
    if not isinstance(machine, dict) or machine.get("little_endian") is False or not isinstance(keys, list):
        raise ImportFailure(DAMAGED)
    storages, place, end = {key: (kind, key, count) for kind, key, count in map(_storage, outside)}, file.tell(), path.stat().st_size
    places = {}
    for key in keys:
        file.seek(place)
        counted = file.read(8)
        if key not in storages or storages[key][0] not in SIZES or len(counted) != 8:
            raise ImportFailure(DAMAGED)
        places[key] = place + 8, struct.unpack("<q", counted)[0] * SIZES[storages[key][0]][1]
        place = sum(places[key])
        if not places[key][0] <= place <= end:
            raise ImportFailure(DAMAGED)

    def content(key):
        def part(first, size):
            begin, room = places.get(key, (0, 0))
            if first + size > room:
                raise ImportFailure(DAMAGED)
            with path.open("rb") as file:
                file.seek(begin + first)
                return file.read(size)

        return part

    return _named(value, content)


def _storage(made):
    """(kind, key, count) of a reference to a storage; those that are parts of others were written by PyTorch before version 0.4 only."""
    word, kind, key, _, count, *view = made.arguments if isinstance(made.arguments, tuple) and len(made.arguments) > 4 else (None,) * 5
    if word != "storage" or not isinstance(key, str) or any(view):
        return None, None, 0
    return str(kind).removeprefix("torch.").removesuffix("Storage"), key, count


def _named(value, content) -> dict[str, StoredTensor]:
    """Tensors within a value of a pickle, by the way to them; content(key) gives what a storage holds."""
    found, seen, queue = {}, set(), [(value, ())]
    while queue:
        value, way = queue.pop()
        if isinstance(value, Made) and (tensor := _tensor(value, content)):
            found[".".join(way)] = tensor
        elif isinstance(value, (Made, dict, list, tuple)) and id(value) not in seen and len(way) < DEEPEST:
            seen.add(id(value))
            queue += [(part, way if name in PARTS else (*way, str(name))) for name, part in _parts(value)]
    return found


def _parts(value):
    """(name, part) of a container or an object."""
    if isinstance(value, dict):
        return value.items()
    if isinstance(value, (list, tuple)):
        return enumerate(value)
    states = value.state if isinstance(value.state, (list, tuple)) else [value.state]
    pairs = [*value.items.items()]
    for number, state in enumerate(states):
        pairs += state.items() if isinstance(state, dict) else [(number, state)]
    return pairs


def _tensor(made, content) -> StoredTensor | None:
    for _ in range(DEEPEST):
        arguments = made.arguments
        if not isinstance(arguments, tuple) or not arguments:
            return None
        if made.name in WRAPPED and isinstance(arguments[0], Made):
            made = arguments[0]
        elif made.name == "torch._tensor._rebuild_from_type_v2" and len(arguments) > 2:
            made = Made(str(arguments[0]), arguments[2])
        else:
            break
    if made.name in UNREADABLE:
        return StoredTensor((), UNREADABLE[made.name], lambda: None)
    if made.name not in ("torch._utils._rebuild_tensor", "torch._utils._rebuild_tensor_v2", "torch._utils._rebuild_tensor_v3"):
        return None
    try:
        storage, offset, shape, stride = arguments[:4]
        kind, key, _ = _storage(storage)
        return from_storage(content(key), str(arguments[6]).removeprefix("torch.") if made.name.endswith("_v3") else SIZES[kind][0], shape, stride, offset)
    except (AttributeError, KeyError, IndexError, TypeError, ValueError) as error:
        raise ImportFailure("a tensor within it is damaged: save or copy it again") from error
