// SPDX-License-Identifier: MIT
// Cell state and output of a unit: c' = sat16(round(f*c / 2^15) + round(i*g / 2^(30 - c_frac))), h = sat(round(15*o*t / 2^27)), t = tanh(c').
//
// Gates and t int16 Q0.15, c int16 with c_frac fraction bits, h in units of 1/120 in [-120, 119]. One multiplier of two stages serves the three products:
// the gates come from the activation unit one a cycle in the order i, f, g, o, and t four cycles after o.
// Cycles of a unit: i 0, f 1, g 2, o 3; c' valid in 5, its form for tanh in 5 and else zero; t in 7; h valid in 10. A unit may start every 8 cycles.
// c and c_frac must hold in cycle 0.
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
  // Products in two stages: each byte of a value by itself, then their sum. What is halfway to the next integer after the shift is added with the lower byte.
  // Of the shifts, 15 of f*c and 30 - c_frac of i*g, 15 are wires.
  reg signed [15:0] i_q, factor_q;  // the factor of f is c, of g i, of t o: chosen a cycle before the product
  reg signed [23:0] product_hi_q;
  reg signed [24:0] product_lo_q;
  reg signed [31:0] product_q;
  reg        [2:0]  shift_q;        // beyond 15
  reg        [1:0]  g_stage_q;  // the product of g: its bytes, their sum
  reg        [3:0]  c_frac_q;

  wire        [2:0]  g_shift = ~c_frac_q[2:0]; // 15 - c_frac, which is 8 to 15
  wire signed [24:0] half    = f_valid_i ? 25'sd1 <<< 14 : g_valid_i ? (25'sd1 <<< 14) <<< g_shift : 25'sd0;

  // The terms of c', f*c before i*g.
  reg signed [16:0] forget_q;
  wire signed [16:0] term       = $signed(product_q[31:15]) >>> shift_q;
  wire signed [17:0] c_sum      = forget_q + term;
  wire               c_overflow = c_sum[17:15] != {3{c_sum[17]}};
  wire signed [15:0] c_new      = c_overflow ? {c_sum[17], {15{~c_sum[17]}}} : c_sum[15:0];

  // c' in Q3.12, the format of the activation unit: rounded in the same addition where it has more than 12 fraction bits, saturated where it has fewer.
  reg signed [16:0] forget_rounded_q;
  wire        [1:0]  right       = c_frac_q > 4'd12 ? c_frac_q[1:0] : 2'd0;
  wire        [2:0]  half_unit   = {right == 2'd3, right == 2'd2, right == 2'd1};
  wire signed [17:0] sum_rounded = forget_rounded_q + term;
  wire signed [21:0] c_widened   = $signed({sum_rounded, 4'd0}) >>> c_frac_q[2:0];
  wire               overflow    = c_widened[21:15] != {7{c_widened[21]}};
  wire signed [15:0] least       = 16'sh8000 >>> right;
  wire               saturates   = right == 2'd0 && (c_overflow || overflow);
  wire signed [15:0] argument    = saturates ? {c_sum[17], {15{~c_sum[17]}}} : !c_overflow ? c_widened[15:0] : c_sum[17] ? least : -least;

  // round(15 product / 2^27) is 120 at most.
  /* verilator lint_off UNUSEDSIGNAL */  // the fraction falls away
  wire signed [35:0] h_product = {product_q, 4'd0} - {{4{product_q[31]}}, product_q} + 36'h400_0000;
  /* verilator lint_on UNUSEDSIGNAL */
  wire signed [8:0]  h_rounded = h_product[35:27];

  reg signed [15:0] c_new_q, argument_q;
  reg signed [7:0]  h_q;

  assign c_new_o         = c_new_q;
  assign tanh_argument_o = argument_q;
  assign h_o             = h_q;

  always @(posedge clk_i) begin
    product_hi_q <= factor_q * $signed(value_i[15:8]);
    product_lo_q <= factor_q * $signed({1'b0, value_i[7:0]}) + half;
    product_q    <= {product_hi_q, 8'd0} + {{7{product_lo_q[24]}}, product_lo_q};
    shift_q      <= g_stage_q[0] ? g_shift : 3'd0;
    g_stage_q    <= {g_stage_q[0], g_valid_i};
    if (i_valid_i) begin
      i_q      <= value_i;
      factor_q <= c_i;
      c_frac_q <= c_frac_i;
    end
    if (f_valid_i) factor_q <= i_q;
    if (o_valid_i) begin
      factor_q         <= value_i;
      forget_q         <= term;
      forget_rounded_q <= term + $signed({14'd0, half_unit});
    end
    if (g_stage_q[1]) c_new_q <= c_new;
    argument_q   <= g_stage_q[1] ? argument : 16'd0;
    h_q          <= h_rounded > 9'sd119 ? 8'sd119 : h_rounded[7:0];
  end
endmodule

`default_nettype wire
