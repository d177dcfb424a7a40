# SPDX-License-Identifier: MIT
"""Imports against their source: torch.nn.LSTM, ONNX Runtime; and what is refused, with its reason."""

import itertools
import warnings
from importlib.metadata import distribution
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from safetensors.torch import save_file
from torch import nn

from models.float_lstm import layer_weights
from models.importers import ImportFailure, load_lstm
from models.networks import load

STEPS, BATCH, INPUTS, UNITS = 7, 3, 5, 6
TOLERANCE = {"rtol": 0, "atol": 1e-5}
X = torch.randn(STEPS, BATCH, INPUTS, generator=torch.Generator().manual_seed(1))


def lstm(**options):
    torch.manual_seed(2)
    return nn.LSTM(INPUTS, UNITS, **options).requires_grad_(False)


def agree(imported, expected):
    """expected: [steps, batch, outputs] for X."""
    for number in range(BATCH):
        torch.testing.assert_close(imported(X[:, number]), torch.as_tensor(expected)[:, number].double(), **TOLERANCE)


FORMS = [
    {"num_layers": layers, "bidirectional": both, "bias": bias} for layers, both, bias in itertools.product((1, 3), (False, True), (False, True))
]


@pytest.mark.parametrize("form", FORMS, ids=str)
@pytest.mark.parametrize("saved", ["module", "state dict", "part of a checkpoint", "safetensors"])
def test_torch(form, saved, tmp_path):
    source, path = lstm(**form), tmp_path / "model.pt"
    if saved == "safetensors":
        path = tmp_path / "model.safetensors"
        save_file({f"encoder.{name}": tensor for name, tensor in source.state_dict().items()}, path)
    else:
        inner = {f"encoder.{name}": tensor for name, tensor in source.state_dict().items()} | {"linear.weight": torch.zeros(2, 2)}
        torch.save({"module": source, "state dict": source.state_dict(), "part of a checkpoint": {"state_dict": inner, "epoch": 3}}[saved], path)
    agree(load_lstm(path), source(X)[0])


def test_batch_first_is_a_matter_of_the_caller(tmp_path):
    source = lstm(batch_first=True)
    torch.save(source, tmp_path / "model.pt")
    agree(load_lstm(tmp_path / "model.pt"), source(X.transpose(0, 1))[0].transpose(0, 1))


def test_one_of_several_in_a_state_dict(tmp_path):
    source, path = lstm(), tmp_path / "model.pt"
    torch.save(nn.ModuleDict({"encoder": lstm(num_layers=2), "decoder": source}).state_dict(), path)
    agree(load_lstm(path, "decoder"), source(X)[0])
    refused(path, "2 LSTMs: decoder, encoder; choose one with NODE=name")
    refused(path, "NODE=middle: no such LSTM; choose one of decoder, encoder", node="middle")


class Model(nn.Module):
    """As a model around an LSTM: [steps, batch, ...], or batch first."""

    def __init__(self, **options):
        super().__init__()
        self.lstm = lstm(**options)

    def forward(self, x):
        return self.lstm(x)[0]


def old_weight_norm(model):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name in ("weight_ih_l0", "weight_hh_l0"):
            nn.utils.weight_norm(model.lstm, name, dim=None if name == "weight_hh_l0" else 0)
    return model


def weight_norm(model):
    for name in ("weight_ih_l0", "weight_hh_l0"):
        nn.utils.parametrizations.weight_norm(model.lstm, name, dim=1 if name == "weight_hh_l0" else 0)
    return model


SAVED = {
    "a whole model": lambda model, path: torch.save(model, path),
    "before version 1.6": lambda model, path: torch.save(model, path, _use_new_zipfile_serialization=False),
    "a state dict before version 1.6": lambda model, path: torch.save(model.state_dict(), path, _use_new_zipfile_serialization=False),
    "a script": lambda model, path: torch.jit.script(model).save(path),
    "a trace": lambda model, path: torch.jit.trace(model, X).save(path),
    "an exported program": lambda model, path: torch.export.save(torch.export.export(model, (X,)), path.with_suffix(".pt2")),
    "weight_norm with a hook": lambda model, path: torch.save(old_weight_norm(model).state_dict(), path),
    "weight_norm by parametrization": lambda model, path: torch.save(weight_norm(model).state_dict(), path),
    "double": lambda model, path: torch.save(model.double().state_dict(), path),
    "views of one tensor": lambda model, path: torch.save(within_one(model.state_dict()), path),
}


