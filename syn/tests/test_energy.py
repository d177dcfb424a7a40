# SPDX-License-Identifier: MIT
"""Energy of a netlist: Liberty's figures, hand-computed toggles, and a replay that notices a wrong gate, a wrong output and a wrong state."""

import os
import random
import subprocess
from dataclasses import replace

import numpy as np
import pytest
from filelock import FileLock

from models.build import Build
from models.policies import Policy
from models.tests.random_networks import random_network
from syn import energy, gates, memory, replay, saving
from syn.library import OSU, ihp
from syn.power import Library, NetPower, parse_liberty
from syn.synthesize import BUILD, RTL, fetch_library, synthesize
from tb.bench.directions import Direction
from tb.tests.lstm_accelerator.cases import SMALL, sequences_of

FOLDER = BUILD / "test"

LIBERTY_TEXT = """
/* a library with one gate */
library(small) {
  capacitive_load_unit (1,pf); nom_voltage : 1.8; leakage_power_unit : "1nW";
  power_lut_template(one) { variable_1 : input_transition_time; }
  power_lut_template(two) { variable_1 : total_output_net_capacitance; variable_2 : input_transition_time; }
  cell (GATE) {
    area : 24; cell_leakage_power : 2.5;
    pin(A) { direction : input; capacitance : 0.01; }
    pin(B) { direction : input; capacitance : 0.03; internal_power() { rise_power(one) { index_1 ("0.06, 0.30"); values ("0.1, 0.3"); }
                                                                     fall_power(one) { index_1 ("0.06, 0.30"); values ("0.5, 0.5"); } } }
    pin(Y) {
      direction : output; capacitance : 0; function : "(!(A B))";
      internal_power() { related_pin : "A";
        rise_power(two) { index_1 ("0.0, 0.1"); index_2 ("0.18, 0.6"); values ( \\
            "0.2, 9", \\
            "0.4, 9"); }
        fall_power(two) { index_1 ("0.0, 0.1"); index_2 ("0.18, 0.6"); values ("0.1, 9", "0.1, 9"); } }
      internal_power() { related_pin : "B";
        rise_power(two) { index_1 ("0.0, 0.1"); index_2 ("0.18, 0.6"); values ("0.4, 9", "0.6, 9"); }
        fall_power(two) { index_1 ("0.0, 0.1"); index_2 ("0.18, 0.6"); values ("0.3, 9", "0.3, 9"); } }
    }
  }
}
"""


def gate(a, b, y):
    return {"type": "GATE", "connections": {"A": [a], "B": [b], "Y": [y]}, "port_directions": {"A": "input", "B": "input", "Y": "output"}}


def test_liberty():
    library = Library(LIBERTY_TEXT)
    assert library.leakage == {"GATE": 2.5}
    assert library.capacitance["GATE", "B"] == 0.03
    assert library.internal("GATE", "B") == pytest.approx((0.2, 0.5))  # between the slews of the table
    assert library.internal("GATE", "Y", 0.05) == pytest.approx((0.4, 0.2))  # mean over A and B, between the loads
    assert library.internal("GATE", "A") == (0.0, 0.0)


def test_a_cut_liberty_file_is_refused():
    with pytest.raises(ValueError, match="ends early"):
        parse_liberty(LIBERTY_TEXT[:-10])


def test_the_library_has_its_cells():
    fetch_library()
    library = Library(OSU.liberty.read_text())
    assert len(library.cells) == 32 and library.leakage["NAND2X1"] == 0.0393659
    assert all(sum(library.internal(name, "Y", 0.02)) > 0 for name in ("NAND2X1", "XOR2X1", "OAI22X1", "BUFX4", "MUX2X1"))


