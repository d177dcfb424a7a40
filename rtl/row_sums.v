// SPDX-License-Identifier: MIT
// Row sums of the units in flight: P += m_k * acc_k, acc_k = Σ sum * 2^shift over the words and quarters of a segment.
//
// Sums of words in (signed InputWidth, with their shift; valid and tag a cycle before, so that m is there in time), exact row sums kept in InFlight*4 words.
// One word a cycle, also where every segment is one word long. The words of two rows may come in turn: each of them has an acc.
// Stages, by cycles after a segment's last sum:
//   0 m is read  1 acc  2 acc times each byte of m  3 m * acc, and the row sum so far  4 the new row sum is in the memory; complete_o is high in 3
`include "formats.vh"
`default_nettype none

module row_sums #(
  parameter DynamicPrecision = 1,
  parameter InFlight    = 8,
  parameter InputWidth  = 14,
  parameter UnitWidth   = 9,
  parameter IndexWidth  = `INDEX_WIDTH(InFlight) // derived, not to be set
) (
  input  wire                         clk_i,
  input  wire                         rst_ni,
  input  wire                         clear_i,
  input  wire                         valid_i,          // this and the tag: a cycle before the sum
  input  wire signed [InputWidth-1:0] sum_i,
  input  wire        [`SHIFT]         shift_i,
  input  wire        [`WORD_TAG]      tag_i,
  output wire                         scale_read_o,
  output wire        [`ROW]           scale_address_o,
  input  wire        [`SCALES]        scale_i,
  output wire                         write_o,
  output wire                         complete_o,
  output wire        [IndexWidth-1:0] complete_index_o,
  output wire        [`COMPLETE]      complete_data_o,
  input  wire        [IndexWidth-1:0] read_index_i,
  input  wire        [`GATE]          read_gate_i,
  output wire signed [`ROW_SUM]       read_sum_o
);
  localparam HalfProduct = `SEGMENT_SUM_WIDTH + 9; // acc times a byte of m
  localparam DataWidth   = DynamicPrecision != 0 ? `COMPLETE_WIDTH : 1; // the baseline build has no levels

  // The tag a cycle later, beside the sum.
  localparam WordTagWidth = `WORD_TAG_WIDTH - `COMPLETE_WIDTH + DataWidth;
  reg  [WordTagWidth-1:0] word_tag_q;
  reg                     word_valid_q;

  wire                  zero, first, last, fresh, complete, second;
  wire [UnitWidth-1:0]  unused_unit;
  wire [`SEGMENT]       segment;
  wire [`GATE]          gate;
  wire [IndexWidth-1:0] index;
  wire [DataWidth-1:0]  complete_data;
  assign `WORD_TAG_OF(complete, unused_unit, gate, index, fresh, segment, last, first, second, zero, complete_data) = word_tag_q;

  assign scale_read_o    = valid_i && tag_i[`WORD_TAG_LAST];
  assign scale_address_o = `ROW_OF(tag_i[`WORD_TAG_GATE], tag_i[`WORD_TAG_UNIT]);

  // Stage 1: the sum of a segment.
  wire signed [`SEGMENT_SUM] widened = {{(`SEGMENT_SUM_WIDTH-InputWidth){sum_i[InputWidth-1]}}, sum_i};
  wire signed [`SEGMENT_SUM] shifted = widened <<< shift_i;

  // acc of a row, and of a second one whose words come in turn with the first's
  reg  signed [`SEGMENT_SUM] first_sum_q, second_sum_q;
  reg                        second_q;
  wire signed [`SEGMENT_SUM] so_far = second ? second_sum_q : first_sum_q;
  wire signed [`SEGMENT_SUM] segment_sum = (first ? {`SEGMENT_SUM_WIDTH{1'b0}} : so_far) + shifted;
  reg        [`SCALES_M_X0_WIDTH-1:0] m_q;
  reg        zero_q; // whatever was added counts nothing
  localparam TagWidth = `SUM_TAG_WIDTH - `COMPLETE_WIDTH + DataWidth;
  reg        [TagWidth-1:0] tag_q;
  reg                       valid_q;

  wire [`SCALES_M_X0_WIDTH-1:0] m = segment[`SEGMENT_H] ? scale_i[`SCALES_M_H] : segment[`SEGMENT_X1] ? scale_i[`SCALES_M_X1] : scale_i[`SCALES_M_X0];

  // Stage 2: halves of the product.
  wire signed [`SEGMENT_SUM] whole_sum = second_q ? second_sum_q : first_sum_q;
  reg signed [HalfProduct-1:0] product_hi_q, product_lo_q;
  reg        [TagWidth-1:0]    half_tag_q;
  reg                          half_valid_q;

  wire [DataWidth-1:0]  half_data;
  wire                  half_complete, half_fresh;
  wire [`GATE]          half_gate;
  wire [IndexWidth-1:0] half_index;
  assign `SUM_TAG_OF(half_complete, half_fresh, half_gate, half_index, half_data) = half_tag_q;

  // Stage 3: the product, and the row sum that it is added to. A row sum that is written in this very cycle is taken from there.
  reg signed [`ROW_SUM]       product_q, old_sum_q;
  reg        [DataWidth-1:0]  complete_data_q;
  reg        [`GATE]          gate_q;
  reg        [IndexWidth-1:0] index_q;
  reg                         complete_q, product_valid_q;

  wire signed [`ROW_SUM] stored_sum;
  wire signed [`ROW_SUM] sum     = old_sum_q + product_q;
  wire                   forward = product_valid_q && {index_q, gate_q} == {half_index, half_gate};

  wire signed [`ROW_SUM] product_hi = {{(`ROW_SUM_WIDTH-HalfProduct){product_hi_q[HalfProduct-1]}}, product_hi_q};
  wire signed [`ROW_SUM] product_lo = {{(`ROW_SUM_WIDTH-HalfProduct){product_lo_q[HalfProduct-1]}}, product_lo_q};

  always @(posedge clk_i) begin
    word_tag_q      <= tag_i[WordTagWidth-1:0];
    if (word_valid_q && !second) first_sum_q <= segment_sum;
    if (word_valid_q && second) second_sum_q <= segment_sum;
    m_q             <= m;
    tag_q           <= `SUM_TAG_OF(complete, fresh, gate, index, complete_data);
    second_q        <= second;
    zero_q          <= zero;
    product_hi_q    <= zero_q ? $signed({HalfProduct{1'b0}}) : whole_sum * $signed({1'b0, m_q[15:8]});
    product_lo_q    <= zero_q ? $signed({HalfProduct{1'b0}}) : whole_sum * $signed({1'b0, m_q[7:0]});
    half_tag_q      <= tag_q;
    product_q       <= (product_hi <<< 8) + product_lo;
    old_sum_q       <= half_fresh ? {`ROW_SUM_WIDTH{1'b0}} : forward ? sum : stored_sum;
    complete_data_q <= half_data;
    complete_q      <= half_complete;
    gate_q          <= half_gate;
    index_q         <= half_index;
    if (!rst_ni || clear_i) begin
      word_valid_q    <= 1'b0;
      valid_q         <= 1'b0;
      half_valid_q    <= 1'b0;
      product_valid_q <= 1'b0;
    end else begin
      word_valid_q    <= valid_i;
      valid_q         <= word_valid_q && last;
      half_valid_q    <= valid_q;
      product_valid_q <= half_valid_q;
    end
  end

  register_file #(.Width(`ROW_SUM_WIDTH), .Depth(4*InFlight), .Reads(2)) u_sums (
    .clk_i          (clk_i),
    .write_enable_i (product_valid_q),
    .write_address_i({index_q, gate_q}),
    .write_data_i   (sum),
    .read_address_i ({read_index_i, read_gate_i, half_index, half_gate}),
    .read_data_o    ({read_sum_o, stored_sum})
  );

  assign write_o          = product_valid_q;
  assign complete_o       = product_valid_q && complete_q;
  assign complete_index_o = index_q;
  generate
    if (DynamicPrecision != 0) begin : gen_levels
      assign complete_data_o = complete_data_q;
    end else begin : gen_no_levels
      /* verilator lint_off UNUSEDSIGNAL */
      wire unused = complete_data_q;
      /* verilator lint_on UNUSEDSIGNAL */
      assign complete_data_o = 0;
    end
  endgenerate
endmodule

`default_nettype wire
