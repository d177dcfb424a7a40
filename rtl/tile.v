// SPDX-License-Identifier: MIT
// A tile: its units' gate rows from weights to h, with the precision chosen while it runs (docs/architecture.md). Wiring only.
//
//   scheduler --words--> row_engine --row sums--> elementwise_engine --h--> commit bus
//       ^                                              |
//       +------------------ refinements <--------------+
`include "formats.vh"
`default_nettype none

module tile #(
  parameter Tiles            = 4,
  parameter TileId           = 0,
  parameter Lanes            = 64,
  parameter DynamicPrecision = 1,
  parameter InFlight         = 8,
  parameter WeightDepth      = 8192,
  parameter UnitDepth        = 512,
  parameter ActivationDepth  = 128,
  parameter DotLanes         = `DOT_LANES(Lanes, DynamicPrecision), // this and below: derived, not to be set
  parameter LoadWidth        = `LOAD_WIDTH(DotLanes),
  parameter ReadWidth        = `READ_WIDTH(DotLanes),
  parameter OffsetWidth      = `OFFSET_WIDTH(ActivationDepth)
) (
  input  wire                  clk_i,
  input  wire                  rst_ni,
  // image load
  input  wire                  load_valid_i,
  input  wire [`LOAD_TARGET]   load_target_i,
  input  wire [`LOAD_ADDRESS]  load_address_i,
  /* verilator lint_off UNUSEDSIGNAL */    // memories are narrower than the widest word loaded
  input  wire [LoadWidth-1:0]  load_data_i,
  /* verilator lint_on UNUSEDSIGNAL */
  input  wire                  act_we_i,
  input  wire [OffsetWidth:0]  act_address_i,
  input  wire [DotLanes-1:0]   act_be_i,
  input  wire [8*DotLanes-1:0] act_data_i,
  input  wire [`NIBBLE]        act_exponent_i,
  // commits
  output wire                  commit_valid_o,
  input  wire                  commit_ready_i,
  output wire [`LAYER]         commit_layer_o,
  output wire [`POSITION]      commit_position_o,
  output wire [`H]             commit_h_o,
  output wire [`LEVELS]        commit_levels_o,
  output wire                  commit_bank_o,
  // configuration and progress
  input  wire                  start_i,
  input  wire                  clear_i,
  input  wire [`LAYERS]        layers_i,
  input  wire                  override_i,
  input  wire [`POLICY]        override_policy_i,
  input  wire                  trace_enable_i,
  input  wire                  x_loaded_i,
  input  wire [`STEP_FLAGS]    step_first_i,
  input  wire                  layer_done_i,
  input  wire                  output_freed_i,
  input  wire                  trace_freed_i,
  output wire                  tile_done_o,
  // state read-back
  input  wire                  read_enable_i,
  input  wire                  read_kind_i,
  /* verilator lint_off UNUSEDSIGNAL */    // small memories have few address bits
  input  wire [`READ_ADDRESS]  read_address_i,
  /* verilator lint_on UNUSEDSIGNAL */
  output wire [ReadWidth-1:0]  read_data_o,
  // status
  output wire [`CLASS]         class_o,
  output wire [`EVENTS]        event_o
);
  localparam IndexWidth  = `INDEX_WIDTH(InFlight);
  localparam UnitWidth   = `UNIT_WIDTH(UnitDepth);
  localparam WeightWidth = `WEIGHT_WIDTH(WeightDepth);

  // Descriptors and the policy in force.
  wire [`LAYER] early_layer, row_pass_layer, gates_layer, late_layer;
  wire [`DESCRIPTOR] early_descriptor, row_pass_descriptor, gates_descriptor, late_descriptor;
  descriptors #(.DynamicPrecision(DynamicPrecision)) u_descriptors (
    .clk_i            (clk_i),
    .write_i          (load_valid_i && load_target_i == `TARGET_DESCRIPTORS),
    .write_layer_i    (load_address_i[`LAYER]),
    .write_data_i     (load_data_i[`DESCRIPTOR]),
    .early_layer_i    (early_layer),
    .early_o          (early_descriptor),
    .row_pass_layer_i (row_pass_layer),
    .row_pass_o       (row_pass_descriptor),
    .gates_layer_i    (gates_layer),
    .gates_o          (gates_descriptor),
    .late_layer_i     (late_layer),
    .late_o           (late_descriptor)
  );

  wire [`POLICY] row_pass_policy = override_i ? override_policy_i : row_pass_descriptor[`DESCRIPTOR_POLICY];
  wire [`POLICY] late_policy     = override_i ? override_policy_i : late_descriptor[`DESCRIPTOR_POLICY];

  // What to work on.
  wire                   word_valid, word_own_exponent, refine;
  wire [`QUARTERS]       word_reads;
  wire [`QUARTER]        word_quarter;
  wire [WeightWidth-1:0] weight_address;
  wire [OffsetWidth:0]   activation_address;
  wire [`WORD_TAG]       word_tag;
  wire [`GATE]           sum_gate;
  wire [`LEVELS]         result_levels;
  wire [IndexWidth-1:0]  complete_index, sum_index, finish_index, commit_index, result_index;
  wire [`COMPLETE]       complete_data;
  wire [`ENTRY]          finish_entry;
  scheduler #(
    .DynamicPrecision(DynamicPrecision), .InFlight(InFlight), .UnitWidth(UnitWidth), .WeightWidth(WeightWidth), .OffsetWidth(OffsetWidth)
  ) u_scheduler (
    .clk_i               (clk_i),
    .rst_ni              (rst_ni),
    .clear_i             (clear_i),
    .start_i             (start_i),
    .layers_i            (layers_i),
    .trace_enable_i      (trace_enable_i),
    .x_loaded_i          (x_loaded_i),
    .step_first_i        (step_first_i),
    .layer_done_i        (layer_done_i),
    .output_freed_i      (output_freed_i),
    .trace_freed_i       (trace_freed_i),
    .tile_done_o         (tile_done_o),
    .early_layer_o       (early_layer),
    .early_descriptor_i  (early_descriptor),
    .row_pass_layer_o    (row_pass_layer),
    .row_pass_descriptor_i(row_pass_descriptor),
    .policy_i            (row_pass_policy),
    .done_i              (commit_valid_o && commit_ready_i),
    .done_index_i        (commit_index),
    .finish_index_i      (finish_index),
    .finish_entry_o      (finish_entry),
    .refine_valid_i      (refine),
    .refine_index_i      (result_index),
    .refine_levels_i     (result_levels),
    .word_valid_o        (word_valid),
    .word_reads_o        (word_reads),
    .word_quarter_o      (word_quarter),
    .word_own_exponent_o (word_own_exponent),
    .weight_address_o    (weight_address),
    .activation_address_o(activation_address),
    .word_tag_o          (word_tag),
    .class_o             (class_o)
  );

  wire                   unit_complete, scale_read, sum_write;
  wire signed [`ROW_SUM] sum;
  wire [8*DotLanes-1:0]  activation_word;
  row_engine #(
    .DynamicPrecision(DynamicPrecision), .DotLanes(DotLanes), .InFlight(InFlight), .WeightDepth(WeightDepth), .UnitDepth(UnitDepth), .ActivationDepth(ActivationDepth)
  ) u_row_engine (
    .clk_i               (clk_i),
    .rst_ni              (rst_ni),
    .clear_i             (clear_i),
    .load_hi_i           (load_valid_i && load_target_i == `TARGET_WEIGHTS_HI),
    .load_lo_i           (load_valid_i && load_target_i == `TARGET_WEIGHTS_LO),
    .load_scale_i        (load_valid_i && load_target_i == `TARGET_SCALES),
    .load_address_i      (load_address_i),
    .load_data_i         (load_data_i[`DESCRIPTOR]),
    .act_we_i            (act_we_i),
    .act_address_i       (act_address_i),
    .act_be_i            (act_be_i),
    .act_data_i          (act_data_i),
    .act_exponent_i      (act_exponent_i),
    .valid_i             (word_valid),
    .reads_i             (word_reads),
    .quarter_i           (word_quarter),
    .own_exponent_i      (word_own_exponent),
    .weight_address_i    (weight_address),
    .activation_address_i(activation_address),
    .tag_i               (word_tag),
    .complete_o          (unit_complete),
    .complete_index_o    (complete_index),
    .complete_data_o     (complete_data),
    .sum_index_i         (sum_index),
    .sum_gate_i          (sum_gate),
    .sum_o               (sum),
    .read_enable_i       (read_enable_i && read_kind_i),
    .read_address_i      (read_address_i[OffsetWidth:0]),
    .read_data_o         (activation_word),
    .scale_read_o        (scale_read),
    .sum_write_o         (sum_write)
  );

  wire        constant_read, cell_read, cell_write;
  wire [`CELL] cell_word;
  elementwise_engine #(
    .DynamicPrecision(DynamicPrecision), .Tiles(Tiles), .TileId(TileId), .InFlight(InFlight), .UnitDepth(UnitDepth), .WeightWidth(WeightWidth)
  ) u_elementwise_engine (
    .clk_i             (clk_i),
    .rst_ni            (rst_ni),
    .clear_i           (clear_i),
    .load_constant_i   (load_valid_i && load_target_i == `TARGET_ROW_CONSTANTS),
    .load_cell_i       (load_valid_i && load_target_i == `TARGET_CELL),
    .load_address_i    (load_address_i),
    .load_data_i       (load_data_i[`ROW_CONSTANT]),
    .read_enable_i     (read_enable_i && !read_kind_i),
    .read_address_i    (read_address_i[UnitWidth-1:0]),
    .cell_word_o       (cell_word),
    .complete_i        (unit_complete),
    .complete_index_i  (complete_index),
    .complete_data_i   (complete_data),
    .finish_index_o    (finish_index),
    .finish_entry_i    (finish_entry),
    .sum_index_o       (sum_index),
    .sum_gate_o        (sum_gate),
    .sum_i             (sum),
    .gates_layer_o     (gates_layer),
    .gates_descriptor_i(gates_descriptor),
    .late_layer_o      (late_layer),
    .late_descriptor_i (late_descriptor),
    .policy_i          (late_policy),
    .step_first_i      (step_first_i),
    .refine_valid_o    (refine),
    .result_index_o    (result_index),
    .result_levels_o   (result_levels),
    .commit_valid_o    (commit_valid_o),
    .commit_ready_i    (commit_ready_i),
    .commit_index_o    (commit_index),
    .commit_layer_o    (commit_layer_o),
    .commit_position_o (commit_position_o),
    .commit_h_o        (commit_h_o),
    .commit_levels_o   (commit_levels_o),
    .commit_bank_o     (commit_bank_o),
    .constant_read_o   (constant_read),
    .cell_read_o       (cell_read),
    .cell_write_o      (cell_write)
  );

  // The kind of the last read selects: the answer comes one cycle after its address.
  wire                 answer_kind;
  /* verilator lint_off WIDTHEXPAND */ // tiny builds: the activation word is narrower than a cell word
  wire [ReadWidth-1:0] activation_read = activation_word;
  /* verilator lint_on WIDTHEXPAND */
  delay #(.Width(1), .Cycles(1)) u_answer_kind (.clk_i(clk_i), .data_i(read_kind_i), .data_o(answer_kind));
  assign read_data_o = {activation_read[ReadWidth-1:`CELL_WIDTH], answer_kind ? activation_read[`CELL] : cell_word};
  assign event_o     = `EVENTS_OF(scale_read, constant_read, cell_read, cell_write, sum_write);
endmodule

`default_nettype wire
