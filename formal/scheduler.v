// SPDX-License-Identifier: MIT
// scheduler: no deadlock, and every unit of every layer-step once, with row passes that are taken after any delay and answers that come after any delay. While
// a loaded step is not complete and nobody owes the scheduler an answer, a row pass is offered or the end of a layer-step is told within Patience cycles.
// Row passes: units in order of step, layer and unit; of each the early pass of its rows, then the late pass, then, once it is to be refined, each row that
// is not to stay at the lowest level, once. A layer-step ends when its last unit is done, once, in order. The refinement queue takes all that comes.
//
// The network is small: one or two layers of one or two units in this tile, two of which may be in flight; any number of steps, with and without trace.
// Assumed: post-processing says of a unit that had its late pass that it is done, or what to refine, and then that it is done; layer_done_i comes after
// tile_done_o; x is two steps ahead at most; outputs are freed after their step. In place of row_pass: a module that takes passes when it likes and shows them.
`include "formats.vh"
`default_nettype none

// In place of that of rtl/: {reads: a pass is offered}, {valid, tag: it is taken}.
module row_pass #(
  parameter DynamicPrecision = 1,
  parameter IndexWidth       = 3,
  parameter UnitWidth        = 9,
  parameter WeightWidth      = 13,
  parameter OffsetWidth      = 7
) (
  input  wire                   clk_i,
  input  wire                   rst_ni,
  input  wire                   clear_i,
  input  wire                   valid_i,
  output wire                   ready_o,
  input  wire [`KIND]           kind_i,
  input  wire [`PASS]           pass_i,
  output wire [`LAYER]          layer_o,
  input  wire [`DESCRIPTOR]     descriptor_i,
  input  wire [`POLICY]         policy_i,
  input  wire [`STEP_FLAGS]     step_first_i,
  output wire                   valid_o,
  output wire [`QUARTERS]       reads_o,
  output wire [`QUARTER]        quarter_o,
  output wire                   own_exponent_o,
  output wire [WeightWidth-1:0] weight_address_o,
  output wire [OffsetWidth:0]   activation_address_o,
  output wire [`WORD_TAG]       tag_o
);
  (* anyseq *) reg taken;
  wire                   complete;
  wire [`LEVELS]         levels;
  wire [`GATE]           gate, second;
  wire [`STEP]           step;
  wire [`LAYER]          layer;
  wire [IndexWidth-1:0]  index;
  wire [UnitWidth-1:0]   unit;
  wire [WeightWidth-1:0] base;
  assign `PASS_OF(levels, complete, base, unit, step, layer, gate, second, index) = pass_i;

  assign ready_o   = taken;
  assign valid_o   = valid_i & taken;
  assign reads_o   = {3'd0, valid_i};
  assign quarter_o = kind_i;
  assign layer_o   = layer;
  assign {own_exponent_o, weight_address_o, activation_address_o} = 0;
  assign tag_o     = `WORD_TAG_OF(complete, unit, gate, index, 1'b0, 2'd0, 1'b0, 1'b0, 1'b0, 1'b0, {5'd0, step, second});
endmodule

// In place of that of rtl/: the same words, in one register that the induction can name.
module register_file #(
  parameter Width        = 44,
  parameter Depth        = 32,
  parameter Reads        = 2,
  parameter AddressWidth = $clog2(Depth)
) (
  input  wire                          clk_i,
  input  wire                          write_enable_i,
  input  wire [AddressWidth-1:0]       write_address_i,
  input  wire [Width-1:0]              write_data_i,
  input  wire [Reads*AddressWidth-1:0] read_address_i,
  output wire [Reads*Width-1:0]        read_data_o
);
  reg [Width*Depth-1:0] words_q;
  always @(posedge clk_i) if (write_enable_i) words_q[Width*write_address_i +: Width] <= write_data_i;
  genvar port;
  generate
    for (port = 0; port < Reads; port = port + 1) begin : gen_read
      assign read_data_o[port*Width +: Width] = words_q[Width*read_address_i[port*AddressWidth +: AddressWidth] +: Width];
    end
  endgenerate
endmodule

module scheduler_properties #(
  parameter Layers   = 2,
  parameter Patience = 4
) (
  input wire            clk_i,
  input wire            rst_ni,
  input wire            x_loaded_i,
  input wire            layer_done_i,
  input wire            output_freed_i,
  input wire            trace_freed_i,
  input wire            done_i,
  input wire            refine_i,
  input wire            done_index_i,
  input wire            refine_index_i,
  input wire [`LEVELS]  levels_i
);
  localparam InFlight = 2, IndexWidth = 1, UnitWidth = 2, WeightWidth = 2, OffsetWidth = 1;

  (* anyconst *) reg       trace;
  (* anyconst *) reg [1:0] slots0, slots1;          // units of a layer

  // A run begins in the second cycle.
  reg begun_q = 1'b0, started_q = 1'b0, running_q = 1'b0;
  always @(posedge clk_i) {begun_q, started_q, running_q} <= {1'b1, begun_q, started_q};
  wire start = begun_q & ~started_q;

  wire                  tile_done, word_valid;
  wire [`LAYER]         early_layer, layer;
  wire [`QUARTERS]      reads;
  wire [`QUARTER]       kind;
  wire [`WORD_TAG]      tag;
  wire [`LAYERS]        layers = Layers;
  reg  [`DESCRIPTOR]    descriptor;
  always @* begin
    descriptor = 0;
    descriptor[`DESCRIPTOR_SLOTS] = early_layer == 0 ? slots0 : slots1;
    descriptor[`DESCRIPTOR_UNIT_BASE] = early_layer == 0 ? 0 : 2;
    descriptor[`DESCRIPTOR_X_WORDS] = 1;
    descriptor[`DESCRIPTOR_H_WORDS] = 1;
  end
  scheduler #(.InFlight(InFlight), .UnitWidth(UnitWidth), .WeightWidth(WeightWidth), .OffsetWidth(OffsetWidth)) dut (
    .clk_i(clk_i), .rst_ni(rst_ni), .clear_i(1'b0), .start_i(start), .layers_i(layers), .trace_enable_i(trace), .x_loaded_i(x_loaded_i),
    .step_first_i(4'd0), .layer_done_i(layer_done_i), .output_freed_i(output_freed_i), .trace_freed_i(trace_freed_i), .tile_done_o(tile_done),
    .early_layer_o(early_layer), .early_descriptor_i(descriptor), .row_pass_layer_o(layer), .row_pass_descriptor_i(descriptor),
    .policy_i(`POLICY_SENSITIVITY), .done_i(done_i), .done_index_i(done_index_i), .finish_index_i(1'b0), .refine_valid_i(refine_i),
    .refine_index_i(refine_index_i), .refine_levels_i(levels_i), .word_valid_o(word_valid), .word_reads_o(reads), .word_quarter_o(kind), .word_tag_o(tag)
  );

  // Registers of the module itself, for what makes the induction.
  localparam EntryWidth = `ENTRY_WIDTH, QueueWidth = IndexWidth + `LEVELS_WIDTH;
  (* hierconn *) wire \dut.gen_refinement.never_full ;
  (* hierconn *) wire [1:0] \dut.u_in_flight.done_q , \dut.u_in_flight.last_q , \dut.u_in_flight.count_q ;
  (* hierconn *) wire \dut.u_in_flight.head_q , \dut.u_in_flight.tail_q ;
  (* hierconn *) wire [2*EntryWidth-1:0] \dut.u_in_flight.u_entries.words_q ;
  (* hierconn *) wire [1:0] \dut.u_sequencer.u_early_walker.state_q , \dut.u_sequencer.u_early_walker.x_credits_q ;
  (* hierconn *) wire [1:0] \dut.u_sequencer.u_early_walker.gate_q , \dut.u_sequencer.u_early_walker.step_q , \dut.u_sequencer.u_early_walker.unit_q ;
  (* hierconn *) wire [1:0] \dut.u_sequencer.u_early_walker.base_q ;
  (* hierconn *) wire [`LAYER] \dut.u_sequencer.u_early_walker.layer_q ;
  (* hierconn *) wire [`POSITION] \dut.u_sequencer.u_early_walker.slots_left_q ;
  (* hierconn *) wire \dut.u_sequencer.u_early_walker.no_slots_q ;
  (* hierconn *) wire [`LAYERS] \dut.u_sequencer.u_early_walker.lead_q , \dut.u_sequencer.u_late_walker.lead_q ;
  (* hierconn *) wire \dut.u_sequencer.u_late_walker.index_q ;
  (* hierconn *) wire [1:0] \dut.u_sequencer.u_late_walker.gate_q , \dut.u_sequencer.u_late_walker.units_q ;
  (* hierconn *) wire [1:0] \dut.u_sequencer.u_late_walker.output_credits_q , \dut.u_sequencer.u_late_walker.trace_credits_q ;
  (* hierconn *) wire [3:0] \dut.u_sequencer.u_refinement_walker.taken_q ;
  (* hierconn *) wire [2*QueueWidth-1:0] \dut.gen_refinement.u_queue.gen_flops.entries_q ;
  (* hierconn *) wire [1:0] \dut.gen_refinement.u_queue.count_q ;
  (* hierconn *) wire \dut.gen_refinement.u_queue.read_q , \dut.gen_refinement.u_queue.write_q ;

  wire                  complete = tag[`WORD_TAG_COMPLETE], index = tag[`WORD_TAG_INDEX];
  wire [UnitWidth-1:0]  unit     = tag[`WORD_TAG_UNIT];
  wire [`GATE]          gate     = tag[`WORD_TAG_GATE], second = tag[UnitWidth + IndexWidth + 10 +: 2];
  wire [`STEP]          step     = tag[UnitWidth + IndexWidth + 12 +: 2];

  // A unit in flight, by its index: what is owed for it, row passes that were taken, rows that are still to be refined.
  localparam [2:0] Free = 0, Passes = 1, Decision = 2, Refinement = 3, End = 4;
  reg [2:0]    state_q [0:1];
  reg [1:0]    early_q [0:1], late_q [0:1];
  reg [3:0]    rows_q [0:1];
  reg [`STEP]  step_q [0:1];
  reg          layer_q [0:1];
  reg          slot_q [0:1];

  // The unit whose early pass comes next; the layer-step that ends next; the layer that is done next everywhere.
  reg [`STEP] next_step_q, ended_step_q;
  reg         next_layer_q, next_slot_q, ended_layer_q, done_layer_q, half_q;   // half_q: the first of its two early passes is taken
  // Layer-steps that ended here and not everywhere; steps of x ahead of layer 0; steps that are loaded and not complete; outputs that are not freed.
  reg [2:0]   owed_q, ahead_q, steps_q, outputs_q, traces_q;
  reg [3:0]   patience_q;

  wire early      = word_valid && kind == `KIND_EARLY, late = word_valid && kind == `KIND_LATE, refinement = word_valid && kind == `KIND_REFINEMENT;
  wire first_pass = gate == `GATE_I;
  wire [3:0] rows = 4'd1 << gate | 4'd1 << second;
  wire [3:0] to_refine = {levels_i[7:6] != 0, levels_i[5:4] != 0, levels_i[3:2] != 0, levels_i[1:0] != 0};
  wire [1:0] next_slots = next_layer_q ? slots1 : slots0;
  wire last_slot  = next_slot_q + 2'd1 == next_slots;
  wire only_one   = Layers == 1 || slots0 == 0 || slots1 == 0;          // of the layers has units here
  wire layer_ends = layer_done_i && done_layer_q == Layers - 1;         // and with it the step
  wire owes       = owed_q != 0 || outputs_q != 0 || traces_q != 0 || state_q[0] == Decision || state_q[1] == Decision || state_q[0] == End || state_q[1] == End;

  always @(posedge clk_i)
    if (!running_q) begin
      {state_q[0], state_q[1], next_step_q, ended_step_q, next_slot_q, ended_layer_q, done_layer_q, half_q} <= 0;
      {owed_q, ahead_q, steps_q, outputs_q, traces_q, patience_q} <= 0;
      next_layer_q <= slots0 == 0;
    end else begin
      if (early && first_pass) begin
        state_q[index] <= Passes;
        early_q[index] <= 1;
        late_q[index]  <= 0;
        step_q[index]  <= next_step_q;
        layer_q[index] <= next_layer_q;
        slot_q[index]  <= next_slot_q;
        half_q         <= 1'b1;
      end else if (early) begin
        early_q[index] <= 2;
        half_q         <= 1'b0;
        next_slot_q    <= last_slot ? 1'b0 : next_slot_q + 1'b1;
        if (last_slot && !only_one) next_layer_q <= ~next_layer_q;
        if (last_slot && (only_one || next_layer_q)) next_step_q <= next_step_q + 1'b1;
      end
      if (late) late_q[index] <= late_q[index] + 1'b1;
      if (late && !first_pass) state_q[index] <= Decision;
      if (refinement) begin
        rows_q[index] <= rows_q[index] & ~rows;
        if (complete) state_q[index] <= End;
      end
      if (refine_i) begin
        state_q[refine_index_i] <= Refinement;
        rows_q[refine_index_i]  <= to_refine;
      end
      if (done_i) state_q[done_index_i] <= Free;
      if (tile_done) begin
        ended_layer_q <= Layers == 1 ? 1'b0 : ~ended_layer_q;
        ended_step_q  <= ended_step_q + (ended_layer_q == Layers - 1);
      end
      if (layer_done_i) done_layer_q <= Layers == 1 ? 1'b0 : ~done_layer_q;
      owed_q     <= owed_q + tile_done - layer_done_i;
      ahead_q    <= ahead_q + x_loaded_i - (layer_done_i && !done_layer_q);
      steps_q    <= steps_q + x_loaded_i - layer_ends;
      outputs_q  <= outputs_q + layer_ends - output_freed_i;
      traces_q   <= traces_q + (layer_ends && trace) - trace_freed_i;
      patience_q <= steps_q != 0 && !owes && !reads[0] && !tile_done ? patience_q + 1'b1 : 0;
    end

  // For the induction.
  wire [1:0] count = \dut.u_in_flight.count_q , units = \dut.u_sequencer.u_late_walker.units_q , queued = \dut.gen_refinement.u_queue.count_q ;
  wire       older = \dut.u_in_flight.tail_q , newer = ~older, head = \dut.gen_refinement.u_queue.read_q ;
  wire [QueueWidth-1:0] entry        = \dut.gen_refinement.u_queue.gen_flops.entries_q [QueueWidth*head +: QueueWidth];
  wire [QueueWidth-1:0] second_entry = \dut.gen_refinement.u_queue.gen_flops.entries_q [QueueWidth*!head +: QueueWidth];
  function is_last(input which);
    is_last = slot_q[which] + 2'd1 == (layer_q[which] ? slots1 : slots0);
  endfunction
  // Step and layer, so many layer-steps after the one that ends next.
  function [2:0] at(input more);
    at = Layers == 1 ? {ended_step_q + more, 1'b0} : {ended_step_q, ended_layer_q} + more;
  endfunction
  function [2:0] after(input which);
    after = Layers == 1 ? {step_q[which] + 1'b1, 1'b0} : {step_q[which], layer_q[which]} + 1'b1;
  endfunction
  // The unit whose early pass comes next is the one after this, or this one while half of its early pass is taken.
  function follows(input which, input [1:0] step, input layer, input slot);
    follows = half_q ? {step, layer, slot} == {step_q[which], layer_q[which], slot_q[which]}
            : is_last(which) ? {step, layer} == after(which) && !slot
            : {step, layer} == {step_q[which], layer_q[which]} && slot == slot_q[which] + 1'b1;
  endfunction
  // What the ring holds of a unit in flight, and its state.
  function unit_good(input which);
    unit_good = \dut.u_in_flight.done_q [which] == (state_q[which] == Free) && \dut.u_in_flight.last_q [which] == is_last(which)
                && \dut.u_in_flight.u_entries.words_q [EntryWidth*which +: EntryWidth]
                   == {is_last(which), 1'b0, {2'd0, layer_q[which]}, step_q[which], {layer_q[which], slot_q[which]}, 2'd0}
                && slot_q[which] + 2'd1 <= (layer_q[which] ? slots1 : slots0) && state_q[which] <= End && (Layers == 2 || !layer_q[which])
                && (state_q[which] != Passes || early_q[which] != 0 && early_q[which] <= 2 && late_q[which] <= 1 && late_q[which] <= early_q[which])
                && (state_q[which] == Passes || early_q[which] == 2);
  endfunction
  wire last_older = count != 0 && is_last(older), last_newer = count == 2 && is_last(newer);
  wire [2:0] late_lead  = owed_q + (last_older && state_q[older] != Passes) + (last_newer && state_q[newer] != Passes);
  wire [2:0] early_lead = owed_q + (last_older && early_q[older] == 2) + (last_newer && early_q[newer] == 2);
  // Of so many layer-steps after those that are done everywhere: how many are of the first layer, or of the last.
  function [2:0] passed(input [2:0] lead, input last);
    passed = Layers == 1 ? lead : (lead + (done_layer_q == last)) >> 1;
  endfunction
  // A layer-step of layer 0 that has begun needs its x; one of the last layer whose late pass has begun, room.
  wire half_first = !next_layer_q && (half_q || next_slot_q != 0);
  wire late_unit  = \dut.u_sequencer.u_late_walker.index_q ;
  wire half_late  = units != 0 ? layer_q[late_unit] == Layers - 1 && (late_q[late_unit] != 0 || slot_q[late_unit])
                               : next_layer_q == Layers - 1 && next_slot_q;
  function legal(input [7:0] levels);
    legal = levels[7:6] != 3 && levels[5:4] != 3 && levels[3:2] != 3 && levels[1:0] != 3;
  endfunction
  function [3:0] above(input [7:0] levels);
    above = {levels[7:6] != 0, levels[5:4] != 0, levels[3:2] != 0, levels[1:0] != 0};
  endfunction

  always @* begin
    assume (rst_ni == begun_q);
    assume (slots0 >= 1 && slots0 <= 2 && slots1 >= 1 && slots1 <= 2);
    // What the others may answer.
    if (done_i) assume (running_q && (state_q[done_index_i] == Decision || state_q[done_index_i] == End));
    if (refine_i) assume (running_q && state_q[refine_index_i] == Decision && !(done_i && done_index_i == refine_index_i) && to_refine != 0);
    assume (levels_i[7:6] != 3 && levels_i[5:4] != 3 && levels_i[3:2] != 3 && levels_i[1:0] != 3);
    if (layer_done_i) assume (running_q && owed_q != 0);
    if (x_loaded_i) assume (running_q && ahead_q < 2);
    if (output_freed_i) assume (running_q && outputs_q != 0);
    if (trace_freed_i) assume (running_q && traces_q != 0);

    assert ((begun_q || !started_q) && (started_q || !running_q));
    if (running_q) begin
      assert (patience_q < Patience);
      if (word_valid && kind != `KIND_REFINEMENT) assert ((first_pass && second == `GATE_F || gate == `GATE_G && second == `GATE_O) && complete == (late && !first_pass));
      if (early) begin
        assert (unit == {next_layer_q, next_slot_q} && layer == next_layer_q && step == next_step_q && half_q == !first_pass);
        assert (first_pass ? state_q[index] == Free : state_q[index] == Passes && early_q[index] == 1);
      end
      if (late) assert (state_q[index] == Passes && late_q[index] == !first_pass && early_q[index] > late_q[index]);
      if (early || late) assert (kind == `KIND_EARLY || layer == layer_q[index] && step == step_q[index]);
      if (refinement) assert (state_q[index] == Refinement && (rows & ~rows_q[index]) == 0 && complete == (rows == rows_q[index]));
      if (refine_i) assert (\dut.gen_refinement.never_full );
      if (tile_done) begin
        assert (!(state_q[0] != Free && step_q[0] == ended_step_q && layer_q[0] == ended_layer_q));
        assert (!(state_q[1] != Free && step_q[1] == ended_step_q && layer_q[1] == ended_layer_q));
        assert ((ended_layer_q ? slots1 : slots0) == 0 || next_step_q != ended_step_q || next_layer_q != ended_layer_q);
      end
      assert (outputs_q <= 2 && traces_q <= 2);

      // These make the induction. The units in flight: the older, the newer.
      assert (count <= 2 && \dut.u_in_flight.head_q == (older ^ count[0]));
      if (count == 0) assert (!half_q && at(0) == {next_step_q, next_layer_q});
      if (count != 0) assert (unit_good(older) && {step_q[older], layer_q[older]} == at(0));
      if (count == 1) assert (half_q == (state_q[older] == Passes && early_q[older] == 1) && follows(older, next_step_q, next_layer_q, next_slot_q));
      if (count == 2) begin
        assert (unit_good(newer) && early_q[older] == 2);
        assert (is_last(older) ? {step_q[newer], layer_q[newer]} == at(1) && slot_q[newer] == 0
                               : {step_q[newer], layer_q[newer]} == at(0) && slot_q[newer] == slot_q[older] + 1'b1);
        assert (half_q == (state_q[newer] == Passes && early_q[newer] == 1) && follows(newer, next_step_q, next_layer_q, next_slot_q));
      end
      if (count == 0) assert (state_q[0] == Free && state_q[1] == Free);
      if (count == 1) assert (state_q[newer] == Free);
      // Each cycle in which nothing can be offered, the descriptor comes, or a unit that is done leaves.
      assert (patience_q + (\dut.u_sequencer.u_early_walker.state_q == 1) + (count != 0 && state_q[older] == Free) + (count == 2 && state_q[newer] == Free) <= 3);
      // The early walker.
      assert (\dut.u_sequencer.u_early_walker.state_q == 1 || \dut.u_sequencer.u_early_walker.state_q == 2);
      assert (\dut.u_sequencer.u_early_walker.gate_q == (half_q ? `GATE_G : `GATE_I));
      assert (\dut.u_sequencer.u_early_walker.step_q == next_step_q && \dut.u_sequencer.u_early_walker.layer_q == next_layer_q);
      if (\dut.u_sequencer.u_early_walker.state_q == 2) begin
        assert (!\dut.u_sequencer.u_early_walker.no_slots_q && \dut.u_sequencer.u_early_walker.unit_q == {next_layer_q, next_slot_q});
        assert (next_slot_q < next_slots && \dut.u_sequencer.u_early_walker.slots_left_q == next_slots - 1 - next_slot_q);
        assert (\dut.u_sequencer.u_early_walker.base_q == 0);
      end else assert (next_slot_q == 0 && !half_q);
      // Layer-steps between those that are done everywhere and those that passed a walker; what is left of x and of the outputs.
      assert (owed_q <= 3 && done_layer_q == (Layers == 1 ? 1'b0 : ended_layer_q ^ owed_q[0]) && (Layers == 2 || !next_layer_q && !ended_layer_q));
      assert (\dut.u_sequencer.u_late_walker.lead_q == late_lead && \dut.u_sequencer.u_early_walker.lead_q == early_lead);
      assert (early_lead <= 4 && late_lead <= Layers);
      assert (\dut.u_sequencer.u_early_walker.x_credits_q == ahead_q - passed(early_lead, 1'b0) && ahead_q >= passed(early_lead, 1'b0) + half_first);
      assert (\dut.u_sequencer.u_late_walker.output_credits_q == 2 - outputs_q - passed(late_lead, 1'b1) && outputs_q + passed(late_lead, 1'b1) + {2'd0, half_late} <= 2);
      assert (\dut.u_sequencer.u_late_walker.trace_credits_q == (trace ? 2 - traces_q - passed(late_lead, 1'b1) : 2));
      assert (trace ? traces_q + passed(late_lead, 1'b1) + {2'd0, half_late} <= 2 : traces_q == 0);
      assert (ahead_q <= 2 && steps_q == ahead_q + (Layers == 2 && done_layer_q));
      // The late walker.
      assert (units == (count != 0 && state_q[older] == Passes) + (count == 2 && state_q[newer] == Passes));
      assert (\dut.u_sequencer.u_late_walker.index_q == (\dut.u_in_flight.head_q ^ units[0]) && units <= count);
      if (count == 2 && state_q[older] == Passes) assert (state_q[newer] == Passes && late_q[newer] == 0);
      assert (units == 0 ? \dut.u_sequencer.u_late_walker.gate_q == `GATE_I
                         : \dut.u_sequencer.u_late_walker.gate_q == (late_q[\dut.u_sequencer.u_late_walker.index_q ] == 0 ? `GATE_I : `GATE_G));
      // The refinement queue.
      assert (queued == (state_q[0] == Refinement) + (state_q[1] == Refinement) && \dut.gen_refinement.u_queue.write_q == (head ^ queued[0]));
      if (queued != 0) assert (state_q[entry[QueueWidth-1]] == Refinement && legal(entry[7:0]) && rows_q[entry[QueueWidth-1]] != 0
                               && rows_q[entry[QueueWidth-1]] == (above(entry[7:0]) & ~\dut.u_sequencer.u_refinement_walker.taken_q ));
      if (queued == 2) assert (state_q[second_entry[QueueWidth-1]] == Refinement && second_entry[QueueWidth-1] != entry[QueueWidth-1]
                               && legal(second_entry[7:0]) && rows_q[second_entry[QueueWidth-1]] == above(second_entry[7:0]) && above(second_entry[7:0]) != 0);
      if (queued == 0) assert (\dut.u_sequencer.u_refinement_walker.taken_q == 0);
    end
    if (begun_q && !running_q) begin
      // Before the run: as after reset, or with the start taken.
      assert (\dut.u_in_flight.count_q == 0 && \dut.u_in_flight.head_q == 0 && \dut.u_in_flight.tail_q == 0);
      assert (\dut.u_sequencer.u_early_walker.state_q == started_q && \dut.u_sequencer.u_early_walker.x_credits_q == 0);
      assert (\dut.u_sequencer.u_early_walker.gate_q == 0 && \dut.u_sequencer.u_early_walker.step_q == 0 && \dut.u_sequencer.u_early_walker.layer_q == 0);
      assert (\dut.u_sequencer.u_early_walker.lead_q == 0 && \dut.u_sequencer.u_late_walker.lead_q == 0 && \dut.u_sequencer.u_late_walker.gate_q == 0);
      assert (\dut.u_sequencer.u_late_walker.index_q == 0 && \dut.u_sequencer.u_late_walker.units_q == 0);
      assert (\dut.u_sequencer.u_late_walker.output_credits_q == 2 && \dut.u_sequencer.u_late_walker.trace_credits_q == 2);
      assert (\dut.u_sequencer.u_refinement_walker.taken_q == 0 && \dut.gen_refinement.u_queue.count_q == 0);
      assert (\dut.gen_refinement.u_queue.read_q == 0 && \dut.gen_refinement.u_queue.write_q == 0);
    end
  end
endmodule

`default_nettype wire
