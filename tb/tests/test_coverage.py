# SPDX-License-Identifier: MIT
"""`make coverage`: what no test reaches is told, in every build and test together, and nothing is excluded without a reason."""

import json
import re

import pytest

from tb.bench import runner
from tb.bench.rtl_copy import changed_rtl, replace_once
from tb.bench.runner import RTL, SIMULATORS
from tb.commands import coverage
from tb.commands.coverage import AIMS, Coverage, Point
from tb.tests import test_log_code

TOY = """module toy (input wire a_i, output wire b_o);
  assign b_o = ~a_i;
  always @*
    if (a_i) $display("a");
endmodule
"""


def entry(count, line, kind, name, file="toy.v", folder="/rtl", lines="", page="toy"):
    fields = {"f": f"{folder}/{file}", "l": line, "n": 3, "t": kind, "page": f"v_{kind}/{page}", "o": name, **({"S": lines} if lines else {}), "h": page}
    return "C '" + "".join(f"\x01{key}\x02{value}" for key, value in fields.items()) + f"' {count}\n"


def dat(*entries):
    return "# SystemC::Coverage-3\n" + "".join(entries)


@pytest.fixture
def design(tmp_path):
    (tmp_path / "toy.v").write_text(TOY)
    return tmp_path


def judged(design, exclusions, *texts):
    found = Coverage()
    for text in texts:
        found.add(text.replace("/rtl/", f"{design}/"), design)
    return coverage.report(found, exclusions, design)[0]


def test_builds_and_tests_add_up(design):
    """Also instances of other parameters; files of the bench do not count."""
    first = dat(entry(0, 4, "branch", "if"), entry(2, 4, "branch", "else"), entry(0, 1, "toggle", "a_i:0->1"), entry(1, 9, "line", "block", folder="/bench"))
    second = dat(entry(3, 4, "branch", "if", page="toy__W2"), entry(0, 1, "toggle", "a_i:0->1"), entry(1, 1, "toggle", "a_i:1->0"))
    found = judged(design, [], first, second)
    assert found["total"] == {"branch": {"points": 2, "hit": 2, "percent": 100.0}, "toggle": {"points": 2, "hit": 1, "percent": 50.0}} and found["runs"] == 2
    assert [(one["line"], one["name"], one["missing"], one["of"], one["first"]) for one in found["uncovered"]] == [(1, "a_i", 1, 2, "a_i:0->1")]
    assert found["missed"] == ["line", "expr", "toggle"]  # where there are no points, nothing was measured
    assert judged(design, [], first)["total"]["branch"]["hit"] == 1


def test_a_module_that_no_test_had_is_told(design):
    (design / "other.v").write_text(TOY)
    assert judged(design, [], dat(entry(1, 1, "toggle", "a_i:0->1")))["absent"] == ["other.v"]
    assert judged(design, [], dat(entry(1, 1, "toggle", "a_i:0->1"), entry(0, 1, "toggle", "a_i:0->1", file="other.v")))["absent"] == []


def test_what_a_module_includes_counts(design):
    (design / "table.vh").write_text(TOY)
    found = judged(design, [EXCLUSION], dat(entry(1, 4, "branch", "if", file="table.vh"), entry(1, 1, "line", "block")))
    assert found["total"]["branch"]["hit"] == 1 and "table.vh" in found["files"] and found["absent"] == []


def test_what_is_not_reached_stands_in_the_tracefile(design):
    found = Coverage()
    found.add(dat(entry(0, 3, "line", "block", lines="3-4,2"), entry(7, 4, "line", "block", lines="4"), entry(0, 4, "branch", "if")), design.__class__("/rtl"))
    text = coverage.lcov(found, {}, design)
    assert {"DA:2,0", "DA:3,0", "DA:4,7", "BRDA:4,3,if,0", f"SF:{design}/toy.v"} <= set(text.splitlines())


def test_percentages_are_rounded_down():
    assert coverage.percent(99_999, 100_000) == 99.99 and coverage.percent(7, 7) == 100.0 and coverage.percent(0, 0) == 0.0


EXCLUSION = {"file": "toy.v", "kind": "toggle", "text": "module toy (input wire a_i, output wire b_o);", "name": r"a_i:.*", "reason": "tied"}


