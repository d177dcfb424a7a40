// SPDX-License-Identifier: MIT
// output_stream: one packet a step that is done, in order: of its bank, of the right length for any number of units, with the tuser of the step, and no bit
// beyond the last unit of a layer. A beat holds until it is taken; a packet has no gap; freed_o comes once a packet. During clear no packet begins, those that
// wait are forgotten, and one that has begun is finished.
//
// Assumed of the accelerator: at most two steps wait, of banks that alternate; clear stays until idle_o (run_control), and from its second cycle on
// no step is done (step_tracker is cleared). What a word holds is not looked at: the memory below answers with the address.
`include "formats.vh"
`default_nettype none

// In place of the memory of rtl/: a word has its address in the low bits, and anything above, until the next read.
module ram #(
  parameter Width        = 128,
  parameter Depth        = 256,
  parameter WriteWidth   = Width,
  parameter AddressWidth = Depth > 1 ? $clog2(Depth) : 1
) (
  input  wire                        clk_i,
  input  wire [Width/WriteWidth-1:0] write_enable_i,
  input  wire [AddressWidth-1:0]     write_address_i,
  input  wire [Width-1:0]            write_data_i,
  input  wire                        read_enable_i,
  input  wire [AddressWidth-1:0]     read_address_i,
  output reg  [Width-1:0]            read_data_o
);
  (* anyseq *) reg [Width-1:0] any;
  always @(posedge clk_i) if (read_enable_i) read_data_o <= {any[Width-1:AddressWidth], read_address_i};
endmodule

