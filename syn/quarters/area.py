# SPDX-License-Identifier: MIT
"""Area of the parts that quarter products change: python -m syn.quarters.area

Each part is mapped for itself, by the scripts of syn/synthesize.py, onto OSU 0.18 um cells, and with PDK=folder onto those of IHP SG13G2 (130 nm; no full adder and
no half adder there: abc makes them of gates). Dot products in every form of their multiplications: the best of each machine counts. Writes build/quarters/area.json.
"""

import json
import os
import re
import sys
from dataclasses import dataclass
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table
from tqdm import tqdm

from models.cache import cached
from models.formats import SCALES
from models.quarters.memories import macro
from models.sources import code
from syn import arithmetic
from syn.synthesize import LIBERTY, ROOT, RTL, SYN, SynthesisError, fetch_library, run_yosys

OUT = ROOT / "build" / "quarters" / "area.json"
BUILD = ROOT / "build" / "quarters" / "synthesis"
OWN = SYN / "quarters"
IHP = Path("ihp-sg13g2/libs.ref/sg13g2_stdcell/lib/sg13g2_stdcell_typ_1p20V_25C.lib")
# Cells of full and half adders as gates, for a library without them.
ADDERS = """module FAX1 (input A, B, C, output YC, YS); assign {YC, YS} = A + B + C; endmodule
module HAX1 (input A, B, output YC, YS); assign {YC, YS} = A + B; endmodule
"""
SCRIPT = """
{library}
read_verilog -DSYNTHESIS -I{rtl} {sources}
hierarchy -check -top {top} {parameters}
proc
opt
wreduce
{multiply}
opt
synth -noabc -top {top} -run begin:fine
maccmap
techmap -map {syn}/full_adder.v
techmap -map +/techmap.v -map {syn}/ripple.v t:$alu
techmap -map {syn}/ripple.v
{adders}
synth -noabc -run fine:check
flatten
{flip_flops}
abc -liberty {liberty} -script {syn}/map.abc {skip}
opt_clean -purge
stat -liberty {liberty}
"""
# Flip-flops of a library that has them with a reset only.
RESET_FLIP_FLOP = 'module \\$_DFF_P_ (input D, C, output Q); sg13g2_dfrbpq_1 q (.D(D), .CLK(C), .RESET_B(1\'b1), .Q(Q)); endmodule\n'


# Cells of that library that abc shall not take for gates or buffers.
UNUSED = ("*dlygate*", "*_16", "*einvn*", "*ebufn*")


@dataclass(frozen=True)
class Part:
    """A module to map: where its text is, and its parameters. text: Verilog that takes the place of a file."""

    top: str
    sources: tuple[Path, ...] = ()
    parameters: tuple[tuple[str, int], ...] = ()
    text: str = ""
    multipliers: str = ""


def dot_product(machine: str, form: str | None) -> Part:
    """The dot product of a machine: 16 of 8x8, 32 of 4x8 or 64 of 4x4, with multiplications in a form, or as Yosys has them (None)."""
    lanes, weight, activation = {"8x8": (16, 8, 8), "4x8": (32, 4, 8), "4x4": (64, 4, 4)}[machine]
    if form:
        return Part("dot_product", text=arithmetic.dot_product(lanes, weight, form, activation_bits=activation))
    if machine == "4x4":
        return Part("quarter_dot_product", (OWN / "quarter_dot_product.v",))
    return Part("dot_product", (RTL / "dot_product.v",), (("Lanes", lanes), ("WeightBits", weight)))


def scaling(width: int) -> Part:
    """The accumulator of a segment times m: as of rtl/row_sums.v, without the addition to the row sum, which is the same in all machines."""
    product = width + SCALES["m_h"].width + 1
    multiplier = arithmetic.multiplier(width, SCALES["m_h"].width + 1, product, True, True, "booth")
    text = f"""module scaling (input wire clk_i, input wire signed [{width - 1}:0] acc_i, input wire [15:0] m_i, output reg signed [{product - 1}:0] product_o);
  always @(posedge clk_i) product_o <= acc_i * $signed({{1'b0, m_i}});
endmodule
"""
    return Part("scaling", text=text, multipliers=multiplier)


