// SPDX-License-Identifier: MIT
// Row sum to pre-activation: z = sat16(round(P / 2^s) + bias).
//
// P signed SumWidth bits, s and bias (Q5.12) as in ROW_CONSTANT, z int16 Q3.12. Latency 2 cycles, one row a cycle.
`include "formats.vh"
`default_nettype none

module requantizer #(
  parameter SumWidth  = `ROW_SUM_WIDTH,
  parameter BiasWidth = `ROW_CONSTANT_B_WIDTH // derived, not to be set
) (
  input  wire                                    clk_i,
  input  wire signed [SumWidth-1:0]              sum_i,
  input  wire        [`ROW_CONSTANT_S_WIDTH-1:0] shift_i,
  input  wire signed [BiasWidth-1:0]             bias_i,
  output wire signed [15:0]                      z_o
);
  wire signed [SumWidth-1:0] rounded;

  round_shift #(.Width(SumWidth), .ShiftWidth(`ROW_CONSTANT_S_WIDTH)) u_round_shift (
    .value_i  (sum_i),
    .shift_i  (shift_i),
    .rounded_o(rounded)
  );

  // A sum beyond these bits saturates z whatever the bias is, so the exact sum need not be carried further.
  localparam ScaledWidth = BiasWidth + 2;
  wire overflow = rounded[SumWidth-1:ScaledWidth-1] != {(SumWidth-ScaledWidth+1){rounded[SumWidth-1]}};

  reg signed [ScaledWidth-1:0] scaled_q;
  reg signed [BiasWidth-1:0]   bias_q;
  reg signed [15:0]            z_q;

  wire signed [ScaledWidth:0] biased     = scaled_q + $signed({{(ScaledWidth+1-BiasWidth){bias_q[BiasWidth-1]}}, bias_q});
  wire                        z_overflow = biased[ScaledWidth:15] != {(ScaledWidth-14){biased[ScaledWidth]}};

  assign z_o = z_q;

  always @(posedge clk_i) begin
    scaled_q <= overflow ? {rounded[SumWidth-1], {(ScaledWidth-1){~rounded[SumWidth-1]}}} : rounded[ScaledWidth-1:0];
    bias_q   <= bias_i;
    z_q      <= z_overflow ? {biased[ScaledWidth], {15{~biased[ScaledWidth]}}} : biased[15:0];
  end
endmodule

`default_nettype wire
