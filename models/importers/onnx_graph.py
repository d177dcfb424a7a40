# SPDX-License-Identifier: MIT
"""An ONNX graph as one list of operators: what is in bodies that hold LSTMs stands in it beside what is outside of them.

Each branch of an If, and each body of a Loop or Scan, has names of its own, which get its place before them. What such an operator gives is unknown,
as is what a Loop gives to its body. Bodies without LSTMs stay what they are: parts of an operator.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from onnx import numpy_helper

from .imported import ImportFailure

MOST_NODES = 200_000
MOST_NUMBERS = 1 << 25  # of a value: W of 1024 units and inputs in two directions has 2**23
LSTMS = {("", "LSTM"), ("ai.onnx", "LSTM"), ("com.microsoft", "DynamicQuantizeLSTM")}


@dataclass(eq=False)
class Operator:
    """A node with the names of its values in the list. place: in the list. free: values from outside that its bodies use; names: all names of outside.

    within: the kinds of operators in whose bodies it is.
    """

    node: onnx.NodeProto
    place: int
    inputs: list[str]
    outputs: list[str]
    free: list[str]
    names: dict[str, str]
    within: tuple[str, ...]

    @property
    def kind(self) -> str:
        """Name of the operator, as LSTM."""
        return self.node.op_type


def bodies(node: onnx.NodeProto) -> Iterator[onnx.GraphProto]:
    """The graphs that a node holds in its attributes: branches of an If, the body of a Loop or Scan."""
    for attribute in node.attribute:
        if attribute.HasField("g"):
            yield attribute.g
        yield from attribute.graphs


def kinds(graph: onnx.GraphProto) -> Counter:
    """How many nodes there are of each (domain, operator), in bodies as well."""
    found = Counter((node.domain, node.op_type) for node in graph.node)
    for node in graph.node:
        for body in bodies(node):
            found += kinds(body)
    return found


class Graph:
    """operators in their order, with tensors of constants and shapes of values that the file declares, by name; 0: a size that it leaves open.

    folder: where external data are. Raises ImportFailure for more than MOST_NODES operators.
    """

    def __init__(self, graph: onnx.GraphProto, folder: Path):
        self.folder = folder
        self.operators: list[Operator] = []
        self.tensors: dict[str, onnx.TensorProto] = {}
        self.shapes: dict[str, list[int]] = {}
        self._add(graph, "", {}, ())
        self.producers = {name: operator for operator in self.operators for name in operator.outputs if name}

    def _add(self, graph, prefix, outside, within):
        own = {name: f"{prefix}{name}" for name in _defined(graph)}
        names = outside | own
        self.tensors |= {names[tensor.name]: tensor for tensor in graph.initializer}
        for value in (*graph.input, *graph.value_info, *graph.output):
            self.shapes[names.get(value.name, value.name)] = [size.dim_value for size in value.type.tensor_type.shape.dim]
        for number, node in enumerate(graph.node):
            if any(LSTMS & kinds(body).keys() for body in bodies(node)):
                for attribute in node.attribute:
                    for body in bodies(onnx.NodeProto(attribute=[attribute])):
                        self._add(body, f"{prefix}{node.name or f'{node.op_type} {number}'}/{attribute.name}/", names, (*within, node.op_type))
                continue
            free = {name for body in bodies(node) for name in _free(body)}
            inputs, outputs = ([name and names.get(name, name) for name in part] for part in (node.input, node.output))
            self.operators.append(Operator(node, len(self.operators), inputs, outputs, [names.get(name, name) for name in sorted(free)], names, within))
            if len(self.operators) > MOST_NODES:
                raise ImportFailure(f"more than {MOST_NODES:,} operators: cut the graph down to its LSTM")

    def way_to(self, target: str, given: Callable[[str], bool]) -> tuple[list[Operator], set[str]]:
        """(operators, leaves) on the way to a value from those given, from inputs and unknowns; constants are no leaves. Operators in their order."""
        needed, leaves, queue, seen = {}, set(), [target], set()
        while queue:
            name = queue.pop()
            if not name or name in seen:
                continue
            seen.add(name)
            if given(name) or name not in self.producers:
                if name not in self.tensors:
                    leaves.add(name)
            else:
                operator = self.producers[name]
                needed[operator.place] = operator
                queue += operator.inputs + operator.free
        return [needed[place] for place in sorted(needed)], leaves

    def array(self, tensor: onnx.TensorProto) -> np.ndarray:
        """The numbers of a tensor, of its own shape and type, MOST_NUMBERS at most.

        Raises ImportFailure for external data that are not there, ValueError and others for damage.
        """
        size = 1
        for part in tensor.dims:
            size *= part
        if not 0 <= size <= MOST_NUMBERS:
            raise ValueError(f"{tensor.name} has {size:,} numbers")
        if tensor.data_location == onnx.TensorProto.EXTERNAL:
            tensor = onnx.TensorProto(data_type=tensor.data_type, dims=tensor.dims, raw_data=self._external(tensor))
        return numpy_helper.to_array(tensor)

    def _external(self, tensor):
        entries = {entry.key: entry.value for entry in tensor.external_data}
        location = entries.get("location", "")
        path = self.folder / location
        if not location or Path(location).is_absolute() or ".." in Path(location).parts or not path.resolve().is_relative_to(self.folder.resolve()):
            raise ImportFailure(f"its weights are in {location or 'an unnamed file'}, which is not beside it: save the model as one file")
        if not path.is_file():
            raise ImportFailure(f"its weights are in {location}, which is missing: put that file beside it, or save the model as one file")
        offset, whole = int(entries.get("offset", 0)), path.stat().st_size
        length = int(entries.get("length", whole - offset))
        if not 0 <= offset <= offset + length <= whole:
            raise ImportFailure(f"its weights are in {location}, which is cut short or another model's: copy it again")
        with path.open("rb") as file:
            file.seek(offset)
            return file.read(length)


def _defined(graph) -> Iterator[str]:
    for part in (graph.input, graph.initializer):
        yield from (value.name for value in part)
    for node in graph.node:
        yield from filter(None, node.output)


def _free(graph) -> set[str]:
    """Names of outside that a body uses."""
    used = {name for node in graph.node for name in node.input if name} | {value.name for value in graph.output}
    return (used | {name for node in graph.node for body in bodies(node) for name in _free(body)}) - set(_defined(graph))
