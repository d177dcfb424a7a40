// SPDX-License-Identifier: MIT
// Control: registers, the run, and the counters. Wiring only.
//
//   axil_endpoint -> axil_registers -> run_control
//                         +-> counters, row_counters
`include "formats.vh"
`default_nettype none
`include "registers.vh"

module control #(
  parameter Tiles            = 4,
  parameter Lanes            = 64,
  parameter DynamicPrecision = 1,
  parameter InFlight         = 8,
  parameter WeightDepth      = 8192,
  parameter UnitDepth        = 512,
  parameter ActivationDepth  = 128,
  parameter DotLanes         = `DOT_LANES(Lanes, DynamicPrecision), // this and below: derived, not to be set
  parameter ReadWidth        = `READ_WIDTH(DotLanes)
) (
  input  wire                           clk_i,
  input  wire                           rst_ni,
  input  wire [11:0]                    s_axil_awaddr_i,
  input  wire                           s_axil_awvalid_i,
  output wire                           s_axil_awready_o,
  input  wire [31:0]                    s_axil_wdata_i,
  input  wire [3:0]                     s_axil_wstrb_i,
  input  wire                           s_axil_wvalid_i,
  output wire                           s_axil_wready_o,
  output wire [1:0]                     s_axil_bresp_o,
  output wire                           s_axil_bvalid_o,
  input  wire                           s_axil_bready_i,
  input  wire [11:0]                    s_axil_araddr_i,
  input  wire                           s_axil_arvalid_i,
  output wire                           s_axil_arready_o,
  output wire [31:0]                    s_axil_rdata_o,
  output wire [1:0]                     s_axil_rresp_o,
  output wire                           s_axil_rvalid_o,
  input  wire                           s_axil_rready_i,
  output wire                           start_o,
  output wire                           clear_o,
  output wire                           stateful_o,
  output wire                           trace_enable_o,
  output wire                           override_o,
  output wire [`POLICY]                 override_policy_o,
  output wire [`LAYERS]                 layers_o,
  output wire [31:0]                    sequences_o,
  input  wire [`LAYER_FLAGS]            layer_valid_i,
  input  wire                           loading_i,
  input  wire                           input_finished_i,
  input  wire                           input_halted_i,
  input  wire                           output_idle_i,
  input  wire                           bank_i,
  input  wire [`REG_ERRORS_WIDTH-1:0]   error_event_i,  // as the bits of ERRORS; START and ACCESS come from here
  input  wire [`CLASS_WIDTH*Tiles-1:0]  class_i,
  input  wire [`EVENTS_WIDTH*Tiles-1:0] event_i,
  input  wire                           act_we_i,
  input  wire                           act_pair_i,
  input  wire                           step_done_i,
  input  wire                           commit_valid_i,
  input  wire [`LAYER]                  commit_layer_i,
  input  wire [`LEVELS]                 commit_levels_i,
  input  wire                           pair_valid_i,
  input  wire [`LEVELS]                 pair_levels_i,
  output wire                           commit_stall_o,
  output wire [Tiles-1:0]               state_read_o,
  output wire                           state_kind_o,
  output wire [`READ_ADDRESS]           state_address_o,
  input  wire [ReadWidth*Tiles-1:0]     state_data_i,
  output wire                           busy_o,
  output wire                           load_closed_o,
  output wire                           irq_o
);

  wire write_valid, write_ready, write_error, read_valid, read_ready, read_error;
  wire [11:0] write_address, read_address;
  wire [31:0] write_data, read_data;
  wire [3:0] write_strobe;
  axil_endpoint u_axil_endpoint (
    .clk_i            (clk_i),
    .rst_ni           (rst_ni),
    .s_axil_awaddr_i  (s_axil_awaddr_i),
    .s_axil_awvalid_i (s_axil_awvalid_i),
    .s_axil_awready_o (s_axil_awready_o),
    .s_axil_wdata_i   (s_axil_wdata_i),
    .s_axil_wstrb_i   (s_axil_wstrb_i),
    .s_axil_wvalid_i  (s_axil_wvalid_i),
    .s_axil_wready_o  (s_axil_wready_o),
    .s_axil_bresp_o   (s_axil_bresp_o),
    .s_axil_bvalid_o  (s_axil_bvalid_o),
    .s_axil_bready_i  (s_axil_bready_i),
    .s_axil_araddr_i  (s_axil_araddr_i),
    .s_axil_arvalid_i (s_axil_arvalid_i),
    .s_axil_arready_o (s_axil_arready_o),
    .s_axil_rdata_o   (s_axil_rdata_o),
    .s_axil_rresp_o   (s_axil_rresp_o),
    .s_axil_rvalid_o  (s_axil_rvalid_o),
    .s_axil_rready_i  (s_axil_rready_i),
    .write_valid_o    (write_valid),
    .write_ready_i    (write_ready),
    .write_address_o  (write_address),
    .write_data_o     (write_data),
    .write_strobe_o   (write_strobe),
    .write_error_i    (write_error),
    .read_valid_o     (read_valid),
    .read_ready_i     (read_ready),
    .read_address_o   (read_address),
    .read_data_i      (read_data),
    .read_error_i     (read_error)
  );

  wire start_request, reset_request, snapshot, clear_counters, counter_read, rows_read, done, done_event, start_error;
  wire [`REG_COUNTERS_NUMBER_WIDTH-1:0] counter_index;
  wire [`REG_ROWS_BLOCK_WIDTH-1:0] rows_layer;
  wire [`REG_ROWS_NUMBER_WIDTH-1:0] rows_index;
  wire [`REG_ERRORS_WIDTH-1:0] start_error_event = {{`REG_ERRORS_WIDTH-1{1'b0}}, start_error} << `REG_ERRORS_START;
  wire [63:0] counter_data, rows_data;
  // Configuration registers, as opposed to the configuration of the run.
  wire stateful_setting, trace_enable_setting, override_setting;
  wire [`POLICY] override_policy_setting;
  wire [`LAYERS] layers_setting;
  axil_registers #(
    .Tiles(Tiles), .Lanes(Lanes), .DynamicPrecision(DynamicPrecision), .InFlight(InFlight), .WeightDepth(WeightDepth),
    .UnitDepth(UnitDepth), .ActivationDepth(ActivationDepth), .DotLanes(DotLanes), .ReadWidth(ReadWidth)
  ) u_axil_registers (
    .clk_i             (clk_i),
    .rst_ni            (rst_ni),
    .write_valid_i     (write_valid),
    .write_ready_o     (write_ready),
    .write_address_i   (write_address),
    .write_data_i      (write_data),
    .write_strobe_i    (write_strobe),
    .write_error_o     (write_error),
    .read_valid_i      (read_valid),
    .read_ready_o      (read_ready),
    .read_address_i    (read_address),
    .read_data_o       (read_data),
    .read_error_o      (read_error),
    .start_o           (start_request),
    .soft_reset_o      (reset_request),
    .snapshot_o        (snapshot),
    .clear_o           (clear_counters),
    .stateful_o        (stateful_setting),
    .trace_enable_o    (trace_enable_setting),
    .override_o        (override_setting),
    .override_policy_o (override_policy_setting),
    .layers_o          (layers_setting),
    .sequences_o       (sequences_o),
    .state_read_o      (state_read_o),
    .state_kind_o      (state_kind_o),
    .state_address_o   (state_address_o),
    .state_data_i      (state_data_i),
    .counter_read_o    (counter_read),
    .rows_read_o       (rows_read),
    .counter_index_o   (counter_index),
    .rows_layer_o      (rows_layer),
    .rows_index_o      (rows_index),
    .counter_data_i    (counter_data),
    .rows_data_i       (rows_data),
    .busy_i            (busy_o),
    .done_i            (done),
    .resetting_i       (clear_o),
    .bank_i            (bank_i),
    .counters_busy_i   (commit_stall_o),
    .done_event_i      (done_event),
    .error_event_i     (error_event_i | start_error_event),
    .irq_o             (irq_o)
  );

  run_control u_run_control (
    .clk_i             (clk_i),
    .rst_ni            (rst_ni),
    .start_request_i   (start_request),
    .reset_request_i   (reset_request),
    .stateful_i        (stateful_setting),
    .trace_enable_i    (trace_enable_setting),
    .override_i        (override_setting),
    .override_policy_i (override_policy_setting),
    .layers_i          (layers_setting),
    .sequences_i       (sequences_o),
    .layer_valid_i     (layer_valid_i),
    .loading_i         (loading_i),
    .input_finished_i  (input_finished_i),
    .input_halted_i    (input_halted_i),
    .output_idle_i     (output_idle_i),
    .start_o           (start_o),
    .clear_o           (clear_o),
    .stateful_o        (stateful_o),
    .trace_enable_o    (trace_enable_o),
    .override_o        (override_o),
    .override_policy_o (override_policy_o),
    .layers_o          (layers_o),
    .busy_o            (busy_o),
    .load_closed_o     (load_closed_o),
    .done_o            (done),
    .done_event_o      (done_event),
    .start_error_o     (start_error)
  );

  counters #(.Tiles(Tiles)) u_counters (
    .clk_i              (clk_i),
    .rst_ni             (rst_ni),
    .busy_i             (busy_o),
    .class_i            (class_i),
    .event_i            (event_i),
    .activation_write_i (act_we_i),
    .activation_pair_i  (act_pair_i),
    .step_done_i        (step_done_i),
    .snapshot_i         (snapshot),
    .clear_i            (clear_counters),
    .read_enable_i      (counter_read),
    .read_index_i       (counter_index),
    .read_data_o        (counter_data)
  );

  row_counters u_row_counters (
    .clk_i          (clk_i),
    .rst_ni         (rst_ni),
    .commit_valid_i (commit_valid_i),
    .commit_layer_i (commit_layer_i),
    .commit_levels_i(commit_levels_i),
    .pair_valid_i   (pair_valid_i),
    .pair_levels_i  (pair_levels_i),
    .snapshot_i     (snapshot),
    .clear_i        (clear_counters),
    .read_enable_i  (rows_read),
    .read_layer_i   (rows_layer),
    .read_index_i   (rows_index),
    .read_data_o    (rows_data),
    .busy_o         (commit_stall_o)
  );
endmodule

`default_nettype wire
