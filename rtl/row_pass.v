// SPDX-License-Identifier: MIT
// A pass of the dot-product unit over a row: a word of one quarter a cycle, segment by segment, word by word, quarter by quarter.
//
// Kinds: the early pass of a row (layer 0: x0, x1; above: h), the late pass (layer 0: h; above: x0), and a refinement (all segments). Early and late pass
// add the quarters of the level that the row starts with: ALL under STATIC_HIGH and in the baseline build, else LOWEST. A refinement adds those that its
// level has beyond LOWEST. Quarters of a word come in the order LH, LL, HL, HH: each set of them then reads no word of a memory twice.
// The next pass is taken in the cycle of the last word, so that passes follow without a gap. Outputs are registered: one cycle after a word is chosen.
`include "formats.vh"
`default_nettype none

module row_pass #(
  parameter DynamicPrecision = 1,
  parameter IndexWidth       = 3,
  parameter UnitWidth        = 9,
  parameter WeightWidth      = 13, // bits of a weight address
  parameter OffsetWidth      = 7   // bits of an activation address without the bank
) (
  input  wire                   clk_i,
  input  wire                   rst_ni,
  input  wire                   clear_i,
  input  wire                   valid_i,
  output wire                   ready_o,
  input  wire [`KIND]           kind_i,
  input  wire [`PASS]           pass_i,
  output wire [`LAYER]          layer_o,
  /* verilator lint_off UNUSEDSIGNAL */     // a descriptor has room for bigger builds and for other readers
  input  wire [`DESCRIPTOR]     descriptor_i,
  /* verilator lint_on UNUSEDSIGNAL */
  input  wire [`POLICY]         policy_i,
  input  wire [`STEP_FLAGS]     step_first_i,
  // in this cycle
  output wire                   busy_o,
  output wire [`QUARTER]        busy_quarter_o,
  // one cycle later
  output reg                    valid_o,
  output reg  [`QUARTERS]       reads_o,         // memories to read: weights upper, lower; activations upper, lower
  output reg  [`QUARTER]        quarter_o,
  output reg                    own_exponent_o,
  output reg  [WeightWidth-1:0] weight_address_o,
  output reg  [OffsetWidth:0]   activation_address_o,
  output reg  [`WORD_TAG]       tag_o
);
  reg          valid_q;
  reg [`KIND]  kind_q;
  reg [`PASS]  pass_q;

  wire                   complete;
  wire [`LEVELS]         levels;
  wire [`GATE]           gate;
  wire [`STEP]           step;
  wire [`LAYER]          layer;
  wire [IndexWidth-1:0]  index;
  wire [UnitWidth-1:0]   unit;
  wire [WeightWidth-1:0] base;
  assign `PASS_OF(levels, complete, base, unit, step, layer, gate, index) = pass_q;

  assign layer_o = layer;

  wire [`WORDS]          x_words = descriptor_i[`DESCRIPTOR_X_WORDS];
  wire [`WORDS]          h_words = descriptor_i[`DESCRIPTOR_H_WORDS];
  wire [OffsetWidth-1:0] x_addr  = descriptor_i[`DESCRIPTOR_X_ADDR];
  wire [OffsetWidth-1:0] h_addr  = descriptor_i[`DESCRIPTOR_H_ADDR];

  // Which quarters of which segments this pass adds.
  wire refinement  = DynamicPrecision != 0 && kind_q == `KIND_REFINEMENT;
  wire static_high = policy_i == `POLICY_STATIC_HIGH;
  wire with_x      = refinement || (kind_q == `KIND_EARLY) == (layer == 0);
  wire with_h      = refinement || !with_x;
  wire with_x1     = with_x && descriptor_i[`DESCRIPTOR_TWO_TERMS];

  wire [`QUARTERS] quarters_x0, quarters_x1, quarters_h;
  generate
    if (DynamicPrecision != 0) begin : gen_quarters
      wire middle = levels[`LEVEL_WIDTH*gate +: `LEVEL_WIDTH] == `LEVEL_MIDDLE;
      assign quarters_x0 = quarters(with_x,  static_high, refinement, middle, descriptor_i[`DESCRIPTOR_LOWEST_X0], descriptor_i[`DESCRIPTOR_MIDDLE_X0]);
      assign quarters_x1 = quarters(with_x1, static_high, refinement, middle, descriptor_i[`DESCRIPTOR_LOWEST_X1], descriptor_i[`DESCRIPTOR_MIDDLE_X1]);
      assign quarters_h  = quarters(with_h,  static_high, refinement, middle, descriptor_i[`DESCRIPTOR_LOWEST_H],  descriptor_i[`DESCRIPTOR_MIDDLE_H]);
    end else begin : gen_words
      assign quarters_x0 = {3'b000, with_x};
      assign quarters_x1 = {3'b000, with_x1};
      assign quarters_h  = {3'b000, with_h};
    end
  endgenerate

  // The first so many quarters in the order of their codes.
  function [`QUARTERS] first_quarters(input [`QUARTER_COUNT] count);
    first_quarters = ~({`QUARTERS_WIDTH{1'b1}} << count);
  endfunction

  function [`QUARTERS] quarters(input present, input all_at_once, input refines, input to_middle, input [`QUARTER_COUNT] lowest, input [`QUARTER_COUNT] middle);
    quarters = !present ? {`QUARTERS_WIDTH{1'b0}}
             : refines ? (to_middle ? first_quarters(middle) : {`QUARTERS_WIDTH{1'b1}}) & ~first_quarters(lowest)
             : all_at_once ? {`QUARTERS_WIDTH{1'b1}} : first_quarters(lowest);
  endfunction

  // Where the pass stands.
  reg [2:0]       segments_done_q; // h, x1, x0
  reg [`WORDS]    word_q;
  reg [`QUARTERS] quarters_done_q; // of this word

  wire [2:0] segments      = {|quarters_h, |quarters_x1, |quarters_x0} & ~segments_done_q;
  wire [2:0] later         = segments & (segments - 3'd1);
  wire       segment_x0    = segments[0];
  wire       segment_x1    = segments[1:0] == 2'b10;
  wire       segment_h     = segments[1:0] == 2'b00;
  wire       last_segment  = later == 3'd0;
  wire       last_word     = word_q + 1'b1 == (segment_h ? h_words : x_words);

  wire [`QUARTERS] set   = segment_x0 ? quarters_x0 : segment_x1 ? quarters_x1 : quarters_h;
  wire [`QUARTERS] left  = set & ~quarters_done_q;
  wire [`QUARTER]  quarter = left[`QUARTER_LH] ? `QUARTER_LH : left[`QUARTER_LL] ? `QUARTER_LL : left[`QUARTER_HL] ? `QUARTER_HL : `QUARTER_HH;
  wire             first_quarter = quarters_done_q == 0;
  wire             last_quarter  = (left & (left - 1'b1)) == 0;
  wire             last          = last_quarter && last_word;

  // A memory is read for the first quarter of a word that needs it.
  wire weight_lo     = quarter == `QUARTER_LH || quarter == `QUARTER_LL;
  wire activation_lo = quarter == `QUARTER_HL || quarter == `QUARTER_LL;
  wire weight_read     = weight_lo ? !quarters_done_q[`QUARTER_LH] : !quarters_done_q[`QUARTER_HL];
  wire activation_read = activation_lo ? !quarters_done_q[`QUARTER_LL] : !quarters_done_q[`QUARTER_LH];

  assign ready_o        = !valid_q || (last && last_segment);
  assign busy_o         = valid_q;
  assign busy_quarter_o = quarter;

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
  wire [WeightWidth-1:0] row_base  = base + (gate[0] ? row_words : {WeightWidth{1'b0}})
                                   + (gate[1] ? {row_words[WeightWidth-2:0], 1'b0} : {WeightWidth{1'b0}});

  localparam [7:0] Decides = `POLICY_DECIDES; // a bit a policy
  wire decides      = DynamicPrecision != 0 && Decides[policy_i];
  wire fresh        = kind_q == `KIND_EARLY && segments_done_q == 0;
  // The baseline build has no levels: nothing reads this there.
  wire [`COMPLETE] complete_data = DynamicPrecision == 0 ? {`COMPLETE_WIDTH{1'b0}}
    : `COMPLETE_OF((static_high ? {4{`LEVEL_ALL}} : refinement ? levels : {4{`LEVEL_LOWEST}}), (refinement || !decides));

  always @(posedge clk_i) begin
    if (ready_o) begin
      kind_q          <= kind_i;
      pass_q          <= pass_i;
      segments_done_q <= 0;
      word_q          <= 0;
      quarters_done_q <= 0;
    end else if (last) begin
      segments_done_q <= segments_done_q | (segments & ~later);
      word_q          <= 0;
      quarters_done_q <= 0;
    end else if (last_quarter) begin
      word_q          <= word_q + 1'b1;
      quarters_done_q <= 0;
    end else begin
      quarters_done_q[quarter] <= 1'b1;
    end

    quarter_o            <= quarter;
    own_exponent_o       <= layer == 0 && !segment_h;
    weight_address_o     <= row_base + (segment_h ? x_length : {WeightWidth{1'b0}}) + weight_offset;
    activation_address_o <= segment_h ? {~step[0], h_addr + activation_offset}
                                      : {step[0], x_addr + activation_offset + (segment_x1 ? term_length : {OffsetWidth{1'b0}})};
    tag_o                <= `WORD_TAG_OF((complete && last && last_segment), unit, gate, index, fresh, `SEGMENT_OF(segment_x1, segment_h), last,
                                         (word_q == 0 && first_quarter), (segment_h && step_first_i[step]), complete_data);

    if (!rst_ni || clear_i) begin
      valid_q <= 1'b0;
      valid_o <= 1'b0;
      reads_o <= 0;
    end else begin
      if (ready_o) valid_q <= valid_i;
      valid_o <= valid_q;
      reads_o <= valid_q ? {activation_lo && activation_read, !activation_lo && activation_read, weight_lo && weight_read, !weight_lo && weight_read} : {`QUARTERS_WIDTH{1'b0}};
    end
  end
endmodule

`default_nettype wire
