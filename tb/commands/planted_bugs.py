# SPDX-License-Identifier: MIT
"""`make test-bench`: does the bench bite? Plants one known bug at a time in a copy of rtl/ and runs the smallest test that should catch it.

Prints a line a bug: file, bug, what caught it, seconds. Fails when a bug survives, when the test fails without it, or when the line
that a bug replaces is not there any more. Icarus runs the tests, for it builds in a second, but those of registers that reset forgets, which
need random initial values.
"""

import argparse
import os
import re
import shutil
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from tb.bench import leash
from tb.bench.runner import BUILD, ROOT, RTL

FOLDER = BUILD / "planted"
ACCELERATOR = "lstm_accelerator/test_lstm_accelerator.py::test_lstm_accelerator[small]"
ERRORS = "lstm_accelerator/test_errors.py"
PROTOCOLS = "lstm_accelerator/test_protocols.py"
WIDE = "lstm_accelerator/test_lstm_accelerator.py::test_lstm_accelerator[one_tile]"  # short layers: x comes while h is committed
RACES = "lstm_accelerator/test_races.py::test_races[icarus]"
CONTROL_RACES = "test_control_races.py::test_control_races[icarus]"
REGISTERS = "test_registers.py::test_registers[icarus]"
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
    Bug("round_shift", "truncates instead of rounding", "{{Width{1'b0}}, 1'b1}", "{(Width+1){1'b0}}", "test_round_shift.py"),
    Bug("requantizer", "wraps where z saturates", "z_overflow ? {biased[ScaledWidth], {15{~biased[ScaledWidth]}}} : biased[15:0]", "biased[15:0]", "test_requantizer.py"),
    Bug("activation", "forgets that -32768 has no positive", "negated[15] ? 15'h7fff : ", "", "test_activation.py"),
    Bug("dot_product", "takes nibbles as unsigned", "$signed(weights_i[lane*WeightBits +: WeightBits])",
        "$signed({1'b0, weights_i[lane*WeightBits +: WeightBits]})", "test_dot_product.py"),
    Bug("cell_update", "wraps where the cell state saturates", "c_overflow ? {c_sum[17], {15{~c_sum[17]}}} : c_sum[15:0]", "c_sum[15:0]",
        "test_cell_update.py"),
    Bug("log_code", "loses the bit below the leading one", "{bit_index[3:0], value_i[bit_index-1]}", "{bit_index[3:0], 1'b0}", "test_log_code.py"),
    Bug("precision_unit", "lets the history decay twice as fast", "history_i - 5'd1", "history_i - 5'd2", "test_precision_unit.py"),
    Bug("precision_unit", "gives i and g the size of c, f and o the history", "i_valid_i || g_valid_i ? {", "!i_valid_i && !g_valid_i ? {", "test_precision_unit.py"),
    Bug("precision_unit", "forgets that -32768 has a size", "u_code (.value_i(magnitude)", "u_code (.value_i({1'b0, magnitude[14:0]})", "test_precision_unit.py"),
    Bug("precision_unit", "lets the size of a change be more than that of 32767", "c_valid_i ? change_code", "c_valid_i ? code", "test_precision_unit.py"),
    Bug("precision_unit", "never refines o where t is 0 under CELL_HISTORY", "(!zero || cell_history_q)", "!zero", "test_precision_unit.py"),
    Bug("precision_unit", "forgets what an error in the cell does later", "none || factors < cell_floor_i ? cell_floor_i : factors", "factors",
        "test_precision_unit.py"),
    Bug("fifo", "takes a word more than it holds", "Full  = Depth;", "Full  = Depth + 1;", "test_fifo.py"),
    Bug("row_sums", "keeps the hi plane at the weight of the lo plane", "product <<< HiShift", "product", ACCELERATOR, "random_networks/stalls=0"),
    Bug("post_processing", "uses the threshold of the gate after", "`DESCRIPTOR_THETA(row_gate)", "`DESCRIPTOR_THETA(next_gate)", ACCELERATOR,
        "random_networks/stalls=0"),
    Bug("post_processing", "takes the history of another sequence", "phase_q[9] || phase_q[10] ? first_late_q", "phase_q[9] ? first_late_q", WIDE,
        "a_sequence_forgets"),
    Bug("post_processing", "adds the full bias to rows left in low precision", "final_q && mask_q[row_gate]", "final_q", ACCELERATOR, "random_networks/stalls=0"),
    Bug("scheduler", "drops refinements of the o gate", ".data_i ({refine_index_i, refine_mask_i})", ".data_i ({refine_index_i, 1'b0, refine_mask_i[2:0]})",
        ACCELERATOR, "random_networks/stalls=0"),
    Bug("row_pass", "reads the second term from the first", "segment_x1 ? term_length", "1'b0 ? term_length", ACCELERATOR, "the_smallest_networks"),
    Bug("row_pass", "starts a sequence from the state before", "segment_h && step_first_i[step_q]", "1'b0", ACCELERATOR, "random_networks/stalls=0"),
    Bug("sequencer", "runs ahead although the trace has no room", "step_done_late && trace_enable_i)", "1'b0)", ACCELERATOR, "random_networks/stalls=2"),
    Bug("row_engine", "lets words of an aborted run complete a row", "word_valid_q <= 3'd0;", "word_valid_q <= {word_valid_q[1:0], 1'b0};", ACCELERATOR,
        "a_soft_reset"),
    Bug("output_stream", "sends what lies behind the last unit", "tail_q == 0 ? word :", "1'b1 ? word :", ACCELERATOR, "random_networks/stalls=0"),
    Bug("output_stream", "does not wait for ready", "more & (~valid_q | m_tready_i)", "more", PROTOCOLS, "a_run_beat_by_beat/rate=0.4"),
    Bug("axil_endpoint", "withdraws a response that is not taken", "write | (b_valid_q & ~s_axil_bready_i)", "write", PROTOCOLS,
        "registers_under_pauses/rate=0.5"),
    Bug("input_stream", "forgets the state although told to keep it", "first_q & ~stateful_i", "first_q", ACCELERATOR, "state_is_carried"),
    Bug("row_counters", "counts one layer's commit in the one before", "forward_q <= valid_q & layer_q == commit_layer_i;", "forward_q <= valid_q;",
        "test_row_counters.py"),
    Bug("image_loader", "takes loads while a run is under way", "busy_error_o   = closed_i;", "busy_error_o   = 1'b0;", ERRORS, "a_load_while_busy"),
    Bug("descriptor_check", "lets cells reach beyond their memory", "unit_base + slots <= UnitDepth", "unit_base <= UnitDepth", ERRORS, "bad_descriptors"),
    Bug("axil_registers", "keeps errors over a soft reset", "soft_reset_o ? `REG_ERRORS_MASK : write", "write", ERRORS, "x_of_the_wrong_length"),
    Bug("commit_arbiter", "always prefers the first tile", "|waiting ? waiting : commit_valid_i", "commit_valid_i", "test_commit_arbiter.py"),
    Bug("control", "counts committed h only as writes of activations", ".activation_write_i (act_we_i)", ".activation_write_i (commit_valid_i)", ACCELERATOR,
        "the_smallest_networks"),
    Bug("counters", "counts every event as a scale read", "event_i[`EVENTS_WIDTH*tile + kind]", "event_i[`EVENTS_WIDTH*tile]", ACCELERATOR, "the_smallest_networks"),
    Bug("delay", "is a cycle short", "line_q[Width*(Cycles-1) +: Width]", "line_q[Width*(Cycles > 1 ? Cycles-2 : 0) +: Width]", ACCELERATOR,
        "the_smallest_networks"),
    Bug("descriptors", "gives the early pass the layer of the row pass before it", "{early_layer_i, row_pass_layer_i,", "{row_pass_layer_i, row_pass_layer_i,", ACCELERATOR,
        "random_networks/stalls=0"),
    Bug("layer_table", "takes the input of any layer for that of the network", "if (load_layer_i == 0) begin", "begin", ACCELERATOR,
        "random_networks/stalls=0"),
    Bug("lstm_accelerator", "traces every row as refined", ".commit_mask_i      (commit_mask)", ".commit_mask_i      (4'd15)", ACCELERATOR,
        "random_networks/stalls=0"),
    Bug("parameter_check", "lets six units in flight pass", "InFlight < 2 || InFlight != 1 << $clog2(InFlight)", "InFlight < 2", "test_parameter_check.py"),
    Bug("ram", "writes granules that are not enabled", "if (enable[granule])", "if (1'b1)", "test_ram.py"),
    Bug("register_file", "writes in every cycle", "if (write_enable_i) ", "", ACCELERATOR, "the_smallest_networks"),
    Bug("step_tracker", "forgets tiles that are ahead", "tile_done_i[tile] | ahead_q[4*tile +: 4] != 0", "tile_done_i[tile]", "test_step_tracker.py"),
    Bug("streams", "takes one layer too many", "layers_i - 1'b1;", "layers_i;", ACCELERATOR, "the_smallest_networks"),
    Bug("tile", "decides by the layer's policy against the override", "gates_policy = override_i ? override_policy_i : ", "gates_policy = ", ACCELERATOR,
        "random_networks/stalls=0"),
    Bug("tile_array", "lets a tile go on before the others are done", ".layer_done_i      (layer_done)", ".layer_done_i      (tile_done[k])", ACCELERATOR,
        "random_networks/stalls=0"),
    Bug("elementwise_engine", "loads no cell states", ".write_enable_i (cell_write_o || load_cell_i)", ".write_enable_i (cell_write_o)", ACCELERATOR,
        "state_is_carried"),
    Bug("activation_writer", "takes x although a commit goes first", "~commit_valid_i & ~load_valid_i", "1'b1", WIDE, "random_networks/stalls=1"),
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
    Bug("run_control", "ends a run although it is reset in that cycle", "finish & ~reset_request_i;", "finish;", CONTROL_RACES,
        "a_soft_reset_against_the_end"),
    Bug("axil_registers", "answers with a word of state that nobody read", "~state_good_q | ~idle;", "~idle;", CONTROL_RACES, "state_is_read"),
    Bug("axil_registers", "takes the byte of the selection written meanwhile", "state_word[8*lane_q +: 8]", "state_word[8*address[LaneBits-1:0] +: 8]",
        CONTROL_RACES, "a_read_of_state"),
    Bug("axil_registers", "loses an error while another is cleared", "errors_q & ~errors_cleared & `REG_ERRORS_MASK) | error_events;",
        "errors_q | error_events) & ~errors_cleared & `REG_ERRORS_MASK;", CONTROL_RACES, "an_error_is_not_lost"),
    Bug("axil_registers", "loses an interrupt while another is cleared", "interrupt_q & ~interrupt_cleared & `REG_INTERRUPT_MASK) | interrupt_events;",
        "interrupt_q | interrupt_events) & ~interrupt_cleared & `REG_INTERRUPT_MASK;", CONTROL_RACES, "an_interrupt_is_not_lost"),
    Bug("counters", "loses what happens in the cycle of a clear", "if (active_q || clear_i)", "if (clear_i) for (counter = 0; counter < Counters; counter = counter + 1) live_q[counter] <= 0; else if (active_q)",
        CONTROL_RACES, "a_snapshot_loses"),
    Bug("row_counters", "clears the rows of a commit that came with the snapshot", "assign busy_o      = busy_q;", "assign busy_o      = busy_q & walk_q != Wait;",
        CONTROL_RACES, "a_snapshot_loses"),
    # Registers that are not as rtl/registers.rdl says.
    Bug("axil_registers", "begins with no sequence", "sequences_q <= `REG_SEQUENCES_RESET;", "sequences_q <= 0;", REGISTERS, "every_register_has"),
    Bug("axil_registers", "ignores the strobe of the third byte", "{8{write_strobe_i[2]}}", "8'hFF", REGISTERS, "every_strobe"),
    Bug("axil_registers", "writes SEQUENCES together with LAYERS", "`REG_LAYERS:       layers_q    <= merge(layers_q) & `REG_LAYERS_MASK;",
        "`REG_LAYERS: begin layers_q <= merge(layers_q); sequences_q <= merge(sequences_q); end", REGISTERS, "every_bit_is_written"),
    Bug("axil_registers", "keeps a bit that no field has", "merge(config_q) & `REG_CONFIG_MASK", "merge(config_q) & (`REG_CONFIG_MASK | 32'h40)", REGISTERS,
        "every_bit_is_written"),
    Bug("axil_registers", "has no bit for the kind of state", "merge(select_q) & `REG_STATE_SELECT_MASK", "merge(select_q) & 32'hFF00FFFF", REGISTERS,
        "every_bit_is_written"),
    Bug("axil_registers", "answers reads beyond the last counter", "read_address_i < `REG_COUNTERS_END", "read_address_i < `REG_COUNTERS_END + 8", REGISTERS,
        "every_other_address"),
    Bug("axil_registers", "takes writes of STATUS", "`REG_WRITABLE: write", "`REG_WRITABLE, `REG_STATUS: write", REGISTERS,
        "what_is_read_only"),
    Bug("axil_registers", "clears errors by bytes that are not strobed", "`REG_ERRORS ? ones", "`REG_ERRORS ? write_data_i", REGISTERS, "every_sticky_bit"),
    Bug("axil_registers", "shows done where busy belongs", "status[`REG_STATUS_BUSY]          = busy_i", "status[`REG_STATUS_BUSY] = done_i", REGISTERS, "every_bit_of_status"),
    # Registers that reset forgets: only random initial values show them.
    Bug("counters", "has a snapshot before the first", "snapshot_q[counter] <= 0;", "", RESET, "registers_hold"),
    Bug("run_control", "may be done before the first run", "done_q  <= 1'b0;", "done_q  <= done_q;", RESET, "registers_hold"),
    Bug("layer_table", "may have layers that nobody loaded", "valid_q <= 0;", "valid_q <= valid_q;", RESET, "no_layer"),
]


