# SPDX-License-Identifier: MIT
"""Bad files end in one line that names the file and says what to do, in seconds, and within bounds of memory; damaged ones in that line or in an LSTM."""

import io
import os
import pickle
import random
import resource
import struct
import time
import zipfile
from pathlib import Path

import h5py
import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper
from torch import nn

from models.importers import ImportedLSTM, ImportFailure, load_lstm
from models.own.data import read_sequences
from models.tests import keras_files as keras
from models.tests.test_importers import INPUTS, UNITS, Model, Stack, X, lstm

MOST_BYTES, MOST_SECONDS = 1 << 30, 10
GIB = 1 << 30
DAMAGES, DAMAGES_OF_KERAS = 150, 15  # of each file; one of Keras is read in a process of its own


@pytest.fixture(autouse=True)
def _bounds():
    """Of address space beyond what the process has, and of processor time."""
    limits = resource.getrlimit(resource.RLIMIT_AS)
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    resource.setrlimit(resource.RLIMIT_AS, (pages * os.sysconf("SC_PAGE_SIZE") + MOST_BYTES, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, limits)


def refused(load, path, *words):
    begin = time.process_time()
    with pytest.raises(ImportFailure) as failure:
        load(path)
    message = str(failure.value)
    assert time.process_time() - begin < MOST_SECONDS
    assert message.startswith(f"{path.name}: ") and message.isprintable() and len(message) < 700
    for word in words:
        assert word in message


def saved(value):
    def make(path):
        torch.save(value(), path)

    return make


def state(change=lambda state: None):
    """A state dict after a change."""
    result = dict(lstm().state_dict())
    return change(result) or result


def changed(**values):
    return saved(lambda: state() | {name: value() for name, value in values.items()})


def itself():
    result = state()
    result["self"] = result
    result["weight_hh_l0"] = result
    return result


def nested():
    """Two references to a list within each list: 2**100 ways through."""
    result = [1]
    for _ in range(100):
        result = [result, result]
    return {"a": result}


def deep():
    result = torch.zeros(2)
    for _ in range(200):
        result = {"a": result}
    return result


class Runs:
    def __reduce__(self):
        return os.mkdir, ("made by a pickle",)


def zip_bomb(name):
    """A GiB of zeros in a MiB: one of them is compressed, and said to be 64 more."""
    def make(path):
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(name, bytes(GIB >> 6))
        content = path.read_bytes()
        path.write_bytes(content.replace(struct.pack("<L", GIB >> 6), struct.pack("<L", GIB)))

    return make


def legacy_claim(path):
    """A storage of 60 GiB, in a file of a few hundred bytes."""
    torch.save({"weight_ih_l0": torch.zeros(4, 1), "weight_hh_l0": torch.zeros(4, 1)}, path, _use_new_zipfile_serialization=False)
    content = path.read_bytes()
    place = content.rindex(struct.pack("<q", 4))
    path.write_bytes(content[:place] + struct.pack("<q", 15 * GIB) + content[place + 8:])


def stack(build):
    """An ONNX file of a stack after build(stack)."""
    def make(path):
        made = Stack()
        made.lstm("node").squeeze()
        build(made)
        made.save(path.parent).rename(path)

    return make


def weight_of(*nodes, **constants):
    """R as the value "r" of nodes."""
    def build(made):
        made.pop("node.R")
        for name, value in constants.items():
            made.constant(name, value)
        made.nodes[:0] = nodes
        made.nodes[len(nodes)].input[2] = "r"

    return stack(build)


def without_data(path, change=lambda data: data.unlink()):
    stack(lambda made: None)(path)
    onnx.save(onnx.load(path), path, save_as_external_data=True, location="model.data", size_threshold=0)
    change(path.parent / "model.data")


def cut_data(path):
    without_data(path, lambda data: data.write_bytes(data.read_bytes()[:100]))


def data_elsewhere(path):
    without_data(path, lambda data: None)
    model = onnx.load(path, load_external_data=False)
    for tensor in model.graph.initializer:
        tensor.external_data[0].value = "/etc/passwd"
    onnx.save(model, path)


def functions(calls):
    """Functions that call others: by name, which."""
    def make(path):
        stack(lambda made: made.nodes.append(helper.make_node("f0", ["x"], ["z"], domain="local")))(path)
        model, opset = onnx.load(path), [helper.make_opsetid("local", 1), helper.make_opsetid("", 22)]
        for name, called in calls.items():
            nodes = [helper.make_node(other, ["x"], ["y" if place == 0 else f"y{place}"], domain="local") for place, other in enumerate(called)]
            model.functions.append(helper.make_function("local", name, ["x"], ["y"], nodes or [helper.make_node("Relu", ["x"], ["y"])], opset))
        model.opset_import.append(helper.make_opsetid("local", 1))
        onnx.save(model, path)

    return make


def claims(path):
    """Weights of 2**40 numbers, none of them there."""
    stack(lambda made: made.constants.append(TensorProto(name="big", data_type=TensorProto.FLOAT, dims=[1, 1 << 20, 1 << 20])))(path)
    model = onnx.load(path)
    model.graph.node[0].input[2] = "big"
    onnx.save(model, path)


def keras_bomb(path):
    with h5py.File(path, "w") as file:
        group = file.create_group("layers/lstm/cell/vars")
        for place, shape in enumerate(((1 << 20, 4 << 20), (1 << 20, 4 << 20), (4 << 20,))):
            group.create_dataset(str(place), shape, "f4", chunks=True, compression="gzip")


def keras_elsewhere(path):
    with h5py.File(path, "w") as file:
        file.create_group("layers/lstm/cell/vars").create_dataset("0", (5, 24), "f4", external=[("/etc/passwd", 0, 480)])
        file["layers/lstm/cell/vars/1"] = np.zeros((6, 24), np.float32)


def keras_busy(path):
    """Eight bytes too many where the configuration lies: the HDF5 library never comes back from it."""
    content = keras.save_h5(path, [keras.Layer("a", 5, 6), keras.Layer("b", 6, 6)]).read_bytes()
    place = content.index(b'"class_name"') + 30
    path.write_bytes(content[:place] + content[place - 8:place] + content[place:])


BAD = {
    "a text file": ("m.pt", lambda path: path.write_text("the weights are in the other folder\n" * 9), "a text file", "save"),
    "an empty file": ("m.pt", lambda path: path.touch(), "empty"),
    "text as ONNX": ("m.onnx", lambda path: path.write_text("the weights are in the other folder\n"), "export"),
    "noise": ("m.pt", lambda path: path.write_bytes(random.Random(1).randbytes(5000)), "not a file of a known format"),
    "a pointer of Git LFS": ("m.onnx", lambda path: path.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:1\n"), "git lfs pull"),
    "a pickle of something else": ("m.pt", lambda path: path.write_bytes(pickle.dumps({"weight_ih_l0": [1.0]})), "none of torch.save"),
    "a pickle that runs code": ("m.pt", saved(lambda: {"weight_ih_l0": Runs()}), "no LSTM"),
    "cut short": ("m.pt", lambda path: [torch.save(state(), path), path.write_bytes(path.read_bytes()[:700])], "cut short"),
    "within itself": ("m.pt", saved(itself), "weight_hh_l0 is missing"),
    "exponentially many ways": ("m.pt", saved(nested), "no tensors"),
    "too deep": ("m.pt", saved(deep), "no tensors"),
    "sparse": ("m.pt", changed(weight_hh_l0=lambda: torch.zeros(4 * UNITS, UNITS).to_sparse()), "weight_hh_l0 is sparse", "float32"),
    "meta": ("m.pt", changed(weight_hh_l0=lambda: torch.zeros(4 * UNITS, UNITS, device="meta")), "weight_hh_l0 is meta", "save"),
    "zero-size": ("m.pt", saved(lambda: {name: torch.zeros(0, *tensor.shape[1:]) for name, tensor in state().items()}), "save"),
    "zero units": ("m.pt", saved(lambda: {"weight_ih_l0": torch.zeros(0, 5), "weight_hh_l0": torch.zeros(0, 0)}), "an LSTM of 0 units"),
    "scalars": ("m.pt", saved(lambda: {name: torch.tensor(1.0) for name in state()}), "shape []"),
    "NaN": ("m.pt", changed(weight_hh_l0=lambda: torch.full((4 * UNITS, UNITS), torch.nan)), "weight_hh_l0 has values that are NaN", "diverged"),
    "beyond float32": ("m.pt", changed(weight_hh_l0=lambda: torch.full((4 * UNITS, UNITS), 1e300, dtype=torch.float64)), "NaN or infinite"),
    "complex": ("m.pt", changed(weight_hh_l0=lambda: torch.zeros(4 * UNITS, UNITS, dtype=torch.complex64)), "weight_hh_l0 is complex64", "float32"),
    "integers": ("m.pt", changed(weight_hh_l0=lambda: torch.zeros(4 * UNITS, UNITS, dtype=torch.int8)), "weight_hh_l0 is int8", "float32"),
    "layer 999999999": ("m.pt", changed(weight_ih_l999999999=lambda: torch.zeros(4 * UNITS, UNITS)), "is missing"),
    "layer 9999999999999": ("m.pt", saved(lambda: {"weight_ih_l9999999999999": torch.zeros(4, 4)}), "no LSTM"),
    "60 GiB by strides": ("m.pt", changed(weight_hh_l0=lambda: torch.zeros(1).expand(1 << 17, 1 << 15)), "an LSTM of 32768 units has"),
    "60 GiB of a storage": ("m.pt", legacy_claim, "cut short or damaged"),
    "a zip bomb as .pt": ("m.pt", zip_bomb("m/data.pkl"), "unpacks to 1 GiB"),
    "a zip bomb as .keras": ("m.keras", zip_bomb("model.weights.h5"), "unpacks to 1 GiB"),
    "a zip of photos": ("m.pt", lambda path: zipfile.ZipFile(path, "w").writestr("a.jpg", b"1"), "nothing known"),
    "ONNX without its data": ("m.onnx", without_data, "model.data, which is missing", "put that file beside it"),
    "ONNX with cut data": ("m.onnx", cut_data, "model.data, which is cut short"),
    "ONNX with data of another folder": ("m.onnx", data_elsewhere, "/etc/passwd, which is not beside it"),
    "2 GB ConstantOfShape": ("m.onnx", weight_of(helper.make_node("ConstantOfShape", ["s"], ["r"]), s=np.array([1, 1 << 15, 1 << 14])),
                             "R is computed by ConstantOfShape of 536,870,912 numbers"),
    "2 TB by Expand": ("m.onnx", weight_of(helper.make_node("Expand", ["a", "s"], ["r"]), a=np.zeros(1, np.float32), s=np.array([1 << 20, 1 << 19])), "by Expand of"),
    "2 TB by Tile": ("m.onnx", weight_of(helper.make_node("Tile", ["a", "s"], ["r"]), a=np.zeros((1, 1), np.float32), s=np.array([1 << 20, 1 << 19])), "by Tile of"),
    "2 TB by Range": ("m.onnx", weight_of(helper.make_node("Range", ["a", "b", "c"], ["r"]), a=np.array(0), b=np.array(1 << 39), c=np.array(1)), "by Range of"),
    "2 TB by Add": ("m.onnx", weight_of(helper.make_node("Add", ["a", "b"], ["r"]), a=np.zeros((1 << 20, 1), np.float32), b=np.zeros(1 << 19, np.float32)), "by Add of"),
    "2 TB by MatMul": ("m.onnx", weight_of(helper.make_node("MatMul", ["a", "b"], ["r"]), a=np.zeros((1 << 20, 1), np.float32), b=np.zeros((1, 1 << 19), np.float32)),
                       "by MatMul of"),
    "a chain that doubles": ("m.onnx", weight_of(*(helper.make_node("Concat", [last, last], [name], axis=0) for last, name in zip(
        ["a", *(f"a{place}" for place in range(39))], [*(f"a{place}" for place in range(39)), "r"])), a=np.zeros(8, np.float32)), "by Concat of"),
    "a circle": ("m.onnx", weight_of(helper.make_node("Relu", ["q"], ["r"]), helper.make_node("Relu", ["r"], ["q"])), "R"),
    "a Loop without end": ("m.onnx", weight_of(helper.make_node("Loop", ["", "go", "a"], ["r"], body=helper.make_graph(
        [helper.make_node("Identity", ["go2"], ["go3"]), helper.make_node("Identity", ["b"], ["c"])], "body",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in ("i", "go2", "b")],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in ("go3", "c")])), go=np.array(True), a=np.zeros(4, np.float32)),
                           "R is computed by Loop"),
    "weights that are not there": ("m.onnx", claims, "the constant big"),
    "functions in a circle": ("m.onnx", functions({"f0": ["f1"], "f1": ["f0"]}), "calls itself"),
    "functions without end": ("m.onnx", functions({**{f"f{place}": [f"f{place + 1}"] * 10 for place in range(20)}, "f20": []}), "more than 200,000 operators"),
    "2 TB of Keras weights": ("m.h5", keras_bomb, "hidden size 1048576"),
    "Keras weights elsewhere": ("m.h5", keras_elsewhere, "in another file"),
    "Keras without weights": ("m.keras", lambda path: keras.save_keras(path, [], keras.sequential([keras.Layer("a", 5, 6)])), "a: no weights of it are in the file"),
    "HDF5 without end": ("m.h5", keras_busy, "damaged"),
    "damaged HDF5": ("m.h5", lambda path: path.write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(90)), "damaged"),
    "a name of two lines": ("m.pt", saved(lambda: {f"a\nb\x1b.{name}": tensor for name, tensor in nn.GRU(3, 3).state_dict().items()}), "a?b?"),
}


