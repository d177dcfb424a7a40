// SPDX-License-Identifier: MIT
// What a tile's dot-product unit does in each cycle: in-flight buffer, refinement queue, sequencer, row pass. Wiring only.
//
// Progress of the network and levels to refine to in, one tagged word read a cycle out. Latency from a choice to its first word 2 cycles.
`include "formats.vh"
`default_nettype none

module scheduler #(
  parameter DynamicPrecision = 1,
  parameter InFlight         = 8,
  parameter UnitWidth        = 9,
  parameter WeightWidth      = 13,
  parameter OffsetWidth      = 7,
  parameter IndexWidth       = `INDEX_WIDTH(InFlight)        // derived, not to be set
) (
  input  wire                   clk_i,
  input  wire                   rst_ni,
  input  wire                   clear_i,
  input  wire                   start_i,
  input  wire [`LAYERS]         layers_i,
  input  wire                   trace_enable_i,
  input  wire                   x_loaded_i,
  input  wire [`STEP_FLAGS]     step_first_i,
  input  wire                   layer_done_i,
  input  wire                   output_freed_i,
  input  wire                   trace_freed_i,
  output wire                   tile_done_o,
  // descriptors
  output wire [`LAYER]          early_layer_o,
  input  wire [`DESCRIPTOR]     early_descriptor_i,
  output wire [`LAYER]          row_pass_layer_o,
  input  wire [`DESCRIPTOR]     row_pass_descriptor_i,
  input  wire [`POLICY]         policy_i,
  // units: committed, looked up by post-processing, to be refined
  input  wire                   done_i,
  input  wire [IndexWidth-1:0]  done_index_i,
  input  wire [IndexWidth-1:0]  finish_index_i,
  output wire [`ENTRY]          finish_entry_o,
  input  wire                   refine_valid_i,
  input  wire [IndexWidth-1:0]  refine_index_i,
  input  wire [`LEVELS]         refine_levels_i,
  // words to read
  output wire                   word_valid_o,
  output wire [`QUARTERS]       word_reads_o,
  output wire [`QUARTER]        word_quarter_o,
  output wire                   word_own_exponent_o,
  output wire [WeightWidth-1:0] weight_address_o,
  output wire [OffsetWidth:0]   activation_address_o,
  output wire [`WORD_TAG]       word_tag_o,
  output wire [`CLASS]          class_o
);
  // Units in flight.
  wire                  allocate, skip, in_flight_full;
  wire [`ENTRY]         entry, late_entry, refine_entry;
  wire [IndexWidth-1:0] next_index, late_index, refine_index;
  wire [IndexWidth:0]   in_flight_count;
  in_flight #(.InFlight(InFlight), .UnitWidth(UnitWidth), .WeightWidth(WeightWidth)) u_in_flight (
    .clk_i         (clk_i),
    .rst_ni        (rst_ni),
    .clear_i       (clear_i),
    .allocate_i    (allocate),
    .entry_i       (entry),
    .next_index_o  (next_index),
    .full_o        (in_flight_full),
    .count_o       (in_flight_count),
    .done_i        (done_i),
    .done_index_i  (done_index_i),
    .skip_i        (skip),
    .skip_index_i  (late_index),
    .retired_o     (tile_done_o),
    .late_index_i  (late_index),
    .late_entry_o  (late_entry),
    .refine_index_i(refine_index),
    .refine_entry_o(refine_entry),
    .finish_index_i(finish_index_i),
    .finish_entry_o(finish_entry_o)
  );

  // Refinement queue: a unit is in it once at most, so it never overflows.
  wire                  refine_valid, refine_ready;
  wire [`LEVELS]        refine_levels;
  generate
    if (DynamicPrecision != 0) begin : gen_refinement
      /* verilator lint_off UNUSEDSIGNAL */  // its depth is the in-flight buffer: never full
      wire never_full;
      /* verilator lint_on UNUSEDSIGNAL */
      fifo #(.Width(IndexWidth + `LEVELS_WIDTH), .Depth(InFlight)) u_queue (
        .clk_i      (clk_i),
        .rst_ni     (rst_ni),
        .clear_i    (clear_i),
        .valid_i(refine_valid_i),
        .ready_o(never_full),
        .data_i ({refine_index_i, refine_levels_i}),
        .valid_o(refine_valid),
        .ready_i(refine_ready),
        .data_o ({refine_index, refine_levels})
      );
    end else begin : gen_no_refinement
      /* verilator lint_off UNUSEDSIGNAL */  // the baseline build refines nothing
      wire unused = &{refine_valid_i, refine_index_i, refine_levels_i, refine_ready};
      /* verilator lint_on UNUSEDSIGNAL */
      assign refine_valid = 1'b0;
      assign refine_index = {IndexWidth{1'b0}};
      assign refine_levels = 0;
    end
  endgenerate

  // What to work on.
  wire          row_pass_valid, row_pass_ready;
  wire [`KIND]  kind;
  wire [`PASS]  pass;
  wire [`CLASS] wait_class;
  sequencer #(.IndexWidth(IndexWidth), .UnitWidth(UnitWidth), .WeightWidth(WeightWidth)) u_sequencer (
    .clk_i             (clk_i),
    .rst_ni            (rst_ni),
    .clear_i           (clear_i),
    .start_i           (start_i),
    .layers_i          (layers_i),
    .trace_enable_i    (trace_enable_i),
    .x_loaded_i        (x_loaded_i),
    .layer_done_i      (layer_done_i),
    .output_freed_i    (output_freed_i),
    .trace_freed_i     (trace_freed_i),
    .descriptor_layer_o(early_layer_o),
    .descriptor_i      (early_descriptor_i),
    .allocate_o        (allocate),
    .entry_o           (entry),
    .next_index_i      (next_index),
    .in_flight_full_i  (in_flight_full),
    .in_flight_count_i (in_flight_count),
    .skip_o            (skip),
    .late_index_o      (late_index),
    .late_entry_i      (late_entry),
    .refine_valid_i    (refine_valid),
    .refine_ready_o    (refine_ready),
    .refine_levels_i   (refine_levels),
    .refine_index_i    (refine_index),
    .refine_entry_i    (refine_entry),
    .row_pass_valid_o  (row_pass_valid),
    .row_pass_ready_i  (row_pass_ready),
    .kind_o            (kind),
    .pass_o            (pass),
    .wait_class_o      (wait_class)
  );

  row_pass #(.DynamicPrecision(DynamicPrecision), .IndexWidth(IndexWidth), .UnitWidth(UnitWidth), .WeightWidth(WeightWidth), .OffsetWidth(OffsetWidth)) u_row_pass (
    .clk_i               (clk_i),
    .rst_ni              (rst_ni),
    .clear_i             (clear_i),
    .valid_i             (row_pass_valid),
    .ready_o             (row_pass_ready),
    .kind_i              (kind),
    .pass_i              (pass),
    .layer_o             (row_pass_layer_o),
    .descriptor_i        (row_pass_descriptor_i),
    .policy_i            (policy_i),
    .step_first_i        (step_first_i),
    .valid_o             (word_valid_o),
    .reads_o             (word_reads_o),
    .quarter_o           (word_quarter_o),
    .own_exponent_o      (word_own_exponent_o),
    .weight_address_o    (weight_address_o),
    .activation_address_o(activation_address_o),
    .tag_o               (word_tag_o)
  );

  // The codes of the quarters are the first cycle classes.
  assign class_o = word_valid_o ? {{`CLASS_WIDTH-`QUARTER_WIDTH{1'b0}}, word_quarter_o} : wait_class;
endmodule

`default_nettype wire
