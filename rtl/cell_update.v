// SPDX-License-Identifier: MIT
// Cell state and output of a unit: c' = sat16(round(f*c / 2^15) + round(i*g / 2^(30 - c_frac))), h = sat(round(o*t / 2^23)), t = tanh(c').
//
// Gates and t int16 Q0.15, c int16 with c_frac fraction bits, h int8 Q0.7 in [-127, 127]. One multiplier serves the three products: the
// gates come from the activation unit one a cycle in the order i, f, g, o, and t three cycles after o.
// Cycles of a unit: i 0, f 1, g 2, o 3; c' and its form for tanh valid in 4; t in 6; h valid in 8. A unit may start every 8 cycles.
// c must hold in cycle 1, c_frac in cycle 3.
`include "formats.vh"
`default_nettype none

module cell_update (
  input  wire                                       clk_i,
  input  wire                                       i_valid_i,
  input  wire                                       f_valid_i,
  input  wire                                       g_valid_i,
  input  wire                                       o_valid_i,
  input  wire signed [15:0]                         value_i,
  input  wire signed [`CELL_C]                      c_i,
  input  wire        [`DESCRIPTOR_C_FRAC_WIDTH-1:0] c_frac_i,
  output wire signed [`CELL_C]                      c_new_o,
  output wire signed [15:0]                         tanh_argument_o,
  output wire signed [`H]                           h_o
);
  reg signed [15:0] i_q, o_q, c_new_q;
  reg signed [31:0] product_q;
  reg signed [16:0] forget_q;
  reg signed [7:0]  h_q;
  reg        [3:0]  c_frac_q;

  wire signed [15:0] factor = f_valid_i ? c_i : g_valid_i ? i_q : o_q;

  // The same shifter serves the three products: o*t is rounded to Q0.7.
  wire [4:0] shift = g_valid_i ? 5'd15 : o_valid_i ? 5'd30 - {1'b0, c_frac_i} : 5'd23;

  /* verilator lint_off UNUSEDSIGNAL */  // |product| <= 2^30 and shift >= 15: 17 bits hold it
  wire signed [31:0] rounded;
  /* verilator lint_on UNUSEDSIGNAL */
  round_shift #(.Width(32), .ShiftWidth(5)) u_round_product (
    .value_i  (product_q),
    .shift_i  (shift),
    .rounded_o(rounded)
  );

  wire signed [17:0] c_sum      = forget_q + $signed(rounded[16:0]);
  wire               c_overflow = c_sum[17:15] != {3{c_sum[17]}};

  // c' in Q3.12, the format of the activation unit.
  wire signed [15:0] c_rounded;
  round_shift #(.Width(16), .ShiftWidth(2)) u_round_argument (
    .value_i  (c_new_q),
    .shift_i  (c_frac_q > 4'd12 ? c_frac_q[1:0] : 2'd0),
    .rounded_o(c_rounded)
  );
  wire        [2:0]  left       = c_frac_q < 4'd12 ? 3'd4 - {1'b0, c_frac_q[1:0]} : 3'd0;
  wire signed [19:0] c_widened  = {{4{c_rounded[15]}}, c_rounded} << left;
  wire               overflow   = c_widened[19:15] != {5{c_widened[19]}};

  assign c_new_o         = c_new_q;
  assign tanh_argument_o = overflow ? {c_widened[19], {15{~c_widened[19]}}} : c_widened[15:0];
  assign h_o             = h_q;

  always @(posedge clk_i) begin
    product_q <= factor * value_i;
    if (i_valid_i) i_q <= value_i;
    if (g_valid_i) forget_q <= rounded[16:0];
    if (o_valid_i) begin
      o_q      <= value_i;
      c_new_q  <= c_overflow ? {c_sum[17], {15{~c_sum[17]}}} : c_sum[15:0];
      c_frac_q <= c_frac_i;
    end
    h_q <= $signed(rounded[16:0]) > 17'sd127 ? 8'sd127 : $signed(rounded[16:0]) < -17'sd127 ? -8'sd127 : rounded[7:0];
  end
endmodule

`default_nettype wire