def test_energy_of_two_gates_by_hand():
    """Nets 2 and 3 enter, net 4 joins the gates, net 5 leaves: rises and falls as given, charged to who drives them, else to who reads them."""
    module = {"cells": {"a.first": gate(2, 3, 4), "b.second": gate(4, 3, 5)}, "netnames": {}}
    power = NetPower(module, Library(LIBERTY_TEXT))
    energies = power.energies(lambda cell: cell[0])
    toggles = np.array([[10, 0], [0, 10], [4, 6], [1, 2]])
    half = 1.8 ** 2 / 2
    reads = {"a": 10 * 0.01 * half + 10 * (0.03 * half + 0.5), "b": 10 * (0.03 * half + 0.5)}
    # Net 4 drives pin A of 0.01 pF: internal power of a rise 0.3 + 0.2 * 0.1, of a fall 0.2.
    drives = {"a": 10 * 0.01 * half + 4 * 0.32 + 6 * 0.2, "b": 1 * 0.3 + 2 * 0.2}
    assert energies.by_owner(toggles) == pytest.approx({owner: reads[owner] + drives[owner] for owner in "ab"})
    assert power.leakage() == 5.0


def test_toggles_of_a_dump():
    """By part between $dumpon and $dumpoff, of nets n<number>; a value that is written again is no toggle."""
    dump = b"$var wire 1 ! n7 $end\n$var integer 32 1! sample $end\n$var wire 1 \" n12 $end\n$var reg 1 % clk $end\n$enddefinitions $end\n#0\n1!\n0!\n" \
           b"#5\n$dumpon\n0!\n1\"\n0%\n$end\n1!\nb101 1!\n1%\n#6\n1!\n0\"\n#7\n0!\n$dumpoff\nx!\nx\"\n$end\n#9\n1!\n" \
           b"#10\n$dumpon\n1!\n0\"\n0%\n$end\n#11\n0!\n$dumpoff\nx!\n$end\n"
    assert replay.toggles(dump) == [{7: (1, 1), 12: (0, 1)}, {7: (0, 1), 12: (0, 0)}]


@pytest.mark.parametrize("function, verilog", [
    ("(!(A B))", "(~(A & B))"), ("!((A1*A2)+B1)", "(~((A1 & A2) | B1))"), ("A^B C", "(A ^ (B & C))"), ("A'+!B_N", "((~A) | (~B_N))"),
    ("1", "1'b1"), ("(!S A) + (S B)", "(((~S) & A) | (S & B))"),
])
def test_functions_of_liberty(function, verilog):
    assert gates.expression(function) == verilog


@pytest.mark.parametrize("function", ["(A", "A)", "A +", "", "A & ? B"])
def test_what_is_no_function_is_refused(function):
    with pytest.raises(ValueError, match="no function"):
        gates.expression(function)


def test_macros_of_memories():
    """The exponent beside the upper halves takes a macro of its own; two rows of the baseline's constants share a word."""
    dynamic, baseline = memory.memories(Build()), memory.memories(Build().baseline())
    assert dynamic["activations_hi"].row == ("2P_256x32",) * 8 + ("2P_256x8",)
    assert (baseline["constants"].row, baseline["constants"].rows) == (("1P_256x48",), 4)
    assert dynamic["weights_hi"].rows * 2 == 32 and dynamic["weights_hi"].area_um2 * 2 == pytest.approx(baseline["weights_hi"].area_um2)
    assert dynamic["weights_hi"].figure("read_pj") == pytest.approx(4 * 68.93)


def test_memory_energy_by_hand():
    names = ("ACTIVATION_WRITES", "SCALE_READS", "ROW_CONSTANT_READS", "CELL_READS", "CELL_WRITES")
    counters = dict(zip(names, (16, 5, 7, 11, 13)))
    found = saving.memory_energy(counters, dict(zip((("weights_hi", "first"), ("weights_lo", "refined"), ("activations_hi", "first"), ("activations_lo", "refined")),
                                                    (100, 20, 100, 30))), "dynamic", tiles=4)
    assert found["weights"] == pytest.approx(120 * 4 * 68.93)
    # 13 h: a macro of each half, and the exponent; 3 granules of x: two of each.
    writes = 4 * (13 * (2 * 34.81 + 11.08) + 3 * (4 * 34.81 + 11.08))
    assert found["activations"] == pytest.approx(writes + 100 * (8 * 26.04 + 8.318) + 30 * 8 * 26.04)
    constants = memory.memories(Build())["constants"].figure("read_pj")
    assert found["other memories"] == pytest.approx(5 * memory.memories(Build())["scales"].figure("read_pj") + 7 * constants + 11 * 3 * 11.38 + 13 * 3 * 14.16)
    baseline = saving.memory_energy(counters, {("weights_hi", "first"): 100, ("activations", "first"): 100}, "baseline", tiles=4)
    assert baseline["weights"] == pytest.approx(100 * 2 * 68.93)


