// SPDX-License-Identifier: MIT
// in_flight: the ring never holds more than InFlight units, none leaves before it is done nor before an older one, each leaves in the cycle after that, and
// retired_o pulses once for each that was the last of its layer-step. An entry is found under its index until it leaves.
//
// Assumed: nobody allocates when it is full, or tells that a unit is done that is not in flight, or twice (what the scheduler and post-processing do).
// The units are kept here by age, not in a ring.
`include "formats.vh"
`default_nettype none

module in_flight_properties #(
  parameter InFlight    = 4,
  parameter UnitWidth   = 2,
  parameter WeightWidth = 2,
  parameter IndexWidth  = $clog2(InFlight)
) (
  input wire                  clk_i,
  input wire                  rst_ni,
  input wire                  clear_i,
  input wire                  allocate_i,
  input wire [`ENTRY]         entry_i,
  input wire                  done_i,
  input wire [IndexWidth-1:0] done_index_i,
  input wire                  skip_i,
  input wire [IndexWidth-1:0] skip_index_i,
  input wire                  choose_i   // this unit is the one whose entry is watched
);
  wire [IndexWidth-1:0] next_index;
  wire                  full, retired;
  wire [IndexWidth:0]   count;
  wire [`ENTRY]         late_entry, refine_entry, finish_entry;
  reg  [IndexWidth-1:0] chosen_index_q;
  in_flight #(.InFlight(InFlight), .UnitWidth(UnitWidth), .WeightWidth(WeightWidth)) dut (
    .clk_i(clk_i), .rst_ni(rst_ni), .clear_i(clear_i), .allocate_i(allocate_i), .entry_i(entry_i), .next_index_o(next_index), .full_o(full),
    .count_o(count), .done_i(done_i), .done_index_i(done_index_i), .skip_i(skip_i), .skip_index_i(skip_index_i), .retired_o(retired),
    .late_index_i(chosen_index_q), .late_entry_o(late_entry), .refine_index_i(chosen_index_q), .refine_entry_o(refine_entry),
    .finish_index_i(chosen_index_q), .finish_entry_o(finish_entry)
  );

  // Registers of the module itself, for what makes the induction.
  (* hierconn *) wire [InFlight-1:0]   \dut.done_q , \dut.last_q ;
  (* hierconn *) wire [IndexWidth-1:0] \dut.tail_q ;

  // By age, the oldest in bit 0: what is done, what is the last of its layer-step. The oldest has an index, the others the following ones.
  reg                  begun_q = 1'b0, chosen_q;
  reg [InFlight-1:0]   done_q, last_q;
  reg [IndexWidth:0]   count_q;
  reg [IndexWidth-1:0] oldest_q;
  reg [`ENTRY]         entry_q;
  wire [IndexWidth-1:0] done_age = done_index_i - oldest_q, skip_age = skip_index_i - oldest_q;
  wire [IndexWidth-1:0] chosen_age = chosen_index_q - oldest_q;
  wire                  leaves   = count_q != 0 && done_q[0];

  reg [InFlight-1:0] done, last;
  always @* begin
    done = done_q;
    last = last_q;
    if (done_i) done[done_age] = 1'b1;
    if (skip_i) done[skip_age] = 1'b1;
    if (allocate_i) begin
      done[count_q[IndexWidth-1:0]] = 1'b0;
      last[count_q[IndexWidth-1:0]] = entry_i[`ENTRY_LAST];
    end
  end

  always @(posedge clk_i) begin
    begun_q <= 1'b1;
    if (!rst_ni || clear_i) {count_q, oldest_q, chosen_q} <= 0;
    else begin
      count_q  <= count_q + allocate_i - leaves;
      oldest_q <= oldest_q + leaves;
      {done_q, last_q} <= leaves ? {done >> 1, last >> 1} : {done, last};
      if (allocate_i && choose_i && !chosen_q) begin
        chosen_q       <= 1'b1;
        chosen_index_q <= oldest_q + count_q[IndexWidth-1:0];
        entry_q        <= entry_i;
      end else if (leaves && chosen_index_q == oldest_q) chosen_q <= 1'b0;
    end
  end

  integer age;
  always @* begin
    if (!begun_q) assume (!rst_ni);
    if (full) assume (!allocate_i);
    if (done_i) assume (done_age < count_q && !done_q[done_age]);
    if (skip_i) assume (skip_age < count_q && !done_q[skip_age] && !(done_i && done_index_i == skip_index_i));
    if (begun_q) begin
      assert (count_q <= InFlight);
      assert (count == count_q && full == (count_q == InFlight));
      assert (next_index == oldest_q + count_q[IndexWidth-1:0]);
      assert (retired == (leaves && last_q[0]));
      if (chosen_q) assert (late_entry == entry_q && refine_entry == entry_q && finish_entry == entry_q);
      // These make the induction.
      if (chosen_q) assert (chosen_age < count_q);
      assert (\dut.tail_q == oldest_q);
      for (age = 0; age < InFlight; age = age + 1)
        if (age < count_q) assert (\dut.done_q [(oldest_q + age) % InFlight] == done_q[age] && \dut.last_q [(oldest_q + age) % InFlight] == last_q[age]);
    end
  end
endmodule

`default_nettype wire
