// SPDX-License-Identifier: MIT
// log_code: half octaves, as docs/numerics.md defines them, of every value: the code is the largest whose least value is reached.
`default_nettype none

module log_code_properties (
  input wire [15:0] value_i
);
  wire [4:0] code;
  wire       zero;
  log_code dut (.value_i(value_i), .code_o(code), .zero_o(zero));

  // The least value of a code 2 e + f is 2^e + f 2^(e-1); 1 has no half octave.
  function [31:0] least(input [5:0] number);
    least = (32'd2 + number[0]) << number[5:1] >> 1;
  endfunction

  always @* begin
    assert (zero == (value_i == 0));
    if (zero || value_i == 1) assert (code == 0);
    else assert (code >= 2 && least({1'b0, code}) <= value_i && value_i < least({1'b0, code} + 1'b1));
  end
endmodule

`default_nettype wire
