# SPDX-License-Identifier: MIT
"""The LSTM layers of a Keras model by its configuration, of Keras 2 and 3: where they are, what they do, and which is above which."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from .imported import ImportFailure

RECURRENT = {"GRU", "CuDNNGRU", "SimpleRNN", "RNN", "ConvLSTM1D", "ConvLSTM2D", "ConvLSTM3D", "TimeDistributed", "LSTMCell", "ESN"}  # refused by name
MODELS = {"Sequential", "Functional", "Model"}
PASSED = {"Dropout", "SpatialDropout1D", "GaussianNoise", "GaussianDropout", "AlphaDropout", "ActivityRegularization"}  # do nothing after training


@dataclass
class Layer:
    """name: with those of the models that it is within. path: what its weights are filed under, by Keras 3. config: of the LSTM, or of its cell.

    refused: what it is, where it is no LSTM of ours. source: the layer whose outputs it takes as they are. states: initial ones come from elsewhere.
    """

    name: str
    path: tuple[str, ...]
    kind: str
    config: dict
    wrapper: dict = field(default_factory=dict)
    refused: str = ""
    source: str | None = None
    states: bool = False

    @property
    def bidirectional(self) -> bool:
        """Whether it runs its LSTM in both directions."""
        return self.kind == "Bidirectional"


def recurrent_layers(model: dict, prefix: str = "", path: tuple[str, ...] = ()) -> Iterator[Layer]:
    """The recurrent layers of a model's configuration, in its order, those within models in it as well."""
    config = model["config"]
    parts = config if isinstance(config, list) else config.get("layers", [])  # Keras before 2.2.3 has a list for Sequential
    entries, counted = {}, {}
    for part in parts:
        kind, name = part["class_name"], part["config"].get("name") or part.get("name")
        filed = _snake(kind)
        counted[filed] = counted.get(filed, -1) + 1
        entries[name] = part, (*path, f"{filed}_{counted[filed]}" if counted[filed] else filed)
    sources = _chain(entries) if model["class_name"] == "Sequential" else {name: _references(part.get("inbound_nodes", [])) for name, (part, _) in entries.items()}
    for name, (part, own_path) in entries.items():
        if part["class_name"] in MODELS:
            yield from recurrent_layers(part, f"{prefix}{name}/", own_path)
        elif layer := _layer(f"{prefix}{name}", own_path, part):
            given = sources[name]
            source, seen = given[0] if given else None, set()
            while source in entries and entries[source][0]["class_name"] in PASSED and source not in seen and len(sources[source]) == 1:
                seen.add(source)
                source = sources[source][0]
            kind = entries[source][0] if source in entries else {}
            concatenated = kind.get("class_name") != "Bidirectional" or kind["config"].get("merge_mode") == "concat"
            if kind.get("class_name") in ("LSTM", "CuDNNLSTM", "Bidirectional", "RNN") and concatenated and len(part.get("inbound_nodes", [])) < 2:
                layer.source = f"{prefix}{source}"
            layer.states = len(given) > 1
            yield layer


def _chain(entries):
    """Of a Sequential model: each layer takes the one before it."""
    names = list(entries)
    return {name: names[place - 1:place] if place else [] for place, name in enumerate(names)}


def _references(value) -> list[str]:
    """The layers that inbound nodes refer to, in their order: [name, node, tensor, ...]. States of a layer, tensors 1 and 2, are no layer's outputs."""
    if isinstance(value, dict):
        return [name for part in value.values() for name in _references(part)]
    if not isinstance(value, list):
        return []
    if len(value) >= 3 and isinstance(value[0], str) and type(value[1]) is type(value[2]) is int:
        return [value[0] if value[2] == 0 else f"{value[0]}, state {value[2]}", *_references(value[3:])]
    return [name for part in value for name in _references(part)]


def _layer(name, path, part) -> Layer | None:
    kind, config = part["class_name"], part["config"]
    if kind in ("LSTM", "CuDNNLSTM"):
        return Layer(name, path, kind, config)
    if kind == "RNN" and config["cell"]["class_name"] == "LSTMCell":
        return Layer(name, path, kind, config["cell"]["config"] | {key: config[key] for key in ("go_backwards", "stateful") if key in config})
    if kind == "Bidirectional" and config["layer"]["class_name"] in ("LSTM", "CuDNNLSTM"):
        return Layer(name, path, kind, config["layer"]["config"], config)
    if kind == "Bidirectional" or kind in RECURRENT:
        inner = config.get("layer") or config.get("cell") or {}
        return Layer(name, path, kind, config, refused=f"{kind} of {inner['class_name']}" if inner.get("class_name") else kind)
    return None


def check(layer: Layer) -> None:
    """Raises ImportFailure that names what the accelerator does not have."""
    if layer.refused:
        raise ImportFailure(f"{layer.name} is a {layer.refused} layer: only LSTMs run on the accelerator; train one in its place")
    configs = [layer.config]
    if layer.wrapper.get("backward_layer"):
        backward = layer.wrapper["backward_layer"]
        configs.append(backward["config"] | {"go_backwards": not backward["config"].get("go_backwards")})
    for config in configs:
        for option, wanted, was in (("activation", "tanh", ""), ("recurrent_activation", "sigmoid", "; hard_sigmoid was the default of Keras before 2.3")):
            found = config.get(option, wanted)
            if found != wanted:
                found = found.get("class_name", found) if isinstance(found, dict) else found
                raise ImportFailure(f"{layer.name}: {option}={found} is not supported: train with {wanted}{was if found == 'hard_sigmoid' else ''}")
        if config.get("go_backwards"):
            raise ImportFailure(f"{layer.name}: go_backwards=True is not supported: turn the sequences around before the layer, or use Bidirectional")


def notes(layer: Layer) -> list[str]:
    """What is taken for granted of a layer, a sentence each."""
    found = []
    if layer.states:
        found.append(f"initial states of {layer.name} come from other layers: taken as zero")
    if layer.config.get("stateful"):
        found.append(f"{layer.name} is stateful: every sequence begins with zero here")
    if layer.bidirectional and layer.wrapper.get("merge_mode") != "concat":
        found.append(f"{layer.name} has merge_mode={layer.wrapper.get('merge_mode')}: outputs here are those of the two directions side by side")
    return found


def _snake(name: str) -> str:
    """A class name as Keras 3 files it: LSTM -> lstm, TimeDistributed -> time_distributed."""
    return re.sub("([a-z])([A-Z])", r"\1_\2", re.sub("(.)([A-Z][a-z]+)", r"\1_\2", name)).lower()
