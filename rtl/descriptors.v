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
  (* ram_style = "distributed" *)
  reg [255:0] layers_q [0:7];

  always @(posedge clk_i) if (write_i) layers_q[write_layer_i] <= write_data_i;

  assign part_a_o = layers_q[part_a_layer_i];
  assign visit_o  = layers_q[visit_layer_i];
  assign gates_o  = layers_q[gates_layer_i];
  assign commit_o = layers_q[commit_layer_i];
endmodule

`default_nettype wire
