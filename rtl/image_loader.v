// SPDX-License-Identifier: MIT
// Image stream to loads: packets of a header and of words in beats of 128 bits (docs/registers.md), to one load bus.
//
//   Header --(good, words to come)--> Payload --(last beat)--> Header
//     +------(refused)-------------> Discard --(last beat)--> Header
//
// load_valid_o holds a bit a tile for the memories of tiles; words of activations go to all tiles by another way, at activation_valid_o.
// Rate: a beat a cycle, but none in two cycles after the last beat of a descriptor, in which it is checked. Latency: a word is on the bus one cycle after its
// last beat, a descriptor three, for one cycle; nothing holds it up.
`include "formats.vh"
`default_nettype none

module image_loader #(
  parameter Tiles            = 4,
  parameter DotLanes         = 64,
  parameter DynamicPrecision = 1,
  parameter WeightDepth      = 8192,
  parameter UnitDepth        = 512,
  parameter ActivationDepth  = 128,
  parameter LoadWidth        = `LOAD_WIDTH(DotLanes)  // derived, not to be set
) (
  input  wire                 clk_i,
  input  wire                 rst_ni,
  input  wire                 clear_i,            // discards the rest of a packet
  input  wire [`BEAT]         s_image_tdata_i,
  input  wire                 s_image_tvalid_i,
  output wire                 s_image_tready_o,
  input  wire                 s_image_tlast_i,
  output wire [Tiles-1:0]     load_valid_o,
  output wire                 activation_valid_o,
  output wire [`LOAD_TARGET]  load_target_o,
  output wire [`LOAD_ADDRESS] load_address_o,
  output wire [LoadWidth-1:0] load_data_o,
  input  wire                 closed_i,           // a run is under way, or starts in this cycle: no packet may begin
  output wire                 loading_o,          // inside a packet, or its last word is being written
  output reg                  busy_error_o,       // pulses
  output reg                  target_error_o,
  output reg                  length_error_o,
  output wire                 descriptor_error_o
);
  localparam [1:0] Header = 2'd0, Payload = 2'd1, Discard = 2'd2;
  localparam        OperandBits     = `OPERAND_BITS(DynamicPrecision);
  localparam [31:0] WeightBeats     = `BEATS(DotLanes * OperandBits);
  localparam [31:0] ActivationBeats = `BEATS(DotLanes * `H_WIDTH);
  localparam [31:0] DescriptorBeats = `BEATS(`DESCRIPTOR_WIDTH);

  // Header fields.
  wire [`LOAD_TARGET] target  = s_image_tdata_i[`HEADER_TARGET];
  wire [31:0]         tile    = `HEADER_TILE_VALUE(s_image_tdata_i);
  wire [31:0]         address = `HEADER_ADDRESS_VALUE(s_image_tdata_i);
  wire [31:0]         words   = `HEADER_WORDS_VALUE(s_image_tdata_i);

  reg [31:0] depth;                               // 0: no such target in this build
  always @*
    case (target)
      `TARGET_WEIGHTS_HI:                    depth = WeightDepth;
      `TARGET_WEIGHTS_LO:                    depth = DynamicPrecision != 0 ? WeightDepth : 0;
      `TARGET_SCALES, `TARGET_ROW_CONSTANTS: depth = 4 * UnitDepth;
      `TARGET_CELL:                          depth = UnitDepth;
      `TARGET_ACTIVATIONS:                   depth = 2 * ActivationDepth;
      `TARGET_DESCRIPTORS:                   depth = `MAX_LAYERS;
      default:                               depth = 0;
    endcase

  wire all_tiles   = tile == `ALL_TILES;
  wire header_good = depth != 0 && {1'b0, address} + {1'b0, words} <= {1'b0, depth} && (all_tiles || tile < Tiles)
                     && `HEADER_IN_RANGE(s_image_tdata_i);

  reg [1:0]           state_q, state_d;
  reg [`LOAD_TARGET]  target_q, word_target_q;
  reg [Tiles-1:0]     tiles_q, word_tiles_q;
  reg [`LOAD_ADDRESS] address_q, word_address_q;
  reg [31:0]          words_q;                    // still to come
  reg [2:0]           beat_q;                     // of the current word
  reg                 word_valid_q, check_q, checked_q, good_q;  // check_q: second cycle of a check; checked_q: good_q tells of the descriptor
  reg [LoadWidth-1:0] word_q;

  wire [2:0] beats     = target_q == `TARGET_WEIGHTS_HI || target_q == `TARGET_WEIGHTS_LO ? WeightBeats[2:0]
                       : target_q == `TARGET_ACTIVATIONS ? ActivationBeats[2:0] : target_q == `TARGET_DESCRIPTORS ? DescriptorBeats[2:0] : 3'd1;
  wire       accept    = s_image_tvalid_i & s_image_tready_o;
  wire       last      = s_image_tlast_i;
  wire       word_done = state_q == Payload & accept & beat_q + 3'd1 == beats;
  wire       complete  = word_done & words_q == 1;

  wire is_descriptor = word_target_q == `TARGET_DESCRIPTORS;
  wire is_activation = word_target_q == `TARGET_ACTIVATIONS;
  wire check         = word_valid_q & is_descriptor;

  assign s_image_tready_o = (state_q != Header | ~clear_i) & ~check & ~check_q;
  assign loading_o        = state_q != Header | word_valid_q | check_q | checked_q;

  always @* begin
    state_d        = state_q;
    busy_error_o   = 1'b0;
    target_error_o = 1'b0;
    length_error_o = 1'b0;
    if (accept)
      case (state_q)
        Header: begin
          busy_error_o   = closed_i;
          target_error_o = ~closed_i & ~header_good;
          length_error_o = ~closed_i & header_good & last != (words == 0);
          if (!last) state_d = closed_i | ~header_good | words == 0 ? Discard : Payload;
        end
        Payload: begin
          length_error_o = ~clear_i & last != complete;
          if (last) state_d = Header;
          else if (complete) state_d = Discard;
        end
        default:
          if (last) state_d = Header;
      endcase
    if (clear_i && state_d == Payload) state_d = Discard;
  end

  always @(posedge clk_i)
    if (accept && state_q == Header) begin
      target_q  <= target;
      tiles_q   <= all_tiles ? {Tiles{1'b1}} : {{Tiles-1{1'b0}}, 1'b1} << s_image_tdata_i[`HEADER_TILE];
      address_q <= s_image_tdata_i[`HEADER_ADDRESS];
      words_q   <= words;
      beat_q    <= 0;
    end else if (accept) begin
      beat_q <= word_done ? 3'd0 : beat_q + 3'd1;
      if (word_done) begin
        address_q <= address_q + 1'b1;
        words_q   <= words_q - 1;
      end
    end

  always @(posedge clk_i) begin
    if (accept && state_q == Payload)
      word_q[`BEAT_WIDTH*beat_q +: `BEAT_WIDTH] <= s_image_tdata_i;
    if (word_done) begin
      word_target_q  <= target_q;
      word_tiles_q   <= tiles_q;
      word_address_q <= address_q;
    end
  end

  always @(posedge clk_i)
    if (!rst_ni) begin
      state_q      <= Header;
      word_valid_q <= 1'b0;
      check_q      <= 1'b0;
      checked_q    <= 1'b0;
    end else begin
      state_q      <= state_d;
      word_valid_q <= word_done;
      check_q      <= check;
      checked_q    <= check_q;
    end

  wire descriptor_good;
  always @(posedge clk_i)
    good_q <= descriptor_good;

  descriptor_check #(
    .Tiles(Tiles), .DotLanes(DotLanes), .WeightDepth(WeightDepth), .UnitDepth(UnitDepth), .ActivationDepth(ActivationDepth)
  ) u_descriptor_check (
    .clk_i        (clk_i),
    .sizes_i      (word_done & target_q == `TARGET_DESCRIPTORS),
    .check_i      (check),
    .descriptor_i (word_q[`DESCRIPTOR]),
    .layer_i      (word_address_q[`LAYER]),
    .tiles_i      (tiles_q),
    .good_o       (descriptor_good)
  );

  assign load_valid_o       = is_descriptor ? (checked_q & good_q ? word_tiles_q : {Tiles{1'b0}})
                            : word_valid_q & ~is_activation ? word_tiles_q : {Tiles{1'b0}};
  assign activation_valid_o = word_valid_q & is_activation;
  assign load_target_o      = word_target_q;
  assign load_address_o     = word_address_q;
  assign load_data_o        = word_q;
  assign descriptor_error_o = checked_q & ~good_q;
endmodule

`default_nettype wire
