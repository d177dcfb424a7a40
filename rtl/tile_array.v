// SPDX-License-Identifier: MIT
// The tiles, the arbiter of their commits, and the count of the layer-steps that all of them have completed. Wiring only.
`include "formats.vh"
`default_nettype none

module tile_array #(
  parameter Tiles            = 4,
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
  input  wire                           clk_i,
  input  wire                           rst_ni,
  input  wire [Tiles-1:0]               load_valid_i,
  input  wire [`LOAD_TARGET]            load_target_i,
  input  wire [`LOAD_ADDRESS]           load_address_i,
  input  wire [LoadWidth-1:0]           load_data_i,
  input  wire                           act_we_i,
  input  wire [OffsetWidth:0]           act_address_i,
  input  wire [DotLanes-1:0]            act_be_i,
  input  wire [8*DotLanes-1:0]          act_data_i,
  input  wire [`NIBBLE]                 act_exponent_i,
  output wire                           commit_valid_o,
  output wire [`LAYER]                  commit_layer_o,
  output wire [`POSITION]               commit_position_o,
  output wire [`H]                      commit_h_o,
  output wire [`LEVELS]                   commit_levels_o,
  output wire                           commit_bank_o,
  output wire                           pair_valid_o,
  output wire [`POSITION]               pair_position_o,
  output wire [`H]                      pair_h_o,
  output wire [`LEVELS]                 pair_levels_o,
  input  wire                           commit_stall_i,
  input  wire                           start_i,
  input  wire                           clear_i,
  input  wire                           trace_enable_i,
  input  wire                           override_i,
  input  wire [`POLICY]                 override_policy_i,
  input  wire [`LAYERS]                 layers_i,
  input  wire                           x_loaded_i,
  input  wire [`STEP_FLAGS]             step_first_i,
  input  wire                           output_freed_i,
  input  wire                           trace_freed_i,
  output wire                           first_layer_done_o,
  output wire                           step_done_o,
  output wire [`STEP]                   step_o,
  input  wire [Tiles-1:0]               state_read_i,
  input  wire                           state_kind_i,
  input  wire [`READ_ADDRESS]           state_address_i,
  output wire [ReadWidth*Tiles-1:0]     state_data_o,
  output wire [`CLASS_WIDTH*Tiles-1:0]  class_o,
  output wire [`EVENTS_WIDTH*Tiles-1:0] event_o
);

  wire layer_done;
  wire [Tiles-1:0] tile_done, commit_valid, commit_ready, commit_bank;
  wire [`LAYER_WIDTH*Tiles-1:0] commit_layer;
  wire [`POSITION_WIDTH*Tiles-1:0] commit_position;
  wire [`H_WIDTH*Tiles-1:0] commit_h;
  wire [`LEVELS_WIDTH*Tiles-1:0] commit_levels;

  genvar k;
  generate
    for (k = 0; k < Tiles; k = k + 1) begin : gen_tiles
      tile #(
        .Tiles(Tiles), .TileId(k), .Lanes(Lanes), .DynamicPrecision(DynamicPrecision), .InFlight(InFlight), .WeightDepth(WeightDepth),
        .UnitDepth(UnitDepth), .ActivationDepth(ActivationDepth)
      ) u_tile (
        .clk_i             (clk_i),
        .rst_ni            (rst_ni),
        .load_valid_i      (load_valid_i[k]),
        .load_target_i     (load_target_i),
        .load_address_i    (load_address_i),
        .load_data_i       (load_data_i),
        .act_we_i          (act_we_i),
        .act_address_i     (act_address_i),
        .act_be_i          (act_be_i),
        .act_data_i        (act_data_i),
        .act_exponent_i    (act_exponent_i),
        .commit_valid_o    (commit_valid[k]),
        .commit_ready_i    (commit_ready[k]),
        .commit_layer_o    (commit_layer[`LAYER_WIDTH*k +: `LAYER_WIDTH]),
        .commit_position_o (commit_position[`POSITION_WIDTH*k +: `POSITION_WIDTH]),
        .commit_h_o        (commit_h[`H_WIDTH*k +: `H_WIDTH]),
        .commit_levels_o     (commit_levels[`LEVELS_WIDTH*k +: `LEVELS_WIDTH]),
        .commit_bank_o     (commit_bank[k]),
        .start_i           (start_i),
        .clear_i           (clear_i),
        .layers_i          (layers_i),
        .override_i        (override_i),
        .override_policy_i (override_policy_i),
        .trace_enable_i    (trace_enable_i),
        .x_loaded_i        (x_loaded_i),
        .step_first_i      (step_first_i),
        .layer_done_i      (layer_done),
        .output_freed_i    (output_freed_i),
        .trace_freed_i     (trace_freed_i),
        .tile_done_o       (tile_done[k]),
        .read_enable_i     (state_read_i[k]),
        .read_kind_i       (state_kind_i),
        .read_address_i    (state_address_i),
        .read_data_o       (state_data_o[ReadWidth*k +: ReadWidth]),
        .class_o           (class_o[`CLASS_WIDTH*k +: `CLASS_WIDTH]),
        .event_o           (event_o[`EVENTS_WIDTH*k +: `EVENTS_WIDTH])
      );
    end
  endgenerate

  commit_arbiter #(.Tiles(Tiles), .GroupUnits(`GRANULE_BYTES(DotLanes))) u_commit_arbiter (
    .clk_i             (clk_i),
    .rst_ni            (rst_ni),
    .clear_i           (clear_i | start_i), // the turn begins anew: the cycles of a run do not depend on the run before
    .commit_valid_i    (commit_valid),
    .commit_ready_o    (commit_ready),
    .commit_layer_i    (commit_layer),
    .commit_position_i (commit_position),
    .commit_h_i        (commit_h),
    .commit_levels_i     (commit_levels),
    .commit_bank_i     (commit_bank),
    .commit_valid_o    (commit_valid_o),
    .commit_layer_o    (commit_layer_o),
    .commit_position_o (commit_position_o),
    .commit_h_o        (commit_h_o),
    .commit_levels_o     (commit_levels_o),
    .commit_bank_o     (commit_bank_o),
    .pair_valid_o      (pair_valid_o),
    .pair_position_o   (pair_position_o),
    .pair_h_o          (pair_h_o),
    .pair_levels_o     (pair_levels_o),
    .stall_i           (commit_stall_i)
  );

  step_tracker #(.Tiles(Tiles)) u_step_tracker (
    .clk_i              (clk_i),
    .rst_ni             (rst_ni),
    .clear_i            (clear_i),
    .tile_done_i        (tile_done),
    .layers_i           (layers_i),
    .layer_done_o       (layer_done),
    .first_layer_done_o (first_layer_done_o),
    .step_done_o        (step_done_o),
    .step_o             (step_o)
  );
endmodule

`default_nettype wire