module output_stream_properties #(
  parameter Layers = 1
) (
  input wire clk_i,
  input wire rst_ni,
  input wire clear_i,
  input wire ready_i,
  input wire done_i,
  input wire done_bank_i,
  input wire done_last_i
);
  localparam BeatUnits = `BEAT_WIDTH / `H_WIDTH, UnitBits = $clog2(BeatUnits), BeatBits = `POSITION_WIDTH - UnitBits;

  (* anyconst *) reg [`LAYER]                 first_layer, last_layer;
  (* anyconst *) reg [`UNITS_WIDTH*Layers-1:0] all_units;

  wire             valid, last, user, freed, idle;
  wire [`BEAT]     data;
  wire [`LAYER]    layer;
  wire [`UNITS]    units = all_units[Layers == 1 ? 0 : `UNITS_WIDTH*layer +: `UNITS_WIDTH];
  output_stream #(.ElementBits(`H_WIDTH), .Layers(Layers)) dut (
    .clk_i(clk_i), .rst_ni(rst_ni), .clear_i(clear_i), .commit_valid_i(1'b0), .commit_bank_i(1'b0), .commit_layer_i({`LAYER_WIDTH{1'b0}}),
    .commit_position_i({`POSITION_WIDTH{1'b0}}), .commit_element_i({`H_WIDTH{1'b0}}), .pair_valid_i(1'b0), .pair_position_i({`POSITION_WIDTH{1'b0}}),
    .pair_element_i({`H_WIDTH{1'b0}}), .m_tdata_o(data), .m_tvalid_o(valid), .m_tready_i(ready_i), .m_tlast_o(last), .m_tuser_o(user),
    .first_layer_i(first_layer), .last_layer_i(last_layer), .layer_o(layer), .units_i(units), .done_i(done_i), .done_bank_i(done_bank_i),
    .done_last_i(done_last_i), .freed_o(freed), .idle_o(idle)
  );

  // Registers of the module itself, for what helps the solver.
  (* hierconn *) wire [BeatBits-1:0] \dut.beat_q ;
  (* hierconn *) wire [`LAYER]       \dut.layer_q ;
  (* hierconn *) wire [UnitBits-1:0] \dut.tail_q ;
  (* hierconn *) wire [1:0]          \dut.pending_q , \dut.last_step_q ;
  (* hierconn *) wire                \dut.bank_q ;
  (* hierconn *) wire [`BEAT]        \dut.word ;

  // Steps whose packet is not taken, the first of which may have begun: its bank (that of the second is the other), whether each is the last of its sequence.
  reg                begun_q = 1'b0, clear_q, idle_q, open_q, taken_q, bank_q, first_last_q, second_last_q;
  reg [1:0]          steps_q;
  // The beat at the port, and the one after it; the cycle before.
  reg [`LAYER]       layer_q, next_layer_q;
  reg [BeatBits-1:0] beat_q, next_beat_q;
  reg                layer_ends_q, held_q, last_q, user_q;
  reg [`BEAT]        data_q;

  // Beats of a layer: units / 16, rounded up.
  function [BeatBits:0] beats(input [`LAYER] number);
    beats = (all_units[Layers == 1 ? 0 : `UNITS_WIDTH*number +: `UNITS_WIDTH] + BeatUnits - 1) >> UnitBits;
  endfunction

  wire                taken      = valid & ready_i & last;
  wire                next       = valid ? ready_i & ~last : steps_q != 0 & ~clear_i;   // a beat is to be there in the next cycle
  wire [`LAYER]       next_layer = valid ? next_layer_q : first_layer;
  wire [BeatBits-1:0] next_beat  = valid ? next_beat_q : 0;
  wire [`UNITS]       next_rest  = all_units[Layers == 1 ? 0 : `UNITS_WIDTH*next_layer +: `UNITS_WIDTH] - {next_beat, {UnitBits{1'b0}}};
  wire                next_ends  = next_rest <= BeatUnits;

  wire [`UNITS]       at_units   = all_units[Layers == 1 ? 0 : `UNITS_WIDTH*layer_q +: `UNITS_WIDTH];
  wire                layer_ends = beat_q + 1'b1 == beats(layer_q);
  wire                ends       = layer_ends && layer_q == last_layer;
  wire [UnitBits-1:0] tail       = at_units[UnitBits-1:0];   // units in the last beat of a layer, 0: all
  wire [`BEAT]        kept       = layer_ends && tail != 0 ? ~({`BEAT_WIDTH{1'b1}} << {tail, 3'd0}) : {`BEAT_WIDTH{1'b1}};

  localparam AddressWidth = (Layers == 1 ? 1 : 1 + `LAYER_WIDTH) + BeatBits;
  wire [AddressWidth-1:0] address = Layers == 1 ? {bank_q, beat_q} : {bank_q, layer_q, beat_q};

  always @(posedge clk_i) begin
    begun_q <= 1'b1;
    {clear_q, idle_q} <= {clear_i, idle};
    {held_q, last_q, user_q, data_q} <= {valid & ~ready_i & rst_ni, last, user, data};
    if (next) begin
      {layer_q, beat_q} <= {next_layer, next_beat};
      layer_ends_q      <= next_ends;
      next_layer_q      <= next_layer + next_ends;
      next_beat_q       <= next_ends ? 0 : next_beat + 1'b1;
    end
    if (done_i && steps_q == 0) bank_q <= done_bank_i;
    else if (taken) bank_q <= ~bank_q;
    if (done_i && (steps_q == 0 || steps_q == 1 && taken)) first_last_q <= done_last_i;
    else if (taken) first_last_q <= second_last_q;
    if (done_i) second_last_q <= done_last_i;
    if (!rst_ni) {open_q, taken_q, steps_q} <= 0;
    else begin
      open_q  <= next | valid & ~taken;
      taken_q <= taken & ~clear_i;
      steps_q <= clear_i ? 0 : steps_q + done_i - taken;
    end
  end

  integer layers;
  always @* begin
    if (!begun_q) assume (!rst_ni);
    assume (Layers == 1 ? first_layer == last_layer : first_layer == 0);
    for (layers = 0; layers < Layers; layers = layers + 1)
      assume (all_units[`UNITS_WIDTH*layers +: `UNITS_WIDTH] != 0 && all_units[`UNITS_WIDTH*layers +: `UNITS_WIDTH] <= `MAX_UNITS);
    if (done_i) assume (steps_q != 2 && (steps_q == 0 || done_bank_i != bank_q) && !(clear_i && clear_q));
    if (clear_q && !idle_q) assume (clear_i);

    if (begun_q) begin
      assert (valid == open_q);
      if (held_q) assert (valid && last == last_q && user == user_q && data == data_q);
      if (valid) begin
        assert (last == ends);
        assert (user == (ends && first_last_q));
        assert ((data & ~kept) == 0);
        assert (data[AddressWidth-1:0] == (address & kept[AddressWidth-1:0]));
      end
      assert (freed == taken_q);
      assert (idle == (!valid && steps_q == 0));
      // These make the induction: the beats are inside their layer, and the registers of the module are what is expected here.
      if (valid) begin
        assert (layer_q <= last_layer && beat_q < beats(layer_q) && layer_ends_q == layer_ends);
        if (!last) assert (next_layer_q <= last_layer && next_beat_q < beats(next_layer_q) && \dut.beat_q == next_beat_q && \dut.layer_q == next_layer_q);
        assert (\dut.tail_q == (layer_ends ? tail : 0) && \dut.word [AddressWidth-1:0] == address);
        assert (steps_q != 0 || clear_q && !idle_q);
      end
      assert (\dut.pending_q == steps_q && steps_q <= 2);
      if (valid || steps_q != 0) assert (\dut.bank_q == bank_q && \dut.last_step_q [bank_q] == first_last_q);
      if (steps_q == 1) assert (first_last_q == second_last_q);
      if (steps_q == 2) assert (\dut.last_step_q [~bank_q] == second_last_q);
    end
  end
endmodule

`default_nettype wire
