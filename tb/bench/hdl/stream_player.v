// SPDX-License-Identifier: MIT
// Plays packets of up to Beats beats of 128 bits on an AXI4-Stream, so that the test writes once a packet and not once a beat.
//
// The test puts a packet on packet_i (first beat lowest), beats_i and user_i and toggles offer_i. When the player has copied the packet it
// sets taken_o = offer_i, and the test may put the next one while this one plays: the stream never pauses unless stall_i asks for it.
// busy_o: a packet is playing. flush_i withdraws a packet that the sink has not begun to take (as a host does that resets its sink).
`default_nettype none

module stream_player #(
  parameter Beats = 128
) (
  input  wire                 clk_i,
  input  wire                 rst_ni,
  output wire                 tvalid_o,
  input  wire                 tready_i,
  output wire [127:0]         tdata_o,
  output wire                 tlast_o,
  output wire                 tuser_o,
  input  wire [128*Beats-1:0] packet_i,
  input  wire [15:0]          beats_i,
  input  wire                 user_i,
  input  wire                 offer_i,
  output wire                 taken_o,
  output wire                 busy_o,
  input  wire                 flush_i,
  input  wire [31:0]          seed_i,
  input  wire [7:0]           stall_i
);
  reg [128*Beats-1:0] packet_q;
  reg [15:0]          beat_q, beats_q;
  reg                 user_q, taken_q, playing_q, valid_q;

  wire stall;
  wire moved    = valid_q && tready_i;
  wire finished = moved && tlast_o;
  wire load     = offer_i != taken_q && (!playing_q || finished);

  stall_generator stall_generator (
    .clk_i   (clk_i),
    .rst_ni  (rst_ni),
    .seed_i  (seed_i),
    .stall_i (stall_i),
    .stall_o (stall)
  );

  assign tvalid_o = valid_q;
  assign tdata_o  = packet_q[128*beat_q +: 128];
  assign tlast_o  = beat_q == beats_q - 16'd1;
  assign tuser_o  = user_q && tlast_o;
  assign taken_o  = taken_q;
  assign busy_o   = playing_q;

  always @(posedge clk_i)
    if (!rst_ni || (flush_i && beat_q == 0 && !moved)) begin
      beat_q    <= 0;
      playing_q <= 1'b0;
      valid_q   <= 1'b0;
      taken_q   <= offer_i;
    end else begin
      if (moved) beat_q <= beat_q + 16'd1;
      if (load) begin
        packet_q <= packet_i;
        beats_q  <= beats_i;
        user_q   <= user_i;
        taken_q  <= offer_i;
        beat_q   <= 0;
      end
      playing_q <= load || (playing_q && !finished);
      valid_q   <= (valid_q && !tready_i) || ((load || (playing_q && !finished)) && !stall);
    end
endmodule

`default_nettype wire
