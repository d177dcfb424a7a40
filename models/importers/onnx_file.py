# SPDX-License-Identifier: MIT
"""LSTM nodes of an ONNX file, and the stacks that they make.

A node feeds another if the values between them are only moved: outputs of two directions put side by side, axes of length one dropped. Whether
they are is found by computing them, whatever operators an exporter uses. Weights and states are what their part of the graph gives without
the graph's inputs.
"""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import onnx
import onnx.inliner
import torch
from onnx import helper

from .imported import ImportedLSTM, ImportFailure, check_sizes, listed, lstm_of
from .onnx_graph import LSTMS, MOST_NODES, Graph, Operator, bodies, kinds
from .onnx_values import QUANTIZED, Unknown, Values
from .stacks import choose

INPUTS = ("X", "W", "R", "B", "sequence_lens", "initial_h", "initial_c", "P", "W_scale", "W_zero_point", "R_scale", "R_zero_point")
ACTIVATIONS = ["sigmoid", "tanh", "tanh"]
DIRECTIONS = {"forward": 1, "reverse": 1, "bidirectional": 2}
MOST_LSTMS = 256
MOST_BETWEEN = 1 << 22  # numbers that are sent from one LSTM to the next to see how they arrive
PRODUCTS = {"MatMul", "Gemm", "MatMulInteger", "Einsum", "FusedMatMul", "DynamicQuantizeMatMul", "MatMulNBits"}
ALIKE = 8  # stacks that are compared


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
    """The LSTM of an ONNX file; node: the name of one of its nodes. Raises ImportFailure."""
    try:
        model = onnx.load(path, load_external_data=False)
    except Exception as error:  # of many kinds, by what is wrong
        raise ImportFailure("it is not an ONNX file that can be read: export or copy it again") from error
    if model.functions:
        _check_functions(model)
        try:
            model = onnx.inliner.inline_local_functions(model)
        except Exception as error:  # of many kinds, by what is wrong
            raise ImportFailure("its local functions cannot be put in place: export it without them") from error
    found = kinds(model.graph)
    if not LSTMS & found.keys():
        raise ImportFailure(_no_lstm(model, found))
    graph = _Lstms(model, path.parent)
    below, between = graph.below()
    chosen = choose(below if node else graph.distinct(below), node, between[0] if between else "")
    return _imported([graph.read(name) for name in chosen])


def _check_functions(model):
    """Raises ImportFailure where functions call each other without end, or are too much when put in place."""
    functions, sizes = {(function.domain, function.name): function for function in model.functions}, {}

    def size(nodes, within):
        total = 0
        for node in nodes:
            key = node.domain, node.op_type
            if key in within:
                raise ImportFailure(f"its local function {node.op_type} calls itself: export it without local functions")
            if key in functions and key not in sizes:
                sizes[key] = size(functions[key].node, within | {key})
            total += sizes.get(key, 1) + sum(size(body.node, within) for body in bodies(node))
            if total > MOST_NODES:
                raise ImportFailure(f"more than {MOST_NODES:,} operators with its local functions in place: cut the graph down to its LSTM")
        return total

    try:
        size(model.graph.node, frozenset())
    except RecursionError:
        raise ImportFailure("its local functions are too deep: export it without them") from None


def _no_lstm(model, found) -> str:
    """Why a graph without an LSTM node has none, in words for the file."""
    operators = {kind for _, kind in found}
    for kind, name in (("GRU", "GRUs"), ("RNN", "plain RNNs")):
        if kind in operators:
            return f"its recurrent layers are {name}: only LSTMs run on the accelerator; train one in its place"
    if {"Sigmoid", "Tanh"} <= operators and PRODUCTS & operators:
        return ("no LSTM node in the graph: cells may be written out as Sigmoid, Tanh and matrix products; copy their weights to a torch.nn.LSTM and "
                "save its state dict, or export with the layer as one node")
    return f"no LSTM node in the graph, whose operators are {listed(sorted(operators)) or 'none'}: give the file of a model with an LSTM"


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


