// SPDX-License-Identifier: MIT
// Sigmoid and tanh of z by one table of half a sigmoid with linear interpolation, as tanh(v) = 2 sigmoid(2v) - 1 (docs/numerics.md).
//
// z int16 Q3.12 in; value int16 Q0.15 and the table's slope (unsigned, proportional to the derivative) out, one value a cycle.
// Latency 2 cycles, of the slope 1.
`default_nettype none

module activation (
  input  wire               clk_i,
  input  wire signed [15:0] z_i,
  input  wire               tanh_i,
  output wire signed [15:0] value_o,
  output wire        [10:0] slope_o
);
  `include "activation_table.vh"

  wire [15:0] negated   = -z_i;
  wire [14:0] magnitude = !z_i[15] ? z_i[14:0] : negated[15] ? 15'h7fff : negated[14:0];
  wire [15:0] argument  = tanh_i ? {magnitude, 1'b0} : {1'b0, magnitude};

  reg [25:0] entry_q;
  reg [7:0]  fraction_q;
  reg        negative_q, tanh_q;

  wire [10:0] slope = entry_q[25:15];
  /* verilator lint_off UNUSEDSIGNAL */  // the fraction of the product falls away
  wire [18:0] product = slope * fraction_q + 19'd128;
  /* verilator lint_on UNUSEDSIGNAL */
  wire [14:0]        half  = entry_q[14:0] + {4'b0, product[18:8]};
  wire signed [16:0] odd   = negative_q ? -$signed({2'b0, half}) : $signed({2'b0, half});
  /* verilator lint_off UNUSEDSIGNAL */  // the half of the rounding falls away
  wire signed [16:0] logistic = odd + 17'sd32769;
  /* verilator lint_on UNUSEDSIGNAL */

  reg signed [15:0] value_q;

  assign value_o = value_q;
  assign slope_o = slope;

  always @(posedge clk_i) begin
    entry_q    <= activation_table(argument[15:8]);
    fraction_q <= argument[7:0];
    negative_q <= z_i[15];
    tanh_q     <= tanh_i;
    value_q    <= tanh_q ? odd[15:0] : logistic[16:1];
  end
endmodule

`default_nettype wire
