# SPDX-License-Identifier: MIT
"""tb.commands.sim: wrong arguments end with one line and exit code 2; a short run reports what was compared."""

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from threading import Event

import numpy as np
import pytest
import torch
from torch import nn

from models.importers import load_lstm
from models.own import __main__ as calibration
from models.policies import Policy
from models.tests.test_importers import UNITS, Stack
from tb.bench.runner import BUILD, ROOT, environment_simulator
from tb.commands import sim as sim_command

FIELDS = {"policy", "compared", "mismatches", "level_shares", "low_share_by_gate", "mean_quarters", "cycles", "speedup", "speedup_baseline", "utilization", "task"}


def sim(*arguments):
    """A run of the command, as a user starts it."""
    return subprocess.run([sys.executable, "-m", "tb.commands.sim", *arguments], cwd=ROOT, capture_output=True, text=True)


def sim_here(*arguments):
    """The same in this process, which has imported PyTorch already."""
    with redirect_stdout(StringIO()) as stdout, redirect_stderr(StringIO()) as stderr:
        try:
            code = sim_command.command(list(arguments))
        except SystemExit as ended:  # of argparse
            code = ended.code
    return subprocess.CompletedProcess(arguments, code, stdout.getvalue(), stderr.getvalue())


def refused(*arguments):
    """The one line of a run that ended with exit code 2."""
    ended = sim_here(*arguments)
    assert ended.returncode == 2 and ended.stdout == "", ended
    line, = ended.stderr.splitlines()
    assert "Traceback" not in line
    return line


@pytest.mark.parametrize("arguments", [
    "--net=none", "--sim=vcs", "--policy=low", "--steps=0", "--steps=-1", "--seed=one", "--inputs=x.npy", "--model=absent.pt",
])
def test_wrong_arguments(arguments):
    refused(arguments)


def test_the_command_itself_refuses_them():
    ended = sim("--net=none")
    line, = ended.stderr.splitlines()
    assert ended.returncode == 2 and ended.stdout == "" and line.startswith("sim: NET=none")


def test_a_short_run():
    ended = sim(f"--sim={environment_simulator()}", "--policy=sensitivity", "--steps=2")
    assert ended.returncode == 0, ended.stderr
    path = ended.stdout.splitlines()[-1]
    report = json.loads(Path(path).read_text())
    assert path.startswith(str(BUILD)) and set(report) == {"network", "simulator", "seed", "steps", "thresholds", "runs"}
    run, = report["runs"]
    assert set(run) == FIELDS and run["policy"] == "SENSITIVITY" and set(run["low_share_by_gate"]) == set("ifgo")
    assert run["mismatches"] == 0 and run["compared"] >= 2 * 128 * 5
    assert report["thresholds"].startswith("thresholds: make calibrate, budget of 1 margin of loss") and report["thresholds"] in ended.stdout
    assert run["speedup"] > 1 and 0 < run["level_shares"]["LOWEST"] < 1 < run["mean_quarters"] < 4 and 0.5 < run["utilization"] <= 1


@pytest.fixture
def model(tmp_path):
    """File of an LSTM of five inputs, two layers with two directions."""
    torch.manual_seed(1)
    torch.save(nn.LSTM(5, 6, 2, bidirectional=True).state_dict(), tmp_path / "model.pt")
    return tmp_path / "model.pt"


def report_of(*arguments, run=sim_here):
    """(report, stdout) of a run in which nothing was wrong."""
    ended = run(f"--sim={environment_simulator()}", "--policy=sensitivity", *arguments)
    assert ended.returncode == 0, ended.stderr
    report = json.loads(Path(ended.stdout.splitlines()[-1]).read_text())
    run, expected = report["runs"][0], report["forecast"][0]
    assert run["mismatches"] == 0 < run["compared"] and ended.stdout.index("by the models") < ended.stdout.index(f"on {environment_simulator()}, seed 1")
    loads = ("directions", "reload_cycles")  # which the models do not know
    assert {name: value for name, value in expected.items() if name not in loads} == {**{name: value for name, value in run.items() if name not in loads}, "compared": 0}
    return report, ended.stdout