def segment_sum(**parameters: int) -> Part:
    return Part("segment_sum", (OWN / "segment_sum.v",), tuple(parameters.items()))


FORMS = (*arithmetic.FORMS, None)
PARTS = {
    **{f"dot product {machine}, {form or 'left to Yosys'}": dot_product(machine, form) for machine in ("8x8", "4x8", "4x4") for form in FORMS},
    **{f"dot product 16 of 4x4, {form}": Part("dot_product", text=arithmetic.dot_product(16, 4, form, activation_bits=4)) for form in arithmetic.FORMS},
    "segment sum 8x8": segment_sum(InputWidth=20, Width=25, Quarters=0),
    "segment sum 4x8": segment_sum(InputWidth=17, Width=21, Quarters=0),
    "segment sum 4x4": segment_sum(InputWidth=14, Width=25),
    "segment sum 4x4, exponents": segment_sum(InputWidth=14, Width=25, Exponents=1),
    "segment sum of fourths": Part("fourths_sum", (OWN / "fourths_sum.v",)),
    "scaling of 25 bits": scaling(25), "scaling of 21 bits": scaling(21),
    **{f"choice of nibbles, sharing {sharing}": Part("nibble_choice", (OWN / "nibble_choice.v",), (("Sharing", sharing),)) for sharing in (0, 1, 2)},
    **{f"thresholds, {count}{' shared' if shared else ''}": Part("level_threshold", (OWN / "level_threshold.v",), (("Thresholds", count), ("Shared", shared)))
       for count in (1, 2, 3) for shared in ((1,) if count == 1 else (1, 0))},
}


def area(name: str, part: Part, liberty: Path, library: str) -> float:
    """Cell area of a part in square micrometres. Raises SynthesisError."""
    folder = BUILD / library
    folder.mkdir(parents=True, exist_ok=True)
    stem = re.sub(r"\W+", "-", name)
    sources = list(part.sources)
    if part.text:
        sources.append(folder / f"{stem}.v")
        sources[-1].write_text(part.text)
    multiply, ihp = "", library == "IHP"
    if part.multipliers:
        (folder / f"{stem}-multiplier.v").write_text(part.multipliers)
        multiply = f"techmap -map {folder / f'{stem}-multiplier.v'}"
    if ihp:
        (folder / "adders.v").write_text(ADDERS)
        (folder / "flip_flop.v").write_text(RESET_FLIP_FLOP)
    if ihp:
        library_cells, adders = f"read_verilog -lib {folder / 'adders.v'}", f"techmap -map {folder / 'adders.v'}"
        flip_flops, skip = f"dfflegalize -cell $_DFF_P_ x\ntechmap -map {folder / 'flip_flop.v'}", " ".join(f"-dont_use {name}" for name in UNUSED)
    else:
        library_cells, adders, flip_flops, skip = f"read_liberty -lib {liberty}", "", f"dfflibmap -liberty {liberty}", ""
    script = SCRIPT.format(
        library=library_cells, adders=adders, flip_flops=flip_flops, skip=skip, rtl=RTL, sources=" ".join(map(str, sources)), top=part.top, syn=SYN,
        liberty=liberty, parameters=" ".join(f"-chparam {key} {value}" for key, value in part.parameters), multiply=multiply)
    log = run_yosys(script, stem, folder)
    found = re.findall(r"Chip area for (?:top )?module '\\\S+': ([\d.]+)", log)
    if not found or re.search("Area for cell type .* is unknown", log):
        raise SynthesisError(f"{name}: no area, or of unknown cells (log: {folder / stem}.log)")
    return float(found[-1])


def best(areas: dict[str, float], machine: str) -> float:
    """The dot product of a machine in its smallest form."""
    return min(value for name, value in areas.items() if name.startswith(f"dot product {machine},"))


