# SPDX-License-Identifier: MIT
"""`make mutants`: which changes it makes, and that it tells what was caught from what was not seen, cannot be seen, or does not build."""

import json

import pytest

from tb.bench.rtl_copy import changed_rtl, read
from tb.bench.runner import RTL
from tb.commands import mutants
from tb.commands.mutation import Mutation, mutations

MODULE = """`define ONE 1'b1
module toy #(parameter Width = 4) (input wire clk_i, input wire [Width-1:0] a_i, output reg [Width-1:0] q_o);
  wire up = a_i[0] && ~a_i[1];  // a comment with a + b
  always @(posedge clk_i)
    if (up == `ONE)
      q_o <= up ? a_i + 4'd3 : 1'b0;
endmodule
"""
CHANGES = {("&&", "||"), ("~", ""), ("==", "!="), ("up == `ONE", "!(up == `ONE)"), ("q_o <= up ? a_i + 4'd3 : 1'b0;", "begin end"),
           ("a_i + 4'd3 : 1'b0", "1'b0 : a_i + 4'd3"), ("+", "-"), ("4'd3", "4'd4"), ("1'b0", "1'b1"), ("0", "1"), ("1", "2")}


def place(module: str, before: str, after: str) -> Mutation:
    """A change of a module of rtl/ by the text that it begins with."""
    text = read(module)
    assert text.count(before) == 1
    return Mutation(module, text.index(before), before, after, text.count("\n", 0, text.index(before)) + 1)


def test_what_happens_is_changed_and_nothing_else(tmp_path):
    path = tmp_path / "toy.v"
    path.write_text(MODULE)
    assert {(one.before, one.after) for one in mutations(path)} == CHANGES


def test_a_change_is_applied_where_it_belongs():
    mutation = place("log_code", "value_i == 16'd0", "value_i != 16'd0")
    text = mutation.apply(read(mutation.module))
    assert len(text.splitlines()) == len(read(mutation.module).splitlines()) and text.splitlines()[mutation.line - 1].count("!=") == 1
    with pytest.raises(ValueError, match=r"log_code.v has changed"):
        mutation.apply("// another text")


def test_every_module_but_wiring_has_mutants_and_a_larger_sample_begins_with_a_smaller():
    everything = mutants.sample(10**6, 1)
    assert len(everything) > 1000 and len(set(everything)) == len(everything)
    assert {path.stem for path in RTL.glob("*.v")} - {one.module for one in everything} <= {"lstm_accelerator", "tile_array"}
    assert mutants.sample(40, 1) == everything[:40] != mutants.sample(40, 2)


def test_tests_of_a_module_begin_with_its_own():
    assert mutants.tests_of("fifo")[0] == "test_fifo.py" and mutants.tests_of("log_code")[:2] == ["test_log_code.py", "test_precision_unit.py"]
    assert mutants.tests_of("axil_registers") == ["test_control.py", "test_control_races.py", "test_registers.py"]
    assert mutants.tests_of("parameter_check") == ["test_parameter_check.py"]
    assert mutants.tests_of("tile") == []  # the accelerator has it


def test_an_equivalent_mutant_is_told_from_another(tmp_path):
    cases = [(True, "fifo", "Full  = Depth;", "Full  = Depth + 0;"), (False, "fifo", "Full  = Depth;", "Full  = Depth + 1;"),
             (True, "post_processing", "c_valid || phase_q[6]", "phase_q[6] || c_valid"),
             (False, "post_processing", "c_valid || phase_q[6]", "c_valid || phase_q[7]")]  # what a module inside of it gets
    for number, (same, *change) in enumerate(cases):
        mutation, folder = place(*change), tmp_path / str(number)
        rtl = changed_rtl(folder, mutation.module, mutation.apply(read(mutation.module)))
        assert mutants.is_equivalent(mutation, rtl, folder) == same, change


@pytest.mark.parametrize("before, after, verdict", [("value_i == 16'd0", "value_i != 16'd0", mutants.CAUGHT), ("value_i == 16'd0", "value_i == 16'd0 +", mutants.BROKEN)])
def test_a_mutant_runs_the_tests_of_its_module(monkeypatch, tmp_path, before, after, verdict):
    monkeypatch.setattr(mutants, "FOLDER", tmp_path)
    found = mutants.judge(place("log_code", before, after))
    assert found["verdict"] == verdict
    if verdict == mutants.CAUGHT:
        assert "test_log_code.py" in found["by"] and "assert" in found["by"]


