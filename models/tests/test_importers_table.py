# SPDX-License-Identifier: MIT
"""docs/models.md: a file for each row of its tables, imported and compared with what the framework gives, or refused with the words of the table."""

import re
import warnings
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import TensorProto, helper
from safetensors.torch import save_file
from torch import nn

from models.importers import ImportFailure, load_lstm
from models.tests import keras_files as keras
from models.tests.test_importers import BATCH, INPUTS, UNITS, Model, Stack, X, agree, lstm, old_weight_norm, weight_norm, with_input, write

PAGE = Path(__file__).resolve().parents[2] / "docs" / "models.md"
TABLES = {title: re.findall(r"^\| (.+?) \| (.+) \|$", part, re.MULTILINE)[1:]
          for title, part in re.findall(r"^## (PyTorch|ONNX|Keras)\n(.+?)(?=^## )", PAGE.read_text(), re.MULTILINE | re.DOTALL)}
ROWS = {(title, row): result for title, rows in TABLES.items() for row, result in rows}
GRU = nn.GRU(INPUTS, UNITS)


def saved(value):
    """Writes what value() makes, by PyTorch; the expected outputs are those of lstm()."""
    def make(folder):
        write(value(), folder / "model.pt")
        return folder / "model.pt", lstm()(X)[0]

    return make


def of_model(save, name="model.pt"):
    """save(model, path) writes a model around lstm(); the expected outputs are those of it."""
    def make(folder):
        model = Model().eval()
        save(model, folder / name)
        return folder / name, model(X).detach()

    return make


def cell(folder):
    module, state, outputs = nn.LSTMCell(INPUTS, UNITS).requires_grad_(False), None, []
    for x in X:
        outputs.append((state := module(x, state))[0])
    torch.save(module.state_dict(), folder / "model.pt")
    return folder / "model.pt", torch.stack(outputs)


def narrow(folder):
    """Each tensor in another type, with numbers that all of them hold."""
    source = lstm()
    for parameter in source.parameters():
        parameter.copy_((parameter * 64).round() / 64)
    kinds = (torch.float16, torch.bfloat16, torch.float64, torch.float32)
    torch.save({name: tensor.to(kind) for (name, tensor), kind in zip(source.state_dict().items(), kinds)}, folder / "model.pt")
    return folder / "model.pt", source(X)[0]


def unrolled(*names):
    return lambda: {name: torch.zeros(UNITS, INPUTS) for name in names}


def safetensors(folder):
    save_file(lstm().state_dict(), folder / "model.safetensors")
    return folder / "model.safetensors", lstm()(X)[0]


PYTORCH = {
    "state dict of nn.LSTM (torch.save)": saved(lambda: lstm().state_dict()),
    "state dict of nn.LSTM (safetensors)": safetensors,
    "state dict within a checkpoint": saved(lambda: {"model": {"rnn": lstm().state_dict()}, "epoch": 3}),
    "nn.LSTM itself (torch.save)": saved(lstm),
    "a model of any class (torch.save)": of_model(torch.save),
    "file of torch.save before version 1.6": of_model(lambda model, path: torch.save(model, path, _use_new_zipfile_serialization=False)),
    "nn.LSTMCell": cell,
    "TorchScript, scripted": of_model(lambda model, path: torch.jit.script(model).save(path)),
    "TorchScript, traced": of_model(lambda model, path: torch.jit.trace(model, X).save(path)),
    "torch.export (.pt2)": of_model(lambda model, path: torch.export.save(torch.export.export(model, (X,)), path), "model.pt2"),
    "weight_norm, torch.nn.utils": of_model(lambda model, path: torch.save(old_weight_norm(model).state_dict(), path)),
    "weight_norm, by parametrization": of_model(lambda model, path: torch.save(weight_norm(model).state_dict(), path)),
    "float16, bfloat16, float64 weights": narrow,
    "several LSTMs": saved(lambda: nn.ModuleDict({"decoder": lstm(), "encoder": lstm(num_layers=2)}).state_dict()),
    "proj_size": saved(lambda: lstm(proj_size=2)),
    "GRU": saved(GRU.state_dict),
    "plain RNN": saved(lambda: nn.RNN(INPUTS, UNITS)),
    "spectral_norm, pruning": saved(lambda: nn.utils.spectral_norm(lstm(), "weight_hh_l0")),
    "another parametrization": saved(lambda: nn.utils.parametrizations.orthogonal(lstm(), "weight_hh_l0").state_dict()),
    "layers quantized by PyTorch": saved(lambda: torch.ao.quantization.quantize_dynamic(nn.Sequential(lstm()), {nn.LSTM}).state_dict()),
    "TorchScript after torch.jit.freeze": saved(lambda: torch.jit.freeze(torch.jit.script(Model().eval()))),
    "cells written out by hand": saved(unrolled("encoder.W_i", "encoder.U_i", "encoder.W_f")),
}