def within_one(state):
    """A state dict whose tensors are transposed parts of one storage."""
    whole = torch.cat([part.T.flatten() for part in state.values()])
    parts = whole.split([part.numel() for part in state.values()])
    return {name: part.view(was.T.shape).T for (name, was), part in zip(state.items(), parts)}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("saved", SAVED)
@pytest.mark.parametrize("form", [{}, {"num_layers": 2, "bidirectional": True}], ids=str)
def test_what_pytorch_saves(saved, form, tmp_path):
    model = Model(**form).eval()
    expected = model.lstm(X)[0]
    SAVED[saved](model, tmp_path / "model.pt")
    agree(load_lstm(next(tmp_path.iterdir())), expected.detach())


@pytest.mark.parametrize("bias", [False, True])
def test_a_cell(bias, tmp_path):
    cell = nn.LSTMCell(INPUTS, UNITS, bias=bias).requires_grad_(False)
    torch.save(nn.ModuleDict({"rnn": cell}), tmp_path / "model.pt")
    states, state = [], None
    for x in X:
        states.append(state := cell(x, state))
    agree(load_lstm(tmp_path / "model.pt"), torch.stack([h for h, _ in states]))


def write(value, path):
    """As its kind is written, by PyTorch."""
    value.save(path) if isinstance(value, torch.jit.ScriptModule) else torch.save(value, path)


