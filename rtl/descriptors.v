// Layer descriptors of a tile (fields in docs/registers.md), one writer, four readers at work on different layers; combinational reads.
//
// A field that does not fit the build's memories cannot arrive here: image_loader refuses such descriptors.
`default_nettype none

module descriptors (
  input  wire         clk_i,
  input  wire         write_i,
  input  wire [2:0]   write_layer_i,
  input  wire [255:0] write_data_i,
  input  wire [2:0]   part_a_layer_i,
  output wire [255:0] part_a_o,
  input  wire [2:0]   visit_layer_i,
  output wire [255:0] visit_o,
  input  wire [2:0]   gates_layer_i,
  output wire [255:0] gates_o,
  input  wire [2:0]   commit_layer_i,
  output wire [255:0] commit_o
);
  register_file #(.Width(256), .Depth(8), .Reads(4)) u_layers (
    .clk_i          (clk_i),
    .write_enable_i (write_i),
    .write_address_i(write_layer_i),
    .write_data_i   (write_data_i),
    .read_address_i ({part_a_layer_i, visit_layer_i, gates_layer_i, commit_layer_i}),
    .read_data_o    ({part_a_o, visit_o, gates_o, commit_o})
  );
endmodule

`default_nettype wire
