// SPDX-License-Identifier: MIT
// Records what the accelerator does in the cycle in which it is cleared: by a write to ERRORS, by a soft reset, or in the first cycle of a hard one.
// For functional coverage (tb/bench/functional_coverage.py), which takes clear_o apart. Python wakes once a clear.
`default_nettype none

module clear_recorder #(
  parameter StateBits = 19
) (
  input  wire                    clk_i,
  input  wire                    rst_ni,
  input  wire                    soft_reset_i,
  input  wire [7:0]              errors_i,          // those that are set
  input  wire [7:0]              errors_cleared_i,  // those that a write or a soft reset clears now
  input  wire [StateBits-1:0]    state_i,           // of the machines
  output wire [StateBits+9:0]    clear_o,           // {state, errors that were cleared, way: 0 write, 1 soft reset, 2 hard reset}
  output wire                    cleared_o          // changes with every clear
);
  reg                 running_q, cleared_q;
  reg [StateBits+9:0] clear_q;

  wire       hard    = running_q & ~rst_ni;
  wire [7:0] cleared = errors_i & errors_cleared_i;

  assign clear_o   = clear_q;
  assign cleared_o = cleared_q;

  // Not reset: a reset is what it records, and power-up is none.
  initial begin
    running_q = 1'b0;
    cleared_q = 1'b0;
  end

  always @(posedge clk_i) begin
    running_q <= rst_ni;
    if (hard || (running_q && (soft_reset_i || cleared != 0))) begin
      clear_q   <= {state_i, hard ? errors_i : cleared, hard, soft_reset_i & ~hard};
      cleared_q <= ~cleared_q;
    end
  end
endmodule

`default_nettype wire