# A part of a tile with memories, register files and flip-flops; random inputs drive it, so that no network and no bench is needed.
PART = Build(tiles=1, lanes=8, in_flight=2, weight_depth=1024, unit_depth=256, activation_depth=32)
PARAMETERS = {"DotLanes": PART.dot_lanes, "InFlight": PART.in_flight, "WeightDepth": PART.weight_depth, "UnitDepth": PART.unit_depth,
              "ActivationDepth": PART.activation_depth}
BENCH = """`timescale 1ps/1ps
module bench;
  reg clk = 1;
  reg [{bits}-1:0] inputs, all_inputs[0:{cycles}-1];
  row_engine #({parameters}) dut (.clk_i(clk), {ports});
  integer cycle, index;
  initial begin
{clear}
    $readmemh("inputs.hex", all_inputs);
    $dumpfile("waves.vcd");
    $dumpvars(0, bench);
{dump}
    for (cycle = 0; cycle < {cycles}; cycle = cycle + 1) begin
      #300 inputs = all_inputs[cycle];
      #4700 clk = 0;
      #5000 clk = 1;
    end
    $finish;
  end
endmodule
"""


def random_run(tile, folder, cycles, seed=1):
    """Waves of row_engine of rtl/ under random inputs: its memories are loaded in the first half, and read in the second. Reset and clear are rare."""
    folder.mkdir(parents=True, exist_ok=True)
    generator = random.Random(seed)
    seldom = {"rst_ni": lambda: generator.random() > 1 / 64, "clear_i": lambda: generator.random() < 1 / 64}
    words = [{name: int(seldom[name]()) if name in seldom else generator.getrandbits(width) for name, width in tile.inputs.items()} for _ in range(cycles)]
    for cycle, word in enumerate(words):
        word.update(dict.fromkeys(("valid_i", "reads_i") if cycle < cycles // 2 else ("load_hi_i", "load_lo_i", "load_scale_i"), 0))
    (folder / "inputs.hex").write_text("".join(f"{replay.packed(word, tile.inputs)}\n" for word in words))
    ports = ", ".join(f".{name}(inputs[{place} +: {width}])" for name, place, width in replay.places(tile.inputs))
    arrays = [(path, "memory", "Depth") for path in tile.memories] + [(path, "words_q", "Depth") for path in tile.files]
    clear = "\n".join(f"    for (index = 0; index < dut.{path}.{depth}; index = index + 1) dut.{path}.{array}[index] = 0;" for path, array, depth in arrays)
    dump = "\n".join(f"    for (index = 0; index < dut.{path}.Depth; index = index + 1) $dumpvars(0, dut.{path}.words_q[index]);" for path in tile.files)
    parameters = ", ".join(f".{name}({value})" for name, value in PARAMETERS.items())
    (folder / "bench.v").write_text(BENCH.format(bits=sum(tile.inputs.values()), cycles=cycles, parameters=parameters, ports=ports, clear=clear, dump=dump))
    subprocess.run(["iverilog", "-g2005-sv", f"-I{RTL}", "-s", "bench", "-o", "bench.vvp", "bench.v", *sorted(RTL.glob("*.v"))], cwd=folder, check=True)
    subprocess.run(["vvp", "-n", "bench.vvp"], cwd=folder, check=True, capture_output=True)
    return replay.Waveform(folder / "waves.vcd", "bench.dut.")


@pytest.fixture(scope="module", params=["OSU018", pytest.param("IHP", marks=pytest.mark.skipif(not os.environ.get("PDK"), reason="PDK names no clone of IHP-Open-PDK"))])
def recorded(request):
    """The part as netlist of a library, and windows of a run of it in rtl/."""
    library = OSU if request.param == "OSU018" else ihp()
    folder = FOLDER / f"part-{library.name}"
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / "lock"):  # each worker of pytest-xdist makes its own, in the same files
        tile = replay.Tile(synthesize("row_engine", "row_engine", PARAMETERS, folder=folder, library=library, build=PART), Library(library.liberty.read_text()))
        wave = random_run(tile, folder, 6000)
    return tile, replay.record(tile, wave, [3100, 4000], energy.CYCLES), folder


def test_a_replay_gives_what_rtl_gives(recorded):
    tile, windows, folder = recorded
    check_replay(tile, windows, folder)


def test_a_replay_finds_a_wrong_output(recorded):
    tile, windows, folder = recorded
    samples = {**windows[-1].samples, "sum_o": [value ^ 1 for value in windows[-1].samples["sum_o"]]}
    with pytest.raises(replay.ReplayError, match="window 1, cycle 0: the netlist gives sum_o"):
        replay.simulate(tile, [windows[0], replace(windows[1], samples=samples)], False, folder / "wrong-output")


def test_a_replay_finds_a_wrong_gate(recorded, monkeypatch):
    tile, windows, folder = recorded
    others = {"NAND2X1": "NOR2X1", "sg13g2_nand2_1": "sg13g2_nor2_1"}
    wrong = next(cell for name, cell in tile.cells.items() if "u_row_sums." in name and cell["type"] in others)
    monkeypatch.setitem(wrong, "type", others[wrong["type"]])
    with pytest.raises(replay.ReplayError, match="the netlist gives"):
        replay.simulate(tile, windows, False, folder / "wrong-gate")


@pytest.mark.parametrize("kind", ["u_row_sums._", "u_latch"])
def test_a_replay_finds_a_wrong_state(recorded, kind):
    tile, windows, folder = recorded
    places = {index for index, cell in enumerate(tile.states) if kind in cell and windows[0].states[1][index] is not None}
    first, second = windows[0].states
    changed = [bit if index not in places else 1 - bit for index, bit in enumerate(second)]
    with pytest.raises(replay.ReplayError, match="window 0"):
        replay.simulate(tile, [replace(windows[0], states=(first, changed)), windows[1]], False, folder / "wrong-state")


def test_a_replay_finds_a_macro_that_sleeps(recorded):
    tile, windows, _ = recorded
    with pytest.raises(replay.ReplayError, match="0 reads of its macros"):
        replay.check_reads(tile, windows, [0] * len(tile.macros))


@pytest.mark.slow
def test_a_tile_replays_a_run_of_a_network():
    """A tile of a small build."""
    network = random_network(1, 9, [12, 8])
    item = Direction(network, sequences_of(network, [12], random.Random(1)))
    tile = replay.Tile(synthesize("small-tile", parameters=SMALL.parameters(), folder=FOLDER), Library(OSU.liberty.read_text()))
    _, _, wave, begins = energy.play(item, Policy.SENSITIVITY, SMALL, FOLDER / "small-run", 4)
    check_replay(tile, replay.record(tile, wave, begins, energy.CYCLES), FOLDER / "small")


def check_replay(tile, windows, folder):
    """Without delay a net toggles twice a cycle at most, as the clock does; with delays it glitches, and ends with the same value."""
    power = NetPower(tile.module, tile.library)
    counted = {delays: sum(replay.by_net(power, part) for part in replay.simulate(tile, windows, delays, folder / f"replay-{delays}")) for delays in (False, True)}
    clock, cycles = power.index[tile.module["ports"]["clk_i"]["bits"][0]], len(windows) * energy.CYCLES
    assert counted[False][clock].tolist() == [cycles] * 2
    assert counted[False].sum(1).max() <= 2 * cycles
    assert (counted[True].sum(1) % 2 == counted[False].sum(1) % 2).all()
    assert counted[False].sum() < counted[True].sum() < 3 * counted[False].sum()
