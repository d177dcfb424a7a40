# SPDX-License-Identifier: MIT
"""The example of an LSTM of one's own, from its training to its frontier, and `make eval MODEL=` of it."""

import json
import subprocess
import sys

import numpy as np

from examples.languages.my_task import metric
from tb.bench.runner import ROOT
from tb.commands import own_eval


def command(module, *arguments):
    return subprocess.run([sys.executable, "-m", module, *map(str, arguments)], cwd=ROOT, capture_output=True, text=True)


def test_the_example_goes_from_a_model_file_to_its_frontier(tmp_path, capsys):
    ended = command("examples.languages.languages", tmp_path)
    assert ended.returncode == 0, ended.stderr
    found = json.loads((tmp_path / "eval.json").read_text())
    points = {point["policy"]: point for point in found["points"]}
    assert found["metric"] == "lines told, %" and found["float"] > 80 > 100 / 3
    high, low, ours = (points[name] for name in ("STATIC_HIGH", "STATIC_LOW", "SENSITIVITY"))
    assert high["speed"] < 1 < ours["speed"] < low["speed"] and ours["loss"] < 2 and high["loss"] == 0
    assert (tmp_path / "frontier.png").read_bytes().startswith(b"\x89PNG") and "SENSITIVITY" in ended.stdout

    model = tmp_path / "lstm.pt"
    again = command("tb.commands.own_eval", f"--model={model}")
    assert again.returncode == 0, again.stderr
    path = next(line for line in again.stdout.splitlines() if line.endswith("eval.json"))
    assert json.loads((ROOT / path).read_text())["points"] == found["points"]
    np.savez(tmp_path / "new.npz", inputs_0=np.load(tmp_path / "inputs.npz")["inputs_0"], inputs_1=np.load(tmp_path / "inputs.npz")["inputs_1"], labels=np.array([0, 1]))
    other = command("tb.commands.own_eval", f"--model={model}", f"--inputs={tmp_path / 'new.npz'}")
    assert "2 sequences that the choice has not seen" in other.stdout, other.stderr
    for arguments, message in (([], "MODEL= is needed"), (["--net=silero", f"--model={model}"], "NET=silero: not together with MODEL="),
                               ([f"--model={tmp_path / 'absent.pt'}"], "absent.pt"), ([f"--model={model}", "--steps=0"], "STEPS=0: a whole number")):
        assert own_eval.run([*map(str, arguments)]) == 2
        line, = capsys.readouterr().err.splitlines()
        assert message in line


def test_the_metric_of_the_example():
    h = np.zeros((4, 8))
    h[:, 1] = 0.5
    assert metric([h, h], [1, 0]) == 50
