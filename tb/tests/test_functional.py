# SPDX-License-Identifier: MIT
"""`make functional`: the page names what the code samples, a bin that was not hit is told and fails, and what did not happen hits nothing."""

import json
import os
import subprocess
import sys
from itertools import product

import pytest

from tb.bench import functional_coverage
from tb.bench.functional_coverage import CLASSES, ERRORS, GROUPS, MACHINES, STROBES, WRITTEN, items_of
from tb.bench.register_map import Register
from tb.bench.runner import ROOT, SimulationError
from tb.commands import functional

PAGE = (ROOT / "docs" / "verification.md").read_text().partition("## Functional coverage")[2].partition("\n## ")[0]


def rows() -> list[str]:
    """The tables of the page, as the code has them."""
    found = []
    for name, group in GROUPS.items():
        crosses = ", ".join(" x ".join(cross) for cross in group.crosses)
        found.append(f"| {name} | {group.what} | {crosses} |")
    for name, group in GROUPS.items():
        found += [f"| {name} | {point} | {', '.join(bins)} |" for point, bins in group.points.items()]
        for one in group.excluded:
            bins = "; ".join(f"{point} {', '.join(values)}" for point, values in one.bins.items())
            found.append(f"| {name} | {bins} | {one.reason} |")
    return found


def test_the_page_is_that_of_the_code():
    told = [line for line in PAGE.splitlines() if line.startswith("| ") and not line.startswith(("| group |", "| --- |"))]
    assert sorted(told) == sorted(rows())


def test_every_exclusion_has_a_reason_and_leaves_bins_out():
    for group in GROUPS.values():
        assert all(one.reason and all(set(values) <= set(group.points[point]) for point, values in one.bins.items()) for one in group.excluded)
        assert bool(group.excluded) == any(group.ignored(cross) for cross in group.crosses)


def sampled(tmp_path, words: str) -> dict:
    """Hits after some statements, in a process of their own: the library has one database in each."""
    out = tmp_path / "hits.xml"
    text = f"from pathlib import Path\nfrom tb.bench.functional_coverage import *\n{words}\nexport(Path({str(out)!r}))"
    subprocess.run([sys.executable, "-c", text], cwd=ROOT, check=True)
    return functional_coverage.hits_in(out)


def hit(groups: dict) -> dict:
    """Bins that were hit, by group and item."""
    found = {(name, item): {one: hits for one, hits in bins.items() if hits} for name, items in groups.items() for item, bins in items.items()}
    return {place: bins for place, bins in found.items() if bins}


RUN = "sample_run({dynamic}, 3, 'x', [1, 2], ['SENSITIVITY', 'STATIC_HIGH'], [{{0, 2}}, {{2}}], {{'HH': 3, 'HL': 0}})"


def test_a_run_hits_its_own_bins(tmp_path):
    found = hit(sampled(tmp_path, RUN.format(dynamic=True)))
    assert found["run", "policy x level"] == {"SENSITIVITY x LOWEST": 1, "SENSITIVITY x ALL": 1, "STATIC_HIGH x ALL": 1}
    assert found["run", "level x tiles x stalls"] == {"LOWEST x 3-4 x x": 1, "ALL x 3-4 x x": 2} and found["run", "shape"] == {"several sequences": 3}
    assert {group for group, _ in found} == {"run"}, "the layers had different policies: the classes are of none"


def test_a_run_of_the_baseline_build_has_no_policy(tmp_path):
    found = hit(sampled(tmp_path, RUN.format(dynamic=False)))
    assert found["baseline", "layers x stalls"] == {"2 x x": 1} and found["class", "class x policy"] == {"HH x baseline build": 1}
    assert {group for group, _ in found} == {"baseline", "class"}


@pytest.mark.parametrize("lengths, shape", [([1], 0), ([2], 1), ([15], 1), ([16], 2), ([1, 1], 3), ([1, 2], 4)])
def test_shapes(lengths, shape):
    assert functional_coverage.shape_of(lengths) == functional_coverage.SHAPES[shape]


def test_numbers_have_classes():
    assert [functional_coverage.class_of(number, functional_coverage.TILES) for number in (1, 2, 4, 5, 16)] == ["1", "2", "3-4", "5-8", "9-16"]
    for number in (0, 17):
        with pytest.raises(ValueError, match=f"{number} is in no class"):
            functional_coverage.class_of(number, functional_coverage.TILES)


