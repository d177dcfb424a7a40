// Dynamic precision unit: which gates of a unit need their lo plane, from the evolution of its cell state (docs/numerics.md).
//
// CELL_HISTORY: all or none, by a hold counter that |c' - c| >= history_threshold sets. SENSITIVITY: gate k when the estimated effect of its
// error on h, a sum of logarithm codes, exceeds θ_k + the row's offset; the part of a sum that is known early is taken off the threshold.
// What reaches h through the cell, o (1 - t²), counts as cell_floor at least: an error that stays in the cell shows later.
// Cycles as in cell_update: gates i, f, g, o in 0..3, c' in 4 and t in 6, with the mask. θ and offset of a gate come four cycles before its
// value, a slope one cycle before; history is valid in 7.
`default_nettype none

module precision_unit (
  input  wire               clk_i,
  input  wire               i_valid_i,
  input  wire               f_valid_i,
  input  wire               g_valid_i,
  input  wire               o_valid_i,
  input  wire               c_valid_i,
  input  wire signed [7:0]  theta_i,
  input  wire signed [7:0]  offset_i,
  input  wire signed [15:0] value_i,
  input  wire        [10:0] slope_i,
  input  wire signed [15:0] c_i,
  input  wire signed [15:0] c_new_i,
  input  wire        [2:0]  history_i,
  input  wire               first_i,
  input  wire               cell_history_i,
  input  wire        [15:0] history_threshold_i,
  input  wire        [2:0]  hold_i,
  input  wire        [5:0]  cell_floor_i,
  output wire        [3:0]  mask_o,
  output wire        [2:0]  history_o
);
  // What a sum must reach: one more than its threshold. Sums are 0 to 101, so 7 bits tell all thresholds apart that matter.
  localparam [6:0] Never = 7'd127;

  wire signed [8:0] reach = theta_i + offset_i + 9'sd1;
  wire        [6:0] reach_held;
  delay #(.Width(7), .Cycles(4)) u_reach (
    .clk_i (clk_i),
    .data_i(reach[8] ? 7'd0 : reach[7] ? Never : reach[6:0]),
    .data_o(reach_held)
  );

  // One code of a slope and one of a value a cycle; with f comes the old cell state, as the code of f itself is not needed.
  wire signed [15:0] operand   = f_valid_i ? c_i : value_i;
  wire        [15:0] magnitude = operand[15] ? -operand : operand;
  wire        [4:0]  code, slope_code;
  wire               zero, slope_zero;
  log_code u_code (.value_i(magnitude), .code_o(code), .zero_o(zero));
  log_code u_slope_code (.value_i({5'b0, slope_i}), .code_o(slope_code), .zero_o(slope_zero));

  reg [4:0] slope_code_q, held_code_q;
  reg       slope_zero_q, held_zero_q; // held: i for S_g, then o for the other three

  // A factor of zero anywhere: never, also when more is taken off.
  function [6:0] less(input [6:0] from, input [5:0] amount, input never);
    reg [7:0] difference;
    begin
      difference = {1'b0, from} - {2'b0, amount};
      less = never ? Never : difference[7] ? 7'd0 : difference[6:0];
    end
  endfunction

  wire       use_held = !i_valid_i && !f_valid_i && !o_valid_i;
  wire [4:0] factor   = f_valid_i ? code : use_held ? held_code_q : 5'd0;
  wire       no_factor = f_valid_i ? zero : use_held && held_zero_q;
  wire [5:0] factors  = {1'b0, slope_code_q} + {1'b0, factor};
  wire       none     = slope_zero_q || no_factor;

  // What the factors that are still to come must reach.
  reg  [6:0] need_i_q, need_f_q, need_g_q, need_o_q;
  wire [6:0] need = less(reach_held, factors, none);

  wire [6:0] through_cell = {1'b0, none || factors < cell_floor_i ? cell_floor_i : factors};

  // Evolution of the cell state.
  // The carry that goes in, c' >= c, makes |c' - c| of the difference by inversion alone.
  wire        falls = c_new_i < c_i;
  /* verilator lint_off UNUSEDSIGNAL */  // the place of that carry falls away
  wire [16:0] difference = {c_new_i, 1'b1} + {~c_i, !falls};
  /* verilator lint_on UNUSEDSIGNAL */
  wire        significant = (difference[16:1] ^ {16{falls}}) >= history_threshold_i;
  wire [2:0]  held  = first_i ? 3'd0 : history_i;

  reg [2:0] history_q;
  reg       unstable_q;

  assign history_o = history_q;
  assign mask_o    = cell_history_i ? {4{unstable_q}}
                   : {!zero && {2'b0, code} >= need_o_q, through_cell >= need_g_q, through_cell >= need_f_q, through_cell >= need_i_q};

  always @(posedge clk_i) begin
    slope_code_q <= slope_code;
    slope_zero_q <= slope_zero;
    if (i_valid_i || o_valid_i) begin
      held_code_q <= code;
      held_zero_q <= zero;
    end
    if (i_valid_i) need_i_q <= need;
    if (f_valid_i) need_f_q <= need;
    if (g_valid_i) need_g_q <= need;
    if (o_valid_i) need_o_q <= need;
    if (g_valid_i) need_i_q <= less(need_i_q, {1'b0, code}, zero);
    if (c_valid_i) begin
      history_q  <= significant ? hold_i : held == 3'd0 ? 3'd0 : held - 3'd1;
      unstable_q <= first_i || held != 3'd0;
    end
  end
endmodule

`default_nettype wire
