# SPDX-License-Identifier: MIT
"""Calibration to a budget: what is chosen of a sweep, and what models/calibrated/ holds."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest

from models import cache, calibration
from models.calibration import BISECTIONS, POWER, SHARES, Point, calibrate, calibrated, choose, log2_lambda_for, path_of
from models.networks import NETWORKS
from models.policies import Policy
from models.quantized_network import quantize_network
from models.sources import ROOT
from models.tests.toy_network import Toy

EXCESSES = (0.5, 1, 2, 4, 8)


def sweep(slope, noise=0.0, error=0.0):
    """Points whose excess doubles; the loss is `slope` times the excess, its replicates vary by `noise`, what a test finds by `error`."""
    random = np.random.default_rng(1)
    return [
        (Point("SENSITIVITY", float(number), 0.5, excess, slope * excess, error), slope * excess + noise * random.standard_normal(400))
        for number, excess in enumerate(EXCESSES)]


def test_the_loss_is_taken_as_proportional_to_the_excess():
    measured = sweep(slope=0.1)
    assert choose(measured, budget=0.45) == EXCESSES.index(4)
    assert [point.needed for point, _ in measured] == pytest.approx([0.1 * excess for excess in EXCESSES])


def test_a_larger_budget_allows_more_and_noise_less():
    assert choose(sweep(0.1), 0.3) < choose(sweep(0.1), 1)
    assert choose(sweep(0.1, noise=3), 1) < choose(sweep(0.1), 1)
    assert choose(sweep(0.1, error=0.2), 1) < choose(sweep(0.1), 1)


def test_a_test_shows_no_loss_with_the_probability_asked_for():
    """What it finds varies by `error` around the loss; the unfavourable end of its interval is 1.96 `error` above."""
    loss, error = 0.5, 0.2
    (point, _), = measured = [(Point("SENSITIVITY", 0.0, 0.5, 1.0, loss, error), np.full(400, loss))]
    choose(measured, 1)
    found = loss + error * np.random.default_rng(1).standard_normal(100_000) + 1.96 * error
    assert np.mean(found <= point.needed) == pytest.approx(POWER, abs=0.01)


def test_replicates_without_a_figure_are_left_out():
    whole, partly = sweep(0.1, noise=0.05), sweep(0.1, noise=0.05)
    for _, values in partly:
        values[::4] = np.nan
    for measured in (whole, partly):
        choose(measured, 1)
    assert [point.needed for point, _ in partly] == pytest.approx([point.needed for point, _ in whole], rel=0.1)


def test_without_a_loss_everything_is_allowed_and_without_room_nothing():
    assert choose(sweep(0.0), 1) == len(EXCESSES) - 1
    assert choose(sweep(100.0), 1) is None


@pytest.mark.parametrize("policy", SHARES)
def test_a_number_is_found_for_a_low_share(policy):
    toy = Toy(bidirectional=True)
    inputs = [sample.inputs for sample in toy.calibration()]
    quantized = quantize_network(toy.lstm, inputs)
    found_lambdas = []
    for share in (0.4, 0.8):
        found_lambdas.append(log2_lambda_for(quantized, policy, share, inputs))
        assert quantized.low_share(quantized.run(inputs, policy)) == pytest.approx(share, abs=0.1)
    assert found_lambdas[0] < found_lambdas[1]


@pytest.fixture
def folders(monkeypatch, tmp_path):
    monkeypatch.setattr(cache, "FOLDER", tmp_path / "cache")
    monkeypatch.setattr(calibration, "FOLDER", tmp_path)
    monkeypatch.setattr(calibration, "FIT_STEPS", 120)
    monkeypatch.setattr(calibration, "OTHER_SEARCH_STEPS", 240)


def test_a_calibration_is_kept_and_read(folders):
    steps = []
    found = calibrate(Toy(), progress=steps.append)
    assert steps and found["network"] == "toy" and set(found["log2_lambda"]) == {"SENSITIVITY", "CELL_HISTORY"}
    for policy in SHARES:
        found_lambdas = [point["log2_lambda"] for point in found["sweep"] if point["policy"] == policy.name]
        assert found["log2_lambda"][policy.name] in found_lambdas == sorted(found_lambdas) and len(found_lambdas) <= len(SHARES[policy]) + BISECTIONS
    again = []
    assert calibrate(Toy(), progress=again.append) == found
    assert not again  # what is cached is not measured anew
    path_of("toy").write_text(json.dumps(found))
    for policy in SHARES:
        quantized = calibrated(Toy(), policy)
        assert {layer.policy for part in quantized.directions for layer in part.layers} == {policy}
        assert all(len(layer) == 6 for part in quantized.directions for layer in part.refinements)


def test_a_network_that_was_never_calibrated_names_the_command(folders):
    with pytest.raises(FileNotFoundError, match="make calibrate NET=toy"):
        calibrated(Toy())


@pytest.mark.parametrize("name", NETWORKS)
def test_every_network_is_calibrated(name):
    found = json.loads(path_of(name).read_text())
    assert found["network"] == name and found["budget"] == 0.5
    assert set(found["log2_lambda"]) == {policy.name for policy in SHARES}
    assert {point["policy"] for point in found["sweep"]} == {Policy.SENSITIVITY.name, Policy.CELL_HISTORY.name}


# `python -m models.calibration --net=toy` with little to do, below the folder in its argument.
COMMAND = """
import runpy, sys
from pathlib import Path
from models import calibration, networks
from models.policies import Policy
networks.MODULES["toy"] = "models.tests.toy_network"
calibration.FOLDER, calibration.FIT_STEPS, calibration.OTHER_SEARCH_STEPS = Path(sys.argv[1]) / "models" / "calibrated", 120, 240
calibration.SHARES, calibration.BISECTIONS, calibration.EMPHASES = {Policy.SENSITIVITY: (0.8,)}, 0, (0.0,)
calibration.FOLDER.mkdir(parents=True)
sys.argv[1:] = ["--net=toy"]
runpy.run_module("models.calibration", run_name="__main__")
"""


def test_what_the_command_keeps_is_read_by_others(tmp_path):
    """Its classes are those of models.calibration, and not of the program that it is."""
    environment = os.environ | {"CACHE": str(tmp_path / "cache"), "OMP_NUM_THREADS": "1"}
    ended = subprocess.run([sys.executable, "-c", COMMAND, tmp_path], cwd=ROOT, env=environment, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    point, = (path.read_bytes() for path in (tmp_path / "cache").glob("point-*"))
    assert b"models.calibration" in point and b"__main__" not in point
    assert json.loads((tmp_path / "models" / "calibrated" / "toy.json").read_text())["network"] == "toy"
