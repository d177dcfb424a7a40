// SPDX-License-Identifier: MIT
// Level of a row: how many of its thresholds what the policy sees exceeds, the highest of them. level = max{k : seen > theta[k] + offset[k]}, 0 if there is none.
//
// seen, unsigned 7 bits; theta of a layer and gate, signed 8 bits each; offset of a row, signed 8 bits: one for all levels (Shared) or one each. Combinational.
`default_nettype none

module level_threshold #(
  parameter Thresholds = 3,
  parameter Shared     = 1,
  parameter Offsets    = Shared != 0 ? 1 : Thresholds // derived, not to be set
) (
  input  wire [6:0]              seen_i,
  input  wire [8*Thresholds-1:0] theta_i,
  input  wire [8*Offsets-1:0]    offset_i,
  output reg  [1:0]              level_o
);
  integer k;
  always @* begin
    level_o = 2'd0;
    for (k = 0; k < Thresholds; k = k + 1)
      if ($signed({3'b000, seen_i}) > $signed({{2{theta_i[8*k+7]}}, theta_i[8*k +: 8]})
                                    + $signed({{2{offset_i[8*(Shared != 0 ? 0 : k)+7]}}, offset_i[8*(Shared != 0 ? 0 : k) +: 8]}))
        level_o = k[1:0] + 2'd1;
  end
endmodule

`default_nettype wire
