# SPDX-License-Identifier: MIT
"""Energy of a netlist from the toggles of its nets: Liberty's internal power, and C V²/2 of the pins that a net drives. Wires have none."""

import re
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

VOLTS = 1.8
SLEW = 0.18  # ns, of every transition at an input: the internal power of these cells hardly depends on it
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
                    stack[-1].attributes[name] = arguments
    except (IndexError, ValueError):
        raise ValueError("a Liberty file that ends early") from None
    if len(stack) != 1:
        raise ValueError("a Liberty file that ends early")
    return stack[0].groups[0]


def _numbers(texts: list) -> np.ndarray:
    return np.array([[float(number) for number in text.replace(",", " ").split()] for text in texts])


def _energy(table: Group, load: float) -> float:
    """Energy in pJ of a table of `rise_power` or `fall_power`, at SLEW and a load in pF; beyond its ends, that of the end."""
    values = _numbers(table.attributes["values"])
    slews = _numbers(table.attributes["index_2" if len(values) > 1 else "index_1"])[0]
    by_load = [np.interp(SLEW, slews, row) for row in values]
    return float(by_load[0] if len(by_load) == 1 else np.interp(load, _numbers(table.attributes["index_1"])[0], by_load))


class Library:
    """What the power of a netlist needs of a Liberty file in units of 1 pF, 1 V and 1 nW."""

    def __init__(self, text: str):
        self.cells = {cell.arguments[0]: cell for cell in parse_liberty(text).all("cell")}
        self.leakage = {name: float(cell.attributes["cell_leakage_power"]) for name, cell in self.cells.items()}
        self.capacitance = {(name, pin.arguments[0]): float(pin.attributes["capacitance"]) for name, cell in self.cells.items() for pin in cell.all("pin")}
        self._internal = {}

    def internal(self, cell: str, pin: str, load: float = 0.0) -> tuple[float, float]:
        """Internal energy in pJ of a rise and of a fall of a pin: of an output the mean over its inputs."""
        key = (cell, pin, round(load, 4))
        if key not in self._internal:
            group = next(group for group in self.cells[cell].all("pin") if group.arguments[0] == pin)
            found = [[_energy(power.all(kind)[0], load) for kind in ("rise_power", "fall_power")]
                     for power in group.all("internal_power") if power.all("rise_power") and power.all("fall_power")]
            self._internal[key] = tuple(float(mean) for mean in np.mean(found, axis=0)) if found else (0.0, 0.0)
        return self._internal[key]


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
        load, driver, pairs = defaultdict(float), {}, defaultdict(lambda: np.zeros(2))
        readers = []
        for name, cell in self.module["cells"].items():
            if cell["type"] not in self.library.cells:
                continue
            for pin, (bit,) in cell["connections"].items():
                if not isinstance(bit, int):
                    continue
                if cell["port_directions"][pin] == "output":
                    driver[bit] = name, cell["type"], pin
                else:
                    load[bit] += self.library.capacitance[cell["type"], pin]
                    readers.append((bit, name, cell["type"], pin))
        for bit, name, kind, pin in readers:
            pairs[bit, owner(name)] += self.library.internal(kind, pin)
            switching = self.library.capacitance[kind, pin] * VOLTS ** 2 / 2
            pairs[bit, owner(driver[bit][0] if bit in driver else name)] += switching
        for bit, (name, kind, pin) in driver.items():
            pairs[bit, owner(name)] += self.library.internal(kind, pin, load[bit])
        names = tuple(sorted({name for _, name in pairs}))
        return Energies(np.array([self.index[bit] for bit, _ in pairs]), np.array([names.index(name) for _, name in pairs]),
                        np.array(list(pairs.values())), names)