def test_what_has_no_outputs_is_not_taken_for_equivalent(tmp_path):
    mutation = place("parameter_check", "Tiles > 16", "Tiles > 17")
    assert not mutants.is_equivalent(mutation, changed_rtl(tmp_path, mutation.module, mutation.apply(read(mutation.module))), tmp_path)


def run(monkeypatch, tmp_path, capsys, *arguments) -> tuple[int, dict, str]:
    """Exit code, JSON, and what is printed, where no test fails and nothing is proven."""
    monkeypatch.setattr(mutants, "FOLDER", tmp_path / "mutants")
    monkeypatch.setattr(mutants, "RESULTS", tmp_path / "mutants.json")
    monkeypatch.setattr(mutants, "RECORD", tmp_path / "signoff.json")
    monkeypatch.setattr(mutants, "run_test", lambda *_, **__: (0, "", 0.0))
    monkeypatch.setattr(mutants, "is_equivalent", lambda *_: False)
    code = mutants.main(list(arguments))
    return code, json.loads((tmp_path / "mutants.json").read_text()), capsys.readouterr().out


def test_a_survivor_is_told_with_its_command_unless_it_is_explained(monkeypatch, tmp_path, capsys):
    code, found, shown = run(monkeypatch, tmp_path, capsys, "--module", "log_code", "--count", "1")
    survivor, = found["survivors"]
    assert code == 1 and found["survived"] == 1 and found["caught_share"] == 0
    assert f"rtl/log_code.v:{survivor['line']}" in shown and f"python -m tb.commands.mutants --key {survivor['key']}" in shown
    source, begin = read("log_code"), read("log_code").rfind("\n", 0, survivor["offset"]) + 1
    line = source[begin:].splitlines()[0]
    column = survivor["offset"] - begin - (len(line) - len(line.lstrip()))
    known = {"module": "log_code", "text": line.strip(), "column": column, "before": survivor["before"], "after": survivor["after"], "reason": "said"}
    monkeypatch.setattr(mutants, "EXPLAINED", tmp_path / "survivors.json")
    for elsewhere in (1, 0):  # another place of the same line is another mutant
        (tmp_path / "survivors.json").write_text(json.dumps([known | {"column": column + elsewhere}]))
        code, found, _ = run(monkeypatch, tmp_path, capsys, "--module", "log_code", "--count", "1")
        assert (code, found["survivors"][0]["reason"]) == ((1, "") if elsewhere else (0, "said"))


def test_what_was_judged_is_not_judged_again(monkeypatch, tmp_path, capsys):
    run(monkeypatch, tmp_path, capsys, "--module", "log_code", "--count", "2")
    monkeypatch.setattr(mutants, "judge", lambda mutation, whole: pytest.fail(f"{mutation.name} again"))
    _, found, _ = run(monkeypatch, tmp_path, capsys, "--module", "log_code", "--count", "2")
    assert found["mutants"] == 2


def test_a_test_that_fails_without_a_mutant_catches_none(monkeypatch, tmp_path):
    monkeypatch.setattr(mutants, "FOLDER", tmp_path)
    mutants.check_clean.cache_clear()
    monkeypatch.setattr(mutants, "run_test", lambda *_, **__: (1, "a clock that is missing", 0.0))
    with pytest.raises(mutants.MutantError, match="fails without a mutant: a clock"):
        mutants.judge(place("log_code", "value_i == 16'd0", "value_i != 16'd0"))


def test_a_module_that_there_is_not_is_refused(capsys):
    with pytest.raises(SystemExit):
        mutants.main(["--module", "no_module"])
    assert "no mutant of no_module" in capsys.readouterr().err


def test_explanations_are_of_places_that_are_there():
    for one in json.loads(mutants.EXPLAINED.read_text()):
        lines = [line.strip() for line in read(one["module"]).splitlines()]
        assert one["reason"] and lines.count(one["text"]) == 1 and one["text"][one["column"]:].startswith(one["before"]), one
