# SPDX-License-Identifier: MIT
"""Gate-level netlist of a module of rtl/, for the dynamic and the baseline build.

Yosys maps each module for itself and flattens the result last, so that the name of a cell tells its module. A memory (`ram`) becomes the macros of syn/memory.py
and a select between them, a register file latches (syn/register_file.v). abc gets a short script of its own, as its default ones do not come to an end on
multiplier trees.
"""

import importlib.util
import json
import os
import re
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

from models.build import Build
from syn import arithmetic, memory, power
from syn.fanout import insert_buffers
from syn.library import OSU, ROOT, Library
from tb.bench import leash

RTL = Path(os.environ.get("RTL", ROOT / "rtl")).resolve()
SYN = ROOT / "syn"
BUILD = ROOT / "build" / "silicon"
# Of a tile; memories of as many bytes in both.
BUILDS = {"baseline": Build().baseline().parameters(), "dynamic": Build().parameters()}
# Multiplications in rtl/ outside of dot_product, as Yosys sees them: widths of A, B and Y, signed, and whether the top bit of B is 0.
# In turn: a value of 16 bits by the bytes of another in cell_update; a sum of a segment by a byte of m in row_sums. That of activation is part of a sum,
# which Yosys adds in one tree.
MULTIPLIERS = ((16, 8, 24, True, False), (16, 9, 25, True, True), (26, 9, 35, True, True))
# The smallest form of the dot product, by the bits of an operand; multiplications outside of it are smallest as Booth rows.
SMALLEST = {4: "array", 8: "booth"}
# Modules that are mapped for delay: all with a path that limits a clock. Their adders are parallel prefixes, others ripple.
FAST = ("row_sums", "row_pass", "requantizer", "activation", "cell_update", "post_processing", "precision_unit", "policy_sensitivity", "policy_cell_history",
        "level_choice", "sequencer", "early_walker", "late_walker", "refinement_walker", "in_flight",
        "counters*", "row_counters*", "axil_registers*", "input_stream*", "image_loader*", "descriptor_check*", "commit_arbiter*")

SCRIPT = """
{cells}
read_verilog -DSYNTHESIS -I{rtl} {sources}
hierarchy -check -top {top} {parameters}
proc
check -assert
{multiply}
flatten t:*log_code t:*delay t:*pass_quarters* t:*next_quarter*
opt_hier
opt_clean
opt
opt_hier
opt
opt_hier
opt_clean
synth -noabc -top {top} -run begin:fine
select -set fast {fast}
maccmap
techmap -map {syn}/full_adder.v
techmap -map +/techmap.v -map {syn}/ripple.v t:$alu @fast %d
techmap -map {syn}/ripple.v t:$lcu @fast %d
{adders}
synth -noabc -run fine:check
{flip_flops}
abc -liberty {liberty} -script {fast_map} {unused} @fast
abc -liberty {liberty} -script {syn}/map.abc {unused} @fast %n
opt_clean -purge
rename -enumerate
flatten -noscopeinfo
opt_clean
rename -top {top}
write_json {json}
"""

WRITE = """
read_json {json}
opt_clean -purge
write_verilog -noattr {verilog}
splitnets -ports
write_verilog -noattr -noexpr -simple-lhs {plain_verilog}
"""


class SynthesisError(Exception):
    """Yosys stopped; the message names its log."""


@dataclass(frozen=True)
class Netlist:
    """A flat netlist of one module `top`, its memories as black boxes with the parameters of rtl/."""

    top: str
    verilog: Path
    json: Path
    library: Library = OSU

    @property
    def plain_verilog(self) -> Path:
        """The same netlist for readers of little Verilog: every net and port has one bit."""
        return self.verilog.with_suffix(".bits.v")

    @cached_property
    def cells(self) -> dict[str, dict]:
        """Cells by name; the name is the path of instances, with dots, and a name of Yosys."""
        return json.loads(self.json.read_text())["modules"][self.top]["cells"]

    def area(self) -> Counter:
        """Area of standard cells in square micrometres, by path of the instance that holds them ('' is the top)."""
        areas, total = cell_areas(self.library.liberty), Counter()
        for name, cell in self.cells.items():
            if cell["type"] in areas:
                total[instance(name)] += areas[cell["type"]]
        return total

    def macros(self) -> dict[str, str]:
        """Names of the macros of memories, by path of their instance."""
        return {name: cell["type"] for name, cell in self.cells.items() if cell["type"].startswith("RM_")}


def build_of(parameters: dict[str, int]) -> Build:
    """The build that has these parameters."""
    return Build(parameters["Tiles"], parameters["Lanes"], bool(parameters["DynamicPrecision"]), parameters["InFlight"], parameters["WeightDepth"],
                 parameters["UnitDepth"], parameters["ActivationDepth"])


def instance(name: str) -> str:
    """Path of the instance of a cell or net: what stands before its last dot."""
    return name.rpartition(".")[0]


@cache
def cell_areas(liberty: Path) -> dict[str, float]:
    """Area of each cell of a library, in square micrometres."""
    return {name: float(area) for name, area in re.findall(r"cell \((\w+)\) \{.*?area : ([\d.]+)", liberty.read_text(), re.DOTALL)}


def fetch_library() -> None:
    """Unpacks the standard cells into build/, if they are not there."""
    if not OSU.liberty.exists():
        leash.run([ROOT / "scripts" / "fetch-liberty.sh"], check=True)


