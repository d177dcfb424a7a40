# SPDX-License-Identifier: MIT
"""Values of an ONNX graph that do not depend on its inputs, operator by operator, within bounds of time and memory that hold before each is run.

Operators are those that move, scale and size weights; others, and what would be too large, leave a value unknown.
"""

import math
from collections.abc import Iterable, Mapping

import numpy as np
import onnx
from onnx import helper
from onnx.reference import ReferenceEvaluator

from .imported import ImportFailure
from .onnx_graph import MOST_NUMBERS, Graph

MOST_OPERATORS, MOST_IN_ALL = 5000, 1 << 28  # operators of a value, numbers of all of them together
AS_LARGE = set(
    "Abs ArgMax ArgMin Cast CastLike Ceil Clip Concat Constant CumSum DequantizeLinear Exp Flatten Floor Identity Log Neg Not QuantizeLinear Reciprocal ReduceL1 "
    "ReduceL2 ReduceMax ReduceMean ReduceMin ReduceProd ReduceSum ReduceSumSquare Relu Reshape Round Shape Sigmoid Sign Size Slice Split Sqrt Squeeze "
    "Tanh Transpose Unsqueeze".split()
)
BROADCAST = set("Add And Div Equal Greater GreaterOrEqual Less LessOrEqual Max Mean Min Mod Mul Or Pow Sub Sum Where Xor".split())
DEFAULT = ("", "ai.onnx")
QUANTIZED = {"QuantizeLinear", "DequantizeLinear"}


class Unknown(Exception):
    """A value that is not computed; the message says why."""


class Values:
    """Values of a graph. opsets: of the model."""

    def __init__(self, graph: Graph, opsets: Iterable[onnx.OperatorSetIdProto]):
        self.graph = graph
        self.opsets = [opset for opset in opsets if opset.domain in DEFAULT] or [helper.make_opsetid("", 21)]

    def value(self, target: str, feeds: Mapping[str, np.ndarray] | None = None, float_activations: bool = False) -> np.ndarray:
        """A value, of its own shape and type, from constants and feeds by name. float_activations: floats are not quantized.

        Raises Unknown, and ImportFailure for a damaged file.
        """
        feeds = feeds or {}
        operators, leaves = self.graph.way_to(target, feeds.__contains__)
        if leaves - feeds.keys():
            raise Unknown("depends on the inputs of the graph")
        if len(operators) > MOST_OPERATORS:
            raise Unknown(f"takes more than {MOST_OPERATORS:,} operators")
        known, count = dict(feeds), 0

        def look(name):
            if name not in known and name in self.graph.tensors:
                known[name] = self._array(self.graph.tensors[name])
            return _known(known, name) if name else None

        for operator in operators:
            results = self._run(operator.node, [look(name) for name in operator.inputs], lambda name, operator=operator: look(operator.names.get(name, name)),
                                float_activations)
            known |= zip(operator.outputs, results)
            count += sum(getattr(result, "size", 0) for result in results)
            if count > MOST_IN_ALL:
                raise Unknown("takes too much memory")
        return np.asarray(look(target))

    def _array(self, tensor):
        try:
            return self.graph.array(tensor)
        except ImportFailure:
            raise
        except Exception as error:  # of many kinds, by what is wrong
            raise ImportFailure(f"the constant {tensor.name} in it is damaged or too large: export the model again") from error

    def _run(self, node, given, look, float_activations):
        """The outputs of a node from its inputs; look(name): values around it, which bodies use."""
        if node.op_type == "If" and len(given) == 1:
            branch = "then_branch" if np.asarray(given[0]).all() else "else_branch"
            body = next((attribute.g for attribute in node.attribute if attribute.name == branch), onnx.GraphProto())
            return self._body(body, look, float_activations)
        if float_activations and node.op_type in QUANTIZED and given[0].dtype.kind == "f":
            return [given[0]]
        try:
            size = _size(node, given)
        except Exception as error:  # of many kinds, by what is wrong
            raise Unknown(f"is computed by {node.op_type} of impossible sizes") from error
        if size is None:
            raise Unknown(f"is computed by {node.op_type}")
        if size > MOST_NUMBERS:
            raise Unknown(f"is computed by {node.op_type} of {size:,} numbers, {MOST_NUMBERS:,} at most are taken")
        inputs = [name and f"i{place}" for place, name in enumerate(node.input)]
        outputs = [name and f"o{place}" for place, name in enumerate(node.output)]
        part = helper.make_node(node.op_type, inputs, outputs)
        part.attribute.extend(node.attribute)
        wanted = [name for name in outputs if name]
        infos = ([helper.make_tensor_value_info(name, onnx.TensorProto.UNDEFINED, None) for name in names] for names in ([name for name in inputs if name], wanted))
        try:
            model = helper.make_model(helper.make_graph([part], "part", *infos), opset_imports=self.opsets)
            with np.errstate(all="ignore"):
                results = iter(ReferenceEvaluator(model).run(wanted, {name: value for name, value in zip(inputs, given) if name}))
        except Exception as error:  # of any kind, by the operator
            raise Unknown(f"is computed by {node.op_type} of values that it does not take") from error
        return [next(results) if name else None for name in outputs]

    def _body(self, graph, look, float_activations):
        known = {}
        tensors = {tensor.name: tensor for tensor in graph.initializer}

        def inner(name):
            if name in tensors and name not in known:
                known[name] = self._array(tensors[name])
            return known[name] if name in known else look(name)

        for node in graph.node:
            known |= zip(node.output, self._run(node, [inner(name) if name else None for name in node.input], inner, float_activations))
        return [inner(value.name) for value in graph.output]


def _known(known, name):
    if name not in known:
        raise Unknown("is used before it is computed")
    return known[name]


def _size(node, given) -> int | None:
    """Most numbers of any output, before it is computed; None for operators that are not taken."""
    kind = node.op_type
    attributes = {attribute.name: attribute for attribute in node.attribute}
    if node.domain not in DEFAULT and kind not in QUANTIZED:
        return None
    present = [np.asarray(value) for value in given if value is not None]
    if kind in ("Cast", "CastLike") and ("to" in attributes and attributes["to"].i == onnx.TensorProto.STRING):
        return None
    if kind == "Split" and "num_outputs" in attributes and attributes["num_outputs"].i != len(node.output):
        return None
    if kind == "Constant":
        return max([math.prod(attribute.t.dims) for attribute in node.attribute], default=0)
    if kind in AS_LARGE:
        return sum(value.size for value in present)
    if kind in BROADCAST:
        return math.prod(np.broadcast_shapes(*(value.shape for value in present)))
    numbers = [int(number) for number in present[-1].flat] if present[-1].size <= 64 else []
    if kind == "ConstantOfShape":
        return math.prod(numbers)
    if kind == "Expand":
        return math.prod(np.broadcast_shapes(present[0].shape, tuple(numbers)))
    if kind == "Tile":
        return present[0].size * math.prod(numbers)
    if kind == "Range":
        return math.ceil((float(present[1]) - float(present[0])) / float(present[2]))
    if kind == "Gather":
        axis = attributes["axis"].i if "axis" in attributes else 0
        return present[1].size * present[0].size // max(1, present[0].shape[axis])
    if kind == "MatMul":
        numbers = present[0].size * present[1].size // max(1, present[0].shape[-1])
        return max(numbers, numbers * present[0].shape[-1] >> 8)  # products take time, too
    return None
