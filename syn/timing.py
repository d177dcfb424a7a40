# SPDX-License-Identifier: MIT
"""Critical paths of a netlist, from OpenSTA: cells, and macros with their access and set-up, at a corner of the process; wires by the wire-load model of syn/power.py."""

import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from models.quarters.memories import macro
from syn import memory
from syn.library import CORNERS, MACROS, pdk
from syn.power import WIRES
from syn.synthesize import Netlist, instance
from tb.bench import leash

# A latch is open in the first half of a cycle, for data that a register took at its begin: so its output counts as that register's delay later than its clock.
# Inputs come from flip-flops of other modules and outputs go to such: their delay and set-up time stand at the ports.
SCRIPT = """
{liberty}
read_verilog {verilog}
link_design {top}
set_wire_load_mode top
set_wire_load_model -name {wires}
create_clock -name clock -period {period} [get_ports clk_i]
set_input_delay 0.3 -clock clock [all_inputs]
set_input_transition 0.2 [all_inputs]
set_output_delay 0.2 -clock clock [all_outputs]
{latches}
report_checks -path_delay max -group_count {paths} -format full -digits 3
"""
PERIOD = 20.0  # ns, long enough to be met


class TimingError(Exception):
    """OpenSTA did not report paths; the message says why."""


@dataclass(frozen=True)
class TimingPath:
    """A path between registers or ports: its time with set-up, in ns, and the cells on it."""

    ns: float
    cells: tuple[str, ...]

    @property
    def instances(self) -> list[str]:
        """Paths of the instances that it runs through, in order."""
        return list(dict.fromkeys(instance(cell) for cell in self.cells))


LATCHES = """set_false_path -to [get_pins *.u_latch.cell/D]
set_clock_latency 0.3 [get_pins *.u_latch.cell/{gate}]"""
# Macros whose slow corner the process does not publish: the next wider one of the same words stands for them there.
SLOW = {"1P_256x48": "1P_256x64", "2P_256x8": "2P_256x32", "2P_512x8": "2P_512x32"}


def _macros(netlist: Netlist, corner: str) -> set[Path]:
    """Liberty files of the macros of a netlist at a corner, those that stand for others beside the netlist. Raises TimingError where one is missing."""
    files = set()
    for cell in set(netlist.macros().values()):
        name = next(name for name in memory.names() if memory.cell_name(name) == cell)
        there = SLOW.get(name, name) if corner == "slow" else name
        path = pdk() / MACROS / macro(there)["file"].replace(CORNERS["typical"], CORNERS[corner])
        if not path.exists():
            raise TimingError(f"the PDK has no {path}")
        if there != name:
            path, text = netlist.verilog.with_name(f"{cell}-{corner}.lib"), path.read_text()
            path.write_text(narrowed(text, there, name))
        files.add(path)
    return files


def require() -> None:
    """Raises TimingError where OpenSTA is missing."""
    if not shutil.which("sta"):
        raise TimingError("OpenSTA is missing; please run: sudo apt-get install --no-install-recommends opensta")


def narrowed(text: str, wide: str, narrow: str) -> str:
    """The Liberty file of a macro as that of one with fewer bits a word: under its name, with the timing of the wider one."""
    old, new = macro(wide)["bits"], macro(narrow)["bits"]
    text = text.replace(f"cell({memory.cell_name(wide)})", f"cell({memory.cell_name(narrow)})").replace(f"[{old - 1}:0]", f"[{new - 1}:0]")
    text = re.sub(r"(library\(\w+)\b", rf"\1_as_{new}", text)
    return re.sub(rf"bit_from\s*: {old - 1}\b", f"bit_from : {new - 1}", re.sub(rf"bit_width\s*: {old}\b", f"bit_width : {new}", text))


def paths(netlist: Netlist, corner: str = "typical", count: int = 200) -> list[TimingPath]:
    """The `count` slowest paths to different ends, slowest first. Raises TimingError."""
    script = netlist.verilog.with_suffix(f".{corner}.tcl")
    text, macros = netlist.plain_verilog.read_text(), _macros(netlist, corner)
    libraries = "\n".join(f"read_liberty {path}" for path in sorted({netlist.library.at(corner), *macros}))
    script.write_text(SCRIPT.format(liberty=libraries, verilog=netlist.plain_verilog, top=netlist.top, period=PERIOD, paths=count, wires=WIRES,
                                    latches=LATCHES.format(gate=netlist.library.latch_gate) if ".u_latch.cell" in text else ""))
    require()
    done = leash.run(["sta", "-exit", script], cwd=script.parent, capture_output=True, text=True)
    report = done.stdout + done.stderr
    script.with_suffix(".sta").write_text(report)
    if "Error:" in report:
        raise TimingError(next(line for line in report.splitlines() if "Error:" in line))
    found = []
    for part in report.split("Startpoint:")[1:]:
        slack = re.search(r"(-?[\d.]+)\s+slack", part)
        cells = re.findall(r"[v^] (\S+)/\S+ \(\w+\)", part)
        found.append(TimingPath(PERIOD - float(slack[1]), tuple(dict.fromkeys(cells))))
    if not found:
        raise TimingError(f"OpenSTA found no path (report: {script.with_suffix('.sta')})")
    return sorted(found, key=lambda path: -path.ns)
