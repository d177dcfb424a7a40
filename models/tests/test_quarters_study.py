# SPDX-License-Identifier: MIT
"""Designs and operating points, on a toy network."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from models import cache, calibration, study
from models.levels import ALL, HH, LEVELS, row_quarters
from models.networks import Part
from models.policies import Policy
from models.quantize import Settings
from models.quantized_network import QuantizedNetwork
from models.quarters import calibrate, compare, report
from models.quarters.memories import COSTS
from models.quarters.rivals import RivalStudy
from models.study import Study, Use
from models.tests.toy_network import STEPS, Toy

DESIGN = compare.own_constants("HH HL all")


@pytest.fixture(autouse=True)
def toy(monkeypatch, tmp_path):
    monkeypatch.setattr(cache, "FOLDER", tmp_path)
    monkeypatch.setattr(study, "load", lambda name: Toy(bidirectional=name == "both", layers=2 if name == "deep" else 1))
    monkeypatch.setattr(study, "test_sizes", lambda name: [2.0] * 40)
    monkeypatch.setattr(study, "frozen_steps", lambda name, part: {Part.FIT: 20, Part.HELD_OUT: 80, Part.TEST: 80}[part] * STEPS)


def toy_study(name="toy"):
    return RivalStudy(name, Settings(), steps=30 * STEPS, fit_steps=10 * STEPS)


def test_search_and_check_share_no_group():
    groups = {use: {sample.group for sample in samples} for use in (Use.SEARCH, Use.CHECK) for samples in [toy_study().samples(use)]}
    assert groups[Use.SEARCH] and groups[Use.CHECK]
    assert not groups[Use.SEARCH] & groups[Use.CHECK]


def test_the_test_is_a_part_of_its_own():
    """All of it, or so many steps, under keys of their own; its speeds have replicates over its groups."""
    whole, some = toy_study(), Study("toy", Settings(), test_steps=10 * STEPS, fit_steps=10 * STEPS)
    assert [len(one.samples(Use.TEST)) for one in (whole, some)] == [80, 10]
    assert torch.equal(whole.samples(Use.TEST)[0].inputs, Toy().samples(Part.TEST)[0].inputs)
    points = [one.point(Use.TEST, DESIGN, Policy.SENSITIVITY, -20.0) for one in (whole, some)]
    assert [len(point.single) for point in points] == [80, 10]
    for one, point in zip((whole, some), points):
        speed = one.speed(Use.TEST, point)
        assert speed.value == pytest.approx(point.speed) and speed.interval[0] < speed.value < speed.interval[1]
    rows = whole.point(Use.TEST, DESIGN, Policy.STATIC_ROWS, -20.0)
    assert whole.speed(Use.TEST, rows).interval == pytest.approx((rows.speed, rows.speed))


@pytest.mark.parametrize("name", ["toy", "deep", "both"])
def test_speeds_lie_between_those_of_all_and_of_no_quarters(name):
    """Of narrow layers: a word of 64 in place of a word of 16."""
    found = {}
    for policy, log2_lambda in ((Policy.STATIC_HIGH, None), (Policy.STATIC_LOW, None), (Policy.SENSITIVITY, -20.0), (Policy.CELL_HISTORY, -20.0)):
        found[policy] = toy_study(name).point(Use.SEARCH, DESIGN, policy, log2_lambda)
    assert found[Policy.STATIC_HIGH].over_high == 1 and found[Policy.STATIC_HIGH].speed == pytest.approx(1 / 4)
    assert found[Policy.STATIC_LOW].over_high == 4 and found[Policy.STATIC_LOW].shares == [1, 0, 0]
    for policy in (Policy.SENSITIVITY, Policy.CELL_HISTORY):
        assert 1 < found[policy].over_high < 4, policy
        assert toy_study(name).energy(DESIGN, found[policy]) < 1.6
    assert toy_study(name).energy(DESIGN, found[Policy.STATIC_HIGH]) == 1
    assert found[Policy.STATIC_HIGH].words[0] == found[Policy.STATIC_HIGH].words[3]
    assert found[Policy.STATIC_LOW].words[1:] == [0, 0, 0]


def test_a_larger_multiplier_saves_more_and_errs_more():
    points = [toy_study().point(Use.SEARCH, DESIGN, Policy.SENSITIVITY, log2_lambda) for log2_lambda in (-30.0, -20.0, -10.0, 0.0)]
    assert [point.speed for point in points] == sorted(point.speed for point in points)
    assert points[0].error < points[-1].error


def test_rows_err_less_at_higher_levels():
    q = toy_study().fitted.with_levels(LEVELS["HH x:HL HL 3/4 all"], own_biases=True)
    x = q.stages[0][0].quantize_input(torch.stack([sample.inputs for sample in toy_study().samples(Use.SEARCH)]))
    exact = q.stages[0][0].run(x, Policy.STATIC_HIGH).h.double()
    errors = [(q.stages[0][0].run(x, Policy.RANDOM, shares=[[[float(place == level) for place in range(5)]] * 4]).h.double() - exact).square().mean().item()
              for level in range(5)]
    # 3/4 leaves less than HL, which leaves less than HH; the middle of x in 8 bits with h in 4 lies between.
    assert errors[0] > errors[2] > errors[3] and errors[4] < 1


def test_costs_grow_from_level_to_level():
    for levels in LEVELS.values():
        for name, cost in COSTS.items():
            costs = [cost(level, levels[0], (2, 0, 2)) for level in levels]
            assert costs == sorted(costs) and costs[0] > 0, name
    assert COSTS["product"](ALL, ALL, (2, 0, 2)) == row_quarters(ALL, (2, 0, 2))
    assert COSTS["energy"](ALL, HH, (2, 0, 2)) > COSTS["energy"](ALL, ALL, (2, 0, 2))  # wh is read twice


def test_what_was_measured_is_kept(monkeypatch):
    first = toy_study().point(Use.SEARCH, DESIGN, Policy.SENSITIVITY, -20.0)
    monkeypatch.setattr(QuantizedNetwork, "run", lambda *arguments: pytest.fail("measured again"))
    again = toy_study().point(Use.SEARCH, DESIGN, Policy.SENSITIVITY, -20.0)
    assert again.speed == first.speed and np.array_equal(again.errors, first.errors)


def test_calibration_chooses_within_its_sweep_and_reports_other_groups(monkeypatch):
    monkeypatch.setattr(calibrate, "DESIGN", DESIGN)
    measured = Study.against_high

    def losing(*arguments):  # the toy's answers hardly change: a loss in proportion to the error in their place
        found = measured(*arguments)
        return replace(found, replicates=1000 * found.excess + np.linspace(-0.01, 0.01, 50), error=0.01)

    monkeypatch.setattr(Study, "against_high", losing)
    task = calibrate.Task("SENSITIVITY for time", Policy.SENSITIVITY, DESIGN)
    wide, narrow = (calibrate.calibrate(toy_study(), task, budget, lambda steps: None) for budget in (1.0, 0.1))
    for found, budget in ((wide, 1.0), (narrow, 0.1)):
        assert 0 < found["needed"] <= budget
    assert wide["log2_lambda"] > narrow["log2_lambda"]
    assert wide["check"]["speed"] > narrow["check"]["speed"]


def test_the_search_goes_beyond_its_ends_and_then_halves():
    def swept(*log2_lambdas):
        losses = {one: 2.0 ** (one + 30) for one in log2_lambdas}
        return [study.Swept(one, 1e-6 * loss, np.full(20, loss), 0.0) for one, loss in losses.items()]

    assert calibration.following(swept(-40.0, -36.0), 1.0) == -32
    assert calibration.following(swept(-20.0, -16.0), 1.0) == -28
    assert calibration.following(swept(-32.0, -28.0), 1.0) == -30
    assert calibration.following(swept(-31.0, -30.5, -29.5), 1.0) is None


def test_speed_at_an_error_lies_on_the_line_between_two_points():
    high = np.full(10, 1.0)
    errors = [high + excess for excess in (1.0, 4.0, 16.0)]
    assert compare.speed_at(errors, [1.0, 2.0, 4.0], high, 4.0) == pytest.approx(2.0)
    assert compare.speed_at(errors, [1.0, 2.0, 4.0], high, 8.0) == pytest.approx(8**0.5)
    assert compare.speed_at(errors, [1.0, 2.0, 4.0], high, 2.0) == pytest.approx(2**0.5)


def test_a_command_writes_what_it_measured_and_says_how_to_go_on(monkeypatch, tmp_path, capsys):
    """compare's own way, on the toy: the same candidate is its own equal."""
    monkeypatch.setattr(compare, "OTHER_STEPS", 30 * STEPS)
    monkeypatch.setattr(compare, "SWEEP", (-30.0, -20.0))
    chosen = {compare.CHOSEN: compare.candidates()[compare.CHOSEN]}
    out = tmp_path / "made" / "levels.json"
    report.measure_networks(["toy"], lambda name, progress: compare.compare(name, Settings(), chosen, progress), compare.table, out)
    found, = json.loads(out.read_text())
    assert list(found["designs"]) == [compare.CHOSEN] and found["designs"][compare.CHOSEN]["speed"] > 0
    assert "1.000 [1.000, 1.000]" in capsys.readouterr().out
    out.unlink()

    def interrupted(name, progress):
        raise KeyboardInterrupt

    with pytest.raises(SystemExit, match="the same command goes on"):
        report.measure_networks(["toy"], interrupted, compare.table, out)
    assert not out.exists()