def totals(areas: dict[str, float]) -> dict[str, float]:
    """Dot product, choice of nibbles, sum of a segment, scaling, of each machine and its variants."""
    fourths = 4 * best(areas, "16 of 4x4")
    plane = areas["choice of nibbles, sharing 0"]
    both = {sharing: areas[f"choice of nibbles, sharing {sharing}"] for sharing in (0, 1, 2)}
    quarter = best(areas, "4x4") + 2 * plane + areas["scaling of 25 bits"]
    return {
        "16 of 8x8": best(areas, "8x8") + areas["segment sum 8x8"] + areas["scaling of 25 bits"],
        "32 of 4x8": best(areas, "4x8") + plane / 2 + areas["segment sum 4x8"] + areas["scaling of 21 bits"],
        "64 of 4x4": quarter + areas["segment sum 4x4"],
        "64 of 4x4, exponents": quarter + areas["segment sum 4x4, exponents"],
        "64 of 4x4, two rows share a word": fourths + plane + both[1] + 2 * areas["segment sum 4x4"] + areas["scaling of 25 bits"],
        "64 of 4x4, quarters share a word": fourths + 2 * both[2] + areas["segment sum of fourths"] + areas["scaling of 25 bits"],
    }


def constants() -> dict[str, dict[str, float]]:
    """Row constants by number of levels: bits of a row, and area of 2,048 rows in macros of 64 bits, in square micrometres.

    A row has s (6 bits), b, and for each level above the lowest an offset (8 bits) and a bias (18 bits), or one offset and two biases with
    differences that a layer and gate share.
    """
    found = {}
    for levels in (2, 3, 4, 5):
        for name, bits in (("own", 6 + 18 * levels + 8 * (levels - 1)), ("own biases, one offset", 6 + 18 * levels + 8), ("shared", 6 + 18 * 2 + 8)):
            found[f"{levels} levels, {name}"] = {"bits": bits, "um2": -(-bits // 64) * macro("1P_2048x64")["area_um2"]}
    return found


def tables(found: dict[str, dict[str, float]]) -> list[Table]:
    parts = Table(box=box.SIMPLE_HEAD, title="parts, square micrometres of cells")
    sums = Table(box=box.SIMPLE_HEAD, title="row engine without memories and control: square micrometres, and over 16 of 8x8")
    for table in (parts, sums):
        table.add_column("")
        for library in found:
            table.add_column(library, justify="right")
    for name in PARTS:
        parts.add_row(name, *(f"{areas[name]:,.0f}" if name in areas else "" for areas in found.values()))
    all_totals = {library: totals(areas) for library, areas in found.items()}
    for name in next(iter(all_totals.values())):
        sums.add_row(name, *(f"{own[name]:,.0f} ({100 * own[name] / own['16 of 8x8'] - 100:+.1f} %)" for own in all_totals.values()))
    rows = Table(box=box.SIMPLE_HEAD, title="row constants of a tile with 2,048 rows, in macros of 2048x64")
    for heading in ("", "bits of a row", "um2"):
        rows.add_column(heading, justify="right" if heading else "left")
    for name, own in constants().items():
        rows.add_row(name, str(own["bits"]), f"{own['um2']:,.0f}")
    return [parts, sums, rows]


def main() -> None:
    fetch_library()
    libraries = {"OSU018": LIBERTY}
    if os.environ.get("PDK"):
        libraries["IHP"] = Path(os.environ["PDK"]) / IHP
    missing = [str(path) for path in libraries.values() if not path.exists()]
    if missing:
        sys.exit(f"no {missing[0]}; PDK is a clone of IHP-Open-PDK")
    found = {library: {} for library in libraries}
    for library, name in tqdm([(library, name) for library in libraries for name in PARTS], unit="part", dynamic_ncols=True):
        if library == "OSU018" or "Yosys" not in name:  # which is never the smallest form, and takes minutes
            found[library][name] = cached(("quarters area", library, SCRIPT, PARTS[name], code("syn.quarters.area")),
                                          lambda name=name, library=library: area(name, PARTS[name], libraries[library], library))
    console = Console(width=160)
    for table in tables(found):
        console.print(table)
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text(json.dumps({"areas": found, "totals": {library: totals(areas) for library, areas in found.items()}, "constants": constants()}, indent=1) + "\n")
    print(OUT)


if __name__ == "__main__":
    main()