TORCH_REFUSALS = {
    "a projection": (lambda: lstm(proj_size=2), "proj_size is not supported"),
    "a GRU": (lambda: nn.GRU(INPUTS, UNITS).state_dict(), r"it is a GRU \(three gates: weight_hh \[18, 6\]\): only LSTMs run on the accelerator"),
    "a plain RNN": (lambda: nn.Sequential(nn.RNN(INPUTS, UNITS)), "0 is a plain RNN"),
    "a cell of a GRU": (lambda: nn.GRUCell(INPUTS, UNITS).state_dict(), "it is a GRU"),
    "dropout of weights": (lambda: {"0.module.weight_ih_l0": torch.zeros(24, 5), "0.module.weight_hh_l0": torch.zeros(24, 6), "0.weight_hh_l0_raw": torch.zeros(24, 6)},
                           "0.weight_hh_l0_raw: dropout of the weights"),
    "spectral_norm": (lambda: nn.utils.spectral_norm(lstm(), "weight_hh_l0"), "weight_hh_l0_orig: spectral_norm or pruning of the weights: take it off"),
    "another parametrization": (lambda: nn.utils.parametrizations.orthogonal(Model().lstm, "weight_hh_l0").state_dict(),
                                "weight_hh_l0.original: a parametrization other than weight_norm: take it off"),
    "layers quantized by PyTorch": (lambda: torch.ao.quantization.quantize_dynamic(nn.Sequential(lstm()), {nn.LSTM}).state_dict(),
                                    "layers quantized by PyTorch: save the model before it is quantized"),
    "a frozen TorchScript": (lambda: torch.jit.freeze(torch.jit.script(Model().eval())), "weights were moved into its code"),
    "no LSTM": (lambda: nn.Linear(2, 2).state_dict(), r"no LSTM, as no name ends in weight_ih_l0 .* its tensors are bias, weight"),
    "too wide": (lambda: nn.LSTM(2, 1025), "hidden size 1025: the accelerator takes 1 to 1024"),
    "too many layers": (lambda: lstm(num_layers=9), "9 layers one above the other: the accelerator takes 1 to 8"),
    "a missing layer": (lambda: {name: tensor for name, tensor in lstm(num_layers=2).state_dict().items() if name != "bias_hh_l1"}, "bias_hh_l1 is missing"),
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("what", TORCH_REFUSALS)
def test_torch_refuses(what, tmp_path):
    make, reason = TORCH_REFUSALS[what]
    write(make(), tmp_path / "model.pt")
    refused(tmp_path / "model.pt", reason)


def refused(path, reason, node=""):
    with pytest.raises(ImportFailure, match=reason) as failure:
        load_lstm(path, node)
    assert len(str(failure.value).splitlines()) == 1


@pytest.mark.parametrize("name", ["model.pt", "model.onnx", "model.safetensors"])
def test_what_is_no_model(name, tmp_path):
    (tmp_path / name).write_text("neither one nor the other")
    refused(tmp_path / name, name)
    with pytest.raises(FileNotFoundError, match="no file"):
        load_lstm(tmp_path / "absent.pt")


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("form", FORMS, ids=str)
@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("axes", [None, {"x": {0: "a", 1: "b"}}], ids=["fixed", "open"])
def test_what_pytorch_exports(form, batch_first, axes, tmp_path):
    model, path = Model(batch_first=batch_first, **form), tmp_path / "model.onnx"
    torch.onnx.export(model, (X.transpose(0, 1) if batch_first else X,), path, dynamo=False, input_names=["x"], dynamic_axes=axes)
    imported = load_lstm(path)
    given = X.numpy().swapaxes(0, 1) if batch_first else X.numpy()
    expected, = onnxruntime.InferenceSession(path).run(None, {"x": given})
    agree(imported, expected.swapaxes(0, 1) if batch_first else expected)
    assert len(imported.lstms) == 1 and not imported.notes and imported.h0 is None


class Stack:
    """An ONNX graph of LSTM nodes with random weights."""

    def __init__(self):
        self.random = np.random.default_rng(3)
        self.nodes, self.constants, self.inputs = [], [], [helper.make_tensor_value_info("x", TensorProto.FLOAT, ("a", "b", INPUTS))]
        self.output, self.size = "x", INPUTS

    def constant(self, name, value):
        self.constants.append(numpy_helper.from_array(np.asarray(value), name))
        return name

    def pop(self, name):
        """A constant that something else takes the place of."""
        tensor = next(tensor for tensor in self.constants if tensor.name == name)
        self.constants.remove(tensor)
        return numpy_helper.to_array(tensor)

    def input(self, name, shape, kind=TensorProto.FLOAT):
        self.inputs.append(helper.make_tensor_value_info(name, kind, shape))
        return name

    def lstm(self, name, units=UNITS, direction="forward", inputs=None, **attributes):
        directions = 2 if direction == "bidirectional" else 1
        shapes = {"W": (4 * units, self.size), "R": (4 * units, units), "B": (8 * units,)}
        given = {"X": self.output} | {
            which: self.constant(f"{name}.{which}", self.random.standard_normal((directions, *shape)).astype(np.float32) / 2)
            for which, shape in shapes.items()
        } | (inputs or {})
        order = ("X", "W", "R", "B", "sequence_lens", "initial_h", "initial_c", "P")
        self.nodes.append(helper.make_node("LSTM", [given.get(which, "") for which in order], [f"{name}.Y", f"{name}.Y_h"], name=name,
                                           hidden_size=units, direction=direction, **attributes))
        self.size, self.output = directions * units, f"{name}.Y"
        return self

    def op(self, kind, *inputs, **attributes):
        output = f"{self.output}.{kind}"
        self.nodes.append(helper.make_node(kind, [self.output, *inputs], [output], **attributes))
        self.output = output
        return self

    def join(self):
        """Two directions side by side, as PyTorch's exporter does it."""
        return self.op("Transpose", perm=[0, 2, 1, 3]).op("Reshape", self.constant(f"{self.output}.shape", np.array([0, 0, -1])))

    def squeeze(self):
        return self.op("Squeeze", self.constant(f"{self.output}.axes", np.array([1])))

    def save(self, folder):
        outputs = [helper.make_tensor_value_info(self.output, TensorProto.FLOAT, None)]
        graph = helper.make_graph(self.nodes, "stack", self.inputs, outputs, self.constants)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 22), helper.make_opsetid("com.microsoft", 1)], ir_version=10)
        onnx.save(model, folder / "model.onnx")
        return folder / "model.onnx"

    def run(self, path):
        return onnxruntime.InferenceSession(path).run(None, {"x": X.numpy()})[0]


