// SPDX-License-Identifier: MIT
// Walks through the units in flight in their order, and offers the late pass of two rows after another: over the operand that is known late (layer 0: h of the step
// before; above: x, the h of the layer below), once their early pass is taken.
//
// Combinational from the registers to pass_o; it moves on with take_i. An entry without a unit takes no row pass: skip_o.
`include "formats.vh"
`default_nettype none

module late_walker #(
  parameter IndexWidth  = 3,
  parameter UnitWidth   = 9,
  parameter WeightWidth = 13
) (
  input  wire                  clk_i,
  input  wire                  rst_ni,
  input  wire                  clear_i,
  input  wire [`LAYERS]        layers_i,
  input  wire                  trace_enable_i,
  input  wire                  layer_done_i,    // all tiles completed one more layer-step
  input  wire                  output_freed_i,  // one more step of h, or of the trace, has room
  input  wire                  trace_freed_i,
  // in-flight buffer
  input  wire                  allocate_i,      // the early pass enters a unit
  output wire [IndexWidth-1:0] index_o,
  input  wire [`ENTRY]         entry_i,
  output wire                  skip_o,
  input  wire [`GATE]          early_gate_i,    // of the latest unit, what the early pass does next
  // row pass
  output wire                  valid_o,
  input  wire                  take_i,
  output wire [`PASS]          pass_o,
  // where it stands
  output wire [IndexWidth:0]   units_o,         // in flight, not yet past the late pass
  output wire                  output_full_o    // could go on if the outputs had room
);
  wire [`LAYER] last_layer = layers_i[`LAYER] - 1'b1;

  reg [IndexWidth-1:0] index_q;
  reg [`GATE]          gate_q;
  reg [1:0]            output_credits_q, trace_credits_q;
  reg [`LAYERS]        lead_q; // layer-steps past the late pass that not all tiles have completed
  reg [IndexWidth:0]   units_q;

  wire                   last, none;
  wire [`LAYER]          layer;
  wire [`STEP]           step;
  wire [UnitWidth-1:0]   unit;
  wire [WeightWidth-1:0] base;
  assign `ENTRY_OF(base, unit, step, layer, none, last) = entry_i;

  wire final_layer = layer == last_layer;
  wire early_done  = units_q > 1 || early_gate_i == `GATE_I || gate_q < early_gate_i;
  wire input_there = layer == 0 ? lead_q < layers_i : lead_q == 0;
  wire room        = (!final_layer || output_credits_q != 2'd0) && (!trace_enable_i || trace_credits_q != 2'd0);
  wire possible    = units_q != 0 && early_done && input_there;
  wire ready       = possible && room;
  wire unit_done   = (take_i && gate_q == `GATE_G) || skip_o;
  wire layer_done  = unit_done && last;
  wire step_done   = layer_done && final_layer;

  assign valid_o       = ready && !none;
  assign skip_o        = ready && none;
  assign index_o       = index_q;
  assign units_o       = units_q;
  assign output_full_o = possible && !room;
  // gates i and f, then g and o
  assign pass_o        = `PASS_OF({`LEVELS_WIDTH{1'b0}}, (gate_q == `GATE_G), base, unit, step, layer, gate_q, (gate_q | `GATE_F), index_q);

  function [1:0] credits(input [1:0] value, input up, input down);
    credits = value + {1'b0, up} - {1'b0, down};
  endfunction

  always @(posedge clk_i)
    if (!rst_ni || clear_i) begin
      index_q          <= 0;
      gate_q           <= `GATE_I;
      units_q          <= 0;
      lead_q           <= 0;
      output_credits_q <= 2'd2;
      trace_credits_q  <= 2'd2;
    end else begin
      if (take_i) gate_q <= gate_q ^ `GATE_G;
      if (unit_done) index_q <= index_q + 1'b1;
      units_q          <= units_q + {{IndexWidth{1'b0}}, allocate_i} - {{IndexWidth{1'b0}}, unit_done};
      lead_q           <= lead_q + {{`LAYERS_WIDTH-1{1'b0}}, layer_done} - {{`LAYERS_WIDTH-1{1'b0}}, layer_done_i};
      output_credits_q <= credits(output_credits_q, output_freed_i, step_done);
      trace_credits_q  <= credits(trace_credits_q, trace_freed_i, step_done && trace_enable_i);
    end
endmodule

`default_nettype wire
