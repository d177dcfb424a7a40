# SPDX-License-Identifier: MIT
"""Critical paths of a netlist, from OpenSTA."""

import re
from dataclasses import dataclass

from syn.synthesize import BUILD, Netlist, instance
from tb.bench import leash

# Inputs come from flip-flops of other modules and outputs go to such: their delay and set-up time stand at the ports.
SCRIPT = """
read_liberty {liberty}
read_verilog {verilog}
link_design {top}
create_clock -name clock -period {period} [get_ports clk_i]
set_input_delay 0.3 -clock clock [all_inputs]
set_input_transition 0.2 [all_inputs]
set_output_delay 0.2 -clock clock [all_outputs]
report_checks -path_delay max -group_count {paths} -format full
"""
PERIOD = 20.0  # ns, long enough to be met


class TimingError(Exception):
    """OpenSTA did not report paths; the message says why."""


@dataclass(frozen=True)
class Path:
    """A path between registers or ports: its time with set-up, in ns, and the cells on it."""

    ns: float
    cells: tuple[str, ...]

    @property
    def instances(self) -> list[str]:
        """Paths of the instances that it runs through, in order."""
        return list(dict.fromkeys(instance(cell) for cell in self.cells))


def paths(netlist: Netlist, count: int = 200) -> list[Path]:
    """The `count` slowest paths to different ends, slowest first. Raises TimingError."""
    script = netlist.verilog.with_suffix(".tcl")
    script.write_text(SCRIPT.format(liberty=netlist.library.liberty, verilog=netlist.plain_verilog, top=netlist.top, period=PERIOD, paths=count))
    try:
        report = leash.run(["sta", "-exit", script], cwd=BUILD, capture_output=True, text=True).stdout
    except FileNotFoundError:
        raise TimingError("OpenSTA is missing; please run: sudo apt-get install --no-install-recommends opensta") from None
    netlist.verilog.with_suffix(".sta").write_text(report)
    if "Error:" in report:
        raise TimingError(next(line for line in report.splitlines() if "Error:" in line))
    found = []
    for part in report.split("Startpoint:")[1:]:
        slack = re.search(r"(-?[\d.]+)\s+slack", part)
        cells = re.findall(r"[v^] (\S+)/\w+ \(\w+\)", part)
        found.append(Path(PERIOD - float(slack[1]), tuple(dict.fromkeys(cells))))
    if not found:
        raise TimingError(f"OpenSTA found no path (report: {netlist.verilog.with_suffix('.sta')})")
    return sorted(found, key=lambda path: -path.ns)
