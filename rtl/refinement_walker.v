// SPDX-License-Identifier: MIT
// Walks through the rows of the unit at the head of the refinement queue that are to end above the lowest level, gate by gate;
// two that end at the same level share a pass.
//
// Combinational from the queue to pass_o; it moves on with take_i, and pops the unit with its last row.
`include "formats.vh"
`default_nettype none

module refinement_walker #(
  parameter IndexWidth  = 3,
  parameter UnitWidth   = 9,
  parameter WeightWidth = 13
) (
  input  wire                  clk_i,
  input  wire                  rst_ni,
  input  wire                  clear_i,
  // refinement queue
  input  wire                  valid_i,
  output wire                  pop_o,
  input  wire [IndexWidth-1:0] index_i,
  input  wire [`LEVELS]        levels_i,
  input  wire [`ENTRY]         entry_i,         // of the unit
  // row pass
  output wire                  valid_o,
  input  wire                  take_i,
  output wire [`PASS]          pass_o
);
  localparam Gates = `LEVELS_WIDTH / `LEVEL_WIDTH;

  // The first of some rows, of which there is one at least: whether o is among them need not be asked.
  function [`GATE] first_of(input [Gates-2:0] gates);
    first_of = gates[`GATE_I] ? `GATE_I : gates[`GATE_F] ? `GATE_F : gates[`GATE_G] ? `GATE_G : `GATE_O;
  endfunction

  reg  [Gates-1:0] taken_q, left, alike; // rows that wait; those of them, after the first, that end at its level
  wire [`GATE]     gate   = first_of(left[Gates-2:0]);
  wire [`GATE]     second = alike == 0 ? gate : first_of(alike[Gates-2:0]);
  wire [Gates-1:0] takes  = {{Gates-1{1'b0}}, 1'b1} << gate | {{Gates-1{1'b0}}, 1'b1} << second;
  wire             last   = (left & ~takes) == 0;

  integer k;
  always @*
    for (k = 0; k < Gates; k = k + 1)
      left[k] = levels_i[`LEVEL_WIDTH*k +: `LEVEL_WIDTH] != `LEVEL_LOWEST && !taken_q[k];

  // In a block of its own: which row comes first follows from `left`.
  integer other;
  always @*
    for (other = 0; other < Gates; other = other + 1)
      alike[other] = left[other] && other[`GATE] != gate && levels_i[`LEVEL_WIDTH*other +: `LEVEL_WIDTH] == levels_i[`LEVEL_WIDTH*gate +: `LEVEL_WIDTH];

  wire                   unused_last, unused_none;
  wire [`LAYER]          layer;
  wire [`STEP]           step;
  wire [UnitWidth-1:0]   unit;
  wire [WeightWidth-1:0] base;
  assign `ENTRY_OF(base, unit, step, layer, unused_none, unused_last) = entry_i;

  assign valid_o = valid_i;
  assign pop_o   = take_i && last;
  assign pass_o  = `PASS_OF(levels_i, last, base, unit, step, layer, gate, second, index_i);

  always @(posedge clk_i)
    if (!rst_ni || clear_i || pop_o) taken_q <= 0;
    else if (take_i) taken_q <= taken_q | takes;
endmodule

`default_nettype wire
