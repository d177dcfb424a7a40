// SPDX-License-Identifier: MIT
// Synchronous memory with one read port and one write port.
// A write enable covers WriteWidth bits. Read data comes one cycle after read_enable_i and holds until the next read.
// A read of the word that is being written in the same cycle gives the old word. Contents at power-up are unknown.
`default_nettype none

module ram #(
  parameter Width        = 128,
  parameter Depth        = 256,
  parameter WriteWidth   = Width,                          // divides Width
  parameter AddressWidth = Depth > 1 ? $clog2(Depth) : 1   // derived, not to be set
) (
  input  wire                        clk_i,

  input  wire [Width/WriteWidth-1:0] write_enable_i,
  input  wire [AddressWidth-1:0]     write_address_i,
  input  wire [Width-1:0]            write_data_i,

  input  wire                        read_enable_i,
  input  wire [AddressWidth-1:0]     read_address_i,
  output wire [Width-1:0]            read_data_o
);

  localparam Granules = Width / WriteWidth;

  reg [Width-1:0] memory [0:Depth-1];
  reg [Width-1:0] read_data_q;

  assign read_data_o = read_data_q;

  always @(posedge clk_i)
    if (read_enable_i)
      read_data_q <= memory[read_address_i];

  // One assignment of a whole word: a simulator pays for every assignment in every cycle. Synthesis finds the write enables again.
  function [Width-1:0] merge(input [Width-1:0] word, input [Width-1:0] data, input [Granules-1:0] enable);
    integer granule;
    begin
      merge = word;
      for (granule = 0; granule < Granules; granule = granule + 1)
        if (enable[granule])
          merge[granule*WriteWidth +: WriteWidth] = data[granule*WriteWidth +: WriteWidth];
    end
  endfunction

  always @(posedge clk_i)
    if (|write_enable_i)
      memory[write_address_i] <= merge(memory[write_address_i], write_data_i, write_enable_i);

`ifdef VERILATOR
  // It has no X: bits of its seed, others in each word, stand for what nobody knows. No part of the design, so no points of coverage.
  /* verilator coverage_off */
  localparam Parts = (Width + 31) / 32;
  /* verilator lint_off UNUSEDSIGNAL */   // a width that is no multiple of 32 leaves some of them
  reg [32*Parts-1:0] bits;
  /* verilator lint_on UNUSEDSIGNAL */
  integer word;
  initial
    for (word = 0; word < Depth; word = word + 1) begin
      bits         = {Parts{$random}};
      memory[word] = bits[Width-1:0];
    end
  /* verilator coverage_on */
`endif

endmodule

`default_nettype wire
