// SPDX-License-Identifier: MIT
// Which quarters of which segments a row pass adds.
//
// Early and late pass add the quarters of the level that the row starts with: ALL under STATIC_HIGH, else LOWEST. A refinement adds those that its level
// has beyond LOWEST. The early pass of layer 0 has x0 and x1, above it h; the late pass has the others, a refinement all segments. A level has the first so
// many quarters in the order HH, HL, LH, LL. The baseline build has one product of 8x8 in place of four quarters: bit 0.
// Combinational.
`include "formats.vh"
`default_nettype none

module pass_quarters #(
  parameter DynamicPrecision = 1
) (
  input  wire [`KIND]       kind_i,
  input  wire               first_layer_i,
  /* verilator lint_off UNUSEDSIGNAL */     // the baseline build has no levels; a descriptor has room for other readers
  input  wire               static_high_i,
  input  wire [`LEVEL]      level_i,        // of a refinement
  input  wire [`DESCRIPTOR] descriptor_i,
  /* verilator lint_on UNUSEDSIGNAL */
  output wire [`QUARTERS]   x0_o,
  output wire [`QUARTERS]   x1_o,
  output wire [`QUARTERS]   h_o
);
  wire refinement = DynamicPrecision != 0 && kind_i == `KIND_REFINEMENT;
  wire with_x     = refinement || (kind_i == `KIND_EARLY) == first_layer_i;
  wire with_h     = refinement || !with_x;
  wire with_x1    = with_x && descriptor_i[`DESCRIPTOR_TWO_TERMS];

  // The first so many quarters in the order of their codes.
  function [`QUARTERS] first_quarters(input [`QUARTER_COUNT] count);
    first_quarters = ~({`QUARTERS_WIDTH{1'b1}} << count);
  endfunction

  function [`QUARTERS] quarters(input present, input all_at_once, input refines, input to_middle, input [`QUARTER_COUNT] lowest, input [`QUARTER_COUNT] middle);
    quarters = !present ? {`QUARTERS_WIDTH{1'b0}}
             : refines ? (to_middle ? first_quarters(middle) : {`QUARTERS_WIDTH{1'b1}}) & ~first_quarters(lowest)
             : all_at_once ? {`QUARTERS_WIDTH{1'b1}} : first_quarters(lowest);
  endfunction

  generate
    if (DynamicPrecision != 0) begin : gen_quarters
      wire middle = level_i == `LEVEL_MIDDLE;
      assign x0_o = quarters(with_x,  static_high_i, refinement, middle, descriptor_i[`DESCRIPTOR_LOWEST_X0], descriptor_i[`DESCRIPTOR_MIDDLE_X0]);
      assign x1_o = quarters(with_x1, static_high_i, refinement, middle, descriptor_i[`DESCRIPTOR_LOWEST_X1], descriptor_i[`DESCRIPTOR_MIDDLE_X1]);
      assign h_o  = quarters(with_h,  static_high_i, refinement, middle, descriptor_i[`DESCRIPTOR_LOWEST_H],  descriptor_i[`DESCRIPTOR_MIDDLE_H]);
    end else begin : gen_words
      assign x0_o = {3'b000, with_x};
      assign x1_o = {3'b000, with_x1};
      assign h_o  = {3'b000, with_h};
    end
  endgenerate
endmodule

`default_nettype wire
