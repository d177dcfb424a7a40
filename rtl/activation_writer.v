// SPDX-License-Identifier: MIT
// The one write port of the activation memories, the same for every tile. By priority: a committed h (one byte, or two of a word), a loaded
// word, a granule of x. Commits and loads cannot wait; loads come only while no run is under way. A granule that finds the port taken is held, and the
// next one waits: x_ready_o is a register, so that no path leads from the commits of the tiles to the x stream. In the dynamic build a byte on the bus
// is two signed halves: h = 16 upper + lower is split here, x and loads come split.
// Latency: on the bus one cycle after the transfer, of a granule that was held after the first cycle in which the port is free; visible to a read one
// cycle later.
`include "formats.vh"
`default_nettype none

module activation_writer #(
  parameter DynamicPrecision = 1,
  parameter DotLanes         = 64,
  parameter ActivationDepth  = 128,
  parameter OffsetWidth     = `OFFSET_WIDTH(ActivationDepth),    // derived, not to be set
  parameter GranuleBytes    = `GRANULE_BYTES(DotLanes)           // derived, not to be set
) (
  input  wire                      clk_i,
  input  wire                      rst_ni,
  input  wire                      clear_i,            // drops a granule that is held

  input  wire                      commit_valid_i,
  input  wire                      commit_bank_i,
  input  wire [`POSITION]          commit_position_i,
  input  wire [`H]                 commit_h_i,
  input  wire                      pair_valid_i,       // a second h of the same word
  /* verilator lint_off UNUSEDSIGNAL */                // its word is that of the first
  input  wire [`POSITION]          pair_position_i,
  /* verilator lint_on UNUSEDSIGNAL */
  input  wire [`H]                 pair_h_i,
  input  wire [OffsetWidth-1:0]    h_address_i,        // of the layer of the commit

  input  wire                      load_valid_i,
  input  wire [OffsetWidth:0]      load_address_i,
  input  wire [8*DotLanes-1:0]     load_data_i,

  input  wire                      x_valid_i,
  output wire                      x_ready_o,
  output wire                      x_held_o,
  input  wire [OffsetWidth:0]      x_address_i,
  input  wire [`GRANULE]           x_granule_i,        // which granule of the word
  input  wire [8*GranuleBytes-1:0] x_data_i,
  input  wire [`NIBBLE]            x_exponent_i,

  output wire                      act_we_o,
  output wire                      act_pair_o,         // the write has two h
  output wire [OffsetWidth:0]      act_address_o,
  output wire [DotLanes-1:0]       act_be_o,
  output wire [8*DotLanes-1:0]     act_data_o,
  output wire [`NIBBLE]            act_exponent_o
);

  localparam LaneBits = $clog2(DotLanes);
  localparam [DotLanes-1:0] GranuleMask = {DotLanes{1'b1}} >> (DotLanes - GranuleBytes);

  reg                  act_we_q, act_pair_q;
  reg [OffsetWidth:0]  act_address_q;
  reg [DotLanes-1:0]   act_be_q;
  reg [8*DotLanes-1:0] act_data_q;
  reg [`NIBBLE]        act_exponent_q;

  assign act_we_o      = act_we_q;
  assign act_pair_o    = act_pair_q;
  assign act_address_o = act_address_q;
  assign act_be_o      = act_be_q;
  assign act_data_o     = act_data_q;
  assign act_exponent_o = act_exponent_q;

  // A granule of x, the one that is held before the one that comes.
  reg                      x_held_q;
  reg [OffsetWidth:0]      x_address_q;
  reg [`GRANULE]           x_granule_q;
  reg [8*GranuleBytes-1:0] x_data_q;
  reg [`NIBBLE]            x_exponent_q;

  wire                      x_there    = x_held_q | x_valid_i;
  wire [OffsetWidth:0]      x_address  = x_held_q ? x_address_q : x_address_i;
  wire [`GRANULE]           x_granule  = x_held_q ? x_granule_q : x_granule_i;
  wire [8*GranuleBytes-1:0] x_data     = x_held_q ? x_data_q : x_data_i;
  wire [`NIBBLE]            x_exponent = x_held_q ? x_exponent_q : x_exponent_i;

  assign x_ready_o = ~x_held_q;
  assign x_held_o  = x_held_q;

  always @(posedge clk_i) begin
    x_held_q <= rst_ni & ~clear_i & x_there & (commit_valid_i | load_valid_i);
    if (x_valid_i && !x_held_q) begin
      x_address_q  <= x_address_i;
      x_granule_q  <= x_granule_i;
      x_data_q     <= x_data_i;
      x_exponent_q <= x_exponent_i;
    end
  end

  // The word of a position; the memory holds every layer, so the sum fits OffsetWidth bits.
  wire [`POSITION]       unused_high;
  wire [OffsetWidth-1:0] commit_word;
  assign {unused_high, commit_word} = {{OffsetWidth{1'b0}}, commit_position_i} >> LaneBits;

  function [`H] halves(input [`H] h);
    halves = DynamicPrecision != 0 ? {h[7:4] + {3'd0, h[3]}, h[3:0]} : h;
  endfunction

  wire [DotLanes-1:0] commit_be = {{DotLanes-1{1'b0}}, 1'b1} << commit_position_i[LaneBits-1:0];
  wire [DotLanes-1:0] pair_be   = pair_valid_i ? {{DotLanes-1{1'b0}}, 1'b1} << pair_position_i[LaneBits-1:0] : {DotLanes{1'b0}};
  reg [8*DotLanes-1:0] commit_data;
  integer lane;
  always @*
    for (lane = 0; lane < DotLanes; lane = lane + 1)
      commit_data[8*lane +: 8] = pair_be[lane] ? halves(pair_h_i) : halves(commit_h_i);

  always @(posedge clk_i)
    if (commit_valid_i) begin
      act_address_q <= {commit_bank_i, h_address_i + commit_word};
      act_be_q      <= commit_be | pair_be;
      act_data_q    <= commit_data;
    end else if (load_valid_i) begin
      act_address_q <= load_address_i;
      act_be_q      <= {DotLanes{1'b1}};
      act_data_q    <= load_data_i;
    end else if (x_there) begin
      act_address_q <= x_address;
      act_be_q      <= GranuleMask << (GranuleBytes * x_granule);
      act_data_q    <= {DotLanes/GranuleBytes{x_data}};
    end

  always @(posedge clk_i)
    act_exponent_q <= x_exponent;

  always @(posedge clk_i) begin
    act_we_q   <= rst_ni & (commit_valid_i | load_valid_i | x_there);
    act_pair_q <= rst_ni & pair_valid_i;
  end

endmodule

`default_nettype wire
