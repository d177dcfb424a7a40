# SPDX-License-Identifier: MIT
"""Energy of a netlist from the toggles of its nets: Liberty's internal power, and C V²/2 of the pins that a net drives and of its wire.

A wire has what a wire-load model of the Liberty file says of a net with so many readers, where it has that model.
"""

import re
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

SLEW = 0.18        # ns, of every transition at an input: the internal power of these cells hardly depends on it
WIRES = "10k"      # the wire-load model: that of the size of the modules
RISE, FALL = 0, 1
_TOKEN = re.compile(r'"([^"]*)"|([^\s"(){};:,]+)|([(){};:,])')


@dataclass
class Group:
    """A group of a Liberty file: `kind (arguments) { attributes, groups }`. Values are texts; those of a complex attribute are lists."""

    kind: str
    arguments: list
    attributes: dict = field(default_factory=dict)
    groups: list = field(default_factory=list)

    def all(self, kind: str) -> list:
        """The groups of a kind directly within this one."""
        return [group for group in self.groups if group.kind == kind]


def parse_liberty(text: str) -> Group:
    """The outermost group of a Liberty file. Raises ValueError where the text ends early."""
    text = re.sub(r"/\*.*?\*/", " ", text, flags=re.DOTALL).replace("\\\n", " ")
    tokens = [match[1] if match[1] is not None else match[2] or match[3] for match in _TOKEN.finditer(text)]
    stack, position = [Group("", [])], 0
    try:
        while position < len(tokens):
            name = tokens[position]
            if name == "}":
                stack.pop()
                position += 1
            elif name in ";,":
                position += 1
            elif tokens[position + 1] == ":":
                stack[-1].attributes[name] = tokens[position + 2]
                position += 3
            else:
                end = tokens.index(")", position)
                arguments = [token for token in tokens[position + 2:end] if token != ","]
                position = end + 1
                if tokens[position:position + 1] == ["{"]:
                    stack[-1].groups.append(Group(name, arguments))
                    stack.append(stack[-1].groups[-1])
                    position += 1
                else:
                    stack[-1].attributes[name] = [*stack[-1].attributes.get(name, []), arguments] if name == "fanout_length" else arguments
    except (IndexError, ValueError):
        raise ValueError("a Liberty file that ends early") from None
    if len(stack) != 1:
        raise ValueError("a Liberty file that ends early")
    return stack[0].groups[0]


def _numbers(texts: list) -> np.ndarray:
    return np.array([[float(number) for number in text.replace(",", " ").split()] for text in texts])


class Library:
    """What power and delays of a netlist need of a Liberty file in units of 1 pF, 1 V and 1 ns."""

    def __init__(self, text: str):
        library = parse_liberty(text)
        self.volts = float(library.attributes["nom_voltage"])
        self.cells = {cell.arguments[0]: cell for cell in library.all("cell")}
        nanowatts = {"1nW": 1.0, "1pW": 1e-3}[library.attributes["leakage_power_unit"]]
        self.leakage = {name: nanowatts * float(cell.attributes["cell_leakage_power"]) for name, cell in self.cells.items()}
        self.area = {name: float(cell.attributes["area"]) for name, cell in self.cells.items()}
        self.capacitance = {(name, pin.arguments[0]): float(pin.attributes.get("capacitance", 0)) for name, cell in self.cells.items() for pin in cell.all("pin")}
        self._templates = {group.arguments[0]: group.attributes.get("variable_1", "") for group in library.groups if group.kind.endswith("lut_template")
                           or group.kind == "lu_table_template"}
        self._wire = next((self._wire_model(group) for group in library.all("wire_load") if group.arguments == [WIRES]), None)
        self._known = {}

    @staticmethod
    def _wire_model(group: Group) -> tuple[list[float], list[float]]:
        pairs = group.attributes["fanout_length"]
        return [float(pair[0]) for pair in pairs], [float(pair[1]) * float(group.attributes["capacitance"]) for pair in pairs]

    def wire(self, readers: int) -> float:
        """Capacitance in pF of the wire of a net with so many readers."""
        return float(np.interp(readers, [0, *self._wire[0]], [0, *self._wire[1]])) if self._wire and readers else 0.0

    def _value(self, table: Group, load: float) -> float:
        """Of a table over the slew of an input (SLEW) and a load in pF, or of one of them, or of none; beyond its ends, that of the end."""
        values = _numbers(table.attributes["values"])
        if values.size == 1:
            return float(values.flat[0])
        load_first = "capacitance" in self._templates.get(table.arguments[0], "")
        first = _numbers(table.attributes["index_1"])[0]
        if len(values) == 1:
            return float(np.interp(load if load_first else SLEW, first, values[0]))
        second = _numbers(table.attributes["index_2"])[0]
        by_first = [np.interp(SLEW if load_first else load, second, row) for row in values]
        return float(np.interp(load if load_first else SLEW, first, by_first))

    def _pair(self, cell: str, pin: str, load: float, group: str, tables: tuple[str, str]) -> tuple[float, float]:
        """(rise, fall): the mean over the groups of a pin, or its group without a condition where there is one."""
        key = (cell, pin, round(load, 3), group)
        if key not in self._known:
            owner = next(each for each in self.cells[cell].all("pin") if each.arguments[0] == pin)
            never = {pin.strip("!'()") for state in self.cells[cell].groups for pin in (state.attributes.get("clear", ""), state.attributes.get("preset", ""))}
            groups = [each for each in owner.all(group) if all(each.all(kind) for kind in tables) and each.attributes.get("related_pin") not in never]
            whole = [each for each in groups if "when" not in each.attributes and "related_pin" not in each.attributes]
            found = [[self._value(each.all(kind)[0], load) for kind in tables] for each in whole or groups]
            self._known[key] = tuple(float(mean) for mean in np.mean(found, axis=0)) if found else (0.0, 0.0)
        return self._known[key]

    def internal(self, cell: str, pin: str, load: float = 0.0) -> tuple[float, float]:
        """Internal energy in pJ of a rise and of a fall of a pin: of an output the mean over its inputs."""
        return self._pair(cell, pin, load, "internal_power", ("rise_power", "fall_power"))

    def delay(self, cell: str, pin: str, load: float) -> tuple[float, float]:
        """Delay in ns of a rise and of a fall of an output: the mean over its inputs."""
        return self._pair(cell, pin, load, "timing", ("cell_rise", "cell_fall"))

    def loads(self, cells: dict[str, dict]) -> dict[int, float]:
        """What each net of a netlist drives, in pF: pins of the library's cells, and its wire."""
        pins, readers = defaultdict(float), defaultdict(int)
        for cell in cells.values():
            for pin, bits in cell["connections"].items():
                if cell["port_directions"][pin] == "input":
                    for bit in bits:
                        pins[bit] += self.capacitance.get((cell["type"], pin), 0.0)
                        readers[bit] += 1
        return {bit: pins[bit] + self.wire(readers[bit]) for bit in pins if isinstance(bit, int)}


