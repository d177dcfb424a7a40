// SPDX-License-Identifier: MIT
// x stream to the activation memories: takes the packet of step t, up to two steps ahead of layer 0, and writes it to bank t mod 2.
//
// In the dynamic build the first beat of a packet holds the exponents of its groups of 64 values, a nibble each, which go out beside the values.
// A beat is written in granules of min(16, DotLanes) bytes, one a cycle; with DotLanes >= 16 a beat comes in every cycle. A packet of the
// wrong length halts the stream until clear_i: its step is not announced. clear_i also discards the rest of a packet that has begun.
// x_loaded_o pulses when the last granule of a step is in the memories, two cycles after it left here and was no longer held.
`include "formats.vh"
`default_nettype none

module input_stream #(
  parameter DynamicPrecision = 1,
  parameter DotLanes        = 64,
  parameter ActivationDepth = 128,
  parameter OffsetWidth     = `OFFSET_WIDTH(ActivationDepth), // this and below: derived, not to be set
  parameter GranuleBytes    = `GRANULE_BYTES(DotLanes)
) (
  input  wire                      clk_i,
  input  wire                      rst_ni,
  input  wire                      clear_i,
  input  wire [`BEAT]              s_x_tdata_i,
  input  wire                      s_x_tvalid_i,
  output wire                      s_x_tready_o,
  input  wire                      s_x_tlast_i,
  input  wire                      s_x_tuser_i,
  output wire                      x_valid_o,               // to the activation bus
  input  wire                      x_ready_i,
  input  wire                      x_held_i,                // the granule that left last waits behind x_ready_i, which is low
  output wire [OffsetWidth:0]      x_address_o,
  output wire [`GRANULE]           x_granule_o,
  output wire [8*GranuleBytes-1:0] x_data_o,
  output wire [`NIBBLE]            x_exponent_o,
  input  wire                      start_i,                 // a run of sequences_i sequences
  input  wire [31:0]               sequences_i,
  input  wire                      stateful_i,
  input  wire [`WORDS]             x_words_i,
  input  wire                      x_terms_i,
  input  wire [OffsetWidth-1:0]    x_address_i,
  input  wire                      first_layer_done_i,      // layer 0 of one more step is complete
  input  wire                      step_done_i,             // one more step is complete
  output wire                      x_loaded_o,
  output wire [`STEP_FLAGS]        step_first_o,            // bit t mod 4: step t starts from zero state
  output wire [`STEP_FLAGS]        step_last_o,             // bit t mod 4: step t is the last of its sequence
  output wire                      bank_o,                  // of the next step
  output wire                      finished_o,              // all sequences came in, and their steps are complete
  output wire                      halted_o,
  output wire                      short_error_o,           // pulses
  output wire                      long_error_o
);
  localparam       Slices       = `BEAT_WIDTH / 8 / GranuleBytes;        // granules of a beat
  localparam       SliceWidth   = $clog2(Slices) + 1;
  localparam       WordGranules = DotLanes / GranuleBytes;  // granules of a word
  localparam       GranuleBits  = $clog2(WordGranules);
  localparam       AddressWidth = OffsetWidth + 2;          // of a granule: {offset, granule of the word}, spare bits on top
  localparam [31:0] BeatGranules = Slices, GranuleMask = WordGranules - 1;

  // Packets as they come in.
  reg         in_packet_q, discard_q, active_q, halted_q, first_q;
  reg  [`STEP] step_q;
  reg  [1:0]  ahead_q, in_flight_q;                         // ahead_q: steps whose layer 0 is not complete; in_flight_q: not complete at all
  reg  [`STEP_FLAGS] step_first_q, step_last_q;
  reg  [31:0] sequences_q;
  reg  [`WORDS_WIDTH:0] left_q;                                       // granules of the packet still to come

  // The granule that goes to the bus next, and those after it in its beat.
  reg                    valid_q, closing_q, written_q, loaded_q, bank_q;
  reg [`BEAT]            beat_q;
  reg [SliceWidth-1:0]   slices_q;
  reg [AddressWidth-1:0] address_q;

  wire [`WORDS_WIDTH:0] x_words  = x_terms_i ? {x_words_i, 1'b0} : {1'b0, x_words_i};
  wire [`WORDS_WIDTH:0] left     = in_packet_q ? left_q : x_words << GranuleBits;
  wire        header     = DynamicPrecision != 0 & ~in_packet_q; // the beat of the exponents
  wire        closing    = ~header & left <= BeatGranules[`WORDS_WIDTH:0];
  wire [SliceWidth-1:0] slices   = closing ? left[SliceWidth-1:0] : BeatGranules[SliceWidth-1:0];

  wire        sent     = valid_q & x_ready_i;
  wire        free     = ~valid_q | (sent & slices_q == 1);
  wire        accept   = s_x_tvalid_i & s_x_tready_o;
  wire        take     = accept & ~discard_q;
  wire        good     = take & ~header & closing == s_x_tlast_i;
  wire        complete = take & closing & s_x_tlast_i;
  wire        open     = accept ? ~s_x_tlast_i : in_packet_q;
  wire        finish   = complete & s_x_tuser_i & sequences_q == 1;

  assign s_x_tready_o  = discard_q | (active_q & free & (in_packet_q | ~ahead_q[1]));
  assign short_error_o = take & s_x_tlast_i & ~closing & ~clear_i;
  assign long_error_o  = take & ~s_x_tlast_i & closing & ~clear_i;
  assign halted_o      = halted_q;
  assign finished_o    = ~active_q & ~halted_q & in_flight_q == 0;
  assign step_first_o  = step_first_q;
  assign step_last_o   = step_last_q;
  assign bank_o        = step_q[0];

  always @(posedge clk_i)
    if (!rst_ni) begin
      in_packet_q <= 1'b0;
      discard_q   <= 1'b0;
    end else begin
      in_packet_q <= open;
      discard_q   <= open & (clear_i | discard_q | long_error_o);
    end

  always @(posedge clk_i)
    if (!rst_ni || clear_i) begin
      active_q     <= 1'b0;
      halted_q     <= 1'b0;
      step_q       <= 0;
      ahead_q      <= 2'd0;
      in_flight_q  <= 2'd0;
      step_first_q <= 0;
      step_last_q  <= 0;
    end else begin
      if (start_i) active_q <= 1'b1;
      else if (finish | short_error_o | long_error_o) active_q <= 1'b0;
      if (short_error_o | long_error_o) halted_q <= 1'b1;
      step_q      <= step_q + {1'b0, complete};
      ahead_q     <= ahead_q + {1'b0, complete} - {1'b0, first_layer_done_i};
      in_flight_q <= in_flight_q + {1'b0, complete} - {1'b0, step_done_i};
      if (complete) begin
        step_first_q[step_q] <= first_q & ~stateful_i;
        step_last_q[step_q]  <= s_x_tuser_i;
      end
    end

  always @(posedge clk_i) begin
    if (start_i) begin
      sequences_q <= sequences_i;
      first_q     <= 1'b1;
    end
    if (take) left_q <= header ? left : left - {{`WORDS_WIDTH+1-SliceWidth{1'b0}}, slices};
    if (complete) begin
      first_q     <= s_x_tuser_i;
      sequences_q <= sequences_q - {31'b0, s_x_tuser_i};
    end
  end

  // Granules as they go out.
  wire [1:0]             unused_high;
  wire [OffsetWidth-1:0] offset;
  assign {unused_high, offset} = address_q >> GranuleBits;

  assign x_valid_o   = valid_q;
  assign x_address_o = {bank_q, offset};
  assign x_granule_o = address_q[`GRANULE] & GranuleMask[`GRANULE];
  assign x_data_o    = beat_q[8*GranuleBytes-1:0];
  assign x_loaded_o  = loaded_q;

  always @(posedge clk_i) begin
    if (sent) begin
      beat_q    <= beat_q >> (8 * (GranuleBytes % (`BEAT_WIDTH / 8)));
      slices_q  <= slices_q - 1'b1;
      address_q <= address_q + 1'b1;
    end
    if (good) begin
      beat_q   <= s_x_tdata_i;
      slices_q <= slices;
      closing_q <= closing;
    end
    if (take && !in_packet_q) begin
      address_q <= {2'b0, x_address_i} << GranuleBits;
      bank_q    <= step_q[0];
    end
  end

  // The exponent of the granule at the output is in the low bits; the next one follows after the last granule of a group, or of a term.
  generate
    if (DynamicPrecision != 0) begin : gen_exponents
      localparam [31:0] GroupGranules = `EXPONENT_GROUP / GranuleBytes;
      reg [`BEAT]          exponents_q;
      reg [3:0]            group_left_q;
      reg [`WORDS_WIDTH:0] term_left_q;
      wire [`WORDS_WIDTH:0] term = {1'b0, x_words_i} << GranuleBits;
      wire term_end = term_left_q == 1, group_end = group_left_q == 1 || term_end;

      assign x_exponent_o = exponents_q[`NIBBLE];

      always @(posedge clk_i)
        if (take && header) begin
          exponents_q  <= s_x_tdata_i;
          group_left_q <= GroupGranules[3:0];
          term_left_q  <= term;
        end else if (sent) begin
          if (group_end) exponents_q <= exponents_q >> `NIBBLE_WIDTH;
          group_left_q <= group_end ? GroupGranules[3:0] : group_left_q - 1'b1;
          term_left_q  <= term_end ? term : term_left_q - 1'b1;
        end
    end else begin : gen_no_exponents
      assign x_exponent_o = 0;
    end
  endgenerate

  always @(posedge clk_i)
    if (!rst_ni || clear_i) begin
      valid_q   <= 1'b0;
      written_q <= 1'b0;
      loaded_q  <= 1'b0;
    end else begin
      valid_q   <= good | ~free;
      written_q <= sent & slices_q == 1 & closing_q | written_q & x_held_i;
      loaded_q  <= written_q & ~x_held_i;
    end
endmodule

`default_nettype wire
