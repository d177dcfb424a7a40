# SPDX-License-Identifier: MIT
"""What kind of file it is, by its content, and which module loads it."""

from collections.abc import Callable
from pathlib import Path

from . import export_file, keras_file, onnx_file, safetensors_file, torch_file
from .archive import open_zip
from .imported import ImportedLSTM, ImportFailure
from .state_dict import lstm_among

SAVE = "save the model as ONNX, its state dict with torch.save or safetensors, or with Keras as .keras or .h5"
# What is refused by how it begins: (place, bytes, words).
FOREIGN = [
    (4, b"TFL3", "a TensorFlow Lite file: save the Keras model that it was made of"),
    (0, b"GGUF", "a GGUF file: save the model that it was made of"),
    (0, b"\x93NUMPY", "an array of numpy.save, not a model: give it as INPUTS="),
    (0, b"\x1f\x8b", "compressed by gzip: unpack it"),
    (0, b"version https://git-lfs", "a pointer of Git LFS, not the file itself: fetch it with git lfs pull"),
]
Loader = Callable[[Path, str], ImportedLSTM]


def load(path: Path, node: str) -> ImportedLSTM:
    """The LSTM of a file of any known format. Raises ImportFailure."""
    with path.open("rb") as file:
        head = file.read(64)
    return _loader(path, head)(path, node)


def _loader(path: Path, head: bytes) -> Loader:
    if not head:
        raise ImportFailure("the file is empty: save or copy it again")
    if head.startswith(b"PK"):
        return _of_archive(path)
    if head.startswith(b"\x89HDF\r\n\x1a\n"):
        return keras_file.load_h5
    for place, mark, what in FOREIGN:
        if head[place:].startswith(mark):
            raise ImportFailure(f"it is {what}")
    if path.suffix.lower() == ".onnx":
        return onnx_file.load
    if head[8:9] == b"{" and int.from_bytes(head[:8], "little") < path.stat().st_size:
        return _named(safetensors_file.tensors)
    if head[:1] == b"\x80":
        return _named(torch_file.tensors)
    what = "a text file" if all(32 <= byte < 127 or byte in b"\t\r\n" for byte in head) else "not a file of a known format, or it is damaged"
    raise ImportFailure(f"it is {what}: {SAVE}")


def _of_archive(path: Path) -> Loader:
    with open_zip(path) as archive:
        names = archive.namelist()
    if "config.json" in names and any(name.endswith(".weights.h5") for name in names):
        return keras_file.load_archive
    if any(name.endswith("/models/model.json") or name.endswith("/archive_format") or name.startswith("serialized_exported_program") for name in names):
        return _named(export_file.tensors)
    if any(name.endswith("/data.pkl") for name in names):
        return _named(torch_file.tensors)
    if names and all(name.endswith(".npy") for name in names):
        raise ImportFailure("it holds arrays of numpy.savez, not a model: give it as INPUTS=")
    raise ImportFailure(f"it is a zip archive of nothing known: {SAVE}")


def _named(tensors) -> Loader:
    """A loader of a format that holds nothing but tensors with names."""
    return lambda path, node: lstm_among(tensors(path), node)
