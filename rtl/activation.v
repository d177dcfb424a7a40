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

  // -z, its upper byte selected late.
  wire [7:0]  lower = z_i[7:0], upper = z_i[15:8];
  wire [15:0] negated   = {lower == 8'd0 ? -upper : ~upper, -lower};
  wire [14:0] magnitude = !z_i[15] ? z_i[14:0] : negated[15] ? 15'h7fff : negated[14:0];
  wire [15:0] argument  = tanh_i ? {magnitude, 1'b0} : {1'b0, magnitude};

  reg [25:0] entry_q;
  reg [7:0]  fraction_q;
  reg        negative_q, tanh_q;

  wire [10:0] slope = entry_q[25:15];

  // tanh is v, a sigmoid (v + 32769) / 2, v = entry + slope * fraction with its sign: one sum, as -v = ~(v - 1) and 32769 - v = ~(v - 32770).
  wire        [16:0] sign     = {17{negative_q}};
  wire        [16:0] constant = (tanh_q ? 17'd0 : 17'd32769) ^ sign;
  /* verilator lint_off UNUSEDSIGNAL */  // its fraction falls away
  wire        [24:0] sum      = {14'd0, slope} * {17'd0, fraction_q} + {2'd0, entry_q[14:0], 8'd128} + {constant, 8'd0};
  /* verilator lint_on UNUSEDSIGNAL */
  wire        [16:0] value    = sum[24:8] ^ sign;

  reg signed [15:0] value_q;

  assign value_o = value_q;
  assign slope_o = slope;

  always @(posedge clk_i) begin
    entry_q    <= activation_table(argument[15:8]);
    fraction_q <= argument[7:0];
    negative_q <= z_i[15];
    tanh_q     <= tanh_i;
    value_q    <= tanh_q ? value[15:0] : value[16:1];
  end
endmodule

`default_nettype wire
