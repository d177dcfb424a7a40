// Row sum to pre-activation: z = sat16(round(P / 2^s) + bias).
//
// P signed SumWidth bits, s 0..63, bias Q5.12 in 18 bits, z int16 Q3.12. Latency 2 cycles, one row a cycle.
`default_nettype none

module requantizer #(
  parameter SumWidth = 44
) (
  input  wire                       clk_i,
  input  wire signed [SumWidth-1:0] sum_i,
  input  wire        [5:0]          shift_i,
  input  wire signed [17:0]         bias_i,
  output wire signed [15:0]         z_o
);
  wire signed [SumWidth-1:0] rounded;

  round_shift #(.Width(SumWidth), .ShiftWidth(6)) u_round_shift (
    .value_i  (sum_i),
    .shift_i  (shift_i),
    .rounded_o(rounded)
  );

  // A sum beyond 20 bits saturates z whatever the bias is, so the exact sum need not be carried further.
  wire overflow = rounded[SumWidth-1:19] != {(SumWidth-19){rounded[SumWidth-1]}};

  reg signed [19:0] scaled_q;
  reg signed [17:0] bias_q;
  reg signed [15:0] z_q;

  wire signed [20:0] biased = scaled_q + $signed({{3{bias_q[17]}}, bias_q});
  wire               z_overflow = biased[20:15] != {6{biased[20]}};

  assign z_o = z_q;

  always @(posedge clk_i) begin
    scaled_q <= overflow ? {rounded[SumWidth-1], {19{~rounded[SumWidth-1]}}} : rounded[19:0];
    bias_q   <= bias_i;
    z_q      <= z_overflow ? {biased[20], {15{~biased[20]}}} : biased[15:0];
  end
endmodule

`default_nettype wire
