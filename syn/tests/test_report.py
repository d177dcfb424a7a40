# SPDX-License-Identifier: MIT
"""make silicon: its tables as Markdown, and what they compute themselves."""


import pytest

from syn import area, comparison, energy, pictures, place, saving, silicon, tables
from syn.synthesize import BUILD
from tb.bench.rtl_copy import changed_rtl, run_test

BOTH = ("baseline", "dynamic")
AREAS = {"area": {build: {"dot product": 1e5} for build in BOTH},
         "mm2": {build: dict.fromkeys(("logic", "register_files", "other_memories", "weights"), 1.0) for build in BOTH}}


def test_a_table_as_markdown():
    made = tables.table("Clock", "build", "ns")
    made.add_row("baseline", "9.78")
    made.add_section()
    made.add_row("dynamic", "9.76")
    assert tables.markdown(made) == "\n## Clock\n\n| build | ns |\n| --- | ---: |\n| baseline | 9.78 |\n| dynamic | 9.76 |\n"
    assert tables.markdown("a line") == "\na line\n"


def test_every_part_of_the_area_has_a_cause_and_a_part_of_the_energy():
    parts = {*area.PARTS, "rest"}
    assert sorted(part for named in area.CAUSES.values() for part in named) == sorted(parts)
    assert saving.SPLIT.keys() == parts and set(saving.SPLIT.values()) <= set(saving.PARTS)


def activity(cycles, hh, refined, windows):
    counters = dict.fromkeys(("ACTIVATION_WRITES", "SCALE_READS", "ROW_CONSTANT_READS", "CELL_READS", "CELL_WRITES"), 0)
    reads = {("weights_hi", "first"): hh, ("activations_hi" if refined is not None else "activations", "first"): hh}
    if refined:
        reads |= {("weights_hi", "refined"): refined, ("activations_hi", "refined"): refined}
    return energy.Activity(2, cycles, counters, reads, [{"dot product": pj} for pj in windows], [1.0] * len(windows), 1000)


def results(baseline, dynamic):
    """Of made-up windows, in pJ a cycle."""
    activities = {("net", energy.BASELINE): activity(400, 400, None, baseline), ("net", "SENSITIVITY"): activity(200, 100, 30, dynamic)}
    return saving.results(activities, {"baseline": 0.0, "dynamic": 0.0}, {"baseline": 1e-6, "dynamic": 1e-6})


def test_results_by_hand():
    """Words: weights 4 or 2 macros of 68.93 pJ, activations 8 of 26.04 pJ and 8.318 pJ of the exponent, or 4. Logic: 4 tiles. A clock so fast that nothing leaks."""
    found = results([10, 10], [20, 20])
    baseline = 400 * (2 * 68.93 + 4 * 26.04) + 4 * 400 * 10
    four = 400 * (2 * 68.93 + 2 * 26.04) + 4 * 400 * 10
    word = 4 * 68.93, 8 * 26.04 + 8.318
    dynamic = 130 * (word[0] + word[1]) + 4 * 200 * 20
    both = 130 * word[0] + (50 + 30) * word[1] + 4 * 200 * 20
    saved = {kind: values["SENSITIVITY"]["net"] for kind, values in found["saving_by_sharing"].items()}
    assert list(saved.values()) == pytest.approx([1 - dynamic / baseline, 1 - dynamic / four, 1 - both / four], abs=2e-3)
    headline = saved["rtl/: two rows"]
    assert found["saving_time_optimal"] == headline
    assert found["saving_time_optimal_interval"] == pytest.approx([headline] * 2)  # windows that are alike
    assert found["edp_ratio"] == pytest.approx((1 - headline) / 2)


def test_a_network_without_thresholds_for_energy_keeps_those_for_time():
    made = {(name, energy.BASELINE): activity(400, 400, None, [10, 10]) for name in ("one", "two")}
    made |= {(name, "SENSITIVITY"): activity(200, 100, 30, [20, 20]) for name in ("one", "two")}
    made["two", "SENSITIVITY for energy"] = activity(200, 100, 0, [20, 20])
    found = saving.results(made, {"baseline": 0.0, "dynamic": 0.0}, {"baseline": 1e-6, "dynamic": 1e-6})
    saved = found["saving"]
    assert found["energy_thresholds"] == ["two"] and found["product_thresholds"] == []
    assert saved["SENSITIVITY for energy"]["two"] > saved["SENSITIVITY"]["two"] == saved["SENSITIVITY"]["one"]
    assert found["saving_energy_optimal"] == pytest.approx((saved["SENSITIVITY"]["one"] + saved["SENSITIVITY for energy"]["two"]) / 2)
    assert found["saving_time_optimal"] == pytest.approx(saved["SENSITIVITY"]["one"])


