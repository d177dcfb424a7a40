// SPDX-License-Identifier: MIT
// Records packets of up to Beats beats of 128 bits from an AXI4-Stream, so that the test wakes once a packet and not once a beat.
//
// At the end of a packet done_o toggles: packet_o (first beat lowest), beats_o and user_o hold the packet until the next clock edge.
// patient_i: ready rises only after valid has been seen, which a source may not wait for.
`default_nettype none

module stream_recorder #(
  parameter Beats = 64
) (
  input  wire                 clk_i,
  input  wire                 rst_ni,
  input  wire                 tvalid_i,
  output wire                 tready_o,
  input  wire [127:0]         tdata_i,
  input  wire                 tlast_i,
  input  wire                 tuser_i,
  output wire [128*Beats-1:0] packet_o,
  output wire [15:0]          beats_o,
  output wire                 user_o,
  output wire                 done_o,
  input  wire [31:0]          seed_i,
  input  wire [7:0]           stall_i,
  input  wire                 patient_i
);
  reg [128*Beats-1:0] packet_q;
  reg [15:0]          beat_q, beats_q;
  reg                 user_q, done_q, waiting_q;

  wire stall;
  wire moved = tvalid_i && tready_o;

  stall_generator stall_generator (
    .clk_i   (clk_i),
    .rst_ni  (rst_ni),
    .seed_i  (seed_i),
    .stall_i (stall_i),
    .stall_o (stall)
  );

  assign tready_o = !stall && (!patient_i || waiting_q);
  assign packet_o = packet_q;
  assign beats_o  = beats_q;
  assign user_o   = user_q;
  assign done_o   = done_q;

  // Not reset: the test would take the change for a packet.
  initial done_q = 1'b0;

  always @(posedge clk_i)
    if (!rst_ni) begin
      beat_q    <= 0;
      waiting_q <= 1'b0;
    end else begin
      if (moved) begin
        packet_q[128*beat_q +: 128] <= tdata_i;
        beat_q <= tlast_i ? 16'd0 : beat_q + 16'd1;
        if (tlast_i) begin
          beats_q <= beat_q + 16'd1;
          user_q  <= tuser_i;
          done_q  <= !done_q;
        end
      end
      waiting_q <= tvalid_i && !tready_o;
    end
endmodule

`default_nettype wire
