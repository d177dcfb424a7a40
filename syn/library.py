# SPDX-License-Identifier: MIT
"""The process that a netlist is made of: IHP SG13G2 (130 nm), which every figure is of, and OSU 0.18 um, whose package lets tests run without it.

PDK names a clone of IHP-Open-PDK, or a folder with its Liberty files in its own folders. What a library has no cell for is given as Verilog of its other cells.
"""

import os
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CELLS = Path("ihp-sg13g2/libs.ref/sg13g2_stdcell/lib")
MACROS = Path("ihp-sg13g2/libs.ref/sg13g2_sram/lib")
CORNERS = {"typical": "typ_1p20V_25C", "slow": "slow_1p08V_125C"}


def pdk() -> Path:
    """The folder that PDK names. Raises FileNotFoundError if it holds no IHP SG13G2."""
    folder = Path(os.environ.get("PDK", ""))
    if not os.environ.get("PDK") or not (folder / CELLS).is_dir():
        raise FileNotFoundError(f"PDK={os.environ.get('PDK', '')}: no {CELLS} there; give a clone of IHP-Open-PDK (docs/silicon.md says which files are needed)")
    return folder


@dataclass(frozen=True)
class Library:
    """Standard cells. adders, flip_flop, latch: Verilog, where the library's own do not do; unused: cells that abc shall not take."""

    name: str
    liberty: Path
    buffer: tuple[str, str, str]  # cell, input, output
    latch: str                    # modules `latch` (gate, d, q) and `clock_gate` (clock, enable, gated)
    latch_gate: str               # its pin
    adders: str = ""
    flip_flop: str = ""
    unused: tuple[str, ...] = field(default=())
    target: int = 7000            # ps that the paths of a module are mapped for
    most_load: float = 0.25       # pF that a net may drive

    def at(self, corner: str) -> Path:
        """The cells' Liberty file at a corner of CORNERS."""
        return self.liberty.with_name(self.liberty.name.replace(CORNERS["typical"], CORNERS[corner]))


OSU = Library(
    "OSU018", ROOT / "build" / "osu018" / "osu018_stdcells.lib", ("BUFX4", "A", "Y"),
    latch="""module latch (input gate, d, output q); LATCH cell (.CLK(gate), .D(d), .Q(q)); endmodule
module clock_gate (input clock, enable, output gated);
  wire inverted, held;
  INVX1 inverter (.A(clock), .Y(inverted));
  LATCH cell (.CLK(inverted), .D(enable), .Q(held));
  AND2X2 gate (.A(clock), .B(held), .Y(gated));
endmodule
""", latch_gate="CLK")


def ihp() -> Library:
    """The cells of IHP SG13G2. They have no full adder and no half adder, which abc then makes of gates, and no flip-flop without reset.

    Raises FileNotFoundError.
    """
    return Library(
        "IHP", pdk() / CELLS / f"sg13g2_stdcell_{CORNERS['typical']}.lib", ("sg13g2_buf_4", "A", "X"),
        latch="""module latch (input gate, d, output q); sg13g2_dlhrq_1 cell (.GATE(gate), .D(d), .RESET_B(1'b1), .Q(q)); endmodule
module clock_gate (input clock, enable, output gated); sg13g2_lgcp_1 cell (.CLK(clock), .GATE(enable), .GCLK(gated)); endmodule
""", latch_gate="GATE",
        adders="""module FAX1 (input A, B, C, output YC, YS); assign {YC, YS} = A + B + C; endmodule
module HAX1 (input A, B, output YC, YS); assign {YC, YS} = A + B; endmodule
""",
        flip_flop="module \\$_DFF_P_ (input D, C, output Q); sg13g2_dfrbpq_1 q (.D(D), .CLK(C), .RESET_B(1'b1), .Q(Q)); endmodule\n",
        unused=("*dlygate*", "*_16", "*einvn*", "*ebufn*", "*sighold*"), target=3000, most_load=0.12)
