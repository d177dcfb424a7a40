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


PORT = re.compile(r"(input|output)\s+wire\s+(\[[^\]]*\])?\s+(\w+)")


def registers_for_a_tile() -> str:
    """Verilog of a module with the ports of rtl/tile.v. Inputs end in registers; outputs are shift registers of the parity of all inputs, so that no bit is
    constant, or the same as another, and nothing around a tile is left out."""
    text = (RTL / "tile.v").read_text()
    head = text[:text.index(");", text.index(") (")) + 2]
    ports = PORT.findall(head)
    inputs = [(width, name) for direction, width, name in ports if direction == "input" and name != "clk_i"]
    registers = [f"  reg {width} {name}_q;" for width, name in inputs] + [f"  reg [{len(inputs) - 1}:0] seen_q;", "  reg parity_q;"]
    updates = [f"    {name}_q <= {name};\n    seen_q[{number}] <= ^{name}_q;" for number, (_, name) in enumerate(inputs)] + ["    parity_q <= ^seen_q;"]
    updates += [f"    {name} <= {{{name}, parity_q}};" for direction, _, name in ports if direction == "output"]
    return "\n".join([re.sub(r"output\s+wire", "output reg ", head), *registers, "  always @(posedge clk_i) begin", *updates, "  end", "endmodule", ""])


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
        timing.require()
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
