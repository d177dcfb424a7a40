// SPDX-License-Identifier: MIT
// round_shift: floor(value / 2^shift + 1/2), as an addition of the half and a division that rounds down, in as many bits as that takes.
`default_nettype none

module round_shift_properties #(
  parameter Width      = 16,
  parameter ShiftWidth = 4
) (
  input wire signed [Width-1:0]      value_i,
  input wire        [ShiftWidth-1:0] shift_i
);
  localparam Wide = Width + (1 << ShiftWidth) + 1;

  wire signed [Width-1:0] rounded;
  round_shift #(.Width(Width), .ShiftWidth(ShiftWidth)) dut (.value_i(value_i), .shift_i(shift_i), .rounded_o(rounded));

  wire signed [Wide-1:0] unit  = 1;
  wire signed [Wide-1:0] value = value_i, result = rounded;
  wire signed [Wide-1:0] twice = 2 * value + (unit <<< shift_i);  // 2 value + 2^shift, to be divided by 2^(shift+1)
  wire signed [Wide-1:0] least = result <<< ({1'b0, shift_i} + 1'b1), beyond = (result + unit) <<< ({1'b0, shift_i} + 1'b1);

  always @* assert (least <= twice && twice < beyond);
endmodule

`default_nettype wire
