// What the modules around the tiles need of the layer descriptors. The fields kept here are the same in the descriptor of every tile.
// A layer is valid once every tile has a descriptor of it. Combinational reads.
`default_nettype none

module layer_table #(
  parameter Tiles           = 4,
  parameter ActivationDepth = 256,
  parameter OffsetWidth     = $clog2(ActivationDepth)   // derived, not to be set
) (
  input  wire                   clk_i,
  input  wire                   rst_ni,
  input  wire [Tiles-1:0]       load_valid_i,           // tiles that take load_data_i as their descriptor of load_layer_i
  input  wire [2:0]             load_layer_i,
  /* verilator lint_off UNUSEDSIGNAL */                 // most fields concern tiles only
  input  wire [127:0]           load_data_i,
  /* verilator lint_on UNUSEDSIGNAL */
  output reg  [7:0]             valid_o,
  output wire [9:0]             x_words_o,              // input of layer 0
  output wire                   x_terms_o,
  output wire [OffsetWidth-1:0] x_address_o,
  input  wire [2:0]             commit_layer_i,
  output wire [OffsetWidth-1:0] commit_h_address_o,
  input  wire [2:0]             output_layer_i,
  output wire [10:0]            output_units_o,
  input  wire [2:0]             trace_layer_i,
  output wire [10:0]            trace_units_o
);
  reg [10:0]            units_q     [0:7];
  reg [OffsetWidth-1:0] h_address_q [0:7];
  reg [9:0]             x_words_q;
  reg                   x_terms_q;
  reg [OffsetWidth-1:0] x_address_q;
  reg [8*Tiles-1:0]     valid_q;                        // Tiles bits a layer

  assign x_words_o          = x_words_q;
  assign x_terms_o          = x_terms_q;
  assign x_address_o        = x_address_q;
  assign commit_h_address_o = h_address_q[commit_layer_i];
  assign output_units_o     = units_q[output_layer_i];
  assign trace_units_o      = units_q[trace_layer_i];

  integer layer;
  always @*
    for (layer = 0; layer < 8; layer = layer + 1)
      valid_o[layer] = &valid_q[Tiles*layer +: Tiles];

  always @(posedge clk_i)
    if (|load_valid_i) begin
      units_q[load_layer_i]     <= load_data_i[10:0];
      h_address_q[load_layer_i] <= load_data_i[80 +: OffsetWidth];
      if (load_layer_i == 0) begin
        x_words_q   <= load_data_i[41:32];
        x_terms_q   <= load_data_i[120];
        x_address_q <= load_data_i[64 +: OffsetWidth];
      end
    end

  always @(posedge clk_i)
    if (!rst_ni)
      valid_q <= 0;
    else if (|load_valid_i)
      valid_q[Tiles*load_layer_i +: Tiles] <= valid_q[Tiles*load_layer_i +: Tiles] | load_valid_i;
endmodule

`default_nettype wire
