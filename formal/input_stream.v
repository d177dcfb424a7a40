// SPDX-License-Identifier: MIT
// input_stream: each granule of a packet of the right length goes out once, in order, to the address and with the exponent that are its own, and holds until
// it is taken; the step is announced when the last one is in the memories. short_error_o and long_error_o come exactly where a packet is too short or too
// long, and halt the stream. No packet begins more than two steps ahead of layer 0, beyond the last sequence, or during clear, which also drops the rest of a
// packet that has begun; all else is taken at once, so that nothing waits for ever.
//
// Assumed of the accelerator: a run starts after all of the one before, its x fits into its bank, layers are done in their order, and no granule is taken
// while one is held.
// The granule whose data and exponent are looked at is one that the solver chooses.
`include "formats.vh"
`default_nettype none

module input_stream_properties #(
  parameter DynamicPrecision = 1,
  parameter DotLanes         = 64,
  parameter ActivationDepth  = 4
) (
  input wire         clk_i,
  input wire         rst_ni,
  input wire         clear_i,
  input wire [`BEAT] data_i,
  input wire         valid_i,
  input wire         last_i,
  input wire         user_i,
  input wire         x_ready_i,
  input wire         x_held_i,
  input wire         start_i,
  input wire [31:0]  sequences_i,
  input wire         first_layer_done_i,
  input wire         step_done_i
);
  localparam OffsetWidth = `OFFSET_WIDTH(ActivationDepth), Bytes = `GRANULE_BYTES(DotLanes), Slices = `BEAT_WIDTH / 8 / Bytes, PerWord = DotLanes / Bytes;
  localparam PerGroup = `EXPONENT_GROUP / Bytes, Bits = $clog2(2 * ActivationDepth * PerWord) + 1;

  (* anyconst *) reg [`WORDS]          x_words;
  (* anyconst *) reg                   x_terms, stateful;
  (* anyconst *) reg [OffsetWidth-1:0] x_address;
  (* anyconst *) reg [Bits-1:0]        watched;

  wire                 ready, x_valid, loaded, bank, finished, halted, short_error, long_error;
  wire [OffsetWidth:0] address;
  wire [`GRANULE]      granule;
  wire [8*Bytes-1:0]   x_data;
  wire [`NIBBLE]       exponent;
  wire [`STEP_FLAGS]   step_first, step_last;
  input_stream #(.DynamicPrecision(DynamicPrecision), .DotLanes(DotLanes), .ActivationDepth(ActivationDepth)) dut (
    .clk_i(clk_i), .rst_ni(rst_ni), .clear_i(clear_i), .s_x_tdata_i(data_i), .s_x_tvalid_i(valid_i), .s_x_tready_o(ready), .s_x_tlast_i(last_i),
    .s_x_tuser_i(user_i), .x_valid_o(x_valid), .x_ready_i(x_ready_i), .x_held_i(x_held_i), .x_address_o(address), .x_granule_o(granule), .x_data_o(x_data),
    .x_exponent_o(exponent), .start_i(start_i), .sequences_i(sequences_i), .stateful_i(stateful), .x_words_i(x_words), .x_terms_i(x_terms),
    .x_address_i(x_address), .first_layer_done_i(first_layer_done_i), .step_done_i(step_done_i), .x_loaded_o(loaded), .step_first_o(step_first),
    .step_last_o(step_last), .bank_o(bank), .finished_o(finished), .halted_o(halted), .short_error_o(short_error), .long_error_o(long_error)
  );

  // Registers of the module itself, for what makes the induction.
  (* hierconn *) wire [`WORDS_WIDTH:0] \dut.left_q ;
  (* hierconn *) wire [$clog2(Slices):0] \dut.slices_q ;
  (* hierconn *) wire [`BEAT]          \dut.beat_q ;
  (* hierconn *) wire [OffsetWidth+1:0] \dut.address_q ;
  (* hierconn *) wire                  \dut.in_packet_q , \dut.discard_q , \dut.active_q , \dut.first_q , \dut.closing_q , \dut.written_q , \dut.bank_q ;
  (* hierconn *) wire [1:0]            \dut.step_q , \dut.ahead_q , \dut.in_flight_q ;
  (* hierconn *) wire [31:0]           \dut.sequences_q ;
  (* hierconn *) wire [`BEAT]          \dut.gen_exponents.exponents_q ;
  (* hierconn *) wire [3:0]            \dut.gen_exponents.group_left_q ;
  (* hierconn *) wire [`WORDS_WIDTH:0] \dut.gen_exponents.term_left_q ;

  // A packet: granules of a term, of both; beats of data.
  wire [Bits-1:0] term     = x_words * PerWord;
  wire [Bits-1:0] granules = x_terms ? 2 * term : term;
  wire [Bits-1:0] beats    = (granules + Slices - 1) / Slices;

  // The packet as it comes in: inside one, its rest is to be dropped, beats of data that came.
  reg            begun_q = 1'b0, inside_q, drop_q, running_q, halted_q, first_q;
  reg [Bits-1:0] beats_q;
  reg [31:0]     sequences_q;
  reg [1:0]      step_q, ahead_q, open_q;            // steps: number, ahead of layer 0, not complete
  reg [`STEP_FLAGS] step_first_q, step_last_q;
  wire            taken    = valid_i & ready, kept = taken & ~drop_q;
  wire            header   = DynamicPrecision != 0 & ~inside_q;
  wire [Bits-1:0] number   = inside_q ? beats_q : 0;
  wire            closing  = !header && number + 1'b1 == beats;
  wire            good     = kept && !header && closing == last_i, complete = kept && closing && last_i;
  wire            rest     = taken ? ~last_i : inside_q;          // of a packet, still to come

  // Its granules as they go out: those of the present beat, the number of the next; what the watched one is to be.
  reg [Bits-1:0]     waiting_q, next_q;
  reg                bank_q, sent_last_q, loaded_q;
  reg [8*Bytes-1:0]  watched_data_q;
  reg [`NIBBLE]      watched_exponent_q;
  wire               sent = x_valid & x_ready_i;
  wire [Bits-1:0]    before = number * Slices, slice = watched - before;

  wire [OffsetWidth-1:0] offset = x_address + next_q / PerWord;

  // The group of a granule: exponents of a second term follow those of the first.
  function [4:0] group(input [Bits-1:0] which);
    group = which < term ? which / PerGroup : (term + PerGroup - 1) / PerGroup + (which - term) / PerGroup;
  endfunction

  // The cycle before.
  reg                held_q;
  reg [OffsetWidth:0] address_q;
  reg [`GRANULE]     granule_q;
  reg [8*Bytes-1:0]  x_data_q;
  reg [`NIBBLE]      exponent_q;

  always @(posedge clk_i) begin
    begun_q <= 1'b1;
    {held_q, address_q, granule_q, x_data_q, exponent_q} <= {x_valid & ~x_ready_i & rst_ni & ~clear_i, address, granule, x_data, exponent};
    inside_q <= rst_ni & rest;
    drop_q   <= rst_ni & rest & (clear_i | drop_q | kept & closing & ~last_i);
    if (kept) beats_q <= header ? 0 : number + 1'b1;
    if (kept && !inside_q) bank_q <= step_q[0];
    next_q <= kept && !inside_q ? 0 : next_q + sent;
    if (kept && header) watched_exponent_q <= data_i[4*group(watched) +: 4];
    if (good && watched >= before && slice < Slices) watched_data_q <= data_i[8*Bytes*slice +: 8*Bytes];
    if (start_i) {sequences_q, first_q} <= {sequences_i, 1'b1};
    else if (complete) begin
      sequences_q <= sequences_q - user_i;
      first_q     <= user_i;
    end
    if (!rst_ni || clear_i) begin
      {running_q, halted_q, step_q, ahead_q, open_q, waiting_q, sent_last_q, loaded_q} <= 0;
      step_first_q <= 0;
      step_last_q  <= 0;
    end else begin
      running_q <= start_i | running_q & ~(complete & user_i & sequences_q == 1) & ~(kept & closing != last_i & (closing | last_i));
      halted_q  <= halted_q | kept & closing != last_i & (closing | last_i);
      step_q    <= step_q + complete;
      ahead_q   <= ahead_q + complete - first_layer_done_i;
      open_q    <= open_q + complete - step_done_i;
      if (complete) step_first_q[step_q] <= first_q & ~stateful;
      if (complete) step_last_q[step_q] <= user_i;
      waiting_q   <= good ? (closing ? granules - before : Slices) : waiting_q - sent;
      sent_last_q <= sent && next_q + 1'b1 == granules || sent_last_q && x_held_i;
      loaded_q    <= sent_last_q && !x_held_i;
    end
  end

  always @* begin
    if (!begun_q) assume (!rst_ni);
    assume (x_words != 0 && x_address + (x_terms ? 2 * x_words : x_words) <= ActivationDepth && watched < granules);
    if (start_i) assume (!running_q && !halted_q && open_q == 0 && !clear_i && sequences_i != 0);
    if (first_layer_done_i) assume (ahead_q != 0 && (ahead_q == open_q));
    if (step_done_i) assume (first_layer_done_i || ahead_q != open_q);
    if (x_held_i) assume (!x_ready_i);

    if (begun_q) begin
      assert (ready == (drop_q || running_q && (waiting_q == 0 || waiting_q == 1 && x_ready_i) && (inside_q || ahead_q < 2)));
      assert (short_error == (kept && last_i && !closing && !clear_i) && long_error == (kept && !last_i && closing && !clear_i));
      assert (x_valid == (waiting_q != 0));
      if (held_q) assert ({x_valid, address, granule, x_data, exponent} == {1'b1, address_q, granule_q, x_data_q, exponent_q});
      if (x_valid) begin
        assert (address == {bank_q, offset} && granule == next_q % PerWord);
        if (next_q == watched) assert (x_data == watched_data_q && (DynamicPrecision == 0 || exponent == watched_exponent_q));
      end
      assert (loaded == loaded_q);
      assert (halted == halted_q && finished == (!running_q && !halted_q && open_q == 0));
      assert (bank == step_q[0] && step_first == step_first_q && step_last == step_last_q);

      // These make the induction.
      assert (\dut.in_packet_q == inside_q && \dut.discard_q == drop_q && \dut.active_q == running_q && \dut.written_q == sent_last_q);
      assert (\dut.step_q == step_q && \dut.ahead_q == ahead_q && \dut.in_flight_q == open_q);
      assert (ahead_q <= 2 && (open_q == ahead_q || open_q == ahead_q + 1) && !(running_q && halted_q) && (inside_q || !drop_q));
      if (running_q) assert (\dut.sequences_q == sequences_q && \dut.first_q == first_q);
      if (inside_q && !drop_q) begin
        assert (running_q && ahead_q < 2 && beats_q < beats && \dut.left_q == granules - beats_q * Slices && next_q + waiting_q == beats_q * Slices);
        if (DynamicPrecision == 0) assert (beats_q != 0);
      end
      if (waiting_q != 0) begin
        assert (\dut.slices_q == waiting_q && waiting_q <= Slices && next_q < granules && next_q + waiting_q <= granules);
        assert (\dut.closing_q == (next_q + waiting_q == granules));
        if (watched >= next_q && watched - next_q < waiting_q) assert (\dut.beat_q [8*Bytes*(watched - next_q) +: 8*Bytes] == watched_data_q);
      end
      if (inside_q && !drop_q || waiting_q != 0) assert (\dut.bank_q == bank_q && \dut.address_q == x_address * PerWord + next_q);
    end
  end

  // The exponents: those of the group of the next granule are in the low bits.
  generate
    if (DynamicPrecision != 0) begin : gen_exponents
      wire [Bits-1:0] in_term = next_q < term ? next_q : next_q - term;
      always @*
        if (begun_q && (inside_q && !drop_q || waiting_q != 0)) begin
          assert (\dut.gen_exponents.term_left_q == term - in_term && \dut.gen_exponents.group_left_q == PerGroup - in_term % PerGroup);
          if (watched >= next_q) assert (\dut.gen_exponents.exponents_q [4*(group(watched) - group(next_q)) +: 4] == watched_exponent_q);
        end
    end
  endgenerate
endmodule

`default_nettype wire
