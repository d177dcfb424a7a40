// SPDX-License-Identifier: MIT
// CELL_HISTORY: a gate's level by the size of the cell state before the step (f, o), or of its latest changes (i, g), in octaves (docs/numerics.md).
//
// Ports and cycles as in precision_unit.
`include "formats.vh"
`default_nettype none

module policy_cell_history (
  input  wire                                           clk_i,
  input  wire                                           i_valid_i,
  input  wire                                           f_valid_i,
  input  wire                                           g_valid_i,
  input  wire                                           o_valid_i,
  input  wire signed [`ROW_CONSTANT_OFFSET_WIDTH-1:0]   offset_i,
  /* verilator lint_off UNUSEDSIGNAL */                 // the port list is that of every policy
  input  wire        [4:0]                              value_code_i,
  input  wire                                           value_zero_i,
  input  wire        [4:0]                              slope_code_i,
  input  wire                                           slope_zero_i,
  input  wire        [4:0]                              c_code_i,
  input  wire                                           c_zero_i,
  input  wire        [`CELL_HISTORY_WIDTH-1:0]          history_i,
  /* verilator lint_on UNUSEDSIGNAL */
  input  wire        [`THETAS]                          theta_middle_i,
  input  wire        [`THETAS]                          theta_all_i,
  /* verilator lint_off UNUSEDSIGNAL */
  input  wire        [`DESCRIPTOR_CELL_FLOOR_WIDTH-1:0] cell_floor_i,
  /* verilator lint_on UNUSEDSIGNAL */
  output wire        [`LEVELS]                          levels_o
);
  // A size is 0 for zero, else a code plus one: half of it is half of the code, rounded up.
  wire [4:0] size_c  = {1'b0, c_code_i[4:1]} + {4'd0, c_code_i[0]};
  wire [4:0] octaves = f_valid_i || o_valid_i ? (c_zero_i ? 5'd0 : size_c) : {2'd0, history_i[4:2]};

  wire signed [8:0] seen = {4'd0, octaves} - {offset_i[7], offset_i};
  reg  signed [8:0] seen_i_q, seen_f_q, seen_g_q, seen_o_q;

  always @(posedge clk_i) begin
    if (i_valid_i) seen_i_q <= seen;
    if (f_valid_i) seen_f_q <= seen;
    if (g_valid_i) seen_g_q <= seen;
    if (o_valid_i) seen_o_q <= seen;
  end

  level_choice u_levels (
    .seen_i        ({seen_o_q, seen_g_q, seen_f_q, seen_i_q}),
    .never_i       (4'd0),
    .theta_middle_i(theta_middle_i),
    .theta_all_i   (theta_all_i),
    .levels_o      (levels_o)
  );
endmodule

`default_nettype wire
