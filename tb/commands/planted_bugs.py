# SPDX-License-Identifier: MIT
"""`make test-bench`: does the bench bite? Plants one known bug at a time in a copy of rtl/ and runs the smallest test that should catch it.

Prints a line a bug: file, bug, what caught it, seconds; writes build/planted.json when all were planted. Fails when a bug survives, when the test fails without it, or when the line
that a bug replaces is not there any more. Icarus runs the tests, for it builds in a second, but those of registers that reset forgets, which
need random initial values.
"""

import argparse
import json
import re
import shutil
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from shlex import quote

from tb.bench.rtl_copy import changed_rtl, reason_of, replace_once, run_test
from tb.bench.runner import BUILD, RTL
from tb.commands.provenance import failure, source

FOLDER, REPORT = BUILD / "planted", BUILD / "planted.json"
JUDGED = ("rtl", "tb", "models")
ACCELERATOR = "lstm_accelerator/test_lstm_accelerator.py::test_lstm_accelerator[small]"
ERRORS = "lstm_accelerator/test_errors.py"
PROTOCOLS = "lstm_accelerator/test_protocols.py"
WIDE = "lstm_accelerator/test_lstm_accelerator.py::test_lstm_accelerator[one_tile]"  # short layers: x comes while h is committed
RACES = "lstm_accelerator/test_races.py::test_races[icarus]"
SITUATIONS = "lstm_accelerator/test_situations.py::test_situations[dynamic]"
EVERY_CYCLE = "lstm_accelerator/test_races.py::test_races[verilator]"  # Icarus, which is slow, sweeps some of them
CONTROL_RACES = "test_control_races.py::test_control_races[icarus]"
REGISTERS = "test_registers.py::test_registers[icarus]"
OPERANDS = "test_operands.py::test_operands[8-1]"
ROW_PASS = "test_row_pass.py::test_row_pass[1-1-3-7-5]"
ROW_SUMS = "test_row_sums.py::test_row_sums[64-4-3-9]"
INPUT = "test_input_stream.py::test_input_stream[8-1]"
LOADER = "test_image_loader.py::test_image_loader[8-1-0]"
EVERY_RESET = "lstm_accelerator/test_reset_sweep.py::test_every_cycle[dynamic]"
HOSTILE = "lstm_accelerator/test_hostile_images.py::test_hostile_images[dynamic-verilator]"
RESET = "lstm_accelerator/test_reset.py::test_random_power_up"


@dataclass
class Bug:
    """`before`, which is in the file once, becomes `after`. test: below tb/tests/; case: of its cocotb tests (default: all)."""

    file: str
    what: str
    before: str
    after: str
    test: str
    case: str = ""


