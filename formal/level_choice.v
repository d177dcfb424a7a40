// SPDX-License-Identifier: MIT
// level_choice: the highest level whose threshold is exceeded, LOWEST where nothing may be refined; for every estimate and threshold.
`include "formats.vh"
`default_nettype none

module level_choice_properties #(
  parameter SeenWidth = 9
) (
  input wire [4*SeenWidth-1:0] seen_i,
  input wire [3:0]             never_i,
  input wire [`THETAS]         theta_middle_i,
  input wire [`THETAS]         theta_all_i
);
  wire [`LEVELS] levels;
  level_choice #(.SeenWidth(SeenWidth)) dut (.seen_i(seen_i), .never_i(never_i), .theta_middle_i(theta_middle_i), .theta_all_i(theta_all_i), .levels_o(levels));

  genvar gate;
  generate
    for (gate = 0; gate < 4; gate = gate + 1) begin : gen_gates
      wire signed [SeenWidth-1:0] seen   = seen_i[SeenWidth*gate +: SeenWidth];
      wire signed [7:0]           middle = theta_middle_i[8*gate +: 8], all = theta_all_i[8*gate +: 8];
      wire [`LEVEL]               level  = levels[`LEVEL_WIDTH*gate +: `LEVEL_WIDTH];
      always @* begin
        assert ((level == `LEVEL_ALL) == (!never_i[gate] && seen > all));
        assert ((level == `LEVEL_MIDDLE) == (!never_i[gate] && seen <= all && seen > middle));
        assert (level == `LEVEL_ALL || level == `LEVEL_MIDDLE || level == `LEVEL_LOWEST);
      end
    end
  endgenerate
endmodule

`default_nettype wire
