// SPDX-License-Identifier: MIT
// Cell state and output of a unit: c' = sat16(round(f*c / 2^15) + round(i*g / 2^(30 - c_frac))), h = sat(round(15*o*t / 2^27)), t = tanh(c').
//
// Gates and t int16 Q0.15, c int16 with c_frac fraction bits, h in units of 1/120 in [-120, 119]. One multiplier of two stages serves the three products:
// the gates come from the activation unit one a cycle in the order i, f, g, o, and t four cycles after o.
// Cycles of a unit: i 0, f 1, g 2, o 3; c' and its form for tanh valid in 5; t in 7; h valid in 10. A unit may start every 8 cycles.
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
  localparam [4:0] ForgetShift = 5'd15;

  reg signed [15:0] i_q, factor_q;  // the factor of f is c, of g i, of t o: chosen a cycle before the product
  reg signed [23:0] product_hi_q;
  reg signed [24:0] product_lo_q;
  reg signed [31:0] product_q;
  reg        [4:0]  shift_q;
  reg        [1:0]  g_stage_q;  // the product of g: its bytes, their sum
  reg        [3:0]  c_frac_q;

  wire        [4:0]  shift  = f_valid_i ? ForgetShift : 5'd30 - {1'b0, c_frac_q};
  wire signed [24:0] half   = f_valid_i || g_valid_i ? 25'sd1 <<< (shift - 5'd1) : 25'sd0;

  // The terms of c', f*c before i*g.
  reg signed [16:0] forget_q;
  /* verilator lint_off UNUSEDSIGNAL */  // |product| <= 2^30 and shift >= 15: 17 bits hold it
  wire signed [31:0] term = product_q >>> shift_q;
  /* verilator lint_on UNUSEDSIGNAL */
  wire signed [17:0] c_sum      = forget_q + $signed(term[16:0]);
  wire               c_overflow = c_sum[17:15] != {3{c_sum[17]}};
  wire signed [15:0] c_new      = c_overflow ? {c_sum[17], {15{~c_sum[17]}}} : c_sum[15:0];

  // c' in Q3.12, the format of the activation unit.
  wire signed [15:0] c_rounded;
  round_shift #(.Width(16), .ShiftWidth(2)) u_round_argument (
    .value_i  (c_new),
    .shift_i  (c_frac_q > 4'd12 ? c_frac_q[1:0] : 2'd0),
    .rounded_o(c_rounded)
  );
  wire        [2:0]  left       = c_frac_q < 4'd12 ? 3'd4 - {1'b0, c_frac_q[1:0]} : 3'd0;
  wire signed [19:0] c_widened  = {{4{c_rounded[15]}}, c_rounded} << left;
  wire               overflow   = c_widened[19:15] != {5{c_widened[19]}};

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
    shift_q      <= g_stage_q[0] ? 5'd30 - {1'b0, c_frac_q} : ForgetShift;
    g_stage_q    <= {g_stage_q[0], g_valid_i};
    if (i_valid_i) begin
      i_q      <= value_i;
      factor_q <= c_i;
      c_frac_q <= c_frac_i;
    end
    if (f_valid_i) factor_q <= i_q;
    if (o_valid_i) begin
      factor_q <= value_i;
      forget_q <= term[16:0];
    end
    if (g_stage_q[1]) begin
      c_new_q    <= c_new;
      argument_q <= overflow ? {c_widened[19], {15{~c_widened[19]}}} : c_widened[15:0];
    end
    h_q <= h_rounded > 9'sd119 ? 8'sd119 : h_rounded[7:0];
  end
endmodule

`default_nettype wire
