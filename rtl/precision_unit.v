// SPDX-License-Identifier: MIT
// Dynamic precision unit: which gates of a unit need their lo plane, from the evolution of its cell state (docs/numerics.md).
//
// Gate k is refined when a number of its own exceeds θ_k + the row's offset. SENSITIVITY: the estimated effect of its error on h, a sum of
// logarithm codes; the part of a sum that is known early is taken off the threshold. What reaches h through the cell, o (1 - t²), counts as
// cell_floor at least: an error that stays in the cell shows later. CELL_HISTORY: the size of c (f, o), or of its latest changes (i, g), in
// octaves, which is known early and decides alone.
// Cycles as in cell_update: gates i, f, g, o in 0..3, c' in 4 and t in 6, with the mask and the new history. θ and offset of a gate come four
// cycles before its value, a slope one cycle before. cell_history_i must hold from -1 to 3, c and history from -1 to 5.
`include "formats.vh"
`default_nettype none

module precision_unit (
  input  wire                                           clk_i,
  input  wire                                           i_valid_i,
  input  wire                                           f_valid_i,
  input  wire                                           g_valid_i,
  input  wire                                           o_valid_i,
  input  wire                                           c_valid_i,
  input  wire                                           change_valid_i,  // cycle 5
  input  wire signed [`DESCRIPTOR_THETA_WIDTH-1:0]      theta_i,
  input  wire signed [`ROW_CONSTANT_OFFSET_WIDTH-1:0]   offset_i,
  input  wire signed [15:0]                             value_i,
  input  wire        [10:0]                             slope_i,
  input  wire signed [`CELL_C]                          c_i,
  input  wire signed [`CELL_C]                          c_new_i,
  input  wire        [`CELL_HISTORY_WIDTH-1:0]          history_i,
  input  wire                                           cell_history_i,
  input  wire        [`DESCRIPTOR_CELL_FLOOR_WIDTH-1:0] cell_floor_i,
  output wire        [`MASK]                            mask_o,
  output wire        [`CELL_HISTORY_WIDTH-1:0]          history_o
);
  // What a number must reach: one more than its threshold. Sums are 0 to 113, so 7 bits tell all thresholds apart that matter.
  localparam [6:0] Never = 7'd127;

  wire signed [8:0] reach = theta_i + offset_i + 9'sd1;
  wire        [6:0] reach_held;
  delay #(.Width(7), .Cycles(4)) u_reach (
    .clk_i (clk_i),
    .data_i(reach[8] ? 7'd0 : reach[7] ? Never : reach[6:0]),
    .data_o(reach_held)
  );

  // One code of a slope and one of another number a cycle: a value, or c where that of f is not needed, or c' - c.
  wire        [16:0] change    = c_new_i - c_i;
  wire               use_c     = f_valid_i || (cell_history_i && (i_valid_i || g_valid_i || o_valid_i));
  wire        [15:0] operand   = c_valid_i ? change[15:0] : use_c ? c_i : value_i;
  wire        [15:0] magnitude = (c_valid_i ? change[16] : operand[15]) ? -operand : operand;
  wire        [4:0]  code, slope_code;
  wire               zero, slope_zero;
  log_code u_code (.value_i(magnitude), .code_o(code), .zero_o(zero));
  log_code u_slope_code (.value_i({5'b0, slope_i}), .code_o(slope_code), .zero_o(slope_zero));

  // The change counts as 32767 at most.
  wire       beyond      = code[4:1] == 4'd15;
  wire [4:0] change_code = {code[4:2], code[1] && !beyond, code[0] || beyond};

  reg [4:0] slope_code_q, held_code_q; // slope: also half of the history or of the code of c, for the next gate, and the code of the change
  reg       slope_zero_q, held_zero_q; // held: i for S_g, then o for the other three

  // A factor of zero anywhere: never, also when more is taken off.
  function [6:0] less(input [6:0] from, input [5:0] amount, input never);
    reg [7:0] difference;
    begin
      difference = {1'b0, from} - {2'b0, amount};
      less = never ? Never : difference[7] ? 7'd0 : difference[6:0];
    end
  endfunction

  // A size is a code plus one: half of it is half of the code, rounded up.
  wire       use_code = f_valid_i && !cell_history_i;
  wire       use_held = !i_valid_i && !f_valid_i && !(g_valid_i && cell_history_i) && !o_valid_i && !change_valid_i;
  wire       plus_one = (cell_history_i && (f_valid_i || o_valid_i) && code[0]) || change_valid_i;
  wire [4:0] factor   = use_code ? code : use_held ? held_code_q : {4'd0, plus_one};
  wire [5:0] factors  = {1'b0, slope_code_q} + {1'b0, factor};
  wire       none     = slope_zero_q || (use_code ? zero : use_held && held_zero_q);

  // What the factors that are still to come must reach; t alone reaches 31 at most.
  reg  [6:0] need_i_q, need_f_q, need_g_q;
  reg  [5:0] need_o_q;
  wire [6:0] need = less(reach_held, factors, cell_history_i ? reach_held > {1'b0, factors} : none);

  wire [6:0] through_cell = {1'b0, none || factors < cell_floor_i ? cell_floor_i : factors};

  // A decaying peak of the size of the change.
  wire [4:0] size  = factors[4:0];
  wire       rises = !slope_zero_q && size >= history_i;
  wire [4:0] decay = history_i == 5'd0 ? 5'd0 : history_i - 5'd1;

  reg [4:0] history_q;
  reg       cell_history_q;

  assign history_o = history_q;
  assign mask_o    = {(!zero || cell_history_q) && {1'b0, code} >= need_o_q, through_cell >= need_g_q, through_cell >= need_f_q, through_cell >= need_i_q};

  always @(posedge clk_i) begin
    slope_code_q <= c_valid_i ? change_code
                  : !cell_history_i || change_valid_i ? slope_code
                  : i_valid_i || g_valid_i ? {1'b0, code[4:1]} : {2'b0, history_i[4:2]};
    slope_zero_q <= c_valid_i ? zero : slope_zero;
    if (i_valid_i || o_valid_i) begin
      held_code_q <= code;
      held_zero_q <= zero;
    end
    if (i_valid_i) need_i_q <= need;
    if (f_valid_i) need_f_q <= need;
    if (g_valid_i) need_g_q <= need;
    if (o_valid_i) begin
      need_o_q       <= {need[6] || need[5], need[4:0]};
      cell_history_q <= cell_history_i;
    end
    if (g_valid_i && !cell_history_i) need_i_q <= less(need_i_q, {1'b0, code}, zero);
    if (change_valid_i) history_q <= rises ? size : decay;
  end
endmodule

`default_nettype wire
