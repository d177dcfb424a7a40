# SPDX-License-Identifier: MIT
"""LSTMs from files of other tools: `load_lstm("model.onnx")`, `load_lstm("model.pt")`."""

from pathlib import Path

from . import onnx_file, torch_file
from .imported import ImportedLSTM, ImportFailure

__all__ = ["ImportFailure", "ImportedLSTM", "load_lstm"]


def load_lstm(path: str | Path, node: str = "") -> ImportedLSTM:
    """The LSTM of a file: ONNX (.onnx), safetensors (.safetensors), or what torch.save wrote of an nn.LSTM or a state dict.

    node: which one, where there are several: the name of an ONNX node, or what stands before `weight_ih_l0` in the state dict.
    Raises ImportFailure, a ValueError of one line that says what to do, and FileNotFoundError.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"no file {path}")
    imported = (onnx_file if path.suffix.lower() == ".onnx" else torch_file).load(path, node)
    imported.check()
    return imported
