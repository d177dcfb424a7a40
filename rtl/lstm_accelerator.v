// SPDX-License-Identifier: MIT
// LSTM accelerator with dynamic precision: the tiles and what is around them (docs/architecture.md, docs/registers.md). Wiring only.
//
//   s_image -> image_loader ----+--> tiles --> commit_arbiter -+--> activation_writer --> tiles
//   s_x     -> input_stream ----+--> activation_writer         +--> output_stream (h, trace) --> m_h, m_trace
//   s_axil  -> axil_endpoint -> axil_registers -> run_control  +--> counters, row_counters
`include "formats.vh"
`include "registers.vh"
`default_nettype none

module lstm_accelerator #(
  parameter Tiles            = 4,      // 1..16
  parameter Lanes            = 64,     // 8, 16, 32, 64: products of 4x4 per cycle and tile of the dynamic build
  parameter DynamicPrecision = 1,      // 0: baseline accelerator, 8-bit only
  parameter InFlight         = 8,      // units in flight in a tile: a power of two, at least 2
  parameter WeightDepth      = 8192,  // words of each half of the weights of a tile, up to 2^20
  parameter UnitDepth        = 512,    // units of all layers in a tile, 2..2^16
  parameter ActivationDepth  = 128     // words of a bank of the activation memory: a power of two, at least 2
) (
  input  wire         clk_i,
  input  wire         rst_ni,
  input  wire [11:0]  s_axil_awaddr_i,
  input  wire         s_axil_awvalid_i,
  output wire         s_axil_awready_o,
  input  wire [31:0]  s_axil_wdata_i,
  input  wire [3:0]   s_axil_wstrb_i,
  input  wire         s_axil_wvalid_i,
  output wire         s_axil_wready_o,
  output wire [1:0]   s_axil_bresp_o,
  output wire         s_axil_bvalid_o,
  input  wire         s_axil_bready_i,
  input  wire [11:0]  s_axil_araddr_i,
  input  wire         s_axil_arvalid_i,
  output wire         s_axil_arready_o,
  output wire [31:0]  s_axil_rdata_o,
  output wire [1:0]   s_axil_rresp_o,
  output wire         s_axil_rvalid_o,
  input  wire         s_axil_rready_i,
  input  wire [`BEAT] s_x_tdata_i,
  input  wire         s_x_tvalid_i,
  output wire         s_x_tready_o,
  input  wire         s_x_tlast_i,
  input  wire         s_x_tuser_i,
  input  wire [`BEAT] s_image_tdata_i,
  input  wire         s_image_tvalid_i,
  output wire         s_image_tready_o,
  input  wire         s_image_tlast_i,
  output wire [`BEAT] m_h_tdata_o,
  output wire         m_h_tvalid_o,
  input  wire         m_h_tready_i,
  output wire         m_h_tlast_o,
  output wire         m_h_tuser_o,
  output wire [`BEAT] m_trace_tdata_o,
  output wire         m_trace_tvalid_o,
  input  wire         m_trace_tready_i,
  output wire         m_trace_tlast_o,
  output wire         irq_o
);
  localparam DotLanes = `DOT_LANES(Lanes, DynamicPrecision), OffsetWidth = `OFFSET_WIDTH(ActivationDepth);
  localparam LoadWidth = `LOAD_WIDTH(DotLanes), ReadWidth = `READ_WIDTH(DotLanes);

  parameter_check #(
    .Tiles(Tiles), .Lanes(Lanes), .DynamicPrecision(DynamicPrecision), .InFlight(InFlight), .WeightDepth(WeightDepth), .UnitDepth(UnitDepth), .ActivationDepth(ActivationDepth)
  ) u_parameter_check ();

  wire start, clear, unused_busy, load_closed, stateful, trace_enable, override, commit_stall, commit_valid, commit_bank, state_kind;
  wire [`POLICY] override_policy;
  wire [`STEP] step;
  wire [`LAYERS] layers;
  wire [31:0] sequences;
  wire loading, input_finished, input_halted, output_idle, bank, output_freed, trace_freed, x_loaded, first_layer_done, step_done, act_we, act_pair, pair_valid;
  wire [`LAYER_FLAGS] layer_valid;
  wire [`REG_ERRORS_WIDTH-1:0] error_event;
  wire [`STEP_FLAGS] step_first;
  wire [Tiles-1:0] load_valid, state_read;
  wire [`LOAD_TARGET] load_target;
  wire [`LOAD_ADDRESS] load_address;
  wire [LoadWidth-1:0] load_data;
  wire [OffsetWidth:0] act_address;
  wire [DotLanes-1:0] act_be;
  wire [8*DotLanes-1:0] act_data;
  wire [`NIBBLE] act_exponent;
  wire [`LAYER] commit_layer;
  wire [`POSITION] commit_position;
  wire [`H] commit_h;
  wire [`LEVELS] commit_levels, pair_levels;
  wire [`POSITION] pair_position;
  wire [`H] pair_h;
  wire [`READ_ADDRESS] state_address;
  wire [ReadWidth*Tiles-1:0] state_data;
  wire [`CLASS_WIDTH*Tiles-1:0] tile_class;
  wire [`EVENTS_WIDTH*Tiles-1:0] tile_event;

  control #(
    .Tiles(Tiles), .Lanes(Lanes), .DynamicPrecision(DynamicPrecision), .InFlight(InFlight), .WeightDepth(WeightDepth),
    .UnitDepth(UnitDepth), .ActivationDepth(ActivationDepth)
  ) u_control (
    .clk_i             (clk_i),
    .rst_ni            (rst_ni),
    .s_axil_awaddr_i   (s_axil_awaddr_i),
    .s_axil_awvalid_i  (s_axil_awvalid_i),
    .s_axil_awready_o  (s_axil_awready_o),
    .s_axil_wdata_i    (s_axil_wdata_i),
    .s_axil_wstrb_i    (s_axil_wstrb_i),
    .s_axil_wvalid_i   (s_axil_wvalid_i),
    .s_axil_wready_o   (s_axil_wready_o),
    .s_axil_bresp_o    (s_axil_bresp_o),
    .s_axil_bvalid_o   (s_axil_bvalid_o),
    .s_axil_bready_i   (s_axil_bready_i),
    .s_axil_araddr_i   (s_axil_araddr_i),
    .s_axil_arvalid_i  (s_axil_arvalid_i),
    .s_axil_arready_o  (s_axil_arready_o),
    .s_axil_rdata_o    (s_axil_rdata_o),
    .s_axil_rresp_o    (s_axil_rresp_o),
    .s_axil_rvalid_o   (s_axil_rvalid_o),
    .s_axil_rready_i   (s_axil_rready_i),
    .start_o           (start),
    .clear_o           (clear),
    .stateful_o        (stateful),
    .trace_enable_o    (trace_enable),
    .override_o        (override),
    .override_policy_o (override_policy),
    .layers_o          (layers),
    .sequences_o       (sequences),
    .layer_valid_i     (layer_valid),
    .loading_i         (loading),
    .input_finished_i  (input_finished),
    .input_halted_i    (input_halted),
    .output_idle_i     (output_idle),
    .bank_i            (bank),
    .error_event_i     (error_event),
    .class_i           (tile_class),
    .event_i           (tile_event),
    .act_we_i          (act_we),
    .act_pair_i        (act_pair),
    .step_done_i       (step_done),
    .commit_valid_i    (commit_valid),
    .commit_layer_i    (commit_layer),
    .commit_levels_i   (commit_levels),
    .pair_valid_i      (pair_valid),
    .pair_levels_i     (pair_levels),
    .commit_stall_o    (commit_stall),
    .state_read_o      (state_read),
    .state_kind_o      (state_kind),
    .state_address_o   (state_address),
    .state_data_i      (state_data),
    .busy_o            (unused_busy),
    .load_closed_o     (load_closed),
    .irq_o             (irq_o)
  );

  streams #(
    .Tiles(Tiles), .Lanes(Lanes), .DynamicPrecision(DynamicPrecision), .WeightDepth(WeightDepth), .UnitDepth(UnitDepth),
    .ActivationDepth(ActivationDepth)
  ) u_streams (
    .clk_i              (clk_i),
    .rst_ni             (rst_ni),
    .s_x_tdata_i        (s_x_tdata_i),
    .s_x_tvalid_i       (s_x_tvalid_i),
    .s_x_tready_o       (s_x_tready_o),
    .s_x_tlast_i        (s_x_tlast_i),
    .s_x_tuser_i        (s_x_tuser_i),
    .s_image_tdata_i    (s_image_tdata_i),
    .s_image_tvalid_i   (s_image_tvalid_i),
    .s_image_tready_o   (s_image_tready_o),
    .s_image_tlast_i    (s_image_tlast_i),
    .m_h_tdata_o        (m_h_tdata_o),
    .m_h_tvalid_o       (m_h_tvalid_o),
    .m_h_tready_i       (m_h_tready_i),
    .m_h_tlast_o        (m_h_tlast_o),
    .m_h_tuser_o        (m_h_tuser_o),
    .m_trace_tdata_o    (m_trace_tdata_o),
    .m_trace_tvalid_o   (m_trace_tvalid_o),
    .m_trace_tready_i   (m_trace_tready_i),
    .m_trace_tlast_o    (m_trace_tlast_o),
    .commit_valid_i     (commit_valid),
    .commit_layer_i     (commit_layer),
    .commit_position_i  (commit_position),
    .commit_h_i         (commit_h),
    .commit_levels_i    (commit_levels),
    .pair_valid_i       (pair_valid),
    .pair_position_i    (pair_position),
    .pair_h_i           (pair_h),
    .pair_levels_i      (pair_levels),
    .commit_bank_i      (commit_bank),
    .load_valid_o       (load_valid),
    .load_target_o      (load_target),
    .load_address_o     (load_address),
    .load_data_o        (load_data),
    .act_we_o           (act_we),
    .act_pair_o         (act_pair),
    .act_address_o      (act_address),
    .act_be_o           (act_be),
    .act_data_o         (act_data),
    .act_exponent_o     (act_exponent),
    .start_i            (start),
    .clear_i            (clear),
    .stateful_i         (stateful),
    .trace_enable_i     (trace_enable),
    .layers_i           (layers),
    .sequences_i        (sequences),
    .load_closed_i      (load_closed),
    .x_loaded_o         (x_loaded),
    .step_first_o       (step_first),
    .output_freed_o     (output_freed),
    .trace_freed_o      (trace_freed),
    .first_layer_done_i (first_layer_done),
    .step_done_i        (step_done),
    .step_i             (step),
    .layer_valid_o      (layer_valid),
    .loading_o          (loading),
    .input_finished_o   (input_finished),
    .input_halted_o     (input_halted),
    .output_idle_o      (output_idle),
    .bank_o             (bank),
    .error_event_o      (error_event)
  );

  tile_array #(
    .Tiles(Tiles), .Lanes(Lanes), .DynamicPrecision(DynamicPrecision), .InFlight(InFlight), .WeightDepth(WeightDepth),
    .UnitDepth(UnitDepth), .ActivationDepth(ActivationDepth)
  ) u_tile_array (
    .clk_i              (clk_i),
    .rst_ni             (rst_ni),
    .load_valid_i       (load_valid),
    .load_target_i      (load_target),
    .load_address_i     (load_address),
    .load_data_i        (load_data),
    .act_we_i           (act_we),
    .act_address_i      (act_address),
    .act_be_i           (act_be),
    .act_data_i         (act_data),
    .act_exponent_i     (act_exponent),
    .commit_valid_o     (commit_valid),
    .commit_layer_o     (commit_layer),
    .commit_position_o  (commit_position),
    .commit_h_o         (commit_h),
    .commit_levels_o    (commit_levels),
    .pair_valid_o       (pair_valid),
    .pair_position_o    (pair_position),
    .pair_h_o           (pair_h),
    .pair_levels_o      (pair_levels),
    .commit_bank_o      (commit_bank),
    .commit_stall_i     (commit_stall),
    .start_i            (start),
    .clear_i            (clear),
    .trace_enable_i     (trace_enable),
    .override_i         (override),
    .override_policy_i  (override_policy),
    .layers_i           (layers),
    .x_loaded_i         (x_loaded),
    .step_first_i       (step_first),
    .output_freed_i     (output_freed),
    .trace_freed_i      (trace_freed),
    .first_layer_done_o (first_layer_done),
    .step_done_o        (step_done),
    .step_o             (step),
    .state_read_i       (state_read),
    .state_kind_i       (state_kind),
    .state_address_i    (state_address),
    .state_data_o       (state_data),
    .class_o            (tile_class),
    .event_o            (tile_event)
  );
endmodule

`default_nettype wire
