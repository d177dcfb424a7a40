# SPDX-License-Identifier: MIT
"""An LSTM of one's own: a budget is kept and spent, targets are reached, what was found is found again, in a folder of the contents of its file."""

import json
import shutil

import numpy as np
import pytest
import torch
from torch import nn

from models import cache
from models.importers import ImportFailure
from models.own import __main__ as command
from models.own import calibrate as own
from models.own.calibrate import Point, Target
from models.own.task import OwnTask
from models.policies import Policy

METRIC = """
import numpy as np
name, margin = "signs that are right, %", 2.0
def metric(outputs, labels):
    return 100 * float(np.mean([(np.sign(h[-1]) == label).mean() for h, label in zip(outputs, labels)]))
"""


@pytest.fixture(autouse=True)
def folders(tmp_path, monkeypatch):
    monkeypatch.setattr(cache, "FOLDER", tmp_path / "build" / "cache")
    monkeypatch.setattr(own, "FOLDER", tmp_path / "build" / "own")


@pytest.fixture
def files(tmp_path):
    """(lstm.pt, inputs.npz, task.py): sequences of different lengths; labels are signs of the float h."""
    torch.manual_seed(4)
    lstm = nn.LSTM(6, 16)
    inputs = [torch.randn(length, 6) for length in range(4, 36)]
    with torch.no_grad():
        labels = [lstm(x)[0][-1].sign().numpy() for x in inputs]
    np.savez(tmp_path / "inputs.npz", **{f"inputs_{n}": x.numpy() for n, x in enumerate(inputs)}, **{f"labels_{n}": y for n, y in enumerate(labels)})
    torch.save(lstm.state_dict(), tmp_path / "lstm.pt")
    (tmp_path / "task.py").write_text(METRIC)
    return tmp_path / "lstm.pt", tmp_path / "inputs.npz", tmp_path / "task.py"


def test_a_budget_in_decibels_is_kept_and_spent(files):
    task = OwnTask(*files[:2])
    speeds = []
    for decibels in (1.0, 4.0):
        found = own.calibrate(task, Target("budget", decibels), [Policy.SENSITIVITY])
        chosen = next(point for point in found.points if point.log2_lambda == found.chosen[Policy.SENSITIVITY])
        assert decibels - 1.0 < chosen.loss <= chosen.interval[1] <= decibels + 0.05
        high, low, checked = found.check((Policy.STATIC_HIGH, Policy.STATIC_LOW, Policy.SENSITIVITY))
        assert (high.loss, high.over_high) == (0, 1) and low.loss > checked.loss > 0 and checked.interval[0] < checked.loss < checked.interval[1]
        assert abs(checked.loss - chosen.loss) < 1.0 and checked.metric == pytest.approx(high.metric - checked.loss)
        assert found.float_metric() == float("inf")
        speeds.append(chosen.speed)
    assert speeds[0] < speeds[1]


def test_a_share_or_a_speed_is_reached(files):
    task = OwnTask(*files[:2])
    for target in (Target("low_share", 0.6), Target("speed", 0.6)):
        found = own.calibrate(task, target, [Policy.SENSITIVITY])
        points = sorted(found.points, key=lambda point: point.log2_lambda)
        place = [point.log2_lambda for point in points].index(found.chosen[Policy.SENSITIVITY])
        values = [point.shares[0] if target.kind == "low_share" else point.speed for point in points]
        assert values[place - 1] < target.value <= values[place]


def test_the_choice_is_the_fastest_point_within_the_budget():
    def point(log2_lambda, loss, error):
        return Point("SENSITIVITY", log2_lambda, 0, loss, error, (0, 0), [0.5], 2, 1, 1)

    noisy = [point(0, 0.0, 0.0), point(1, 0.3, 0.1), point(2, 0.2, 0.1), point(3, 0.4, 0.4), point(4, 2.0, 0.1)]
    assert Target("budget", 0.6).reached(noisy) == [True, True, True, False, False]  # 0.4 + 1.96 * 0.4 is beyond; what is slower than noise is not blocked by it
    assert Target("budget", 0.6).choose(noisy).log2_lambda == 2 and Target("budget", 9).choose(noisy).log2_lambda == 4
    assert Target("budget", 1e-9).choose(noisy[1:]).log2_lambda == 1


