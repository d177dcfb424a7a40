// SPDX-License-Identifier: MIT
// What the modules around the tiles need of the layer descriptors. The fields kept here are the same in the descriptor of every tile.
// A layer is valid once every tile has a descriptor of it. Combinational reads.
`include "formats.vh"
`default_nettype none

module layer_table #(
  parameter Tiles           = 4,
  parameter ActivationDepth = 128,
  parameter OffsetWidth     = `OFFSET_WIDTH(ActivationDepth)   // derived, not to be set
) (
  input  wire                   clk_i,
  input  wire                   rst_ni,
  input  wire [Tiles-1:0]       load_valid_i,           // tiles that take load_data_i as their descriptor of load_layer_i
  input  wire [`LAYER]          load_layer_i,
  /* verilator lint_off UNUSEDSIGNAL */                 // most fields concern tiles only
  input  wire [`DESCRIPTOR]     load_data_i,
  /* verilator lint_on UNUSEDSIGNAL */
  output reg  [`LAYER_FLAGS]    valid_o,
  output wire [`WORDS]          x_words_o,              // input of layer 0
  output wire                   x_terms_o,
  output wire [OffsetWidth-1:0] x_address_o,
  input  wire [`LAYER]          commit_layer_i,
  output wire [OffsetWidth-1:0] commit_h_address_o,
  input  wire [`LAYER]          output_layer_i,
  output wire [`UNITS]          output_units_o,
  input  wire [`LAYER]          trace_layer_i,
  output wire [`UNITS]          trace_units_o
);
  reg [`UNITS]          units_q     [0:`MAX_LAYERS-1];
  reg [OffsetWidth-1:0] h_address_q [0:`MAX_LAYERS-1];
  reg [`WORDS]          x_words_q;
  reg                   x_terms_q;
  reg [OffsetWidth-1:0] x_address_q;
  reg [`MAX_LAYERS*Tiles-1:0] valid_q;                        // Tiles bits a layer

  assign x_words_o          = x_words_q;
  assign x_terms_o          = x_terms_q;
  assign x_address_o        = x_address_q;
  assign commit_h_address_o = h_address_q[commit_layer_i];
  assign output_units_o     = units_q[output_layer_i];
  assign trace_units_o      = units_q[trace_layer_i];

  integer layer;
  always @*
    for (layer = 0; layer < `MAX_LAYERS; layer = layer + 1)
      valid_o[layer] = &valid_q[Tiles*layer +: Tiles];

  always @(posedge clk_i)
    if (|load_valid_i) begin
      units_q[load_layer_i]     <= load_data_i[`DESCRIPTOR_UNITS];
      h_address_q[load_layer_i] <= load_data_i[`DESCRIPTOR_H_ADDR];
      if (load_layer_i == 0) begin
        x_words_q   <= load_data_i[`DESCRIPTOR_X_WORDS];
        x_terms_q   <= load_data_i[`DESCRIPTOR_TWO_TERMS];
        x_address_q <= load_data_i[`DESCRIPTOR_X_ADDR];
      end
    end

  always @(posedge clk_i)
    if (!rst_ni)
      valid_q <= 0;
    else if (|load_valid_i)
      valid_q[Tiles*load_layer_i +: Tiles] <= valid_q[Tiles*load_layer_i +: Tiles] | load_valid_i;
endmodule

`default_nettype wire
