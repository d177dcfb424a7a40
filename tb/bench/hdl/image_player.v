// SPDX-License-Identifier: MIT
// Plays an image file on an AXI4-Stream: one line a beat, hexadecimal, 128 data bits below tlast.
//
// The test puts the name of the file on file_i and its number of beats on beats_i and toggles play_i; done_o follows play_i when the last
// beat has been taken.
`default_nettype none

module image_player #(
  parameter Beats = 1024
) (
  input  wire          clk_i,
  input  wire          rst_ni,
  output wire          tvalid_o,
  input  wire          tready_i,
  output wire [127:0]  tdata_o,
  output wire          tlast_o,
  input  wire [2047:0] file_i,
  input  wire [31:0]   beats_i,
  input  wire          play_i,
  output wire          done_o,
  input  wire [31:0]   seed_i,
  input  wire [7:0]    stall_i
);
  reg [128:0] memory [0:Beats-1];
  reg [31:0]  beat_q;
  reg         done_q, playing_q, valid_q;

  wire stall;
  wire moved    = valid_q && tready_i;
  wire finished = moved && beat_q == beats_i - 32'd1;

  stall_generator stall_generator (
    .clk_i   (clk_i),
    .rst_ni  (rst_ni),
    .seed_i  (seed_i),
    .stall_i (stall_i),
    .stall_o (stall)
  );

  assign tvalid_o            = valid_q;
  assign {tlast_o, tdata_o}  = memory[beat_q];
  assign done_o              = done_q;

  always @(posedge clk_i)
    if (!rst_ni) begin
      playing_q <= 1'b0;
      valid_q   <= 1'b0;
      done_q    <= play_i;
      beat_q    <= 0;
    end else if (!playing_q) begin
      if (play_i != done_q) begin
        $readmemh(file_i, memory, 0, beats_i - 1);
        playing_q <= 1'b1;
        beat_q    <= 0;
      end
    end else begin
      if (moved) beat_q <= beat_q + 32'd1;
      if (finished) begin
        playing_q <= 1'b0;
        done_q    <= play_i;
      end
      valid_q <= (valid_q && !tready_i) || (!finished && !stall);
    end
endmodule

`default_nettype wire
