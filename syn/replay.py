# SPDX-License-Identifier: MIT
"""A tile's netlist replays windows of a run of rtl/: Icarus, gates of the Liberty file with their delays, or without.

A waveform of the run gives what enters the tile (ports, read data of its memories), the state of its flip-flops and latches at the begin of each
window, and what must leave it: ports, and every pin by which it drives a memory or a register file. All are compared in every cycle, and a read of a memory
must wake one row of its macros.
"""

import bisect
import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pywellen
from filelock import FileLock

from syn import gates
from syn.power import FALL, RISE, Library, NetPower
from syn.synthesize import Netlist
from tb.bench import leash

PERIOD = 20_000    # ps, longer than any path
INPUT_DELAY = 300  # ps from the edge to a change at an input: that of a flip-flop
READ_DELAY = 3500  # ps to read data of a macro
TESTBENCH = Path(__file__).with_suffix(".v")
FILES = ("write_enable_i", "write_address_i", "write_data_i", "read_address_i")
MEMORIES = (*FILES, "read_enable_i")
# Registers that rtl/ does not have, or not in this form: each is a function of the cycle before.
OF_THE_NETLIST = re.compile(r"\bu_dot_product\.|\.data_q\[|\.select_q\b")


class ReplayError(Exception):
    """The netlist gave other values than rtl/, or the simulation did not run."""


@dataclass(frozen=True)
class Window:
    """A window of a run.

    samples: by signal, [1 + cycles + 1] values, taken before each rising edge; the first is of the cycle before the window.
    states: bits of the flip-flops and latches, in the order of Tile.states, with the first and the second sample; None where rtl/ has no such register.
    """

    samples: dict[str, list[int]]
    states: tuple[list[int], list[int]]

    @property
    def cycles(self) -> int:
        return len(next(iter(self.samples.values()))) - 2


@dataclass(frozen=True)
class Macro:
    """A macro of a memory.

    memory: its path. enable, data: nets of the read enable and the read data. place: in a word, in bits. words: that it holds side by side.
    """

    memory: str
    enable: list[int]
    data: list[int]
    place: int
    words: int


