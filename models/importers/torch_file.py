# SPDX-License-Identifier: MIT
"""LSTMs from PyTorch: a state dict or an nn.LSTM written by torch.save, or a state dict in safetensors.

Nothing but tensors, plain containers and nn.LSTM is unpickled, so that a file cannot run code.
"""

import pickle
import re
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from .imported import ImportedLSTM, ImportFailure, lstm_of

SAVE = "save it with torch.save(lstm.state_dict(), file)"
NAME = re.compile(r"(?P<prefix>(?:.*\.)?)(?P<kind>weight_ih|weight_hh|weight_hr|bias_ih|bias_hh)_l(?P<layer>\d+)(?P<reverse>_reverse)?")


def load(path: Path, node: str = "") -> ImportedLSTM:
    tensors = _tensors(_read(path))
    prefixes = sorted({match["prefix"] for match in map(NAME.fullmatch, tensors) if match and match["kind"] == "weight_ih"})
    if not prefixes:
        raise ImportFailure(f"{path.name}: no LSTM, as no name ends in weight_ih_l0; {SAVE}")
    wanted = f"{node.rstrip('.')}." if node.strip(".") else None
    if wanted is not None and wanted not in prefixes:
        raise ImportFailure(f"{path.name}: NODE={node}: no such LSTM; choose one of {_names(prefixes)}")
    if wanted is None and len(prefixes) > 1:
        raise ImportFailure(f"{path.name}: {len(prefixes)} LSTMs: {_names(prefixes)}; choose one with NODE=name")
    return _lstm(path, tensors, prefixes[0] if wanted is None else wanted)


def _read(path: Path):
    try:
        if path.suffix.lower() == ".safetensors":
            return load_file(path)
        with torch.serialization.safe_globals([nn.LSTM]):
            return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        found = re.search(r"GLOBAL (\S+)", str(error))
        what = f"it holds {found[1]}, and only tensors and nn.LSTM are loaded" if found else "it is not a file of torch.save"
        raise ImportFailure(f"{path.name}: {what}; {SAVE}") from error
    except (SafetensorError, RuntimeError, EOFError, OSError) as error:
        raise ImportFailure(f"{path.name}: it cannot be read; {SAVE} or with safetensors") from error


def _tensors(loaded, prefix="") -> dict[str, Tensor]:
    """All tensors by their full name; checkpoints hold state dicts within dicts."""
    if isinstance(loaded, nn.LSTM):
        loaded = loaded.state_dict()
    if isinstance(loaded, Tensor):
        return {prefix: loaded}
    if not isinstance(loaded, dict):
        return {}
    result = {}
    for name, value in loaded.items():
        result |= _tensors(value, f"{prefix}.{name}" if prefix else str(name))
    return result


def _names(prefixes) -> str:
    return ", ".join(prefix.rstrip(".") or "(no prefix)" for prefix in prefixes)


def _lstm(path: Path, tensors: dict, prefix: str) -> ImportedLSTM:
    where = f"{path.name}{': ' if prefix else ''}{prefix.rstrip('.')}"
    found = {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix) and NAME.fullmatch(name)}
    if any(name.startswith("weight_hr") for name in found):
        raise ImportFailure(f"{where}: proj_size is not supported: projections of h are not in the accelerator; train without it")
    layers = 1 + max(int(NAME.fullmatch(name)["layer"]) for name in found)
    directions = ("", "_reverse") if "weight_ih_l0_reverse" in found else ("",)
    kinds = ("weight_ih", "weight_hh", *(("bias_ih", "bias_hh") if "bias_ih_l0" in found else ()))
    expected = {f"{kind}_l{layer}{direction}" for layer in range(layers) for direction in directions for kind in kinds}
    if missing := sorted(expected ^ found.keys()):
        raise ImportFailure(f"{where}: {missing[0]} is {'missing' if missing[0] in expected else 'no part of the LSTM'}; {SAVE}")
    units = found["weight_hh_l0"].shape[-1]
    for name in sorted(expected):
        shape, columns = tuple(found[name].shape), (found[name].shape[-1] if name.startswith("weight_ih_l0") else
                                                    units * len(directions) if name.startswith("weight_ih") else units)
        wanted = (4 * units, columns) if name.startswith("weight") else (4 * units,)
        if shape != wanted:
            gates = "; a GRU has three gates, a plain RNN one" if shape[0] in (units, 3 * units) else ""
            raise ImportFailure(f"{where}: {name} has shape {list(shape)}, an LSTM of {units} units has {list(wanted)}{gates}")
    weights = [[(*(found[f"{kind}_l{layer}{direction}"].float() for kind in kinds), *[None] * (4 - len(kinds))) for direction in directions]
               for layer in range(layers)]
    return ImportedLSTM([lstm_of(weights, len(directions) == 2)])