@pytest.mark.parametrize("what", BAD)
def test_a_bad_file(what, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    name, make, *words = BAD[what]
    make(tmp_path / name)
    refused(load_lstm, tmp_path / name, *words)
    assert not Path("made by a pickle").exists()


def claims_60_gib(path):
    np.save(path, np.zeros((4, INPUTS), np.float32))
    path.write_bytes(path.read_bytes().replace(b"(4, 5), ", b"(3221225472, 5), ".ljust(8))[:200])


def npz_claim(path):
    content = io.BytesIO()
    np.save(content, np.zeros((4, INPUTS), np.float32))
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.npy", content.getvalue().replace(b"(4, 5), ", b"(3221225472, 5), "))


BAD_INPUTS = {
    "60 GiB in a header": ("x.npy", claims_60_gib, "numpy.save"),
    "text": ("x.npy", lambda path: path.write_text("1, 2, 3"), "numpy.save"),
    "objects": ("x.npy", lambda path: np.save(path, np.array([Runs()])), "numpy.save"),
    "complex": ("x.npy", lambda path: np.save(path, np.zeros((3, INPUTS), complex)), "real numbers"),
    "60 GiB in .npz": ("x.npz", npz_claim, "numpy.savez"),
    "text as .npz": ("x.npz", lambda path: path.write_text("1, 2, 3"), "numpy.savez"),
    "1e300": ("x.npy", lambda path: np.save(path, np.full((3, 4, INPUTS), 1e300)), "beyond float32"),
}


@pytest.mark.parametrize("what", BAD_INPUTS)
def test_bad_inputs(what, tmp_path):
    name, make, *words = BAD_INPUTS[what]
    make(tmp_path / name)
    refused(lambda path: read_sequences(path, INPUTS), tmp_path / name, *words)


def test_inputs_that_no_format_holds():
    with pytest.raises(ImportFailure, match=r"inputs reach 1e\+20, weights 0.4.*: give the inputs as the LSTM saw them in training"):
        ImportedLSTM([lstm()]).quantize([torch.full((3, INPUTS), 1e20)])


GOOD = {
    "state.pt": saved(state),
    "old.pt": lambda path: torch.save(Model(), path, _use_new_zipfile_serialization=False),
    "script.pt": lambda path: torch.jit.script(Model()).save(path),
    "program.pt2": lambda path: torch.export.save(torch.export.export(Model(), (X,)), path),
    "model.onnx": stack(lambda made: made.lstm("two")),
    "model.keras": lambda path: keras.save_keras(path, [keras.Bidirectional("a", 5, 6)]),
    "model.h5": lambda path: keras.save_h5(path, [keras.Layer("a", 5, 6), keras.Layer("b", 6, 6)]),
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", GOOD)
def test_damage(name, tmp_path):
    """Files cut short, with bytes flipped, set or left out: mostly in their first and last kilobytes, where the structure is."""
    path, other = tmp_path / name, tmp_path / f"damaged {name}"
    GOOD[name](path)
    content, rng, messages = path.read_bytes(), random.Random(1), []
    load_lstm(path)
    begin = time.process_time()
    damages = DAMAGES_OF_KERAS if name in ("model.keras", "model.h5") else DAMAGES
    for _ in range(damages):
        damaged = bytearray(content)
        for _ in range(rng.choice((1, 1, 4, 30))):
            place = rng.choice((rng.randrange(len(content)), rng.randrange(min(1000, len(content))), len(content) - 1 - rng.randrange(min(1500, len(content)))))
            kind, place = rng.randrange(5), min(place, len(damaged) - 1)
            if kind < 2:
                damaged[place] ^= 1 << rng.randrange(8)
            elif kind == 2:
                damaged[place] = rng.choice((0, 255, 127, rng.randrange(256)))
            elif kind == 3 and len(damaged) > 1:
                del damaged[place:place + rng.randrange(1, 9)]
            elif rng.random() < 0.2:
                del damaged[max(1, place):]
            damaged = damaged or bytearray(b"\0")
        other.write_bytes(damaged)
        try:
            load_lstm(other)
        except ImportFailure as failure:
            messages.append(str(failure))
    assert all(message.startswith(f"{other.name}: ") and message.isprintable() for message in messages)
    assert len(messages) > damages // 10
    assert time.process_time() - begin < damages * 0.3
