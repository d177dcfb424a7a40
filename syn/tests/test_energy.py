# SPDX-License-Identifier: MIT
"""Energy of a netlist: Liberty's figures, hand-computed toggles, and a replay that notices a wrong gate, a wrong output and a wrong state."""

import random
from dataclasses import replace

import numpy as np
import pytest
from filelock import FileLock

from models.build import Build
from models.policies import Policy
from models.tests.random_networks import random_network
from syn import energy, gates, memory, replay, saving
from syn.library import OSU
from syn.power import Library, NetPower, parse_liberty
from syn.synthesize import BUILD, fetch_library, synthesize
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


@pytest.fixture(scope="module")
def small():
    """A tile of a small build as netlist, and windows of a run of it."""
    network = random_network(1, 9, [12, 8])
    item = Direction(network, sequences_of(network, [12], random.Random(1)))
    FOLDER.mkdir(parents=True, exist_ok=True)
    with FileLock(FOLDER / "small.lock"):  # each worker of pytest-xdist makes its own, in the same files
        tile = replay.Tile(synthesize("small-tile", parameters=SMALL.parameters(), folder=FOLDER), Library(OSU.liberty.read_text()))
        _, wave, begins = energy.play(item, Policy.SENSITIVITY, SMALL, FOLDER / "small-run", 4)
    return tile, replay.record(tile, wave, begins, energy.CYCLES)


def test_a_replay_gives_what_rtl_gives(small):
    tile, windows = small
    power = NetPower(tile.module, tile.library)
    counted = {delays: sum(replay.by_net(power, part) for part in replay.simulate(tile, windows, delays, FOLDER / "small-replay")) for delays in (False, True)}
    # Without delay a net toggles twice a cycle at most, as the clock does; with delays it glitches, and ends with the same value.
    clock = power.index[tile.module["ports"]["clk_i"]["bits"][0]]
    assert counted[False][clock].tolist() == [4 * energy.CYCLES] * 2
    assert counted[False].sum(1).max() <= 2 * 4 * energy.CYCLES
    assert (counted[True].sum(1) % 2 == counted[False].sum(1) % 2).all()
    assert counted[False].sum() < counted[True].sum() < 3 * counted[False].sum()


def test_a_replay_finds_a_wrong_output(small):
    tile, windows = small
    samples = {**windows[-1].samples, "commit_h_o": [value ^ 1 for value in windows[-1].samples["commit_h_o"]]}
    with pytest.raises(replay.ReplayError, match="window 3, cycle 0: the netlist gives commit_h_o"):
        replay.simulate(tile, [*windows[:-1], replace(windows[-1], samples=samples)], False, FOLDER / "small-wrong-output")


def test_a_replay_finds_a_wrong_gate(small, monkeypatch):
    tile, windows = small
    wrong = next(name for name, cell in tile.cells.items() if ".u_row_sums." in name and cell["type"].startswith("XNOR2X1"))
    monkeypatch.setitem(tile.cells[wrong], "type", "XOR2X1")
    with pytest.raises(replay.ReplayError, match="the netlist gives"):
        replay.simulate(tile, windows, False, FOLDER / "small-wrong-gate")


@pytest.mark.parametrize("kind", ["u_row_sums._", "u_latch"])
def test_a_replay_finds_a_wrong_state(small, kind):
    tile, windows = small
    places = [index for index, cell in enumerate(tile.states) if kind in cell and windows[0].states[1][index] is not None]
    first, second = windows[0].states
    changed = [bit if index not in places else 1 - bit for index, bit in enumerate(second)]
    with pytest.raises(replay.ReplayError, match="window 0"):
        replay.simulate(tile, [replace(windows[0], states=(first, changed))], False, FOLDER / "small-wrong-state")


def test_a_replay_finds_a_macro_that_sleeps(small):
    tile, windows = small
    reads = [0] * len(tile.macros)
    with pytest.raises(replay.ReplayError, match="0 reads of its macros"):
        replay.check_reads(tile, windows, reads)
