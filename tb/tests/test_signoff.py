# SPDX-License-Identifier: MIT
"""`make signoff`: a page is signed off when every part passed on this very text, and says of every other part what it is."""

import json
from types import SimpleNamespace

import pytest

from tb.commands import coverage, endurance, formal, functional, mutants, planted_bugs, provenance, regress, signoff, weekly

SOURCE = {"commit": "abc", "date": "2026-01-02 03:04", "text": "this"}
MUTATIONS = mutants.sample(signoff.MUTANTS, 1)
KINDS = {kind: {"points": 1000, "hit": 1000, "percent": 100.0} for kind in coverage.AIMS}
REGRESS = SOURCE | {"seed": 7, "whole": True, "tests": 9, "failed": 0, "situations": {"passed": 5, "failed": 0, "not run": 0}, "failures": []}
PLANTED = SOURCE | {"bugs": 3, "caught": 3, "failures": []}
PROOF = {"name": "fifo-Depth2", "what": "order kept", "verdict": "holds", "with_bug": "fails"}
FORMAL = SOURCE | {"proofs": [PROOF]}
COVERAGE = SOURCE | {"seed": 1, "runs": 4, "excluded": 0, "total": KINDS, "aims": coverage.AIMS, "missed": [], "absent": [], "failed_tests": [], "wrong_exclusions": []}
CASE = {"key": "k", "build": "t1", "seed": 4, "text": "this", "passed": True, "compared": {"h": signoff.VALUES}, "message": "", "repeat": "again"}
GROUPS = [{"group": "run", "total": 30, "hit": 30, "least": 4}, {"group": "reset", "total": 12, "hit": 12, "least": 3}]
FUNCTIONAL = SOURCE | {"seed": 5, "total": 42, "hit": 42, "least": 3, "tests": 1, "cases": 8, "failures": [], "groups": GROUPS}
MUTANT = {"verdict": mutants.CAUGHT, "module": "fifo", "line": 1, "before": "+", "after": "-"}


@pytest.fixture
def reports(tmp_path, monkeypatch):
    """A folder in which every part has passed, as its report says; without git and tools."""
    monkeypatch.setattr(signoff, "PAGE", tmp_path / "signoff.md")
    monkeypatch.setattr(signoff, "RECORD", tmp_path / "signoff.json")
    for module in (mutants, endurance):
        monkeypatch.setattr(module, "RECORD", signoff.RECORD)
    for module, name in ((regress, "REPORT"), (planted_bugs, "REPORT"), (formal, "RESULTS"), (coverage, "REPORT"), (functional, "REPORT")):
        monkeypatch.setattr(module, name, tmp_path / f"{module.__name__}.json")
    for module in (mutants, endurance):
        monkeypatch.setattr(module, "FOLDER", tmp_path / module.__name__)
        module.FOLDER.mkdir()
    monkeypatch.setattr(mutants, "sample", lambda count, seed: MUTATIONS)
    monkeypatch.setattr(signoff, "fingerprint", lambda *folders: "this")
    monkeypatch.setattr(signoff, "commit", lambda: "abc")
    monkeypatch.setattr(signoff, "now", lambda: "2026-01-02 03:05")
    monkeypatch.setattr(signoff, "tools", lambda: {"Verilator": "5.048"})

    def write(regress_report=REGRESS, planted=PLANTED, proofs=FORMAL, mutant=MUTANT, judged=signoff.MUTANTS, covered=COVERAGE, case=CASE,
              bins=FUNCTIONAL):
        for path, report in ((regress.REPORT, regress_report), (planted_bugs.REPORT, planted), (formal.RESULTS, proofs), (coverage.REPORT, covered),
                             (functional.REPORT, bins)):
            path.write_text(json.dumps(report))
        lines = [json.dumps(MUTANT | {"key": mutants.key_of(one)}) for one in MUTATIONS[1:judged]] + [json.dumps(mutant | {"key": mutants.key_of(MUTATIONS[0])})]
        (mutants.FOLDER / "results.jsonl").write_text("\n".join(lines))
        (endurance.FOLDER / "results.jsonl").write_text(json.dumps(case))

    return SimpleNamespace(write=write, page=signoff.PAGE)


def states(page):
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in page.read_text().splitlines() if line.startswith("|")]
    return {line[0]: line[1] for line in cells if line[0] in signoff.PARTS and len(line) == 5}


