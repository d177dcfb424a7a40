# SPDX-License-Identifier: MIT
"""Energy of a netlist: Liberty's figures, hand-computed toggles, and a replay that notices a wrong gate, a wrong output and a wrong state."""

import random
import re
from dataclasses import replace

import numpy as np
import pytest
from filelock import FileLock

from models.build import Build
from models.policies import Policy
from models.tests.random_networks import random_network
from syn import energy, memory, replay
from syn.power import VOLTS, Library, NetPower, parse_liberty
from syn.synthesize import BUILD, LIBERTY, fetch_library, synthesize
from tb.bench.directions import Direction
from tb.tests.lstm_accelerator.cases import SMALL, sequences_of

FOLDER = BUILD / "test"

LIBERTY_TEXT = """
/* a library with one gate */
library(small) {
  capacitive_load_unit (1,pf);
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
    library = Library(LIBERTY.read_text())
    assert len(library.cells) == 32 and library.leakage["NAND2X1"] == 0.0393659
    assert all(sum(library.internal(name, "Y", 0.02)) > 0 for name in ("NAND2X1", "XOR2X1", "OAI22X1", "BUFX4", "MUX2X1"))


def test_energy_of_two_gates_by_hand():
    """Nets 2 and 3 enter, net 4 joins the gates, net 5 leaves: rises and falls as given, charged to who drives them, else to who reads them."""
    module = {"cells": {"a.first": gate(2, 3, 4), "b.second": gate(4, 3, 5)}, "netnames": {}}
    power = NetPower(module, Library(LIBERTY_TEXT))
    energies = power.energies(lambda cell: cell[0])
    toggles = np.array([[10, 0], [0, 10], [4, 6], [1, 2]])
    half = VOLTS ** 2 / 2
    reads = {"a": 10 * 0.01 * half + 10 * (0.03 * half + 0.5), "b": 10 * (0.03 * half + 0.5)}
    # Net 4 drives pin A of 0.01 pF: internal power of a rise 0.3 + 0.2 * 0.1, of a fall 0.2.
    drives = {"a": 10 * 0.01 * half + 4 * 0.32 + 6 * 0.2, "b": 1 * 0.3 + 2 * 0.2}
    assert energies.by_owner(toggles) == pytest.approx({owner: reads[owner] + drives[owner] for owner in "ab"})
    assert power.leakage() == 5.0


def test_toggles_of_a_dump():
    """Only between $dumpon and $dumpoff; a value that is written again is no toggle."""
    dump = b"$var wire 1 ! a $end\n$var wire 1 \" \\b[3] $end\n$enddefinitions $end\n#0\n1!\n0!\n" \
           b"#5\n$dumpon\n0!\n1\"\n$end\n1!\n#6\n1!\n0\"\n#7\n0!\n$dumpoff\nx!\nx\"\n$end\n#9\n1!\n#10\n$dumpon\n1!\n0\"\n$end\n#11\n0!\n$dumpoff\nx!\n$end\n"
    assert replay.toggles(dump) == {"a": (1, 2), "b[3]": (0, 1)}


def test_scaling_rules():
    assert energy.SCALING[energy.MIDDLE] == pytest.approx(130 / 180 * (1.2 / 1.8) ** 2)
    assert list(energy.SCALING) == sorted(energy.SCALING, key=lambda rule: energy.SCALING[rule])


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
    found = energy.memory_energy(counters, {"weights_hi": 100, "weights_lo": 20, "activations_hi": 100, "activations_lo": 30}, "dynamic", tiles=4)
    assert found["weight memory"] == pytest.approx(120 * 4 * 68.93)
    # 13 h: a macro of each half, and the exponent; 3 granules of x: two of each.
    writes = 4 * (13 * (2 * 34.81 + 11.08) + 3 * (4 * 34.81 + 11.08))
    reads = 100 * (8 * 26.04 + 8.318) + 30 * 8 * 26.04 + 5 * 37.85 + 7 * 49.66 + 11 * 3 * 11.38 + 13 * 3 * 14.16
    assert found["buffers"] == pytest.approx(writes + reads)
    baseline = energy.memory_energy(counters, {"weights_hi": 100, "activations": 100}, "baseline", tiles=4)
    assert baseline["weight memory"] == pytest.approx(100 * 2 * 68.93)


@pytest.fixture(scope="module")
def small():
    """A tile of a small build as netlist, and windows of a run of it."""
    network = random_network(1, 9, [12, 8])
    item = Direction(network, sequences_of(network, [12], random.Random(1)))
    FOLDER.mkdir(parents=True, exist_ok=True)
    with FileLock(FOLDER / "small.lock"):  # each worker of pytest-xdist makes its own, in the same files
        tile = replay.Tile(synthesize("small-tile", parameters=SMALL.parameters(), folder=FOLDER))
        _, wave, cycles = energy.play(item, Policy.SENSITIVITY, SMALL, FOLDER / "small-run")
    return tile, energy.windows_of(tile, wave, cycles, 4)


def test_a_replay_gives_what_rtl_gives(small):
    tile, windows = small
    power = NetPower(tile.module, energy.library())
    counted = {delays: replay.by_net(power, replay.simulate(tile, windows, delays, FOLDER / "small-replay")) for delays in (False, True)}
    # Without delay a net toggles once a cycle at most; with delays it glitches, and ends with the same value.
    clock = power.index[tile.module["ports"]["clk_i"]["bits"][0]]
    assert counted[False][clock].tolist() == [4 * energy.CYCLES] * 2
    assert np.delete(counted[False].sum(1), clock).max() <= 4 * energy.CYCLES
    assert (counted[True].sum(1) % 2 == counted[False].sum(1) % 2).all()
    assert counted[False].sum() < counted[True].sum() < 3 * counted[False].sum()


def test_a_replay_finds_a_wrong_output(small):
    tile, windows = small
    samples = {**windows[-1].samples, "commit_h_o": [value ^ 1 for value in windows[-1].samples["commit_h_o"]]}
    with pytest.raises(replay.ReplayError, match="window 3, cycle 0: the netlist gives commit_h_o"):
        replay.simulate(tile, [*windows[:-1], replace(windows[-1], samples=samples)], False, FOLDER / "small-wrong-output")


def test_a_replay_finds_a_wrong_gate(small):
    tile, windows = small
    netlist = replace(tile.netlist, verilog=FOLDER / "small-wrong.v")
    text = tile.netlist.plain_verilog.read_text()
    changed = re.sub(r"  XNOR2X1 (\\u_row_engine\.u_row_sums)", r"  XOR2X1 \1", text, count=1)
    assert changed != text
    netlist.plain_verilog.write_text(changed)
    tile = replay.Tile(tile.netlist)
    tile.netlist = netlist
    with pytest.raises(replay.ReplayError, match="the netlist gives"):
        replay.simulate(tile, windows, False, FOLDER / "small-wrong-gate")


def test_a_replay_finds_a_wrong_state(small):
    tile, windows = small
    place = next(index for index, cell in enumerate(tile.flip_flops) if ".u_row_sums." in cell)
    first, second = windows[0].states
    changed = [bit if index != place else 1 - bit for index, bit in enumerate(second)]
    with pytest.raises(replay.ReplayError, match="window 0"):
        replay.simulate(tile, [replace(windows[0], states=(first, changed))], False, FOLDER / "small-wrong-state")
