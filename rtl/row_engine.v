// SPDX-License-Identifier: MIT
// From addresses to row sums: memories and operands, dot product, row sums. P += m_k * Σ weight * activation. Wiring only.
//
// A word's addresses in, its contribution to the row sum 8 cycles later. Loads write the same memories while the tile is idle.
`include "formats.vh"
`default_nettype none

module row_engine #(
  parameter DynamicPrecision = 1,
  parameter DotLanes         = 64,
  parameter InFlight         = 8,
  parameter WeightDepth      = 8192,
  parameter UnitDepth        = 512,
  parameter ActivationDepth  = 128,
  parameter OperandBits      = `OPERAND_BITS(DynamicPrecision),            // this and below: derived, not to be set
  parameter IndexWidth       = `INDEX_WIDTH(InFlight),
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
  input  wire [`NIBBLE]                   act_exponent_i,
  // words of a row pass
  input  wire                             valid_i,
  input  wire [`QUARTERS]                 reads_i,
  input  wire [`QUARTER]                  quarter_i,
  input  wire                             own_exponent_i,
  input  wire [WeightWidth-1:0]           weight_address_i,
  input  wire [OffsetWidth:0]             activation_address_i,
  /* verilator lint_off UNUSEDSIGNAL */   // the baseline build has no levels
  input  wire [`WORD_TAG]                 tag_i,
  /* verilator lint_on UNUSEDSIGNAL */
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
  localparam SumWidth       = `WORD_SUM_WIDTH(OperandBits, DotLanes);
  localparam OperandLatency = 2, DotLatency = 2;

  wire [DotLanes*OperandBits-1:0] weights, activations;
  wire [`SHIFT]                   operand_shift, shift;
  operands #(.DynamicPrecision(DynamicPrecision), .DotLanes(DotLanes), .WeightDepth(WeightDepth), .ActivationDepth(ActivationDepth)) u_operands (
    .clk_i               (clk_i),
    .load_hi_i           (load_hi_i),
    .load_lo_i           (load_lo_i),
    .load_address_i      (load_address_i[WeightWidth-1:0]),
    .load_data_i         (load_data_i[DotLanes*OperandBits-1:0]),
    .act_we_i            (act_we_i),
    .act_address_i       (act_address_i),
    .act_be_i            (act_be_i),
    .act_data_i          (act_data_i),
    .act_exponent_i      (act_exponent_i),
    .reads_i             (reads_i),
    .quarter_i           (quarter_i),
    .own_exponent_i      (own_exponent_i),
    .weight_address_i    (weight_address_i),
    .activation_address_i(activation_address_i),
    .weights_o           (weights),
    .activations_o       (activations),
    .shift_o             (operand_shift),
    .read_enable_i       (read_enable_i),
    .read_address_i      (read_address_i),
    .read_data_o         (read_data_o)
  );

  wire signed [SumWidth-1:0] word_sum;
  dot_product #(.Lanes(DotLanes), .OperandBits(OperandBits)) u_dot_product (
    .clk_i        (clk_i),
    .weights_i    (weights),
    .activations_i(activations),
    .sum_o        (word_sum)
  );

  // The tag of a word comes a cycle before its sum, the shift beside it.
  localparam TagLatency = OperandLatency + DotLatency - 1;
  localparam TagWidth = `WORD_TAG_WIDTH - (DynamicPrecision != 0 ? 0 : `COMPLETE_WIDTH);
  wire [`WORD_TAG] tag;
  delay #(.Width(TagWidth), .Cycles(TagLatency)) u_tag (.clk_i(clk_i), .data_i(tag_i[TagWidth-1:0]), .data_o(tag[TagWidth-1:0]));
  generate
    if (DynamicPrecision == 0) begin : gen_baseline
      assign tag[`WORD_TAG_WIDTH-1:TagWidth] = 0;
    end
  endgenerate
  delay #(.Width(`SHIFT_WIDTH), .Cycles(DotLatency)) u_shift (.clk_i(clk_i), .data_i(operand_shift), .data_o(shift));

  // Unlike the tag, reset: the words of an aborted run must not complete a row of the next.
  reg [TagLatency-1:0] valid_q;
  always @(posedge clk_i)
    if (!rst_ni || clear_i) valid_q <= 0;
    else valid_q <= {valid_q[TagLatency-2:0], valid_i};

  wire           scale_read;
  wire [`ROW]    scale_address;
  wire [`SCALES] scale;
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

  row_sums #(.DynamicPrecision(DynamicPrecision), .InFlight(InFlight), .InputWidth(SumWidth), .UnitWidth(UnitWidth)) u_row_sums (
    .clk_i           (clk_i),
    .rst_ni          (rst_ni),
    .clear_i         (clear_i),
    .valid_i         (valid_q[TagLatency-1]),
    .sum_i           (word_sum),
    .shift_i         (shift),
    .tag_i           (tag),
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