def stack_of(make):
    """A file of what make() gives, a Stack; the expected outputs are those of ONNX Runtime."""
    def write_stack(folder):
        stack = make()
        path = stack.save(folder)
        try:
            expected = stack.run(path)
        except Exception:  # a file that is refused may be none for ONNX Runtime either
            expected = None
        return path, expected

    return write_stack


def exported(folder):
    torch.onnx.export(Model(), (X,), folder / "model.onnx", dynamo=False)
    return folder / "model.onnx", lstm()(X)[0]


def batch_first(folder):
    """ONNX Runtime does not have layout=1."""
    stack = Stack().lstm("one")
    expected = stack.squeeze().run(stack.save(folder))
    other = Stack().lstm("one", layout=1)
    return other.save(folder), expected


def replaced(change):
    """A stack of one LSTM whose constants W and R come from change(stack, name)."""
    def make():
        stack = Stack().lstm("node").squeeze()
        for which in ("node.W", "node.R"):
            change(stack, which)
        return stack

    return stack_of(make)


def computed(stack, name):
    """Two halves put together, and scaled."""
    whole = stack.pop(name)
    first, last = np.split(whole, 2, axis=1)
    parts = [stack.constant(f"{name}.{place}", 2 * part) for place, part in enumerate((first, last))]
    two = stack.constant(f"{name}.two", np.float32(2))
    stack.nodes[:0] = [helper.make_node("Concat", parts, [f"{name}.all"], axis=1), helper.make_node("Div", [f"{name}.all", two], [name])]


def half(stack, name):
    stack.nodes[:0] = [helper.make_node("Cast", [stack.constant(f"{name}.half", stack.pop(name).astype(np.float16))], [name], to=TensorProto.FLOAT)]


def quantized_weights(stack, name):
    whole = stack.pop(name)
    scale = np.abs(whole).max(axis=(0, 2)) / 127
    inputs = [stack.constant(f"{name}.int8", np.rint(whole / scale[:, None]).astype(np.int8)), stack.constant(f"{name}.scale", scale)]
    stack.nodes[:0] = [helper.make_node("DequantizeLinear", inputs, [name], axis=1)]


def einsum(stack, name):
    stack.nodes[:0] = [helper.make_node("Einsum", [stack.constant(f"{name}.x", stack.pop(name))], [name], equation="abc->abc")]


def quantized_between(folder):
    """The expected outputs are those without it."""
    def between(stack, quantize):
        stack.lstm("one").squeeze()
        if quantize:
            scale = [stack.constant("scale", np.float32(1 / 127)), stack.constant("zero", np.int8(0))]
            stack.op("QuantizeLinear", *scale).op("DequantizeLinear", *scale)
        return stack.lstm("two").squeeze()

    plain = between(Stack(), False)
    expected = plain.run(plain.save(folder))
    return between(Stack(), True).save(folder), expected


def dynamic(by_row):
    """By rows in int8, or by direction in uint8. The expected outputs are those of an LSTM with its weights; those of ONNX Runtime, which quantizes inputs
    as well, are close to them."""
    def make(folder, tolerance=0.02):
        plain, other = Stack().lstm("node").squeeze(), Stack().lstm("node").squeeze()
        node, zero = other.nodes[0], np.int8(0) if by_row else np.uint8(120)
        for which in ("W", "R"):
            whole = plain.pop(f"node.{which}")
            other.pop(f"node.{which}")
            # 7 bits: with 8, ONNX Runtime saturates sums of two products on processors without VNNI.
            scale = (np.abs(whole).max(axis=2 if by_row else (1, 2)) / 60).astype(np.float32)
            integers = (np.rint(whole / scale.reshape(1, -1, 1)) + zero).astype(zero.dtype)
            plain.constant(f"node.{which}", (integers.astype(np.float32) - zero) * scale.reshape(1, -1, 1))
            for name, values in ((which, integers.swapaxes(1, 2)), (f"{which}_scale", scale), (f"{which}_zero", np.full(scale.shape, zero))):
                other.constant(f"node.{name}", values)
        node.op_type, node.domain = "DynamicQuantizeLSTM", "com.microsoft"
        del node.input[:]
        node.input.extend(["x", "node.W", "node.R", "node.B", "", "", "", "", "node.W_scale", "node.W_zero", "node.R_scale", "node.R_zero"])
        expected = plain.run(plain.save(folder))
        path = other.save(folder)
        assert np.abs(other.run(path) - expected).max() < tolerance
        return path, expected

    return make


