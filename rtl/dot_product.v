// SPDX-License-Identifier: MIT
// Dot product of one word of weights and one of activations: sum = Σ_lane weight[lane] * activation[lane], exact.
//
// Lanes signed weights and activations of OperandBits in, a sum out. Latency 2 cycles, one word a cycle.
// The multiplications are written as `*`: their arithmetic form is a matter of synthesis.
`include "formats.vh"
`default_nettype none

module dot_product #(
  parameter Lanes       = 64,
  parameter OperandBits = 4,
  parameter SumWidth    = `WORD_SUM_WIDTH(OperandBits, Lanes) // derived, not to be set
) (
  input  wire                         clk_i,
  input  wire [Lanes*OperandBits-1:0] weights_i,
  input  wire [Lanes*OperandBits-1:0] activations_i,
  output wire signed [SumWidth-1:0]   sum_o
);
  // The register stands where both halves take about the same time: after a product of 8 bits, or a sum of two of 4 bits.
  localparam GroupLanes = OperandBits <= 4 && Lanes >= 2 ? 2 : 1;
  localparam Groups     = Lanes / GroupLanes;
  localparam GroupWidth = `WORD_SUM_WIDTH(OperandBits, GroupLanes);

  wire [Groups*GroupWidth-1:0] group_sums;
  reg  [Groups*GroupWidth-1:0] group_sums_q;

  genvar g;
  generate
    for (g = 0; g < Groups; g = g + 1) begin : gen_group
      reg signed [GroupWidth-1:0] group_sum;
      integer lane;
      always @* begin
        group_sum = 0;
        for (lane = g * GroupLanes; lane < (g + 1) * GroupLanes; lane = lane + 1)
          group_sum = group_sum + $signed(weights_i[lane*OperandBits +: OperandBits]) * $signed(activations_i[lane*OperandBits +: OperandBits]);
      end
      assign group_sums[g*GroupWidth +: GroupWidth] = group_sum;
    end
  endgenerate

  reg signed [SumWidth-1:0] sum_d, sum_q;
  integer group;
  always @* begin
    sum_d = 0;
    for (group = 0; group < Groups; group = group + 1)
      sum_d = sum_d + {{(SumWidth-GroupWidth){group_sums_q[group*GroupWidth+GroupWidth-1]}}, group_sums_q[group*GroupWidth +: GroupWidth]};
  end

  assign sum_o = sum_q;

  always @(posedge clk_i) begin
    group_sums_q <= group_sums;
    sum_q        <= sum_d;
  end
endmodule

`default_nettype wire
