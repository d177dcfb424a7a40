"""Cell area of a tile, module by module, for the dynamic and the plain build: `make area`.

Yosys maps the tile onto the OSU 0.18 um standard cells, its hierarchy kept. Memories (`ram`, `register_file`) are black
boxes and are counted in bits. abc gets a short script of its own, as its default ones do not come to an end on multiplier trees.
"""

import json
import re
import subprocess
import sys
from collections import Counter, defaultdict
from pathlib import Path

from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "build" / "area"
LIBERTY = ROOT / "build" / "osu018" / "osu018_stdcells.lib"
# Memories of as many bytes in both: words of the plain build are half as wide.
BUILDS = {
    "dynamic": "-chparam DynamicPrecision 1",
    "plain": "-chparam DynamicPrecision 0 -chparam WeightDepth 32768 -chparam ActivationDepth 512",
}

MEMORIES = ("ram", "register_file")

SCRIPT = """
read_verilog -DSYNTHESIS -I{rtl} {rtl}/*.v
hierarchy -check -top lstm_accelerator {parameters}
proc
check -assert
design -reset
read_verilog -DSYNTHESIS -I{rtl} {rtl}/*.v
blackbox ram register_file
hierarchy -check -top tile {parameters}
synth -noabc -top tile -run begin:fine
maccmap
techmap -map {syn}/full_adder.v
synth -noabc -run fine:check
dfflibmap -liberty {liberty}
abc -liberty {liberty} -script {syn}/map.abc
opt_clean -purge
write_json {netlist}
"""


def start(name: str) -> subprocess.Popen:
    """Starts Yosys on one build. It writes `name`.json, a netlist of cells, and `name`.log below BUILD."""
    script = BUILD / f"{name}.ys"
    script.write_text(SCRIPT.format(rtl=ROOT / "rtl", syn=ROOT / "syn", liberty=LIBERTY, parameters=BUILDS[name],
                                    netlist=BUILD / f"{name}.json"))
    command = f"from pyosys import libyosys; libyosys.run_pass('script {script}')"
    with open(BUILD / f"{name}.log", "w") as log:
        return subprocess.Popen([sys.executable, "-c", command], stdout=log, stderr=subprocess.STDOUT)


def cell_areas(liberty: str) -> dict[str, float]:
    """Area of each cell of a Liberty file, in square micrometres."""
    return {name: float(area) for name, area in re.findall(r"cell \((\w+)\) \{.*?area : ([\d.]+)", liberty, re.DOTALL)}


def count(netlist: dict, areas: dict[str, float], top: str = "tile") -> tuple[Counter, dict[str, float], int]:
    """Instances and cell area (without submodules) by module of the source, and bits of memory, below `top`."""
    instances, area, bits = Counter(), defaultdict(float), 0
    pending = [top]
    while pending:
        kind = pending.pop()
        module = netlist["modules"][kind]
        name = module["attributes"].get("hdlname", kind)  # the name that a module had before its parameters were set
        instances[name] += 1
        for cell in module["cells"].values():
            if cell["type"] in MEMORIES:
                bits += int(cell["parameters"]["Width"], 2) * int(cell["parameters"]["Depth"], 2)
            elif cell["type"] in areas:
                area[name] += areas[cell["type"]]
            else:
                pending.append(cell["type"])
    return instances, area, bits


def main() -> None:
    BUILD.mkdir(parents=True, exist_ok=True)
    runs = {name: start(name) for name in BUILDS}
    results = {}
    areas = cell_areas(LIBERTY.read_text())
    for name, run in runs.items():
        if run.wait():
            log = BUILD / f"{name}.log"
            errors = [line for line in log.read_text().splitlines() if "ERROR" in line]
            sys.exit(f"area: Yosys stopped on the {name} build: {(errors or ['no message'])[-1]} (log: {log})")
        results[name] = count(json.loads((BUILD / f"{name}.json").read_text()), areas)

    (dynamic_instances, dynamic, dynamic_bits), (plain_instances, plain, plain_bits) = results["dynamic"], results["plain"]
    total, plain_total = sum(dynamic.values()), sum(plain.values())
    table = Table(title="Cell area of a tile, square micrometres (OSU 0.18 um; without memories)")
    for heading in ("module", "instances", "dynamic", "share", "instances", "plain", "share", "difference"):
        table.add_column(heading, justify="left" if heading == "module" else "right")
    for name in sorted(dynamic.keys() | plain.keys(), key=lambda name: -dynamic.get(name, 0)):
        a, b = dynamic.get(name, 0), plain.get(name, 0)
        table.add_row(name, str(dynamic_instances[name]), f"{a:,.0f}", f"{a / total:.1%}",
                      str(plain_instances[name]), f"{b:,.0f}", f"{b / plain_total:.1%}", f"{a - b:+,.0f}")
    table.add_section()
    table.add_row("total", "", f"{total:,.0f}", "", "", f"{plain_total:,.0f}", "", f"{total / plain_total - 1:+.1%}")
    table.add_row("memory bits", "", f"{dynamic_bits:,}", "", "", f"{plain_bits:,}", "", f"{dynamic_bits / plain_bits - 1:+.1%}")
    Console(width=100).print(table)


if __name__ == "__main__":
    main()
