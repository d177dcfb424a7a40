// SPDX-License-Identifier: MIT
// Layer descriptors of a tile (fields in docs/registers.md), one writer, four readers at work on different layers; combinational reads.
//
// A field that does not fit the build's memories cannot arrive here: image_loader refuses such descriptors.
`include "formats.vh"
`default_nettype none

module descriptors (
  input  wire               clk_i,
  input  wire               write_i,
  input  wire [`LAYER]      write_layer_i,
  input  wire [`DESCRIPTOR] write_data_i,
  input  wire [`LAYER]      early_layer_i,
  output wire [`DESCRIPTOR] early_o,
  input  wire [`LAYER]      row_pass_layer_i,
  output wire [`DESCRIPTOR] row_pass_o,
  input  wire [`LAYER]      gates_layer_i,
  output wire [`DESCRIPTOR] gates_o,
  input  wire [`LAYER]      commit_layer_i,
  output wire [`DESCRIPTOR] commit_o
);
  register_file #(.Width(`DESCRIPTOR_WIDTH), .Depth(`MAX_LAYERS), .Reads(4)) u_layers (
    .clk_i          (clk_i),
    .write_enable_i (write_i),
    .write_address_i(write_layer_i),
    .write_data_i   (write_data_i),
    .read_address_i ({early_layer_i, row_pass_layer_i, gates_layer_i, commit_layer_i}),
    .read_data_o    ({early_o, row_pass_o, gates_o, commit_o})
  );
endmodule

`default_nettype wire