@pytest.mark.parametrize("changes, words", [
    ({}, []), ({"reason": " "}, ["no reason"]), ({"text": "gone"}, ["no such line"]), ({"name": ".*"}, ["b_o:0->1 is excluded, but reached"])])
def test_exclusions_are_judged(design, monkeypatch, changes, words):
    monkeypatch.setattr(coverage, "MOST_EXCLUDED", 60)
    points = dat(entry(0, 1, "toggle", "a_i:0->1"), entry(4, 1, "toggle", "b_o:0->1"))
    found = judged(design, [EXCLUSION | changes], points)
    assert len(found["wrong_exclusions"]) >= len(words) and bool(words) == bool(found["wrong_exclusions"])
    assert all(word in " ".join(found["wrong_exclusions"]) for word in words)
    if not changes:
        assert found["total"]["toggle"] == {"points": 1, "hit": 1, "percent": 100.0} and found["excluded"] == 1 and found["uncovered"] == []


def test_too_many_exclusions_are_refused(design):
    points = [entry(0, 1, "toggle", f"a_i[{bit}]:0->1") for bit in range(3)] + [entry(1, 1, "toggle", f"b_o[{bit}]:0->1") for bit in range(97)]
    assert "3.00 % of all points are excluded, 2 % may be" in judged(design, [EXCLUSION | {"name": r"a_i\[.*"}], dat(*points))["wrong_exclusions"]


def test_the_exclusions_of_the_project_have_reasons_and_lines():
    exclusions = json.loads(coverage.EXCLUSIONS.read_text())
    texts = {path.name: path.read_text(encoding="latin-1").splitlines() for path in RTL.glob("*.v")}
    assert coverage.wrong(exclusions, {}, Coverage(), texts) == []
    assert all(one["kind"] in AIMS and re.compile(one["name"]) for one in exclusions)


def test_another_file_is_refused():
    with pytest.raises(ValueError, match=r"not a coverage.dat"):
        Coverage().add("TN:\n", RTL)


def test_a_failure_of_an_earlier_run_is_not_forgotten(tmp_path):
    """Where other tests were added that passed."""
    (tmp_path / "runs" / "one").mkdir(parents=True)
    (tmp_path / "runs" / "one" / "results.xml").write_text('<s><testcase classname="x" name="y"><failure/></testcase><testcase classname="x" name="z"/></s>')
    (tmp_path / "junit.xml").write_text('<s><testcase classname="other" name="test_z"/></s>')
    assert coverage.failed_in(tmp_path / "junit.xml", tmp_path / "runs") == ["x.y"] and coverage.failed_in(tmp_path / "none", tmp_path) == []


def test_every_default_test_exists():
    paths = coverage.default_paths()
    assert all((runner.ROOT / path.split("::")[0]).exists() for path in paths) and len(paths) > 15


def test_verilator_counts_what_is_reached_and_what_is_not(tmp_path, monkeypatch):
    text = replace_once("log_code", "if (value_i[bit_index])", "if (value_i[bit_index] && zero_o) code_o = 5'd0; else if (value_i[bit_index])")
    rtl = changed_rtl(tmp_path, "log_code", text.replace("endmodule", "  wire [95:0] wide = {91'd0, code_o};\nendmodule"))
    monkeypatch.setattr(runner, "RTL", rtl)
    monkeypatch.setenv("COVERAGE", "1")
    runner.run(test_log_code.__name__, "log_code", simulator=SIMULATORS[0], folder=tmp_path / "runs" / "one")
    found = coverage.collect(tmp_path / "runs", rtl)
    reached = {(point.kind, point.name): count > 0 for point, count in found.counts.items() if point.kind != "toggle"}
    assert found.runs == 1 and Point("log_code.v", 8, 22, "toggle", "value_i[3]:0->1") in found.counts
    assert sorted(set(reached.values())) == [False, True], reached
    wide = {point.name: count > 0 for point, count in found.counts.items() if point.signal == "wide" and point.name.endswith("0->1")}
    assert [wide[f"wide[{bit}]:0->1"] for bit in range(96)] == [True] * 5 + [False] * 91, "constant bits of a wide vector"
