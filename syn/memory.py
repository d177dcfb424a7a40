# SPDX-License-Identifier: MIT
"""Area, energy and leakage of the memories of a tile, as SRAM macros of IHP SG13G2 (130 nm): models/quarters/memories.json, which syn/macros.py makes.

A memory is as many macros as its words are wide, side by side, and as many such rows as its words ask; an access wakes one row. Where a macro's word holds several
words of the memory, they share it. Register files are too small for macros: they are latches (syn/register_file.v).
"""

import json
import re
from dataclasses import dataclass

from models.build import Build
from models.formats import Target
from models.quarters.memories import DATA, macro

NODE, VOLTS = 130, 1.2  # nm, V
BUILDS = {"baseline": Build().baseline(), "dynamic": Build()}

# Macros by the instance of a memory, those that fit its ports and whose words fit best: of 512 words or less, which limits the access to 3.9 ns; the exponent beside the
# upper halves of activations has one of its own. Memories that are loaded while the tile is idle have one port.
MACROS = {
    "weights_hi": ("1P_512x64",), "weights_lo": ("1P_512x64",), "activations": ("2P_256x32",), "activations_hi": ("2P_256x32", "2P_256x8"),
    "activations_lo": ("2P_256x32",), "scales": ("1P_256x48",), "constants": ("1P_512x64", "1P_256x48"), "cells": ("2P_512x8",),
}


