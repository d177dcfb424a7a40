// SPDX-License-Identifier: MIT
// counters: from any values of the counters, two snapshots differ by what happened between them, in all 64 bits; the classes of the tiles add up to Tiles a cycle.
//
// The counters begin with values that the solver chooses, so that the few cycles of the proof stand for any: it is a step of an induction.
`include "formats.vh"
`default_nettype none
`include "registers.vh"

module counters_properties #(
  parameter Tiles = 3
) (
  input wire                                  clk_i,
  input wire                                  busy_i,
  input wire [`CLASS_WIDTH*Tiles-1:0]         class_i,
  input wire [`EVENTS_WIDTH*Tiles-1:0]        event_i,
  input wire                                  activation_write_i,
  input wire                                  activation_pair_i,
  input wire                                  step_done_i,
  input wire                                  clear_i
);
  localparam Busy = 4;                                        // cycles from 1 on in which something may happen
  (* anyconst *) reg [`REG_COUNTERS_NUMBER_WIDTH-1:0] index;  // the counter that is watched

  // A snapshot in cycle 1, whose value is read in the next; another when all that happened is in.
  reg [3:0] now_q = 4'd0;
  always @(posedge clk_i) if (now_q != 4'd15) now_q <= now_q + 1'b1;
  wire busy     = busy_i && now_q >= 1 && now_q <= Busy;
  wire snapshot = now_q == 1 || now_q == Busy + 3;

  wire [63:0] value;
  counters #(.Tiles(Tiles)) dut (
    .clk_i(clk_i), .rst_ni(1'b1), .busy_i(busy), .class_i(class_i), .event_i(event_i), .activation_write_i(activation_write_i), .activation_pair_i(activation_pair_i),
    .step_done_i(step_done_i), .snapshot_i(snapshot), .clear_i(now_q == 1 && clear_i), .read_enable_i(1'b1), .read_index_i(index), .read_data_o(value)
  );

  // What of this cycle the watched counter counts.
  reg [5:0] more, classes;
  integer   tile;
  always @* begin
    more = 0;
    classes = 0;
    for (tile = 0; tile < Tiles; tile = tile + 1) begin
      assume (class_i[`CLASS_WIDTH*tile +: `CLASS_WIDTH] < `CLASSES);
      if (index >= `COUNTER_CLASSES && index < `COUNTER_CLASSES + `CLASSES) more = more + (class_i[`CLASS_WIDTH*tile +: `CLASS_WIDTH] == index - `COUNTER_CLASSES);
      if (index >= `COUNTER_EVENTS && index < `COUNTER_EVENTS + `EVENTS_WIDTH) more = more + event_i[`EVENTS_WIDTH*tile + index - `COUNTER_EVENTS];
    end
    if (index == `REG_COUNTERS_CYCLES) more = 1;
    if (index == `REG_COUNTERS_ACTIVATION_WRITES) more = activation_write_i + activation_pair_i;
    if (index == `REG_COUNTERS_STEPS) more = step_done_i;
    if (!busy) more = 0;
  end

  // What is counted in a cycle is in a snapshot of the next: that of cycle 1 has what happened in cycle 0, which is nothing.
  reg [63:0] before_q, total_q;
  reg        cleared_q;
  always @(posedge clk_i) begin
    if (now_q == 1) total_q <= more;
    else if (now_q <= Busy) total_q <= total_q + more;
    if (now_q == 4) before_q <= value;
    if (now_q == 1) cleared_q <= clear_i;
  end

  always @* begin
    assume (index < `REG_COUNTERS_COUNT);
    assume (activation_write_i || !activation_pair_i);
    if (now_q == Busy + 6) assert (value == (cleared_q ? 64'd0 : before_q) + total_q);
  end
endmodule

`default_nettype wire
