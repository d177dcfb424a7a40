// SPDX-License-Identifier: MIT
// Watches an AXI4-Stream for what its source must not do: violations_o keeps a bit for each broken rule until a reset begins.
//
//   0 valid withdrawn before ready     3 a packet longer than MaxBeats (0: no limit)
//   1 beat changed before ready        4 valid in reset, after its first cycle
//   2 tuser without tlast              5 valid, ready or a valid beat unknown, after the first reset
//
// withdraw_i: the sink was reset, so the source may withdraw what it offers. state_o: {valid, ready} of this cycle, for a watchdog. That
// valid does not wait for ready is not a matter of watching: a sink that waits for valid (stream_recorder, patient_i) shows it.
`default_nettype none

module axi_stream_monitor #(
  parameter MaxBeats = 0
) (
  input  wire         clk_i,
  input  wire         rst_ni,
  input  wire         tvalid_i,
  input  wire         tready_i,
  input  wire [127:0] tdata_i,
  input  wire         tlast_i,
  input  wire         tuser_i,
  input  wire         withdraw_i,
  output wire [5:0]   violations_o,
  output wire [1:0]   state_o
);
  wire [129:0] beat = {tuser_i, tlast_i, tdata_i};

  reg [5:0]   violations_q;
  reg [129:0] beat_q;
  reg [31:0]  beats_q;
  reg         waiting_q, reset_q, known_q;

  assign violations_o = violations_q;
  assign state_o      = {tvalid_i, tready_i};

  initial begin
    known_q = 1'b0;
    reset_q = 1'b0;
  end

  always @(posedge clk_i) begin
    reset_q   <= !rst_ni;
    known_q   <= known_q || !rst_ni;
    waiting_q <= rst_ni && tvalid_i && !tready_i && !withdraw_i;
    if (tvalid_i && !tready_i && !waiting_q) beat_q <= beat;
    if (!rst_ni) beats_q <= 0;
    else if (tvalid_i && tready_i) beats_q <= tlast_i ? 0 : beats_q + 1;

    if (rst_ni && waiting_q && !withdraw_i) begin
      if (!tvalid_i) violations_q[0] <= 1'b1;
      else if (beat !== beat_q) violations_q[1] <= 1'b1;
    end
    if (rst_ni && tvalid_i) begin
      if (tuser_i && !tlast_i) violations_q[2] <= 1'b1;
      if (MaxBeats != 0 && tready_i && beats_q == MaxBeats) violations_q[3] <= 1'b1;
    end
    if (!rst_ni && !reset_q) violations_q <= 6'd0;
    if (!rst_ni && reset_q && tvalid_i) violations_q[4] <= 1'b1;
    if (known_q && rst_ni && (^{tvalid_i, tready_i} === 1'bx || (tvalid_i && ^beat === 1'bx))) violations_q[5] <= 1'b1;
  end
endmodule

`default_nettype wire