def test_all_parts_passed(reports):
    reports.write()
    assert signoff.main([]) == 0
    text = reports.page.read_text()
    assert states(reports.page) == dict.fromkeys(signoff.PARTS, "passed") and "**Commit abc, 2026-01-02 03:05 UTC: signed off.**" in text
    assert "42 of 42 bins hit, least hit 3 times" in text and "\n| run | 30 | 30 | 4 |\n| reset | 12 | 12 | 3 |\n" in text
    assert "1000 of 1000 caught" in text and "100,000,000 values compared" in text and "line 100.00 % of 1,000" in text and "Verilator 5.048" in text


def test_what_was_not_run_is_said_to_be_not_run(reports):
    assert signoff.main([]) == 1
    assert states(reports.page) == dict.fromkeys(signoff.PARTS, "not run") and "not signed off (not run: regress, " in reports.page.read_text()


@pytest.mark.parametrize("part, state, changes", [
    ("regress", "failed", {"regress_report": REGRESS | {"failed": 1}}),
    ("regress", "incomplete", {"regress_report": REGRESS | {"whole": False}}),
    ("regress", "not run", {"regress_report": REGRESS | {"text": "other"}}),
    ("test-bench", "failed", {"planted": PLANTED | {"caught": 2, "failures": [provenance.failure("fifo: bug", "SURVIVED 3 s", "again")]}}),
    ("test-bench", "not run", {"planted": PLANTED | {"text": "other"}}),
    ("formal", "failed", {"proofs": FORMAL | {"proofs": [PROOF, PROOF | {"verdict": "fails"}]}}),
    ("formal", "failed", {"proofs": FORMAL | {"proofs": [PROOF | {"with_bug": "holds"}]}}),
    ("formal", "incomplete", {"proofs": FORMAL | {"proofs": []}}),
    ("formal", "not run", {"proofs": FORMAL | {"text": "other"}}),
    ("mutants", "failed", {"mutant": MUTANT | {"verdict": mutants.SURVIVED}}),
    ("mutants", "incomplete", {"judged": signoff.MUTANTS - 1}),
    ("coverage", "failed", {"covered": COVERAGE | {"missed": ["toggle"]}}),
    ("coverage", "failed", {"covered": COVERAGE | {"failed_tests": ["test_fifo"]}}),
    ("coverage", "failed", {"covered": COVERAGE | {"wrong_exclusions": ["no reason"]}}),
    ("coverage", "incomplete", {"covered": COVERAGE | {"total": {}, "runs": 0, "missed": list(KINDS)}}),
    ("coverage", "incomplete", {"covered": COVERAGE | {"absent": ["tile.v"]}}),
    ("coverage", "not run", {"covered": COVERAGE | {"text": "other"}}),
    ("endurance", "failed", {"case": CASE | {"passed": False, "message": "h: step 3 differs"}}),
    ("endurance", "incomplete", {"case": CASE | {"compared": {"h": signoff.VALUES - 1}}}),
    ("endurance", "not run", {"case": CASE | {"text": "other"}}),
    ("functional", "failed", {"bins": FUNCTIONAL | {"failures": [provenance.failure("tiny-3", "h: step 3 differs", "again")]}}),
    ("functional", "incomplete", {"bins": FUNCTIONAL | {"hit": 41}}),
    ("functional", "incomplete", {"bins": FUNCTIONAL | {"total": 0, "hit": 0, "groups": []}}),
    ("functional", "not run", {"bins": FUNCTIONAL | {"text": "other"}}),
])
def test_one_part_is_enough_to_refuse(reports, part, state, changes):
    reports.write(**changes)
    assert signoff.main([]) == 1
    assert states(reports.page) == dict.fromkeys(signoff.PARTS, "passed") | {part: state}
    assert f"not signed off ({state}: {part})" in reports.page.read_text()


def test_failures_are_told_by_signature_with_the_command_of_the_first(reports):
    failures = [provenance.failure(f"test_{number}", f"h: step {number}: expected 1|2 of `x`, got 0x1f\nrepeat with: pytest 'test_{number}'") for number in (3, 4)]
    reports.write(regress_report=REGRESS | {"failed": 2, "failures": failures})
    signoff.main([])
    assert "| regress | `h: step N: expected N\\|N of 'x', got N` | 2 | `pytest 'test_3'` |" in reports.page.read_text()


