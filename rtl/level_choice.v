// SPDX-License-Identifier: MIT
// From what a policy sees of the four gates to their levels: the highest level whose threshold is exceeded.
//
// level = seen > θ_all ? ALL : seen > θ_middle ? MIDDLE : LOWEST, and LOWEST where never_i is set. seen is signed, the row's offset taken off.
// Four gates i, f, g, o, the first in the low bits; combinational.
`include "formats.vh"
`default_nettype none

module level_choice #(
  parameter Gates     = `LEVELS_WIDTH / `LEVEL_WIDTH, // this and below: derived, not to be set
  parameter SeenWidth = 9
) (
  input  wire [SeenWidth*Gates-1:0] seen_i,
  input  wire [Gates-1:0]           never_i,
  input  wire [`THETAS]             theta_middle_i,
  input  wire [`THETAS]             theta_all_i,
  output reg  [`LEVELS]             levels_o
);
  localparam ThetaWidth = `DESCRIPTOR_THETA_ALL_WIDTH;

  integer gate;
  reg signed [SeenWidth-1:0]  seen;
  reg signed [ThetaWidth-1:0] middle, all;
  always @*
    for (gate = 0; gate < Gates; gate = gate + 1) begin
      seen   = seen_i[SeenWidth*gate +: SeenWidth];
      middle = theta_middle_i[ThetaWidth*gate +: ThetaWidth];
      all    = theta_all_i[ThetaWidth*gate +: ThetaWidth];
      levels_o[`LEVEL_WIDTH*gate +: `LEVEL_WIDTH] = never_i[gate] ? `LEVEL_LOWEST
        : seen > $signed({{SeenWidth-ThetaWidth{all[ThetaWidth-1]}}, all}) ? `LEVEL_ALL
        : seen > $signed({{SeenWidth-ThetaWidth{middle[ThetaWidth-1]}}, middle}) ? `LEVEL_MIDDLE : `LEVEL_LOWEST;
    end
endmodule

`default_nettype wire
