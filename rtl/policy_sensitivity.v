// SPDX-License-Identifier: MIT
// SENSITIVITY: a gate's level by the estimated effect of its error on h, a sum S of logarithm codes (docs/numerics.md).
//
// What reaches h through the cell state, o (1 - t²), counts as cell_floor at least: an error that stays in the cell shows later. A factor of zero: LOWEST.
// Ports and cycles as in precision_unit.
`include "formats.vh"
`default_nettype none

module policy_sensitivity (
  input  wire                                           clk_i,
  input  wire                                           i_valid_i,
  input  wire                                           f_valid_i,
  input  wire                                           g_valid_i,
  input  wire                                           o_valid_i,
  input  wire signed [`ROW_CONSTANT_OFFSET_WIDTH-1:0]   offset_i,
  input  wire        [4:0]                              value_code_i,
  input  wire                                           value_zero_i,
  input  wire        [4:0]                              slope_code_i,
  input  wire                                           slope_zero_i,
  input  wire        [4:0]                              c_code_i,
  input  wire                                           c_zero_i,
  /* verilator lint_off UNUSEDSIGNAL */                 // the port list is that of every policy
  input  wire        [`CELL_HISTORY_WIDTH-1:0]          history_i,
  /* verilator lint_on UNUSEDSIGNAL */
  input  wire        [`THETAS]                          theta_middle_i,
  input  wire        [`THETAS]                          theta_all_i,
  input  wire        [`DESCRIPTOR_CELL_FLOOR_WIDTH-1:0] cell_floor_i,
  output wire        [`LEVELS]                          levels_o
);
  // Per gate, what is known of S less the row's offset, and whether a factor is zero.
  reg signed [8:0] known_i_q, known_f_q, known_g_q, known_o_q;
  reg              never_i_q, never_f_q, never_g_q, never_o_q;
  reg        [4:0] i_code_q, o_code_q;
  reg              i_zero_q, o_zero_q;

  wire signed [8:0] offset     = {offset_i[7], offset_i};
  wire signed [8:0] slope_code = {4'd0, slope_code_i}, value_code = {4'd0, value_code_i}, c_code = {4'd0, c_code_i}, i_code = {4'd0, i_code_q};

  always @(posedge clk_i) begin
    if (i_valid_i) begin
      known_i_q <= slope_code - offset;
      never_i_q <= slope_zero_i;
      i_code_q  <= value_code_i;
      i_zero_q  <= value_zero_i;
    end
    if (f_valid_i) begin
      known_f_q <= slope_code - offset + c_code;
      never_f_q <= slope_zero_i || c_zero_i;
    end
    if (g_valid_i) begin
      known_i_q <= known_i_q + value_code;
      never_i_q <= never_i_q || value_zero_i;
      known_g_q <= slope_code - offset + i_code;
      never_g_q <= slope_zero_i || i_zero_q;
    end
    if (o_valid_i) begin
      known_o_q <= slope_code - offset;
      never_o_q <= slope_zero_i;
      o_code_q  <= value_code_i;
      o_zero_q  <= value_zero_i;
    end
  end

  // With t: D, and t for gate o.
  wire        [5:0] product      = {1'b0, o_code_q} + {1'b0, slope_code_i};
  wire              none         = o_zero_q || slope_zero_i;
  wire signed [8:0] through_cell = {3'd0, none || product < cell_floor_i ? cell_floor_i : product};

  level_choice u_levels (
    .seen_i        ({known_o_q + value_code, known_g_q + through_cell, known_f_q + through_cell, known_i_q + through_cell}),
    .never_i       ({never_o_q || value_zero_i, never_g_q, never_f_q, never_i_q}),
    .theta_middle_i(theta_middle_i),
    .theta_all_i   (theta_all_i),
    .levels_o      (levels_o)
  );
endmodule

`default_nettype wire
