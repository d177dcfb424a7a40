# SPDX-License-Identifier: MIT
"""`make endurance`: it counts what was compared and nothing else, goes on where it was, and a failure is told with its command."""

import json
import os
import sys
from itertools import islice

import pytest

from models.build import Build
from tb.bench import leash
from tb.bench.rtl_copy import changed_rtl, replace_once
from tb.bench.runner import ROOT, SimulationError
from tb.commands import endurance, provenance

CASE = ["--build=t2-l8-d1-f2-w64-u8-a16", "--seed=1", "--case-values=300"]


@pytest.fixture
def bench(tmp_path, monkeypatch):
    """Cases that are not simulated: each compares 70 values of h and 30 decisions, and fails, or compares nothing, as the lists say."""
    played, failing, silent = [], [], []

    def run_on(module, build, environment, *, seed, folder, repeat, **others):
        played.append(seed)
        folder.mkdir(parents=True, exist_ok=True)
        if len(played) not in silent:
            (folder / "compared.json").write_text(json.dumps({"compared": {"h": 70, "trace": 30}, "cpu_seconds": 0.5}))
        if len(played) in failing:
            raise SimulationError(f"h: step 3 differs\nrepeat with: {repeat}")

    monkeypatch.setattr(endurance, "FOLDER", tmp_path)
    monkeypatch.setattr(endurance, "REPORT", tmp_path / "endurance.json")
    monkeypatch.setattr(endurance, "RECORD", tmp_path / "signoff.json")
    monkeypatch.setattr(endurance, "run_on", run_on)
    monkeypatch.setattr(endurance, "build", lambda top, parameters: None)
    monkeypatch.setattr(endurance, "source", lambda *folders: {"commit": "c", "date": "d", "text": "text"})
    return played, failing, silent


def report(folder):
    return json.loads((folder / "endurance.json").read_text())


def test_every_number_of_tiles_comes_once_before_any_comes_again():
    builds = list(islice(endurance.random_builds(3), 32))
    assert [sorted(one.tiles for one in builds[first:first + 16]) for first in (0, 16)] == [list(range(1, 17))] * 2
    assert {one.dynamic for one in builds} == {True, False} and {one.lanes for one in builds} == {8, 16, 32, 64}


def test_a_name_has_the_whole_build():
    for build in islice(endurance.random_builds(3), 32):
        assert endurance.build_of(endurance.name_of(build)) == build
    with pytest.raises(ValueError, match="not a build, such as t4-l64-d1"):
        endurance.build_of(endurance.name_of(Build()) + "0x")


def test_what_was_compared_is_counted_and_not_played_again(bench, tmp_path):
    played, _, _ = bench
    assert endurance.main(["--values=250", "--jobs=1"]) == 0 and len(played) == 3
    found = report(tmp_path)
    assert (found["values"], found["by_kind"], found["cases"], found["passed"], found["complete"]) == (300, {"h": 210, "trace": 90}, 3, 3, True)
    with open(tmp_path / "results.jsonl", "a") as file:
        file.write('{"key": "cut o')  # what an interrupted write leaves
    assert endurance.main(["--values=250", "--jobs=1"]) == 0 and len(played) == 3
    assert endurance.main(["--values=450", "--jobs=1"]) == 0 and len(played) == 5 and len(set(played)) == 5
    assert report(tmp_path)["values"] == 500


def test_what_another_machine_has_compared_is_not_played_again(bench, tmp_path):
    played, _, _ = bench
    assert endurance.main(["--values=250", "--jobs=1"]) == 0 and len(played) == 3
    cases = provenance.kept_in(tmp_path / "results.jsonl")
    (tmp_path / "signoff.json").write_text(json.dumps({"cases": dict(list(cases.items())[:2])}))
    (tmp_path / "results.jsonl").unlink()
    assert endurance.main(["--values=250", "--jobs=1"]) == 0 and len(played) == 4 and report(tmp_path)["values"] == 300


def test_another_text_is_played_again(bench, monkeypatch):
    played, _, _ = bench
    endurance.main(["--values=100", "--jobs=1"])
    monkeypatch.setattr(endurance, "source", lambda *folders: {"commit": "c", "date": "d", "text": "changed"})
    endurance.main(["--values=100", "--jobs=1"])
    assert len(played) == 2


@pytest.mark.parametrize("kind", ["failing", "silent"])
def test_a_failure_counts_nothing_and_is_told_with_its_command(bench, tmp_path, capsys, kind):
    played, failing, silent = bench
    (failing if kind == "failing" else silent).append(2)
    assert endurance.main(["--values=250", "--jobs=1"]) == 1
    found = report(tmp_path)
    assert (found["values"], found["passed"], found["cases"], found["complete"]) == (300, 3, 4, True)
    failure, = found["failures"]
    seed, build = failure["name"].removeprefix("seed ").split(" on ")
    assert seed == str(played[1]) and failure["repeat"].endswith(f"--build={build} --seed={seed} --case-values=1000000")
    assert failure["repeat"] in capsys.readouterr().out
    assert ("step 3" if kind == "failing" else "nothing was compared") in failure["message"]


def test_a_build_that_goes_on_failing_is_given_up(bench, tmp_path):
    played, failing, _ = bench
    failing += range(1, 10)
    assert endurance.main(["--values=250", "--jobs=1"]) == 1 and len(played) == endurance.MOST_FAILURES
    assert report(tmp_path)["values"] == 0 and not report(tmp_path)["complete"]


@pytest.mark.parametrize("words", ["0", "-1", "many", "inf", "nan"])
def test_wrong_values_are_refused(words, capsys):
    with pytest.raises(SystemExit):
        endurance.main([f"--values={words}"])
    assert f"{words}: a number above 0 is needed, such as 1e8" in capsys.readouterr().err


def play_case(folder, **environment):
    command = [sys.executable, "-m", "tb.commands.endurance", *CASE]
    return leash.run(command, cwd=ROOT, env=os.environ | {"SIM": "icarus", "RETRACE": "0", "OMP_NUM_THREADS": "1"} | environment, capture_output=True, text=True)


def test_a_case_passes_and_fails_with_a_planted_bug(tmp_path):
    ended = play_case(tmp_path)
    assert ended.returncode == 0 and "passed, " in ended.stdout, ended.stdout + ended.stderr
    saturates = "c_overflow ? {c_sum[17], {15{~c_sum[17]}}} : c_sum[15:0]", "c_sum[15:0]"
    ended = play_case(tmp_path, RTL=str(changed_rtl(tmp_path, "cell_update", replace_once("cell_update", *saturates))))
    assert ended.returncode == 1 and f"repeat with: SIM=icarus .venv/bin/python -m tb.commands.endurance {' '.join(CASE)}" in ended.stdout, ended.stdout
