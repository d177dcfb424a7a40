// SPDX-License-Identifier: MIT
// Plays windows of a run of rtl/ through the netlist of a tile. syn/replay.py writes what depends on the netlist and the windows:
//   sizes.vh      macros: bits of inputs, read data and states; windows, their cycles, samples; macros of memories
//   netlist.vh    the netlist as assignments, its memories' macros, and `observed`: what is compared
//   deposits.vh   sets flip-flops, latches and read data of a window
//   *.hex         values
// Writes observed.txt, a line of binary digits a cycle, reads.txt, reads by macro, and toggles.vcd. Times in ps.
`timescale 1ps/1ps
`include "sizes.vh"

module replay;
  reg clk = 0;
  reg [`INPUT_BITS-1:0] inputs, all_inputs[0:`SAMPLES-1];
  reg [`READ_BITS-1:0] next_reads, all_reads[0:`SAMPLES-1];
  reg [`STATES-1:0] states[0:2*`WINDOWS-1];
  reg counting = 0;
  integer window, cycle, second, sample = 0, file, index;
  integer reads[0:`MACROS-1];

`include "netlist.vh"

  // A register that no sample knows is set once (second = 0) and clocked once before the window begins.
  task deposit;
    begin
`include "deposits.vh"
    end
  endtask

  initial begin
    $readmemh("inputs.hex", all_inputs);
    $readmemh("reads.hex", all_reads);
    $readmemh("states.hex", states);
    file = $fopen("observed.txt");
    for (index = 0; index < `MACROS; index = index + 1) reads[index] = 0;
    $dumpfile("toggles.vcd");
    $dumpvars(1, replay);
    $dumpoff;
    for (window = 0; window < `WINDOWS; window = window + 1) begin
      second = 0;
      inputs = all_inputs[sample];
      next_reads = all_reads[sample];
      deposit;
      for (cycle = -1; cycle <= `CYCLES; cycle = cycle + 1) begin
        #`PERIOD if (cycle >= 0) $fdisplay(file, "%b", observed);
        sample = sample + 1;
        if (cycle < `CYCLES) begin
          if (cycle == 0) begin
            $dumpon;
            counting = 1;
          end
          next_reads = all_reads[sample];
          #10 clk = 1;
          inputs <= #`INPUT_DELAY all_inputs[sample];
          #(`PERIOD / 2) clk = 0;
          if (cycle < 0) begin
            second = 1;
            deposit;
          end
        end
      end
      counting = 0;
      $dumpoff;
    end
    $fclose(file);
    file = $fopen("reads.txt");
    for (index = 0; index < `MACROS; index = index + 1) $fdisplay(file, "%0d", reads[index]);
    $fclose(file);
    $finish;
  end
endmodule
