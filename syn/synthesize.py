# SPDX-License-Identifier: MIT
"""Gate-level netlist of a module of rtl/, for the dynamic and the baseline build, from OSU 0.18 um standard cells.

Yosys maps each module for itself and flattens the result last, so that the name of a cell tells its module. Memories (`ram`, `register_file`)
stay black boxes. abc gets a short script of its own, as its default ones do not come to an end on multiplier trees.
"""

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
from models.formats import dot_lanes, operand_bits
from syn import arithmetic
from syn.fanout import insert_buffers
from syn.library import OSU, ROOT, Library
from tb.bench import leash

RTL = Path(os.environ.get("RTL", ROOT / "rtl")).resolve()
SYN = ROOT / "syn"
BUILD = ROOT / "build" / "silicon"
LIBERTY = OSU.liberty
CELLS = LIBERTY.with_suffix(".v")  # Verilog models of the cells

# Of a tile; memories of as many bytes in both.
BUILDS = {"baseline": Build().baseline().parameters(), "dynamic": Build().parameters()}
# Multiplications in rtl/ outside of dot_product, as Yosys sees them: widths of A, B and Y, signed, and whether the top bit of B is 0.
# In turn: the slope in activation; a value of 16 bits by the bytes of another in cell_update; a sum of a segment by a byte of m in row_sums.
MULTIPLIERS = ((11, 8, 19, False, False), (16, 8, 24, True, False), (16, 9, 25, True, True), (26, 9, 35, True, True))
# The smallest form of the dot product, by the bits of an operand; multiplications outside of it are smallest as Booth rows.
SMALLEST = {4: "array", 8: "booth"}
# Modules that are mapped for delay: all with a path that limits a clock. Their adders are parallel prefixes, others ripple.
FAST = ("row_sums", "row_pass", "requantizer", "activation", "cell_update", "post_processing", "precision_unit", "policy_sensitivity", "policy_cell_history",
        "level_choice")
MEMORIES = ("ram", "register_file")

