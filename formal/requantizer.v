// SPDX-License-Identifier: MIT
// requantizer: z = sat16(floor(P / 2^s + 1/2) + b) for every P, s and b, or zero where there is no row, three cycles later.
//
// The module has no feedback: what holds in the fourth cycle from any state holds always.
`include "formats.vh"
`default_nettype none

module requantizer_properties (
  input wire                                    clk_i,
  input wire                                    valid_i,
  input wire signed [`ROW_SUM_WIDTH-1:0]        sum_i,
  input wire        [`ROW_CONSTANT_S_WIDTH-1:0] shift_i,
  input wire signed [`ROW_CONSTANT_B_WIDTH-1:0] bias_i
);
  localparam Wide = `ROW_SUM_WIDTH + 2;

  wire signed [15:0] z;
  requantizer dut (.clk_i(clk_i), .valid_i(valid_i), .sum_i(sum_i), .shift_i(shift_i), .bias_i(bias_i), .z_o(z));

  // Beyond `ROW_SUM_WIDTH every shift gives 0: |P| / 2^s < 1/2.
  wire signed [Wide-1:0] sum     = sum_i;
  wire signed [Wide-1:0] half    = shift_i == 0 || shift_i > `ROW_SUM_WIDTH ? 0 : {{Wide-1{1'b0}}, 1'b1} << (shift_i - 1'b1);
  wire signed [Wide-1:0] rounded = shift_i > `ROW_SUM_WIDTH ? 0 : (sum + half) >>> shift_i;
  wire signed [Wide-1:0] biased  = rounded + bias_i;
  wire signed [15:0]     formula = biased > 32767 ? 16'sd32767 : biased < -32768 ? -16'sd32768 : biased[15:0];

  reg signed [15:0] formula_q, formula_q2, formula_q3;
  reg        [1:0]  cycles_q = 2'd0;
  always @(posedge clk_i) begin
    formula_q  <= valid_i ? formula : 16'sd0;
    formula_q2 <= formula_q;
    formula_q3 <= formula_q2;
    if (cycles_q != 2'd3) cycles_q <= cycles_q + 1'b1;
  end

  always @* if (cycles_q == 2'd3) assert (z == formula_q3);
endmodule

`default_nettype wire