def test_what_was_found_is_found_by_the_contents_of_the_file_wherever_build_is(files, tmp_path, monkeypatch):
    model, inputs, metric = files
    found = command.main([f"--model={model}", f"--inputs={inputs}", f"--metric={metric}", "--policy=sensitivity"])
    assert str(found.target) == "loss of 2 at most" and found.task.metric_name == "signs that are right, %"
    checked = found.check()
    again = own.load(model)
    assert again.check() == checked and again.chosen == found.chosen and again.task.data_key == found.task.data_key
    assert own.find(model).name.startswith("lstm.pt-")
    for path in own.find(model).iterdir():
        assert str(tmp_path).encode() not in path.read_bytes(), path  # metric and inputs included
    other = tmp_path / "other" / "lstm.pt"
    other.parent.mkdir()
    torch.save(nn.LSTM(6, 16), other)
    assert own.find(other) is None
    with pytest.raises(FileNotFoundError, match=r"lstm\.pt was never calibrated; run: make calibrate MODEL="):
        own.load(other)
    shutil.move(model, other)
    metric = shutil.move(metric, other.parent / metric.name)
    shutil.move(tmp_path / "build", tmp_path / "moved")
    monkeypatch.setattr(cache, "FOLDER", tmp_path / "moved" / "cache")
    monkeypatch.setattr(own, "FOLDER", tmp_path / "moved" / "own")
    inputs.unlink()
    assert own.load(other).check() == checked
    metric.write_text(METRIC.replace("100", "10"))
    with pytest.raises(ImportFailure, match="another one than"):
        own.load(other)
    metric.unlink()
    with pytest.raises(ImportFailure, match="not there any more; give METRIC="):
        own.load(other)


def test_what_a_metric_reads_beside_its_text_counts(files, tmp_path):
    model, inputs, metric = files
    metric.write_text(METRIC.replace("return 100", "return float(open(__file__ + '.scale').read())"))
    found = []
    for scale in ("100", "1"):
        (tmp_path / "task.py.scale").write_text(scale)
        calibration = own.calibrate(OwnTask(model, inputs, metric), Target("low_share", 0.5), [Policy.SENSITIVITY])
        found.append(calibration.check([Policy.STATIC_LOW])[0].metric)
    first, second = found
    assert first == pytest.approx(100 * second) and second > 0.5


def test_the_lists_of_a_program_are_as_good_as_files(files):
    torch.manual_seed(5)
    lstm = nn.LSTM(6, 16, batch_first=True)
    task = OwnTask(lstm, [torch.randn(10, 6) for _ in range(16)], lambda outputs, labels: -sum(abs(h - right).mean() for h, right in zip(outputs, labels)))
    with pytest.raises(ImportFailure, match="BUDGET= is needed"):
        own.calibrate(task)
    found = own.calibrate(task, Target("budget", 0.05), [Policy.SENSITIVITY])
    q = found.quantized()
    assert q.directions[0].thresholds[0].keys() == {Policy.SENSITIVITY} and q.directions[0].refinements
    run = q.run([sample.inputs for sample in task.of(own.Use.CHECK)], Policy.SENSITIVITY)
    assert q.level_shares(run) == found.check([Policy.SENSITIVITY])[0].shares


def refused(capsys, *arguments):
    assert command.run(list(arguments)) == 2
    line, = capsys.readouterr().err.splitlines()
    return line


def test_wrong_arguments_and_too_little_data_are_said_at_once(files, capsys, tmp_path):
    model, inputs, metric = files
    given = f"--model={model}", f"--inputs={inputs}"
    assert "MODEL= and INPUTS= are needed" in refused(capsys, "--budget=1")
    assert "NET=silero: not together with MODEL=" in refused(capsys, *given, "--net=silero")
    assert "BUDGET= and SPEED=: give one" in refused(capsys, *given, "--budget=1", "--speed=2")
    assert "SHARE=1.5: a number above 0 and below 1" in refused(capsys, *given, "--share=1.5")
    assert "BUDGET=x: a number above 0" in refused(capsys, *given, "--budget=x")
    assert "POLICY=STATIC_LOW: choose all or some of" in refused(capsys, *given, "--policy=STATIC_LOW")
    assert "TILES=0: TILES is 1..16" in refused(capsys, *given, "--tiles=0")
    assert "WEIGHTS=" in refused(capsys, *given, "--weights=8")
    assert "no file" in refused(capsys, *given, "--metric=absent.py")
    metric.write_text(METRIC.replace("margin", "least"))
    assert "BUDGET= is needed, the loss of signs that are right, %" in refused(capsys, *given, f"--metric={metric}")
    np.savez(tmp_path / "few.npz", *np.zeros((11, 5, 6)))
    assert "few.npz: 11 sequences or groups; at least 12 are needed" in refused(capsys, given[0], f"--inputs={tmp_path / 'few.npz'}")
    np.save(tmp_path / "short.npy", np.zeros((100, 6)))
    assert "short.npy: 6 sequences" in refused(capsys, given[0], f"--inputs={tmp_path / 'short.npy'}")
    assert not (tmp_path / "build").exists(), json.dumps([str(path) for path in (tmp_path / "build").rglob("*")])
