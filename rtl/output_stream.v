// SPDX-License-Identifier: MIT
// Elements of committed units, gathered in two banks (even and odd steps) and sent as one packet a step. Two instances: the h of the last
// layer (a byte a unit), and the decision trace (the levels of a unit in a byte, all layers).
//
// A packet holds, for each layer from first_layer_i to last_layer_i, its units from position 0 in beats of 128 bits; bits beyond are 0.
// done_i tells that the step in bank done_bank_i is complete; freed_o that its packet has been taken and the bank may be written again.
// While clear_i is high no packet begins, those not begun are dropped, and one that has begun is finished.
// Rate: a beat a cycle within a packet. Latency: first beat two cycles after done_i.
`include "formats.vh"
`default_nettype none

module output_stream #(
  parameter ElementBits = 8,
  parameter Layers      = 1,                                  // in a packet: 1, or the most
  parameter BeatUnits   = `BEAT_WIDTH / ElementBits                   // derived, not to be set
) (
  input  wire                   clk_i,
  input  wire                   rst_ni,
  input  wire                   clear_i,
  input  wire                   commit_valid_i,
  input  wire                   commit_bank_i,
  input  wire [`LAYER]          commit_layer_i,
  input  wire [`POSITION]       commit_position_i,
  input  wire [ElementBits-1:0] commit_element_i,
  input  wire                   pair_valid_i,                 // a second unit of the same beat
  /* verilator lint_off UNUSEDSIGNAL */                       // its beat is that of the first
  input  wire [`POSITION]       pair_position_i,
  /* verilator lint_on UNUSEDSIGNAL */
  input  wire [ElementBits-1:0] pair_element_i,
  output wire [`BEAT]           m_tdata_o,
  output wire                   m_tvalid_o,
  input  wire                   m_tready_i,
  output wire                   m_tlast_o,
  output wire                   m_tuser_o,                    // on the last beat: the step was the last of its sequence
  input  wire [`LAYER]          first_layer_i,
  input  wire [`LAYER]          last_layer_i,
  output wire [`LAYER]          layer_o,                      // of the next beat
  input  wire [`UNITS]          units_i,                      // of layer_o
  input  wire                   done_i,
  input  wire                   done_bank_i,
  input  wire                   done_last_i,
  output wire                   freed_o,
  output wire                   idle_o                        // nothing to send
);
  localparam UnitBits     = $clog2(BeatUnits);
  localparam BeatBits     = `POSITION_WIDTH - UnitBits;
  localparam AddressWidth = (Layers == 1 ? 1 : 1 + `LAYER_WIDTH) + BeatBits;

  reg  [1:0]          pending_q, last_step_q;                 // packets not yet taken; a bit a bank: last step of a sequence
  reg                 bank_q, valid_q, last_q, freed_q;
  reg  [`LAYER]       layer_q;
  reg  [BeatBits-1:0] beat_q;
  reg  [UnitBits-1:0] tail_q;                                 // units in the beat at the output, 0: all

  wire                more    = valid_q ? ~last_q : pending_q != 0 & ~clear_i;
  wire                fetch   = more & (~valid_q | m_tready_i);
  wire                taken   = valid_q & m_tready_i & last_q;

  wire [`LAYER]       layer   = valid_q ? layer_q : first_layer_i;
  wire [BeatBits-1:0] beat    = valid_q ? beat_q : {BeatBits{1'b0}};
  wire [`UNITS]       rest    = units_i - {1'b0, beat, {UnitBits{1'b0}}};
  wire                segment_end = {{32-`UNITS_WIDTH{1'b0}}, rest} <= BeatUnits;

  wire [AddressWidth-1:0] write_address, read_address;

  assign layer_o    = layer;
  assign freed_o    = freed_q;
  assign idle_o     = ~valid_q & pending_q == 0;
  assign m_tvalid_o = valid_q;
  assign m_tlast_o  = last_q;
  assign m_tuser_o  = last_q & last_step_q[bank_q];

  generate
    if (Layers == 1) begin : gen_one_layer
      wire unused_layer    = |commit_layer_i;
      assign write_address = {commit_bank_i, commit_position_i[`POSITION_WIDTH-1:UnitBits]};
      assign read_address  = {bank_q, beat};
    end else begin : gen_layers
      assign write_address = {commit_bank_i, commit_layer_i, commit_position_i[`POSITION_WIDTH-1:UnitBits]};
      assign read_address  = {bank_q, layer, beat};
    end
  endgenerate

  wire [BeatUnits-1:0] commit_enable = commit_valid_i ? {{BeatUnits-1{1'b0}}, 1'b1} << commit_position_i[UnitBits-1:0] : {BeatUnits{1'b0}};
  wire [BeatUnits-1:0] pair_enable   = pair_valid_i ? {{BeatUnits-1{1'b0}}, 1'b1} << pair_position_i[UnitBits-1:0] : {BeatUnits{1'b0}};
  reg  [`BEAT]         elements;
  integer unit;
  always @*
    for (unit = 0; unit < BeatUnits; unit = unit + 1)
      elements[ElementBits*unit +: ElementBits] = pair_enable[unit] ? pair_element_i : commit_element_i;

  wire [`BEAT] word;
  ram #(.Width(`BEAT_WIDTH), .Depth(2 * Layers * `MAX_UNITS / BeatUnits), .WriteWidth(ElementBits)) u_banks (
    .clk_i           (clk_i),
    .write_enable_i  (commit_enable | pair_enable),
    .write_address_i (write_address),
    .write_data_i    (elements),
    .read_enable_i   (fetch),
    .read_address_i  (read_address),
    .read_data_o     (word)
  );

  assign m_tdata_o = tail_q == 0 ? word : word & ~({`BEAT_WIDTH{1'b1}} << (ElementBits * tail_q));

  always @(posedge clk_i)
    if (fetch) begin
      beat_q  <= segment_end ? {BeatBits{1'b0}} : beat + 1'b1;
      layer_q <= layer + {{`LAYER_WIDTH-1{1'b0}}, segment_end};
      last_q  <= segment_end & layer == last_layer_i;
      tail_q  <= segment_end ? units_i[UnitBits-1:0] : {UnitBits{1'b0}};
    end

  always @(posedge clk_i)
    if (!rst_ni) begin
      valid_q   <= 1'b0;
      pending_q <= 2'd0;
      freed_q   <= 1'b0;
    end else begin
      valid_q <= fetch | (valid_q & ~taken);
      freed_q <= taken & ~clear_i;
      if (clear_i) pending_q <= 2'd0;
      else pending_q <= pending_q + {1'b0, done_i} - {1'b0, taken};
    end

  always @(posedge clk_i) begin
    if (done_i) last_step_q[done_bank_i] <= done_last_i;
    if (done_i && pending_q == 0) bank_q <= done_bank_i;
    else if (taken) bank_q <= ~bank_q;
  end
endmodule

`default_nettype wire