def test_points_of_rivals_and_other_costs_are_kept_beside_those_of_make_calibrate(tmp_path, monkeypatch):
    monkeypatch.setattr(calibration, "FOLDER", tmp_path)
    point = {"log2_lambda": -20.0, "excess": 1e-3, "loss": 0.5, "error": 0.25, "speed": 1.5, "energy": 0.5, "shares": [1.0]}
    found = [{"label": label, "log2_lambda": -20.5, "needed": 0.9, "sweep": [point]} for label in ("SENSITIVITY for time", "SENSITIVITY for energy", "STATIC_ROWS")]
    calibrate.keep("toy", found, 1.0)
    assert not calibration.is_calibrated("toy")
    calibration.path_of("toy").write_text(json.dumps({"budget": 1.0, "settings": {}, "design": {}, "log2_lambda": {}, "needed": {}, "sweep": []}))
    calibrate.keep("toy", found, 2.0)
    assert "rivals" not in calibration.read("toy")
    calibrate.keep("toy", found, 1.0)
    kept = {"log2_lambda": -20.5, "needed": 0.9, "sweep": [{"log2_lambda": -20.0, "loss": 0.5, "error": 0.25, "speed": 1.5}]}
    assert calibration.read("toy")["rivals"] == {"STATIC_ROWS": kept} and calibration.read("toy")["costs"] == {"SENSITIVITY for energy": kept}
    again = calibration.with_others(dict(calibration.read("toy"), rivals={}, log2_lambda={"SENSITIVITY": -1.0}, needed={"SENSITIVITY": 1.0}), calibration.read("toy"))
    assert again["rivals"] == {"STATIC_ROWS": kept} and again["log2_lambda"] == {"SENSITIVITY": -1.0}
