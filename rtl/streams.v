// SPDX-License-Identifier: MIT
// The streams and what they write and read: loads, x and h of the activation bus, packets of h and of the trace. Wiring only.
`include "formats.vh"
`default_nettype none
`include "registers.vh"

module streams #(
  parameter Tiles            = 4,
  parameter Lanes            = 64,
  parameter DynamicPrecision = 1,
  parameter WeightDepth      = 8192,
  parameter UnitDepth        = 512,
  parameter ActivationDepth  = 128,
  parameter DotLanes         = `DOT_LANES(Lanes, DynamicPrecision), // this and below: derived, not to be set
  parameter LoadWidth        = `LOAD_WIDTH(DotLanes),
  parameter OffsetWidth      = `OFFSET_WIDTH(ActivationDepth)
) (
  input  wire                  clk_i,
  input  wire                  rst_ni,
  input  wire [`BEAT]          s_x_tdata_i,
  input  wire                  s_x_tvalid_i,
  output wire                  s_x_tready_o,
  input  wire                  s_x_tlast_i,
  input  wire                  s_x_tuser_i,
  input  wire [`BEAT]          s_image_tdata_i,
  input  wire                  s_image_tvalid_i,
  output wire                  s_image_tready_o,
  input  wire                  s_image_tlast_i,
  output wire [`BEAT]          m_h_tdata_o,
  output wire                  m_h_tvalid_o,
  input  wire                  m_h_tready_i,
  output wire                  m_h_tlast_o,
  output wire                  m_h_tuser_o,
  output wire [`BEAT]          m_trace_tdata_o,
  output wire                  m_trace_tvalid_o,
  input  wire                  m_trace_tready_i,
  output wire                  m_trace_tlast_o,
  input  wire                  commit_valid_i,
  input  wire [`LAYER]         commit_layer_i,
  input  wire [`POSITION]      commit_position_i,
  input  wire [`H]             commit_h_i,
  input  wire [`LEVELS]        commit_levels_i,
  input  wire                  commit_bank_i,
  input  wire                  pair_valid_i,
  input  wire [`POSITION]      pair_position_i,
  input  wire [`H]             pair_h_i,
  input  wire [`LEVELS]        pair_levels_i,
  output wire [Tiles-1:0]      load_valid_o,
  output wire [`LOAD_TARGET]   load_target_o,
  output wire [`LOAD_ADDRESS]  load_address_o,
  output wire [LoadWidth-1:0]  load_data_o,
  output wire                  act_we_o,
  output wire                  act_pair_o,
  output wire [OffsetWidth:0]  act_address_o,
  output wire [DotLanes-1:0]   act_be_o,
  output wire [8*DotLanes-1:0] act_data_o,
  output wire [`NIBBLE]        act_exponent_o,
  input  wire                  start_i,
  input  wire                  clear_i,
  input  wire                  stateful_i,
  input  wire                  trace_enable_i,
  input  wire [`LAYERS]        layers_i,
  input  wire [31:0]           sequences_i,
  input  wire                  load_closed_i,
  output wire                  x_loaded_o,
  output wire [`STEP_FLAGS]    step_first_o,
  output wire                  output_freed_o,
  output wire                  trace_freed_o,
  input  wire                  first_layer_done_i,
  input  wire                  step_done_i,
  input  wire [`STEP]          step_i,
  output wire [`LAYER_FLAGS]   layer_valid_o,
  output wire                  loading_o,
  output wire                  input_finished_o,
  output wire                  input_halted_o,
  output wire                  output_idle_o,
  output wire                  bank_o,
  output wire [`REG_ERRORS_WIDTH-1:0] error_event_o    // as the bits of ERRORS
);
  localparam GranuleBytes = `GRANULE_BYTES(DotLanes);

  assign error_event_o[`REG_ERRORS_START]  = 1'b0;   // of control
  assign error_event_o[`REG_ERRORS_ACCESS] = 1'b0;

  wire activation_valid;
  image_loader #(
    .Tiles(Tiles), .DotLanes(DotLanes), .DynamicPrecision(DynamicPrecision), .WeightDepth(WeightDepth), .UnitDepth(UnitDepth),
    .ActivationDepth(ActivationDepth)
  ) u_image_loader (
    .clk_i              (clk_i),
    .rst_ni             (rst_ni),
    .clear_i            (clear_i),
    .s_image_tdata_i    (s_image_tdata_i),
    .s_image_tvalid_i   (s_image_tvalid_i),
    .s_image_tready_o   (s_image_tready_o),
    .s_image_tlast_i    (s_image_tlast_i),
    .load_valid_o       (load_valid_o),
    .activation_valid_o (activation_valid),
    .load_target_o      (load_target_o),
    .load_address_o     (load_address_o),
    .load_data_o        (load_data_o),
    .closed_i           (load_closed_i),
    .loading_o          (loading_o),
    .busy_error_o       (error_event_o[`REG_ERRORS_LOAD_BUSY]),
    .target_error_o     (error_event_o[`REG_ERRORS_LOAD_TARGET]),
    .length_error_o     (error_event_o[`REG_ERRORS_LOAD_LENGTH]),
    .descriptor_error_o (error_event_o[`REG_ERRORS_DESCRIPTOR])
  );

  wire x_terms;
  wire [`WORDS] x_words;
  wire [OffsetWidth-1:0] x_region, h_region;
  wire [`UNITS] h_units, trace_units;
  wire [`LAYER] h_layer, trace_layer;
  layer_table #(.Tiles(Tiles), .ActivationDepth(ActivationDepth)) u_layer_table (
    .clk_i              (clk_i),
    .rst_ni             (rst_ni),
    .load_valid_i       (load_target_o == `TARGET_DESCRIPTORS ? load_valid_o : {Tiles{1'b0}}),
    .load_layer_i       (load_address_o[`LAYER]),
    .load_data_i        (load_data_o[`DESCRIPTOR]),
    .valid_o            (layer_valid_o),
    .x_words_o          (x_words),
    .x_terms_o          (x_terms),
    .x_address_o        (x_region),
    .commit_layer_i     (commit_layer_i),
    .commit_h_address_o (h_region),
    .output_layer_i     (h_layer),
    .output_units_o     (h_units),
    .trace_layer_i      (trace_layer),
    .trace_units_o      (trace_units)
  );

  wire x_valid, x_ready, x_held;
  wire [OffsetWidth:0] x_address;
  wire [`GRANULE] x_granule;
  wire [8*GranuleBytes-1:0] x_data;
  wire [`NIBBLE] x_exponent;
  wire [`STEP_FLAGS] step_last;
  input_stream #(.DynamicPrecision(DynamicPrecision), .DotLanes(DotLanes), .ActivationDepth(ActivationDepth)) u_input_stream (
    .clk_i              (clk_i),
    .rst_ni             (rst_ni),
    .clear_i            (clear_i),
    .s_x_tdata_i        (s_x_tdata_i),
    .s_x_tvalid_i       (s_x_tvalid_i),
    .s_x_tready_o       (s_x_tready_o),
    .s_x_tlast_i        (s_x_tlast_i),
    .s_x_tuser_i        (s_x_tuser_i),
    .x_valid_o          (x_valid),
    .x_ready_i          (x_ready),
    .x_held_i           (x_held),
    .x_address_o        (x_address),
    .x_granule_o        (x_granule),
    .x_data_o           (x_data),
    .x_exponent_o       (x_exponent),
    .start_i            (start_i),
    .sequences_i        (sequences_i),
    .stateful_i         (stateful_i),
    .x_words_i          (x_words),
    .x_terms_i          (x_terms),
    .x_address_i        (x_region),
    .first_layer_done_i (first_layer_done_i),
    .step_done_i        (step_done_i),
    .x_loaded_o         (x_loaded_o),
    .step_first_o       (step_first_o),
    .step_last_o        (step_last),
    .bank_o             (bank_o),
    .finished_o         (input_finished_o),
    .halted_o           (input_halted_o),
    .short_error_o      (error_event_o[`REG_ERRORS_X_SHORT]),
    .long_error_o       (error_event_o[`REG_ERRORS_X_LONG])
  );

  activation_writer #(.DynamicPrecision(DynamicPrecision), .DotLanes(DotLanes), .ActivationDepth(ActivationDepth)) u_activation_writer (
    .clk_i             (clk_i),
    .rst_ni            (rst_ni),
    .clear_i           (clear_i),
    .commit_valid_i    (commit_valid_i),
    .commit_bank_i     (commit_bank_i),
    .commit_position_i (commit_position_i),
    .commit_h_i        (commit_h_i),
    .pair_valid_i      (pair_valid_i),
    .pair_position_i   (pair_position_i),
    .pair_h_i          (pair_h_i),
    .h_address_i       (h_region),
    .load_valid_i      (activation_valid),
    .load_address_i    (load_address_o[OffsetWidth:0]),
    .load_data_i       (load_data_o[`H_WIDTH*DotLanes-1:0]),
    .x_valid_i         (x_valid),
    .x_ready_o         (x_ready),
    .x_held_o          (x_held),
    .x_address_i       (x_address),
    .x_granule_i       (x_granule),
    .x_data_i          (x_data),
    .x_exponent_i      (x_exponent),
    .act_we_o          (act_we_o),
    .act_pair_o        (act_pair_o),
    .act_address_o     (act_address_o),
    .act_be_o          (act_be_o),
    .act_data_o        (act_data_o),
    .act_exponent_o    (act_exponent_o)
  );

  wire       unused_high;
  wire [`LAYER] last_layer;
  assign {unused_high, last_layer} = layers_i - 1'b1;

  wire h_idle, trace_idle;
  assign output_idle_o = h_idle & trace_idle;

  output_stream #(.ElementBits(`H_WIDTH), .Layers(1)) u_h_stream (
    .clk_i             (clk_i),
    .rst_ni            (rst_ni),
    .clear_i           (clear_i),
    .commit_valid_i    (commit_valid_i & commit_layer_i == last_layer),
    .commit_bank_i     (commit_bank_i),
    .commit_layer_i    (commit_layer_i),
    .commit_position_i (commit_position_i),
    .commit_element_i  (commit_h_i),
    .pair_valid_i      (pair_valid_i & commit_layer_i == last_layer),
    .pair_position_i   (pair_position_i),
    .pair_element_i    (pair_h_i),
    .m_tdata_o         (m_h_tdata_o),
    .m_tvalid_o        (m_h_tvalid_o),
    .m_tready_i        (m_h_tready_i),
    .m_tlast_o         (m_h_tlast_o),
    .m_tuser_o         (m_h_tuser_o),
    .first_layer_i     (last_layer),
    .last_layer_i      (last_layer),
    .layer_o           (h_layer),
    .units_i           (h_units),
    .done_i            (step_done_i),
    .done_bank_i       (step_i[0]),
    .done_last_i       (step_last[step_i]),
    .freed_o           (output_freed_o),
    .idle_o            (h_idle)
  );

  wire unused_trace_tuser;
  output_stream #(.ElementBits(`LEVELS_WIDTH), .Layers(`MAX_LAYERS)) u_trace_stream (
    .clk_i             (clk_i),
    .rst_ni            (rst_ni),
    .clear_i           (clear_i),
    .commit_valid_i    (commit_valid_i & trace_enable_i),
    .commit_bank_i     (commit_bank_i),
    .commit_layer_i    (commit_layer_i),
    .commit_position_i (commit_position_i),
    .commit_element_i  (commit_levels_i),
    .pair_valid_i      (pair_valid_i & trace_enable_i),
    .pair_position_i   (pair_position_i),
    .pair_element_i    (pair_levels_i),
    .m_tdata_o         (m_trace_tdata_o),
    .m_tvalid_o        (m_trace_tvalid_o),
    .m_tready_i        (m_trace_tready_i),
    .m_tlast_o         (m_trace_tlast_o),
    .m_tuser_o         (unused_trace_tuser),
    .first_layer_i     ({`LAYER_WIDTH{1'b0}}),
    .last_layer_i      (last_layer),
    .layer_o           (trace_layer),
    .units_i           (trace_units),
    .done_i            (step_done_i & trace_enable_i),
    .done_bank_i       (step_i[0]),
    .done_last_i       (1'b0),
    .freed_o           (trace_freed_o),
    .idle_o            (trace_idle)
  );
endmodule

`default_nettype wire
