// SPDX-License-Identifier: MIT
// What a tile works on next. Two pointers walk through steps, layers, units and gates: the early pass of a row (input known early) runs ahead of
// the late pass by up to InFlight units; refinements come before both (docs/architecture.md).
//
//   early pass:  Idle --start--> Enter --(layer's descriptor)--> Run --(last unit)--> Enter (next layer or step)
//
// lead_early, lead_late count layer-steps between a pointer and the last one that all tiles completed: h of the step before is known when the lead
// is below the number of layers, h of the layer below in the same step when it is zero.
`include "formats.vh"
`default_nettype none

module sequencer #(
  parameter IndexWidth  = 3,
  parameter UnitWidth   = 9,
  parameter WeightWidth = 14
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
  /* verilator lint_off UNUSEDSIGNAL */     // a descriptor has room for bigger builds and for other readers
  input  wire [`DESCRIPTOR]     descriptor_i,
  /* verilator lint_on UNUSEDSIGNAL */
  // in-flight buffer
  output wire                   allocate_o,
  output wire [`ENTRY]          entry_o,
  input  wire [IndexWidth-1:0]  next_index_i,
  input  wire                   in_flight_full_i,
  input  wire [IndexWidth:0]    in_flight_count_i,
  output wire                   skip_o,
  output wire [IndexWidth-1:0]  late_index_o,
  input  wire [`ENTRY]          late_entry_i,
  // refinements
  input  wire                   refine_valid_i,
  output wire                   refine_ready_o,
  input  wire [`MASK]           refine_mask_i,
  input  wire [IndexWidth-1:0]  refine_index_i,
  input  wire [`ENTRY]          refine_entry_i,
  // row pass
  output wire                   row_pass_valid_o,
  input  wire                   row_pass_ready_i,
  output wire [`KIND]           kind_o,
  output wire [IndexWidth-1:0]  index_o,
  output wire [`GATE]           gate_o,
  output wire [`LAYER]          layer_o,
  output wire [`STEP]           step_o,
  output wire [UnitWidth-1:0]   unit_o,
  output wire [WeightWidth-1:0] base_o,
  output wire                   complete_o,
  output wire [`MASK]           mask_o,
  // why no row pass begins
  output reg  [`CLASS]          wait_class_o
);
  localparam [1:0] Idle = 2'd0, Enter = 2'd1, Run = 2'd2;

  wire [`LAYER] last_layer = layers_i[`LAYER] - 1'b1;

  // Early pass.
  reg [1:0]             state_q, x_credits_q;
  reg [`GATE]           gate_early_q;
  reg [`STEP]           step_early_q;
  reg [`LAYER]          layer_early_q;
  reg [`POSITION]       slots_left_q; // of the layer, behind the current unit
  reg                   no_slots_q;
  reg [UnitWidth-1:0]   unit_early_q;
  reg [WeightWidth-1:0] base_early_q;
  reg [`LAYERS]         lead_early_q;

  wire input_early   = layer_early_q == 0 ? x_credits_q != 2'd0 : lead_early_q < layers_i;
  wire space_early   = gate_early_q != `GATE_I || !in_flight_full_i;
  wire ready_early   = state_q == Run && input_early && space_early;
  wire row_pass_early   = ready_early && !no_slots_q;
  wire last_unit = no_slots_q || slots_left_q == 0;

  // Late pass.
  reg [IndexWidth-1:0] index_late_q;
  reg [`GATE]          gate_late_q;
  reg [1:0]            output_credits_q, trace_credits_q;
  reg [`LAYERS]        lead_late_q;
  reg [IndexWidth:0]   units_late_q; // in the in-flight buffer, not yet past the late pass

  wire                   last_late, none_late;
  wire [`LAYER]          layer_late;
  wire [`STEP]           step_late;
  wire [UnitWidth-1:0]   unit_late;
  wire [WeightWidth-1:0] base_late;
  assign `ENTRY_OF(base_late, unit_late, step_late, layer_late, none_late, last_late) = late_entry_i;

  wire final_layer_late = layer_late == last_layer;
  wire early_done   = units_late_q > 1 || gate_early_q == `GATE_I || gate_late_q < gate_early_q;
  wire pending_late     = units_late_q != 0;
  wire input_late       = layer_late == 0 ? lead_late_q < layers_i : lead_late_q == 0;
  wire output_late      = (!final_layer_late || output_credits_q != 2'd0) && (!trace_enable_i || trace_credits_q != 2'd0);
  wire ready_late       = pending_late && early_done && input_late && output_late;
  wire row_pass_late       = ready_late && !none_late;

  // Refinements.
  reg [`MASK] refined_q;

  wire                   unused_last, unused_none;
  wire [`LAYER]          layer_r;
  wire [`STEP]           step_r;
  wire [UnitWidth-1:0]   unit_r;
  wire [WeightWidth-1:0] base_r;
  assign `ENTRY_OF(base_r, unit_r, step_r, layer_r, unused_none, unused_last) = refine_entry_i;

  wire [`MASK] rows_left = refine_mask_i & ~refined_q;
  wire [`GATE] gate_r      = rows_left[`GATE_I] ? `GATE_I : rows_left[`GATE_F] ? `GATE_F : rows_left[`GATE_G] ? `GATE_G : `GATE_O;
  wire       last_row    = (rows_left & (rows_left - 1'b1)) == 0;

  // Choice.
  wire choose_r = refine_valid_i;
  wire choose_late = !choose_r && row_pass_late;
  wire choose_early = !choose_r && !row_pass_late && row_pass_early;
  wire take_r   = choose_r && row_pass_ready_i;
  wire take_late   = choose_late && row_pass_ready_i;
  wire take_early   = choose_early && row_pass_ready_i;
  wire skip_early   = ready_early && no_slots_q;
  wire skip_late   = ready_late && none_late;

  wire unit_done_early  = (take_early && gate_early_q == `GATE_O) || skip_early;
  wire layer_done_early = unit_done_early && last_unit;
  wire unit_done_late  = (take_late && gate_late_q == `GATE_O) || skip_late;
  wire layer_done_late = unit_done_late && last_late;
  wire step_done_late  = layer_done_late && final_layer_late;

  assign row_pass_valid_o = choose_r || choose_late || choose_early;
  assign kind_o        = choose_r ? `KIND_REFINEMENT : choose_late ? `KIND_LATE : `KIND_EARLY;
  assign index_o       = choose_r ? refine_index_i : choose_late ? index_late_q : gate_early_q == `GATE_I ? next_index_i : next_index_i - 1'b1;
  assign gate_o        = choose_r ? gate_r : choose_late ? gate_late_q : gate_early_q;
  assign layer_o       = choose_r ? layer_r : choose_late ? layer_late : layer_early_q;
  assign step_o        = choose_r ? step_r : choose_late ? step_late : step_early_q;
  assign unit_o        = choose_r ? unit_r : choose_late ? unit_late : unit_early_q;
  assign base_o        = choose_r ? base_r : choose_late ? base_late : base_early_q;
  assign complete_o    = choose_r ? last_row : choose_late && gate_late_q == `GATE_O;
  assign mask_o        = choose_r ? refine_mask_i : {`MASK_WIDTH{1'b0}};

  assign refine_ready_o = take_r && last_row;
  assign allocate_o     = (take_early && gate_early_q == `GATE_I) || skip_early;
  assign entry_o        = `ENTRY_OF(base_early_q, unit_early_q, step_early_q, layer_early_q, no_slots_q, last_unit);
  assign skip_o         = skip_late;
  assign late_index_o = index_late_q;

  // Units past the late pass that have not left: their decision or refinement is under way.
  wire units_in_finish = in_flight_count_i > units_late_q;

  // Cycle classes: what would have to change for this tile to have work.
  always @* begin
    if (state_q != Run && !pending_late) wait_class_o = `CLASS_IDLE;
    else if (pending_late && early_done && input_late && !output_late) wait_class_o = `CLASS_WAIT_OUTPUT;
    else if (input_early && !space_early) wait_class_o = `CLASS_IN_FLIGHT_FULL;
    else if (!pending_late && layer_early_q == 0) wait_class_o = in_flight_count_i == 0 ? `CLASS_WAIT_INPUT : `CLASS_DRAIN;
    else if (units_in_finish) wait_class_o = `CLASS_WAIT_DECISION;
    else wait_class_o = `CLASS_WAIT_H;
  end

  /* verilator lint_off UNUSEDSIGNAL */     // words of four rows; a small memory has few address bits
  wire [WeightWidth+`WORDS_WIDTH+2:0] unit_words = {{WeightWidth{1'b0}}, {1'b0, descriptor_i[`DESCRIPTOR_X_WORDS]} + {1'b0, descriptor_i[`DESCRIPTOR_H_WORDS]}, 2'b00};
  /* verilator lint_on UNUSEDSIGNAL */

  wire [`UNITS] slots = descriptor_i[`DESCRIPTOR_SLOTS];

  assign descriptor_layer_o = layer_early_q;

  function [`LAYERS] count(input [`LAYERS] value, input up, input down);
    count = value + {{`LAYERS_WIDTH-1{1'b0}}, up} - {{`LAYERS_WIDTH-1{1'b0}}, down};
  endfunction

  function [1:0] credits(input [1:0] value, input up, input down);
    credits = value + {1'b0, up} - {1'b0, down};
  endfunction

  always @(posedge clk_i) begin
    if (state_q == Enter) begin
      unit_early_q     <= descriptor_i[`DESCRIPTOR_UNIT_BASE];
      base_early_q     <= descriptor_i[`DESCRIPTOR_W_BASE];
      slots_left_q <= slots[`POSITION] - 1'b1;
      no_slots_q   <= slots == 0;
    end else if (unit_done_early) begin
      unit_early_q     <= unit_early_q + 1'b1;
      base_early_q     <= base_early_q + unit_words[WeightWidth-1:0];
      slots_left_q <= slots_left_q - 1'b1;
    end

    if (!rst_ni || clear_i) begin
      state_q        <= Idle;
      layer_early_q      <= 0;
      step_early_q       <= 0;
      gate_early_q       <= `GATE_I;
      gate_late_q       <= `GATE_I;
      index_late_q      <= 0;
      units_late_q      <= 0;
      lead_early_q       <= 0;
      lead_late_q       <= 0;
      x_credits_q      <= 2'd0;
      output_credits_q <= 2'd2;
      trace_credits_q  <= 2'd2;
      refined_q      <= 0;
    end else begin
      if (start_i || layer_done_early) state_q <= Enter;
      else if (state_q == Enter) state_q <= Run;
      if (layer_done_early) layer_early_q <= layer_early_q == last_layer ? {`LAYER_WIDTH{1'b0}} : layer_early_q + 1'b1;
      if (layer_done_early && layer_early_q == last_layer) step_early_q <= step_early_q + 1'b1;
      if (take_early) gate_early_q <= gate_early_q + 1'b1;
      if (take_late) gate_late_q <= gate_late_q + 1'b1;
      if (unit_done_late) index_late_q <= index_late_q + 1'b1;
      if (take_r) refined_q <= last_row ? {`MASK_WIDTH{1'b0}} : refined_q | {{`MASK_WIDTH-1{1'b0}}, 1'b1} << gate_r;
      units_late_q      <= units_late_q + {{IndexWidth{1'b0}}, allocate_o} - {{IndexWidth{1'b0}}, unit_done_late};
      lead_early_q       <= count(lead_early_q, layer_done_early, layer_done_i);
      lead_late_q       <= count(lead_late_q, layer_done_late, layer_done_i);
      x_credits_q      <= credits(x_credits_q, x_loaded_i, layer_done_early && layer_early_q == 0);
      output_credits_q <= credits(output_credits_q, output_freed_i, step_done_late);
      trace_credits_q  <= credits(trace_credits_q, trace_freed_i, step_done_late && trace_enable_i);
    end
  end
endmodule

`default_nettype wire
