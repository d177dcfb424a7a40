// SPDX-License-Identifier: MIT
// Stands for rtl/ram.v in timing analysis: a flip-flop at every pin, so that paths end and begin there. The access itself is not timed.
module ram #(
  parameter Width        = 128,
  parameter Depth        = 256,
  parameter WriteWidth   = Width,
  parameter AddressWidth = Depth > 1 ? $clog2(Depth) : 1
) (
  input  wire                        clk_i,
  input  wire [Width/WriteWidth-1:0] write_enable_i,
  input  wire [AddressWidth-1:0]     write_address_i,
  input  wire [Width-1:0]            write_data_i,
  input  wire                        read_enable_i,
  input  wire [AddressWidth-1:0]     read_address_i,
  output reg  [Width-1:0]            read_data_o
);
  (* keep *) reg [Width-1:0]            write_data_q;
  (* keep *) reg [AddressWidth-1:0]     write_address_q, read_address_q;
  (* keep *) reg [Width/WriteWidth-1:0] write_enable_q;
  (* keep *) reg                        read_enable_q;

  always @(posedge clk_i) begin
    write_enable_q  <= write_enable_i;
    write_address_q <= write_address_i;
    write_data_q    <= write_data_i;
    read_enable_q   <= read_enable_i;
    read_address_q  <= read_address_i;
    read_data_o     <= write_data_q;
  end
endmodule
