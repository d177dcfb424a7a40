# SPDX-License-Identifier: MIT
"""Timing diagrams of docs/architecture.md, in WaveDrom's format, read from the waves of a simulation of the RTL.

`python -m tb.commands.waves.timing`, which `make docs` runs, writes docs/timing/*.json and draws docs/images/timing-*.svg from them. A test finds those that the
RTL no longer agrees with.
"""

import hashlib
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import pywellen

from models.build import Build
from models.formats import GATES, PASS, Kind, Quarter
from tb.bench.drivers import at_widths
from tb.bench.runner import ROOT, WAVES
from tb.commands.waves.picture import TILES
from tb.tests.lstm_accelerator.cases import run_on

JSON, IMAGES = ROOT / "docs" / "timing", ROOT / "docs" / "images"
BUILD = Build(tiles=1, lanes=8, in_flight=2, weight_depth=1024, unit_depth=64, activation_depth=16)
WIDTHS = {"WeightWidth": 10, "UnitWidth": 6, "IndexWidth": 1}
COLOURS = {**dict(zip((quarter.name for quarter in Quarter), "5439")), "": "="}  # digits of WaveDrom
LONGEST_PAUSE = 3  # cycles in which nothing changes that are drawn
ACCELERATOR = "harness.accelerator"
TILE = f"{TILES}[0].u_tile"
ROW_PASS, ROW_SUMS = f"{TILE}.u_scheduler.u_row_pass", f"{TILE}.u_row_engine.u_row_sums"
POST = f"{TILE}.u_elementwise_engine.u_post_processing"
CONTROL = f"{ACCELERATOR}.u_control"


class Waves:
    """Signals of a simulation by cycle: a cycle ends with a rising edge of the clock, and has the values from just before it."""

    def __init__(self, path: Path):
        self._variables = {variable.full_name: variable for variable in pywellen.Waveform(str(path)).all_vars()}
        self._values: dict[str, list[int | None]] = {}
        self.edges = [time for time, value in self._variables["harness.clk_i"].signal if value == 1]

    def __getitem__(self, name: str) -> list[int | None]:
        """The values of a signal, None where a bit is unknown; of one bit with its number from below: name[0]."""
        if name.endswith("]") and name not in self._variables:
            vector, bit = name[:-1].rsplit("[", 1)
            return [None if value is None else value >> int(bit) & 1 for value in self[vector]]
        if name not in self._values:
            changes, current, values = iter(self._variables[name].signal), None, []
            following = next(changes, None)
            for edge in self.edges:
                while following and following[0] < edge:
                    current, following = following[1], next(changes, None)
                values.append(current if isinstance(current, int) else None)
            self._values[name] = values
        return self._values[name]

    def cycles(self, *names: str) -> Iterator[int]:
        """Cycles in which all these signals are 1."""
        return (cycle for cycle, values in enumerate(zip(*(self[name] for name in names))) if all(value == 1 for value in values))


@dataclass
class Row:
    """A row of a diagram: a signal and what is shown of its value, where a condition holds. Without a text its levels are drawn."""

    label: str
    signal: str
    text: Callable[[int], str] | None = None
    when: tuple[str, ...] = ()
    colours: bool = False

    def show(self, waves: Waves, cycle: int) -> str:
        """"0", "1", "x" (where no condition holds) or a text."""
        value = waves[self.signal][cycle]
        if value is None or (self.when and not any(waves[name][cycle] for name in self.when)):
            return "x"
        return self.text(value) if self.text else str(value)


def drawn(waves: Waves, title: str, begin: int, end: int, groups: dict[str, list[Row]]) -> dict:
    """The diagram of cycles begin to end - 1 in WaveDrom's format. A longer pause, in which nothing changes, is drawn as one cycle with a gap."""
    columns = [tuple(row.show(waves, cycle) for group in groups.values() for row in group) for cycle in range(begin, end)]
    shown = []  # cycles, and whether each stands for a pause
    for _, alike in groupby(range(end - begin), columns.__getitem__):
        first, *rest = alike
        shown += [(first, False), (first + 1, True), (rest[-1], False)] if len(rest) >= LONGEST_PAUSE else [(cycle, False) for cycle in (first, *rest)]
    numbers, gaps = zip(*shown)
    values = iter(zip(*(columns[number] for number in numbers)))
    signals = [{"name": "cycle", "wave": "".join("|" if gap else "=" for gap in gaps), "data": [number for number, gap in zip(numbers, gaps) if not gap]},
               {"name": "clk_i", "wave": "".join("|" if gap else "." if number else "p" for number, gap in enumerate(gaps))}]
    for name, group in groups.items():
        waves_of_group = [_wave(row, next(values), gaps) for row in group]
        signals += [[name, *waves_of_group]] if name else waves_of_group
    return {"signal": signals, "head": {"text": title}}


