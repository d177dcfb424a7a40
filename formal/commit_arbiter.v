// SPDX-License-Identifier: MIT
// commit_arbiter: a commit that is taken appears at the outputs in that cycle, in full, and nothing else does; nothing is taken under stall or clear;
// a tile is passed over by each other tile once at most. With pairs: both of one word, and of two tiles.
//
// Nothing is queued, so nothing can be reordered: a tile's next commit comes only after this one was taken.
`include "formats.vh"
`default_nettype none

module commit_arbiter_properties #(
  parameter Tiles      = 4,
  parameter GroupUnits = 16
) (
  input wire                             clk_i,
  input wire                             rst_ni,
  input wire                             clear_i,
  input wire                             stall_i,
  input wire [Tiles-1:0]                 commit_valid_i,
  input wire [`LAYER_WIDTH*Tiles-1:0]    commit_layer_i,
  input wire [`POSITION_WIDTH*Tiles-1:0] commit_position_i,
  input wire [`H_WIDTH*Tiles-1:0]        commit_h_i,
  input wire [`LEVELS_WIDTH*Tiles-1:0]   commit_levels_i,
  input wire [Tiles-1:0]                 commit_bank_i
);
  localparam GroupBits = $clog2(GroupUnits);

  wire [Tiles-1:0] ready;
  wire             valid, bank, pair_valid;
  wire [`LAYER]    layer;
  wire [`POSITION] position, pair_position;
  wire [`H]        h, pair_h;
  wire [`LEVELS]   levels, pair_levels;
  commit_arbiter #(.Tiles(Tiles), .GroupUnits(GroupUnits)) dut (
    .clk_i(clk_i), .rst_ni(rst_ni), .clear_i(clear_i), .commit_valid_i(commit_valid_i), .commit_ready_o(ready), .commit_layer_i(commit_layer_i),
    .commit_position_i(commit_position_i), .commit_h_i(commit_h_i), .commit_levels_i(commit_levels_i), .commit_bank_i(commit_bank_i),
    .commit_valid_o(valid), .commit_layer_o(layer), .commit_position_o(position), .commit_h_o(h), .commit_levels_o(levels), .commit_bank_o(bank),
    .pair_valid_o(pair_valid), .pair_position_o(pair_position), .pair_h_o(pair_h), .pair_levels_o(pair_levels), .stall_i(stall_i)
  );

  // Of the tiles that are taken: how many, and how many equal each output.
  reg [4:0] taken, firsts, seconds, alike;
  integer   tile;
  always @* begin
    taken = 0; firsts = 0; seconds = 0; alike = 0;
    for (tile = 0; tile < Tiles; tile = tile + 1) begin
      if (ready[tile]) begin
        taken = taken + 1'b1;
        firsts = firsts + (commit_layer_i[`LAYER_WIDTH*tile +: `LAYER_WIDTH] == layer && commit_bank_i[tile] == bank
                           && commit_position_i[`POSITION_WIDTH*tile +: `POSITION_WIDTH] == position
                           && commit_h_i[`H_WIDTH*tile +: `H_WIDTH] == h && commit_levels_i[`LEVELS_WIDTH*tile +: `LEVELS_WIDTH] == levels);
        seconds = seconds + (commit_layer_i[`LAYER_WIDTH*tile +: `LAYER_WIDTH] == layer && commit_bank_i[tile] == bank
                             && commit_position_i[`POSITION_WIDTH*tile +: `POSITION_WIDTH] == pair_position
                             && commit_h_i[`H_WIDTH*tile +: `H_WIDTH] == pair_h && commit_levels_i[`LEVELS_WIDTH*tile +: `LEVELS_WIDTH] == pair_levels);
      end
      if (commit_valid_i[tile] && commit_layer_i[`LAYER_WIDTH*tile +: `LAYER_WIDTH] == layer && commit_bank_i[tile] == bank
          && commit_position_i[`POSITION_WIDTH*tile+GroupBits +: `POSITION_WIDTH-GroupBits] == position[`POSITION_WIDTH-1:GroupBits]) alike = alike + 1'b1;
    end
  end

  // The tile that the solver watches: how often it was passed over.
  (* anyconst *) reg [3:0] watched;
  reg [4:0] passed_q;
  wire [15:0] waiting = commit_valid_i, served = ready;   // of a power of two: no index is beyond them
  reg       begun_q = 1'b0;
  always @(posedge clk_i) begin
    begun_q <= 1'b1;
    if (!rst_ni || clear_i || !waiting[watched] || served[watched]) passed_q <= 0;
    else passed_q <= passed_q + valid;
  end

  always @* begin
    assume (watched < Tiles);
    if (!begun_q) assume (!rst_ni);
    assert ((ready & ~commit_valid_i) == 0);
    assert (valid == (commit_valid_i != 0 && !stall_i && !clear_i));
    assert (taken == {3'b0, valid} + {3'b0, pair_valid});
    if (valid) assert (firsts != 0);
    if (pair_valid) begin
      assert (valid && Tiles > 8 && seconds != 0 && position[`POSITION_WIDTH-1:GroupBits] == pair_position[`POSITION_WIDTH-1:GroupBits]);
      // Either both tiles hold the same commit, or each output is of a tile of its own.
      assert (position != pair_position || h != pair_h || levels != pair_levels || firsts == 2);
    end
    if (Tiles > 8 && valid) assert (pair_valid == (alike > 1));
    if (begun_q) assert (passed_q < Tiles);
  end
endmodule

`default_nettype wire
