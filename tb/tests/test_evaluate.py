# SPDX-License-Identifier: MIT
"""make eval: a small part of it with the RTL, an interruption, and what a user gets wrong. The cluster is in test_cluster.py."""

import json
from concurrent.futures import Future
from contextlib import nullcontext

import pytest

from models import cache, study
from models.policies import Policy
from tb.commands import eval_report
from tb.commands.evaluation import command, metrics, rtl, schedule, task
from tb.commands.evaluation.command import UserError, main, parse
from tb.commands.evaluation.task import Task

NET, STEPS, CYCLES_STEPS = "textgenrnn", 800, 40
ARGUMENTS = [f"--net={NET}", f"--steps={STEPS}"]
POLICIES = ["SENSITIVITY", "CELL_HISTORY", "STATIC_HIGH", "STATIC_LOW", "FLOAT", "RANDOM", "STATIC_ROWS", "RANDOM like CELL_HISTORY",
            "STATIC_ROWS like CELL_HISTORY", "ORACLE"]


class Inline:
    """An executor that does the work at once, in this process, and remembers it."""

    def __init__(self):
        self.done = []

    def submit(self, function, task, *given):
        self.done.append(task)
        future = Future()
        future.set_result(function(task, *given))
        return future


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Folder of a cache and of results of its own; small samples."""
    folder = tmp_path_factory.mktemp("eval")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cache, "FOLDER", folder / "cache")
        patch.setattr(eval_report, "BUILD", folder)
        patch.setattr(eval_report, "ROOT", folder)
        patch.setattr(rtl, "BUILD", folder)
        patch.setattr(task, "CYCLES_STEPS", dict.fromkeys(task.CYCLES_STEPS, CYCLES_STEPS))
        patch.setattr(task, "REFERENCE_STEPS", CYCLES_STEPS)
        patch.setattr(study, "FIT_STEPS", 4000)
        patch.setattr(metrics, "FRONTIER_STEPS", 400)
        patch.setattr(schedule, "FRONTIER_SHARES", (0.8,))
        yield folder


def run(*arguments):
    """(records, tasks that were done) of make eval."""
    executor = Inline()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(command, "executor_of", lambda options: nullcontext(executor))
        return main([*ARGUMENTS, *arguments]), executor.done


@pytest.fixture(scope="module")
def evaluated(folders):
    return run()


def test_every_policy_has_a_record_and_the_rtl_was_equal(evaluated, folders):
    records, _ = evaluated
    by = {record["policy"]: record for record in records}
    assert list(by) == POLICIES and all(record["network"] == NET for record in records)
    assert json.loads((folders / "eval.json").read_text()) == json.loads(json.dumps(records))
    for name in ("STATIC_HIGH", "STATIC_LOW", "CELL_HISTORY", "SENSITIVITY"):
        assert by[name]["rtl_steps_checked"] >= CYCLES_STEPS and by[name]["speedup_baseline"] == pytest.approx(by[name]["speedup"], rel=0.05)
    assert by["STATIC_HIGH"]["low_share"] == 0 and by["STATIC_HIGH"]["speedup"] == 1 and by["STATIC_HIGH"]["delta_ci95"] == (0, 0)
    assert by["STATIC_LOW"]["low_share"] == 1 and 3.5 < by["STATIC_LOW"]["speedup"] <= 4
    assert (by["STATIC_HIGH"]["mean_quarters"], by["STATIC_LOW"]["mean_quarters"]) == (4, 1)
    # So few samples decide nothing but that everything differs.
    assert not by["STATIC_LOW"]["no_loss"] and len({record["value"] for record in records}) == len(records)
    for reference in POLICIES[5:]:
        policy = "CELL_HISTORY" if reference.endswith("CELL_HISTORY") else "SENSITIVITY"
        assert by[reference]["mean_quarters"] == pytest.approx(by[policy]["mean_quarters"], abs=0.05)
    for record in records:
        low, high = record["ci95"]
        assert low < record["value"] < high


def test_the_report_shows_what_the_records_hold(evaluated, folders):
    records, _ = evaluated
    text = (folders / "results.md").read_text()
    assert all(f"| {' | '.join(eval_report.row(record))} |" in text for record in records)
    assert (folders / "frontier.png").stat().st_size > 10_000


def test_what_was_done_is_not_done_again(evaluated):
    records, done = evaluated
    assert len(done) == len(set(done)) > 20
    again, nothing = run()
    assert again == records and nothing == []


def test_an_interrupted_run_goes_on(evaluated, folders):
    records, _ = evaluated
    lost = Task("metric", NET, STEPS, "RANDOM", "SENSITIVITY")
    path = max(cache.FOLDER.glob("metric-*"), key=lambda path: path.stat().st_mtime)
    content = path.read_bytes()
    path.unlink()
    again, done = run()
    assert again == records and len(done) == 1 and done[0].kind == lost.kind
    assert path.exists() and len(path.read_bytes()) == len(content)


def test_a_difference_between_rtl_and_model_is_an_error(folders, evaluated):
    with pytest.raises(AssertionError, match="the model takes 1"):
        rtl.rtl(Task("rtl", NET, STEPS, Policy.STATIC_HIGH.name), {"cycles": 1})


@pytest.mark.parametrize("arguments", [["--net=none"], ["--net=silero,none"], ["--jobs=0"], ["--steps=0"], ["--jobs=2", "--scheduler=tcp://127.0.0.1:1"]])
def test_wrong_arguments(arguments):
    with pytest.raises(UserError):
        parse(arguments)


def test_a_scheduler_that_is_not_there():
    with pytest.raises(UserError, match=r"SCHEDULER=tcp://127\.0\.0\.1:1:"), schedule.executor_of(parse(["--scheduler=tcp://127.0.0.1:1"])):
        pass
