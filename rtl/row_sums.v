// SPDX-License-Identifier: MIT
// Row sums of the units in flight: P += m_k * acc_k (times 16 for the hi plane of the dynamic build), acc_k = Σ_word sum.
//
// Dot-product sums in (signed SumWidth, with the tag of their word), exact row sums kept in InFlight*4 words. A segment may be one
// word long; a segment's row sum is written 3 cycles after its last word's sum. complete_o marks that all rows of a row pass's unit are in.
`include "formats.vh"
`default_nettype none

module row_sums #(
  parameter InFlight    = 8,
  parameter InputWidth  = 18,
  parameter UnitWidth   = 9,
  parameter WeightBits  = 4,
  parameter HiShift     = 4,
  parameter IndexWidth  = `INDEX_WIDTH(InFlight) // derived, not to be set
) (
  input  wire                         clk_i,
  input  wire                         rst_ni,
  input  wire                         clear_i,
  input  wire                         valid_i,
  input  wire signed [InputWidth-1:0] sum_i,
  input  wire                         first_i,    // of the segment
  input  wire                         last_i,     // of the segment
  input  wire                         hi_plane_i,
  input  wire        [`SEGMENT]       segment_i,  // which m
  input  wire                         fresh_i,    // the row sum starts from zero
  input  wire        [IndexWidth-1:0] index_i,
  input  wire        [`GATE]          gate_i,
  input  wire        [UnitWidth-1:0]  unit_i,
  input  wire                         complete_i,
  input  wire        [`COMPLETE]      complete_data_i,
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
  localparam AccumulatorWidth = `ACCUMULATOR_WIDTH(WeightBits);
  localparam ProductWidth     = `PRODUCT_WIDTH(WeightBits);

  reg signed [AccumulatorWidth-1:0] accumulator_q;
  reg signed [ProductWidth-1:0]     product_q;
  reg                 scaled_valid_q, product_valid_q;
  reg [`SEGMENT]      segment_q;
  reg [`SUM_TAG]      tag_q, product_tag_q;

  wire [`SUM_TAG] tag = `SUM_TAG_OF(complete_data_i, complete_i, fresh_i, hi_plane_i, gate_i, index_i);

  assign scale_read_o    = valid_i && last_i;
  assign scale_address_o = `ROW_OF(gate_i, unit_i);

  wire [`SCALES_M_X0_WIDTH-1:0] mantissa = segment_q[`SEGMENT_H] ? scale_i[`SCALES_M_H] : segment_q[`SEGMENT_X1] ? scale_i[`SCALES_M_X1] : scale_i[`SCALES_M_X0];

  always @(posedge clk_i) begin
    if (valid_i) accumulator_q <= (first_i ? {AccumulatorWidth{1'b0}} : accumulator_q) + {{(AccumulatorWidth-InputWidth){sum_i[InputWidth-1]}}, sum_i};
    segment_q     <= segment_i;
    tag_q         <= tag;
    product_q     <= accumulator_q * $signed({1'b0, mantissa});
    product_tag_q <= tag_q;
    if (!rst_ni || clear_i) begin
      scaled_valid_q  <= 1'b0;
      product_valid_q <= 1'b0;
    end else begin
      scaled_valid_q  <= valid_i && last_i;
      product_valid_q <= scaled_valid_q;
    end
  end

  wire [IndexWidth-1:0] index;
  wire [`GATE]          gate;
  wire                  hi_plane, fresh, complete;
  wire [`COMPLETE]      complete_data;
  assign `SUM_TAG_OF(complete_data, complete, fresh, hi_plane, gate, index) = product_tag_q;

  wire signed [`ROW_SUM] old_sum;
  wire signed [`ROW_SUM] product = {{(`ROW_SUM_WIDTH-ProductWidth){product_q[ProductWidth-1]}}, product_q};
  wire signed [`ROW_SUM] sum     = (fresh ? {`ROW_SUM_WIDTH{1'b0}} : old_sum) + (hi_plane ? product <<< HiShift : product);

  register_file #(.Width(`ROW_SUM_WIDTH), .Depth(4*InFlight), .Reads(2)) u_sums (
    .clk_i          (clk_i),
    .write_enable_i (product_valid_q),
    .write_address_i({index, gate}),
    .write_data_i   (sum),
    .read_address_i ({read_index_i, read_gate_i, index, gate}),
    .read_data_o    ({read_sum_o, old_sum})
  );

  assign write_o          = product_valid_q;
  assign complete_o       = product_valid_q && complete;
  assign complete_index_o = index;
  assign complete_data_o  = complete_data;
endmodule

`default_nettype wire
