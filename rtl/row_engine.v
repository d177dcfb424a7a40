// SPDX-License-Identifier: MIT
// From addresses to row sums: weight memories, activation memory, dot product, row sums. P += m_k * Σ weight * activation.
//
// A word's addresses in, its contribution to the row sum 6 cycles later. Loads write the same memories while the tile is idle.
`include "formats.vh"
`default_nettype none

module row_engine #(
  parameter DynamicPrecision = 1,
  parameter DotLanes         = 32,
  parameter WeightBits       = 4,
  parameter InFlight         = 8,
  parameter WeightDepth      = 16384,
  parameter UnitDepth        = 512,
  parameter ActivationDepth  = 256,
  parameter IndexWidth       = `INDEX_WIDTH(InFlight),                     // this and below: derived, not to be set
  parameter UnitWidth        = `UNIT_WIDTH(UnitDepth),
  parameter WeightWidth      = `WEIGHT_WIDTH(WeightDepth),
  parameter OffsetWidth      = `OFFSET_WIDTH(ActivationDepth)
) (
  input  wire                             clk_i,
  input  wire                             rst_ni,
  input  wire                             clear_i,
  // memory loading
  input  wire                             load_hi_i,
  input  wire                             load_lo_i,
  input  wire                             load_scale_i,
  /* verilator lint_off UNUSEDSIGNAL */   // a small build has narrow memories
  input  wire [`LOAD_ADDRESS]             load_address_i,
  input  wire [`DESCRIPTOR]               load_data_i,
  /* verilator lint_on UNUSEDSIGNAL */
  input  wire                             act_we_i,
  input  wire [OffsetWidth:0]             act_address_i,
  input  wire [DotLanes-1:0]              act_be_i,
  input  wire [8*DotLanes-1:0]            act_data_i,
  // words of a row pass
  input  wire                             hi_read_i,
  /* verilator lint_off UNUSEDSIGNAL */   // the baseline build has no lo plane
  input  wire                             lo_read_i,
  /* verilator lint_on UNUSEDSIGNAL */
  input  wire [WeightWidth-1:0]           weight_address_i,
  input  wire [OffsetWidth:0]             activation_address_i,
  input  wire                             zero_i,
  input  wire                             first_i,
  input  wire                             last_i,
  input  wire [`SEGMENT]                  segment_i,
  input  wire                             fresh_i,
  input  wire [IndexWidth-1:0]            index_i,
  input  wire [`GATE]                     gate_i,
  input  wire [UnitWidth-1:0]             unit_i,
  input  wire                             complete_i,
  input  wire [`COMPLETE]                 complete_data_i,
  // units whose rows are complete
  output wire                             complete_o,
  output wire [IndexWidth-1:0]            complete_index_o,
  output wire [`COMPLETE]                 complete_data_o,
  input  wire [IndexWidth-1:0]            sum_index_i,
  input  wire [`GATE]                     sum_gate_i,
  output wire signed [`ROW_SUM]           sum_o,
  // state read-back and events
  input  wire                             read_enable_i,
  input  wire [OffsetWidth:0]             read_address_i,
  output wire [8*DotLanes-1:0]            read_data_o,
  output wire                             scale_read_o,
  output wire                             sum_write_o
);
  localparam SumWidth = `WORD_SUM_WIDTH(WeightBits, DotLanes);

  wire [DotLanes*WeightBits-1:0] hi_word, weights;
  wire [DotLanes*8-1:0]          activation_word;
  wire                           hi_plane;

  ram #(.Width(DotLanes*WeightBits), .Depth(WeightDepth)) u_hi_plane (
    .clk_i          (clk_i),
    .write_enable_i (load_hi_i),
    .write_address_i(load_address_i[WeightWidth-1:0]),
    .write_data_i   (load_data_i[DotLanes*WeightBits-1:0]),
    .read_enable_i  (hi_read_i),
    .read_address_i (weight_address_i),
    .read_data_o    (hi_word)
  );

  generate
    if (DynamicPrecision != 0) begin : gen_lo_plane
      wire [DotLanes*WeightBits-1:0] lo_word;

      ram #(.Width(DotLanes*WeightBits), .Depth(WeightDepth)) u_lo_plane (
        .clk_i          (clk_i),
        .write_enable_i (load_lo_i),
        .write_address_i(load_address_i[WeightWidth-1:0]),
        .write_data_i   (load_data_i[DotLanes*WeightBits-1:0]),
        .read_enable_i  (lo_read_i),
        .read_address_i (weight_address_i),
        .read_data_o    (lo_word)
      );

      assign weights = hi_plane ? hi_word : lo_word;
    end else begin : gen_one_plane
      /* verilator lint_off UNUSEDSIGNAL */  // the baseline build has one plane
      wire unused = &{load_lo_i, hi_plane};
      /* verilator lint_on UNUSEDSIGNAL */
      assign weights = hi_word;
    end
  endgenerate

  wire word_read = hi_read_i || lo_read_i;

  ram #(.Width(DotLanes*8), .Depth(2*ActivationDepth), .WriteWidth(8)) u_activations (
    .clk_i          (clk_i),
    .write_enable_i (act_be_i & {DotLanes{act_we_i}}),
    .write_address_i(act_address_i),
    .write_data_i   (act_data_i),
    .read_enable_i  (word_read || read_enable_i),
    .read_address_i (read_enable_i ? read_address_i : activation_address_i),
    .read_data_o    (activation_word)
  );

  assign read_data_o = activation_word;

  delay #(.Width(1), .Cycles(1)) u_word_tag (.clk_i(clk_i), .data_i(hi_read_i), .data_o(hi_plane));

  wire signed [SumWidth-1:0] word_sum;
  dot_product #(.Lanes(DotLanes), .WeightBits(WeightBits)) u_dot_product (
    .clk_i        (clk_i),
    .weights_i    (weights),
    .activations_i(activation_word),
    .sum_o        (word_sum)
  );

  // The tag of a word meets its sum.
  wire                  sum_valid;
  wire [`WORD_TAG]      tag;
  wire                  tag_zero, tag_first, tag_last, tag_hi, tag_fresh, tag_complete;
  wire [`SEGMENT]       tag_segment;
  wire [`GATE]          tag_gate;
  wire [IndexWidth-1:0] tag_index;
  wire [UnitWidth-1:0]  tag_unit;
  wire [`COMPLETE]      tag_data;
  assign `WORD_TAG_OF(tag_data, tag_complete, tag_unit, tag_gate, tag_index, tag_fresh, tag_segment, tag_hi, tag_last, tag_first, tag_zero) = tag;

  delay #(.Width(`WORD_TAG_WIDTH), .Cycles(3)) u_sum_tag (
    .clk_i (clk_i),
    .data_i(`WORD_TAG_OF(complete_data_i, complete_i, unit_i, gate_i, index_i, fresh_i, segment_i, hi_read_i, last_i, first_i, zero_i)),
    .data_o(tag)
  );
  // Unlike the tag, reset: the words of an aborted run must not complete a row of the next.
  reg [2:0] word_valid_q;
  assign sum_valid = word_valid_q[2];
  always @(posedge clk_i)
    if (!rst_ni || clear_i) word_valid_q <= 3'd0;
    else word_valid_q <= {word_valid_q[1:0], word_read};

  wire                  scale_read;
  wire [`ROW]           scale_address;
  wire [`SCALES]        scale;

  ram #(.Width(`SCALES_WIDTH), .Depth(4*UnitDepth)) u_scales (
    .clk_i          (clk_i),
    .write_enable_i (load_scale_i),
    .write_address_i(load_address_i[`ROW]),
    .write_data_i   (load_data_i[`SCALES]),
    .read_enable_i  (scale_read),
    .read_address_i (scale_address),
    .read_data_o    (scale)
  );

  assign scale_read_o = scale_read;

  row_sums #(.InFlight(InFlight), .InputWidth(SumWidth), .UnitWidth(UnitWidth), .WeightBits(WeightBits), .HiShift(DynamicPrecision != 0 ? 4 : 0)) u_row_sums (
    .clk_i           (clk_i),
    .rst_ni          (rst_ni),
    .clear_i         (clear_i),
    .valid_i         (sum_valid),
    .sum_i           (tag_zero ? {SumWidth{1'b0}} : word_sum),
    .first_i         (tag_first),
    .last_i          (tag_last),
    .hi_plane_i      (tag_hi),
    .segment_i       (tag_segment),
    .fresh_i         (tag_fresh),
    .index_i         (tag_index),
    .gate_i          (tag_gate),
    .unit_i          (tag_unit),
    .complete_i      (tag_complete),
    .complete_data_i (tag_data),
    .scale_read_o    (scale_read),
    .scale_address_o (scale_address),
    .scale_i         (scale),
    .write_o         (sum_write_o),
    .complete_o      (complete_o),
    .complete_index_o(complete_index_o),
    .complete_data_o (complete_data_o),
    .read_index_i    (sum_index_i),
    .read_gate_i     (sum_gate_i),
    .read_sum_o      (sum_o)
  );
endmodule

`default_nettype wire
