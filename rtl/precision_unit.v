// Dynamic precision unit: which gates of a unit need their lo plane, from the evolution of its cell state (docs/numerics.md).
//
// CELL_HISTORY: all or none, by a hold counter that |c' - c| >= history_threshold sets. SENSITIVITY: gate k when the estimated effect of its
// error on h, a sum of logarithm codes, exceeds θ_k + the row's offset; the part of a sum that is known early is taken off the threshold.
// Cycles as in cell_update: gates i, f, g, o in 0..3 (with slope and threshold), c' in 4, t in 6, mask and history valid in 7.
`default_nettype none

module precision_unit (
  input  wire               clk_i,
  input  wire               i_valid_i,
  input  wire               f_valid_i,
  input  wire               g_valid_i,
  input  wire               o_valid_i,
  input  wire               c_valid_i,
  input  wire               t_valid_i,
  input  wire signed [15:0] value_i,
  input  wire        [10:0] slope_i,
  input  wire signed [8:0]  threshold_i,
  input  wire signed [15:0] c_i,
  input  wire signed [15:0] c_new_i,
  /* verilator lint_off UNUSEDSIGNAL */  // 8 bits are stored, 3 used
  input  wire        [7:0]  history_i,
  /* verilator lint_on UNUSEDSIGNAL */
  input  wire               first_i,
  input  wire               cell_history_i,
  input  wire        [15:0] history_threshold_i,
  input  wire        [2:0]  hold_i,
  output wire        [3:0]  mask_o,
  output wire        [7:0]  history_o
);
  function [15:0] magnitude(input signed [15:0] value);
    magnitude = value[15] ? -value : value;
  endfunction

  wire [4:0] value_code, slope_code, c_code;
  wire       value_zero, slope_zero, c_zero;
  log_code u_value_code (.value_i(magnitude(value_i)), .code_o(value_code), .zero_o(value_zero));
  log_code u_slope_code (.value_i({5'b0, slope_i}), .code_o(slope_code), .zero_o(slope_zero));
  log_code u_c_code (.value_i(magnitude(c_i)), .code_o(c_code), .zero_o(c_zero));

  // What the factors that are still to come must exceed; "never" marks a factor of zero.
  reg signed [10:0] need_i_q, need_f_q, need_g_q, need_o_q;
  reg               never_i_q, never_f_q, never_g_q, never_o_q;
  reg        [4:0]  i_code_q, o_code_q;
  reg               i_zero_q, o_zero_q;

  function signed [10:0] extend(input signed [8:0] threshold);
    extend = {{2{threshold[8]}}, threshold};
  endfunction

  function signed [10:0] code(input [4:0] value);
    code = {6'b0, value};
  endfunction

  wire signed [10:0] derivative = code(o_code_q) + code(slope_code);
  wire               closed     = o_zero_q || slope_zero;

  // Evolution of the cell state.
  wire signed [16:0] change           = c_new_i - c_i;
  wire        [16:0] change_magnitude = change[16] ? -change : change;
  wire               significant      = change_magnitude >= {1'b0, history_threshold_i};
  wire        [2:0]  held             = first_i ? 3'd0 : history_i[2:0];

  reg [3:0] mask_q;
  reg [2:0] history_q;
  reg       unstable_q, cell_history_q;

  assign mask_o    = cell_history_q ? {4{unstable_q}} : mask_q;
  assign history_o = {5'b0, history_q};

  always @(posedge clk_i) begin
    if (i_valid_i) begin
      need_i_q  <= extend(threshold_i) - code(slope_code);
      never_i_q <= slope_zero;
      i_code_q  <= value_code;
      i_zero_q  <= value_zero;
    end
    if (f_valid_i) begin
      need_f_q  <= extend(threshold_i) - code(slope_code) - code(c_code);
      never_f_q <= slope_zero || c_zero;
    end
    if (g_valid_i) begin
      need_g_q  <= extend(threshold_i) - code(slope_code) - code(i_code_q);
      never_g_q <= slope_zero || i_zero_q;
      need_i_q  <= need_i_q - code(value_code);
      never_i_q <= never_i_q || value_zero;
    end
    if (o_valid_i) begin
      need_o_q  <= extend(threshold_i) - code(slope_code);
      never_o_q <= slope_zero;
      o_code_q  <= value_code;
      o_zero_q  <= value_zero;
    end
    if (c_valid_i) begin
      history_q      <= significant ? hold_i : held == 3'd0 ? 3'd0 : held - 3'd1;
      unstable_q     <= first_i || held != 3'd0;
      cell_history_q <= cell_history_i;
    end
    if (t_valid_i) begin
      mask_q[0] <= !closed && !never_i_q && derivative > need_i_q;
      mask_q[1] <= !closed && !never_f_q && derivative > need_f_q;
      mask_q[2] <= !closed && !never_g_q && derivative > need_g_q;
      mask_q[3] <= !value_zero && !never_o_q && code(value_code) > need_o_q;
    end
  end
endmodule

`default_nettype wire
