# SPDX-License-Identifier: MIT
"""LSTM nodes of an ONNX file, and the stacks that they make.

A node feeds another if the values between them are only moved: outputs of two directions put side by side, axes of length one dropped. Whether
they are is found by computing them, whatever operators an exporter uses. Weights and states are what their part of the graph gives without
the graph's inputs.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import torch
from google.protobuf.message import DecodeError
from onnx import helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from .imported import ImportedLSTM, ImportFailure, lstm_of

INPUTS = ("X", "W", "R", "B", "sequence_lens", "initial_h", "initial_c", "P")
ACTIVATIONS = ["sigmoid", "tanh", "tanh"]
DIRECTIONS = {"forward": 1, "reverse": 1, "bidirectional": 2}
LISTED = 8  # names in a message


class _Unknown(Exception):
    """A value that depends on the graph's inputs."""


@dataclass
class _Node:
    """An LSTM node. weights: by direction (w_ih, w_hh, b_ih, b_hh) in PyTorch's order; h0, c0: [directions, units]."""

    direction: str
    weights: list
    h0: torch.Tensor
    c0: torch.Tensor
    notes: list

    @property
    def reverse(self):
        return self.direction == "reverse"

    @property
    def kind(self):
        """Nodes of one kind above each other are layers of one nn.LSTM."""
        return self.direction, self.weights[0][1].shape[1]


def load(path: Path, node: str = "") -> ImportedLSTM:
    try:
        model = onnx.load(path)
    except (DecodeError, ValueError, OSError) as error:
        raise ImportFailure(f"{path.name}: it is not an ONNX file that can be read; export the model again") from error
    if model.functions:
        model = onnx.inliner.inline_local_functions(model)
    graph = _Graph(model)
    if not graph.lstms:
        inside = sum(graph.count(attribute.g) for part in model.graph.node for attribute in part.attribute if attribute.HasField("g"))
        hint = "they are inside If, Loop or Scan; export the model without control flow" if inside else "export a model with a torch.nn.LSTM or its like"
        raise ImportFailure(f"{path.name}: no LSTM node in the graph: {hint}")
    stacks, between = graph.stacks()
    if node:
        stacks = [stack for stack in stacks if node in stack]
        if not stacks:
            raise ImportFailure(f"{path.name}: NODE={node}: no such LSTM; choose one of {_listed(graph.lstms)}")
    if len(stacks) > 1:
        names = _listed(" + ".join(stack) for stack in stacks)
        why = f" ({between[0]})" if between else ""
        raise ImportFailure(f"{path.name}: {len(stacks)} LSTMs that are not connected{why}: {names}; choose one with NODE=name")
    return _imported([graph.read(name) for name in stacks[0]])


def _listed(names) -> str:
    names = list(names)
    return ", ".join(names[:LISTED]) + (f" and {len(names) - LISTED} more" if len(names) > LISTED else "")


def _imported(nodes) -> ImportedLSTM:
    groups = []
    for node in nodes:
        if groups and groups[-1][-1].kind == node.kind:
            groups[-1].append(node)
        else:
            groups.append([node])
    lstms = [lstm_of([node.weights for node in group], group[0].direction == "bidirectional") for group in groups]
    states = any(node.h0.any() or node.c0.any() for node in nodes)
    return ImportedLSTM(
        lstms, nodes[0].reverse, [node.h0 for node in nodes] if states else None, [node.c0 for node in nodes] if states else None,
        list(dict.fromkeys(note for node in nodes for note in node.notes)),
    )