def run_test(bug: Bug, rtl: Path, folder: Path) -> tuple[int, str, float]:
    """Exit code of pytest, its output and the seconds, with the design in `rtl`; what the test writes goes to `folder`."""
    environment = {**os.environ, "SIM": "icarus", "RETRACE": "0", "RTL": str(rtl), "RUNS": str(folder / "runs"), "COCOTB_TEST_FILTER": bug.case}
    start = time.monotonic()
    ended = leash.run([sys.executable, "-m", "pytest", "-x", "-q", f"tb/tests/{bug.test}"], cwd=ROOT, env=environment, capture_output=True, text=True)
    return ended.returncode, ended.stdout, time.monotonic() - start


def plant(bug: Bug) -> str:
    """Plants a bug and reports it; the report begins with "caught" when all is well."""
    folder = FOLDER / re.sub(r"\W+", "_", f"{bug.file} {bug.what}")
    shutil.copytree(RTL, folder / "rtl")
    path = folder / "rtl" / f"{bug.file}.v"
    text = path.read_text()
    if text.count(bug.before) != 1:
        return f"stale: {bug.before!r} is in {path.name} {text.count(bug.before)} times"
    path.write_text(text.replace(bug.before, bug.after))
    code, output, seconds = run_test(bug, folder / "rtl", folder)
    if code == 0:
        return f"SURVIVED {seconds:.0f} s"
    reason = re.search(r"(?:SimulationError|Failed): (.*?)\n(?:E +log: |\n)", output, re.DOTALL)
    if code != 1 or not reason:
        return f"no verdict from {bug.test}:\n{output}"
    words = " ".join(reason[1].replace("\nE ", " ").split())
    return f"caught in {seconds:.0f} s by {bug.test}: {words[:100]}"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tb.commands.planted_bugs", description=__doc__.splitlines()[0])
    parser.add_argument("words", nargs="*", help="plant only the bugs whose file or text holds one of these words")
    words = parser.parse_args().words
    bugs = [bug for bug in BUGS if not words or any(word in f"{bug.file} {bug.what}" for word in words)]
    survived = 0
    shutil.rmtree(FOLDER, ignore_errors=True)
    with ThreadPoolExecutor(2) as pool:
        clean = list({(bug.test, bug.case): bug for bug in bugs}.values())
        folders = [FOLDER / f"clean_{number}" for number in range(len(clean))]
        for bug, (code, output, _) in zip(clean, pool.map(run_test, clean, [RTL] * len(clean), folders)):
            if code:
                print(f"{bug.test} {bug.case} fails without a bug:\n{output}")
                return 1
        for bug, report in zip(bugs, pool.map(plant, bugs)):
            print(f"{bug.file + '.v':18} {bug.what:58} {report}", flush=True)
            survived += not report.startswith("caught")
    print(f"{len(bugs) - survived} of {len(bugs)} planted bugs were caught")
    return int(survived > 0)


if __name__ == "__main__":
    sys.exit(main())
