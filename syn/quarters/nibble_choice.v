// SPDX-License-Identifier: MIT
// The operand of the quarter dot product from a word of each plane: the hi or the lo nibble of every lane, lane k's own or that of a lane below.
//
// Sharing = 0: own lanes, one plane for all (lo_i[0]). Sharing = 1: the upper half may have the lanes of the lower (route_i = 1), for rows that share a word.
// Sharing = 2: each fourth has a plane of its own (lo_i), and the lanes of its own (route_i = 0), of its half (1: fourths 2 and 3 have those of 0 and 1) or
// of the first fourth (2), for quarters that share a word. Combinational.
`default_nettype none

module nibble_choice #(
  parameter Lanes   = 64,
  parameter Sharing = 0
) (
  input  wire [4*Lanes-1:0] hi_i,
  input  wire [4*Lanes-1:0] lo_plane_i,
  /* verilator lint_off UNUSEDSIGNAL */ // without sharing all fourths have one plane, and their own lanes
  input  wire [3:0]         lo_i,
  input  wire [1:0]         route_i,
  /* verilator lint_on UNUSEDSIGNAL */
  output wire [4*Lanes-1:0] word_o
);
  localparam Width = Lanes; // bits of a fourth

  genvar g;
  generate
    for (g = 0; g < 4; g = g + 1) begin : gen_fourth
      wire lo = Sharing == 2 ? lo_i[g] : lo_i[0];
      wire [Width-1:0] hi_own = hi_i[g*Width +: Width];
      wire [Width-1:0] lo_own = lo_plane_i[g*Width +: Width];
      /* verilator lint_off UNUSEDSIGNAL */ // without sharing lanes have their own
      wire [Width-1:0] hi_half = hi_i[(g % 2)*Width +: Width];
      wire [Width-1:0] lo_half = lo_plane_i[(g % 2)*Width +: Width];
      /* verilator lint_on UNUSEDSIGNAL */
      if (Sharing == 0) begin : gen_alone
        assign word_o[g*Width +: Width] = lo ? lo_own : hi_own;
      end else if (Sharing == 1) begin : gen_rows
        assign word_o[g*Width +: Width] = route_i[0] ? (lo ? lo_half : hi_half) : (lo ? lo_own : hi_own);
      end else begin : gen_quarters
        assign word_o[g*Width +: Width] = route_i[1] ? (lo ? lo_plane_i[0 +: Width] : hi_i[0 +: Width])
                                        : route_i[0] ? (lo ? lo_half : hi_half) : (lo ? lo_own : hi_own);
      end
    end
  endgenerate
endmodule

`default_nettype wire