@dataclass(frozen=True)
class Memory:
    """A memory of so many words of so many bits, made of rows of macros: their names, side by side, and how many rows."""

    bits: int
    words: int
    row: tuple[str, ...]
    rows: int

    def figure(self, name: str) -> float:
        """Of a row of macros the sum of a figure, as read_pj."""
        return sum(macro(part)[name] for part in self.row)

    def write_pj(self, bits: int) -> float:
        """Of a write of so many bits of a word: the macros that hold them."""
        return -(-bits // macro(self.row[0])["bits"]) * macro(self.row[0])["write_pj"]

    @property
    def area_um2(self) -> float:
        return self.rows * self.figure("area_um2")

    @property
    def leakage_mw(self) -> float:
        return self.rows * self.figure("leakage_nw") * 1e-6

    @property
    def access_ns(self) -> float:
        """Clock to output of a macro; the choice of a row comes after it."""
        return max(macro(part)["access_ns"] for part in self.row)


def made_of(bits: int, words: int, names: tuple[str, ...]) -> Memory:
    """A memory of these macros: the last that is wide enough, or as many of the first as fit, and of the last for what is left."""
    fitting = [name for name in names if macro(name)["bits"] >= bits]
    if fitting:
        row, shared = (fitting[-1],), macro(fitting[-1])["bits"] // bits
    else:
        width = macro(names[0])["bits"]
        count, left = divmod(bits, width)
        row, shared = (names[0],) * count + (names[-1],) * -(-left // macro(names[-1])["bits"]), 1
    return Memory(bits, words, row, -(-words // (shared * macro(row[0])["words"])))


def memories(build: Build, weights: str | None = None) -> dict[str, Memory]:
    """Memories of a tile by name of their instance; weights: the macro of the weights, in place of that of MACROS."""
    bits, activation_words = build.operand_bits * build.dot_lanes, Target.ACTIVATIONS.depth(build)
    sizes = {"weights_hi": (bits, build.weight_depth)}
    if build.dynamic:
        sizes |= {"weights_lo": (bits, build.weight_depth), "activations_hi": (bits + 4, activation_words), "activations_lo": (bits, activation_words)}
    else:
        sizes |= {"activations": (bits, activation_words)}
    sizes |= {name: (target.word.kept(build.dynamic), target.depth(build))
              for name, target in (("scales", Target.SCALES), ("constants", Target.ROW_CONSTANTS), ("cells", Target.CELL))}
    return {name: made_of(*size, (weights,) if weights and name.startswith("weights") else MACROS[name]) for name, size in sizes.items()}


def names() -> list[str]:
    """All macros that are known."""
    return list(json.loads(DATA.read_text())["macros"])


def cell_name(name: str) -> str:
    """The cell of a macro in the process, of its name in memories.json."""
    return re.sub(r"_typ_.*", "", macro(name)["file"])


def black_boxes() -> str:
    """Verilog of all macros as black boxes, with the pins that are used; those of the built-in self-test are left out."""
    modules = []
    for name in names():
        figures = macro(name)
        width, address = figures["bits"], (figures["words"] - 1).bit_length()
        ports = "".join(f", input {port}_CLK, {port}_MEN, {port}_WEN, {port}_REN, input [{address - 1}:0] {port}_ADDR, input [{width - 1}:0] {port}_DIN, {port}_BM, "
                        f"output [{width - 1}:0] {port}_DOUT" for port in "AB"[:figures["ports"]])
        modules.append(f"(* blackbox *)\nmodule {cell_name(name)} ({ports[2:]});\nendmodule\n")
    return "".join(modules)


def verilog(build: Build) -> str:
    """A module `ram` that does what rtl/ram.v does with the macros of a build's memories: an access wakes one row of them, whose outputs a select follows.

    Raises ValueError for two memories of one size that have different macros.
    """
    kinds, masked = {}, {Target.ACTIVATIONS.depth(build)}  # words that are written in part
    for name, made in memories(build).items():
        if kinds.setdefault((made.bits, made.words), made) != made:
            raise ValueError(f"{name}: another memory of its size has other macros")
    bodies = "".join(f"    if (Width == {bits} && Depth == {words}) begin : gen_macros_{bits}x{words}{_rows(made, words not in masked)}\n    end\n"
                     for (bits, words), made in kinds.items())
    return f"""module ram #(
  parameter Width = 128, Depth = 256, WriteWidth = Width, AddressWidth = Depth > 1 ? $clog2(Depth) : 1
) (
  input  wire clk_i,
  input  wire [Width/WriteWidth-1:0] write_enable_i,
  input  wire [AddressWidth-1:0] write_address_i,
  input  wire [Width-1:0] write_data_i,
  input  wire read_enable_i,
  input  wire [AddressWidth-1:0] read_address_i,
  output wire [Width-1:0] read_data_o
);
  wire [Width-1:0] mask;
  wire [AddressWidth-1:0] access_address_i = |write_enable_i ? write_address_i : read_address_i;  // of a macro with one port: it is never read while it is written
  genvar row, place;
  generate
    for (place = 0; place < Width; place = place + 1) begin : gen_mask
      assign mask[place] = write_enable_i[place / WriteWidth];
    end
{bodies}  endgenerate
endmodule
"""


def _rows(made: Memory, whole_words: bool) -> str:
    """The body of a memory: its rows of macros, and the select. whole_words: it is written by whole words, so that no mask runs through its rows."""
    figures = [macro(name) for name in made.row]
    words, width = figures[0]["words"], sum(each["bits"] for each in figures)
    shared = max(1, figures[0]["bits"] // made.bits)  # words of the memory in a word of a macro, which is a slot of an address
    slot_bits, word_bits, address_bits = ((count - 1).bit_length() for count in (shared, words, made.words))
    top = slot_bits + word_bits
    copies, masks = "write_data_i", f"~{width}'d0" if whole_words and shared == 1 else "mask"
    if shared > 1:
        copies = f"{{{shared}{{write_data_i}}}}"
        masks = f"{{{', '.join(f'mask & {{Width{{write_address_i[{slot_bits - 1}:0] == {index}}}}}' for index in reversed(range(shared)))}}}"

    def chosen(port: str) -> str:
        """Whether an address is of this row."""
        return f"{port}_address_i[{address_bits - 1}:{top}] == row" if made.rows > 1 else "1'b1"

    cells, place = [], 0
    for number, (name, each) in enumerate(zip(made.row, figures, strict=True)):
        cells.append(_cell(number, name, f"[{place + each['bits'] - 1}:{place}]", slot_bits, min(word_bits, address_bits - slot_bits), chosen("write")))
        place += each["bits"]
    kept = [f"read_address_i[{high}:{low}]" for high, low in ((address_bits - 1, top), (slot_bits - 1, 0)) if high >= low and (low or slot_bits)]
    places = made.rows * shared
    return f"""
      wire [{width * made.rows - 1}:0] outputs;
      for (row = 0; row < {made.rows}; row = row + 1) begin : gen_row
        wire reads = read_enable_i && {chosen('read')};
        wire accessed = (read_enable_i || |write_enable_i) && {chosen('access')};
        wire [{width - 1}:0] data = {copies};
        wire [{width - 1}:0] enables = {masks};
        wire [{len(made.row) - 1}:0] writes;
        wire [{width - 1}:0] row_data;
        assign outputs[{width}*row +: {width}] = row_data;
{chr(10).join(cells)}
      end
      reg [{max((places - 1).bit_length(), 1) - 1}:0] select_q;
      always @(posedge clk_i) if (read_enable_i) select_q <= {{{', '.join(kept) or "1'b0"}}};
      reg [Width-1:0] selected;
      integer index;
      always @* begin
        selected = 0;
        for (index = 0; index < {places}; index = index + 1)
          selected = selected | (outputs[{width}*(index / {shared}) + Width*(index % {shared}) +: Width] & {{Width{{select_q == index}}}});
      end
      assign read_data_o = selected;"""


def _cell(number: int, name: str, part: str, slot_bits: int, word_bits: int, written: str) -> str:
    """A macro of a row: its part of the data, and word_bits of an address above those of the slot."""
    figures = macro(name)
    missing = (figures["words"] - 1).bit_length() - word_bits

    def address(port: str) -> str:
        taken = f"{port}_address_i[{slot_bits + word_bits - 1}:{slot_bits}]"
        return f"{{{missing}'d0, {taken}}}" if missing else taken

    def pins(port: str, **nets: str) -> str:
        return ", ".join(f".{port}_{pin}({net})" for pin, net in nets.items())

    data, read = {"DIN": f"data{part}", "BM": f"enables{part}"}, {"DOUT": f"row_data{part}"}
    if figures["ports"] == 1:
        found = pins("A", CLK="clk_i", MEN="accessed", WEN="|write_enable_i", REN="read_enable_i", ADDR=address("access"), **data, **read)
        return f"        {cell_name(name)} u_macro_{number} ({found});"
    nothing = f"{figures['bits']}'d0"
    found = ", ".join((pins("A", CLK="clk_i", MEN=f"writes[{number}]", WEN=f"writes[{number}]", REN="1'b0", ADDR=address("write"), **data),
                       pins("B", CLK="clk_i", MEN="reads", WEN="1'b0", REN="reads", ADDR=address("read"), DIN=nothing, BM=nothing, **read)))
    return f"        assign writes[{number}] = |enables{part} && |write_enable_i && {written};\n        {cell_name(name)} u_macro_{number} ({found});"