def test_a_value_without_a_bin_is_refused():
    with pytest.raises(ValueError, match="register: strobe has no bin '2'"):
        functional_coverage.sample("register", register="CONFIG", strobe="2")


def word(way=1, errors=0, run=0, loader=0, x=0, h=0, trace=0, walking=0, tile=10) -> int:
    """What clear_recorder.v records. x: in_packet, discard, halted, active; h, trace: pending, valid."""
    found, place = 0, 0
    for value, bits in ((way, 2), (errors, len(ERRORS)), (run, 2), (loader, 2), (x, 4), (h, 3), (trace, 3), (walking, 1), (tile, 4)):
        found, place = found | value << place, place + bits
    return found


@pytest.mark.parametrize("changes, expected", [
    ({}, {"way": "soft reset", "phase": "idle", "run": "Idle", "loader": "Header", "x": "idle", "h": "nothing", "trace": "nothing", "row_counters": "still",
          "tile": "IDLE"}),
    ({"way": 2, "loader": 1, "walking": 1}, {"way": "hard reset", "phase": "loading", "loader": "Payload", "row_counters": "walking"}),
    ({"run": 1, "x": 0b1001, "tile": 5}, {"phase": "running", "run": "Busy", "x": "packet", "tile": "WAIT_H"}),
    ({"run": 1, "x": 0b1000, "h": 0b101, "trace": 0b001}, {"x": "waiting", "h": "sending", "trace": "due"}),
    ({"run": 1, "h": 0b110}, {"phase": "draining", "h": "one behind"}),
    ({"run": 1, "x": 0b0111}, {"phase": "halted", "x": "discarding"}),
    ({"run": 1, "x": 0b0100}, {"phase": "halted", "x": "halted"}),
    ({"run": 2}, {"phase": "resetting", "run": "Resetting"}),
])
def test_a_reset_tells_what_each_machine_did(monkeypatch, changes, expected):
    seen = []
    monkeypatch.setattr(functional_coverage, "sample", lambda group, **values: seen.append((group, values)))
    functional_coverage.sample_clear(word(**changes))
    (group, values), = seen
    assert group == "reset" and values.items() >= expected.items() and values.keys() == {"way", *MACHINES}


def test_what_clears_an_error_is_told(monkeypatch):
    seen = []
    monkeypatch.setattr(functional_coverage, "sample", lambda group, **values: seen.append((group, *values.values())))
    for way in range(3):
        functional_coverage.sample_clear(word(way=way, errors=0b10000010))
    assert [one for one in seen if one[0] == "error"] == [("error", error, way) for way in functional_coverage.WAYS for error in ("X_LONG", "ACCESS")]
    assert sum(group == "reset" for group, *_ in seen) == 2, "a write is no reset"


def test_a_write_is_told_by_its_register(monkeypatch):
    seen = []
    monkeypatch.setattr(functional_coverage, "sample", lambda group, **values: seen.append(tuple(values.values())))
    for address in (Register.ERRORS, Register.ID, 0x7FC):
        functional_coverage.sample_write(address, 5)
    assert seen == [("ERRORS", "0101"), ("refused", "0101"), ("refused", "0101")]
    assert {*WRITTEN} - {"refused"} < {register.name for register in Register}


def everything(left_out=lambda group, values: False) -> str:
    """Statements that sample every situation that the model has, except some."""
    lines = []
    for name, group in GROUPS.items():
        if name == "run":
            lines.append("for values in product(*GROUPS['run'].points.values()): samplers()['run'](values)")
        elif name == "reset":
            for way, index in product(group.points["way"], range(len(CLASSES))):
                values = (way, *(bins[index % len(bins)] for bins in MACHINES.values()))
                lines += [f"samplers()['reset']({values!r})"] * (not left_out(name, values))
        else:
            lines += [f"samplers()[{name!r}]({values!r})" for values in product(*group.points.values()) if not left_out(name, values)]
    return "\n".join(lines)


