// SPDX-License-Identifier: MIT
// Sum of a segment where quarters share a word: acc = Σ_word Σ_g sum[g] << shift[g], each fourth of the tree with its own shift (8, 4, 4 or 0).
//
// Four signed sums of InputWidth in; |acc| < 2^(Width-1). Latency 2 cycles, a word a cycle.
`default_nettype none

module fourths_sum #(
  parameter InputWidth = 12,
  parameter Width      = 25
) (
  input  wire                    clk_i,
  input  wire                    valid_i,
  input  wire                    first_i,
  input  wire [3:0]              weight_lo_i,
  input  wire [3:0]              activation_lo_i,
  input  wire [4*InputWidth-1:0] sums_i,
  output wire signed [Width-1:0] sum_o
);
  localparam WordWidth = InputWidth + 10;

  function signed [WordWidth-1:0] place(input signed [InputWidth-1:0] sum, input weight_lo, input activation_lo);
    reg signed [WordWidth-1:0] half;
    begin
      half  = weight_lo ? {{10{sum[InputWidth-1]}}, sum} : {{6{sum[InputWidth-1]}}, sum, 4'd0};
      place = activation_lo ? half : half <<< 4;
    end
  endfunction

  reg signed [WordWidth-1:0] word_q;
  reg signed [Width-1:0]     sum_q;
  reg                        valid_q, first_q;
  assign sum_o = sum_q;

  always @(posedge clk_i) begin
    valid_q <= valid_i;
    first_q <= first_i;
    word_q  <= place(sums_i[0 +: InputWidth], weight_lo_i[0], activation_lo_i[0])
             + place(sums_i[InputWidth +: InputWidth], weight_lo_i[1], activation_lo_i[1])
             + place(sums_i[2*InputWidth +: InputWidth], weight_lo_i[2], activation_lo_i[2])
             + place(sums_i[3*InputWidth +: InputWidth], weight_lo_i[3], activation_lo_i[3]);
    if (valid_q) sum_q <= (first_q ? {Width{1'b0}} : sum_q) + {{(Width-WordWidth){word_q[WordWidth-1]}}, word_q};
  end
endmodule

`default_nettype wire
