// SPDX-License-Identifier: MIT
// Round robin over the commits of the tiles, one a cycle. A commit is the h of a finished unit with the levels of its gates;
// it is consumed in the very cycle in which it appears at commit_*_o (the activation bus registers it), so nothing is queued here.
// stall_i holds all commits back (the row counters are being copied). Combinational but for the turn.
`include "formats.vh"
`default_nettype none

module commit_arbiter #(
  parameter Tiles = 4
) (
  input  wire                             clk_i,
  input  wire                             rst_ni,
  input  wire                             clear_i,

  input  wire [Tiles-1:0]                 commit_valid_i,
  output wire [Tiles-1:0]                 commit_ready_o,
  input  wire [`LAYER_WIDTH*Tiles-1:0]    commit_layer_i,
  input  wire [`POSITION_WIDTH*Tiles-1:0] commit_position_i,
  input  wire [`H_WIDTH*Tiles-1:0]        commit_h_i,
  input  wire [`LEVELS_WIDTH*Tiles-1:0]     commit_levels_i,
  input  wire [Tiles-1:0]                 commit_bank_i,

  output wire                             commit_valid_o,
  output reg  [`LAYER]                    commit_layer_o,
  output reg  [`POSITION]                 commit_position_o,
  output reg  [`H]                        commit_h_o,
  output reg  [`LEVELS]                     commit_levels_o,
  output reg                              commit_bank_o,

  input  wire                             stall_i
);

  reg  [Tiles-1:0] later_q;   // the tiles behind the one served last: they come first

  wire [Tiles-1:0] waiting = commit_valid_i & later_q;
  wire [Tiles-1:0] pick    = |waiting ? waiting : commit_valid_i;
  wire [Tiles-1:0] grant   = pick & (~pick + 1'b1);
  wire             enable  = ~stall_i & ~clear_i;

  assign commit_ready_o = enable ? grant : {Tiles{1'b0}};
  assign commit_valid_o = enable & |commit_valid_i;

  integer tile;
  always @* begin
    commit_layer_o    = 0;
    commit_position_o = 0;
    commit_h_o        = 0;
    commit_levels_o     = 0;
    commit_bank_o     = 0;
    for (tile = 0; tile < Tiles; tile = tile + 1)
      if (grant[tile]) begin
        commit_layer_o    = commit_layer_i[`LAYER_WIDTH*tile +: `LAYER_WIDTH];
        commit_position_o = commit_position_i[`POSITION_WIDTH*tile +: `POSITION_WIDTH];
        commit_h_o        = commit_h_i[`H_WIDTH*tile +: `H_WIDTH];
        commit_levels_o     = commit_levels_i[`LEVELS_WIDTH*tile +: `LEVELS_WIDTH];
        commit_bank_o     = commit_bank_i[tile];
      end
  end

  always @(posedge clk_i)
    if (!rst_ni || clear_i)
      later_q <= 0;
    else if (commit_valid_o)
      later_q <= ~(grant | (grant - 1'b1));

endmodule

`default_nettype wire
