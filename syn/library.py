# SPDX-License-Identifier: MIT
"""The standard cells that a netlist is made of: OSU 0.18 um, which everything is measured with, and IHP SG13G2 (130 nm) for the clock.

IHP's cells are those of a clone of IHP-Open-PDK that PDK names. They have no full adder and no half adder, which abc then makes of gates, and no flip-flop
without reset.
"""

import os
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Library:
    """Standard cells. adders, flip_flop: Verilog of gates for adders and for a flip-flop without reset, where there is none; unused: cells that abc shall not take."""

    name: str
    liberty: Path
    buffer: tuple[str, str, str]  # cell, input, output
    adders: str = ""
    flip_flop: str = ""
    unused: tuple[str, ...] = field(default=())
    target: int = 7000            # ps that paths are mapped for
    most_load: float = 0.25       # pF that a net may drive


OSU = Library("OSU018", ROOT / "build" / "osu018" / "osu018_stdcells.lib", ("BUFX4", "A", "Y"))
IHP = Library(
    "IHP", Path(os.environ.get("PDK", "")) / "ihp-sg13g2/libs.ref/sg13g2_stdcell/lib/sg13g2_stdcell_typ_1p20V_25C.lib", ("sg13g2_buf_4", "A", "X"),
    adders="""module FAX1 (input A, B, C, output YC, YS); assign {YC, YS} = A + B + C; endmodule
module HAX1 (input A, B, output YC, YS); assign {YC, YS} = A + B; endmodule
""",
    flip_flop="module \\$_DFF_P_ (input D, C, output Q); sg13g2_dfrbpq_1 q (.D(D), .CLK(C), .RESET_B(1'b1), .Q(Q)); endmodule\n",
    unused=("*dlygate*", "*_16", "*einvn*", "*ebufn*"), target=3000, most_load=0.12)
