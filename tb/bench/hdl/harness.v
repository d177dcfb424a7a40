// SPDX-License-Identifier: MIT
// Test bench around the accelerator: stream agents on its streams, registers and interrupt brought out.
//
// x_*, h_* and trace_* are the ports of stream_player and stream_recorder, image_* those of image_player; *_violations_o and *_state_o those
// of the monitor of each stream; registers_* those of register_player, clear_o and cleared_o those of clear_recorder. cycles_o counts clock cycles from reset, waits_o those in which the accelerator waits for an agent of x, h or trace; seed_i seeds the stalls of all agents; patient_i is that of both recorders.
`default_nettype none

module harness #(
  parameter Tiles            = 4,
  parameter Lanes            = 32,
  parameter DynamicPrecision = 1,
  parameter InFlight         = 8,
  parameter WeightDepth      = 16384,
  parameter UnitDepth        = 512,
  parameter ActivationDepth  = 256,
  parameter XBeats           = 128,  // longest packets: the widest x, h and trace of a build
  parameter HBeats           = 64,
  parameter TraceBeats       = 72,
  parameter ImageBeats       = 1024, // longest image
  parameter Accesses         = 64    // longest list of register accesses
) (
  input  wire                      clk_i,
  input  wire                      rst_ni,
  input  wire [31:0]               seed_i,
  input  wire                      patient_i,
  output wire [31:0]               cycles_o,
  output wire [31:0]               waits_o,
  output wire                      irq_o,
  output wire [28:0]               clear_o,
  output wire                      cleared_o,

  input  wire [11:0]               s_axil_awaddr_i,
  input  wire                      s_axil_awvalid_i,
  output wire                      s_axil_awready_o,
  input  wire [31:0]               s_axil_wdata_i,
  input  wire [3:0]                s_axil_wstrb_i,
  input  wire                      s_axil_wvalid_i,
  output wire                      s_axil_wready_o,
  output wire [1:0]                s_axil_bresp_o,
  output wire                      s_axil_bvalid_o,
  input  wire                      s_axil_bready_i,
  input  wire [11:0]               s_axil_araddr_i,
  input  wire                      s_axil_arvalid_i,
  output wire                      s_axil_arready_o,
  output wire [31:0]               s_axil_rdata_o,
  output wire [1:0]                s_axil_rresp_o,
  output wire                      s_axil_rvalid_o,
  input  wire                      s_axil_rready_i,
  output wire [15:0]               s_axil_violations_o,
  input  wire [45*Accesses-1:0]    registers_accesses_i,
  input  wire [15:0]               registers_count_i,
  input  wire                      registers_offer_i,
  output wire                      registers_done_o,
  output wire [34*Accesses-1:0]    registers_answers_o,

  input  wire [128*XBeats-1:0]     x_packet_i,
  input  wire [15:0]               x_beats_i,
  input  wire                      x_user_i,
  input  wire                      x_offer_i,
  output wire                      x_taken_o,
  output wire                      x_busy_o,
  input  wire                      x_flush_i,
  output wire [5:0]                x_violations_o,
  output wire [1:0]                x_state_o,
  input  wire [7:0]                x_stall_i,

  output wire [128*HBeats-1:0]     h_packet_o,
  output wire [15:0]               h_beats_o,
  output wire                      h_user_o,
  output wire                      h_done_o,
  output wire [5:0]                h_violations_o,
  output wire [1:0]                h_state_o,
  input  wire [7:0]                h_stall_i,

  output wire [128*TraceBeats-1:0] trace_packet_o,
  output wire [15:0]               trace_beats_o,
  output wire                      trace_user_o,
  output wire                      trace_done_o,
  output wire [5:0]                trace_violations_o,
  output wire [1:0]                trace_state_o,
  input  wire [7:0]                trace_stall_i,

  input  wire [2047:0]             image_file_i,
  input  wire [31:0]               image_beats_i,
  input  wire                      image_play_i,
  output wire                      image_done_o,
  output wire [5:0]                image_violations_o,
  output wire [1:0]                image_state_o,
  input  wire [7:0]                image_stall_i
);
  wire [127:0] x_tdata, h_tdata, trace_tdata, image_tdata;
  wire         x_tvalid, x_tready, x_tlast, x_tuser;
  wire         h_tvalid, h_tready, h_tlast, h_tuser;
  wire         trace_tvalid, trace_tready, trace_tlast;
  wire         image_tvalid, image_tready, image_tlast;

  wire [11:0] awaddr, araddr;
  wire [31:0] wdata;
  wire [3:0]  wstrb;
  wire        awvalid, wvalid, bready, arvalid, rready;

  reg [31:0] cycles_q, waits_q;
  wire       waits = (x_tready & ~x_tvalid) | (h_tvalid & ~h_tready) | (trace_tvalid & ~trace_tready);
  assign cycles_o = cycles_q;
  assign waits_o  = waits_q;
  always @(posedge clk_i) begin
    cycles_q <= rst_ni ? cycles_q + 32'd1 : 32'd0;
    waits_q  <= rst_ni ? waits_q + {31'd0, waits} : 32'd0;
  end

  register_player #(.Accesses(Accesses)) register_player (
    .clk_i       (clk_i),
    .rst_ni      (rst_ni),
    .accesses_i  (registers_accesses_i),
    .count_i     (registers_count_i),
    .offer_i     (registers_offer_i),
    .done_o      (registers_done_o),
    .answers_o   (registers_answers_o),
    .s_awaddr_i  (s_axil_awaddr_i),
    .s_awvalid_i (s_axil_awvalid_i),
    .s_wdata_i   (s_axil_wdata_i),
    .s_wstrb_i   (s_axil_wstrb_i),
    .s_wvalid_i  (s_axil_wvalid_i),
    .s_bready_i  (s_axil_bready_i),
    .s_araddr_i  (s_axil_araddr_i),
    .s_arvalid_i (s_axil_arvalid_i),
    .s_rready_i  (s_axil_rready_i),
    .m_awaddr_o  (awaddr),
    .m_awvalid_o (awvalid),
    .m_awready_i (s_axil_awready_o),
    .m_wdata_o   (wdata),
    .m_wstrb_o   (wstrb),
    .m_wvalid_o  (wvalid),
    .m_wready_i  (s_axil_wready_o),
    .m_bresp_i   (s_axil_bresp_o),
    .m_bvalid_i  (s_axil_bvalid_o),
    .m_bready_o  (bready),
    .m_araddr_o  (araddr),
    .m_arvalid_o (arvalid),
    .m_arready_i (s_axil_arready_o),
    .m_rdata_i   (s_axil_rdata_o),
    .m_rresp_i   (s_axil_rresp_o),
    .m_rvalid_i  (s_axil_rvalid_o),
    .m_rready_o  (rready)
  );

  stream_player #(.Beats(XBeats)) x_player (
    .clk_i    (clk_i),
    .rst_ni   (rst_ni),
    .tvalid_o (x_tvalid),
    .tready_i (x_tready),
    .tdata_o  (x_tdata),
    .tlast_o  (x_tlast),
    .tuser_o  (x_tuser),
    .packet_i (x_packet_i),
    .beats_i  (x_beats_i),
    .user_i   (x_user_i),
    .offer_i  (x_offer_i),
    .taken_o  (x_taken_o),
    .busy_o   (x_busy_o),
    .flush_i  (x_flush_i),
    .seed_i   (seed_i),
    .stall_i  (x_stall_i)
  );

  image_player #(.Beats(ImageBeats)) image_player (
    .clk_i    (clk_i),
    .rst_ni   (rst_ni),
    .tvalid_o (image_tvalid),
    .tready_i (image_tready),
    .tdata_o  (image_tdata),
    .tlast_o  (image_tlast),
    .file_i   (image_file_i),
    .beats_i  (image_beats_i),
    .play_i   (image_play_i),
    .done_o   (image_done_o),
    .seed_i   (seed_i + 32'd1),
    .stall_i  (image_stall_i)
  );

  stream_recorder #(.Beats(HBeats)) h_recorder (
    .clk_i       (clk_i),
    .rst_ni      (rst_ni),
    .tvalid_i    (h_tvalid),
    .tready_o    (h_tready),
    .tdata_i     (h_tdata),
    .tlast_i     (h_tlast),
    .tuser_i     (h_tuser),
    .packet_o    (h_packet_o),
    .beats_o     (h_beats_o),
    .user_o      (h_user_o),
    .done_o      (h_done_o),
    .seed_i      (seed_i + 32'd2),
    .stall_i     (h_stall_i),
    .patient_i   (patient_i)
  );

  stream_recorder #(.Beats(TraceBeats)) trace_recorder (
    .clk_i       (clk_i),
    .rst_ni      (rst_ni),
    .tvalid_i    (trace_tvalid),
    .tready_o    (trace_tready),
    .tdata_i     (trace_tdata),
    .tlast_i     (trace_tlast),
    .tuser_i     (1'b0),
    .packet_o    (trace_packet_o),
    .beats_o     (trace_beats_o),
    .user_o      (trace_user_o),
    .done_o      (trace_done_o),
    .seed_i      (seed_i + 32'd3),
    .stall_i     (trace_stall_i),
    .patient_i   (patient_i)
  );

  axi_stream_monitor #(.MaxBeats(XBeats)) x_monitor (
    .clk_i(clk_i), .rst_ni(rst_ni), .tvalid_i(x_tvalid), .tready_i(x_tready), .tdata_i(x_tdata), .tlast_i(x_tlast), .tuser_i(x_tuser),
    .withdraw_i(x_flush_i), .violations_o(x_violations_o), .state_o(x_state_o)
  );

  axi_stream_monitor image_monitor (
    .clk_i(clk_i), .rst_ni(rst_ni), .tvalid_i(image_tvalid), .tready_i(image_tready), .tdata_i(image_tdata), .tlast_i(image_tlast),
    .tuser_i(1'b0), .withdraw_i(1'b0), .violations_o(image_violations_o), .state_o(image_state_o)
  );

  axi_stream_monitor #(.MaxBeats(HBeats)) h_monitor (
    .clk_i(clk_i), .rst_ni(rst_ni), .tvalid_i(h_tvalid), .tready_i(h_tready), .tdata_i(h_tdata), .tlast_i(h_tlast), .tuser_i(h_tuser),
    .withdraw_i(1'b0), .violations_o(h_violations_o), .state_o(h_state_o)
  );

  axi_stream_monitor #(.MaxBeats(TraceBeats)) trace_monitor (
    .clk_i(clk_i), .rst_ni(rst_ni), .tvalid_i(trace_tvalid), .tready_i(trace_tready), .tdata_i(trace_tdata), .tlast_i(trace_tlast),
    .tuser_i(1'b0), .withdraw_i(1'b0), .violations_o(trace_violations_o), .state_o(trace_state_o)
  );

  axi_lite_monitor s_axil_monitor (
    .clk_i(clk_i), .rst_ni(rst_ni), .awaddr_i(awaddr), .awvalid_i(awvalid), .awready_i(s_axil_awready_o), .wdata_i(wdata), .wstrb_i(wstrb),
    .wvalid_i(wvalid), .wready_i(s_axil_wready_o), .bresp_i(s_axil_bresp_o), .bvalid_i(s_axil_bvalid_o), .bready_i(bready), .araddr_i(araddr),
    .arvalid_i(arvalid), .arready_i(s_axil_arready_o), .rdata_i(s_axil_rdata_o), .rresp_i(s_axil_rresp_o), .rvalid_i(s_axil_rvalid_o),
    .rready_i(rready), .violations_o(s_axil_violations_o)
  );

  lstm_accelerator #(
    .Tiles            (Tiles),
    .Lanes            (Lanes),
    .DynamicPrecision (DynamicPrecision),
    .InFlight           (InFlight),
    .WeightDepth      (WeightDepth),
    .UnitDepth        (UnitDepth),
    .ActivationDepth  (ActivationDepth)
  ) accelerator (
    .clk_i            (clk_i),
    .rst_ni           (rst_ni),
    .s_axil_awaddr_i  (awaddr),
    .s_axil_awvalid_i (awvalid),
    .s_axil_awready_o (s_axil_awready_o),
    .s_axil_wdata_i   (wdata),
    .s_axil_wstrb_i   (wstrb),
    .s_axil_wvalid_i  (wvalid),
    .s_axil_wready_o  (s_axil_wready_o),
    .s_axil_bresp_o   (s_axil_bresp_o),
    .s_axil_bvalid_o  (s_axil_bvalid_o),
    .s_axil_bready_i  (bready),
    .s_axil_araddr_i  (araddr),
    .s_axil_arvalid_i (arvalid),
    .s_axil_arready_o (s_axil_arready_o),
    .s_axil_rdata_o   (s_axil_rdata_o),
    .s_axil_rresp_o   (s_axil_rresp_o),
    .s_axil_rvalid_o  (s_axil_rvalid_o),
    .s_axil_rready_i  (rready),
    .s_x_tdata_i      (x_tdata),
    .s_x_tvalid_i     (x_tvalid),
    .s_x_tready_o     (x_tready),
    .s_x_tlast_i      (x_tlast),
    .s_x_tuser_i      (x_tuser),
    .s_image_tdata_i  (image_tdata),
    .s_image_tvalid_i (image_tvalid),
    .s_image_tready_o (image_tready),
    .s_image_tlast_i  (image_tlast),
    .m_h_tdata_o      (h_tdata),
    .m_h_tvalid_o     (h_tvalid),
    .m_h_tready_i     (h_tready),
    .m_h_tlast_o      (h_tlast),
    .m_h_tuser_o      (h_tuser),
    .m_trace_tdata_o  (trace_tdata),
    .m_trace_tvalid_o (trace_tvalid),
    .m_trace_tready_i (trace_tready),
    .m_trace_tlast_o  (trace_tlast),
    .irq_o            (irq_o)
  );

  // The one look into the design: no port tells the state of a machine.
  wire [18:0] state = {
    accelerator.tile_class[3:0],  // of tile 0
    accelerator.u_control.u_row_counters.busy_q,
    accelerator.u_streams.u_trace_stream.valid_q, accelerator.u_streams.u_trace_stream.pending_q,
    accelerator.u_streams.u_h_stream.valid_q, accelerator.u_streams.u_h_stream.pending_q,
    accelerator.u_streams.u_input_stream.active_q, accelerator.u_streams.u_input_stream.halted_q,
    accelerator.u_streams.u_input_stream.discard_q, accelerator.u_streams.u_input_stream.in_packet_q,
    accelerator.u_streams.u_image_loader.state_q,
    accelerator.u_control.u_run_control.state_q
  };
  clear_recorder #(.StateBits(19)) clear_recorder (
    .clk_i            (clk_i),
    .rst_ni           (rst_ni),
    .soft_reset_i     (accelerator.u_control.u_axil_registers.soft_reset_o),
    .errors_i         (accelerator.u_control.u_axil_registers.errors_q[7:0]),
    .errors_cleared_i (accelerator.u_control.u_axil_registers.errors_cleared[7:0]),
    .state_i          (state),
    .clear_o          (clear_o),
    .cleared_o        (cleared_o)
  );
endmodule

`default_nettype wire