def test_a_model_of_two_directions_with_inputs(model):
    np.save(model.with_name("inputs.npy"), np.random.default_rng(1).standard_normal((4, 6, 5)))
    report, stdout = report_of(f"--model={model}", f"--inputs={model.with_name('inputs.npy')}")
    assert report["network"] == "model.pt" and report["steps"] == 6
    assert report["thresholds"] == "thresholds: error of h at most 3 dB above that of STATIC_HIGH, on the calibration" and report["thresholds"] in stdout
    assert report["inputs"] in stdout and report["inputs"] == "inputs.npy: 3 sequences calibrate, the other 1 test"
    assert any(line.startswith("cycles of a step:") for line in report["notes"]) and all(line in stdout for line in report["notes"])
    run, = report["runs"]
    assert set(run) == {*FIELDS, "directions", "reload_cycles"} and len(run["directions"]) == 4
    assert run["cycles"] == sum(part["cycles"] for part in run["directions"])
    assert run["reload_cycles"] == sum(part["load_cycles"] for part in run["directions"][1:]) > 0
    assert run["task"]["value"] > 20 and run["task"]["moved_max"] < 0.1
    with np.load(outputs_of(stdout)) as outputs:
        assert sorted(outputs) == ["h_0", *(f"levels_0_{place}_0" for place in range(4))] and outputs["h_0"].shape == (6, 12)
        assert all(outputs[f"levels_0_{place}_0"].shape == (6, 6, 4) for place in range(4))
        x = np.load(model.with_name("inputs.npy"))
        exact = [load_lstm(model)(torch.from_numpy(sequence).float()).numpy() for sequence in x]
        assert min(np.abs(outputs["h_0"] - h).max() for h in exact) < 0.1  # in the order of time, both directions side by side


def outputs_of(stdout):
    """outputs.npz of SENSITIVITY, as a run names it."""
    return ROOT / stdout.splitlines()[-2].removeprefix("h and levels: ").replace("*", "SENSITIVITY")


def test_a_model_from_states_of_its_sequences_on_a_build_of_its_own(model):
    random = np.random.default_rng(1)
    np.savez(model.with_name("inputs.npz"), inputs=random.standard_normal((4, 6, 5)), lengths=np.array([6, 3, 4, 5]), h0=random.uniform(-0.5, 0.5, (4, 4, 6)),
             c0=random.uniform(-0.1, 0.1, (4, 4, 6)))
    report, stdout = report_of(f"--model={model}", f"--inputs={model.with_name('inputs.npz')}", "--tiles=2", "--lanes=8", "--weights=4096")
    assert "build: 2 tiles of 8 lanes" in stdout and report["runs"][0]["task"]["value"] > 15
    sequence, = {3, 4, 5, 6} & {report["steps"]}
    with np.load(outputs_of(stdout)) as outputs:
        assert outputs["h_0"].shape == (sequence, 12)  # without padding


def test_a_model_plays_at_what_was_calibrated(model, tmp_path):
    torch.manual_seed(2)  # what is found of a model stays: no other test may have the same weights
    torch.save(nn.LSTM(5, 6, 2, bidirectional=True).state_dict(), model)
    np.savez(model.with_name("inputs.npz"), *np.random.default_rng(1).standard_normal((12, 6, 5)))
    (tmp_path / "task.py").write_text("name, margin = 'size', 1.0\ndef metric(outputs, labels):\n    return sum(abs(h).sum() for h in outputs)\n")
    calibration.main([f"--model={model}", f"--inputs={model.with_name('inputs.npz')}", f"--metric={tmp_path / 'task.py'}", "--policy=SENSITIVITY", "--share=0.5"])
    report, _ = report_of(f"--model={model}", "--steps=12")
    assert report["thresholds"].startswith("thresholds: make calibrate, 50% of the rows at the lowest level of size; multipliers: SENSITIVITY 2^")
    assert report["inputs"] == "inputs.npz: 8 sequences to choose, the other 4 test" and report["steps"] == 12 and report["runs"][0]["task"]["metric"] == "size"
    assert 0.2 < report["runs"][0]["level_shares"]["LOWEST"] < 0.8
    assert "POLICY=CELL_HISTORY: never calibrated on model.pt; run: make calibrate MODEL=" in refused(f"--model={model}", "--policy=cell_history")
    np.save(model.with_name("new.npy"), np.random.default_rng(2).standard_normal((2, 6, 5)))
    report, _ = report_of(f"--model={model}", f"--inputs={model.with_name('new.npy')}")
    assert report["inputs"] == "new.npy: all of it is new to the calibration" and report["steps"] == 12


def test_a_model_that_runs_backwards_from_a_state(tmp_path):
    stack = Stack()
    states = {which: stack.constant(which, stack.random.uniform(-0.5, 0.5, (1, 1, UNITS)).astype(np.float32)) for which in ("initial_h", "initial_c")}
    path = stack.lstm("lstm", direction="reverse", inputs=states).squeeze().save(tmp_path)
    report, stdout = report_of(f"--model={path}", "--range=-2,2", "--steps=130")
    assert "random numbers from -2 to 2" in stdout and report["steps"] == 130
    run, = report["runs"]
    assert set(run) == FIELDS and run["task"]["value"] > 20


