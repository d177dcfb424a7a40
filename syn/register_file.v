// SPDX-License-Identifier: MIT
// Stands for rtl/register_file.v in a netlist: a latch a bit, which takes a word from a register in the first half of the cycle after its write, and AND-OR reads.
// `latch` and `clock_gate` are those of the library (syn/library.py).
module register_file #(
  parameter Width        = 44,
  parameter Depth        = 32,
  parameter Reads        = 2,
  parameter AddressWidth = $clog2(Depth)
) (
  input  wire                          clk_i,
  input  wire                          write_enable_i,
  input  wire [AddressWidth-1:0]       write_address_i,
  input  wire [Width-1:0]              write_data_i,
  input  wire [Reads*AddressWidth-1:0] read_address_i,
  output wire [Reads*Width-1:0]        read_data_o
);
  wire write_clock;
  clock_gate u_write_clock (.clock(clk_i), .enable(write_enable_i), .gated(write_clock));
  reg [Width-1:0] data_q;
  always @(posedge write_clock) data_q <= write_data_i;

  wire [Depth-1:0]       word_clocks;
  wire [Width*Depth-1:0] words;
  genvar word, place;
  generate
    for (word = 0; word < Depth; word = word + 1) begin : gen_word
      clock_gate u_clock (.clock(clk_i), .enable(write_enable_i && write_address_i == word), .gated(word_clocks[word]));
      for (place = 0; place < Width; place = place + 1) begin : gen_bit
        latch u_latch (.gate(word_clocks[word]), .d(data_q[place]), .q(words[word*Width + place]));
      end
    end
  endgenerate

  reg [Reads*Width-1:0] read;
  integer port, index;
  always @* begin
    read = 0;
    for (port = 0; port < Reads; port = port + 1)
      for (index = 0; index < Depth; index = index + 1)
        read[port*Width +: Width] = read[port*Width +: Width]
          | (words[index*Width +: Width] & {Width{read_address_i[port*AddressWidth +: AddressWidth] == index}});
  end
  assign read_data_o = read;
endmodule