BUGS = [
    Bug("activation", "forgets that -32768 has no positive", "negated[15] ? 15'h7fff : ", "", "test_activation.py"),
    Bug("cell_update", "wraps where the cell state saturates", "c_overflow ? {c_sum[17], {15{~c_sum[17]}}} : c_sum[15:0]", "c_sum[15:0]",
        "test_cell_update.py"),
    Bug("log_code", "loses the bit below the leading one", "{bit_index[3:0], value_i[bit_index-1]}", "{bit_index[3:0], 1'b0}", "test_log_code.py"),
    Bug("precision_unit", "lets the history decay twice as fast", "history_i - 5'd1", "history_i - 5'd2", "test_precision_unit.py"),
    Bug("fifo", "takes a word more than it holds", "Full  = Depth;", "Full  = Depth + 1;", "test_fifo.py"),
    Bug("output_stream", "sends what comes after the last unit", "tail_q == 0 ? word :", "1'b1 ? word :", ACCELERATOR, "random_networks/stalls=0"),
    Bug("output_stream", "does not wait for ready", "more & (~valid_q | m_tready_i)", "more", PROTOCOLS, "a_run_beat_by_beat/rate=0.4"),
    Bug("axil_endpoint", "withdraws a response that is not taken", "write | (b_valid_q & ~s_axil_bready_i)", "write", PROTOCOLS,
        "registers_under_pauses/rate=0.5"),
    Bug("input_stream", "forgets the state although told to keep it", "first_q & ~stateful_i", "first_q", ACCELERATOR, "state_is_carried"),
    Bug("row_counters", "counts one layer's commit in the one before", "forward_q     <= valid_q & layer_q == commit_layer_i;", "forward_q     <= valid_q;",
        "test_row_counters.py"),
    Bug("image_loader", "takes loads while a run is under way", "busy_error_o   = closed_i;", "busy_error_o   = 1'b0;", ERRORS, "a_load_while_busy"),
    Bug("descriptor_check", "lets cells reach beyond their memory", "unit_base + slots <= UnitDepth", "unit_base <= UnitDepth", ERRORS, "bad_descriptors"),
    Bug("axil_registers", "keeps errors over a soft reset", "soft_reset_o ? `REG_ERRORS_MASK : write", "write", ERRORS, "x_of_the_wrong_length"),
    Bug("commit_arbiter", "always prefers the first tile", "|(waiting & in_turn) ? waiting & in_turn : waiting", "waiting", "test_commit_arbiter.py"),
    Bug("commit_arbiter", "pairs commits of two layers", "commits[Width*tile+$clog2(GroupUnits) +: Place-$clog2(GroupUnits)] == commit[$clog2(GroupUnits) +: Place-$clog2(GroupUnits)]",
        "commits[Width*tile+$clog2(GroupUnits) +: `POSITION_WIDTH-$clog2(GroupUnits)] == commit[$clog2(GroupUnits) +: `POSITION_WIDTH-$clog2(GroupUnits)]", "test_commit_arbiter.py"),
    Bug("control", "counts committed h only as writes of activations", ".activation_write_i (act_we_i)", ".activation_write_i (commit_valid_i)", ACCELERATOR,
        "the_smallest_networks"),
    Bug("counters", "counts every event as a scale read", "event_i[`EVENTS_WIDTH*tile + kind]", "event_i[`EVENTS_WIDTH*tile]", ACCELERATOR, "the_smallest_networks"),
    Bug("delay", "is a cycle short", "line_q[Width*(Cycles-1) +: Width]", "line_q[Width*(Cycles > 1 ? Cycles-2 : 0) +: Width]", ACCELERATOR,
        "the_smallest_networks"),
    Bug("descriptors", "gives the early pass the layer of the row pass before it", "{early_layer_i, row_pass_layer_i,", "{row_pass_layer_i, row_pass_layer_i,", ACCELERATOR,
        "random_networks/stalls=0"),
    Bug("layer_table", "takes the input of any layer for that of the network", "if (load_layer_i == 0) begin", "begin", ACCELERATOR,
        "random_networks/stalls=0"),
    Bug("parameter_check", "lets six units in flight pass", "InFlight < 2 || InFlight != 1 << $clog2(InFlight)", "InFlight < 2", "test_parameter_check.py"),
    Bug("ram", "writes granules that are not enabled", "if (enable[granule])", "if (1'b1)", "test_ram.py"),
    Bug("register_file", "writes in every cycle", "if (write_enable_i) ", "", ACCELERATOR, "the_smallest_networks"),
    Bug("step_tracker", "forgets tiles that are ahead", "tile_done_i[tile] | ahead_q[4*tile +: 4] != 0", "tile_done_i[tile]", "test_step_tracker.py"),
    Bug("streams", "takes one layer too many", "layers_i - 1'b1;", "layers_i;", ACCELERATOR, "the_smallest_networks"),
    Bug("tile_array", "lets a tile go on before the others are done", ".layer_done_i      (layer_done)", ".layer_done_i      (tile_done[k])", ACCELERATOR,
        "random_networks/stalls=0"),
    Bug("elementwise_engine", "loads no cell states", ".write_enable_i (cell_write_o || load_cell_i)", ".write_enable_i (cell_write_o)", ACCELERATOR,
        "state_is_carried"),
    Bug("activation_writer", "takes x although a granule is held", "assign x_ready_o = ~x_held_q;", "assign x_ready_o = 1'b1;", WIDE, "random_networks/stalls=1"),
    Bug("activation_writer", "writes h to the bank that the step reads", "{commit_bank_i, h_address_i", "{~commit_bank_i, h_address_i", ACCELERATOR,
        "the_smallest_networks"),
    Bug("run_control", "is done before the last packets are out", "input_finished_i & output_idle_i;", "input_finished_i;", ACCELERATOR,
        "random_networks/stalls=2"),
    Bug("run_control", "lets registers change the policy of a run", "if (start) begin", "begin", "test_control.py", "a_run_ends"),
    Bug("in_flight", "takes a new unit for done when the one before it was", "done_q[head_q]    <= 1'b0;", "", ACCELERATOR, "random_networks/stalls=0"),
    Bug("run_control", "lets an image packet begin in the cycle of a start", "busy_o | start;", "busy_o;", RACES,
        "a_start_against_a_load/words=1/target=CELL"),
    Bug("image_loader", "calls a packet over before its last word is written", "state_q != Header | word_valid_q", "state_q != Header", RACES,
        "a_start_against_a_load/words=1/target=CELL"),
    Bug("image_loader", "takes a beat while a descriptor is checked", "~check & ~check_q;", "~check;", LOADER, "wrong_lengths"),
    Bug("run_control", "ends a run although it is reset in that cycle", "finish & ~reset_request_i;", "finish;", CONTROL_RACES,
        "a_soft_reset_against_the_end"),
    Bug("axil_registers", "answers with a word of state that nobody read", "~state_good_q | ~idle;", "~idle;", CONTROL_RACES, "state_is_read"),
    Bug("axil_registers", "takes the byte of the selection written meanwhile", "state_word[8*lane_q +: 8]", "state_word[8*address[LaneBits-1:0] +: 8]",
        CONTROL_RACES, "a_read_of_state"),
    Bug("axil_registers", "loses an error while another is cleared", "errors_q & ~errors_cleared & `REG_ERRORS_MASK) | error_events;",
        "errors_q | error_events) & ~errors_cleared & `REG_ERRORS_MASK;", CONTROL_RACES, "an_error_is_not_lost"),
    Bug("axil_registers", "loses an interrupt while another is cleared", "interrupt_q & ~interrupt_cleared & `REG_INTERRUPT_MASK) | interrupt_events;",
        "interrupt_q | interrupt_events) & ~interrupt_cleared & `REG_INTERRUPT_MASK;", CONTROL_RACES, "an_interrupt_is_not_lost"),
    Bug("counters", "loses what happens in the cycle of a clear", "if (active_q || clear_due_q)", "if (clear_due_q) for (counter = 0; counter < Counters; counter = counter + 1) live_q[counter] <= 0; else if (active_q)",
        CONTROL_RACES, "a_snapshot_loses"),
    Bug("row_counters", "clears the rows of a commit that came with the snapshot", "assign busy_o      = busy_q;", "assign busy_o      = busy_q & walk_q != Wait;",
        CONTROL_RACES, "a_snapshot_loses"),
    Bug("requantizer", "wraps where z saturates", "z_overflow ? {biased[HalvesWidth-1], {15{~biased[HalvesWidth-1]}}} : biased[15:0]", "biased[15:0]", "test_requantizer.py"),
    Bug("requantizer", "wraps where the scaled sum saturates", "overflow ? {halves[SumWidth], {(HalvesWidth-1){~halves[SumWidth]}}} : halves[HalvesWidth-1:0]",
        "halves[HalvesWidth-1:0]", "test_requantizer.py"),
    Bug("requantizer", "keeps z where there is no row", "!valid_q[1] ? 16'd0 : ", "", "test_requantizer.py"),
    Bug("cell_update", "rounds c' down for tanh", "term + $signed({14'd0, half_unit})", "term", "test_cell_update.py"),
    Bug("cell_update", "keeps c' for tanh longer than a cycle", "g_stage_q[1] ? argument : 16'd0", "argument", "test_cell_update.py"),
    Bug("dot_product", "takes weights as unsigned", "$signed(weights_i[lane*OperandBits +: OperandBits])",
        "$signed({1'b0, weights_i[lane*OperandBits +: OperandBits]})", "test_dot_product.py"),
    Bug("cell_update", "lets h be 120", "h_rounded > 9'sd119 ? 8'sd119 : h_rounded[7:0]", "h_rounded[7:0]", "test_cell_update.py"),
    Bug("precision_unit", "takes -32768 for no more than 32767", "{1'b0, c_i[15] ? -c_i : c_i}", "{1'b0, c_i[15] ? ~c_i : c_i}", "test_precision_unit.py"),
    Bug("precision_unit", "lets the size of a change be more than that of 32767", "cell_size[16] || (c_valid_i && cell_size[15]) ?", "cell_size[16] ?",
        "test_precision_unit.py"),
    Bug("precision_unit", "answers by the other policy", "policy_i == `POLICY_CELL_HISTORY ?", "policy_i != `POLICY_CELL_HISTORY ?", "test_precision_unit.py"),
    Bug("level_choice", "takes a level where its threshold is met", "seen > $signed({{SeenWidth-ThetaWidth{all[ThetaWidth-1]}}, all})",
        "seen >= $signed({{SeenWidth-ThetaWidth{all[ThetaWidth-1]}}, all})", "test_precision_unit.py"),
    Bug("level_choice", "takes a threshold as unsigned", "{{SeenWidth-ThetaWidth{middle[ThetaWidth-1]}}, middle}", "{{SeenWidth-ThetaWidth{1'b0}}, middle}",
        "test_precision_unit.py"),
    Bug("level_choice", "refines where a factor is zero", "never_i[gate] ? `LEVEL_LOWEST", "1'b0 ? `LEVEL_LOWEST", "test_precision_unit.py"),
    Bug("policy_sensitivity", "forgets what an error in the cell does later", "none || product < cell_floor_i ? cell_floor_i : product", "product",
        "test_precision_unit.py"),
    Bug("policy_sensitivity", "takes g for a factor of its own error", "known_g_q <= slope_code - offset + i_code;", "known_g_q <= slope_code - offset + value_code;",
        "test_precision_unit.py"),
    Bug("policy_sensitivity", "refines i where g is zero", "never_i_q || value_zero_i;", "never_i_q;", "test_precision_unit.py"),
    Bug("policy_cell_history", "gives i and g the size of c, f and o the history", "f_valid_i || o_valid_i ? (", "i_valid_i || g_valid_i ? (", "test_precision_unit.py"),
    Bug("policy_cell_history", "rounds half a code down", "{1'b0, c_code_i[4:1]} + {4'd0, c_code_i[0]}", "{1'b0, c_code_i[4:1]}", "test_precision_unit.py"),
    Bug("policy_cell_history", "takes the offset of a row for the opposite", "- {offset_i[7], offset_i}", "+ {offset_i[7], offset_i}", "test_precision_unit.py"),
    Bug("operands", "shifts lower halves of activations, too", "activation_lo_q ? 4'd0 : own_exponent_q ?", "own_exponent_q ?", OPERANDS),
    Bug("operands", "gives h the exponent that lies beside it", "own_exponent_q ? exponent : 4'd4", "exponent", OPERANDS),
    Bug("operands", "writes upper halves of lanes that are not enabled", "{1'b1, act_be_i} & {DotLanes+1{act_we_i}}", "{DotLanes+1{act_we_i}}", OPERANDS,
        "memories_hold"),
    Bug("operands", "reads lower weights where it should hold them", ".read_enable_i  (read_weights_lo),", ".read_enable_i  (|reads_i),", OPERANDS, "memories_hold"),
    Bug("row_pass", "reads the second term from the first", "segment_x1 ? x1_start_q", "1'b0 ? x1_start_q", ROW_PASS, "every_word"),
    Bug("row_pass", "starts a sequence from the state before", "segment_h && step_first_i[step_q]", "1'b0", ROW_PASS, "every_word"),
    Bug("next_quarter", "reads upper activations twice for a word", "!done[`QUARTER_LL] : !done[`QUARTER_LH]);", "!done[`QUARTER_LL] : 1'b1);", ROW_PASS, "every_word"),
    Bug("next_quarter", "reads activations for each of two rows", "!held_i && (activation_lo", "(activation_lo", ROW_PASS, "every_word"),
    Bug("row_pass", "adds the second row to what the first before it left", "last_quarter && !last_row && first_word_q", "1'b0", ROW_PASS, "every_word"),
    Bug("row_pass", "takes a pass while three are not over", "passes_q != 2'd3 || pass_done", "passes_q != 2'd3 || last", ROW_PASS, "every_word"),
    Bug("pass_quarters", "adds the quarters of the lowest level again", " & ~first_quarters(lowest)", "", ROW_PASS, "every_word"),
    Bug("row_sums", "shifts no sum of a quarter", "widened <<< shift_i", "widened", ROW_SUMS),
    Bug("row_sums", "adds words of a second row to the sum of the first", "so_far = second ? second_sum_q : first_sum_q", "so_far = first_sum_q", ROW_SUMS),
    Bug("row_sums", "multiplies the sum of the row whose word comes next", "whole_sum = second_q ?", "whole_sum = second ?", ROW_SUMS),
    Bug("row_sums", "forgets a row sum that is just being written", "forward ? sum : stored_sum", "stored_sum", ROW_SUMS),
    Bug("row_sums", "goes on from the row sum of another unit", "half_fresh ? {`ROW_SUM_WIDTH{1'b0}} : ", "", ROW_SUMS),
    Bug("row_sums", "writes the sum of a run that was given up", "product_valid_q <= half_valid_q;\n    end", "product_valid_q <= half_valid_q;\n    end\n    if (clear_i) half_valid_q <= valid_q;",
        ROW_SUMS, "clear_ends"),
    Bug("post_processing", "takes the bias of the level of the gate after", "levels_q[`LEVEL_WIDTH*row_gate", "levels_q[`LEVEL_WIDTH*next_gate", ACCELERATOR,
        "random_networks/stalls=0"),
    Bug("post_processing", "takes the history of another sequence", "|phase_q[13:9] ? first_late_q", "phase_q[9] ? first_late_q", WIDE, "a_sequence_forgets"),
    Bug("post_processing", "adds the full bias to rows at the lowest level", "lowest ? constant_i[`ROW_CONSTANT_B_LOW] : ", "", ACCELERATOR, "random_networks/stalls=0"),
    Bug("scheduler", "drops refinements of the o gate", ".data_i ({refine_index_i, refine_levels_i})", ".data_i ({refine_index_i, 2'b00, refine_levels_i[5:0]})",
        ACCELERATOR, "random_networks/stalls=0"),
    Bug("sequencer", "takes a late pass along with a refinement", "= late && !refinement &&", "= late &&", ACCELERATOR,
        "random_networks/stalls=0"),
    Bug("early_walker", "enters more units than can be in flight", "gate_q != `GATE_I || !full_i", "1'b1", WIDE, "random_networks/stalls=0"),
    Bug("early_walker", "gives the rows of a unit two numbers", "gate_q == `GATE_I ? next_index_i : next_index_i - 1'b1", "next_index_i", ACCELERATOR,
        "the_smallest_networks"),
    Bug("late_walker", "runs ahead although the trace has no room", "(!trace_enable_i || trace_credits_q != 2'd0)", "1'b1", ACCELERATOR, "random_networks/stalls=4"),
    Bug("late_walker", "goes on before the early pass of the row", "units_q != 0 && early_done && input_there", "units_q != 0 && input_there", ACCELERATOR,
        "random_networks/stalls=0"),
    Bug("refinement_walker", "forgets rows at the middle level", "!= `LEVEL_LOWEST && !taken_q[k]", "== `LEVEL_ALL && !taken_q[k]", ACCELERATOR,
        "random_networks/stalls=0"),
    Bug("refinement_walker", "lets rows of two levels share a pass", " && levels_i[`LEVEL_WIDTH*other +: `LEVEL_WIDTH] == levels_i[`LEVEL_WIDTH*gate +: `LEVEL_WIDTH];", ";",
        "test_refinement_walker.py"),
    Bug("row_engine", "lets words of an aborted run complete a row", "if (!rst_ni || clear_i) valid_q <= 0;", "if (!rst_ni) valid_q <= 0;", ACCELERATOR, "a_soft_reset"),
    Bug("lstm_accelerator", "traces every row as refined", ".commit_levels_i    (commit_levels)", ".commit_levels_i    (8'haa)", ACCELERATOR, "random_networks/stalls=0"),
    Bug("tile", "decides by the layer's policy against the override", "late_policy     = override_i ? override_policy_i : ", "late_policy     = ", ACCELERATOR,
        "random_networks/stalls=0"),
    Bug("elementwise_engine", "gives back no room for what is refined", " + {2'd0, refine_valid_o}", "", "test_elementwise_engine.py"),
    Bug("elementwise_engine", "takes units without room to commit them", "(commit_room_q != 0)", "(1'b1)", "test_elementwise_engine.py"),
    Bug("activation_writer", "does not carry into the upper half of h", "h[7:4] + {3'd0, h[3]}", "h[7:4]", ACCELERATOR, "the_smallest_networks"),
    Bug("activation_writer", "loses the exponents of x", "act_exponent_q <= x_exponent;", "act_exponent_q <= 4'd4;", ACCELERATOR, "random_networks/stalls=0"),
    Bug("activation_writer", "loses a granule that finds the port taken", "x_there & (commit_valid_i | load_valid_i);", "1'b0;", "test_activation_writer.py", "every_write"),
    Bug("activation_writer", "keeps a granule over a clear", "rst_ni & ~clear_i & x_there", "rst_ni & x_there", "test_activation_writer.py", "clear_drops"),
    Bug("input_stream", "announces a step whose last granule is held", "loaded_q  <= written_q & ~x_held_i;", "loaded_q  <= written_q;", INPUT, "packets_reach"),
    Bug("input_stream", "keeps one exponent for a term", "group_left_q == 1 || term_end;", "term_end;", INPUT, "packets_reach"),
    Bug("input_stream", "lets a group go on into the second term", "group_left_q == 1 || term_end;", "group_left_q == 1;", INPUT, "packets_reach"),
    Bug("input_stream", "writes the exponents as values", "take & ~header & closing == s_x_tlast_i", "take & closing == s_x_tlast_i", INPUT, "packets_reach"),
    Bug("input_stream", "lets a packet end at its exponents", "take & s_x_tlast_i & ~closing & ~clear_i", "take & s_x_tlast_i & ~closing & ~header & ~clear_i", INPUT,
        "a_wrong_length"),
    Bug("descriptor_check", "lets a level lose quarters of the one below", "descriptor_i[`DESCRIPTOR_MIDDLE_X1] >= descriptor_i[`DESCRIPTOR_LOWEST_X1]", "1'b1",
        LOADER, "descriptors_are"),
    Bug("descriptor_check", "lets a level add nothing to the one below", "descriptor_i[`DESCRIPTOR_MIDDLE_X0] != descriptor_i[`DESCRIPTOR_LOWEST_X0]", "1'b1",
        LOADER, "descriptors_are"),
    Bug("run_control", "starts under a policy that does not exist", "(!override_i || Exists[override_policy_i])", "1'b1", "test_control.py", "start_is_checked"),
    # Registers that are not as rtl/registers.rdl says.
    Bug("axil_registers", "begins with no sequence", "sequences_q  <= `REG_SEQUENCES_RESET;", "sequences_q  <= 0;", REGISTERS, "every_register_has"),
    Bug("axil_registers", "ignores the strobe of the third byte", "{8{write_strobe_i[2]}}", "8'hFF", REGISTERS, "every_strobe"),
    Bug("axil_registers", "writes SEQUENCES together with LAYERS", "`REG_LAYERS:       layers_q    <= merge(layers_q) & `REG_LAYERS_MASK;",
        "`REG_LAYERS: begin layers_q <= merge(layers_q); sequences_q <= merge(sequences_q); end", REGISTERS, "every_bit_is_written"),
    Bug("axil_registers", "keeps a bit that no field has", "merge(config_q) & `REG_CONFIG_MASK", "merge(config_q) & (`REG_CONFIG_MASK | 32'h80)", REGISTERS,
        "every_bit_is_written"),
    Bug("axil_registers", "has no bit for the kind of state", "merge(select_q) & `REG_STATE_SELECT_MASK", "merge(select_q) & 32'hFF00FFFF", REGISTERS,
        "every_bit_is_written"),
    Bug("axil_registers", "answers reads beyond the last counter", "read_address_i < `REG_COUNTERS_END", "read_address_i < `REG_COUNTERS_END + 8", REGISTERS,
        "every_other_address"),
    Bug("axil_registers", "takes writes of STATUS", "`REG_WRITABLE: write", "`REG_WRITABLE, `REG_STATUS: write", REGISTERS,
        "what_is_read_only"),
    Bug("axil_registers", "clears errors by bytes that are not strobed", "`REG_ERRORS ? ones", "`REG_ERRORS ? write_data_i", REGISTERS, "every_sticky_bit"),
    Bug("axil_registers", "shows done where busy belongs", "status[`REG_STATUS_BUSY]          = busy_i", "status[`REG_STATUS_BUSY] = done_i", REGISTERS, "every_bit_of_status"),
    # What a hostile audit planted and the bench of then did not see.
    Bug("lstm_accelerator", "commits while the row counters are copied", ".commit_stall_i     (commit_stall)", ".commit_stall_i     (1'b0)", EVERY_CYCLE, "a_snapshot_with_clear"),
    Bug("input_stream", "takes and drops a packet that comes during clear", "s_x_tready_o  = discard_q |", "s_x_tready_o  = discard_q | clear_i |", INPUT, "nothing_begins"),
    Bug("input_stream", "ends a run by the low half of the sequences", "s_x_tuser_i & sequences_q == 1;", "s_x_tuser_i & sequences_q[15:0] == 1;", INPUT, "every_bit_of"),
    Bug("input_stream", "never borrows from the high half of the sequences", "sequences_q <= sequences_q - {31'b0, s_x_tuser_i};",
        "sequences_q[15:0] <= sequences_q[15:0] - {15'b0, s_x_tuser_i};", "test_input_stream.py::test_input_stream[16-0]", "a_long_run"),
    Bug("input_stream", "loses a cycle after the bus was taken", "assign s_x_tready_o  = discard_q |", "reg held_q;\n  always @(posedge clk_i) held_q <= valid_q & ~x_ready_i;\n  assign s_x_tready_o  = discard_q | ~(held_q & valid_q) &",
        "test_input_stream.py::test_input_stream[16-0]", "packets_reach"),
    Bug("run_control", "takes 65536 sequences for none", "sequences_i != 0", "sequences_i[15:0] != 0", "test_control.py", "start_is_checked"),
    Bug("run_control", "starts in the cycle of a soft reset", "start_request_i & ~reset_request_i & state_q", "start_request_i & state_q", "test_control.py", "soft_reset_waits"),
    Bug("run_control", "is done after a soft reset in the last cycle", "(done_q | finish) & ~start & ~reset_request_i", "(done_q & ~reset_request_i | finish) & ~start", CONTROL_RACES,
        "a_soft_reset_against_the_end"),
    Bug("output_stream", "remembers a step that is done in the cycle of a clear", "if (clear_i) pending_q <= 2'd0;", "if (clear_i) pending_q <= {1'b0, done_i};",
        "test_output_stream.py::test_output_stream[8-1]", "a_step_that_is_done"),
    Bug("output_stream", "sends a step that was done in the last cycle before a soft reset ends", "if (clear_i) pending_q <= 2'd0;", "if (clear_i) pending_q <= {1'b0, done_i};", EVERY_RESET,
        "a_reset_in_every_cycle_of_a_run/reset=soft"),
    Bug("in_flight", "keeps the units of a hostile image after a soft reset", "if (!rst_ni || clear_i) begin", "if (!rst_ni) begin", HOSTILE, "there_is_always"),
    Bug("output_stream", "loses a cycle between packets", "pending_q != 0 & ~clear_i;", "pending_q != 0 & ~clear_i & ~freed_q;", "test_output_stream.py::test_output_stream[8-1]",
        "packets_hold"),
    Bug("cell_update", "wraps at the first value that is too large", "wire               c_overflow = ", "wire               c_overflow = c_sum != 18'sd32768 && ", "test_cell_update.py"),
    Bug("cell_update", "gives tanh a wrapped argument at the first that is too large", "wire               overflow    = ", "wire               overflow    = c_widened != 22'sd32768 && ",
        "test_cell_update.py"),
    Bug("image_loader", "forgives one beat too many", "length_error_o = ~clear_i & last != complete;", "length_error_o = ~clear_i & last & ~complete;", LOADER, "wrong_lengths"),
    Bug("layer_table", "has no more than 32 units in a packet of h", "= units_q[output_layer_i];", "= units_q[output_layer_i] > 32 ? 11'd32 : units_q[output_layer_i];", SITUATIONS,
        "a_last_layer"),
    Bug("elementwise_engine", "has no last cell", "ram #(.Width(CellWidth), .Depth(UnitDepth))", "ram #(.Width(CellWidth), .Depth(UnitDepth-1), .AddressWidth(UnitWidth))", SITUATIONS,
        "memories_filled_to_their_last_word/shape=1"),
    Bug("elementwise_engine", "has no last row constant", "ram #(.Width(ConstantWidth), .Depth(4*UnitDepth))", "ram #(.Width(ConstantWidth), .Depth(4*UnitDepth-1), .AddressWidth(UnitWidth+2))",
        SITUATIONS, "memories_filled_to_their_last_word/shape=1"),
    Bug("axil_registers", "loses a refused read while errors are cleared", "`REG_ERRORS_MASK) | error_events;", "`REG_ERRORS_MASK) | error_events & ~(errors_cleared & 32'd1 << `REG_ERRORS_ACCESS);",
        CONTROL_RACES, "a_refused_read"),
    Bug("axil_registers", "tells of no error beside the end of a run", "= |error_events;", "= |error_events & ~done_event_i;", CONTROL_RACES, "the_end_of_a_run_and"),
    Bug("axil_registers", "reads the ninth tile as the first", "<< tile[3:0] :", "<< tile[2:0] :", "lstm_accelerator/test_lstm_accelerator.py::test_lstm_accelerator[eleven_tiles_baseline]",
        "state_is_carried_and_loaded/stalls=0"),
    Bug("axil_registers", "clears interrupts by bytes that are not strobed", "`REG_INTERRUPT ? ones", "`REG_INTERRUPT ? write_data_i", REGISTERS, "every_sticky_bit"),
    Bug("axil_registers", "clears counters by a byte that is not strobed", "control & ones[`REG_CONTROL_CLEAR]", "control & write_data_i[`REG_CONTROL_CLEAR]", REGISTERS, "every_pulse"),
    Bug("counters", "counts eight tiles at most", "tile < Tiles; tile = tile + 1", "tile < (Tiles > 8 ? 8 : Tiles); tile = tile + 1", "test_counters.py::test_counters[11]", "every_tile"),
    Bug("counters", "carries up to bit 16", "live_q[counter] + increment(counter);", "live_q[counter] + increment(counter) & 64'hFFFF;", "test_counters.py::test_counters[16]",
        "counts_carry"),
    Bug("row_counters", "carries up to bit 12", "+ 64'd1 + {63'd0, pair_q};", "+ 64'd1 + {63'd0, pair_q} & 64'hFFF;", "test_row_counters.py", "counts_carry"),
    Bug("sequencer", "calls the wait for h one for a decision", "in_flight_count_i > late_units", "in_flight_count_i >= late_units", ACCELERATOR, "the_smallest_networks"),
    Bug("sequencer", "calls the drain of the last unit a wait for input", "in_flight_count_i == 0 ?", "in_flight_count_i <= 1 ?", ACCELERATOR, "the_smallest_networks"),
    # Registers that reset forgets: only random initial values show them.
    Bug("counters", "has a snapshot before the first", "snapshot_q[counter] <= 0;", "", RESET, "registers_hold"),
    Bug("run_control", "may be done before the first run", "done_q  <= 1'b0;", "done_q  <= done_q;", RESET, "registers_hold"),
    Bug("layer_table", "may have layers that nobody loaded", "valid_q <= 0;", "valid_q <= valid_q;", "test_layer_table.py", "layers_are"),
]


