// SPDX-License-Identifier: MIT
// The one rounding rule: rounded = floor(value / 2^shift + 1/2), ties go up (docs/numerics.md).
//
// Signed integers in and out, any shift; combinational.
`default_nettype none

module round_shift #(
  parameter Width      = 32,
  parameter ShiftWidth = 6
) (
  input  wire signed [Width-1:0]      value_i,
  input  wire        [ShiftWidth-1:0] shift_i,
  output wire signed [Width-1:0]      rounded_o
);
  // One bit below the point is kept, so that a shift of zero needs no case of its own.
  wire signed [Width:0] halves = $signed({value_i, 1'b0}) >>> shift_i;
  /* verilator lint_off UNUSEDSIGNAL */  // the half itself falls away
  wire signed [Width:0] sum = halves + {{Width{1'b0}}, 1'b1};
  /* verilator lint_on UNUSEDSIGNAL */

  assign rounded_o = sum[Width:1];
endmodule

`default_nettype wire
