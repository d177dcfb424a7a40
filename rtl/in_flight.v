// SPDX-License-Identifier: MIT
// Units in flight in a tile: a ring of InFlight entries, filled in order by the early pass, emptied in order once committed.
//
// Three readers look entries up by index, combinationally. retired_o pulses a layer-step when its last entry leaves, one cycle after that entry was done.
`include "formats.vh"
`default_nettype none

module in_flight #(
  parameter InFlight    = 8,
  parameter UnitWidth   = 9,
  parameter WeightWidth = 14,
  parameter IndexWidth  = `INDEX_WIDTH(InFlight) // derived, not to be set
) (
  input  wire                  clk_i,
  input  wire                  rst_ni,
  input  wire                  clear_i,
  input  wire                  allocate_i,
  input  wire [`ENTRY]         entry_i,
  output wire [IndexWidth-1:0] next_index_o,
  output wire                  full_o,
  output wire [IndexWidth:0]   count_o,
  input  wire                  done_i,
  input  wire [IndexWidth-1:0] done_index_i,
  input  wire                  skip_i,
  input  wire [IndexWidth-1:0] skip_index_i,
  output wire                  retired_o,
  input  wire [IndexWidth-1:0] late_index_i,
  output wire [`ENTRY]         late_entry_o,
  input  wire [IndexWidth-1:0] refine_index_i,
  output wire [`ENTRY]         refine_entry_o,
  input  wire [IndexWidth-1:0] finish_index_i,
  output wire [`ENTRY]         finish_entry_o
);
  reg [InFlight-1:0]   done_q, last_q;
  reg [IndexWidth-1:0] head_q, tail_q;
  reg [IndexWidth:0]   count_q;

  wire retire = count_q != 0 && done_q[tail_q];

  assign next_index_o   = head_q;
  assign full_o         = count_q[IndexWidth];
  assign count_o        = count_q;
  assign retired_o      = retire && last_q[tail_q];

  register_file #(.Width(`ENTRY_WIDTH), .Depth(InFlight), .Reads(3)) u_entries (
    .clk_i          (clk_i),
    .write_enable_i (allocate_i),
    .write_address_i(head_q),
    .write_data_i   (entry_i),
    .read_address_i ({late_index_i, refine_index_i, finish_index_i}),
    .read_data_o    ({late_entry_o, refine_entry_o, finish_entry_o})
  );

  always @(posedge clk_i) begin
    if (allocate_i) begin
      last_q[head_q]    <= entry_i[`ENTRY_LAST];
      done_q[head_q]    <= 1'b0;
    end
    if (done_i) done_q[done_index_i] <= 1'b1;
    if (skip_i) done_q[skip_index_i] <= 1'b1;
    if (!rst_ni || clear_i) begin
      head_q  <= 0;
      tail_q  <= 0;
      count_q <= 0;
    end else begin
      head_q  <= head_q + {{(IndexWidth-1){1'b0}}, allocate_i};
      tail_q  <= tail_q + {{(IndexWidth-1){1'b0}}, retire};
      count_q <= count_q + {{IndexWidth{1'b0}}, allocate_i} - {{IndexWidth{1'b0}}, retire};
    end
  end
endmodule

`default_nettype wire
