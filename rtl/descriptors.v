// SPDX-License-Identifier: MIT
// Layer descriptors of a tile (fields in docs/registers.md), one writer, four readers at work on different layers; combinational reads.
//
// A field that does not fit the build's memories cannot arrive here: image_loader refuses such descriptors. The baseline build keeps no field that only
// decisions need; it reads as 0.
`include "formats.vh"
`default_nettype none

module descriptors #(
  parameter DynamicPrecision = 1
) (
  input  wire               clk_i,
  input  wire               write_i,
  input  wire [`LAYER]      write_layer_i,
  /* verilator lint_off UNUSEDSIGNAL */    // reserved bits, and those that the build does not keep
  input  wire [`DESCRIPTOR] write_data_i,
  /* verilator lint_on UNUSEDSIGNAL */
  input  wire [`LAYER]      early_layer_i,
  output wire [`DESCRIPTOR] early_o,
  input  wire [`LAYER]      row_pass_layer_i,
  output wire [`DESCRIPTOR] row_pass_o,
  input  wire [`LAYER]      gates_layer_i,
  output wire [`DESCRIPTOR] gates_o,
  input  wire [`LAYER]      late_layer_i,
  output wire [`DESCRIPTOR] late_o
);
  localparam Width = `DESCRIPTOR_KEPT(DynamicPrecision), Unkept = `DESCRIPTOR_WIDTH - Width;

  wire [Width-1:0] early, row_pass, gates, late;
  register_file #(.Width(Width), .Depth(`MAX_LAYERS), .Reads(4)) u_layers (
    .clk_i          (clk_i),
    .write_enable_i (write_i),
    .write_address_i(write_layer_i),
    .write_data_i   (write_data_i[Width-1:0]),
    .read_address_i ({early_layer_i, row_pass_layer_i, gates_layer_i, late_layer_i}),
    .read_data_o    ({early, row_pass, gates, late})
  );
  assign early_o    = {{Unkept{1'b0}}, early};
  assign row_pass_o = {{Unkept{1'b0}}, row_pass};
  assign gates_o    = {{Unkept{1'b0}}, gates};
  assign late_o     = {{Unkept{1'b0}}, late};
endmodule

`default_nettype wire
