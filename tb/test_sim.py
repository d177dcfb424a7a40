"""tb.sim: wrong arguments end with one line and exit code 2; a short run reports what was compared."""

import json
import subprocess
import sys

import pytest

from tb.runner import BUILD, ROOT, environment_simulator

FIELDS = {"policy", "compared", "mismatches", "low_share", "low_share_by_gate", "cycles", "speedup", "speedup_plain", "utilization", "task"}


def sim(*arguments):
    return subprocess.run([sys.executable, "-m", "tb.sim", *arguments], cwd=ROOT, capture_output=True, text=True)


@pytest.mark.parametrize("arguments", ["--net=none", "--sim=vcs", "--policy=low", "--steps=0", "--steps=-1", "--seed=one", "--net=ddddocr"])
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
