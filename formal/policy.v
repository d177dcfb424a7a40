// SPDX-License-Identifier: MIT
// policy_sensitivity, policy_cell_history: the levels of a unit's gates are those of docs/numerics.md, for all codes, offsets and thresholds, whatever was in the registers before and
// whatever stands at a port in the cycles in which precision_unit promises nothing. The codes themselves: log_code.
//
// A unit takes eight cycles, so that a bounded proof of nine is complete.
`include "formats.vh"
`default_nettype none

module policy_properties #(
  parameter Sensitivity = 1,                                       // else policy_cell_history
  parameter Gate = 0                                               // whose level is looked at
) (
  input wire                                    clk_i,
  input wire [4:0]                              any_value_code_i,  // what stands at ports beside the unit
  input wire [4:0]                              any_slope_code_i,
  input wire [4:0]                              any_c_code_i,
  input wire                                    any_value_zero_i,
  input wire                                    any_slope_zero_i,
  input wire                                    any_c_zero_i,
  input wire [`CELL_HISTORY_WIDTH-1:0]          any_history_i,
  input wire [`ROW_CONSTANT_OFFSET_WIDTH-1:0]   any_offset_i,
  input wire [`THETAS]                          any_middle_i,
  input wire [`THETAS]                          any_all_i,
  input wire [`DESCRIPTOR_CELL_FLOOR_WIDTH-1:0] any_floor_i
);
  // The unit: i, f, g, o and t, five bits or one of each.
  (* anyconst *) reg [5*5-1:0]                                value_codes, slope_codes;
  (* anyconst *) reg [4:0]                                    value_zeros, slope_zeros;
  (* anyconst *) reg [4:0]                                    c_code;
  (* anyconst *) reg [4*`ROW_CONSTANT_OFFSET_WIDTH-1:0]       offsets;
  (* anyconst *) reg                                          c_zero;
  (* anyconst *) reg [`CELL_HISTORY_WIDTH-1:0]                history;
  (* anyconst *) reg [`THETAS]                                middle, all;
  (* anyconst *) reg [`DESCRIPTOR_CELL_FLOOR_WIDTH-1:0]       cell_floor;

  localparam I = 0, F = 1, G = 2, O = 3, T = 4;
  reg [3:0] now_q = 4'd0;
  always @(posedge clk_i) if (now_q != 4'd15) now_q <= now_q + 1'b1;
  wire gate = now_q < 4, last = now_q == 7;

  // Of this cycle.
  function [4:0] code(input [24:0] codes);
    code = now_q == I ? codes[4:0] : now_q == F ? codes[9:5] : now_q == G ? codes[14:10] : now_q == O ? codes[19:15] : codes[24:20];
  endfunction
  function zero(input [4:0] zeros);
    zero = now_q == I ? zeros[I] : now_q == F ? zeros[F] : now_q == G ? zeros[G] : now_q == O ? zeros[O] : zeros[T];
  endfunction

  // Ports of a policy.
  wire i_valid_i = now_q == I, f_valid_i = now_q == F, g_valid_i = now_q == G, o_valid_i = now_q == O;
  wire [`ROW_CONSTANT_OFFSET_WIDTH-1:0]   offset_i
    = now_q == I ? offsets[7:0] : now_q == F ? offsets[15:8] : now_q == G ? offsets[23:16] : now_q == O ? offsets[31:24] : any_offset_i;
  wire [4:0]                              value_code_i   = gate || last ? code(value_codes) : any_value_code_i;
  wire                                    value_zero_i   = gate || last ? zero(value_zeros) : any_value_zero_i;
  wire [4:0]                              slope_code_i   = gate || last ? code(slope_codes) : any_slope_code_i;
  wire                                    slope_zero_i   = gate || last ? zero(slope_zeros) : any_slope_zero_i;
  wire [4:0]                              c_code_i       = now_q != 0 && now_q <= 3 ? c_code : any_c_code_i;
  wire                                    c_zero_i       = now_q != 0 && now_q <= 3 ? c_zero : any_c_zero_i;
  wire [`CELL_HISTORY_WIDTH-1:0]          history_i      = gate ? history : any_history_i;
  wire [`THETAS]                          theta_middle_i = last ? middle : any_middle_i;
  wire [`THETAS]                          theta_all_i    = last ? all : any_all_i;
  wire [`DESCRIPTOR_CELL_FLOOR_WIDTH-1:0] cell_floor_i   = last ? cell_floor : any_floor_i;
  wire [`LEVELS]                          levels_o;

  // A code, as a number.
  function signed [10:0] value(input [2:0] number);
    value = {6'd0, value_codes[5*number +: 5]};
  endfunction
  function signed [10:0] slope(input [2:0] number);
    slope = {6'd0, slope_codes[5*number +: 5]};
  endfunction

  function [`LEVEL] level(input signed [10:0] seen, input zero, input signed [7:0] offset, input signed [7:0] theta_middle, input signed [7:0] theta_all);
    level = zero ? `LEVEL_LOWEST : seen > theta_all + offset ? `LEVEL_ALL : seen > theta_middle + offset ? `LEVEL_MIDDLE : `LEVEL_LOWEST;
  endfunction

  wire signed [10:0] seen_i, seen_f, seen_g, seen_o;
  wire               zero_i, zero_f, zero_g, zero_o;
  generate
    if (Sensitivity != 0) begin : gen_sensitivity
      policy_sensitivity dut (.*);
      // S of the gates, and whether a factor other than D is zero.
      wire signed [10:0] product = value(O) + slope(T), least = {5'd0, cell_floor};
      wire signed [10:0] d       = value_zeros[O] || slope_zeros[T] || product < least ? least : product;
      assign seen_i = d + slope(I) + value(G), seen_f = d + slope(F) + $signed({6'd0, c_code}), seen_g = d + value(I) + slope(G), seen_o = slope(O) + value(T);
      assign zero_i = slope_zeros[I] || value_zeros[G], zero_f = slope_zeros[F] || c_zero;
      assign zero_g = value_zeros[I] || slope_zeros[G], zero_o = slope_zeros[O] || value_zeros[T];
    end else begin : gen_cell_history
      policy_cell_history dut (.*);
      // X of the gates, in octaves; the size of a change or a cell state is 0 for zero, else its code and 1.
      wire signed [10:0] changed = {8'd0, history[4:2]}, size = c_zero ? 11'd0 : ({6'd0, c_code} + 11'd1) >> 1;
      assign seen_i = changed, seen_g = changed, seen_f = size, seen_o = size;
      assign zero_i = 1'b0, zero_f = 1'b0, zero_g = 1'b0, zero_o = 1'b0;
    end
  endgenerate

  always @* if (last) case (Gate)
    I: assert (levels_o[1:0] == level(seen_i, zero_i, offsets[7:0], middle[7:0], all[7:0]));
    F: assert (levels_o[3:2] == level(seen_f, zero_f, offsets[15:8], middle[15:8], all[15:8]));
    G: assert (levels_o[5:4] == level(seen_g, zero_g, offsets[23:16], middle[23:16], all[23:16]));
    O: assert (levels_o[7:6] == level(seen_o, zero_o, offsets[31:24], middle[31:24], all[31:24]));
  endcase
endmodule

`default_nettype wire
