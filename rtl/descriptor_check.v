// SPDX-License-Identifier: MIT
// Tells a layer descriptor that a layer of this build can have (fields in docs/registers.md) from one that none can.
//
// Units are dealt to tiles in turn: tile k has the positions p < units with p mod Tiles = k, which is ceil((units - k) / Tiles) slots.
// Combinational; good_o means something while check_i is high only, so that a simulator has nothing to compute otherwise.
`include "formats.vh"
`default_nettype none

module descriptor_check #(
  parameter Tiles           = 4,
  parameter DotLanes        = 64,
  parameter WeightDepth     = 8192,
  parameter UnitDepth       = 512,
  parameter ActivationDepth = 128
) (
  input  wire               check_i,
  /* verilator lint_off UNUSEDSIGNAL */   // any value of the thresholds is good
  input  wire [`DESCRIPTOR] descriptor_i,
  /* verilator lint_on UNUSEDSIGNAL */
  input  wire [`LAYER]      layer_i,
  input  wire [Tiles-1:0]   tiles_i,  // that the descriptor is for
  output reg                good_o
);
  // 32 bits are enough for every sum and product: where one could overflow, another condition fails.
  reg [31:0] units, slots, x_words, h_words, x_address, h_address, unit_base, weight_base;
  reg        terms, slots_good, levels_good;

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
    // Each level holds the quarters of the one below, and more of them in both of the passes that every row has, or in one.
    levels_good = descriptor_i[`DESCRIPTOR_MIDDLE_X0] >= descriptor_i[`DESCRIPTOR_LOWEST_X0]
               && descriptor_i[`DESCRIPTOR_MIDDLE_X1] >= descriptor_i[`DESCRIPTOR_LOWEST_X1]
               && descriptor_i[`DESCRIPTOR_MIDDLE_H] >= descriptor_i[`DESCRIPTOR_LOWEST_H]
               && (descriptor_i[`DESCRIPTOR_MIDDLE_X0] != descriptor_i[`DESCRIPTOR_LOWEST_X0]
                   || descriptor_i[`DESCRIPTOR_MIDDLE_H] != descriptor_i[`DESCRIPTOR_LOWEST_H]);
    good_o      = 1'b0;
    if (check_i) begin
      for (tile = 0; tile < Tiles; tile = tile + 1)
        if (tiles_i[tile])
          slots_good = slots_good && slots * Tiles + tile >= units && slots * Tiles + tile < units + Tiles;
      good_o = slots_good && levels_good
        && `DESCRIPTOR_IN_RANGE(descriptor_i)
        && x_words * DotLanes <= `MAX_UNITS
        && h_words * DotLanes >= units && h_words * DotLanes < units + DotLanes
        && x_address + (terms ? 2 * x_words : x_words) <= ActivationDepth
        && h_address + h_words <= ActivationDepth
        && unit_base + slots <= UnitDepth
        && weight_base <= WeightDepth
        && weight_base + 4 * slots * (x_words + h_words) <= WeightDepth
        && (layer_i == 0 || !terms);
    end
  end
endmodule

`default_nettype wire
