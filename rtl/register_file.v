// SPDX-License-Identifier: MIT
// Small memory with one write port and combinational reads at several ports.
//
// A read in the cycle of a write to the same word gives the old word. It is a memory and not flip-flops: synthesis counts its bits.
`default_nettype none

module register_file #(
  parameter Width        = 44,
  parameter Depth        = 32,                             // a power of two, at least 2
  parameter Reads        = 2,
  parameter AddressWidth = $clog2(Depth)                   // derived, not to be set
) (
  input  wire                          clk_i,
  input  wire                          write_enable_i,
  input  wire [AddressWidth-1:0]       write_address_i,
  input  wire [Width-1:0]              write_data_i,
  input  wire [Reads*AddressWidth-1:0] read_address_i,     // port 0 in the low bits
  output wire [Reads*Width-1:0]        read_data_o
);
  (* ram_style = "distributed" *)
  reg [Width-1:0] words_q [0:Depth-1];

  always @(posedge clk_i) if (write_enable_i) words_q[write_address_i] <= write_data_i;

  genvar port;
  generate
    for (port = 0; port < Reads; port = port + 1) begin : gen_read
      assign read_data_o[port*Width +: Width] = words_q[read_address_i[port*AddressWidth +: AddressWidth]];
    end
  endgenerate
endmodule

`default_nettype wire