def test_earlier_pages_keep_their_lines(reports, monkeypatch):
    reports.write()
    for number, name in enumerate(("one", "two", "two", "three")):
        monkeypatch.setattr(signoff, "commit", lambda name=name: name)
        monkeypatch.setattr(signoff, "now", lambda number=number: f"2026-01-0{number + 1} 00:00")
        signoff.main([])
    lines = signoff.earlier(reports.page.read_text())
    assert [line.split(" | ")[:3] for line in lines] == [["| 2026-01-04 00:00", "three", "signed off"], ["| 2026-01-03 00:00", "two", "signed off"],
                                                         ["| 2026-01-01 00:00", "one", "signed off"]]


def test_what_was_run_elsewhere_on_the_same_text_counts(reports, monkeypatch, tmp_path):
    reports.write(mutant=MUTANT | {"verdict": mutants.EQUIVALENT})
    assert signoff.main([]) == 0
    for path in [*tmp_path.glob("*.json"), *tmp_path.glob("*/results.jsonl")]:
        if path != signoff.RECORD:
            path.unlink()
    assert signoff.main([]) == 0 and states(reports.page) == dict.fromkeys(signoff.PARTS, "passed")
    assert "999 of 999 caught, of 1000 judged; 1 are equivalent" in reports.page.read_text() and "| run | 30 | 30 | 4 |" in reports.page.read_text()
    regress.REPORT.write_text(json.dumps(REGRESS | {"failed": 1}))
    (endurance.FOLDER / "results.jsonl").write_text(json.dumps(CASE | {"compared": {"h": 1}}))
    assert signoff.main([]) == 1  # a failure here counts, a part of a run does not
    assert states(reports.page) == dict.fromkeys(signoff.PARTS, "passed") | {"regress": "failed"}
    monkeypatch.setattr(signoff, "fingerprint", lambda *folders: "other")
    assert signoff.main([]) == 1 and states(reports.page) == dict.fromkeys(signoff.PARTS, "not run") | {"mutants": "passed"}


def test_cases_of_endurance_of_several_machines_add_up(reports):
    half = CASE | {"compared": {"h": signoff.VALUES // 2}}
    for number, state in enumerate(("incomplete", "passed")):
        reports.write(case=half | {"key": f"case {number}"})  # in place of what was here before
        assert (signoff.main([]), states(reports.page)["endurance"]) == (number == 0, state)


def test_parts_are_run_first_and_their_exit_codes_count(reports, monkeypatch):
    reports.write()
    run = {}
    monkeypatch.setattr(weekly, "run_all", lambda tasks, who: run.update(tasks) or {name: (int(name == "mutants"), 1.0) for name in tasks})
    assert signoff.main(["--parts=mutants,formal", "--seed=5"]) == 1 and list(run) == ["formal", "mutants"]
    assert states(reports.page)["mutants"] == "failed" and "its command ended with 1" in reports.page.read_text()
    signoff.main(["--parts=all", "--seed=5"])
    assert set(run) == set(signoff.PARTS) and "--seed=5" in run["coverage"] and "--seed=5" in run["regress"] and "--seed=5" in run["functional"]


def test_an_unknown_part_is_refused(capsys):
    with pytest.raises(SystemExit):
        signoff.main(["--parts=formal,other"])
    assert "PARTS=formal,other: 'other' is no part" in capsys.readouterr().err


def test_a_changed_file_is_another_text(tmp_path, monkeypatch):
    monkeypatch.setattr(provenance, "ROOT", tmp_path)
    provenance.git("init", "-q")
    (tmp_path / "rtl").mkdir()
    (tmp_path / "rtl" / "x.v").write_text("a")
    (tmp_path / "docs.md").write_text("a")
    first = provenance.fingerprint("rtl")
    (tmp_path / "docs.md").write_text("b")
    assert provenance.fingerprint("rtl") == first
    (tmp_path / "rtl" / "x.v").write_text("b")
    assert provenance.fingerprint("rtl") != first
    with pytest.raises(FileNotFoundError):
        provenance.fingerprint("none")


def test_tools_have_versions():
    assert all(number[0].isdigit() or number == "not there" for number in provenance.tools().values()) and provenance.tools()["cocotb"][0].isdigit()
