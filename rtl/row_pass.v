// SPDX-License-Identifier: MIT
// Passes of the dot-product unit over one row, or two of a unit: a word of one quarter a cycle, segment by segment, word by word, row by row, quarter by
// quarter.
//
// pass_quarters tells which quarters of which segments a pass adds, next_quarter their order and what they read. The second row takes the activations that
// the memories still hold for the first.
// Beside the pass whose words come, two wait, so that passes follow without a gap and no choice of a pass has to wait for the end of another. The queue's
// head is prepared: which quarters of which segments it adds, and where they lie. What is prepared is cut into segments, of which the outputs hold one.
// A pass is taken -> 3 cycles -> its first word.
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
  // of the pass at the head of the queue
  output wire [`LAYER]          layer_o,
  /* verilator lint_off UNUSEDSIGNAL */     // a descriptor has room for bigger builds and for other readers
  input  wire [`DESCRIPTOR]     descriptor_i,
  /* verilator lint_on UNUSEDSIGNAL */
  input  wire [`POLICY]         policy_i,
  input  wire [`STEP_FLAGS]     step_first_i,
  // words
  output reg                    valid_o,
  output reg  [`QUARTERS]       reads_o,         // memories to read: weights upper, lower; activations upper, lower
  output reg  [`QUARTER]        quarter_o,
  output reg                    own_exponent_o,
  output reg  [WeightWidth-1:0] weight_address_o,
  output reg  [OffsetWidth:0]   activation_address_o,
  output wire [`WORD_TAG]       tag_o
);
  // Passes that are taken and whose last word has not come: three at most.
  reg [1:0] passes_q;
  wire      pass_done;
  assign ready_o = passes_q != 2'd3 || pass_done;

  /* verilator lint_off UNUSEDSIGNAL */     // the third is prepared, or its words come
  wire         never_full;
  /* verilator lint_on UNUSEDSIGNAL */
  wire         valid, prepare;
  wire [`KIND] kind;
  wire [`PASS] pass;
  fifo #(.Width(`KIND_WIDTH + `PASS_WIDTH), .Depth(2)) u_queue (
    .clk_i  (clk_i),
    .rst_ni (rst_ni),
    .clear_i(clear_i),
    .valid_i(valid_i && ready_o),
    .ready_o(never_full),
    .data_i ({kind_i, pass_i}),
    .valid_o(valid),
    .ready_i(prepare),
    .data_o ({kind, pass})
  );

  wire                   complete;
  wire [`LEVELS]         levels;
  wire [`GATE]           gate, second;
  wire [`STEP]           step;
  wire [`LAYER]          layer;
  wire [IndexWidth-1:0]  index;
  wire [UnitWidth-1:0]   unit;
  wire [WeightWidth-1:0] base;
  assign `PASS_OF(levels, complete, base, unit, step, layer, gate, second, index) = pass;

  assign layer_o = layer;

  wire [`WORDS]          x_words = descriptor_i[`DESCRIPTOR_X_WORDS];
  wire [`WORDS]          h_words = descriptor_i[`DESCRIPTOR_H_WORDS];
  wire [OffsetWidth-1:0] x_addr  = descriptor_i[`DESCRIPTOR_X_ADDR];
  wire [OffsetWidth-1:0] h_addr  = descriptor_i[`DESCRIPTOR_H_ADDR];

  wire refinement  = DynamicPrecision != 0 && kind == `KIND_REFINEMENT;
  wire static_high = policy_i == `POLICY_STATIC_HIGH;

  wire [`QUARTERS] quarters_x0, quarters_x1, quarters_h;
  pass_quarters #(.DynamicPrecision(DynamicPrecision)) u_quarters (
    .kind_i       (kind),
    .first_layer_i(layer == 0),
    .static_high_i(static_high),
    .level_i      (levels[`LEVEL_WIDTH*gate +: `LEVEL_WIDTH]),
    .descriptor_i (descriptor_i),
    .x0_o         (quarters_x0),
    .x1_o         (quarters_x1),
    .h_o          (quarters_h)
  );

  // Word counts at the width of an address: a count that the memory cannot hold never comes here.
  /* verilator lint_off WIDTHTRUNC */ // both widths depend on the build
  /* verilator lint_off WIDTHEXPAND */ // both widths depend on the build
  wire [WeightWidth-1:0] x_length = x_words;
  wire [WeightWidth-1:0] h_length = h_words;
  wire [OffsetWidth-1:0] term_length = x_words;
  /* verilator lint_on WIDTHEXPAND */
  /* verilator lint_on WIDTHTRUNC */
  wire [WeightWidth-1:0] row_words = x_length + h_length;

  localparam [7:0] Decides = `POLICY_DECIDES; // a bit a policy
  wire decides = DynamicPrecision != 0 && Decides[policy_i];

  // The prepared pass.
  reg                   prepared_q, row_complete_q, early_q, first_layer_q;
  reg [`QUARTERS]       quarters_x0_q, quarters_x1_q, quarters_h_q;
  reg [WeightWidth-1:0] base_q, row_offset_q, second_offset_q, x_length_q;
  reg [OffsetWidth-1:0] x0_start_q, x1_start_q, h_start_q;
  reg [`WORDS]          x_words_q, h_words_q;
  reg [UnitWidth-1:0]   row_unit_q;
  reg [`GATE]           row_gate_q, row_second_q;
  reg [IndexWidth-1:0]  row_index_q;
  reg [`STEP]           step_q;
  reg [`COMPLETE]       row_data_q;

  // Words of so many rows.
  function [WeightWidth-1:0] words_of(input [`GATE] rows, input [WeightWidth-1:0] words);
    words_of = (rows[0] ? words : {WeightWidth{1'b0}}) + (rows[1] ? {words[WeightWidth-2:0], 1'b0} : {WeightWidth{1'b0}});
  endfunction

  wire last_of_pass;
  assign prepare = !prepared_q || last_of_pass;

  always @(posedge clk_i) begin
    if (!rst_ni || clear_i) prepared_q <= 1'b0;
    else if (prepare) prepared_q <= valid;
    if (prepare) begin
      row_complete_q  <= complete;
      early_q         <= kind == `KIND_EARLY;
      first_layer_q   <= layer == 0;
      quarters_x0_q   <= quarters_x0;
      quarters_x1_q   <= quarters_x1;
      quarters_h_q    <= quarters_h;
      base_q          <= base;
      row_offset_q    <= words_of(gate, row_words);
      second_offset_q <= words_of(second - gate, row_words);
      x_length_q      <= x_length;
      x0_start_q      <= x_addr;
      x1_start_q      <= x_addr + term_length;
      h_start_q       <= h_addr;
      x_words_q       <= x_words;
      h_words_q       <= h_words;
      row_unit_q      <= unit;
      row_gate_q      <= gate;
      row_second_q    <= second;
      row_index_q     <= index;
      step_q          <= step;
      // The baseline build has no levels: nothing reads this there.
      row_data_q      <= DynamicPrecision == 0 ? {`COMPLETE_WIDTH{1'b0}}
        : `COMPLETE_OF((static_high ? {4{`LEVEL_ALL}} : refinement ? levels : {4{`LEVEL_LOWEST}}), (refinement || !decides));
    end
  end

  // Its next segment.
  reg [2:0] segments_done_q; // h, x1, x0

  wire [2:0] segments     = {|quarters_h_q, |quarters_x1_q, |quarters_x0_q} & ~segments_done_q;
  wire [2:0] later        = segments & (segments - 3'd1);
  wire       segment_x0   = segments[0];
  wire       segment_x1   = segments[1:0] == 2'b10;
  wire       segment_h    = segments[1:0] == 2'b00;
  wire       last_segment = later == 3'd0;

  // The segment whose words come, and what is left of it.
  reg                   complete_q, fresh_q, first_q, zero_q, last_segment_q, first_word_q, two_rows_q;
  reg [UnitWidth-1:0]   unit_q;
  reg [`GATE]           gate_q, second_q;
  reg [IndexWidth-1:0]  index_q;
  reg [`SEGMENT]        segment_q;
  reg [`COMPLETE]       complete_data_q;
  reg [`QUARTERS]       set_q, left_q;   // quarters of a word, and those that this word still misses after the present one
  reg [`WORDS]          words_q;         // words with the present one
  reg                   row_q;           // the present word is of the second row
  reg [WeightWidth-1:0] to_second_q, to_next_q; // from the address of a word of the first row, and from that of the last row of a word

  wire last_quarter = left_q == 0;
  wire last_row     = row_q == two_rows_q;
  wire last_of_row  = last_quarter && words_q == 1;
  wire last         = last_of_row && last_row;
  wire load         = !valid_o || last;
  wire second_row   = !load && (last_quarter ? !last_row : row_q); // of the next word

  // The next word.
  wire [`QUARTERS] set  = load ? (segment_x0 ? quarters_x0_q : segment_x1 ? quarters_x1_q : quarters_h_q) : set_q;
  wire [`QUARTERS] left, reads;
  wire [`QUARTER]  quarter;
  next_quarter u_next_quarter (
    .set_i    (set),
    .left_i   (load || last_quarter ? set : left_q),
    .held_i   (second_row),
    .quarter_o(quarter),
    .left_o   (left),
    .reads_o  (reads)
  );

  assign last_of_pass = load && last_segment;
  assign pass_done    = valid_o && last && last_segment_q;
  assign tag_o        = `WORD_TAG_OF((complete_q && last), unit_q, (row_q ? second_q : gate_q), index_q, fresh_q, segment_q, last_of_row, first_q, row_q, zero_q,
                                     complete_data_q);

  always @(posedge clk_i) begin
    quarter_o <= quarter;
    set_q     <= set;
    left_q    <= left;
    first_q   <= load || (last_quarter && !last_row && first_word_q);
    row_q     <= second_row;
    if (load) begin
      complete_q           <= row_complete_q && last_segment;
      last_segment_q       <= last_segment;
      unit_q               <= row_unit_q;
      gate_q               <= row_gate_q;
      second_q             <= row_second_q;
      two_rows_q           <= row_second_q != row_gate_q;
      first_word_q         <= 1'b1;
      index_q              <= row_index_q;
      fresh_q              <= early_q && segments_done_q == 0;
      segment_q            <= `SEGMENT_OF(segment_x1, segment_h);
      zero_q               <= segment_h && step_first_i[step_q];
      complete_data_q      <= row_data_q;
      own_exponent_o       <= first_layer_q && !segment_h;
      words_q              <= segment_h ? h_words_q : x_words_q;
      to_second_q          <= second_offset_q;
      to_next_q            <= {{WeightWidth-1{1'b0}}, 1'b1} - second_offset_q;
      weight_address_o     <= base_q + row_offset_q + (segment_h ? x_length_q : {WeightWidth{1'b0}});
      activation_address_o <= {step_q[0] ^ segment_h, segment_h ? h_start_q : segment_x1 ? x1_start_q : x0_start_q};
    end else if (last_quarter && !last_row) begin
      weight_address_o                      <= weight_address_o + to_second_q;
    end else if (last_quarter) begin
      first_word_q                          <= 1'b0;
      words_q                               <= words_q - 1'b1;
      weight_address_o                      <= weight_address_o + to_next_q;
      activation_address_o[OffsetWidth-1:0] <= activation_address_o[OffsetWidth-1:0] + 1'b1;
    end

    if (!rst_ni || clear_i) begin
      passes_q        <= 2'd0;
      segments_done_q <= 0;
      valid_o         <= 1'b0;
      reads_o         <= 0;
    end else begin
      passes_q <= passes_q + {1'b0, valid_i && ready_o} - {1'b0, pass_done};
      if (load && prepared_q) segments_done_q <= last_segment ? 3'd0 : segments_done_q | (segments & ~later);
      valid_o  <= prepared_q || !load;
      reads_o  <= prepared_q || !load ? reads : {`QUARTERS_WIDTH{1'b0}};
    end
  end
endmodule

`default_nettype wire
