// SPDX-License-Identifier: MIT
// Dynamic precision unit: the level of each gate of a unit, from the evolution of its cell state (docs/numerics.md), and the history of that state.
//
// Every policy that decides is a module with the ports below, shown what happens to a unit as it does; the layer's policy answers (docs/own-policy.md).
// Cycles of a unit as the policies see it, one after those of cell_update; a unit may start every 8 cycles:
//   0, 1, 2, 3  gates i, f, g, o: value and slope of the gate as codes and flags of zero, with the offset of its row
//   0..3        the history before the step; from 1 on c before the step, as code and flag of zero
//   7           t: its value and slope as codes; θ of the layer, and cell_floor; levels_o is valid in this cycle
// A code is a logarithm in half octaves (log_code). History: H' = max(size(min(|c' - c|, 32767)), H - 1, 0), history_o valid from cycle 6 on.
`include "formats.vh"
`default_nettype none

module precision_unit (
  input  wire                                           clk_i,
  input  wire                                           i_valid_i,
  input  wire                                           f_valid_i,
  input  wire                                           g_valid_i,
  input  wire                                           o_valid_i,
  input  wire                                           c_valid_i,     // c' is there, two cycles after o
  input  wire signed [`ROW_CONSTANT_OFFSET_WIDTH-1:0]   offset_i,      // of a gate's row, five cycles before its value
  input  wire signed [15:0]                             value_i,
  input  wire        [10:0]                             slope_i,       // one cycle before the value
  input  wire signed [`CELL_C]                          c_i,           // from f_valid_i to c_valid_i
  input  wire signed [`CELL_C]                          c_new_i,
  input  wire        [`CELL_HISTORY_WIDTH-1:0]          history_i,     // from f_valid_i to the cycle after c_valid_i
  input  wire        [`POLICY]                          policy_i,      // this and below: in cycle 7
  input  wire        [`THETAS]                          theta_middle_i,
  input  wire        [`THETAS]                          theta_all_i,
  input  wire        [`DESCRIPTOR_CELL_FLOOR_WIDTH-1:0] cell_floor_i,
  output wire        [`LEVELS]                          levels_o,
  output wire        [`CELL_HISTORY_WIDTH-1:0]          history_o
);
  // What the policies see.
  wire i_valid, f_valid, g_valid, o_valid;
  delay #(.Width(4), .Cycles(1)) u_valid (.clk_i(clk_i), .data_i({i_valid_i, f_valid_i, g_valid_i, o_valid_i}), .data_o({i_valid, f_valid, g_valid, o_valid}));

  wire signed [`ROW_CONSTANT_OFFSET_WIDTH-1:0] offset;
  delay #(.Width(`ROW_CONSTANT_OFFSET_WIDTH), .Cycles(6)) u_offset (.clk_i(clk_i), .data_i(offset_i), .data_o(offset));

  wire [4:0] value_code, value_code_held, slope_code, slope_code_held, c_code;
  wire       value_zero, value_zero_held, slope_zero, slope_zero_held, c_zero;
  log_code u_value_code (.value_i(value_i[15] ? -value_i : value_i), .code_o(value_code), .zero_o(value_zero));
  log_code u_slope_code (.value_i({5'd0, slope_i}), .code_o(slope_code), .zero_o(slope_zero));
  delay #(.Width(6), .Cycles(1)) u_value (.clk_i(clk_i), .data_i({value_zero, value_code}), .data_o({value_zero_held, value_code_held}));
  delay #(.Width(6), .Cycles(2)) u_slope (.clk_i(clk_i), .data_i({slope_zero, slope_code}), .data_o({slope_zero_held, slope_code_held}));

  // c before the step, then its change, which counts as 32767 at most; the code a cycle later.
  wire [16:0] change    = c_new_i - c_i;
  wire [16:0] cell_size = c_valid_i ? (change[16] ? -change : change) : {1'b0, c_i[15] ? -c_i : c_i};
  wire [4:0]  cell_code;
  wire        cell_zero;
  log_code u_cell_code (.value_i(cell_size[16] || (c_valid_i && cell_size[15]) ? 16'd32767 : cell_size[15:0]), .code_o(cell_code), .zero_o(cell_zero));
  delay #(.Width(6), .Cycles(1)) u_cell (.clk_i(clk_i), .data_i({cell_zero, cell_code}), .data_o({c_zero, c_code}));

  // The policies.
  wire [`LEVELS] sensitivity, cell_history;
  policy_sensitivity u_sensitivity (
    .clk_i(clk_i), .i_valid_i(i_valid), .f_valid_i(f_valid), .g_valid_i(g_valid), .o_valid_i(o_valid), .offset_i(offset),
    .value_code_i(value_code_held), .value_zero_i(value_zero_held), .slope_code_i(slope_code_held), .slope_zero_i(slope_zero_held),
    .c_code_i(c_code), .c_zero_i(c_zero), .history_i(history_i),
    .theta_middle_i(theta_middle_i), .theta_all_i(theta_all_i), .cell_floor_i(cell_floor_i), .levels_o(sensitivity)
  );
  policy_cell_history u_cell_history (
    .clk_i(clk_i), .i_valid_i(i_valid), .f_valid_i(f_valid), .g_valid_i(g_valid), .o_valid_i(o_valid), .offset_i(offset),
    .value_code_i(value_code_held), .value_zero_i(value_zero_held), .slope_code_i(slope_code_held), .slope_zero_i(slope_zero_held),
    .c_code_i(c_code), .c_zero_i(c_zero), .history_i(history_i),
    .theta_middle_i(theta_middle_i), .theta_all_i(theta_all_i), .cell_floor_i(cell_floor_i), .levels_o(cell_history)
  );

  assign levels_o = policy_i == `POLICY_CELL_HISTORY ? cell_history : sensitivity;

  // A decaying peak of the size of the change; a size is 0 for zero, else a code plus one.
  reg  [4:0] history_q;
  reg        change_valid_q;
  wire [4:0] size    = c_zero ? 5'd0 : c_code + 5'd1;
  wire [4:0] decayed = history_i == 5'd0 ? 5'd0 : history_i - 5'd1;

  assign history_o = history_q;

  always @(posedge clk_i) begin
    change_valid_q <= c_valid_i;
    if (change_valid_q) history_q <= size > decayed ? size : decayed;
  end
endmodule

`default_nettype wire