@pytest.mark.parametrize("direction", ["forward", "reverse"])
def test_layers_of_different_sizes(direction, tmp_path):
    stack = Stack().lstm("one", 8, direction).squeeze().lstm("two", 4, direction).squeeze().lstm("three", 4, direction).squeeze()
    path = stack.save(tmp_path)
    imported = load_lstm(path)
    agree(imported, stack.run(path))
    assert [(lstm.hidden_size, lstm.num_layers) for lstm in imported.lstms] == [(8, 1), (4, 2)]
    q = imported.quantize([X[:, 0], X[:, 1]])
    assert [layer.units for part in q.directions for layer in part.layers] == [8, 4, 4] and len(q.directions) == 1


def test_one_direction_above_two(tmp_path):
    stack = Stack().lstm("one", direction="bidirectional").join().lstm("two").squeeze()
    path = stack.save(tmp_path)
    imported = load_lstm(path)
    agree(imported, stack.run(path))
    assert len(imported.quantize([X[:, 0], X[:, 1]]).directions) == 3


def test_initial_states(tmp_path):
    stack = Stack()
    h0, c0 = (scale * stack.random.uniform(-1, 1, (2, 1, UNITS)).astype(np.float32) for scale in (0.9, 1.5))
    states = {"initial_h": stack.constant("h0", h0.repeat(BATCH, 1)), "initial_c": stack.constant("c0", c0.repeat(BATCH, 1))}
    stack.lstm("one", direction="bidirectional", inputs=states).join()
    path = stack.save(tmp_path)
    imported = load_lstm(path)
    agree(imported, stack.run(path))
    q = imported.quantize([4 * X[:, 0], 4 * X[:, 1]])
    for part, state, h, c in zip(q.directions, imported.initial_states(q), h0[:, 0], c0[:, 0], strict=True):
        assert not state.first
        np.testing.assert_allclose(state.h[0][0] / 120, h, atol=1 / 120)
        np.testing.assert_allclose(state.c[0][0] / 2.0**part.layers[0].c_frac, c, atol=2**-8)


def test_states_that_the_caller_gives_are_taken_as_zero(tmp_path):
    stack = Stack()
    stack.lstm("one", inputs={"initial_h": stack.input("h", (1, "b", UNITS)), "initial_c": stack.input("c", (1, "b", UNITS))}).squeeze()
    imported = load_lstm(stack.save(tmp_path))
    assert imported.h0 is None and imported.notes == ["initial states come from the inputs of the graph: taken as zero"]


def test_sequence_lens_of_full_length(tmp_path):
    """From the sizes of the input, as tf2onnx computes it."""
    stack = Stack()
    stack.nodes += [
        helper.make_node("Shape", ["x"], ["size"]),
        helper.make_node("Gather", ["size", stack.constant("zero", np.array([0]))], ["steps"]),
        helper.make_node("Gather", ["size", stack.constant("one", np.array([1]))], ["batch"]),
        helper.make_node("Expand", ["steps", "batch"], ["long"]),
        helper.make_node("Cast", ["long"], ["lengths"], to=TensorProto.INT32),
    ]
    stack.lstm("lstm", inputs={"sequence_lens": "lengths"}).squeeze()
    path = stack.save(tmp_path)
    agree(load_lstm(path), stack.run(path))


def with_input(which, make, **attributes):
    def stack():
        result = Stack()
        return result.lstm("node", inputs={which: make(result)}, **attributes)

    return stack