@dataclass(frozen=True)
class Energies:
    """Energy in pJ of each rise and fall of each net, by the owner that pays for it: arrays over (net, owner)."""

    nets: np.ndarray    # index of the net
    owners: np.ndarray  # index of the owner
    pj: np.ndarray      # [pairs, 2]: rise, fall
    names: tuple        # of the owners

    def by_owner(self, toggles: np.ndarray) -> dict[str, float]:
        """Energy in pJ by owner of toggles [nets, 2]: rises and falls."""
        spent = np.bincount(self.owners, (self.pj * toggles[self.nets]).sum(1), len(self.names))
        return dict(zip(self.names, spent.tolist()))


class NetPower:
    """Nets of a flat netlist in Yosys' JSON, and what their toggles cost."""

    def __init__(self, module: dict, library: Library):
        self.module, self.library = module, library
        self.bits = sorted({bit for cell in module["cells"].values() for bits in cell["connections"].values() for bit in bits if isinstance(bit, int)})
        self.index = {bit: index for index, bit in enumerate(self.bits)}

    @cached_property
    def names(self) -> dict[int, list[str]]:
        """Names of each net, by bit: `signal[3]`, and `signal` where it has one bit."""
        found = defaultdict(list)
        for name, net in self.module["netnames"].items():
            for index, bit in enumerate(net["bits"]):
                found[bit] += [name] * (len(net["bits"]) == 1) + [f"{name}[{index + net.get('offset', 0)}]"]
        return found

    def leakage(self) -> float:
        """Of all cells, in nW."""
        return sum(self.library.leakage.get(cell["type"], 0.0) for cell in self.module["cells"].values())

    def energies(self, owner: Callable[[str], str]) -> Energies:
        """owner: the name, of the name of a cell, that a toggle is charged to: the driver of the net, or its readers where no cell of the library drives it."""
        cells = {name: cell for name, cell in self.module["cells"].items() if cell["type"] in self.library.cells}
        load, pairs, half = self.library.loads(self.module["cells"]), defaultdict(lambda: np.zeros(2)), self.library.volts ** 2 / 2
        driver, readers = {}, defaultdict(list)
        for name, cell in cells.items():
            for pin, (bit,) in cell["connections"].items():
                if isinstance(bit, int):
                    if cell["port_directions"][pin] == "output":
                        driver[bit] = name, cell["type"], pin
                    else:
                        readers[bit].append((name, cell["type"], pin))
        for bit, found in readers.items():
            for name, kind, pin in found:
                pairs[bit, owner(name)] += self.library.internal(kind, pin)
                if bit not in driver:
                    pairs[bit, owner(name)] += load[bit] / len(found) * half
        for bit, (name, kind, pin) in driver.items():
            pairs[bit, owner(name)] += np.add(self.library.internal(kind, pin, load.get(bit, 0.0)), load.get(bit, 0.0) * half)
        names = tuple(sorted({name for _, name in pairs}))
        return Energies(np.array([self.index[bit] for bit, _ in pairs]), np.array([names.index(name) for _, name in pairs]),
                        np.array(list(pairs.values())), names)
