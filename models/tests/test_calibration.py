# SPDX-License-Identifier: MIT
"""Calibration to a budget: what is found, what models/calibrated/ holds, and what is read of it. Choosing from a sweep: test_choose.py."""

import json
import os
import subprocess
import sys

import pytest

from models import cache, calibration, study
from models.calibration import calibrate, load_quantized, path_of, swept_log2_lambda, with_others
from models.networks import MODULES, Part
from models.policies import DECIDING, Policy
from models.quantized_network import QuantizedNetwork
from models.sources import ROOT
from models.tests.toy_network import STEPS, Toy

# What a toy network takes in place of frozen data, as a program.
AS_TOY = """
from models import calibration, study
from models.networks import Part
from models.tests.toy_network import STEPS, Toy
study.load, study.test_sizes = (lambda name: Toy()), (lambda name: [2.0] * 40)
study.frozen_steps = lambda name, part: {Part.FIT: 20, Part.HELD_OUT: 80}[part] * STEPS
study.OTHER_STEPS, study.FIT_STEPS, calibration.POINTS = 30 * STEPS, 10 * STEPS, 3
"""


@pytest.fixture
def toy(monkeypatch, tmp_path):
    monkeypatch.setattr(cache, "FOLDER", tmp_path / "cache")
    monkeypatch.setattr(calibration, "FOLDER", tmp_path)
    monkeypatch.setattr(calibration, "POINTS", 3)
    monkeypatch.setattr(study, "OTHER_STEPS", 30 * STEPS)
    monkeypatch.setattr(study, "FIT_STEPS", 10 * STEPS)
    monkeypatch.setattr(study, "load", lambda name: Toy())
    monkeypatch.setattr(study, "test_sizes", lambda name: [2.0] * 40)
    monkeypatch.setattr(study, "frozen_steps", lambda name, part: {Part.FIT: 20, Part.HELD_OUT: 80}[part] * STEPS)


def test_a_calibration_is_kept_and_read(toy, monkeypatch):
    steps = []
    found = calibrate("toy", progress=steps.append)
    assert steps and found["network"] == "toy" and set(found["log2_lambda"]) == {policy.name for policy in DECIDING}
    for policy in DECIDING:
        swept = [point["log2_lambda"] for point in found["sweep"] if point["policy"] == policy.name]
        assert swept == sorted(swept) and 2 <= len(swept) <= 3
        assert swept[0] <= found["log2_lambda"][policy.name] <= swept[-1]
    path_of("toy").write_text(calibration.text_of(found))
    quantized = load_quantized("toy")
    for policy in DECIDING:
        own, direct = quantized.for_policy(policy), load_quantized("toy", policy)
        for one, other in zip(own.directions, direct.directions):
            assert {layer.policy for layer in one.layers} == {policy}
            assert [layer.theta for layer in one.layers] == [layer.theta for layer in other.layers]
            assert one.refinements == other.refinements and all(len(layer) == 6 for layer in one.refinements)
    assert swept_log2_lambda("toy", Policy.SENSITIVITY, 1.0) == max(point["log2_lambda"] for point in found["sweep"] if point["policy"] == "SENSITIVITY")
    monkeypatch.setattr(QuantizedNetwork, "run", lambda *arguments: pytest.fail("measured again"))
    assert calibrate("toy") == found


def test_a_network_that_was_never_calibrated_names_the_command(toy):
    with pytest.raises(FileNotFoundError, match="make calibrate NET=toy"):
        load_quantized("toy")


def test_a_policy_that_was_never_calibrated_names_the_command(toy):
    found = calibrate("toy", policies=(Policy.SENSITIVITY,))
    path_of("toy").write_text(calibration.text_of(found))
    assert load_quantized("toy", Policy.STATIC_LOW).directions
    with pytest.raises(FileNotFoundError, match=r"no CELL_HISTORY in .* `make calibrate NET=toy"):
        load_quantized("toy", Policy.CELL_HISTORY)


def test_one_policy_calibrated_anew_leaves_the_others(toy):
    both, one = calibrate("toy"), calibrate("toy", policies=(DECIDING[-1],))
    assert with_others(one, both) == both and with_others(both, one) == both
    assert calibration.text_of(with_others(one, both)) == calibration.text_of(both)
    assert with_others(one, both | {"budget": 2.0}) == one


@pytest.mark.parametrize("path", sorted(calibration.FOLDER.glob("*.json")), ids=lambda path: path.stem)
def test_calibrated_networks_are_within_their_budget(path):
    found = json.loads(path.read_text())
    assert found["network"] == path.stem and path.stem in MODULES
    assert Policy.SENSITIVITY.name in found["log2_lambda"]
    for policy, log2_lambda in found["log2_lambda"].items():
        swept = [point["log2_lambda"] for point in found["sweep"] if point["policy"] == policy]
        assert swept[0] <= log2_lambda <= swept[-1]
    assert found["needed"][Policy.SENSITIVITY.name] <= found["budget"] == 1


# `python -m models.calibration --net=toy` with little to do, below the folder in its argument.
COMMAND = AS_TOY + """
import runpy, sys
from pathlib import Path
from models.networks import freeze
calibration.MODULES = {"toy": "models.tests.toy_network"}
calibration.FOLDER = Path(sys.argv[1]) / "models" / "calibrated"
calibration.FOLDER.mkdir(parents=True)
sys.argv[1:] = ["--net=toy", "--policy=SENSITIVITY"]
runpy.run_module("models.calibration", run_name="__main__")
"""


def test_what_the_command_keeps_is_read_by_others(tmp_path):
    """Its classes are those of modules, and not of the program that it is."""
    environment = os.environ | {"CACHE": str(tmp_path / "cache"), "OMP_NUM_THREADS": "1"}
    ended = subprocess.run([sys.executable, "-c", COMMAND, tmp_path], cwd=ROOT, env=environment, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    points = [path.read_bytes() for path in (tmp_path / "cache").glob("point-*")]
    assert points and all(b"models.study" in point and b"__main__" not in point for point in points)
    assert json.loads((tmp_path / "models" / "calibrated" / "toy.json").read_text())["network"] == "toy"
