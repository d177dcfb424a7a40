// What a tile works on next. Two pointers walk through steps, layers, units and gates: part A of a row (input known early) runs ahead of
// part B by up to a window of units; refinements come before both (docs/architecture.md).
//
//   part A:  Idle --start--> Enter --(layer's descriptor)--> Run --(last unit)--> Enter (next layer or step)
//
// lead_a, lead_b count layer-steps between a pointer and the last one that all tiles completed: h of the step before is known when the lead
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
  // window
  output wire                   allocate_o,
  output wire [EntryWidth-1:0]  entry_o,
  input  wire [IndexWidth-1:0]  next_index_i,
  input  wire                   window_full_i,
  input  wire [IndexWidth:0]    window_count_i,
  output wire                   skip_o,
  output wire [IndexWidth-1:0]  part_b_index_o,
  input  wire [EntryWidth-1:0]  part_b_entry_i,
  // refinements
  input  wire                   refine_valid_i,
  output wire                   refine_ready_o,
  input  wire [3:0]             refine_mask_i,
  input  wire [IndexWidth-1:0]  refine_index_i,
  input  wire [EntryWidth-1:0]  refine_entry_i,
  // visit
  output wire                   visit_valid_o,
  input  wire                   visit_ready_i,
  output wire [1:0]             kind_o,
  output wire [IndexWidth-1:0]  index_o,
  output wire [1:0]             gate_o,
  output wire [2:0]             layer_o,
  output wire [1:0]             step_o,
  output wire [UnitWidth-1:0]   unit_o,
  output wire [WeightWidth-1:0] base_o,
  output wire                   complete_o,
  output wire [3:0]             mask_o,
  // why nothing is visited
  output reg  [3:0]             wait_class_o
);
  localparam [1:0] Idle = 2'd0, Enter = 2'd1, Run = 2'd2;
  localparam [3:0] WaitInput = 4'd2, WaitHidden = 4'd3, WaitDecision = 4'd4, WindowFull = 4'd5, WaitOutput = 4'd6, Drain = 4'd7, IdleClass = 4'd8;

  wire [2:0] last_layer = layers_i[2:0] - 3'd1;

  // Part A.
  reg [1:0]             state_q, gate_a_q, step_a_q, x_level_q;
  reg [2:0]             layer_a_q;
  reg [9:0]             slots_left_q; // of the layer, behind the current unit
  reg                   no_slots_q;
  reg [UnitWidth-1:0]   unit_a_q;
  reg [WeightWidth-1:0] base_a_q;
  reg [3:0]             lead_a_q;

  wire input_a   = layer_a_q == 3'd0 ? x_level_q != 2'd0 : lead_a_q < layers_i;
  wire space_a   = gate_a_q != 2'd0 || !window_full_i;
  wire ready_a   = state_q == Run && input_a && space_a;
  wire visit_a   = ready_a && !no_slots_q;
  wire last_unit = no_slots_q || slots_left_q == 10'd0;

  // Part B.
  reg [IndexWidth-1:0] index_b_q;
  reg [1:0]            gate_b_q, output_level_q, trace_level_q;
  reg [3:0]            lead_b_q;
  reg [IndexWidth:0]   units_b_q; // in the window, not yet past part B

  wire                   last_b, none_b;
  wire [2:0]             layer_b;
  wire [1:0]             step_b;
  wire [UnitWidth-1:0]   unit_b;
  wire [WeightWidth-1:0] base_b;
  assign {last_b, none_b, layer_b, step_b, unit_b, base_b} = part_b_entry_i;

  wire final_layer_b = layer_b == last_layer;
  wire part_a_done   = units_b_q > 1 || gate_a_q == 2'd0 || gate_b_q < gate_a_q;
  wire pending_b     = units_b_q != 0;
  wire input_b       = layer_b == 3'd0 ? lead_b_q < layers_i : lead_b_q == 4'd0;
  wire output_b      = (!final_layer_b || output_level_q != 2'd0) && (!trace_enable_i || trace_level_q != 2'd0);
  wire ready_b       = pending_b && part_a_done && input_b && output_b;
  wire visit_b       = ready_b && !none_b;

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
  wire choose_b = !choose_r && visit_b;
  wire choose_a = !choose_r && !visit_b && visit_a;
  wire take_r   = choose_r && visit_ready_i;
  wire take_b   = choose_b && visit_ready_i;
  wire take_a   = choose_a && visit_ready_i;
  wire skip_a   = ready_a && no_slots_q;
  wire skip_b   = ready_b && none_b;

  wire unit_done_a  = (take_a && gate_a_q == 2'd3) || skip_a;
  wire layer_done_a = unit_done_a && last_unit;
  wire unit_done_b  = (take_b && gate_b_q == 2'd3) || skip_b;
  wire layer_done_b = unit_done_b && last_b;
  wire step_done_b  = layer_done_b && final_layer_b;

  assign visit_valid_o = choose_r || choose_b || choose_a;
  assign kind_o        = choose_r ? 2'd2 : choose_b ? 2'd1 : 2'd0;
  assign index_o       = choose_r ? refine_index_i : choose_b ? index_b_q : gate_a_q == 2'd0 ? next_index_i : next_index_i - 1'b1;
  assign gate_o        = choose_r ? gate_r : choose_b ? gate_b_q : gate_a_q;
  assign layer_o       = choose_r ? layer_r : choose_b ? layer_b : layer_a_q;
  assign step_o        = choose_r ? step_r : choose_b ? step_b : step_a_q;
  assign unit_o        = choose_r ? unit_r : choose_b ? unit_b : unit_a_q;
  assign base_o        = choose_r ? base_r : choose_b ? base_b : base_a_q;
  assign complete_o    = choose_r ? last_row : choose_b && gate_b_q == 2'd3;
  assign mask_o        = choose_r ? refine_mask_i : 4'd0;

  assign refine_ready_o = take_r && last_row;
  assign allocate_o     = (take_a && gate_a_q == 2'd0) || skip_a;
  assign entry_o        = {last_unit, no_slots_q, layer_a_q, step_a_q, unit_a_q, base_a_q};
  assign skip_o         = skip_b;
  assign part_b_index_o = index_b_q;

  // Units past part B that have not left: their decision or refinement is under way.
  wire units_in_finish = window_count_i > units_b_q;

  // Cycle classes: what would have to change for this tile to have work.
  always @* begin
    if (state_q != Run && !pending_b) wait_class_o = IdleClass;
    else if (pending_b && part_a_done && input_b && !output_b) wait_class_o = WaitOutput;
    else if (input_a && !space_a) wait_class_o = WindowFull;
    else if (!pending_b && layer_a_q == 3'd0) wait_class_o = window_count_i == 0 ? WaitInput : Drain;
    else if (units_in_finish) wait_class_o = WaitDecision;
    else wait_class_o = WaitHidden;
  end

  /* verilator lint_off UNUSEDSIGNAL */     // words of four rows; a small memory has few address bits
  wire [WeightWidth+12:0] unit_words = {{WeightWidth{1'b0}}, {1'b0, descriptor_i[41:32]} + {1'b0, descriptor_i[57:48]}, 2'b00};
  /* verilator lint_on UNUSEDSIGNAL */

  assign descriptor_layer_o = layer_a_q;

  function [3:0] count(input [3:0] value, input up, input down);
    count = value + {3'b0, up} - {3'b0, down};
  endfunction

  function [1:0] level(input [1:0] value, input up, input down);
    level = value + {1'b0, up} - {1'b0, down};
  endfunction

  always @(posedge clk_i) begin
    if (state_q == Enter) begin
      unit_a_q     <= descriptor_i[96 +: UnitWidth];
      base_a_q     <= descriptor_i[128 +: WeightWidth];
      slots_left_q <= descriptor_i[25:16] - 10'd1;
      no_slots_q   <= descriptor_i[26:16] == 11'd0;
    end else if (unit_done_a) begin
      unit_a_q     <= unit_a_q + 1'b1;
      base_a_q     <= base_a_q + unit_words[WeightWidth-1:0];
      slots_left_q <= slots_left_q - 10'd1;
    end

    if (!rst_ni || clear_i) begin
      state_q        <= Idle;
      layer_a_q      <= 3'd0;
      step_a_q       <= 2'd0;
      gate_a_q       <= 2'd0;
      gate_b_q       <= 2'd0;
      index_b_q      <= 0;
      units_b_q      <= 0;
      lead_a_q       <= 4'd0;
      lead_b_q       <= 4'd0;
      x_level_q      <= 2'd0;
      output_level_q <= 2'd2;
      trace_level_q  <= 2'd2;
      refined_q      <= 4'd0;
    end else begin
      if (start_i || layer_done_a) state_q <= Enter;
      else if (state_q == Enter) state_q <= Run;
      if (layer_done_a) layer_a_q <= layer_a_q == last_layer ? 3'd0 : layer_a_q + 3'd1;
      if (layer_done_a && layer_a_q == last_layer) step_a_q <= step_a_q + 2'd1;
      if (take_a) gate_a_q <= gate_a_q + 2'd1;
      if (take_b) gate_b_q <= gate_b_q + 2'd1;
      if (unit_done_b) index_b_q <= index_b_q + 1'b1;
      if (take_r) refined_q <= last_row ? 4'd0 : refined_q | (4'd1 << gate_r);
      units_b_q      <= units_b_q + {{IndexWidth{1'b0}}, allocate_o} - {{IndexWidth{1'b0}}, unit_done_b};
      lead_a_q       <= count(lead_a_q, layer_done_a, layer_done_i);
      lead_b_q       <= count(lead_b_q, layer_done_b, layer_done_i);
      x_level_q      <= level(x_level_q, x_loaded_i, layer_done_a && layer_a_q == 3'd0);
      output_level_q <= level(output_level_q, output_freed_i, step_done_b);
      trace_level_q  <= level(trace_level_q, trace_freed_i, step_done_b && trace_enable_i);
    end
  end
endmodule

`default_nettype wire
