# SPDX-License-Identifier: MIT
"""Keras files in the layouts of Keras 2 and 3, written by h5py and zipfile, and the equations of Keras' LSTM in NumPy, as its documentation gives them."""

import io
import json
import zipfile

import h5py
import numpy as np


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


class Layer:
    """An LSTM layer with random weights: kernel [inputs, 4 * units], recurrent kernel [units, 4 * units], bias [4 * units], gates i, f, c, o."""

    def __init__(self, name, inputs, units, seed=0, bias=True, kind="LSTM", **options):
        random = np.random.default_rng([seed, inputs, units])
        self.name, self.units, self.kind, self.options = name, units, kind, options
        self.weights = [random.standard_normal(shape).astype(np.float32) / 2 for shape in ((inputs, 4 * units), (units, 4 * units), (4 * units,))][:3 if bias else 2]

    def __call__(self, x):
        """h [steps, batch, units] of x [steps, batch, inputs]."""
        kernel, recurrent, *bias = (part.astype(np.float64) for part in self.weights)
        h = c = np.zeros((x.shape[1], self.units))
        outputs = []
        for step in x:
            i, f, candidate, o = np.split(step @ kernel + h @ recurrent + (bias[0] if bias else 0), 4, axis=1)
            c = sigmoid(f) * c + sigmoid(i) * np.tanh(candidate)
            h = sigmoid(o) * np.tanh(c)
            outputs.append(h)
        return np.stack(outputs)

    @property
    def config(self):
        config = {"name": self.name, "units": self.units, "activation": "tanh", "recurrent_activation": "sigmoid", "use_bias": len(self.weights) == 3,
                  "go_backwards": False, "stateful": False, "return_sequences": True} | self.options
        if self.kind == "RNN":
            cell = {key: config[key] for key in ("units", "activation", "recurrent_activation", "use_bias")}
            return {"class_name": "RNN", "config": {"name": self.name, "go_backwards": False, "cell": {"class_name": "LSTMCell", "config": cell}}}
        return {"class_name": self.kind, "config": config}

    @property
    def cells(self):
        """(groups of Keras 3, groups of Keras 2, weights) of each cell."""
        return [(("cell",), ("lstm_cell",), self.weights)]


class Bidirectional(Layer):
    def __init__(self, name, inputs, units, merge_mode="concat"):
        super().__init__(name, inputs, units)
        self.backward, self.merge_mode = Layer(name, inputs, units, seed=1), merge_mode

    def __call__(self, x):
        return np.concatenate((super().__call__(x), self.backward(x[::-1])[::-1]), axis=2)

    @property
    def config(self):
        inner = super().config
        inner["config"]["name"] = f"forward_{self.name}"
        return {"class_name": "Bidirectional", "config": {"name": self.name, "merge_mode": self.merge_mode, "layer": inner}}

    @property
    def cells(self):
        return [(("forward_layer", "cell"), (f"forward_{self.name}", "lstm_cell"), self.weights),
                (("backward_layer", "cell"), (f"backward_{self.name}", "lstm_cell"), self.backward.weights)]


class Cudnn(Layer):
    """Its kernel is laid out as [units, inputs] by gate, and it has a second bias."""

    def __init__(self, name, inputs, units):
        super().__init__(name, inputs, units, kind="CuDNNLSTM")

    @property
    def config(self):
        return {"class_name": "CuDNNLSTM", "config": {"name": self.name, "units": self.units}}

    @property
    def cells(self):
        kernel, recurrent, bias = self.weights
        kernel = np.concatenate([gate.T.reshape(gate.shape) for gate in np.split(kernel, 4, axis=1)], axis=1)
        recurrent = np.concatenate([gate.T for gate in np.split(recurrent, 4, axis=1)], axis=1)
        return [(("cell",), (), [kernel, recurrent, np.concatenate((bias / 4, 3 * bias / 4))])]


class Other:
    """A layer without weights of interest."""

    cells = ()

    def __init__(self, kind, name, **config):
        self.name, self.kind, self.config = name, kind, {"class_name": kind, "config": {"name": name} | config}

    def __call__(self, x):
        return x


class Nested:
    """A Sequential model as a layer."""

    kind = "Sequential"

    def __init__(self, name, layers):
        self.name, self.layers = name, layers
        self.config = sequential(layers, name)

    @property
    def cells(self):
        return [(("layers", filed, *own), (layer.name, *older), weights)
                for layer, filed in zip(self.layers, filed_under(self.layers)) for own, older, weights in layer.cells]


def sequential(layers, name="sequential"):
    return {"class_name": "Sequential", "config": {"name": name, "layers": [layer.config for layer in layers]}}


def functional(layers, inbound):
    """inbound: by name of a layer, [(layer, tensor)] that it takes."""
    entries = []
    for layer in layers:
        tensors = [{"class_name": "__keras_tensor__", "config": {"keras_history": [name, 0, tensor]}} for name, tensor in inbound.get(layer.name, [])]
        nodes = [{"args": tensors, "kwargs": {}}]
        entries.append(layer.config | {"name": layer.name, "inbound_nodes": nodes if layer.name in inbound else []})
    return {"class_name": "Functional", "config": {"name": "functional", "layers": entries}}


def filed_under(layers):
    """Names of groups of Keras 3: by class, with a number after the first."""
    words, counted, names = {"LSTM": "lstm", "CuDNNLSTM": "cu_dnnlstm", "RNN": "rnn", "Sequential": "sequential"}, {}, []
    for layer in layers:
        word = "bidirectional" if isinstance(layer, Bidirectional) else words.get(layer.kind, layer.kind.lower())
        counted[word] = counted.get(word, -1) + 1
        names.append(f"{word}_{counted[word]}" if counted[word] else word)
    return names


def write_keras3_weights(file, layers):
    with h5py.File(file, "w") as opened:
        for layer, filed in zip(layers, filed_under(layers)):
            for own, _, weights in layer.cells:
                for place, values in enumerate(weights):
                    opened["/".join(("layers", filed, *own, "vars", str(place)))] = values


def save_keras(path, layers, config=None):
    """A .keras file."""
    weights = io.BytesIO()
    write_keras3_weights(weights, layers)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("metadata.json", json.dumps({"keras_version": "3.15.1"}))
        archive.writestr("config.json", json.dumps(config or sequential(layers)))
        archive.writestr("model.weights.h5", weights.getvalue())
    return path


def save_h5(path, layers, config=None, suffix=":0", alone=False):
    """A .h5 file: of Keras 2, whose names end in :0, or of Keras 3, with suffix=""."""
    with h5py.File(path, "w") as opened:
        if not alone:
            opened.attrs["model_config"] = json.dumps(config or sequential(layers))
        root = opened if alone else opened.create_group("model_weights")
        for layer in layers:
            for _, older, weights in layer.cells:
                for name, values in zip(("kernel", "recurrent_kernel", "bias"), weights):
                    root["/".join((layer.name, layer.name, *older, name + suffix))] = values
    return path