def external(folder):
    stack = Stack().lstm("node").squeeze()
    path = stack.save(folder)
    expected = stack.run(path)
    onnx.save(onnx.load(path), path, save_as_external_data=True, location="model.data", size_threshold=0)
    assert (folder / "model.data").exists()
    return path, expected


def local_functions(folder):
    """An LSTM in a function in a function."""
    stack = Stack().lstm("node").squeeze()
    expected = stack.run(path := stack.save(folder))
    names, opset = [tensor.name for tensor in stack.constants], [helper.make_opsetid("", 22)]
    inner = helper.make_function("local", "Inner", ["x", *names], [stack.output], stack.nodes, opset)
    call = helper.make_node("Inner", ["x", *names], ["y"], domain="local")
    outer = helper.make_function("local", "Outer", ["x", *names], ["y"], [call], [*opset, helper.make_opsetid("local", 1)])
    stack.nodes, stack.output = [helper.make_node("Outer", ["x", *names], ["z"], domain="local")], "z"
    model = onnx.load(stack.save(folder))
    model.functions.extend([inner, outer])
    model.opset_import.append(helper.make_opsetid("local", 1))
    onnx.save(model, path)
    return path, expected


def within_if(*seeds):
    """An LSTM in each branch, with weights outside of it; the expected outputs are those of the first."""
    def make(folder):
        stack, outputs = Stack(), []
        for place, seed in enumerate(seeds):
            stack.random, stack.size, stack.output = np.random.default_rng(seed), INPUTS, "x"
            outputs.append(stack.lstm(f"node{place}").squeeze().output)
        bodies = [helper.make_graph(stack.nodes[2 * place:2 * place + 2], f"body{place}", [], [helper.make_tensor_value_info(output, TensorProto.FLOAT, None)])
                  for place, output in enumerate(outputs)]
        stack.nodes = [helper.make_node("If", [stack.input("condition", (), TensorProto.BOOL)], ["y"], name="if", then_branch=bodies[0], else_branch=bodies[-1])]
        stack.output = "y"
        path = stack.save(folder)
        return path, onnxruntime.InferenceSession(path).run(None, {"x": X.numpy(), "condition": np.array(True)})[0]

    return make


def one_branch(folder):
    """The other branch has none, and only moves its input."""
    path, expected = within_if(3, 3)(folder)
    model = onnx.load(path)
    branch = next(attribute for attribute in model.graph.node[0].attribute if attribute.name == "else_branch").g
    del branch.node[:]
    branch.node.append(helper.make_node("Identity", ["x"], [branch.output[0].name]))
    onnx.save(model, path)
    return path, expected


def within_loop(folder):
    stack = Stack().lstm("node").squeeze()
    expected = stack.run(stack.save(folder))
    values = [helper.make_tensor_value_info(name, kind, shape) for name, kind, shape in (("i", TensorProto.INT64, ()), ("go", TensorProto.BOOL, ()))]
    stack.nodes.append(helper.make_node("Identity", ["go"], ["go on"]))
    ends = [helper.make_tensor_value_info("go on", TensorProto.BOOL, ()), helper.make_tensor_value_info(stack.output, TensorProto.FLOAT, None)]
    body = helper.make_graph(stack.nodes, "body", values, ends)
    stack.nodes = [helper.make_node("Loop", [stack.constant("count", np.array(2)), ""], ["y"], name="loop", body=body)]
    stack.output = "y"
    return stack.save(folder), expected


def with_states():
    stack = Stack()
    values = [scale * stack.random.uniform(-1, 1, (1, 1, UNITS)).astype(np.float32).repeat(BATCH, 1) for scale in (0.9, 1.5)]
    return stack.lstm("one", inputs={f"initial_{name}": stack.constant(name, value) for name, value in zip("hc", values)}).squeeze()


def states_given(folder):
    stack = Stack()
    stack.lstm("one", inputs={f"initial_{name}": stack.input(name, (1, "b", UNITS)) for name in "hc"}).squeeze()
    path = stack.save(folder)
    zero = np.zeros((1, BATCH, UNITS), np.float32)
    return path, onnxruntime.InferenceSession(path).run(None, {"x": X.numpy(), "h": zero, "c": zero})[0]


