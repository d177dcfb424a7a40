// SPDX-License-Identifier: MIT
// Walks through steps, layers, units and gates, and offers the early pass of two rows after another: over the operand that is known early (layer 0: x; above: h of the
// step before). With the first two gates of a unit it enters the in-flight buffer.
//
//   Idle --start--> Enter --(the layer's descriptor)--> Run --(last unit)--> Enter (next layer or step)
//
// A layer that has no unit in this tile passes as one entry without a row. Combinational from the registers to pass_o; it moves on with take_i.
`include "formats.vh"
`default_nettype none

module early_walker #(
  parameter IndexWidth  = 3,
  parameter UnitWidth   = 9,
  parameter WeightWidth = 13
) (
  input  wire                  clk_i,
  input  wire                  rst_ni,
  input  wire                  clear_i,
  input  wire                  start_i,
  input  wire [`LAYERS]        layers_i,
  input  wire                  x_loaded_i,      // one more step of x is there
  input  wire                  layer_done_i,    // all tiles completed one more layer-step
  output wire [`LAYER]         descriptor_layer_o,
  /* verilator lint_off UNUSEDSIGNAL */         // a descriptor has room for bigger builds and for other readers
  input  wire [`DESCRIPTOR]    descriptor_i,
  /* verilator lint_on UNUSEDSIGNAL */
  // in-flight buffer
  input  wire                  full_i,
  input  wire [IndexWidth-1:0] next_index_i,
  output wire                  allocate_o,
  output wire [`ENTRY]         entry_o,
  // row pass
  output wire                  valid_o,
  input  wire                  take_i,
  output wire [`PASS]          pass_o,
  // where it stands
  output wire [`GATE]          gate_o,          // of the latest unit, what comes next
  output wire                  run_o,           // inside a layer
  output wire                  first_layer_o,
  output wire                  full_o           // could go on if the in-flight buffer had room
);
  localparam [1:0] Idle = 2'd0, Enter = 2'd1, Run = 2'd2;

  wire [`LAYER] last_layer = layers_i[`LAYER] - 1'b1;

  reg [1:0]             state_q, x_credits_q;
  reg [`GATE]           gate_q;
  reg [`STEP]           step_q;
  reg [`LAYER]          layer_q;
  reg [`POSITION]       slots_left_q; // of the layer, after the current unit
  reg                   no_slots_q;
  reg [UnitWidth-1:0]   unit_q;
  reg [WeightWidth-1:0] base_q;
  reg [`LAYERS]         lead_q;       // layer-steps begun here that not all tiles have completed

  wire input_there = layer_q == 0 ? x_credits_q != 2'd0 : lead_q < layers_i;
  wire space       = gate_q != `GATE_I || !full_i;
  wire ready       = state_q == Run && input_there && space;
  wire skip        = ready && no_slots_q;
  wire last_unit   = no_slots_q || slots_left_q == 0;
  wire unit_done   = (take_i && gate_q == `GATE_G) || skip;
  wire layer_done  = unit_done && last_unit;

  assign valid_o       = ready && !no_slots_q;
  assign allocate_o    = (take_i && gate_q == `GATE_I) || skip;
  assign entry_o       = `ENTRY_OF(base_q, unit_q, step_q, layer_q, no_slots_q, last_unit);
  // gates i and f, then g and o
  assign pass_o        = `PASS_OF({`LEVELS_WIDTH{1'b0}}, 1'b0, base_q, unit_q, step_q, layer_q, gate_q, (gate_q | `GATE_F), (gate_q == `GATE_I ? next_index_i : next_index_i - 1'b1));
  assign gate_o        = gate_q;
  assign run_o         = state_q == Run;
  assign first_layer_o = layer_q == 0;
  assign full_o        = input_there && !space;

  assign descriptor_layer_o = layer_q;

  wire [`UNITS] slots = descriptor_i[`DESCRIPTOR_SLOTS];
  /* verilator lint_off UNUSEDSIGNAL */     // words of four rows; a small memory has few address bits
  wire [WeightWidth+`WORDS_WIDTH+2:0] unit_words = {{WeightWidth{1'b0}}, {1'b0, descriptor_i[`DESCRIPTOR_X_WORDS]} + {1'b0, descriptor_i[`DESCRIPTOR_H_WORDS]}, 2'b00};
  /* verilator lint_on UNUSEDSIGNAL */

  always @(posedge clk_i) begin
    if (state_q == Enter) begin
      unit_q       <= descriptor_i[`DESCRIPTOR_UNIT_BASE];
      base_q       <= descriptor_i[`DESCRIPTOR_W_BASE];
      slots_left_q <= slots[`POSITION] - 1'b1;
      no_slots_q   <= slots == 0;
    end else if (unit_done) begin
      unit_q       <= unit_q + 1'b1;
      base_q       <= base_q + unit_words[WeightWidth-1:0];
      slots_left_q <= slots_left_q - 1'b1;
    end

    if (!rst_ni || clear_i) begin
      state_q     <= Idle;
      layer_q     <= 0;
      step_q      <= 0;
      gate_q      <= `GATE_I;
      lead_q      <= 0;
      x_credits_q <= 2'd0;
    end else begin
      if (start_i || layer_done) state_q <= Enter;
      else if (state_q == Enter) state_q <= Run;
      if (layer_done) begin
        layer_q <= layer_q == last_layer ? {`LAYER_WIDTH{1'b0}} : layer_q + 1'b1;
        if (layer_q == last_layer) step_q <= step_q + 1'b1;
      end
      if (take_i) gate_q <= gate_q ^ `GATE_G;
      lead_q      <= lead_q + {{`LAYERS_WIDTH-1{1'b0}}, layer_done} - {{`LAYERS_WIDTH-1{1'b0}}, layer_done_i};
      x_credits_q <= x_credits_q + {1'b0, x_loaded_i} - {1'b0, layer_done && layer_q == 0};
    end
  end
endmodule

`default_nettype wire