def plant(bug: Bug) -> str:
    """Plants a bug and reports it; the report begins with "caught" when all is well."""
    folder = FOLDER / re.sub(r"\W+", "_", f"{bug.file} {bug.what}")
    try:
        rtl = changed_rtl(folder, bug.file, replace_once(bug.file, bug.before, bug.after))
    except ValueError as error:
        return f"stale: {error}"
    code, output, seconds = run_test(bug.test, rtl, folder, bug.case)
    if code == 0:
        return f"SURVIVED {seconds:.0f} s"
    reason = reason_of(output)
    if code != 1 or not reason:
        return f"no verdict from {bug.test}:\n{output}"
    return f"caught in {seconds:.0f} s by {bug.test}: {reason[:100]}"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tb.commands.planted_bugs", description=__doc__.splitlines()[0])
    parser.add_argument("words", nargs="*", help="plant only the bugs whose file or text holds one of these words")
    words = parser.parse_args().words
    bugs = [bug for bug in BUGS if not words or any(word in f"{bug.file} {bug.what}" for word in words)]
    if not words:
        REPORT.unlink(missing_ok=True)
    judged, failures = source(*JUDGED), []
    shutil.rmtree(FOLDER, ignore_errors=True)
    with ThreadPoolExecutor(2) as pool:
        clean = list(dict.fromkeys((bug.test, bug.case) for bug in bugs))
        folders = [FOLDER / f"clean_{number}" for number in range(len(clean))]
        for (test, case), (code, output, _) in zip(clean, pool.map(lambda one, folder: run_test(one[0], RTL, folder, one[1]), clean, folders)):
            if code:
                print(f"{test} {case} fails without a bug:\n{output}")
                return 1
        for bug, report in zip(bugs, pool.map(plant, bugs)):
            print(f"{bug.file + '.v':18} {bug.what:58} {report}", flush=True)
            if not report.startswith("caught"):
                failures.append(failure(f"{bug.file}: {bug.what}", report, f".venv/bin/python -m tb.commands.planted_bugs {quote(f'{bug.file} {bug.what}')}"))
    if not words:
        REPORT.write_text(json.dumps({**judged, "bugs": len(bugs), "caught": len(bugs) - len(failures), "failures": failures}, indent=1) + "\n")
    print(f"{len(bugs) - len(failures)} of {len(bugs)} planted bugs were caught")
    return int(bool(failures))


if __name__ == "__main__":
    sys.exit(main())
