// SPDX-License-Identifier: MIT
// Round robin over the commits of the tiles: one a cycle, and with more than 8 tiles a second one that goes to the same word. A commit is the h of a finished
// unit with the levels of its gates; it is consumed in the very cycle in which it appears at commit_*_o (the activation bus registers it), so nothing is
// queued here. The second is the next tile's in turn whose unit has the same layer and step, and a position in the same group of GroupUnits: what the
// activation memories and the output streams write at once.
// stall_i holds all commits back (the row counters are being copied). Combinational except the turn.
`include "formats.vh"
`default_nettype none

module commit_arbiter #(
  parameter Tiles      = 4,
  parameter GroupUnits = 16
) (
  input  wire                             clk_i,
  input  wire                             rst_ni,
  input  wire                             clear_i,

  input  wire [Tiles-1:0]                 commit_valid_i,
  output wire [Tiles-1:0]                 commit_ready_o,
  input  wire [`LAYER_WIDTH*Tiles-1:0]    commit_layer_i,
  input  wire [`POSITION_WIDTH*Tiles-1:0] commit_position_i,
  input  wire [`H_WIDTH*Tiles-1:0]        commit_h_i,
  input  wire [`LEVELS_WIDTH*Tiles-1:0]   commit_levels_i,
  input  wire [Tiles-1:0]                 commit_bank_i,

  output wire                             commit_valid_o,
  output wire [`LAYER]                    commit_layer_o,
  output wire [`POSITION]                 commit_position_o,
  output wire [`H]                        commit_h_o,
  output wire [`LEVELS]                   commit_levels_o,
  output wire                             commit_bank_o,
  output wire                             pair_valid_o,     // a second commit, of the same layer and bank
  output wire [`POSITION]                 pair_position_o,
  output wire [`H]                        pair_h_o,
  output wire [`LEVELS]                   pair_levels_o,

  input  wire                             stall_i
);
  localparam Place = `LAYER_WIDTH + 1 + `POSITION_WIDTH;  // of a unit: layer, bank, position
  localparam Width = Place + `H_WIDTH + `LEVELS_WIDTH;

  // The commits of all tiles as words.
  wire [Width*Tiles-1:0] commits;
  genvar k;
  generate
    for (k = 0; k < Tiles; k = k + 1) begin : gen_words
      assign commits[Width*k +: Width] = {commit_levels_i[`LEVELS_WIDTH*k +: `LEVELS_WIDTH], commit_h_i[`H_WIDTH*k +: `H_WIDTH],
                                          commit_layer_i[`LAYER_WIDTH*k +: `LAYER_WIDTH], commit_bank_i[k], commit_position_i[`POSITION_WIDTH*k +: `POSITION_WIDTH]};
    end
  endgenerate

  reg  [Tiles-1:0] later_q;   // the tiles after the one served last, a second one not counted, so that nobody is passed over: they come first

  wire [Tiles-1:0] grant  = first(commit_valid_i, later_q);
  wire             enable = ~stall_i & ~clear_i;
  wire [Width-1:0] commit = word(commits, grant);

  assign commit_valid_o = enable & |commit_valid_i;
  assign {commit_levels_o, commit_h_o, commit_layer_o, commit_bank_o, commit_position_o} = commit;

  generate
    if (Tiles > 8) begin : gen_pair
      reg  [Tiles-1:0]     alike;
      wire [Tiles-1:0]     pair_grant = first(commit_valid_i & alike & ~grant, after(grant));
      /* verilator lint_off UNUSEDSIGNAL */ // layer and bank are those of the first
      wire [Width-1:0]     pair = word(commits, pair_grant);
      /* verilator lint_on UNUSEDSIGNAL */
      integer tile;
      always @*
        for (tile = 0; tile < Tiles; tile = tile + 1)
          alike[tile] = commits[Width*tile+$clog2(GroupUnits) +: Place-$clog2(GroupUnits)] == commit[$clog2(GroupUnits) +: Place-$clog2(GroupUnits)];

      assign pair_valid_o    = enable & |pair_grant;
      assign pair_position_o = pair[`POSITION];
      assign pair_h_o        = pair[Place +: `H_WIDTH];
      assign pair_levels_o   = pair[Place+`H_WIDTH +: `LEVELS_WIDTH];
      assign commit_ready_o  = enable ? grant | pair_grant : {Tiles{1'b0}};
    end else begin : gen_single
      assign pair_valid_o    = 1'b0;
      assign pair_position_o = 0;
      assign pair_h_o        = 0;
      assign pair_levels_o   = 0;
      assign commit_ready_o  = enable ? grant : {Tiles{1'b0}};
    end
  endgenerate

  // The tiles after the one of a grant.
  function [Tiles-1:0] after(input [Tiles-1:0] one);
    after = ~(one | (one - 1'b1));
  endfunction

  // The first of those that wait, those that are in turn before the others.
  function [Tiles-1:0] first(input [Tiles-1:0] waiting, input [Tiles-1:0] in_turn);
    reg [Tiles-1:0] pick;
    begin
      pick  = |(waiting & in_turn) ? waiting & in_turn : waiting;
      first = pick & (~pick + 1'b1);
    end
  endfunction

  // The word of the tile of a grant.
  function [Width-1:0] word(input [Width*Tiles-1:0] words, input [Tiles-1:0] one);
    integer tile;
    begin
      word = 0;
      for (tile = 0; tile < Tiles; tile = tile + 1)
        if (one[tile]) word = words[Width*tile +: Width];
    end
  endfunction

  always @(posedge clk_i)
    if (!rst_ni || clear_i)
      later_q <= 0;
    else if (commit_valid_o)
      later_q <= after(grant);

endmodule

`default_nettype wire
