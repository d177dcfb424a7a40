// SPDX-License-Identifier: MIT
// The next quarter of a word: of those that are left the first in the order LH, LL, HL, HH, and the memories that it reads.
//
// In this order each set of quarters reads no word of a memory twice: a memory is read for the first quarter that needs it, and holds its word for the next.
// Activations that the memories hold for another row are not read at all. Combinational.
`include "formats.vh"
`default_nettype none

module next_quarter (
  input  wire [`QUARTERS] set_i,    // quarters of the word
  input  wire [`QUARTERS] left_i,   // those that have not come
  input  wire             held_i,   // the activations of all of them are held
  output wire [`QUARTER]  quarter_o,
  output wire [`QUARTERS] left_o,
  output wire [`QUARTERS] reads_o   // memories: weights upper, lower; activations upper, lower
);
  /* verilator lint_off UNUSEDSIGNAL */ // HH comes last
  wire [`QUARTERS] done = set_i & ~left_i;
  /* verilator lint_on UNUSEDSIGNAL */

  assign quarter_o = left_i[`QUARTER_LH] ? `QUARTER_LH : left_i[`QUARTER_LL] ? `QUARTER_LL : left_i[`QUARTER_HL] ? `QUARTER_HL : `QUARTER_HH;
  assign left_o    = left_i & ~(4'd1 << quarter_o);

  wire weight_lo       = quarter_o == `QUARTER_LH || quarter_o == `QUARTER_LL;
  wire activation_lo   = quarter_o == `QUARTER_HL || quarter_o == `QUARTER_LL;
  wire weight_read     = weight_lo ? !done[`QUARTER_LH] : !done[`QUARTER_HL];
  wire activation_read = !held_i && (activation_lo ? !done[`QUARTER_LL] : !done[`QUARTER_LH]);

  assign reads_o = {activation_lo && activation_read, !activation_lo && activation_read, weight_lo && weight_read, !weight_lo && weight_read};
endmodule

`default_nettype wire
