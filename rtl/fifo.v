// SPDX-License-Identifier: MIT
// Small first-in first-out queue, in flops or, from three words on, in a small memory. Neither output depends on an input of the same cycle, so queues cut every
// combinational path; with Depth >= 2 a word goes in and a word comes out every cycle. Latency: one cycle.
`default_nettype none

module fifo #(
  parameter Width = 8,
  parameter Depth = 2
) (
  input  wire             clk_i,
  input  wire             rst_ni,
  input  wire             clear_i,

  input  wire             valid_i,
  output wire             ready_o,
  input  wire [Width-1:0] data_i,

  output wire             valid_o,
  input  wire             ready_i,
  output wire [Width-1:0] data_o
);

  localparam PointerWidth = Depth > 1 ? $clog2(Depth) : 1;
  localparam CountWidth   = $clog2(Depth + 1);
  localparam [31:0] Last  = Depth - 1;
  localparam [31:0] Full  = Depth;

  reg [PointerWidth-1:0] write_q, read_q;
  reg [CountWidth-1:0]   count_q;

  wire push = valid_i & ready_o;
  wire pop  = valid_o & ready_i;

  assign ready_o = count_q != Full[CountWidth-1:0];
  assign valid_o = count_q != 0;

  generate
    if (Depth > 2) begin : gen_memory
      register_file #(.Width(Width), .Depth(1 << PointerWidth), .Reads(1)) u_entries (
        .clk_i          (clk_i),
        .write_enable_i (push),
        .write_address_i(write_q),
        .write_data_i   (data_i),
        .read_address_i (read_q),
        .read_data_o    (data_o)
      );
    end else begin : gen_flops
      reg [Depth*Width-1:0] entries_q;
      assign data_o = entries_q[read_q*Width +: Width];
      always @(posedge clk_i) if (push) entries_q[write_q*Width +: Width] <= data_i;
    end
  endgenerate

  always @(posedge clk_i)
    if (!rst_ni || clear_i) begin
      write_q <= 0;
      read_q  <= 0;
      count_q <= 0;
    end else begin
      if (push) write_q <= write_q == Last[PointerWidth-1:0] ? 0 : write_q + 1'b1;
      if (pop)  read_q  <= read_q  == Last[PointerWidth-1:0] ? 0 : read_q  + 1'b1;
      if (push != pop) count_q <= push ? count_q + 1'b1 : count_q - 1'b1;
    end

endmodule

`default_nettype wire