def run_yosys(script: str, name: str, folder: Path = BUILD, cpu_seconds: int = 0) -> str:
    """Runs a script of Yosys, which may take so many seconds of a core (0: any); returns its log, kept as `name`.log beside the script.

    Raises SynthesisError.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path, log = folder / f"{name}.ys", folder / f"{name}.log"
    path.write_text(script)
    command = f"from pyosys import libyosys; libyosys.run_pass('script {path}')"
    with open(log, "w") as output:
        run = leash.run([sys.executable, "-c", command], cpu_seconds=cpu_seconds, stdout=output, stderr=subprocess.STDOUT, cwd=ROOT)
    text = log.read_text()
    if run.returncode:
        errors = [line for line in text.splitlines() if "ERROR" in line]
        raise SynthesisError(f"Yosys stopped on {name}: {(errors or ['no message'])[-1]} (log: {log})")
    return text


def yosys_abc() -> Path:
    """The abc of Yosys. Its package is not imported here: what a process loads after that takes the symbols of its libraries for its own."""
    return Path(importlib.util.find_spec("pyosys").origin).parent / "yosys-abc"


def cells_of(library: Library, folder: Path) -> dict[str, str]:
    """Commands of SCRIPT that a library decides; files that they need are written to a folder."""
    paths = {}
    texts = {"adders.v": library.adders, "flip_flop.v": library.flip_flop, "map_fast.abc": (SYN / "map_fast.abc").read_text().replace("TARGET", str(library.target)),
             "wires.lib": with_wires(library.liberty.read_text())}
    for name, text in texts.items():
        paths[name] = folder / f"{library.name}-{name}"
        paths[name].write_text(text)
    return {
        "cells": f"read_liberty -lib {library.liberty}" + (f"\nread_verilog -lib {paths['adders.v']}" if library.adders else ""),
        "adders": f"techmap -map {paths['adders.v']}" if library.adders else "", "liberty": paths["wires.lib"],
        "flip_flops": f"dfflegalize -cell $_DFF_P_ x\ntechmap -map {paths['flip_flop.v']}" if library.flip_flop else f"dfflibmap -liberty {library.liberty}",
        "fast_map": str(paths["map_fast.abc"]), "unused": " ".join(f"-dont_use {name}" for name in library.unused)}


def with_wires(liberty: str) -> str:
    """A Liberty file for abc, which knows no wires: each input pin has the wire to it as well."""
    wire = power.Library(liberty).wire(1)
    return re.sub(r"(direction : \"?input\"?;[^{}]*?\bcapacitance : )([\d.]+)", lambda match: f"{match[1]}{float(match[2]) + wire:.6f}", liberty)


def synthesize(name: str, top: str = "tile", parameters: dict[str, int] | None = None, form: str | None = "best", folder: Path = BUILD,
               library: Library = OSU, build: Build | None = None, stand_ins: dict[str, str] | None = None) -> Netlist:
    """Maps `top` with `parameters` (of BUILDS[name] if none are given) onto standard cells and macros; files are `name`.* in `folder`.

    form: of multiplications, see syn/arithmetic.py; "best" takes the smallest of each; None leaves it to Yosys. build: what `top` is a part of, if it has memories; that
    of a tile follows from its parameters. stand_ins: Verilog by name of the module that it stands for. Raises SynthesisError.
    """
    if library is OSU:
        fetch_library()
    folder.mkdir(parents=True, exist_ok=True)
    netlist = Netlist(top, folder / f"{name}.v", folder / f"{name}.json", library)
    settings = BUILDS[name] if parameters is None else parameters
    written = {"register_file": (SYN / "register_file.v").read_text() + library.latch}
    if top == "tile":
        build = build_of(settings)
    if build:
        written["ram"] = memory.verilog(build) + memory.black_boxes()
    multiply = "wreduce"
    if form:
        lanes, bits = (build.dot_lanes, build.operand_bits) if build else (settings.get("Lanes", Build().dot_lanes), settings.get("OperandBits", Build().operand_bits))
        multipliers = folder / f"{name}-multipliers.v"
        written["dot_product"] = arithmetic.dot_product(lanes, bits, SMALLEST[bits] if form == "best" else form)
        multipliers.write_text("".join(arithmetic.multiplier(*kind, form="booth" if form == "best" else form) for kind in MULTIPLIERS))
        multiply = f"wreduce\ntechmap -map {multipliers}"
    written |= stand_ins or {}
    for module, text in written.items():
        (folder / f"{name}-{module}.v").write_text(text)
    sources = [folder / f"{name}-{path.stem}.v" if path.stem in written else path for path in sorted(RTL.glob("*.v"))]
    script = SCRIPT.format(rtl=RTL, sources=" ".join(map(str, sources)), syn=SYN, top=top,
                           fast=" ".join(f"*{module}" for module in FAST), parameters=" ".join(f"-chparam {key} {value}" for key, value in settings.items()),
                           multiply=multiply, json=netlist.json, **cells_of(library, folder))
    run_yosys(script, name, folder)
    buffered = json.loads(netlist.json.read_text())
    insert_buffers(buffered, top, library)
    netlist.json.write_text(json.dumps(buffered))
    run_yosys(WRITE.format(json=netlist.json, verilog=netlist.verilog, plain_verilog=netlist.plain_verilog), f"{name}-write", folder)
    return netlist
