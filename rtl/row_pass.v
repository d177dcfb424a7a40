// SPDX-License-Identifier: MIT
// A pass of the dot-product unit over a row: one weight word and one activation word a cycle, segment by segment.
//
// Kinds: the early pass of a row (layer 0: x0, x1; above: h), the late pass (layer 0: h; above: x0; with both planes of the whole row after it
// where the policy is STATIC_HIGH), a refinement (lo plane of the whole row). The next row pass is taken in the cycle of the last word, so
// that row passes follow without a gap. Addresses, enables and the word's tag are registered: one cycle after a word is chosen.
`include "formats.vh"
`default_nettype none

module row_pass #(
  parameter DynamicPrecision = 1,
  parameter IndexWidth       = 3,
  parameter UnitWidth        = 9,
  parameter WeightWidth      = 14, // bits of a weight address
  parameter OffsetWidth      = 8   // bits of an activation address without the bank
) (
  input  wire                   clk_i,
  input  wire                   rst_ni,
  input  wire                   clear_i,
  input  wire                   valid_i,
  output wire                   ready_o,
  input  wire [`KIND]           kind_i,
  input  wire [IndexWidth-1:0]  index_i,
  input  wire [`GATE]           gate_i,
  input  wire [`LAYER]          layer_i,
  input  wire [`STEP]           step_i,
  input  wire [UnitWidth-1:0]   unit_i,
  input  wire [WeightWidth-1:0] base_i,     // first weight word of the unit
  input  wire                   complete_i, // the unit's rows are complete after this row pass
  input  wire [`MASK]           mask_i,     // of a refinement
  output wire [`LAYER]          layer_o,
  /* verilator lint_off UNUSEDSIGNAL */     // a descriptor has room for bigger builds and for other readers
  input  wire [`DESCRIPTOR]     descriptor_i,
  /* verilator lint_on UNUSEDSIGNAL */
  input  wire [`POLICY]         policy_i,
  input  wire [`STEP_FLAGS]     step_first_i,
  output wire                   hi_pass_o,
  output wire                   lo_pass_o,
  output reg                    hi_read_o,
  output reg                    lo_read_o,
  output reg  [WeightWidth-1:0] weight_address_o,
  output reg  [OffsetWidth:0]   activation_address_o,
  output reg                    zero_o,     // the activation word counts as zero
  output reg                    first_o,
  output reg                    last_o,
  output reg  [`SEGMENT]        segment_o,
  output reg                    fresh_o,
  output reg  [IndexWidth-1:0]  index_o,
  output reg  [`GATE]           gate_o,
  output reg  [UnitWidth-1:0]   unit_o,
  output reg                    complete_o,
  output reg  [`COMPLETE]       complete_data_o
);
  reg                   valid_q, complete_q;
  reg [`KIND]           kind_q;
  reg [`GATE]           gate_q;
  reg [`STEP]           step_q;
  reg [IndexWidth-1:0]  index_q;
  reg [`LAYER]          layer_q;
  reg [UnitWidth-1:0]   unit_q;
  reg [WeightWidth-1:0] base_q;
  reg [`MASK]           mask_q;
  reg [5:0]             done_q;  // segments done, {lo h, x1, x0, hi h, x1, x0}
  reg [`WORDS]          word_q;

  assign layer_o = layer_q;

  wire [`WORDS]          x_words = descriptor_i[`DESCRIPTOR_X_WORDS];
  wire [`WORDS]          h_words = descriptor_i[`DESCRIPTOR_H_WORDS];
  wire [OffsetWidth-1:0] x_addr  = descriptor_i[`DESCRIPTOR_X_ADDR];
  wire [OffsetWidth-1:0] h_addr  = descriptor_i[`DESCRIPTOR_H_ADDR];
  wire                   terms   = descriptor_i[`DESCRIPTOR_TWO_TERMS];

  // Segments of this row pass.
  wire       x_part      = (kind_q == `KIND_EARLY) == (layer_q == 0);
  wire       static_high = policy_i == `POLICY_STATIC_HIGH;
  wire       with_lo     = DynamicPrecision != 0 && (kind_q == `KIND_REFINEMENT || (kind_q != `KIND_EARLY && static_high));
  wire [2:0] hi_segments = kind_q == `KIND_REFINEMENT ? 3'b000 : x_part ? {1'b0, terms, 1'b1} : 3'b100;
  wire [2:0] lo_segments = with_lo ? {1'b1, terms, 1'b1} : 3'b000;
  wire [5:0] todo        = {lo_segments, hi_segments} & ~done_q;
  wire [5:0] rest        = todo & (todo - 6'd1);
  wire [5:0] current     = todo & ~rest;

  wire hi_plane     = |current[2:0];
  wire segment_x1   = current[1] || current[4];
  wire segment_h    = current[2] || current[5];
  wire last_word    = word_q + 1'b1 == (segment_h ? h_words : x_words);
  wire last_segment = rest == 6'd0;

  assign ready_o   = !valid_q || (last_word && last_segment);
  assign hi_pass_o = valid_q && hi_plane;
  assign lo_pass_o = valid_q && !hi_plane;

  // Word counts at the width of an address: a count that the memory cannot hold never comes here.
  /* verilator lint_off WIDTHTRUNC */ // both widths depend on the build
  /* verilator lint_off WIDTHEXPAND */ // both widths depend on the build
  wire [WeightWidth-1:0] x_length = x_words;
  wire [WeightWidth-1:0] h_length = h_words;
  wire [WeightWidth-1:0] weight_offset = word_q;
  wire [OffsetWidth-1:0] term_length = x_words;
  wire [OffsetWidth-1:0] activation_offset = word_q;
  /* verilator lint_on WIDTHEXPAND */
  /* verilator lint_on WIDTHTRUNC */

  wire [WeightWidth-1:0] row_words = x_length + h_length;
  wire [WeightWidth-1:0] row_base  = base_q + (gate_q[0] ? row_words : {WeightWidth{1'b0}})
                                   + (gate_q[1] ? {row_words[WeightWidth-2:0], 1'b0} : {WeightWidth{1'b0}});

  wire is_final = DynamicPrecision == 0 || kind_q == `KIND_REFINEMENT || static_high || policy_i == `POLICY_STATIC_LOW;
  wire all_rows = DynamicPrecision == 0 || static_high;

  always @(posedge clk_i) begin
    if (ready_o) begin
      kind_q     <= kind_i;
      index_q    <= index_i;
      gate_q     <= gate_i;
      layer_q    <= layer_i;
      step_q     <= step_i;
      unit_q     <= unit_i;
      base_q     <= base_i;
      complete_q <= complete_i;
      mask_q     <= mask_i;
      done_q     <= 6'd0;
      word_q     <= 0;
    end else if (last_word) begin
      done_q <= done_q | current;
      word_q <= 0;
    end else begin
      word_q <= word_q + 1'b1;
    end

    weight_address_o     <= row_base + (segment_h ? x_length : {WeightWidth{1'b0}}) + weight_offset;
    activation_address_o <= segment_h ? {~step_q[0], h_addr + activation_offset}
                                      : {step_q[0], x_addr + activation_offset + (segment_x1 ? term_length : {OffsetWidth{1'b0}})};
    zero_o          <= segment_h && step_first_i[step_q];
    first_o         <= word_q == 0;
    last_o          <= last_word;
    segment_o       <= `SEGMENT_OF(segment_x1, segment_h);
    fresh_o         <= kind_q == `KIND_EARLY && done_q == 6'd0;
    index_o         <= index_q;
    gate_o          <= gate_q;
    unit_o          <= unit_q;
    complete_o      <= complete_q && last_word && last_segment;
    complete_data_o <= `COMPLETE_OF(all_rows ? {`MASK_WIDTH{1'b1}} : mask_q, is_final);

    if (!rst_ni || clear_i) begin
      valid_q   <= 1'b0;
      hi_read_o <= 1'b0;
      lo_read_o <= 1'b0;
    end else begin
      if (ready_o) valid_q <= valid_i;
      hi_read_o <= hi_pass_o;
      lo_read_o <= lo_pass_o;
    end
  end
endmodule

`default_nettype wire
