// SPDX-License-Identifier: MIT
// Player, recorder and image player tied together, to test the agents themselves with the monitors between them.
`default_nettype none

module agents_loopback #(
  parameter Beats = 8
) (
  input  wire                 clk_i,
  input  wire                 rst_ni,
  input  wire [128*Beats-1:0] x_packet_i,
  input  wire [15:0]          x_beats_i,
  input  wire                 x_user_i,
  input  wire                 x_offer_i,
  output wire                 x_taken_o,
  output wire                 x_busy_o,
  input  wire                 x_flush_i,
  input  wire [7:0]           x_stall_i,
  output wire [128*Beats-1:0] h_packet_o,
  output wire [15:0]          h_beats_o,
  output wire                 h_user_o,
  output wire                 h_done_o,
  output wire [5:0]           x_violations_o,
  input  wire                 patient_i,
  input  wire [7:0]           h_stall_i,
  input  wire [2047:0]        image_file_i,
  input  wire [31:0]          image_beats_i,
  input  wire                 image_play_i,
  output wire                 image_done_o,
  input  wire [7:0]           image_stall_i,
  output wire [128*Beats-1:0] trace_packet_o,
  output wire [15:0]          trace_beats_o,
  output wire                 trace_user_o,
  output wire                 trace_done_o,
  output wire [5:0]           image_violations_o,
  input  wire [7:0]           trace_stall_i,
  input  wire [31:0]          seed_i
);
  wire         valid, ready, last, user, image_valid, image_ready, image_last;
  wire [127:0] data, image_data;

  stream_player #(.Beats(Beats)) player (
    .clk_i(clk_i), .rst_ni(rst_ni), .tvalid_o(valid), .tready_i(ready), .tdata_o(data), .tlast_o(last), .tuser_o(user),
    .packet_i(x_packet_i), .beats_i(x_beats_i), .user_i(x_user_i), .offer_i(x_offer_i), .taken_o(x_taken_o), .busy_o(x_busy_o), .flush_i(x_flush_i),
    .seed_i(seed_i), .stall_i(x_stall_i)
  );

  stream_recorder #(.Beats(Beats)) recorder (
    .clk_i(clk_i), .rst_ni(rst_ni), .tvalid_i(valid), .tready_o(ready), .tdata_i(data), .tlast_i(last), .tuser_i(user),
    .packet_o(h_packet_o), .beats_o(h_beats_o), .user_o(h_user_o), .done_o(h_done_o),
    .seed_i(seed_i + 32'd7), .stall_i(h_stall_i), .patient_i(patient_i)
  );

  image_player #(.Beats(4 * Beats)) image_player (
    .clk_i(clk_i), .rst_ni(rst_ni), .tvalid_o(image_valid), .tready_i(image_ready), .tdata_o(image_data), .tlast_o(image_last),
    .file_i(image_file_i), .beats_i(image_beats_i), .play_i(image_play_i), .done_o(image_done_o),
    .seed_i(seed_i + 32'd9), .stall_i(image_stall_i)
  );

  stream_recorder #(.Beats(Beats)) image_recorder (
    .clk_i(clk_i), .rst_ni(rst_ni), .tvalid_i(image_valid), .tready_o(image_ready), .tdata_i(image_data), .tlast_i(image_last),
    .tuser_i(1'b0), .packet_o(trace_packet_o), .beats_o(trace_beats_o), .user_o(trace_user_o), .done_o(trace_done_o),
    .seed_i(seed_i + 32'd11), .stall_i(trace_stall_i), .patient_i(patient_i)
  );

  axi_stream_monitor #(.MaxBeats(Beats)) x_monitor (
    .clk_i(clk_i), .rst_ni(rst_ni), .tvalid_i(valid), .tready_i(ready), .tdata_i(data), .tlast_i(last), .tuser_i(user), .withdraw_i(x_flush_i),
    .violations_o(x_violations_o), .state_o()
  );

  axi_stream_monitor image_monitor (
    .clk_i(clk_i), .rst_ni(rst_ni), .tvalid_i(image_valid), .tready_i(image_ready), .tdata_i(image_data), .tlast_i(image_last), .tuser_i(1'b0),
    .withdraw_i(1'b0), .violations_o(image_violations_o), .state_o()
  );
endmodule

`default_nettype wire
