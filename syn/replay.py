# SPDX-License-Identifier: MIT
"""A tile's netlist replays windows of a run of rtl/: Icarus, the library's Verilog models, zero delay or cell delays.

A waveform of the run gives what enters the tile (ports, read data of its memories), the state of its flip-flops and register files at the
begin of each window, and what must leave it: ports, and every pin by which it drives a memory. All are compared in every cycle.
"""

import bisect
import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pywellen

from syn.power import FALL, RISE, NetPower
from syn.synthesize import CELLS, RTL, Netlist
from tb.bench import leash

PERIOD = 20.0      # ns, longer than any path
INPUT_DELAY = 0.3  # ns from the edge to a change at an input: that of a flip-flop
READ_DELAY = 2.0   # ns to read data of a memory
TESTBENCH = Path(__file__).with_suffix(".v")
# The flip-flop of the library as a register that a testbench can set.
UDP, REGISTER = "udp_dff (DS0000, D, CLK, 1'B0, 1'B0, NOTIFIER);", "reg DS0000; always @(posedge CLK) DS0000 <= D;"


class ReplayError(Exception):
    """The netlist gave other values than rtl/, or the simulation did not run."""


@dataclass(frozen=True)
class Window:
    """A window of a run.

    samples: by signal, [1 + cycles + 1] values, taken before each rising edge; the first is of the cycle before the window.
    states: bits of the flip-flops, in the order of Tile.flip_flops, with the first and the second sample.
    contents: of the register files, by name, with the second sample.
    """

    samples: dict[str, list[int]]
    states: tuple[list[int], list[int]]
    contents: dict[str, list[int]]

    @property
    def cycles(self) -> int:
        return len(next(iter(self.samples.values()))) - 2


class Tile:
    """Names of a netlist of a tile: what enters, what leaves, what it keeps."""

    def __init__(self, netlist: Netlist):
        self.netlist = netlist
        self.module = json.loads(netlist.json.read_text())["modules"][netlist.top]
        cells = self.module["cells"]
        self.inputs = {name: len(port["bits"]) for name, port in self.module["ports"].items() if port["direction"] == "input" and name != "clk_i"}
        self.outputs = {name: len(port["bits"]) for name, port in self.module["ports"].items() if port["direction"] == "output"}
        self.memories = {name: int(cell["parameters"]["Width"], 2) for name, cell in cells.items() if cell["type"] == "ram"}
        self.files = {name: int(cell["parameters"]["Depth"], 2) for name, cell in cells.items() if cell["type"] == "register_file"}
        self.pins = {f"{name}.{pin}": len(bits) for name in (*self.memories, *self.files) for pin, bits in cells[name]["connections"].items()
                     if cells[name]["port_directions"][pin] == "input" and pin != "clk_i" and all(isinstance(bit, int) for bit in bits)}
        self.flip_flops = self._flip_flops()

    def _flip_flops(self) -> dict[str, list[str]]:
        """Names that the output of each flip-flop has, by cell: its own, and those of another with the same input."""
        cells = self.module["cells"]
        names = NetPower(self.module, _NoLibrary).names
        sources = {cell["connections"]["Y"][0]: cell["connections"]["A"][0] for cell in cells.values() if cell["type"].startswith("BUF")}
        by_input, found = {}, {}
        for name, cell in cells.items():
            if cell["type"].startswith("DFF"):
                source = cell["connections"]["D"][0]
                while source in sources:
                    source = sources[source]
                by_input.setdefault(source, []).extend(names[cell["connections"]["Q"][0]])
                found[name] = by_input[source]
        return found


class _NoLibrary:
    cells = {}


class Waveform:
    """Signals of one tile in a waveform of harness, by their names below the tile; several names may share a signal."""

    def __init__(self, path: Path, tile: int = 0):
        below = f"harness.accelerator.u_tile_array.gen_tiles[{tile}].u_tile."
        waveform = pywellen.Waveform(str(path))
        self.variables = {variable.full_name[len(below):]: variable for variable in waveform.all_vars() if variable.full_name.startswith(below)}
        done = next(variable.signal for variable in waveform.all_vars() if variable.full_name == "harness.accelerator.step_done")
        self._steps = [time for time, value in done if value == 1]
        self._changes = {}

    def last_step(self) -> int:
        """Time in ps at which the last step ended."""
        return self._steps[-1]

    def __contains__(self, name: str) -> bool:
        return name in self.variables

    def changes(self, name: str) -> tuple[list[int], list[int]]:
        """Times in ps and values of a signal."""
        if name not in self._changes:
            self._changes[name] = tuple(zip(*self.variables[name].signal))
        return self._changes[name]

    def at(self, name: str, time: int) -> int:
        """The value at a time in ps."""
        times, values = self.changes(name)
        return values[max(bisect.bisect_right(times, time) - 1, 0)]

    def bit(self, name: str, offset: int, time: int) -> int:
        return self.at(name, time) >> offset & 1


