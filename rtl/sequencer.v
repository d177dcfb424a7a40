// What a tile works on next. Two pointers walk through steps, layers, units and gates: the early pass of a row (input known early) runs ahead of
// the late pass by up to InFlight units; refinements come before both (docs/architecture.md).
//
//   early pass:  Idle --start--> Enter --(layer's descriptor)--> Run --(last unit)--> Enter (next layer or step)
//
// lead_early, lead_late count layer-steps between a pointer and the last one that all tiles completed: h of the step before is known when the lead
// is below the number of layers, h of the layer below in the same step when it is zero.
`default_nettype none

module sequencer #(
  parameter IndexWidth  = 3,
  parameter UnitWidth   = 9,
  parameter WeightWidth = 14,
  parameter EntryWidth  = UnitWidth + WeightWidth + 7 // derived, not to be set
) (
  input  wire                   clk_i,
  input  wire                   rst_ni,
  input  wire                   clear_i,
  input  wire                   start_i,
  input  wire [3:0]             layers_i,
  input  wire                   trace_enable_i,
  input  wire                   x_loaded_i,
  input  wire                   layer_done_i,
  input  wire                   output_freed_i,
  input  wire                   trace_freed_i,
  output wire [2:0]             descriptor_layer_o,
  /* verilator lint_off UNUSEDSIGNAL */     // a descriptor has room for bigger builds and for other readers
  input  wire [255:0]           descriptor_i,
  /* verilator lint_on UNUSEDSIGNAL */
  // in-flight buffer
  output wire                   allocate_o,
  output wire [EntryWidth-1:0]  entry_o,
  input  wire [IndexWidth-1:0]  next_index_i,
  input  wire                   in_flight_full_i,
  input  wire [IndexWidth:0]    in_flight_count_i,
  output wire                   skip_o,
  output wire [IndexWidth-1:0]  late_index_o,
  input  wire [EntryWidth-1:0]  late_entry_i,
  // refinements
  input  wire                   refine_valid_i,
  output wire                   refine_ready_o,
  input  wire [3:0]             refine_mask_i,
  input  wire [IndexWidth-1:0]  refine_index_i,
  input  wire [EntryWidth-1:0]  refine_entry_i,
  // row pass
  output wire                   row_pass_valid_o,
  input  wire                   row_pass_ready_i,
  output wire [1:0]             kind_o,
  output wire [IndexWidth-1:0]  index_o,
  output wire [1:0]             gate_o,
  output wire [2:0]             layer_o,
  output wire [1:0]             step_o,
  output wire [UnitWidth-1:0]   unit_o,
  output wire [WeightWidth-1:0] base_o,
  output wire                   complete_o,
  output wire [3:0]             mask_o,
  // why no row pass begins
  output reg  [3:0]             wait_class_o
);
  localparam [1:0] Idle = 2'd0, Enter = 2'd1, Run = 2'd2;
  localparam [3:0] WaitInput = 4'd2, WaitHidden = 4'd3, WaitDecision = 4'd4, InFlightFull = 4'd5, WaitOutput = 4'd6, Drain = 4'd7, IdleClass = 4'd8;

  wire [2:0] last_layer = layers_i[2:0] - 3'd1;

  // Early pass.
  reg [1:0]             state_q, gate_early_q, step_early_q, x_credits_q;
  reg [2:0]             layer_early_q;
  reg [9:0]             slots_left_q; // of the layer, behind the current unit
  reg                   no_slots_q;
  reg [UnitWidth-1:0]   unit_early_q;
  reg [WeightWidth-1:0] base_early_q;
  reg [3:0]             lead_early_q;

  wire input_early   = layer_early_q == 3'd0 ? x_credits_q != 2'd0 : lead_early_q < layers_i;
  wire space_early   = gate_early_q != 2'd0 || !in_flight_full_i;
  wire ready_early   = state_q == Run && input_early && space_early;
  wire row_pass_early   = ready_early && !no_slots_q;
  wire last_unit = no_slots_q || slots_left_q == 10'd0;

  // Late pass.
  reg [IndexWidth-1:0] index_late_q;
  reg [1:0]            gate_late_q, output_credits_q, trace_credits_q;
  reg [3:0]            lead_late_q;
  reg [IndexWidth:0]   units_late_q; // in the in-flight buffer, not yet past the late pass

  wire                   last_late, none_late;
  wire [2:0]             layer_late;
  wire [1:0]             step_late;
  wire [UnitWidth-1:0]   unit_late;
  wire [WeightWidth-1:0] base_late;
  assign {last_late, none_late, layer_late, step_late, unit_late, base_late} = late_entry_i;

  wire final_layer_late = layer_late == last_layer;
  wire early_done   = units_late_q > 1 || gate_early_q == 2'd0 || gate_late_q < gate_early_q;
  wire pending_late     = units_late_q != 0;
  wire input_late       = layer_late == 3'd0 ? lead_late_q < layers_i : lead_late_q == 4'd0;
  wire output_late      = (!final_layer_late || output_credits_q != 2'd0) && (!trace_enable_i || trace_credits_q != 2'd0);
  wire ready_late       = pending_late && early_done && input_late && output_late;
  wire row_pass_late       = ready_late && !none_late;

  // Refinements.
  reg [3:0] refined_q;

  wire                   unused_last, unused_none;
  wire [2:0]             layer_r;
  wire [1:0]             step_r;
  wire [UnitWidth-1:0]   unit_r;
  wire [WeightWidth-1:0] base_r;
  assign {unused_last, unused_none, layer_r, step_r, unit_r, base_r} = refine_entry_i;

  wire [3:0] rows_left   = refine_mask_i & ~refined_q;
  wire [1:0] gate_r      = rows_left[0] ? 2'd0 : rows_left[1] ? 2'd1 : rows_left[2] ? 2'd2 : 2'd3;
  wire       last_row    = (rows_left & (rows_left - 4'd1)) == 4'd0;

  // Choice.
  wire choose_r = refine_valid_i;
  wire choose_late = !choose_r && row_pass_late;
  wire choose_early = !choose_r && !row_pass_late && row_pass_early;
  wire take_r   = choose_r && row_pass_ready_i;
  wire take_late   = choose_late && row_pass_ready_i;
  wire take_early   = choose_early && row_pass_ready_i;
  wire skip_early   = ready_early && no_slots_q;
  wire skip_late   = ready_late && none_late;

  wire unit_done_early  = (take_early && gate_early_q == 2'd3) || skip_early;
  wire layer_done_early = unit_done_early && last_unit;
  wire unit_done_late  = (take_late && gate_late_q == 2'd3) || skip_late;
  wire layer_done_late = unit_done_late && last_late;
  wire step_done_late  = layer_done_late && final_layer_late;

  assign row_pass_valid_o = choose_r || choose_late || choose_early;
  assign kind_o        = choose_r ? 2'd2 : choose_late ? 2'd1 : 2'd0;
  assign index_o       = choose_r ? refine_index_i : choose_late ? index_late_q : gate_early_q == 2'd0 ? next_index_i : next_index_i - 1'b1;
  assign gate_o        = choose_r ? gate_r : choose_late ? gate_late_q : gate_early_q;
  assign layer_o       = choose_r ? layer_r : choose_late ? layer_late : layer_early_q;
  assign step_o        = choose_r ? step_r : choose_late ? step_late : step_early_q;
  assign unit_o        = choose_r ? unit_r : choose_late ? unit_late : unit_early_q;
  assign base_o        = choose_r ? base_r : choose_late ? base_late : base_early_q;
  assign complete_o    = choose_r ? last_row : choose_late && gate_late_q == 2'd3;
  assign mask_o        = choose_r ? refine_mask_i : 4'd0;

  assign refine_ready_o = take_r && last_row;
  assign allocate_o     = (take_early && gate_early_q == 2'd0) || skip_early;
  assign entry_o        = {last_unit, no_slots_q, layer_early_q, step_early_q, unit_early_q, base_early_q};
  assign skip_o         = skip_late;
  assign late_index_o = index_late_q;

  // Units past the late pass that have not left: their decision or refinement is under way.
  wire units_in_finish = in_flight_count_i > units_late_q;

  // Cycle classes: what would have to change for this tile to have work.
  always @* begin
    if (state_q != Run && !pending_late) wait_class_o = IdleClass;
    else if (pending_late && early_done && input_late && !output_late) wait_class_o = WaitOutput;
    else if (input_early && !space_early) wait_class_o = InFlightFull;
    else if (!pending_late && layer_early_q == 3'd0) wait_class_o = in_flight_count_i == 0 ? WaitInput : Drain;
    else if (units_in_finish) wait_class_o = WaitDecision;
    else wait_class_o = WaitHidden;
  end

  /* verilator lint_off UNUSEDSIGNAL */     // words of four rows; a small memory has few address bits
  wire [WeightWidth+12:0] unit_words = {{WeightWidth{1'b0}}, {1'b0, descriptor_i[41:32]} + {1'b0, descriptor_i[57:48]}, 2'b00};
  /* verilator lint_on UNUSEDSIGNAL */

  assign descriptor_layer_o = layer_early_q;

  function [3:0] count(input [3:0] value, input up, input down);
    count = value + {3'b0, up} - {3'b0, down};
  endfunction

  function [1:0] credits(input [1:0] value, input up, input down);
    credits = value + {1'b0, up} - {1'b0, down};
  endfunction

  always @(posedge clk_i) begin
    if (state_q == Enter) begin
      unit_early_q     <= descriptor_i[96 +: UnitWidth];
      base_early_q     <= descriptor_i[128 +: WeightWidth];
      slots_left_q <= descriptor_i[25:16] - 10'd1;
      no_slots_q   <= descriptor_i[26:16] == 11'd0;
    end else if (unit_done_early) begin
      unit_early_q     <= unit_early_q + 1'b1;
      base_early_q     <= base_early_q + unit_words[WeightWidth-1:0];
      slots_left_q <= slots_left_q - 10'd1;
    end

    if (!rst_ni || clear_i) begin
      state_q        <= Idle;
      layer_early_q      <= 3'd0;
      step_early_q       <= 2'd0;
      gate_early_q       <= 2'd0;
      gate_late_q       <= 2'd0;
      index_late_q      <= 0;
      units_late_q      <= 0;
      lead_early_q       <= 4'd0;
      lead_late_q       <= 4'd0;
      x_credits_q      <= 2'd0;
      output_credits_q <= 2'd2;
      trace_credits_q  <= 2'd2;
      refined_q      <= 4'd0;
    end else begin
      if (start_i || layer_done_early) state_q <= Enter;
      else if (state_q == Enter) state_q <= Run;
      if (layer_done_early) layer_early_q <= layer_early_q == last_layer ? 3'd0 : layer_early_q + 3'd1;
      if (layer_done_early && layer_early_q == last_layer) step_early_q <= step_early_q + 2'd1;
      if (take_early) gate_early_q <= gate_early_q + 2'd1;
      if (take_late) gate_late_q <= gate_late_q + 2'd1;
      if (unit_done_late) index_late_q <= index_late_q + 1'b1;
      if (take_r) refined_q <= last_row ? 4'd0 : refined_q | (4'd1 << gate_r);
      units_late_q      <= units_late_q + {{IndexWidth{1'b0}}, allocate_o} - {{IndexWidth{1'b0}}, unit_done_late};
      lead_early_q       <= count(lead_early_q, layer_done_early, layer_done_i);
      lead_late_q       <= count(lead_late_q, layer_done_late, layer_done_i);
      x_credits_q      <= credits(x_credits_q, x_loaded_i, layer_done_early && layer_early_q == 3'd0);
      output_credits_q <= credits(output_credits_q, output_freed_i, step_done_late);
      trace_credits_q  <= credits(trace_credits_q, trace_freed_i, step_done_late && trace_enable_i);
    end
  end
endmodule

`default_nettype wire