def test_the_page_has_the_tables_of_the_results():
    """A line a network, most saved first, and the means; nothing else of the page changes."""
    made = {(name, energy.BASELINE): activity(400, 400, None, [10, 10]) for name in ("one", "two")}
    made |= {("one", "SENSITIVITY"): activity(300, 100, 90, [20, 20]), ("two", "SENSITIVITY"): activity(200, 100, 30, [20, 20])}
    made["one", "SENSITIVITY for energy"] = activity(300, 100, 60, [20, 20])
    found = saving.results(made, {"baseline": 0.0, "dynamic": 0.0}, {"baseline": 1e-6, "dynamic": 1e-6})
    found |= comparison.figures(found, 6.5) | AREAS | {"overhead_logic": 0.1, "overhead_without_weights": 0.2, "overhead": 0.3}
    text = silicon.PAGE.read_text()
    written = silicon.page(text, found)
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in written.splitlines() if line.startswith(("| one", "| two", "| mean"))]
    assert [row[0] for row in rows] == ["two", "one", "mean"]
    assert rows[0][2].startswith(f"**{100 * found['saving']['SENSITIVITY']['two']:.1f} %** [") and rows[0][3] == ""
    assert rows[1][3].startswith(f"**{100 * found['saving']['SENSITIVITY for energy']['one']:.1f} %** [")
    assert rows[0][4] == "2.00x" and rows[2][5] == f"**{found['edp_ratio']:.2f}** (geometric)"
    assert "| overhead of everything |  |  | +30.0% |" in written
    assert [line for line in written.splitlines() if "|" not in line] == [line for line in text.splitlines() if "|" not in line]


def test_pictures_are_drawn(tmp_path, monkeypatch):
    sweep = [{"policy": "SENSITIVITY", "log2_lambda": 0.0, "loss": 0.5, "error": 0.1}]
    monkeypatch.setattr(pictures, "read", lambda name: {"log2_lambda": {"SENSITIVITY": 0.0}, "sweep": sweep})
    found = results([10, 10], [20, 20]) | AREAS
    assert all(path.stat().st_size > 5000 for path in pictures.draw(found, tmp_path / "images"))


def test_an_interval_holds_the_mean_and_widens_with_the_windows():
    def width(spread):
        found = results([100 - spread, 100 + spread] * 8, [100] * 16)
        low, high = found["saving_time_optimal_interval"]
        assert low <= found["saving_time_optimal"] <= high
        return high - low
    assert width(0) < 1e-9 < width(10) < width(40)


def test_the_loss_of_a_point_lies_between_those_of_its_sweep():
    sweep = [{"policy": "SENSITIVITY", "log2_lambda": place, "loss": loss, "error": 0.1} for place, loss in ((-30.0, 0.0), (-28.0, 1.0))]
    own = [{"log2_lambda": -40.0, "loss": 3.0, "error": 0.3}, {"log2_lambda": -38.0, "loss": 5.0, "error": 0.1}]
    found = {"log2_lambda": {"SENSITIVITY": -29.5}, "sweep": sweep, "costs": {"SENSITIVITY for energy": {"log2_lambda": -39.0, "sweep": own}}}
    assert pictures.expected_loss(found, "SENSITIVITY") == pytest.approx((0.25, 0.1))
    assert pictures.expected_loss(found, "SENSITIVITY for energy") == pytest.approx((4.0, 0.2))


def test_two_small_products_share_a_multiplier():
    """The packed dot product against rtl/, in its own test."""
    folder = BUILD / "test" / "packed"
    code, output, _ = run_test("test_dot_product.py::test_dot_product[64-4]", changed_rtl(folder, "dot_product", place.packed_dot_product(64)), folder)
    assert not code, output