def record(tile: Tile, wave: Waveform, begins: list[int], cycles: int, period: int = 10_000) -> list[Window]:
    """Windows of so many cycles, the first of them the given ones of a run.

    A cycle ends with the rising edge at (cycle + 1/2) period, in ps. A register of the adder tree of dot_product has no name in rtl/: it is a
    function of the cycle before. Raises ReplayError where another one is unknown.
    """
    sources, unknown = [], []
    offsets = {name: net.get("offset", 0) for name, net in tile.module["netnames"].items()}
    for cell, names in tile.flip_flops.items():
        source = next(filter(None, (_find(wave, name, offsets) for name in names)), None)
        sources.append(source)
        if source is None and ".u_dot_product." not in cell:
            unknown.append(cell)
    if unknown:
        raise ReplayError(f"flip-flops without a register of rtl/: {', '.join(unknown[:5])}")
    signals = [*tile.inputs, *tile.outputs, *tile.pins, *(f"{name}.read_data_o" for name in tile.memories)]
    windows = []
    for begin in begins:
        times = [(begin + cycle) * period + period // 2 - 1 for cycle in range(-1, cycles + 1)]
        windows.append(Window(
            {name: [wave.at(name, time) for time in times] for name in signals},
            tuple([wave.bit(*source, time) if source else None for source in sources] for time in times[:2]),
            {name: [wave.at(f"{name}.words_q.[{word}]", times[1]) for word in range(depth)] for name, depth in tile.files.items()}))
    return windows


def _find(wave: Waveform, name: str, offsets: dict[str, int]):
    """Signal of a waveform, and place in it, of a net's name; None if there is none."""
    for pattern, place in ((name, 0), *([(name[:name.rindex("[")], int(name[name.rindex("[") + 1:-1]))] if name.endswith("]") else [])):
        for spelled in (pattern, re.sub(r"\[(\d+)\]$", r".[\1]", pattern)):
            if spelled in wave:
                return spelled, place - offsets.get(pattern, 0)
    return None


def _packed(values: dict[str, int], widths: dict[str, int]) -> str:
    """Hexadecimal digits of the values side by side, the first lowest."""
    return f"{sum(values[name] << place for name, place, _ in _places(widths)):x}"


def testbench(tile: Tile, windows: list[Window], folder: Path) -> None:
    """Writes what TESTBENCH includes and reads, as its header lists it, to a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    reads = {f"{name}.read_data_o": width for name, width in tile.memories.items()}
    words = sum(tile.files.values())
    sizes = {"INPUT_BITS": sum(tile.inputs.values()), "READ_BITS": sum(reads.values()), "FLIP_FLOPS": len(tile.flip_flops), "WINDOWS": len(windows),
             "CYCLES": windows[0].cycles, "SAMPLES": sum(window.cycles + 2 for window in windows), "WORDS": words,
             "PERIOD": PERIOD, "INPUT_DELAY": INPUT_DELAY, "READ_DELAY": READ_DELAY}
    parts = {
        "sizes.vh": [f"`define {name} {value}" for name, value in sizes.items()],
        "instance.vh": _instance(tile),
        "drives.vh": [f"dut.\\{name} .read_data = reads[{place} +: {width}];" for name, place, width in _places(tile.memories)],
        "deposits.vh": _deposits(tile, windows[0].states[0], words),
        "inputs.hex": [_packed(sample, tile.inputs) for sample in _samples(windows)],
        "reads.hex": [_packed(sample, reads) for sample in _samples(windows)],
        "states.hex": [f"{sum((bit or 0) << index for index, bit in enumerate(state)):x}" for window in windows for state in window.states],
        "contents.hex": [f"{word:x}" for window in windows for name in tile.files for word in window.contents[name]],
    }
    for name, lines in parts.items():
        (folder / name).write_text("\n".join(lines) + "\n")


def _samples(windows: list[Window]) -> Iterator[dict[str, int]]:
    """Values of all signals in each cycle of each window."""
    for window in windows:
        for cycle in range(window.cycles + 2):
            yield {name: values[cycle] for name, values in window.samples.items()}


def _places(widths: dict[str, int]) -> Iterator[tuple[str, int, int]]:
    """Name, place and width of fields side by side, the first lowest."""
    place = 0
    for name, width in widths.items():
        yield name, place, width
        place += width


def _instance(tile: Tile) -> list[str]:
    """The netlist, whose ports are bits, between `inputs` and `observed`: what leaves it, below the pins of memories."""
    def ports(name: str, width: int, signal: str, place: int) -> list[str]:
        return [f".\\{name}{f'[{bit}]' if width > 1 else ''} ({signal}[{place + bit}])" for bit in range(width)]
    connections = [".clk_i(clk)", *(port for name, place, width in _places(tile.inputs) for port in ports(name, width, "inputs", place)),
                   *(port for name, width in tile.outputs.items() for port in ports(name, width, name, 0))]
    observed = [*(f"dut.\\{path} .{pin}" for path, pin in (name.rsplit(".", 1) for name in reversed(tile.pins))), *reversed(tile.outputs)]
    total = sum(tile.outputs.values()) + sum(tile.pins.values())
    return [*(f"wire [{width - 1}:0] {name};" for name, width in tile.outputs.items()), f"tile dut (\n{(',' + chr(10)).join(connections)});",
            f"wire [{total - 1}:0] observed = {{{', '.join(observed)}}};"]


def _deposits(tile: Tile, first_state: list[int | None], words: int) -> list[str]:
    """Assignments of the state: flip-flops whose register in rtl/ is not known (None) only once."""
    lines = [f"{'if (!second) ' if first_state[index] is None else ''}dut.\\{name} .DS0000 = states[2 * window + second][{index}];"
             for index, name in enumerate(tile.flip_flops)]
    return lines + [f"for (word = 0; word < {depth}; word = word + 1) dut.\\{name} .words_q[word] = contents[window * {words} + {first} + word];"
                    for name, first, depth in _places(tile.files)]


def simulate(tile: Tile, windows: list[Window], delays: bool, folder: Path) -> dict[str, tuple[int, int]]:
    """Plays windows through the netlist and returns the rises and falls of its nets by name. Raises ReplayError where an output differs."""
    testbench(tile, windows, folder)
    text = CELLS.read_text()
    if UDP not in text:
        raise ReplayError(f"{CELLS.name} has no flip-flop {UDP}")
    (folder / "cells.v").write_text(text.replace(UDP, REGISTER))
    sources = [TESTBENCH, tile.netlist.plain_verilog, folder / "cells.v", RTL / "register_file.v"]
    _run(["iverilog", "-g2005-sv", *(["-gspecify", "-DDELAYS"] if delays else []), "-I", ".", "-s", "replay", "-o", "replay.vvp", *sources], folder)
    _run(["vvp", "-N", "replay.vvp"], folder)
    compare(tile, windows, (folder / "observed.txt").read_text().split())
    return toggles((folder / "toggles.vcd").read_bytes())


def _run(command: list, folder: Path) -> None:
    done = leash.run(command, cwd=folder, capture_output=True, text=True)
    if done.returncode:
        raise ReplayError(f"{command[0]} stopped: {(done.stderr or done.stdout).strip()[:300]} (folder: {folder})")


def compare(tile: Tile, windows: list[Window], observed: list[str]) -> None:
    """Holds what left the netlist, a word of binary digits a sample, to rtl/. Raises ReplayError that names the first difference."""
    widths = tile.outputs | tile.pins
    lines = iter(observed)
    for number, window in enumerate(windows):
        for cycle in range(window.cycles + 1):
            word = next(lines, "")
            end = len(word)
            for name, width in widths.items():
                got, expected = word[end - width:end], f"{window.samples[name][1 + cycle]:0{width}b}"
                end -= width
                if got != expected:
                    raise ReplayError(f"window {number}, cycle {cycle}: the netlist gives {name} {got or 'nothing'}, rtl/ {expected}")


def toggles(dump: bytes) -> dict[str, tuple[int, int]]:
    """Rises and falls by name of net, between each $dumpon, which gives all values, and its $dumpoff, of a VCD of nets of one bit."""
    header, _, _ = dump.partition(b"$enddefinitions")
    counts, last = Counter(), {}
    for part in dump.split(b"$dumpon")[1:]:
        values, _, changes = part.partition(b"$dumpoff")[0].partition(b"$end")
        last.update((token[1:], token[:1]) for token in values.split())
        for token in changes.split():
            value, code = token[:1], token[1:]
            # A glitch without delay is written too, as the value that was there before.
            if value != b"#" and last[code] != value:
                last[code] = value
                counts[token] += 1
    return {name.decode().removeprefix("\\"): (counts[b"1" + code], counts[b"0" + code])
            for code, name in re.findall(rb"\$var \w+ +1 (\S+) (\S+)", header)}


def by_net(power: NetPower, counted: dict[str, tuple[int, int]]) -> np.ndarray:
    """Toggles [nets, 2] in the order of power.bits. Raises ReplayError for a net that was not seen."""
    result = np.zeros((len(power.bits), 2))
    for index, bit in enumerate(power.bits):
        name = next((name for name in power.names[bit] if name in counted), None)
        if name is None:
            raise ReplayError(f"no toggles of net {power.names[bit]}")
        result[index, [RISE, FALL]] = counted[name]
    return result