def test_models_of_one_name(tmp_path):
    """Two files of one name, played at the same time: each has results of its own."""
    torch.manual_seed(1)
    files = [tmp_path / name / "lstm.pt" for name in ("a", "b")]
    for file, units in zip(files, (3, 4)):
        file.parent.mkdir()
        torch.save(nn.LSTM(2, units), file)
    with ThreadPoolExecutor() as pool:
        reports = list(pool.map(lambda file: report_of(f"--model={file}", "--steps=3", run=sim)[0], files))
    first, second = (report["runs"][0]["compared"] for report in reports)
    assert first < second


def test_keys_of_runs(tmp_path):
    """What is played has a name of its own, which is the same again for the same."""
    (tmp_path / "a").mkdir()
    for number, name in enumerate(("lstm.pt", "a/lstm.pt")):
        (tmp_path / name).write_bytes(bytes([number]))
    (tmp_path / "b").symlink_to(tmp_path)
    keys = [sim_command.parse(arguments).key for arguments in (
        ["--net=silero"], [f"--model={tmp_path}/lstm.pt"], [f"--model={tmp_path}/lstm.pt", "--node=one"], [f"--model={tmp_path}/a/lstm.pt"],
        [f"--model={tmp_path}/b/lstm.pt"])]
    assert keys[0] == "silero-verilator" and len(set(keys)) == 4 and keys[4] == keys[1]
    (tmp_path / "lstm.pt").write_bytes(b"other contents")
    assert sim_command.parse([f"--model={tmp_path}/lstm.pt"]).key != keys[1]


def test_a_run_waits_for_another_of_the_same_network(tmp_path):
    folder, second = tmp_path / "run", Event()

    def run():
        with sim_command.only_run(folder):
            second.set()
            return list(folder.iterdir()) if folder.exists() else []

    with ThreadPoolExecutor() as pool:
        with sim_command.only_run(folder):
            folder.mkdir()
            (folder / "result").touch()
            waiting = pool.submit(run)
            assert not second.wait(0.5) and (folder / "result").exists()
        assert waiting.result() == []


def test_wrong_models_and_inputs(model):
    def with_inputs(values):
        np.save(model.with_name("inputs.npy"), values)
        return refused(f"--model={model}", f"--inputs={model.with_name('inputs.npy')}")

    assert "shape [4, 6, 4]; the LSTM takes [steps, 5] or [sequences, steps, 5]" in with_inputs(np.zeros((4, 6, 4)))
    assert "NaN" in with_inputs(np.full((4, 5), np.nan))
    assert "real numbers" in with_inputs(np.array(["text"]))
    assert "not a whole file of numbers" in with_inputs(np.array([{}]))
    assert "TILES=17: TILES is 1..16" in refused(f"--model={model}", "--tiles=17")
    assert "requires MODEL=" in refused("--lanes=8")
    assert "weight words a tile, a build of 4 tiles of 64 lanes has 8: WEIGHTS=" in refused(f"--model={model}", "--weights=8")
    assert "no file" in refused(f"--model={model}", "--inputs=absent.npy")
    assert "RANGE=1,0" in refused(f"--model={model}", "--range=1,0")
    assert "NODE=decoder: no such LSTM" in refused(f"--model={model}", "--node=decoder")


def test_policies_without_thresholds_are_left_out_or_refused(monkeypatch):
    """Of a network of which calibration knows some policies."""
    class Known:
        name = "silero"

    monkeypatch.setattr(sim_command, "read", lambda name: {"budget": 1.0, "log2_lambda": {"SENSITIVITY": -19.0}})
    options = sim_command.parse(["--net=silero"])
    words = sim_command.choose_policies(options, Known())
    assert Policy.CELL_HISTORY not in options.policy and {Policy.STATIC_HIGH, Policy.STATIC_LOW, Policy.SENSITIVITY} <= set(options.policy)
    assert words.endswith("SENSITIVITY 2^-19; left out: CELL_HISTORY, never calibrated on silero")
    with pytest.raises(sim_command.UserError, match="make calibrate NET=silero POLICY=CELL_HISTORY"):
        sim_command.choose_policies(sim_command.parse(["--net=silero", "--policy=cell_history"]), Known())


@pytest.mark.slow
def test_a_network_with_two_directions_is_a_run_for_each_part():
    """ddddocr has a layer with two directions: two runs, a reload between them; the shortest is a whole image."""
    ended = sim("--net=ddddocr", "--policy=static_low", "--steps=1")
    assert ended.returncode == 0, ended.stderr
    report = json.loads(Path(ended.stdout.splitlines()[-1]).read_text())
    run, = report["runs"]
    assert set(run) == {*FIELDS, "directions", "reload_cycles"} and run["mismatches"] == 0
    assert run["cycles"] == sum(part["cycles"] for part in run["directions"]) and len(run["directions"]) == 2
    assert run["reload_cycles"] == sum(part["load_cycles"] for part in run["directions"][1:])
    assert all(part["load_cycles"] > 4 * 512 * (512 + 512) / 16 for part in run["directions"])  # of a 128-bit stream