def states_of_another(folder):
    """As of an encoder and a decoder. The expected outputs are those of the second from zero."""
    stack = Stack().lstm("one")
    first = stack.random.bit_generator.state
    stack.output, stack.size = "x", INPUTS
    stack.lstm("two", inputs={"initial_h": "one.Y_h"}).squeeze()
    alone = Stack()
    alone.random.bit_generator.state = first
    expected = alone.lstm("two").squeeze().run(alone.save(folder))
    return stack.save(folder), expected, "two"


def lengths_computed():
    stack = Stack()
    stack.nodes += [
        helper.make_node("Shape", ["x"], ["size"]),
        helper.make_node("Gather", ["size", stack.constant("zero", np.array([0]))], ["steps"]),
        helper.make_node("Gather", ["size", stack.constant("one", np.array([1]))], ["batch"]),
        helper.make_node("Expand", ["steps", "batch"], ["long"]),
        helper.make_node("Cast", ["long"], ["lengths"], to=TensorProto.INT32),
    ]
    return stack.lstm("lstm", inputs={"sequence_lens": "lengths"}).squeeze()


def lengths_given(folder):
    stack = Stack()
    stack.lstm("lstm", inputs={"sequence_lens": stack.input("n", ("b",), TensorProto.INT32)}).squeeze()
    path = stack.save(folder)
    return path, onnxruntime.InferenceSession(path).run(None, {"x": X.numpy(), "n": np.full(BATCH, len(X), np.int32)})[0]


def gru(folder):
    torch.onnx.export(GRU, (X,), folder / "model.onnx", dynamo=False)
    return folder / "model.onnx", None


def written_out():
    stack = Stack()
    return stack.op("MatMul", stack.constant("w", np.zeros((INPUTS, INPUTS), np.float32))).op("Sigmoid").op("Tanh")


ONNX = {
    "torch.onnx.export": exported,
    "direction forward, reverse, bidirectional": [stack_of(lambda direction=direction: Stack().lstm("one", direction=direction).join())
                                                  for direction in ("forward", "reverse", "bidirectional")],
    "layers of different sizes and directions": stack_of(lambda: Stack().lstm("one", 8, "bidirectional").join().lstm("two", 4).squeeze().lstm("three", 4).squeeze()),
    "layout=1": batch_first,
    "weights computed from constants": replaced(computed),
    "weights in float16": replaced(half),
    "weights with DequantizeLinear (QDQ)": replaced(quantized_weights),
    "QuantizeLinear and DequantizeLinear between LSTMs (QDQ)": quantized_between,
    "DynamicQuantizeLSTM of ONNX Runtime": [dynamic(by_row=True), dynamic(by_row=False)],
    "external data": external,
    "local functions": local_functions,
    "LSTM in the branch of an If": one_branch,
    "LSTM in the body of a Loop or Scan": within_loop,
    "the same LSTM in both branches of an If": within_if(3, 3),
    "initial states, constant": stack_of(with_states),
    "initial states from the inputs of the graph": states_given,
    "initial states from another LSTM": states_of_another,
    "sequence_lens of the full length": stack_of(lengths_computed),
    "sequence_lens from the inputs of the graph": lengths_given,
    "sequence_lens, constant and shorter": stack_of(with_input("sequence_lens", lambda stack: stack.constant("n", np.array([2, 3, 3], np.int32)))),
    "peepholes": stack_of(with_input("P", lambda stack: stack.constant("p", np.ones((1, 3 * UNITS), np.float32)))),
    "activations": stack_of(lambda: Stack().lstm("node", activations=["HardSigmoid", "Tanh", "Tanh"])),
    "clip": stack_of(lambda: Stack().lstm("node", clip=3.0)),
    "input_forget": stack_of(lambda: Stack().lstm("node", input_forget=1)),
    "something else between LSTMs": stack_of(lambda: Stack().lstm("one").squeeze().op("Relu").lstm("two")),
    "weights that depend on the inputs": stack_of(with_input("R", lambda stack: stack.input("r", (1, 4 * UNITS, UNITS)))),
    "weights by an operator that is not taken": replaced(einsum),
    "GRU nodes": gru,
    "cells written out as operators": stack_of(written_out),
}


def keras_file(layers, config=None, save=keras.save_keras, node=""):
    """A file of layers; the expected outputs are those of all of them, one after the other, or of the one that is chosen."""
    def make(folder):
        made = layers()
        expected = X.double().numpy()
        for layer in made if not node else [layer for layer in made if layer.name == node]:
            expected = layer(expected) if callable(layer) else None
        name = "model.keras" if save is keras.save_keras else "model.h5"
        return save(folder / name, made, *([config(made)] if config else [])), expected, node

    return make


