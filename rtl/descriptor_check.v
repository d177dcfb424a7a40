// SPDX-License-Identifier: MIT
// Tells a layer descriptor that a layer of this build can have (fields in docs/registers.md) from one that none can.
//
// Units are dealt to tiles in turn: tile k has the positions p < units with p mod Tiles = k, which is ceil((units - k) / Tiles) slots.
// The sizes, up to `terms`, are in the first beat of a descriptor: they are looked at in the cycle in which the last one comes (sizes_i), all else in the
// next one (check_i), and where its weights end in the third. Latency: good_o is that of the descriptor one cycle after check_i.
// Nothing is computed while sizes_i and check_i are low, which spares a simulator most of it.
`include "formats.vh"
`default_nettype none

module descriptor_check #(
  parameter Tiles           = 4,
  parameter DotLanes        = 64,
  parameter WeightDepth     = 8192,
  parameter UnitDepth       = 512,
  parameter ActivationDepth = 128
) (
  input  wire               clk_i,
  input  wire               sizes_i,  // descriptor_i has its first beat, tiles_i is valid
  input  wire               check_i,  // one cycle later: descriptor_i is whole, layer_i is valid
  /* verilator lint_off UNUSEDSIGNAL */   // any value of the thresholds is good
  input  wire [`DESCRIPTOR] descriptor_i,
  /* verilator lint_on UNUSEDSIGNAL */
  input  wire [`LAYER]      layer_i,
  input  wire [Tiles-1:0]   tiles_i,  // that the descriptor is for
  output wire               good_o
);
  // 32 bits are enough for every sum and product: where one could overflow, another condition fails.
  reg [31:0] units, slots, x_words, h_words, x_address, h_address, unit_base, weight_base;
  reg        terms, slots_good, levels_good;
  reg        sizes_good_q, good_q;
  reg [31:0] weight_words_q;
  reg [`WORDS_WIDTH:0] row_words_q;

  integer tile;
  always @* begin
    units       = `DESCRIPTOR_UNITS_VALUE(descriptor_i);
    slots       = `DESCRIPTOR_SLOTS_VALUE(descriptor_i);
    x_words     = `DESCRIPTOR_X_WORDS_VALUE(descriptor_i);
    h_words     = `DESCRIPTOR_H_WORDS_VALUE(descriptor_i);
    x_address   = `DESCRIPTOR_X_ADDR_VALUE(descriptor_i);
    h_address   = `DESCRIPTOR_H_ADDR_VALUE(descriptor_i);
    unit_base   = `DESCRIPTOR_UNIT_BASE_VALUE(descriptor_i);
    terms       = descriptor_i[`DESCRIPTOR_TWO_TERMS];
    weight_base = `DESCRIPTOR_W_BASE_VALUE(descriptor_i);
    slots_good  = 1'b1;
    if (sizes_i)
      for (tile = 0; tile < Tiles; tile = tile + 1)
        if (tiles_i[tile])
          slots_good = slots_good && slots * Tiles + tile >= units && slots * Tiles + tile < units + Tiles;
    // Each level holds the quarters of the one below, and more of them in both of the passes that every row has, or in one.
    levels_good = descriptor_i[`DESCRIPTOR_MIDDLE_X0] >= descriptor_i[`DESCRIPTOR_LOWEST_X0]
               && descriptor_i[`DESCRIPTOR_MIDDLE_X1] >= descriptor_i[`DESCRIPTOR_LOWEST_X1]
               && descriptor_i[`DESCRIPTOR_MIDDLE_H] >= descriptor_i[`DESCRIPTOR_LOWEST_H]
               && (descriptor_i[`DESCRIPTOR_MIDDLE_X0] != descriptor_i[`DESCRIPTOR_LOWEST_X0]
                   || descriptor_i[`DESCRIPTOR_MIDDLE_H] != descriptor_i[`DESCRIPTOR_LOWEST_H]);
  end

  always @(posedge clk_i) begin
    if (sizes_i) begin
      sizes_good_q <= slots_good
        && x_words * DotLanes <= `MAX_UNITS
        && h_words * DotLanes >= units && h_words * DotLanes < units + DotLanes
        && x_address + (terms ? 2 * x_words : x_words) <= ActivationDepth
        && h_address + h_words <= ActivationDepth
        && unit_base + slots <= UnitDepth;
      row_words_q  <= {1'b0, x_words[`WORDS]} + {1'b0, h_words[`WORDS]}; // of the bits that good counts have, and so is the product
    end
    if (check_i) begin
      good_q <= sizes_good_q && levels_good
        && `DESCRIPTOR_IN_RANGE(descriptor_i)
        && weight_base <= WeightDepth
        && (layer_i == 0 || !terms);
      weight_words_q <= 4 * {{32-`UNITS_WIDTH{1'b0}}, slots[`UNITS]} * {{31-`WORDS_WIDTH{1'b0}}, row_words_q};
    end
  end

  assign good_o = good_q && weight_base + weight_words_q <= WeightDepth;
endmodule

`default_nettype wire