class Tile:
    """What enters a netlist of a tile, what leaves it, what it keeps."""

    def __init__(self, netlist: Netlist, library: Library):
        self.netlist, self.library = netlist, library
        self.module = json.loads(netlist.json.read_text())["modules"][netlist.top]
        self.cells, self.nets = self.module["cells"], self.module["netnames"]
        ports = self.module["ports"]
        self.inputs = {name: len(port["bits"]) for name, port in ports.items() if port["direction"] == "input" and name != "clk_i"}
        self.outputs = {name: len(port["bits"]) for name, port in ports.items() if port["direction"] == "output"}
        self.macros = {name: self._macro(name) for name in netlist.macros()}
        self.memories = {macro.memory: len(self.nets[f"{macro.memory}.read_data_o"]["bits"]) for macro in self.macros.values()}
        self.files = sorted({name.partition(".gen_word[")[0] for name in self.cells if ".u_latch." in name})
        self.pins = {f"{path}.{pin}": self.nets[f"{path}.{pin}"]["bits"] for paths, pins in ((self.memories, MEMORIES), (self.files, FILES)) for path in paths
                     for pin in pins if all(isinstance(bit, int) for bit in self.nets.get(f"{path}.{pin}", {"bits": "x"})["bits"])}
        lost = [path for path in self.memories if f"{path}.read_enable_i" not in self.pins]
        if lost:
            raise ReplayError(f"no read enable of {', '.join(lost)} in the netlist")

    def _macro(self, name: str) -> Macro:
        connections = self.cells[name]["connections"]
        port = "B" if "B_MEN" in connections else "A"
        memory, _, row = name.partition(".gen_macros_")
        bits, (first, _, number) = int(row.partition("x")[0]), name.rpartition("_")
        width, place = len(connections[f"{port}_DOUT"]), int(number) * len(self.cells[f"{first}_0"]["connections"][f"{port}_DOUT"])
        return Macro(memory, [*connections[f"{port}_MEN"], *connections[f"{port}_REN"]], connections[f"{port}_DOUT"], place, max(1, width // bits))

    @cached_property
    def states(self) -> dict[str, list[tuple[str, int | None]]]:
        """Signals of rtl/ that the bit of each flip-flop and latch may be, by cell: its own names, and those of another with the same input.

        A name is (signal, bit).
        """
        names = NetPower(self.module, self.library).names
        copies = {cell["connections"][leave][0]: cell["connections"][enter][0] for buffer, enter, leave in [self.netlist.library.buffer]
                  for cell in self.cells.values() if cell["type"] == buffer}
        by_input, found = {}, {}
        for name, cell in self.cells.items():
            kind = self.library.cells.get(cell["type"])
            if kind is None or not gates.is_state(kind) or gates.CLOCK_GATES.search(name):
                continue
            if ".u_latch." in name:
                path, word, bit = re.fullmatch(r"(.*)\.gen_word\[(\d+)\]\.gen_bit\[(\d+)\]\.u_latch\..*", name).groups()
                found[name] = [f"{path}.words_q[{word}][{bit}]"]
                continue
            source, clock = cell["connections"]["D"][0], cell["connections"].get("CLK", [None])[0]
            while source in copies:
                source = copies[source]
            by_input.setdefault((source, clock), []).extend(names[cell["connections"]["Q"][0]])
            found[name] = by_input[source, clock]
        return found


class Waveform:
    """Signals below an instance of a waveform, by their names there; several names may share a signal."""

    def __init__(self, path: Path, below: str = "harness.accelerator.u_tile_array.gen_tiles[0].u_tile."):
        waveform = pywellen.Waveform(str(path))
        # A backslash is Icarus' escape of a name.
        self.variables = {variable.full_name[len(below):].replace("\\", ""): variable for variable in waveform.all_vars() if variable.full_name.startswith(below)}
        self._changes = {}

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

    A cycle ends with the rising edge at (cycle + 1/2) period, in ps. Raises ReplayError where a register of the netlist is none of rtl/.
    """
    sources, unknown = [], []
    offsets = {name: net.get("offset", 0) for name, net in tile.nets.items()}
    for cell, names in tile.states.items():
        source = next(filter(None, (_find(wave, name, offsets) for name in names)), None)
        sources.append(source)
        if source is None and not any(map(OF_THE_NETLIST.search, [cell, *names])):
            unknown.append(f"{cell} ({', '.join(names[:3])})")
    if unknown:
        raise ReplayError(f"flip-flops without a register of rtl/: {', '.join(unknown[:5])}")
    signals = [*tile.inputs, *tile.outputs, *tile.pins, *(f"{name}.read_data_o" for name in tile.memories)]
    windows = []
    for begin in begins:
        times = [(begin + cycle) * period + period // 2 - 1 for cycle in range(-1, cycles + 1)]
        windows.append(Window({name: [wave.at(name, time) for time in times] for name in signals},
                              tuple([wave.bit(*source, time) if source else None for source in sources] for time in times[:2])))
    return windows


def _find(wave: Waveform, name: str, offsets: dict[str, int]):
    """Signal of a waveform, and place in it, of a net's name; None if there is none."""
    for pattern, place in ((name, 0), *([(name[:name.rindex("[")], int(name[name.rindex("[") + 1:-1]))] if name.endswith("]") else [])):
        for spelled in (pattern, re.sub(r"\[(\d+)\]$", r".[\1]", pattern)):
            if spelled in wave:
                return spelled, place - offsets.get(pattern, 0)
    return None


def testbench(tile: Tile, windows: list[Window], delays: bool, folder: Path) -> None:
    """Writes what TESTBENCH includes and reads, as its header lists it, to a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    reads = {f"{name}.read_data_o": width for name, width in tile.memories.items()}
    sizes = {"INPUT_BITS": sum(tile.inputs.values()), "READ_BITS": sum(reads.values()), "STATES": len(tile.states), "WINDOWS": len(windows),
             "CYCLES": windows[0].cycles, "SAMPLES": sum(window.cycles + 2 for window in windows), "MACROS": len(tile.macros),
             "PERIOD": PERIOD, "INPUT_DELAY": INPUT_DELAY}
    parts = {
        "sizes.vh": [f"`define {name} {value}" for name, value in sizes.items()],
        "netlist.vh": _netlist(tile, delays),
        "deposits.vh": [f"{'if (!second) ' if windows[0].states[0][index] is None else ''}s{index} = states[2 * window + second][{index}];"
                        for index in range(len(tile.states))]
        + [f"if (!second) m{index} = {{{_slice(tile, macro)}}};" for index, macro in enumerate(tile.macros.values())],
        "inputs.hex": [packed(sample, tile.inputs) for sample in _samples(windows)],
        "reads.hex": [packed(sample, reads) for sample in _samples(windows)],
        "states.hex": [f"{sum((bit or 0) << index for index, bit in enumerate(state)):x}" for window in windows for state in window.states],
    }
    for name, lines in parts.items():
        (folder / name).write_text("\n".join(lines) + "\n")


def _samples(windows: list[Window]) -> Iterator[dict[str, int]]:
    """Values of all signals in each cycle of each window."""
    for window in windows:
        for cycle in range(window.cycles + 2):
            yield {name: values[cycle] for name, values in window.samples.items()}


def places(widths: dict[str, int]) -> Iterator[tuple[str, int, int]]:
    """Name, place and width of fields side by side, the first lowest."""
    place = 0
    for name, width in widths.items():
        yield name, place, width
        place += width


def packed(values: dict[str, int], widths: dict[str, int]) -> str:
    """Hexadecimal digits of the values side by side, the first lowest."""
    return f"{sum(values[name] << place for name, place, _ in places(widths)):x}"


def _slice(tile: Tile, macro: Macro) -> str:
    """What a macro gives of the word that its memory reads; a word of which it holds several comes in the place of each."""
    base, width = next((place, width) for name, place, width in places(tile.memories) if name == macro.memory)
    part = f"next_reads[{base + min(width, macro.place + len(macro.data)) - 1}:{base + macro.place}]"
    return ", ".join([part] * macro.words)


def _netlist(tile: Tile, delays: bool) -> list[str]:
    """The netlist between `inputs` and `observed`."""
    ports = tile.module["ports"]
    number = {name: index for index, name in enumerate(tile.states)}
    number |= {name: len(number) + index for index, name in enumerate(name for name in tile.cells if name not in number)}
    bits = {bit for net in tile.nets.values() for bit in net["bits"] if isinstance(bit, int)}
    bits |= {bit for cell in tile.cells.values() for connected in cell["connections"].values() for bit in connected if isinstance(bit, int)}
    lines = [f"wire n{bit};" for bit in sorted(bits)] + [f"assign n{ports['clk_i']['bits'][0]} = clk;"]
    lines += [f"assign n{bit} = inputs[{place + index}];" for name, place, _ in places(tile.inputs) for index, bit in enumerate(ports[name]["bits"])]
    for index, macro in enumerate(tile.macros.values()):
        enable = " & ".join(_net(bit) for bit in macro.enable)
        read = f"m{index} <= {f'#{READ_DELAY} ' if delays else ''}{{{_slice(tile, macro)}}}; if (counting) reads[{index}] = reads[{index}] + 1;"
        lines += [f"reg [{len(macro.data) - 1}:0] m{index};", f"always @(posedge clk) if ({enable}) begin {read} end"]
        lines += [f"assign n{bit} = m{index}[{place}];" for place, bit in enumerate(macro.data) if isinstance(bit, int)]
    lines += gates.netlist(tile.cells, tile.library, number, delays)
    observed = [bit for pin in tile.pins.values() for bit in pin] + [bit for name in tile.outputs for bit in ports[name]["bits"]]
    return [*lines, f"wire [{len(observed) - 1}:0] observed = {{{', '.join(_net(bit) for bit in reversed(observed))}}};"]


def _net(bit: int | str) -> str:
    return f"n{bit}" if isinstance(bit, int) else f"1'b{bit}"


def simulate(tile: Tile, windows: list[Window], delays: bool, folder: Path) -> list[dict[int, tuple[int, int]]]:
    """Plays windows through the netlist and returns the rises and falls of its nets by number, window by window. Raises ReplayError where an output differs."""
    testbench(tile, windows, delays, folder)
    _run(["vvp", "-N", _compiled(folder)], folder)
    compare(tile, windows, (folder / "observed.txt").read_text().split())
    check_reads(tile, windows, [int(line) for line in (folder / "reads.txt").read_text().split()])
    found = toggles((folder / "toggles.vcd").read_bytes())
    (folder / "toggles.vcd").unlink()
    return found


def _compiled(folder: Path) -> Path:
    """The program of a testbench: that of another run of the same netlist with as many windows, if there is one, as a tile takes Icarus a minute."""
    parts = b"".join(path.read_bytes() for path in (TESTBENCH, *sorted(folder.glob("*.vh"))))
    program = folder.parent / f"replay-{hashlib.sha256(parts).hexdigest()[:16]}.vvp"
    with FileLock(program.with_suffix(".lock")):
        if not program.exists():
            unfinished = folder / "replay.vvp"
            _run(["iverilog", "-g2005-sv", "-I", ".", "-s", "replay", "-o", unfinished.name, TESTBENCH], folder)
            unfinished.replace(program)
    return program


def _run(command: list, folder: Path) -> None:
    done = leash.run(command, cwd=folder, capture_output=True, text=True)
    if done.returncode:
        raise ReplayError(f"{command[0]} stopped: {(done.stderr or done.stdout).strip()[:300]} (folder: {folder})")


def compare(tile: Tile, windows: list[Window], observed: list[str]) -> None:
    """Holds what left the netlist, a word of binary digits a sample, to rtl/. Raises ReplayError that names the first difference."""
    widths = {name: len(bits) for name, bits in tile.pins.items()} | tile.outputs
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


def check_reads(tile: Tile, windows: list[Window], reads: list[int]) -> None:
    """Holds reads of macros to those of the memories in rtl/: each wakes every macro of one row, and no other. Raises ReplayError."""
    expected = Counter()
    for window in windows:
        for path in tile.memories:
            expected[path] += sum(window.samples[f"{path}.read_enable_i"][1:-1])
    found = Counter()
    for macro, count in zip(tile.macros.values(), reads, strict=True):
        found[macro.memory, macro.place] += count
    wrong = [f"{path}: {count} reads of its macros at bit {place}, {expected[path]} of rtl/" for (path, place), count in found.items() if count != expected[path]]
    if wrong:
        raise ReplayError(wrong[0])


def toggles(dump: bytes) -> list[dict[int, tuple[int, int]]]:
    """Rises and falls by number of net n<number>, of each part of a VCD between $dumpon, which gives all values, and $dumpoff."""
    header, _, _ = dump.partition(b"$enddefinitions")
    codes = {code: int(name) for code, name in re.findall(rb"\$var \w+ +1 (\S+) n(\d+)", header)}
    found = []
    for part in dump.split(b"$dumpon")[1:]:
        # Vectors first: their codes could pass for a bit and its value.
        values, _, changes = re.sub(rb"\nb[01xz]+ \S+", b"", part.partition(b"$dumpoff")[0]).partition(b"$end")
        last = {token[1:]: token[:1] for token in values.split()}
        counts = Counter()
        for token in changes.split():
            code = token[1:]
            # A glitch without delay is written too, as the value that was there before.
            if code in codes and last[code] != token[:1]:
                last[code] = token[:1]
                counts[token] += 1
        found.append({net: (counts[b"1" + code], counts[b"0" + code]) for code, net in codes.items()})
    return found


def by_net(power: NetPower, counted: dict[int, tuple[int, int]]) -> np.ndarray:
    """Toggles [nets, 2] in the order of power.bits."""
    result = np.zeros((len(power.bits), 2))
    for index, bit in enumerate(power.bits):
        result[index, [RISE, FALL]] = counted[bit]
    return result
