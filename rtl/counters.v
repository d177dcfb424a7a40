// SPDX-License-Identifier: MIT
// The counters of docs/registers.md except the rows: 64 bits each, live values and the values of the last snapshot.
//
// Increments are sums over the tiles, at most Tiles, packed in fields of COUNT bits that hold them; they are registered first, and so are
// snapshot and clear, which reach every bit here.
// Latency of a read: one cycle.
`include "formats.vh"
`default_nettype none
`include "registers.vh"

module counters #(
  parameter Tiles = 4
) (
  input  wire                                  clk_i,
  input  wire                                  rst_ni,
  input  wire                                  busy_i,  // count
  input  wire [`CLASS_WIDTH*Tiles-1:0]         class_i,
  input  wire [`EVENTS_WIDTH*Tiles-1:0]        event_i,
  input  wire                                  activation_write_i,
  input  wire                                  activation_pair_i, // the write has two h
  input  wire                                  step_done_i,
  input  wire                                  snapshot_i,
  input  wire                                  clear_i,
  input  wire                                  read_enable_i,
  input  wire [`REG_COUNTERS_NUMBER_WIDTH-1:0] read_index_i,
  output wire [63:0]                           read_data_o
);
  localparam Counters = `REG_COUNTERS_COUNT;
  localparam Bits     = `COUNT_WIDTH;

  reg                 active_q, activation_write_q, activation_pair_q, step_done_q, snapshot_due_q, clear_due_q;
  reg [Bits*`CLASSES-1:0]      class_sum, class_sum_q;
  reg [Bits*`EVENTS_WIDTH-1:0] event_sum, event_sum_q;
  reg [63:0]          live_q     [0:Counters-1];
  reg [63:0]          snapshot_q [0:Counters-1];
  reg [63:0]          read_data_q;

  assign read_data_o = read_data_q;

  integer tile, kind;
  always @* begin
    class_sum = 0;
    event_sum = 0;
    if (busy_i)
      for (tile = 0; tile < Tiles; tile = tile + 1) begin
        class_sum = class_sum + ({{Bits*`CLASSES-1{1'b0}}, 1'b1} << (Bits * class_i[`CLASS_WIDTH*tile +: `CLASS_WIDTH]));
        for (kind = 0; kind < `EVENTS_WIDTH; kind = kind + 1)
          event_sum[Bits*kind +: Bits] = event_sum[Bits*kind +: Bits] + {{Bits-1{1'b0}}, event_i[`EVENTS_WIDTH*tile + kind]};
      end
  end

  always @(posedge clk_i) begin
    active_q           <= rst_ni & busy_i;
    class_sum_q        <= class_sum;
    event_sum_q        <= event_sum;
    activation_write_q <= activation_write_i & busy_i;
    activation_pair_q  <= activation_pair_i & busy_i;
    step_done_q        <= step_done_i & busy_i;
    snapshot_due_q     <= snapshot_i;
    clear_due_q        <= clear_i;
  end

  // The classes have counters in their order, and so have the events.
  wire [Bits*Counters-1:0] increments;
  assign increments[Bits*`REG_COUNTERS_CYCLES +: Bits]             = {{Bits-1{1'b0}}, active_q};
  assign increments[Bits*`COUNTER_CLASSES +: Bits*`CLASSES]        = class_sum_q;
  assign increments[Bits*`REG_COUNTERS_ACTIVATION_WRITES +: Bits]  = {{Bits-2{1'b0}}, activation_pair_q, activation_write_q & ~activation_pair_q};
  assign increments[Bits*`COUNTER_EVENTS +: Bits*`EVENTS_WIDTH]    = event_sum_q;
  assign increments[Bits*`REG_COUNTERS_STEPS +: Bits]              = {{Bits-1{1'b0}}, step_done_q};

  function [63:0] increment(input integer number);
    increment = {{64-Bits{1'b0}}, increments[Bits*number +: Bits]};
  endfunction

  integer counter;
  always @(posedge clk_i)
    if (!rst_ni)
      for (counter = 0; counter < Counters; counter = counter + 1) begin
        live_q[counter]     <= 0;
        snapshot_q[counter] <= 0;
      end
    else begin
      if (snapshot_due_q)
        for (counter = 0; counter < Counters; counter = counter + 1)
          snapshot_q[counter] <= live_q[counter];
      if (active_q || clear_due_q)
        for (counter = 0; counter < Counters; counter = counter + 1)
          live_q[counter] <= clear_due_q ? increment(counter) : live_q[counter] + increment(counter);
    end

  always @(posedge clk_i)
    if (read_enable_i) read_data_q <= snapshot_q[read_index_i];
endmodule

`default_nettype wire