SCRIPT = """
{cells}
read_verilog -DSYNTHESIS -I{rtl} {sources}
{memories}
hierarchy -check -top {top} {parameters}
proc
check -assert
{multiply}
flatten t:*log_code t:*round_shift t:*delay
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

    def memories(self) -> dict[str, dict[str, int]]:
        """Parameters of the memories, by path."""
        return {name: {key: int(value, 2) for key, value in cell["parameters"].items()} | {"kind": cell["type"]}
                for name, cell in self.cells.items() if cell["type"] in MEMORIES}


def dot_product_size(parameters: dict[str, int]) -> tuple[int, int]:
    """Lanes and bits of an operand of the dot product, from the parameters of a tile or its own."""
    lanes = parameters.get("Lanes", Build().lanes)
    if "OperandBits" in parameters:
        return lanes, parameters["OperandBits"]
    dynamic = parameters.get("DynamicPrecision", 1)
    return dot_lanes(lanes, dynamic), operand_bits(dynamic)


def instance(name: str) -> str:
    """Path of the instance of a cell or net: what stands before its last dot."""
    return name.rpartition(".")[0]


@cache
def cell_areas(liberty: Path) -> dict[str, float]:
    """Area of each cell of a library, in square micrometres."""
    return {name: float(area) for name, area in re.findall(r"cell \((\w+)\) \{.*?area : ([\d.]+)", liberty.read_text(), re.DOTALL)}


def fetch_library() -> None:
    """Unpacks the standard cells into build/, if they are not there."""
    if not LIBERTY.exists():
        leash.run([ROOT / "scripts" / "fetch-liberty.sh"], check=True)


def run_yosys(script: str, name: str, folder: Path = BUILD) -> str:
    """Runs a script of Yosys; returns its log, kept as `name`.log beside the script. Raises SynthesisError."""
    folder.mkdir(parents=True, exist_ok=True)
    path, log = folder / f"{name}.ys", folder / f"{name}.log"
    path.write_text(script)
    command = f"from pyosys import libyosys; libyosys.run_pass('script {path}')"
    with open(log, "w") as output:
        run = leash.run([sys.executable, "-c", command], stdout=output, stderr=subprocess.STDOUT, cwd=ROOT)
    text = log.read_text()
    if run.returncode:
        errors = [line for line in text.splitlines() if "ERROR" in line]
        raise SynthesisError(f"Yosys stopped on {name}: {(errors or ['no message'])[-1]} (log: {log})")
    return text


def cells_of(library: Library, folder: Path) -> dict[str, str]:
    """Commands of SCRIPT that a library decides; files that they need are written to a folder."""
    paths = {}
    for name, text in (("adders.v", library.adders), ("flip_flop.v", library.flip_flop), ("map_fast.abc", (SYN / "map_fast.abc").read_text())):
        paths[name] = folder / f"{library.name}-{name}"
        paths[name].write_text(text.replace("TARGET", str(library.target)))
    return {
        "cells": f"read_liberty -lib {library.liberty}" + (f"\nread_verilog -lib {paths['adders.v']}" if library.adders else ""),
        "adders": f"techmap -map {paths['adders.v']}" if library.adders else "",
        "flip_flops": f"dfflegalize -cell $_DFF_P_ x\ntechmap -map {paths['flip_flop.v']}" if library.flip_flop else f"dfflibmap -liberty {library.liberty}",
        "fast_map": str(paths["map_fast.abc"]), "unused": " ".join(f"-dont_use {name}" for name in library.unused)}


def synthesize(name: str, top: str = "tile", parameters: dict[str, int] | None = None, form: str | None = "best", for_timing: bool = False,
               folder: Path = BUILD, library: Library = OSU) -> Netlist:
    """Maps `top` with `parameters` (of BUILDS[name] if none are given) onto standard cells; files are `name`.* in `folder`.

    form: of multiplications, see syn/arithmetic.py; "best" takes the smallest of each; None leaves it to Yosys. for_timing: no black boxes are
    left; register files are made of cells, and a flip-flop stands at every pin of a ram. Raises SynthesisError.
    """
    fetch_library()
    folder.mkdir(parents=True, exist_ok=True)
    netlist = Netlist(top, folder / f"{name}.v", folder / f"{name}.json", library)
    settings = BUILDS[name] if parameters is None else parameters
    sources, multiply = sorted(RTL.glob("*.v")), "wreduce"
    if form:
        lanes, bits = dot_product_size(settings)
        dot_product, multipliers = folder / f"{name}-dot_product.v", folder / f"{name}-multipliers.v"
        dot_product.write_text(arithmetic.dot_product(lanes, bits, SMALLEST[bits] if form == "best" else form))
        multipliers.write_text("".join(arithmetic.multiplier(*kind, form="booth" if form == "best" else form) for kind in MULTIPLIERS))
        sources = [dot_product if path.stem == "dot_product" else path for path in sources]
        multiply = f"wreduce\ntechmap -map {multipliers}"
    if for_timing:
        sources = [SYN / "ram_pins.v" if path.stem == "ram" else path for path in sources]
    memories = "" if for_timing else f"blackbox {' '.join(MEMORIES)}"
    script = SCRIPT.format(rtl=RTL, sources=" ".join(map(str, sources)), syn=SYN, top=top, memories=memories, liberty=library.liberty,
                           fast=" ".join(f"*{module}" for module in FAST), parameters=" ".join(f"-chparam {key} {value}" for key, value in settings.items()),
                           multiply=multiply, json=netlist.json, **cells_of(library, folder))
    run_yosys(script, name, folder)
    buffered = json.loads(netlist.json.read_text())
    insert_buffers(buffered, top, library)
    netlist.json.write_text(json.dumps(buffered))
    run_yosys(WRITE.format(json=netlist.json, verilog=netlist.verilog, plain_verilog=netlist.plain_verilog), f"{name}-write", folder)
    return netlist
