# SPDX-License-Identifier: MIT
"""LSTMs of Keras 2 and 3, without TensorFlow: whole models (.keras, .h5) and weights alone (.weights.h5, .h5).

An LSTM has a kernel [inputs, 4 * units], a recurrent kernel [units, 4 * units] and one bias [4 * units], gates in the order i, f, c, o, which is PyTorch's. Layers
of CuDNN have two biases and a kernel whose memory is laid out otherwise.
"""

import json
import re
from pathlib import Path

import torch

from . import keras_config
from .archive import DAMAGED, open_zip, read_member
from .hdf5_cells import WEIGHTS, read_cells
from .imported import ImportedLSTM, ImportFailure, check_sizes, lstm_of
from .keras_config import Layer
from .stacks import choose

ONLY_FILED = {"", "layers", "_layer_checkpoint_dependencies", "cell", "vars", "model_weights"}
ALONE = "the file has weights alone: activations are taken as tanh and sigmoid, as in every LSTM that Keras creates without further settings"


def load_archive(path: Path, node: str = "") -> ImportedLSTM:
    """The LSTM of a .keras file; node: the name of a layer. Raises ImportFailure."""
    with open_zip(path) as archive:
        weights = next(name for name in archive.namelist() if name.endswith(".weights.h5"))
        return _load(read_member(archive, weights), node, read_member(archive, "config.json"))


def load_h5(path: Path, node: str = "") -> ImportedLSTM:
    """The LSTM of a .h5 file, of a whole model or of weights alone; node: the name of a layer. Raises ImportFailure."""
    return _load(path, node, None)


def _load(file, node, config):
    """Cells are as of read_cells, their ways without the names of groups that are the same in all files."""
    try:
        own, cells = read_cells(file)
        config = own if config is None else config
        for cell in cells:
            cell["way"] = tuple(part for part in cell["way"] if part not in ONLY_FILED)
        if config is None:
            return _alone(cells, node)
        return _of_model(list(keras_config.recurrent_layers(json.loads(config))), cells, node)
    except ImportFailure:
        raise
    except Exception as error:  # of many kinds, by what is wrong
        raise ImportFailure(DAMAGED) from error


def _of_model(layers: list[Layer], cells, node) -> ImportedLSTM:
    lstms = {layer.name: layer for layer in layers if not layer.refused}
    for layer in layers:
        if layer.refused and (not lstms or node in (layer.name, layer.name.rpartition("/")[2])):
            keras_config.check(layer)
    if not lstms:
        raise ImportFailure("no LSTM layer in the model; custom layers are not taken: build the model of keras.layers.LSTM and load the weights into it")
    chosen = [lstms[name] for name in choose({name: layer.source if layer.source in lstms else None for name, layer in lstms.items()}, node)]
    for layer in chosen:
        keras_config.check(layer)
    weights = [[_weights(layer.name, cell) for cell in _cells_of(layer, cells)] for layer in chosen]
    return ImportedLSTM(_stack(weights), notes=[note for layer in chosen for note in keras_config.notes(layer)])


def _cells_of(layer: Layer, cells) -> list[dict]:
    """The cells of a layer, one a direction."""
    names = layer.name.split("/")
    result = []
    for direction, older in (("forward_layer", "forward_"), ("backward_layer", "backward_")) if layer.bidirectional else (("", ""),):
        filed = (*layer.path, direction) if direction else layer.path
        found = [cell for cell in cells if cell["way"] == filed] or [
            cell for cell in cells
            if cell["way"][:1] == (names[0],) and names[-1] in cell["way"] and (not older or any(part.startswith(older) for part in cell["way"]))
        ]
        if len(found) != 1:
            raise ImportFailure(f"{layer.name}: {'no' if not found else 'several'} weights of it are in the file: save the whole model again")
        result += found
    return result


def _alone(cells, node) -> ImportedLSTM:
    """Each cell is an LSTM of its own, except the two directions of a layer."""
    layers = {}
    for cell in cells:
        way = [part for before, part in zip(("", *cell["way"]), cell["way"]) if before == "cells" or not part.startswith("lstm_cell")]
        direction = next((place for place, part in enumerate(way) if re.match("(forward|backward)_", part)), None)
        name = "/".join(dict.fromkeys(way if direction is None else way[:direction]))
        layers.setdefault(name, {})["" if direction is None else way[direction].partition("_")[0]] = cell
    layers = {name: [parts[key] for key in sorted(parts, reverse=True)] for name, parts in layers.items()}
    shapes = {name: cells[0]["recurrent_kernel"]["shape"] for name, cells in layers.items()}
    lstms = {name: cells for name, cells in layers.items() if len(shapes[name]) == 2 and shapes[name][1] == 4 * shapes[name][0]}
    if not lstms:
        what = f"{next(iter(layers))} has no four gates, as an LSTM has" if layers else "no group holds kernel and recurrent_kernel"
        raise ImportFailure(f"no weights of an LSTM layer in the file: {what}; GRUs, plain RNNs and custom cells are not taken")
    name, = choose(dict.fromkeys(lstms), node, "the file does not say how" if len(lstms) > 1 else "")
    return ImportedLSTM(_stack([[_weights(name, cell) for cell in lstms[name]]]), notes=[ALONE])


def _weights(name, cell) -> tuple:
    """(w_ih, w_hh, b_ih, b_hh) in PyTorch's order; no biases: None."""
    parts = [cell[part] for part in WEIGHTS if part in cell]
    for part in parts:
        if part["elsewhere"]:
            raise ImportFailure(f"{name}: its weights are in another file: save the model as one file")
        if not part["type"].startswith("float"):
            raise ImportFailure(f"{name}: weights of {part['type']} are not taken: save the model in float32")
    kernel, recurrent, *bias = ([*part["shape"]] for part in parts)
    (inputs, columns), units = kernel if len(kernel) == 2 else (0, 0), recurrent[0] if len(recurrent) == 2 else 0
    check_sizes(inputs, units, 1, 1)
    if columns != 4 * units or recurrent != [units, 4 * units] or bias not in ([], [[4 * units]], [[8 * units]]):
        raise ImportFailure(f"{name}: weights of shapes {kernel}, {recurrent}, {bias[0] if bias else 'no bias'} are not those of an LSTM: save the model again")
    kernel, recurrent, *bias = (torch.from_numpy(part["values"]) for part in parts)
    if bias and len(bias[0]) == 8 * units:  # of CuDNN: each gate's kernel is [units, inputs] in memory
        return torch.cat([gate.reshape(units, inputs) for gate in kernel.chunk(4, dim=1)]), torch.cat([*recurrent.chunk(4, dim=1)]), *bias[0].chunk(2)
    return kernel.T, recurrent.T, bias[0] if bias else None, torch.zeros(4 * units) if bias else None


def _stack(layers) -> list:
    """nn.LSTM modules of layers [layer][direction]: layers alike are one module."""
    groups = []
    for weights in layers:
        kind = len(weights), weights[0][1].shape, weights[0][2] is None
        if groups and groups[-1][0] == kind:
            groups[-1][1].append(weights)
        else:
            groups.append((kind, [weights]))
    return [lstm_of(group, kind[0] == 2) for kind, group in groups]
