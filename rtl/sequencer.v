// SPDX-License-Identifier: MIT
// What a tile works on next: refinements before late passes before early passes, which run ahead by up to InFlight units (docs/architecture.md).
//
// Three walkers offer a row pass each; one is taken when row_pass is ready. Also says, for a cycle without a row pass, what would have to change for one.
`include "formats.vh"
`default_nettype none

module sequencer #(
  parameter IndexWidth  = 3,
  parameter UnitWidth   = 9,
  parameter WeightWidth = 13
) (
  input  wire                   clk_i,
  input  wire                   rst_ni,
  input  wire                   clear_i,
  input  wire                   start_i,
  input  wire [`LAYERS]         layers_i,
  input  wire                   trace_enable_i,
  input  wire                   x_loaded_i,
  input  wire                   layer_done_i,
  input  wire                   output_freed_i,
  input  wire                   trace_freed_i,
  output wire [`LAYER]          descriptor_layer_o,
  input  wire [`DESCRIPTOR]     descriptor_i,
  // in-flight buffer
  output wire                   allocate_o,
  output wire [`ENTRY]          entry_o,
  input  wire [IndexWidth-1:0]  next_index_i,
  input  wire                   in_flight_full_i,
  input  wire [IndexWidth:0]    in_flight_count_i,
  output wire                   skip_o,
  output wire [IndexWidth-1:0]  late_index_o,
  input  wire [`ENTRY]          late_entry_i,
  // refinement queue
  input  wire                   refine_valid_i,
  output wire                   refine_ready_o,
  input  wire [`LEVELS]         refine_levels_i,
  input  wire [IndexWidth-1:0]  refine_index_i,
  input  wire [`ENTRY]          refine_entry_i,
  // row pass
  output wire                   row_pass_valid_o,
  input  wire                   row_pass_ready_i,
  output wire [`KIND]           kind_o,
  output wire [`PASS]           pass_o,
  output reg  [`CLASS]          wait_class_o
);
  wire refinement, late, early, run, first_layer, in_flight_full, output_full;
  wire [`PASS]        refinement_pass, late_pass, early_pass;
  wire [`GATE]        early_gate;
  wire [IndexWidth:0] late_units;

  wire take_refinement = refinement && row_pass_ready_i;
  wire take_late       = late && !refinement && row_pass_ready_i;
  wire take_early      = early && !late && !refinement && row_pass_ready_i;

  assign row_pass_valid_o = refinement || late || early;
  assign kind_o           = refinement ? `KIND_REFINEMENT : late ? `KIND_LATE : `KIND_EARLY;
  assign pass_o           = refinement ? refinement_pass : late ? late_pass : early_pass;

  refinement_walker #(.IndexWidth(IndexWidth), .UnitWidth(UnitWidth), .WeightWidth(WeightWidth)) u_refinement_walker (
    .clk_i   (clk_i),
    .rst_ni  (rst_ni),
    .clear_i (clear_i),
    .valid_i (refine_valid_i),
    .pop_o   (refine_ready_o),
    .index_i (refine_index_i),
    .levels_i(refine_levels_i),
    .entry_i (refine_entry_i),
    .valid_o (refinement),
    .take_i  (take_refinement),
    .pass_o  (refinement_pass)
  );

  late_walker #(.IndexWidth(IndexWidth), .UnitWidth(UnitWidth), .WeightWidth(WeightWidth)) u_late_walker (
    .clk_i         (clk_i),
    .rst_ni        (rst_ni),
    .clear_i       (clear_i),
    .layers_i      (layers_i),
    .trace_enable_i(trace_enable_i),
    .layer_done_i  (layer_done_i),
    .output_freed_i(output_freed_i),
    .trace_freed_i (trace_freed_i),
    .allocate_i    (allocate_o),
    .index_o       (late_index_o),
    .entry_i       (late_entry_i),
    .skip_o        (skip_o),
    .early_gate_i  (early_gate),
    .valid_o       (late),
    .take_i        (take_late),
    .pass_o        (late_pass),
    .units_o       (late_units),
    .output_full_o (output_full)
  );

  early_walker #(.IndexWidth(IndexWidth), .UnitWidth(UnitWidth), .WeightWidth(WeightWidth)) u_early_walker (
    .clk_i             (clk_i),
    .rst_ni            (rst_ni),
    .clear_i           (clear_i),
    .start_i           (start_i),
    .layers_i          (layers_i),
    .x_loaded_i        (x_loaded_i),
    .layer_done_i      (layer_done_i),
    .descriptor_layer_o(descriptor_layer_o),
    .descriptor_i      (descriptor_i),
    .full_i            (in_flight_full_i),
    .next_index_i      (next_index_i),
    .allocate_o        (allocate_o),
    .entry_o           (entry_o),
    .valid_o           (early),
    .take_i            (take_early),
    .pass_o            (early_pass),
    .gate_o            (early_gate),
    .run_o             (run),
    .first_layer_o     (first_layer),
    .full_o            (in_flight_full)
  );

  // Cycle classes: what would have to change for this tile to have work. A unit past the late pass waits for its decision or its refinement.
  wire none_late   = late_units == 0;
  wire any_decides = in_flight_count_i > late_units;

  always @* begin
    if (!run && none_late) wait_class_o = `CLASS_IDLE;
    else if (output_full) wait_class_o = `CLASS_WAIT_OUTPUT;
    else if (in_flight_full) wait_class_o = `CLASS_IN_FLIGHT_FULL;
    else if (none_late && first_layer) wait_class_o = in_flight_count_i == 0 ? `CLASS_WAIT_INPUT : `CLASS_DRAIN;
    else if (any_decides) wait_class_o = `CLASS_WAIT_DECISION;
    else wait_class_o = `CLASS_WAIT_H;
  end
endmodule

`default_nettype wire
