# SPDX-License-Identifier: MIT
"""LSTMs from files of other tools: `load_lstm("model.onnx")`, `load_lstm("model.pt")`, `load_lstm("model.keras")`; all formats stand in docs/models.md."""

from pathlib import Path

from . import formats
from .imported import ImportedLSTM, ImportFailure

__all__ = ["ImportFailure", "ImportedLSTM", "load_lstm"]
LONGEST = 600  # characters of a message


def load_lstm(path: str | Path, node: str = "") -> ImportedLSTM:
    """The LSTM of a file: of PyTorch, ONNX, Keras or safetensors, told apart by their content. Nothing in a file is run.

    node: which one, where there are several: the name of an ONNX node or of a Keras layer, or what stands before `weight_ih_l0` in the state dict.
    Raises ImportFailure, a ValueError of one line that names the file and says what to do, and FileNotFoundError.
    """
    path = Path(path)
    try:
        if path.is_dir():
            raise ImportFailure("it is a folder, as a SavedModel of TensorFlow: save the Keras model as one file, model.save('model.keras')")
        if not path.is_file():
            raise FileNotFoundError(f"no file {path}")
        imported = formats.load(path, node)
        imported.check()
    except ImportFailure as error:
        message = "".join(letter if letter.isprintable() else "?" for letter in f"{path.name}: {error}")
        raise ImportFailure(message if len(message) <= LONGEST else f"{message[:LONGEST]}...") from error
    return imported
