// SPDX-License-Identifier: MIT
// Row sum to pre-activation: z = sat16(round(P / 2^s) + bias), round(v) = floor(v + 1/2) (docs/numerics.md).
//
// P signed SumWidth bits, s and bias (Q5.12) as in ROW_CONSTANT, z int16 Q3.12. Latency 3 cycles, one row a cycle:
// the operands come from memories. z is zero where there is no row.
`include "formats.vh"
`default_nettype none

module requantizer #(
  parameter SumWidth  = `ROW_SUM_WIDTH,
  parameter BiasWidth = `ROW_CONSTANT_B_WIDTH // derived, not to be set
) (
  input  wire                                    clk_i,
  input  wire                                    valid_i,
  input  wire signed [SumWidth-1:0]              sum_i,
  input  wire        [`ROW_CONSTANT_S_WIDTH-1:0] shift_i,
  input  wire signed [BiasWidth-1:0]             bias_i,
  output wire signed [15:0]                      z_o
);
  reg signed [SumWidth-1:0]              sum_q;
  reg        [`ROW_CONSTANT_S_WIDTH-1:0] shift_q;
  reg signed [BiasWidth-1:0]             bias_q;

  // 2 P / 2^s: the bit below the point is kept for rounding. Beyond these bits z saturates whatever the bias is, so they need not be carried further.
  localparam HalvesWidth = BiasWidth + 3;
  wire signed [SumWidth:0] halves   = $signed({sum_q, 1'b0}) >>> shift_q;
  wire                     overflow = halves[SumWidth:HalvesWidth-1] != {(SumWidth+2-HalvesWidth){halves[SumWidth]}};

  reg signed [HalvesWidth-1:0] halves_q;
  reg signed [BiasWidth-1:0]   bias_late_q;
  reg signed [15:0]            z_q;
  reg        [1:0]             valid_q;

  // round(halves / 2) + bias in one addition.
  /* verilator lint_off UNUSEDSIGNAL */  // the half itself falls away
  wire signed [HalvesWidth:0] doubled = $signed({halves_q[HalvesWidth-1], halves_q}) + $signed({{(HalvesWidth-BiasWidth){bias_late_q[BiasWidth-1]}}, bias_late_q, 1'b1});
  /* verilator lint_on UNUSEDSIGNAL */
  wire signed [HalvesWidth-1:0] biased     = doubled[HalvesWidth:1];
  wire                          z_overflow = biased[HalvesWidth-1:15] != {(HalvesWidth-15){biased[HalvesWidth-1]}};

  assign z_o = z_q;

  always @(posedge clk_i) begin
    sum_q       <= sum_i;
    shift_q     <= shift_i;
    bias_q      <= bias_i;
    halves_q    <= overflow ? {halves[SumWidth], {(HalvesWidth-1){~halves[SumWidth]}}} : halves[HalvesWidth-1:0];
    bias_late_q <= bias_q;
    valid_q     <= {valid_q[0], valid_i};
    z_q         <= !valid_q[1] ? 16'd0 : z_overflow ? {biased[HalvesWidth-1], {15{~biased[HalvesWidth-1]}}} : biased[15:0];
  end
endmodule

`default_nettype wire
