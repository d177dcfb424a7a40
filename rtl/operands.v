// SPDX-License-Identifier: MIT
// The memories of weights and activations of a tile, and the operands of its dot product: the halves of which a quarter is made.
//
// Weights lie in two memories of upper and lower halves, activations likewise; beside the upper halves of a word of activations lies its exponent e.
// A memory is read only where a word's quarter needs what it does not hold yet, and holds its word until then. The baseline build has one memory of
// 8-bit weights and one of 8-bit activations.
// A word's addresses in; weights, activations and the shift of their product out, registered, 2 cycles later:
// shift = (upper weights ? 4 : 0) + (upper activations ? e : 0).
`include "formats.vh"
`default_nettype none

module operands #(
  parameter DynamicPrecision = 1,
  parameter DotLanes         = 64,
  parameter WeightDepth      = 8192,
  parameter ActivationDepth  = 128,
  parameter OperandBits      = `OPERAND_BITS(DynamicPrecision),       // this and below: derived, not to be set
  parameter WeightWidth      = `WEIGHT_WIDTH(WeightDepth),
  parameter OffsetWidth      = `OFFSET_WIDTH(ActivationDepth)
) (
  input  wire                            clk_i,
  // memory loading
  input  wire                            load_hi_i,
  input  wire                            load_lo_i,
  input  wire [WeightWidth-1:0]          load_address_i,
  input  wire [DotLanes*OperandBits-1:0] load_data_i,
  input  wire                            act_we_i,
  input  wire [OffsetWidth:0]            act_address_i,
  input  wire [DotLanes-1:0]             act_be_i,
  input  wire [8*DotLanes-1:0]           act_data_i,
  input  wire [`NIBBLE]                  act_exponent_i,
  // a word of a row pass
  input  wire [`QUARTERS]                reads_i,         // memories to read: weights upper, lower; activations upper, lower
  input  wire [`QUARTER]                 quarter_i,
  input  wire                            own_exponent_i,  // the word's exponent is the one that lies beside it, else 4
  input  wire [WeightWidth-1:0]          weight_address_i,
  input  wire [OffsetWidth:0]            activation_address_i,
  output reg  [DotLanes*OperandBits-1:0] weights_o,
  output reg  [DotLanes*OperandBits-1:0] activations_o,
  output reg  [`SHIFT]                   shift_o,
  // state read-back
  input  wire                            read_enable_i,
  input  wire [OffsetWidth:0]            read_address_i,
  output wire [8*DotLanes-1:0]           read_data_o
);
  wire read_weights_hi = reads_i[0], read_weights_lo = reads_i[1], read_activations_hi = reads_i[2], read_activations_lo = reads_i[3];

  wire [OffsetWidth:0]            activation_address = read_enable_i ? read_address_i : activation_address_i;
  wire [DotLanes*OperandBits-1:0] weights_hi;

  ram #(.Width(DotLanes*OperandBits), .Depth(WeightDepth)) u_weights_hi (
    .clk_i          (clk_i),
    .write_enable_i (load_hi_i),
    .write_address_i(load_address_i),
    .write_data_i   (load_data_i),
    .read_enable_i  (read_weights_hi),
    .read_address_i (weight_address_i),
    .read_data_o    (weights_hi)
  );

  generate
    if (DynamicPrecision != 0) begin : gen_quarters
      wire [DotLanes*OperandBits-1:0] weights_lo;

      ram #(.Width(DotLanes*OperandBits), .Depth(WeightDepth)) u_weights_lo (
        .clk_i          (clk_i),
        .write_enable_i (load_lo_i),
        .write_address_i(load_address_i),
        .write_data_i   (load_data_i),
        .read_enable_i  (read_weights_lo),
        .read_address_i (weight_address_i),
        .read_data_o    (weights_lo)
      );

      // Bytes of the bus to halves, and back for a read.
      wire [4*DotLanes-1:0] write_hi, write_lo, activations_hi, activations_lo;
      wire [`NIBBLE]        exponent;
      genvar lane;
      for (lane = 0; lane < DotLanes; lane = lane + 1) begin : gen_lane
        assign {write_hi[4*lane +: 4], write_lo[4*lane +: 4]} = act_data_i[8*lane +: 8];
        assign read_data_o[8*lane +: 8] = {activations_hi[4*lane +: 4], activations_lo[4*lane +: 4]};
      end

      // The exponent is written along with any value: all of a word of x bring the same, and h has no use for it.
      ram #(.Width(4*(DotLanes+1)), .Depth(2*ActivationDepth), .WriteWidth(4)) u_activations_hi (
        .clk_i          (clk_i),
        .write_enable_i ({1'b1, act_be_i} & {DotLanes+1{act_we_i}}),
        .write_address_i(act_address_i),
        .write_data_i   ({act_exponent_i, write_hi}),
        .read_enable_i  (read_activations_hi || read_enable_i),
        .read_address_i (activation_address),
        .read_data_o    ({exponent, activations_hi})
      );
      ram #(.Width(4*DotLanes), .Depth(2*ActivationDepth), .WriteWidth(4)) u_activations_lo (
        .clk_i          (clk_i),
        .write_enable_i (act_be_i & {DotLanes{act_we_i}}),
        .write_address_i(act_address_i),
        .write_data_i   (write_lo),
        .read_enable_i  (read_activations_lo || read_enable_i),
        .read_address_i (activation_address),
        .read_data_o    (activations_lo)
      );

      reg weight_lo_q, activation_lo_q, own_exponent_q;
      always @(posedge clk_i) begin
        {weight_lo_q, activation_lo_q} <= quarter_i;
        own_exponent_q <= own_exponent_i;
        weights_o      <= weight_lo_q ? weights_lo : weights_hi;
        activations_o  <= activation_lo_q ? activations_lo : activations_hi;
        shift_o        <= (weight_lo_q ? 4'd0 : 4'd4) + (activation_lo_q ? 4'd0 : own_exponent_q ? exponent : 4'd4);
      end
    end else begin : gen_whole
      wire [8*DotLanes-1:0] activations;

      ram #(.Width(8*DotLanes), .Depth(2*ActivationDepth), .WriteWidth(8)) u_activations (
        .clk_i          (clk_i),
        .write_enable_i (act_be_i & {DotLanes{act_we_i}}),
        .write_address_i(act_address_i),
        .write_data_i   (act_data_i),
        .read_enable_i  (read_activations_hi || read_enable_i),
        .read_address_i (activation_address),
        .read_data_o    (activations)
      );

      assign read_data_o = activations;

      /* verilator lint_off UNUSEDSIGNAL */  // the baseline build has no halves
      wire unused = &{load_lo_i, read_weights_lo, read_activations_lo, quarter_i, own_exponent_i, act_exponent_i};
      /* verilator lint_on UNUSEDSIGNAL */
      always @(posedge clk_i) begin
        weights_o     <= weights_hi;
        activations_o <= activations;
        shift_o       <= 0;
      end
    end
  endgenerate
endmodule

`default_nettype wire
