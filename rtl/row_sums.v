// Row sums of the units in flight: P += m_k * acc_k (times 16 for the hi plane of the dynamic build), acc_k = Σ_word sum.
//
// Dot-product sums in (signed SumWidth, with the tag of their word), exact row sums of 44 bits kept in InFlight*4 words. A segment may be one
// word long; a segment's row sum is written 3 cycles after its last word's sum. complete_o marks that all rows of a row pass's unit are in.
`default_nettype none

module row_sums #(
  parameter InFlight    = 8,
  parameter InputWidth  = 18,
  parameter UnitWidth   = 9,
  parameter WeightBits  = 4,
  parameter HiShift     = 4,
  parameter IndexWidth  = $clog2(InFlight) // derived, not to be set
) (
  input  wire                         clk_i,
  input  wire                         rst_ni,
  input  wire                         clear_i,
  input  wire                         valid_i,
  input  wire signed [InputWidth-1:0] sum_i,
  input  wire                         first_i,    // of the segment
  input  wire                         last_i,     // of the segment
  input  wire                         hi_plane_i,
  input  wire        [1:0]            segment_i,  // 0 x0, 1 x1, 2 h: which m
  input  wire                         fresh_i,    // the row sum starts from zero
  input  wire        [IndexWidth-1:0] index_i,
  input  wire        [1:0]            gate_i,
  input  wire        [UnitWidth-1:0]  unit_i,
  input  wire                         complete_i,
  input  wire        [4:0]            complete_data_i,
  output wire                         scale_read_o,
  output wire        [UnitWidth+1:0]  scale_address_o,
  input  wire        [47:0]           scale_i,
  output wire                         write_o,
  output wire                         complete_o,
  output wire        [IndexWidth-1:0] complete_index_o,
  output wire        [4:0]            complete_data_o,
  input  wire        [IndexWidth-1:0] read_index_i,
  input  wire        [1:0]            read_gate_i,
  output wire signed [43:0]           read_sum_o
);
  localparam AccumulatorWidth = WeightBits + 17; // 1024 products
  localparam TagWidth         = IndexWidth + 10;

  reg signed [AccumulatorWidth-1:0] accumulator_q;
  reg signed [AccumulatorWidth+16:0] product_q;
  reg                 scaled_valid_q, product_valid_q;
  reg [1:0]           segment_q;
  reg [TagWidth-1:0]  tag_q, product_tag_q;

  wire [TagWidth-1:0] tag = {index_i, gate_i, hi_plane_i, fresh_i, complete_i, complete_data_i};

  assign scale_read_o    = valid_i && last_i;
  assign scale_address_o = {unit_i, gate_i};

  wire [15:0] mantissa = segment_q[1] ? scale_i[47:32] : segment_q[0] ? scale_i[31:16] : scale_i[15:0];

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
  wire [1:0]            gate;
  wire                  hi_plane, fresh, complete;
  wire [4:0]            complete_data;
  assign {index, gate, hi_plane, fresh, complete, complete_data} = product_tag_q;

  wire signed [43:0] old_sum;
  wire signed [43:0] product = {{(27-AccumulatorWidth){product_q[AccumulatorWidth+16]}}, product_q};
  wire signed [43:0] sum     = (fresh ? 44'sd0 : old_sum) + (hi_plane ? product <<< HiShift : product);

  register_file #(.Width(44), .Depth(4*InFlight), .Reads(2)) u_sums (
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