class _Lstms:
    """The LSTMs of a model by name, and what they take."""

    def __init__(self, model, folder):
        self.model, self.graph = model, Graph(model.graph, folder)
        self.values = Values(self.graph, model.opset_import)
        self.lstms: dict[str, Operator] = {}
        for operator in self.graph.operators:
            if (operator.node.domain, operator.kind) in LSTMS:
                name = operator.node.name or next(filter(None, operator.outputs), "")
                self.lstms[name if name not in self.lstms else f"{name} {len(self.lstms)}"] = operator
        if len(self.lstms) > MOST_LSTMS:
            raise ImportFailure(f"{len(self.lstms)} LSTM nodes, {MOST_LSTMS} at most are taken: cut the graph down to those of one layer")
        # What ends a search: a value that only LSTMs know, and sizes.
        self.hidden = {output: name for name, operator in self.lstms.items() for output in operator.outputs if output}
        self.shapes = {operator.outputs[0] for operator in self.graph.operators if operator.kind == "Shape" and operator.outputs}
        self.quantized = set()  # LSTMs whose inputs are quantized on the way from the one below

    @cached_property
    def inferred(self):
        """Shapes of all values that follow from the inputs, by name."""
        try:
            return Graph(onnx.shape_inference.infer_shapes(self.model).graph, self.graph.folder).shapes
        except Exception:  # of many kinds; without them fewer LSTMs are found to be connected
            return self.graph.shapes

    def sized_value(self, target, size):
        """A value that depends on the graph's inputs by their sizes alone, with this size everywhere; raises Unknown."""
        leaves = self.graph.way_to(target, self.shapes.__contains__)[1]
        return self.values.value(target, {name: np.full(3, size, np.int64) for name in leaves & self.shapes})

    def below(self):
        """(by LSTM the one whose outputs it takes as they are, [why others are not connected])."""
        below, between = {}, []
        for name, operator in self.lstms.items():
            source, why = self._source(name, operator)
            below[name] = source
            between += [f"between {why[0]} and {name}: {why[1]}"] if why else []
        return below, between

    def _source(self, name, operator):
        """(the LSTM whose outputs a node takes as they are, or None; (the LSTM, why not) where it is another's in another way)."""
        operators, leaves = self.graph.way_to(_input(operator, "X"), self.hidden.__contains__)
        sources = sorted(leaf for leaf in leaves if leaf in self.hidden)
        if not sources:
            return None, None
        source = self.lstms[self.hidden[sources[0]]]
        words = ", ".join(dict.fromkeys(part.kind for part in operators if part.kind != "Constant")) or "the last state"
        if len(leaves) > 1 or sources[0] != source.outputs[0]:
            return None, (self.hidden[sources[0]], words)
        if (_attributes(operator).get("direction") == "reverse") != (_attributes(source).get("direction") == "reverse"):
            return None, (self.hidden[sources[0]], "a turn of time")
        if not self._side_by_side(operator, source):
            return None, (self.hidden[sources[0]], words)
        if any(part.kind in QUANTIZED for part in operators):
            self.quantized.add(name)
        return self.hidden[sources[0]], None

    def _side_by_side(self, operator, source):
        """Whether a node takes the outputs of another in the order of time, those of two directions side by side."""
        attributes = _attributes(source)
        directions, units = DIRECTIONS.get(attributes.get("direction", "forward")), attributes.get("hidden_size", 0)
        # Sizes are one another's as rarely as can be; a graph may have been exported for its own ones.
        for steps, batch in ((5, 3), self._sizes(source)):
            if not directions or not 0 < units * directions * steps * batch <= MOST_BETWEEN:
                continue
            y = (np.random.default_rng(0).integers(-1024, 1025, (steps, batch, directions, units)) / 1024).astype(np.float32)  # exact in float16
            given = y if attributes.get("layout") else y.transpose(0, 2, 1, 3)
            try:
                x = self.values.value(_input(operator, "X"), {source.outputs[0]: given}, float_activations=True)
            except Unknown:
                continue
            return np.array_equal(x, y.reshape(steps, batch, -1))
        return False

    def _sizes(self, operator):
        """First and second of the sizes of a node's input, 1 where they are open."""
        sizes = [size or 1 for size in self.inferred.get(_input(operator, "X"), [])]
        return (*sizes, 1, 1)[:2]

    def distinct(self, below):
        """below without those of several LSTMs in bodies that have the weights of one before them, as in two branches of an If."""
        if not 1 < len(below) <= ALIKE or any(below.values()) or not all(self.lstms[name].within for name in below):
            return below
        found = {}
        for name in below:
            try:
                weights = [part for direction in self.read(name).weights for part in direction]
            except ImportFailure:  # it matters only if it is chosen
                return below
            if not any(len(weights) == len(other) and all(map(torch.equal, weights, other)) for other in found.values()):
                found[name] = weights
        return dict.fromkeys(found)

    def read(self, name) -> _Node:
        """The LSTM node of that name. Raises ImportFailure that names what the accelerator does not have."""
        operator = self.lstms[name]
        attributes, inputs = _attributes(operator), dict(zip(INPUTS, operator.inputs))

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
        w, r = (self._weight(name, inputs, which, operator.kind == "DynamicQuantizeLSTM") for which in ("W", "R"))
        units = r.shape[-1] if r.ndim == 3 else 0
        if w.ndim != 3 or w.shape[:2] != (directions, 4 * units) or r.shape[:2] != (directions, 4 * units):
            refuse(f"W {list(w.shape)} and R {list(r.shape)} are no weights of an LSTM with direction={direction}: export the model again")
        check_sizes(w.shape[2], units, 1, directions)
        b = self._weight(name, inputs, "B") if inputs.get("B") else np.zeros((directions, 8 * units), np.float32)
        if b.shape != (directions, 8 * units):
            refuse(f"B {list(b.shape)} is no bias of {units} units with direction={direction}: export the model again")
        if inputs.get("P") and self._weight(name, inputs, "P").any():
            refuse("peephole weights P are not supported: train without peepholes")
        notes = ["activations are not quantized between the LSTMs, as QuantizeLinear does it in the file"] if name in self.quantized else []
        notes += [f"{name} is run several times by a {kind} around it: each sequence of INPUTS= is one run" for kind in operator.within if kind in ("Loop", "Scan")]
        if inputs.get("sequence_lens"):
            self._check_lengths(refuse, inputs["sequence_lens"], operator, attributes, notes)
        h0, c0 = (self._state(name, inputs, which, attributes.get("layout", 0), (directions, units), notes) for which in INPUTS[5:7])
        weights = [tuple(_gates(part) for part in (w[direction], r[direction], *np.split(b[direction], 2))) for direction in range(directions)]
        return _Node(direction, weights, h0, c0, notes)

    def _weight(self, name, inputs, which, quantized=False):
        try:
            value = self.values.value(inputs.get(which, ""))
            if not quantized:
                return np.asarray(value, np.float32)
            scale, zero = (np.asarray(self.values.value(inputs.get(f"{which}_{part}", "")), np.float32) for part in ("scale", "zero_point"))
            # [directions, inputs, 4 * units] with a scale for each direction, or for each of its rows.
            scale, zero = (part.reshape(len(value), 1, -1) for part in (scale, zero))
            return ((value.astype(np.float32) - zero) * scale).swapaxes(1, 2)
        except Unknown as why:
            raise ImportFailure(f"{name}: {which} {why}: export the model with constant weights") from why
        except ImportFailure:
            raise
        except (ValueError, TypeError, KeyError) as error:
            raise ImportFailure(f"{name}: {which} is damaged: export the model again") from error

    def _check_lengths(self, refuse, lengths, operator, attributes, notes):
        """sequence_lens may say how many steps the input has, or what only the caller knows."""
        try:
            if all((self.sized_value(lengths, size) == size).all() for size in (3, 5)):
                return
            found = self.values.value(lengths)
        except Unknown:
            notes.append("sequence_lens come from the inputs of the graph: sequences are taken in full")
            return
        if (found != self._sizes(operator)[attributes.get("layout", 0)]).any():
            refuse(f"sequence_lens is fixed to {listed(map(str, found.flat))}, which is not supported: export for sequences of full length")

    def _state(self, name, inputs, which, layout, shape, notes):
        """h or c of the first step, float [directions, units]."""
        if not inputs.get(which):
            return torch.zeros(shape)
        try:
            values = np.asarray(self.sized_value(inputs[which], 1), np.float32)
            values = values.swapaxes(0, 1) if layout else values
        except (Unknown, ValueError):
            values = None
        if values is None or values.ndim != 3 or values.shape[::2] != shape:
            leaves = self.graph.way_to(inputs[which], self.hidden.__contains__)[1]
            sources = sorted({self.hidden[leaf] for leaf in leaves if leaf in self.hidden})
            notes.append(f"initial states come from {listed(sources) or 'the inputs of the graph'}: taken as zero")
            return torch.zeros(shape)
        if (values != values[:, :1]).any():
            raise ImportFailure(f"{name}: {which} differs from sequence to sequence: export the model for one sequence")
        if which == "initial_h" and np.abs(values).max() > 1:
            raise ImportFailure(f"{name}: initial_h reaches {np.abs(values).max():g}, beyond -1 to 1 of any h; give a state that an LSTM can have")
        if not np.isfinite(values).all():
            raise ImportFailure(f"{name}: {which} has values that are NaN or infinite: export the model again")
        return torch.from_numpy(values[:, 0].copy())


def _input(operator, which) -> str:
    """The name of an input of an LSTM, empty where it is left out."""
    return dict(zip(INPUTS, operator.inputs)).get(which, "")


def _attributes(operator) -> dict:
    """Attributes by name, text as str."""
    def plain(value):
        return value.decode(errors="replace") if isinstance(value, bytes) else [plain(part) for part in value] if isinstance(value, list) else value

    return {attribute.name: plain(helper.get_attribute_value(attribute)) for attribute in operator.node.attribute}


def _gates(stack: np.ndarray) -> torch.Tensor:
    """From ONNX's order of gates, i, o, f, c, to PyTorch's i, f, g, o, where g is ONNX's c."""
    i, o, f, c = np.split(stack, 4)
    return torch.from_numpy(np.concatenate((i, f, c, o)).astype(np.float32))