@pytest.fixture
def command(tmp_path, monkeypatch):
    """Cases that are not simulated: each hits what `given` says, and fails where its number is in `failing`."""
    played, failing = [], []
    (tmp_path / "full").mkdir()
    given = {"words": everything()}

    def run_on(module, build, environment, *, seed, folder, repeat, **others):
        played.append(folder.name)
        folder.mkdir(parents=True, exist_ok=True)
        sampled(tmp_path / "full", given["words"])
        (tmp_path / "full" / "hits.xml").replace(folder / functional_coverage.EXPORT)
        if len(played) in failing:
            raise SimulationError(f"h: step 3 differs\nrepeat with: {repeat}")

    monkeypatch.setattr(functional, "FOLDER", tmp_path / "kept")
    monkeypatch.setattr(functional, "REPORT", tmp_path / "functional.json")
    monkeypatch.setattr(functional, "run_on", run_on)
    monkeypatch.setattr(functional, "build", lambda *arguments: None)
    monkeypatch.setattr(functional, "directed", lambda seed, folder, jobs: [{"key": "test one", "seed": seed, "passed": True, "message": "", "repeat": ""}])
    monkeypatch.setattr(functional, "source", lambda *folders: {"commit": "c", "date": "d", "text": "text"})
    return played, failing, given


def report(folder):
    return json.loads((folder / "functional.json").read_text())


def test_it_ends_when_every_bin_is_hit(command, tmp_path):
    played, _, _ = command
    assert functional.main(["--jobs=1"]) == 0 and len(played) == 1
    found = report(tmp_path)
    assert found["hit"] == found["total"] == sum(len(bins) for group in found["groups"] for bins in group["items"].values()) and found["least"] == 1
    assert [group["group"] for group in found["groups"]] == [*GROUPS] and found["command"] == "make functional SEED=1 MINUTES=20"
    assert (found["tests"], found["cases"]) == (1, 1)
    assert functional.main(["--jobs=1"]) == 0 and len(played) == 1, "what was hit is kept"


def test_an_open_bin_is_named_and_fails(command, tmp_path, capsys):
    """Without hard resets, for one, the group of resets is open."""
    _, _, given = command
    given["words"] = everything(lambda group, values: group == "reset" and values[0] == "hard reset")
    assert functional.main(["--jobs=1", "--minutes=0.0001"]) == 1
    found = {group["group"]: group for group in report(tmp_path)["groups"]}
    assert [name for name, group in found.items() if group["unhit"]] == ["reset"] and found["reset"]["least"] == 0
    assert len(found["reset"]["unhit"]) == 1 + sum(map(len, MACHINES.values())) and "way x tile: hard reset x DRAIN" in found["reset"]["unhit"]
    assert "open: way: hard reset" in capsys.readouterr().out


def test_what_failed_hits_nothing_and_is_told_with_its_command(command, tmp_path, capsys):
    played, failing, _ = command
    failing.append(1)
    assert functional.main(["--jobs=1"]) == 1 and len(played) == 2
    found = report(tmp_path)
    assert found["least"] == 1 and found["hit"] == found["total"], "the first case was counted, or the second was not"
    failure, = found["failures"]
    build, _, seed = played[0].rpartition("-")
    assert failure["repeat"] == f".venv/bin/python -m tb.commands.functional --build={build} --seed={seed}" and failure["repeat"] in capsys.readouterr().out


def test_cases_are_of_every_build_in_turn():
    builds, seeds = zip(*(functional.case_of(3, index) for index in range(12)))
    assert builds == (*functional.BUILDS, *functional.BUILDS) and len({*seeds}) == 12
    found = {functional_coverage.class_of(build.tiles, functional_coverage.TILES) for build in functional.BUILDS.values() if build.dynamic}
    assert found == {*functional_coverage.TILES} and {build.dynamic for build in functional.BUILDS.values()} == {True, False}


@pytest.mark.parametrize("words", ["--minutes=0", "--minutes=-1", "--seed=-1", "--jobs=0", "--build=other"])
def test_wrong_arguments_are_refused(words):
    with pytest.raises(SystemExit) as refused:
        functional.main([words])
    assert refused.value.code == 2


def test_nothing_is_imported_where_nothing_is_sampled():
    text = "import sys; from tb.bench import functional_coverage; assert not functional_coverage.ON and 'cocotb_coverage' not in sys.modules"
    environment = {name: value for name, value in os.environ.items() if name != "FUNCTIONAL"}
    subprocess.run([sys.executable, "-c", text], cwd=ROOT, env=environment, check=True)


def test_nothing_is_written_outside_of_a_simulation(tmp_path):
    environment = os.environ | {"FUNCTIONAL": "1", "PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, "-c", "from tb.bench import functional_coverage; assert functional_coverage.ON"], cwd=tmp_path, env=environment, check=True)
    assert list(tmp_path.iterdir()) == []


def test_bins_are_those_of_the_design():
    assert len(STROBES) == 16 and len(CLASSES) == 11 and len(items_of(GROUPS["error"])) == 3