class _Graph:
    """A graph by the names of its values. lstms: nodes by name."""

    def __init__(self, model):
        self.model, graph = model, model.graph
        self.constants = {value.name: value for value in graph.initializer}
        self.producers = {name: node for node in graph.node for name in node.output if name}
        self.lstms = {}
        for node in graph.node:
            if self.is_lstm(node):
                name = node.name or next(filter(None, node.output))
                self.lstms[name if name not in self.lstms else f"{name} {len(self.lstms)}"] = node
        # What ends a search: a value that only LSTMs know, and sizes.
        self.hidden = {output: name for name, node in self.lstms.items() for output in node.output if output}
        self.shapes = {node.output[0] for node in graph.node if node.op_type == "Shape"}

    @staticmethod
    def is_lstm(node):
        return node.op_type == "LSTM" and node.domain in ("", "ai.onnx")

    def count(self, graph):
        """LSTM nodes in a graph inside of another."""
        return sum(self.is_lstm(node) + sum(self.count(attribute.g) for attribute in node.attribute if attribute.HasField("g"))
                   for node in graph.node)

    def way_to(self, target, given):
        """(nodes, leaves) on the way to a value from those given, from inputs and from constants, nodes in their order."""
        needed, leaves, queue, seen = set(), set(), [target], set()
        while queue:
            name = queue.pop()
            if not name or name in seen:
                continue
            seen.add(name)
            if name in given or name not in self.producers:
                leaves.add(name)
            else:
                needed.add(id(self.producers[name]))
                queue += self.producers[name].input
        return [node for node in self.model.graph.node if id(node) in needed], leaves - self.constants.keys()

    def value(self, target, feeds=None):
        """A value, from constants and from feeds by name. Raises _Unknown where it depends on more."""
        feeds = feeds or {}
        nodes, leaves = self.way_to(target, feeds)
        if leaves - feeds.keys():
            raise _Unknown
        if target in self.constants:
            return numpy_helper.to_array(self.constants[target])
        constants = [self.constants[name] for name in {name for node in nodes for name in node.input} & self.constants.keys()]
        inputs, outputs = ([helper.make_tensor_value_info(name, onnx.TensorProto.UNDEFINED, None) for name in names] for names in (feeds, [target]))
        graph = helper.make_graph(nodes, "part", inputs, outputs, constants)
        try:
            return ReferenceEvaluator(helper.make_model(graph, opset_imports=self.model.opset_import)).run(None, feeds)[0]
        except Exception as error:  # of any kind, by the operator
            raise _Unknown from error

    def sized_value(self, target, size):
        """A value that depends on the graph's inputs by their sizes alone, with this size everywhere; raises _Unknown."""
        leaves = self.way_to(target, self.shapes)[1]
        return self.value(target, {name: np.full(3, size, np.int64) for name in leaves & self.shapes})

    def stacks(self):
        """([names of the LSTMs of a stack, lowest first], [why others are not connected])."""
        below, between = {}, []
        for name, node in self.lstms.items():
            source, why = self._source(node)
            below[name] = source
            between += [f"between {why[0]} and {name}: {why[1]}"] if why else []
        above = {}
        for name, source in below.items():
            above.setdefault(source, []).append(name)
        stacks = []
        for name, source in below.items():
            if source is None or len(above[source]) > 1:
                stacks.append([name])
                while len(after := above.get(stacks[-1][-1], [])) == 1:
                    stacks[-1] += after
        return stacks, between

    def _source(self, node):
        """(the LSTM whose outputs a node takes as they are, or None; (the LSTM, why not) where it is another's in another way)."""
        nodes, leaves = self.way_to(node.input[0], self.hidden)
        sources = [name for name in leaves if name in self.hidden]
        if not sources:
            return None, None
        name = self.hidden[sources[0]]
        source = self.lstms[name]
        operators = ", ".join(dict.fromkeys(part.op_type for part in nodes if part.op_type != "Constant")) or "the last state"
        if len(leaves) > 1 or sources[0] != source.output[0]:
            return None, (name, operators)
        if (_attributes(node).get("direction") == "reverse") != (_attributes(source).get("direction") == "reverse"):
            return None, (name, "a turn of time")
        if not self._side_by_side(node, source):
            return None, (name, operators)
        return name, None

    def _side_by_side(self, node, source):
        """Whether a node takes the outputs of another in the order of time, those of two directions side by side."""
        try:
            directions, units = self.value(source.input[2]).shape[::2]
            # Sizes are one another's as rarely as can be; a graph may have been exported for its own ones.
            for steps, batch in ((5, 3), self._sizes(source)):
                y = np.random.default_rng(0).standard_normal((steps, batch, directions, units)).astype(np.float32)
                given = y if _attributes(source).get("layout") else y.transpose(0, 2, 1, 3)
                try:
                    x = self.value(node.input[0], {source.output[0]: given})
                except _Unknown:
                    continue
                return np.array_equal(x, y.reshape(steps, batch, -1))
        except _Unknown:
            return False
        return False

    def _sizes(self, node):
        """First and second of the sizes of a node's input, 1 where they are open."""
        inferred = onnx.shape_inference.infer_shapes(self.model).graph
        for value in (*inferred.value_info, *inferred.input):
            if value.name == node.input[0]:
                return [size.dim_value or 1 for size in value.type.tensor_type.shape.dim][:2]
        return 1, 1

    def read(self, name) -> _Node:
        """The LSTM node of that name. Raises ImportFailure that names what the accelerator does not have."""
        node = self.lstms[name]
        attributes, inputs = _attributes(node), dict(zip(INPUTS, node.input))

        def refuse(what):
            raise ImportFailure(f"{name}: {what}")

        direction = attributes.get("direction", "forward")
        directions = DIRECTIONS.get(direction) or refuse(f"direction {direction} is not one of {', '.join(DIRECTIONS)}: export the model again")
        activations = attributes.get("activations", ACTIVATIONS * directions)
        if [activation.lower() for activation in activations] != ACTIVATIONS * directions:
            refuse(f"activations {', '.join(activations)} are not supported: train with Sigmoid, Tanh, Tanh")
        if attributes.get("clip"):
            refuse(f"clip={attributes['clip']:g} is not supported: train and export without it")
        if attributes.get("input_forget"):
            refuse("input_forget=1 is not supported: train with an input gate of its own")
        w, r = (self._weight(name, inputs, which) for which in ("W", "R"))
        units = r.shape[-1]
        if w.shape[:2] != (directions, 4 * units) or r.shape[:2] != (directions, 4 * units):
            refuse(f"W {list(w.shape)} and R {list(r.shape)} are no weights of an LSTM with direction={direction}: export the model again")
        b = self._weight(name, inputs, "B") if inputs.get("B") else np.zeros((directions, 8 * units), np.float32)
        if inputs.get("P") and self._weight(name, inputs, "P").any():
            refuse("peephole weights P are not supported: train without peepholes")
        if inputs.get("sequence_lens") and not self._full_length(inputs["sequence_lens"], node, attributes):
            refuse("sequence_lens is not supported: export without it; each sequence of INPUTS= has a length of its own")
        notes = []
        h0, c0 = (self._state(name, inputs, which, attributes.get("layout", 0), (directions, units), notes) for which in INPUTS[5:7])
        weights = [tuple(_gates(part) for part in (w[direction], r[direction], *np.split(b[direction], 2))) for direction in range(directions)]
        return _Node(direction, weights, h0, c0, notes)

    def _weight(self, name, inputs, which):
        try:
            return np.asarray(self.value(inputs[which]), np.float32)
        except _Unknown:
            raise ImportFailure(f"{name}: {which} depends on the inputs of the graph: export the model with constant weights") from None

    def _full_length(self, lengths, node, attributes) -> bool:
        """Whether sequence_lens says no more than how many steps the input has."""
        try:
            if all((self.sized_value(lengths, size) == size).all() for size in (3, 5)):
                return True
            return bool((self.value(lengths) == self._sizes(node)[attributes.get("layout", 0)]).all())
        except _Unknown:
            return False

    def _state(self, name, inputs, which, layout, shape, notes):
        """h or c of the first step, float [directions, units]."""
        if not inputs.get(which):
            return torch.zeros(shape)
        try:
            values = np.asarray(self.sized_value(inputs[which], 1), np.float32)
            values = values.swapaxes(0, 1) if layout else values
        except (_Unknown, ValueError):
            values = None
        if values is None or values.ndim != 3 or values.shape[::2] != shape:
            notes.append("initial states come from the inputs of the graph: taken as zero")
            return torch.zeros(shape)
        if (values != values[:, :1]).any():
            raise ImportFailure(f"{name}: {which} differs from sequence to sequence: export the model for one sequence")
        if which == "initial_h" and np.abs(values).max() > 1:
            raise ImportFailure(f"{name}: initial_h reaches {np.abs(values).max():g}, beyond -1 to 1 of any h; give a state that an LSTM can have")
        return torch.from_numpy(values[:, 0].copy())


def _attributes(node) -> dict:
    """Attributes by name, text as str."""
    def plain(value):
        return value.decode() if isinstance(value, bytes) else [plain(part) for part in value] if isinstance(value, list) else value

    return {attribute.name: plain(helper.get_attribute_value(attribute)) for attribute in node.attribute}


def _gates(stack: np.ndarray) -> torch.Tensor:
    """From ONNX's order of gates, i, o, f, c, to PyTorch's i, f, g, o, where g is ONNX's c."""
    i, o, f, c = np.split(stack, 4)
    return torch.from_numpy(np.concatenate((i, f, c, o)).astype(np.float32))
