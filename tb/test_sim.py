"""tb.sim: wrong arguments end with one line and exit code 2; a short run reports what was compared."""

import json
import subprocess
import sys

import pytest

from tb.runner import BUILD, ROOT, environment_simulator

FIELDS = {"policy", "compared", "mismatches", "low_share", "low_share_by_gate", "cycles", "speedup", "speedup_plain", "utilization", "task"}


def sim(*arguments):
    return subprocess.run([sys.executable, "-m", "tb.sim", *arguments], cwd=ROOT, capture_output=True, text=True)


@pytest.mark.parametrize("arguments", ["--net=none", "--sim=vcs", "--policy=low", "--steps=0", "--steps=-1", "--seed=one"])
def test_wrong_arguments(arguments):
    ended = sim(arguments)
    assert ended.returncode == 2 and ended.stdout == ""
    assert len(ended.stderr.splitlines()) == 1 and "Traceback" not in ended.stderr, ended.stderr


def test_a_short_run():
    ended = sim(f"--sim={environment_simulator()}", "--policy=sensitivity", "--steps=2")
    assert ended.returncode == 0, ended.stderr
    path = ended.stdout.splitlines()[-1]
    report = json.loads(open(path).read())
    assert path.startswith(str(BUILD)) and set(report) == {"network", "simulator", "seed", "steps", "runs"}
    run, = report["runs"]
    assert set(run) == FIELDS and run["policy"] == "SENSITIVITY" and set(run["low_share_by_gate"]) == set("ifgo")
    assert run["mismatches"] == 0 and run["compared"] >= 2 * 128 * 5
    assert run["speedup"] > 1 and 0 < run["low_share"] < 1 and 0.5 < run["utilization"] <= 1


@pytest.mark.slow
def test_a_network_with_two_directions_is_a_run_for_each_part():
    """Spelling has two layers with two directions: four runs, three reloads between them; the shortest is a whole string."""
    ended = sim("--net=spelling", "--policy=static_low", "--steps=1")
    assert ended.returncode == 0, ended.stderr
    report = json.loads(open(ended.stdout.splitlines()[-1]).read())
    run, = report["runs"]
    assert set(run) == {*FIELDS, "parts", "reload_cycles"} and run["mismatches"] == 0
    assert run["cycles"] == sum(part["cycles"] for part in run["parts"]) and len(run["parts"]) == 4
    assert run["reload_cycles"] == sum(part["load_cycles"] for part in run["parts"][1:])
    # Of a 128-bit stream; the upper layers have 256 x 512 + 128 x 512 weights in each direction.
    assert all(part["load_cycles"] > 4 * 128 * (2 * 128 + 128) / 16 for part in run["parts"][2:])