def _wave(row: Row, values: Sequence[str], gaps: list[bool]) -> dict:
    """A row in WaveDrom's format: a character a cycle, and the texts."""
    wave, data = "", []
    for before, value, gap in zip(("", *values), values, gaps):
        if gap or value == before:
            wave += "|" if gap else "."
        elif row.text and value != "x":
            wave += COLOURS.get(value, "=") if row.colours else "="
            data.append(value)
        else:
            wave += value
    return {"name": row.label, "wave": wave, **({"data": data} if data else {})}


def gates_text(word: int) -> str:
    fields = at_widths(PASS, WIDTHS).unpack(word)
    return " ".join(GATES[gate] for gate in sorted({fields["gate"], fields["second"]}))


def levels_text(word: int) -> str:
    """Levels of i, f, g, o: 1 LOWEST, 3 MIDDLE, 4 ALL quarters."""
    return "".join("134"[word >> 2 * gate & 3] for gate in range(len(GATES)))


def reads_text(word: int) -> str:
    return " ".join(name for bit, name in enumerate(("wh", "wl", "ah", "al")) if word >> bit & 1)


def signed(bits: int) -> Callable[[int], str]:
    return lambda value: str(value - (value >> bits - 1 << bits))


def fraction(value: int) -> str:
    """Of an int16 in Q0.15."""
    return f"{(value - (value >> 15 << 16)) / 32768:.2f}"


def rows(module: str, *signals: str | tuple) -> list[Row]:
    """Rows of a module's signals: a name, or (name, text, names of conditions, label)."""
    named = [(signal,) if isinstance(signal, str) else signal for signal in signals]
    return [Row(label[0] if label else name, f"{module}.{name}", text[0] if text else None, tuple(f"{module}.{other}" for other in when[0]) if when else ())
            for name, text, when, label in ((entry[0], entry[1:2], entry[2:3], entry[3:4]) for entry in named)]


PASSES = rows(ROW_PASS, "valid_i", "ready_o", ("kind_i", lambda kind: Kind(kind).name.lower(), ("valid_i",)), ("pass_i", gates_text, ("valid_i",), "gates of pass_i"))
QUARTERS = Row("quarter_o", f"{ROW_PASS}.quarter_o", lambda quarter: Quarter(quarter).name, (f"{ROW_PASS}.valid_o",), colours=True)
ADDRESSES = rows(ROW_PASS, ("reads_o", reads_text, ("valid_o",)), ("weight_address_o", str, ("valid_o",)), ("activation_address_o", str, ("valid_o",)))
SUMS = rows(ROW_SUMS, ("sum_i", signed(11), ("word_valid_q",)), "write_o", "complete_o")
VALUES = ("i_valid", "f_valid", "g_valid", "o_valid", "phase_q[12]")  # phases 6 to 9, and 13: the lowest bit is phase 1
RESULT = ("refine_valid_o", "commit_valid_o")


