// SPDX-License-Identifier: MIT
// Plays windows of a run of rtl/ through the netlist of a tile. syn/replay.py writes what depends on the netlist and the windows:
//   sizes.vh      macros: bits of inputs, read data and flip-flops; windows, their cycles, samples, words of register files; times in ns
//   instance.vh   the instance `dut`, its outputs, and `observed`: what is compared
//   drives.vh     sets read data of the memories from `reads`
//   deposits.vh   sets flip-flops and register files of a window from `states` and `contents`
//   *.hex         values
// Writes observed.txt, a line of binary digits a cycle, and toggles.vcd.
`timescale 1ns/10ps
`include "sizes.vh"

module replay;
  reg clk = 0;
  reg [`INPUT_BITS-1:0] inputs, all_inputs[0:`SAMPLES-1];
  reg [`READ_BITS-1:0] reads, all_reads[0:`SAMPLES-1];
  reg [`FLIP_FLOPS-1:0] states[0:2*`WINDOWS-1];
  reg [255:0] contents[0:`WORDS*`WINDOWS-1];
  integer window, cycle, word, second, sample = 0, file;

`include "instance.vh"

  always @(reads) begin
`include "drives.vh"
  end

  // A register of the adder tree, which no sample knows, is set once (second = 0) and clocked once before the window begins.
  task deposit;
    begin
`include "deposits.vh"
    end
  endtask

  initial begin
    $readmemh("inputs.hex", all_inputs);
    $readmemh("reads.hex", all_reads);
    $readmemh("states.hex", states);
    $readmemh("contents.hex", contents);
    file = $fopen("observed.txt");
    $dumpfile("toggles.vcd");
    $dumpvars(1, dut);
    $dumpoff;
    for (window = 0; window < `WINDOWS; window = window + 1) begin
      second = 0;
      deposit;
      inputs = all_inputs[sample];
      reads = all_reads[sample];
      for (cycle = -1; cycle <= `CYCLES; cycle = cycle + 1) begin
        #`PERIOD if (cycle >= 0) $fdisplay(file, "%b", observed);
        sample = sample + 1;
        if (cycle < `CYCLES) begin
          if (cycle == 0) $dumpon;
          #1 clk = 1;
`ifdef DELAYS
          inputs <= #`INPUT_DELAY all_inputs[sample];
          reads <= #`READ_DELAY all_reads[sample];
`else
          inputs <= all_inputs[sample];
          reads <= all_reads[sample];
`endif
          #(`PERIOD / 2) clk = 0;
          if (cycle < 0) begin
            second = 1;
            deposit;
          end
        end
      end
      $dumpoff;
    end
    $finish;
  end
endmodule

// A memory of the tile: its read data come from the run.
module ram #(
    parameter Width = 1,
    parameter Depth = 2,
    parameter WriteWidth = Width,
    parameter AddressWidth = $clog2(Depth)
) (
    input wire clk_i,
    input wire [Width/WriteWidth-1:0] write_enable_i,
    input wire [AddressWidth-1:0] write_address_i,
    input wire [Width-1:0] write_data_i,
    input wire read_enable_i,
    input wire [AddressWidth-1:0] read_address_i,
    output wire [Width-1:0] read_data_o
);
  reg [Width-1:0] read_data;
  assign read_data_o = read_data;
endmodule