def older(path, layers, config=None):
    return keras.save_h5(path, layers, config)


def newer(path, layers, config=None):
    return keras.save_h5(path, layers, config, suffix="")


def alone(path, layers, config=None):
    keras.write_keras3_weights(path, layers)
    return path


def older_alone(path, layers, config=None):
    return keras.save_h5(path, layers, alone=True)


def first(name="first", **options):
    return keras.Layer(name, INPUTS, UNITS, **options)


def one(**options):
    return lambda: [first(**options)]


def nested(folder):
    layers = [keras.Other("Dense", "dense", units=3), keras.Nested("nested", [first("inside")])]
    return keras.save_keras(folder / "model.keras", layers), layers[1].layers[0](X.double().numpy())


def other_layer(kind, **config):
    return keras_file(lambda: [keras.Other(kind, "other", **config)])


def with_bytes(name, content):
    def make(folder):
        (folder / name).write_bytes(content)
        return folder / name, None

    return make


def folder_of(name):
    def make(folder):
        (folder / name).mkdir()
        return folder / name, None

    return make


KERAS = {
    ".keras": keras_file(one()),
    ".h5 of Keras 3": keras_file(one(), save=newer),
    ".h5 of Keras 2": keras_file(one(), save=older),
    "weights alone, .weights.h5": keras_file(one(), save=alone),
    "weights alone, .h5 of Keras 2": keras_file(one(), save=older_alone),
    "use_bias=False": keras_file(one(bias=False)),
    "LSTM over LSTM, Dropout between": [
        keras_file(lambda: [first(), keras.Other("Dropout", "dropout"), keras.Layer("second", UNITS, 4), keras.Layer("third", 4, 4)], save=save)
        for save in (keras.save_keras, older)],
    "Bidirectional": [keras_file(lambda: [keras.Bidirectional("both", INPUTS, UNITS), keras.Layer("above", 2 * UNITS, 4)], save=save)
                      for save in (keras.save_keras, older, newer)],
    "Bidirectional, merge_mode=sum": keras_file(lambda: [keras.Bidirectional("both", INPUTS, UNITS, merge_mode="sum")]),
    "RNN of an LSTMCell": keras_file(one(kind="RNN")),
    "CuDNNLSTM": keras_file(lambda: [keras.Cudnn("first", INPUTS, UNITS)], save=older),
    "LSTM in a model within the model": nested,
    "initial_state from another layer": keras_file(
        lambda: [keras.Other("InputLayer", "in"), first("base"), keras.Layer("top", INPUTS, UNITS, seed=1)],
        lambda layers: keras.functional(layers, {"base": [("in", 0)], "top": [("in", 0), ("base", 1), ("base", 2)]}), node="top"),
    "stateful=True": keras_file(one(stateful=True)),
    "go_backwards=True": keras_file(one(go_backwards=True)),
    "activation=relu": keras_file(one(activation="relu")),
    "recurrent_activation=hard_sigmoid": keras_file(one(recurrent_activation="hard_sigmoid")),
    "GRU layer": other_layer("GRU", units=3),
    "StackedRNNCells": other_layer("RNN", cell={"class_name": "StackedRNNCells", "config": {}}),
    "TimeDistributed LSTM": other_layer("TimeDistributed", layer={"class_name": "LSTM", "config": {}}),
    "SavedModel of TensorFlow": folder_of("model"),
    "TensorFlow Lite": with_bytes("model.tflite", b"\x1c\0\0\0TFL3" + bytes(64)),
}
FILES = {"PyTorch": PYTORCH, "ONNX": ONNX, "Keras": KERAS}


def test_the_tables_have_these_rows():
    assert {title: [row for row, _ in rows] for title, rows in TABLES.items()} == {title: list(files) for title, files in FILES.items()}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("title, row", ROWS)
def test_row(title, row, tmp_path):
    result, makes = ROWS[title, row], FILES[title][row]
    for number, make in enumerate(makes if isinstance(makes, list) else [makes]):
        (folder := tmp_path / str(number)).mkdir()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            path, expected, node = (*make(folder), "")[:3]
        if result.startswith("refused: "):
            with pytest.raises(ImportFailure, match=re.escape(result.removeprefix("refused: "))) as failure:
                load_lstm(path, node)
            assert str(failure.value).startswith(f"{path.name}: ") and len(str(failure.value).splitlines()) == 1
            continue
        imported = load_lstm(path, node)
        agree(imported, np.asarray(expected))
        runs, _, note = result.partition("; note: ")
        assert runs == "runs" and (note in " ".join(imported.notes) if note else not imported.notes)
