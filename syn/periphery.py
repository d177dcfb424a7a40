# SPDX-License-Identifier: MIT
"""The slowest paths outside of the tiles, whose own are in `make silicon`: `PDK=folder python -m syn.periphery`; a table in docs/silicon.md.

The whole accelerator is mapped as a tile is, with registers in place of each tile: an input of a tile ends in one, an output begins in one. Memories of the
periphery are registers at their ports as well; their access is in no path.
"""

import re
import sys
from concurrent.futures import ThreadPoolExecutor

from rich.console import Console
from rich.table import Table

from syn import timing
from syn.library import CORNERS, ihp
from syn.silicon import PAGE
from syn.synthesize import BUILDS, RTL, SynthesisError, synthesize
from syn.tables import lines, table
from tb.commands.pages import with_tables

SHOWN = 5  # paths of a build
MEMORY = """`default_nettype none
module ram #(
  parameter Width = 8, parameter Depth = 16, parameter WriteWidth = Width, parameter AddressWidth = Depth > 1 ? $clog2(Depth) : 1
) (
  input  wire                        clk_i,
  input  wire [Width/WriteWidth-1:0] write_enable_i,
  input  wire [AddressWidth-1:0]     write_address_i,
  input  wire [Width-1:0]            write_data_i,
  input  wire                        read_enable_i,
  input  wire [AddressWidth-1:0]     read_address_i,
  output reg  [Width-1:0]            read_data_o
);
  reg             parity_q;
  reg [Width-1:0] data_q;
  reg [Width/WriteWidth+2*AddressWidth:0] control_q;
  always @(posedge clk_i) begin
    control_q   <= {write_enable_i, write_address_i, read_enable_i, read_address_i};
    parity_q    <= ^control_q;
    data_q      <= write_data_i;
    read_data_o <= data_q ^ {Width{parity_q}};
  end
endmodule
"""


def registers_for_a_tile() -> str:
    """Verilog of a module with the ports of rtl/tile.v, each of which ends or begins in a register that depends on all inputs, so that nothing is left out."""
    text = (RTL / "tile.v").read_text()
    head = text[:text.index(");", text.index(") (")) + 2]
    inputs = [name for name in re.findall(r"input\s+wire\s+(?:\[[^\]]*\]\s+)?(\w+)", head) if name != "clk_i"]
    outputs = re.findall(r"output\s+wire\s+(?:\[[^\]]*\]\s+)?(\w+)", head)
    head = re.sub(r"output\s+wire", "output reg ", head)
    body = [f"    seen_q[{number}] <= ^{{{name}_q}};\n    {name}_q <= {name};" for number, name in enumerate(inputs)]
    widths = {name: width or "" for width, name in re.findall(r"input\s+wire\s+(\[[^\]]*\])?\s+(\w+)", head)}
    # A toggle of each bit, so that none equals another: outputs are counters that step with what is seen.
    return head + "\n" + "".join(f"  reg {widths[name]} {name}_q;\n" for name in inputs) + f"  reg [{len(inputs) - 1}:0] seen_q;\n  reg parity_q;\n" \
        "  always @(posedge clk_i) begin\n    parity_q <= ^seen_q;\n" + "\n".join(body) + "\n" + \
        "".join(f"    {name} <= {{{name}, parity_q}};\n" for name in outputs) + "  end\nendmodule\n"


def slowest(build: str) -> dict[str, dict[tuple[str, ...], float]]:
    """ns by corner and by the instances that a path runs through, of the slowest paths. Raises SynthesisError, TimingError."""
    made = synthesize(f"periphery-{build}", "lstm_accelerator", BUILDS[build], library=ihp(), stand_ins={"tile": registers_for_a_tile(), "ram": MEMORY})
    found = {}
    for corner in CORNERS:
        by_way = found.setdefault(corner, {})
        for path in timing.paths(made, corner):
            by_way.setdefault(tuple(name.rpartition(".")[2] for name in path.instances if name), path.ns)
    return found


def report(paths: dict[str, dict[str, dict[tuple[str, ...], float]]]) -> Table:
    """The slowest paths of each build. paths: of `slowest`."""
    made = table("Slowest paths outside of the tiles, ns", "build", "through", "typical", "slow", left=2)
    for build, corners in paths.items():
        for way, ns in list(corners["typical"].items())[:SHOWN]:
            slow = corners["slow"].get(way)
            made.add_row(build, " > ".join(way), f"{ns:.2f}", f"{slow:.1f}" if slow else "")
    return made


def main() -> None:
    try:
        ihp()
        with ThreadPoolExecutor(2) as pool:
            paths = dict(zip(BUILDS, pool.map(slowest, BUILDS)))
    except (SynthesisError, timing.TimingError, FileNotFoundError) as error:
        sys.exit(f"periphery: {error}")
    made = report(paths)
    Console(width=160).print(made)
    PAGE.write_text(with_tables(PAGE.read_text(), {"periphery": lines(made)}, "python -m syn.periphery"))


if __name__ == "__main__":
    main()