ONNX_REFUSALS = {
    "peepholes": (with_input("P", lambda stack: stack.constant("p", np.ones((1, 3 * UNITS), np.float32))), "node: peephole weights P are not supported"),
    "activations": (lambda: Stack().lstm("node", activations=["HardSigmoid", "Tanh", "Tanh"]), "node: activations HardSigmoid, Tanh, Tanh are not"),
    "clip": (lambda: Stack().lstm("node", clip=3.0), "node: clip=3 is not supported"),
    "input_forget": (lambda: Stack().lstm("node", input_forget=1), "node: input_forget=1 is not supported"),
    "short sequence_lens": (with_input("sequence_lens", lambda stack: stack.constant("n", np.array([2, 3, 3], np.int32))), "node: sequence_lens is fixed to 2, 3, 3"),
    "weights as inputs": (with_input("R", lambda stack: stack.input("r", (1, 4 * UNITS, UNITS))), "node: R depends on the inputs of the graph"),
    "states by sequence": (with_input("initial_h", lambda stack: stack.constant("h", np.eye(BATCH, UNITS, dtype=np.float32)[None])),
                           "node: initial_h differs from sequence to sequence"),
    "no h": (with_input("initial_h", lambda stack: stack.constant("h", np.full((1, 1, UNITS), 2, np.float32))), "node: initial_h reaches 2"),
    "hidden size": (lambda: Stack().lstm("node", 1025), "hidden size 1025: the accelerator takes 1 to 1024"),
    "layers": (lambda: [stack := Stack(), *(stack.lstm(f"node {number}").squeeze() for number in range(9))][0], "9 layers one above the other"),
    "no LSTM": (lambda: Stack().op("Relu"), "no LSTM node in the graph"),
    "something between": (lambda: Stack().lstm("one").squeeze().op("Relu").lstm("two"),
                          r"2 LSTMs that are not connected \(between one and two: Squeeze, Relu\): one, two; choose one with NODE=name"),
    "the last state": (lambda: [stack := Stack().lstm("one"), setattr(stack, "output", "one.Y_h"), stack.lstm("two")][0],
                       r"\(between one and two: the last state\)"),
    "a turn": (lambda: Stack().lstm("one").squeeze().lstm("two", direction="reverse"), r"\(between one and two: a turn of time\)"),
    "crossed directions": (lambda: [stack := Stack().lstm("one", direction="bidirectional"), stack.op("Transpose", perm=[0, 2, 3, 1]).op(
        "Reshape", stack.constant("shape", np.array([0, 0, -1]))).lstm("two")][0], r"\(between one and two: Transpose, Reshape\)"),
}


@pytest.mark.parametrize("what", ONNX_REFUSALS)
def test_onnx_refuses(what, tmp_path):
    make, reason = ONNX_REFUSALS[what]
    refused(make().save(tmp_path), reason)


def test_one_of_several_nodes(tmp_path):
    stack = Stack().lstm("one").squeeze()
    expected = stack.output
    stack.op("Relu").lstm("two").squeeze()
    stack.output = expected
    path = stack.save(tmp_path)
    agree(load_lstm(path, "one"), stack.run(path))
    assert load_lstm(path, "two").inputs == UNITS
    refused(path, "NODE=three: no such LSTM; choose one of one, two", node="three")


def package_file(package, name):
    return distribution(package).locate_file(name)


REAL = {
    "TorchScript": ("silero-vad", "silero_vad/data/silero_vad.jit", "_model.decoder.rnn"),
    "ONNX with If bodies": ("silero-vad", "silero_vad/data/silero_vad.onnx", "If_0_then_branch__Inline_0__/decoder/rnn/LSTM"),
    "ONNX with one If": ("silero-vad", "silero_vad/data/silero_vad_16k_op15.onnx", ""),
}


@pytest.mark.parametrize("what", REAL)
def test_files_of_silero(what):
    package, name, node = REAL[what]
    same_weights(load_lstm(package_file(package, name), node).lstms[0], load("silero").lstm, 1)


def test_file_of_textgenrnn():
    """Weights of CuDNN layers alone, as Keras 2 wrote them."""
    path = package_file("textgenrnn", "textgenrnn/textgenrnn_weights.hdf5")
    network = load("textgenrnn").lstm
    same_weights(load_lstm(path, "rnn_1").lstms[0], network, 1)
    refused(Path(path), r"2 LSTMs that are not connected \(the file does not say how\): rnn_1, rnn_2; choose one with NODE=name")


def test_file_of_resemblyzer():
    """Of torch.save before version 1.6."""
    same_weights(load_lstm(package_file("Resemblyzer", "resemblyzer/pretrained.pt")).lstms[0], load("resemblyzer").lstm, 3)


def same_weights(lstm, other, layers):
    """Biases may stand in either of the two."""
    for layer in range(layers):
        for ours, theirs in zip(layer_weights(lstm, layer), layer_weights(other, layer)):
            torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-6)