def diagrams() -> dict[str, dict]:
    """Diagrams by name, in WaveDrom's format, from a simulation by Icarus. Raises SimulationError."""
    waves = Waves(run_on("tb.commands.waves.scenario", BUILD, simulator="icarus", seed=1, waves=True, repeat="python -m tb.commands.waves.timing") / WAVES)
    start = next(waves.cycles(f"{ROW_PASS}.valid_i"))
    written = next(waves.cycles(f"{ROW_SUMS}.write_o"))
    refined = next(waves.cycles(f"{POST}.refine_valid_o"))
    taken = max(cycle for cycle in waves.cycles(f"{POST}.request_valid_i", f"{POST}.request_ready_o") if cycle < refined)
    committed = next(cycle for cycle in waves.cycles(f"{TILE}.commit_valid_o") if cycle > refined)
    released = next(waves.cycles("harness.rst_ni"))
    answered = next(waves.cycles(f"{ACCELERATOR}.s_axil_rvalid_o"))
    reset = next(waves.cycles(f"{CONTROL}.reset_request"))
    ended = next(cycle for cycle, clear in enumerate(waves[f"{CONTROL}.clear_o"]) if cycle > reset + 1 and not clear)
    return {
        "row-pass": drawn(waves, "Row passes over two rows under STATIC_HIGH: a word of x, then one of h", start - 1, written + 2, {
            "row_pass": [*PASSES, *rows(ROW_PASS, "valid_o"), QUARTERS, *ADDRESSES], "row_sums": SUMS}),
        "decision": drawn(waves, "A decision: levels of the rows from a provisional pass", taken - 1, refined + 2, {
            "post_processing": rows(POST, "request_valid_i", "request_ready_o", ("request_final_i", None, ("request_valid_i",)),
                                    ("phase_q", lambda phase: str(phase.bit_length()), ("phase_q",)), ("value", fraction, VALUES, "value: i f g o, t"),
                                    ("c_new", signed(16), ("c_valid",)), ("levels", levels_text, ("decided",)), *RESULT,
                                    ("result_h_o", signed(8), RESULT))}),
        "refinement": drawn(waves, "A refinement: the quarters that rows miss, then the final pass", refined - 1, committed + 2, {
            "post_processing": rows(POST, "refine_valid_o", ("result_levels_o", levels_text, RESULT), "commit_valid_o"),
            "row_pass": [*PASSES, *rows(ROW_PASS, "valid_o"), QUARTERS],
            "row_sums": rows(ROW_SUMS, "write_o", "complete_o"),
            "": [Row("final pass: request_valid_i", f"{POST}.request_valid_i"), *rows(TILE, "commit_valid_o", ("commit_h_o", signed(8), ("commit_valid_o",)))]}),
        "hard-reset": drawn(waves, "Hard reset, and a counter that is read at once", released - 2, answered + 2, {"": [
            *rows("harness", "rst_ni"), Row("STATUS.counters_busy", f"{CONTROL}.u_row_counters.busy_o"),
            *rows(ACCELERATOR, "s_axil_arvalid_i", "s_axil_arready_o", "s_axil_rvalid_o")]}),
        "soft-reset": drawn(waves, "Soft reset while a packet of h leaves", reset - 3, ended + 3, {
            "s_axil": rows(ACCELERATOR, "s_axil_awvalid_i", "s_axil_awready_o", "s_axil_bvalid_o"),
            "run_control": [Row("soft_reset", f"{CONTROL}.reset_request"), Row("busy", f"{CONTROL}.u_run_control.busy_o"),
                            Row("resetting", f"{CONTROL}.u_run_control.clear_o"), Row("output idle", f"{CONTROL}.u_run_control.output_idle_i")],
            "m_h": rows(ACCELERATOR, "m_h_tvalid_o", "m_h_tready_i", "m_h_tlast_o"),
            "s_x": rows(ACCELERATOR, "s_x_tvalid_i", "s_x_tready_o", "s_x_tlast_i")}),
    }


def text_of(diagram: dict) -> str:
    """A diagram as the text of its file."""
    return json.dumps(diagram, indent=1, ensure_ascii=False) + "\n"


def mark_of(text: str) -> str:
    """The last line of a picture: which diagram it was drawn from."""
    return f"<!-- of the diagram with sha256 {hashlib.sha256(text.encode()).hexdigest()} -->\n"


def main() -> int:
    import wavedrom  # of requirements-docs.txt

    JSON.mkdir(exist_ok=True)
    for name, diagram in diagrams().items():
        text = text_of(diagram)
        picture = wavedrom.render(text).tostring().replace("<svg ", '<svg style="background: white" ', 1)
        (JSON / f"{name}.json").write_text(text)
        (IMAGES / f"timing-{name}.svg").write_text(f"{picture}\n{mark_of(text)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
