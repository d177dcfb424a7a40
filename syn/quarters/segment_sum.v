// SPDX-License-Identifier: MIT
// Sum of a segment: acc = Σ_word sum[word] << shift, from zero at its first word.
//
// Shift of a quarter of the product of 16 wh + wl and 16 ah + al: 8 for wh ah, 4 for wh al and wl ah, 0 for wl al; where a word of x has an exponent e,
// 0..4, with 2^e ah + al: 4 + e for wh ah, 4 for wh al, e for wl ah, 0 for wl al. Without quarters (Quarters = 0) nothing is shifted: the sum of rtl/row_sums.v.
// Signed sums of InputWidth in; |acc| < 2^(Width-1). Latency 1 cycle, a word a cycle.
`default_nettype none

module segment_sum #(
  parameter InputWidth = 14,
  parameter Width      = 25,
  parameter Quarters   = 1,
  parameter Exponents  = 0
) (
  input  wire                         clk_i,
  input  wire                         valid_i,
  input  wire                         first_i,
  input  wire                         weight_lo_i,
  input  wire                         activation_lo_i,
  input  wire        [2:0]            exponent_i,
  input  wire signed [InputWidth-1:0] sum_i,
  output wire signed [Width-1:0]      sum_o
);
  wire signed [Width-1:0] word = {{(Width-InputWidth){sum_i[InputWidth-1]}}, sum_i};
  wire signed [Width-1:0] placed;

  generate
    if (Quarters == 0) begin : gen_whole
      /* verilator lint_off UNUSEDSIGNAL */ // there is one product of a weight and an activation
      wire unused = &{weight_lo_i, activation_lo_i, exponent_i};
      /* verilator lint_on UNUSEDSIGNAL */
      assign placed = word;
    end else if (Exponents == 0) begin : gen_quarters
      /* verilator lint_off UNUSEDSIGNAL */ // all words have the exponent 4
      wire unused = &exponent_i;
      /* verilator lint_on UNUSEDSIGNAL */
      wire signed [Width-1:0] half = weight_lo_i ? word : word <<< 4;
      assign placed = activation_lo_i ? half : half <<< 4;
    end else begin : gen_exponents
      wire signed [Width-1:0] half = weight_lo_i ? word : word <<< 4;
      assign placed = activation_lo_i ? half : half <<< exponent_i;
    end
  endgenerate

  reg signed [Width-1:0] sum_q;
  assign sum_o = sum_q;

  always @(posedge clk_i)
    if (valid_i) sum_q <= (first_i ? {Width{1'b0}} : sum_q) + placed;
endmodule

`default_nettype wire
