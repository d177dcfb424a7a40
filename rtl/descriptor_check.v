// Tells a layer descriptor that a layer of this build can have (fields in docs/registers.md) from one that none can.
//
// Units are dealt to tiles in turn: tile k has the positions p < units with p mod Tiles = k, which is ceil((units - k) / Tiles) slots.
// Combinational; good_o means something while check_i is high only, so that a simulator has nothing to compute otherwise.
`default_nettype none

module descriptor_check #(
  parameter Tiles           = 4,
  parameter DotLanes        = 32,
  parameter WeightDepth     = 16384,
  parameter UnitDepth       = 512,
  parameter ActivationDepth = 256
) (
  input  wire             check_i,
  /* verilator lint_off UNUSEDSIGNAL */   // any value of the thresholds is good
  input  wire [255:0]     descriptor_i,
  /* verilator lint_on UNUSEDSIGNAL */
  input  wire [2:0]       layer_i,
  input  wire [Tiles-1:0] tiles_i,        // that the descriptor is for
  output reg              good_o
);
  // 32 bits are enough for every sum and product: where one could overflow, another condition fails.
  reg [31:0] units, slots, x_words, h_words, x_address, h_address, unit_base, weight_base;
  reg        terms, slots_good;

  integer tile;
  always @* begin
    units       = {16'b0, descriptor_i[15:0]};
    slots       = {16'b0, descriptor_i[31:16]};
    x_words     = {16'b0, descriptor_i[47:32]};
    h_words     = {16'b0, descriptor_i[63:48]};
    x_address   = {16'b0, descriptor_i[79:64]};
    h_address   = {16'b0, descriptor_i[95:80]};
    unit_base   = {16'b0, descriptor_i[111:96]};
    terms       = descriptor_i[120];
    weight_base = descriptor_i[159:128];
    slots_good  = 1'b1;
    good_o      = 1'b0;
    if (check_i) begin
      for (tile = 0; tile < Tiles; tile = tile + 1)
        if (tiles_i[tile])
          slots_good = slots_good && slots * Tiles + tile >= units && slots * Tiles + tile < units + Tiles;
      good_o = slots_good
        && units >= 1 && units <= 1024
        && x_words >= 1 && x_words * DotLanes <= 1024
        && h_words * DotLanes >= units && h_words * DotLanes < units + DotLanes
        && x_address + (terms ? 2 * x_words : x_words) <= ActivationDepth
        && h_address + h_words <= ActivationDepth
        && unit_base + slots <= UnitDepth
        && weight_base <= WeightDepth
        && weight_base + 4 * slots * (x_words + h_words) <= WeightDepth
        && descriptor_i[115]                                // c_frac 8..15
        && descriptor_i[119:118] == 0                       // policy 0..3
        && (layer_i == 0 || !terms)
        && descriptor_i[127:121] == 0
        && descriptor_i[255:198] == 0;
    end
  end
endmodule

`default_nettype wire
