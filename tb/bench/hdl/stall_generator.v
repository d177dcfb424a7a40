// SPDX-License-Identifier: MIT
// Pseudo-random stalls for the stream agents: stall_o is high in stall_i/256 of the cycles, on average, and in all of them at 255.
//
// A 32-bit Galois linear feedback shift register; the same seed gives the same stalls on every simulator.
`default_nettype none

module stall_generator (
  input  wire        clk_i,
  input  wire        rst_ni,
  input  wire [31:0] seed_i,
  input  wire [7:0]  stall_i,
  output wire        stall_o
);
  reg [31:0] state_q;

  // Two neighbouring states share bits; a product spreads them, so that one stall does not foretell the next.
  wire [31:0] mixed = state_q * 32'h9E3779B1;

  assign stall_o = mixed[31:24] < stall_i || stall_i == 8'd255;

  always @(posedge clk_i)
    if (!rst_ni) state_q <= seed_i | 32'd1;
    else state_q <= {1'b0, state_q[31:1]} ^ (state_q[0] ? 32'hA3000000 : 32'd0);

  wire _unused = &{1'b0, mixed[23:0]};
endmodule

`default_nettype wire
