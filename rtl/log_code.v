// SPDX-License-Identifier: MIT
// Logarithm of an unsigned integer in half octaves: code = 2*e + f, e = floor(log2 v), f = the bit below the leading one.
//
// 16 bits in; 5-bit code and a flag for zero out; combinational.
`default_nettype none

module log_code (
  input  wire [15:0] value_i,
  output reg  [4:0]  code_o,
  output wire        zero_o
);
  integer bit_index;

  assign zero_o = value_i == 16'd0;

  always @* begin
    code_o = 5'd0;
    for (bit_index = 1; bit_index < 16; bit_index = bit_index + 1)
      if (value_i[bit_index]) code_o = {bit_index[3:0], value_i[bit_index-1]};
  end
endmodule

`default_nettype wire
