# SPDX-License-Identifier: MIT
"""make eval: all of it on the toy network, the RTL included, an interruption, and what a user gets wrong. Processes and the cluster are in test_cluster.py."""

import json
import os
import re
import shutil
import subprocess
import sys

import pytest

from tb.bench.runner import ROOT
from tb.commands import eval_report
from tb.commands.evaluation import schedule
from tb.commands.evaluation.command import UserError, parse
from tb.commands.evaluation.task import FLOAT, RIVALS

POLICIES = ["SENSITIVITY", "CELL_HISTORY", *RIVALS, "STATIC_HIGH", "STATIC_LOW", FLOAT]
# Does the work in this process, and says what it did and what came of it; what is given as arguments is the command's.
PROGRAM = """
import json, sys
from concurrent.futures import Future
from contextlib import nullcontext
from tb.tests import toy_evaluation
from tb.commands.evaluation import command, rtl
from tb.commands.evaluation.task import Task

class Inline:
    done = []
    def submit(self, function, task, key):
        self.done.append(f"{task.kind} {task.name}")
        future = Future()
        try:
            future.set_result(function(task, key))
        except Exception as error:
            future.set_exception(error)
        return future

command.executor_of = lambda options: nullcontext(Inline())
if sys.argv[1] == "wrong":
    rtl.cycles_of = lambda *given: 1
code = command.run([f"--steps={toy_evaluation.STEPS}", "--net=toy", "--rtl=1"])
print(json.dumps(Inline.done))
sys.exit(code)
"""


def evaluated(folder, what=""):
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT), "TOY": str(folder), "CACHE": str(folder / "cache")}
    ended = subprocess.run([sys.executable, "-c", PROGRAM, what], cwd=ROOT, env=environment, capture_output=True, text=True)
    return ended, json.loads(ended.stdout.splitlines()[-1]) if ended.stdout else None


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """(folder, records, tasks that were done) of make eval."""
    folder = tmp_path_factory.mktemp("eval")
    ended, done = evaluated(folder)
    assert ended.returncode == 0, ended.stderr
    return folder, json.loads((folder / "eval.json").read_text()), done


def test_every_policy_has_a_record_and_the_rtl_was_equal(run):
    _, found, _ = run
    by = {record["policy"]: record for record in found}
    assert list(by) == POLICIES and all(record["network"] == "toy" for record in found)
    for name in ("STATIC_HIGH", "STATIC_LOW", "CELL_HISTORY", "SENSITIVITY"):
        assert by[name]["rtl_steps_checked"] == 24 and by[name]["cycles_steps"] == 48
    high, low, sensitivity = (by[name] for name in ("STATIC_HIGH", "STATIC_LOW", "SENSITIVITY"))
    assert high["low_share"] == 0 and high["speedup"] == 1 and high["delta_ci95"] == [0, 0] and high["no_loss"]
    assert low["low_share"] == 1 and low["mean_quarters"] == 1 and low["speedup"] > 1
    assert 0.3 < sensitivity["low_share"] < 1 and sensitivity["ideal_speed_ci95"][0] < sensitivity["ideal_speed"] < sensitivity["ideal_speed_ci95"][1]
    assert by["STATIC_ROWS"]["ideal_speed_ci95"] == pytest.approx([by["STATIC_ROWS"]["ideal_speed"]] * 2)
    assert by["RANDOM"]["seeds"][0]["loss"] == by["RANDOM"]["loss"] and len(by["RANDOM"]["seeds"]) == 3
    for record in found:
        assert record["ci95"][0] < record["value"] < record["ci95"][1]


def test_losses_and_rivals_follow_from_the_figures(run):
    """Of this task a margin is half a point or a tenth of the error."""
    _, found, _ = run
    by = {record["policy"]: record for record in found}
    margin = min(0.005, 0.1 * (1 - by[FLOAT]["value"]))
    for record in found:
        assert record["loss"] == pytest.approx((by["STATIC_HIGH"]["value"] - record["value"]) / margin)
        assert record["no_loss"] == (record["loss_ci95"][1] <= 1)
        if record["policy"] != FLOAT:
            assert record["vs_float"]["loss"] == pytest.approx((by[FLOAT]["value"] - record["value"]) / margin)
    against = by["SENSITIVITY"]["vs_rival"]
    assert set(against) == {*RIVALS, "STATIC_LOW", "CELL_HISTORY"}
    for name, one in against.items():
        assert one["speed_ratio"] == pytest.approx(by["SENSITIVITY"]["ideal_speed"] / by[name]["ideal_speed"])
        assert one["loss"] == pytest.approx((by[name]["value"] - by["SENSITIVITY"]["value"]) / margin)
        assert one["faster"] == (one["speed_ratio_ci95"][0] > 1)


def test_the_report_shows_what_the_records_hold(run):
    folder, found, _ = run
    text = (folder / "results.md").read_text()
    assert all(f"| {' | '.join(eval_report.row(record))} |" in text for record in found)
    assert all(f"| {' | '.join(line)} |" in text for line in (*eval_report.means(found), *eval_report.rivals(found)))
    assert (folder / "frontier.png").stat().st_size > 10_000


def lines_by_hand(text):
    """Of a page with tables of make eval: what stands outside of them."""
    return re.sub(r"(<!-- \w+: written by make eval -->\n).*?(?=<!-- end -->)", r"\1", text, flags=re.DOTALL)


def table_of(page, name):
    """Cells of the first table in a block of make eval, its headings included."""
    block, = re.findall(rf"<!-- {name}: written by make eval -->\n(.*?)<!-- end -->", page.read_text(), re.DOTALL)
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in block.strip().splitlines() if line.startswith("|")]


@pytest.mark.parametrize("page, write, name", [(eval_report.README, eval_report.readme, "means"), (eval_report.RESULTS, eval_report.results, "networks")],
                         ids=["readme", "results"])
def test_a_page_has_the_tables_of_the_records_and_its_own_text(run, page, write, name):
    _, found, _ = run
    text = page.read_text()
    written = write(text, found)
    assert lines_by_hand(written) == lines_by_hand(text) and write(written, found) == written != text
    assert "| Silero VAD" not in written and "silero: area" not in written
    with pytest.raises(ValueError, match=f"0 places for the table {name} of make eval"):
        write(text.replace(f"<!-- {name}:", "<!-- other:"), found)


def test_the_pages_show_what_the_records_hold(run):
    _, found, _ = run
    readme, results = eval_report.readme(eval_report.README.read_text(), found), eval_report.results(eval_report.RESULTS.read_text(), found)
    own = next(record for record in found if record["policy"] == "SENSITIVITY")
    assert f"| speed in cycles, geometric mean of 1 networks | **{own['speedup_baseline']:.2f}x** |" in readme
    assert f"| toy | {own['loss']:+.2f} [" in results and eval_report.verdict(found) in results
    assert all(f"| {' | '.join(eval_report.row(record))} |" in results for record in found)
    assert all(f"| {' | '.join(line)} |" in results for line in (*eval_report.means(found), *eval_report.rivals(found)))


def test_a_published_run_writes_the_pages_and_no_page_of_its_own(run, tmp_path, monkeypatch):
    _, found, _ = run
    (tmp_path / "docs").mkdir()
    for name, source in (("README", "README.md"), ("RESULTS", "docs/results.md")):
        shutil.copy(getattr(eval_report, name), tmp_path / source)
        monkeypatch.setattr(eval_report, name, tmp_path / source)
    monkeypatch.setattr(eval_report, "ROOT", tmp_path)
    monkeypatch.setattr(eval_report, "BUILD", tmp_path / "build")
    monkeypatch.setattr(eval_report, "plot", lambda records, path: None)
    written = [str(path) for path in eval_report.write(found, published=True)]
    assert written == ["build/eval.json", "docs/results.md", "docs/images/frontier.png", "README.md"]
    assert not (tmp_path / "build" / "results.md").exists()
    assert all("geometric mean of 1 networks" in (tmp_path / name).read_text() or "| toy |" in (tmp_path / name).read_text() for name in ("README.md", "docs/results.md"))


def test_tables_on_the_pages_agree():
    """Losses, speeds and shares of each network in the two tables that have them, and means in the README and in the results."""
    results = eval_report.RESULTS.read_text()
    lines = [[cell.strip("*") for cell in line] for line in table_of(eval_report.RESULTS, "networks")[2:]]
    assert len(lines) == len(eval_report.TITLES)
    for title, loss, against_float, levels, speed, *_ in lines:
        net = next(net for net, name in eval_report.TITLES.items() if name == title)
        section = results.split(f"\n## {net}:")[1].split("\n## ")[0]
        row, = (line for line in section.splitlines() if line.startswith("| SENSITIVITY |"))
        cells = [cell.strip() for cell in row.strip("|").split("|")]
        assert cells[2] == loss.split(", **")[0] and cells[4] == against_float.split(", **")[0] and cells[6] == levels
        assert abs(float(cells[9].rstrip("x")) - float(speed.rstrip("x"))) < 0.0056  # three digits and two
    means = {(policy, networks.split(" (")[0]): cells for policy, networks, *cells in table_of(eval_report.RESULTS, "means")[2:]}
    _, _, all_of, free, no_loss, low, *_ = table_of(eval_report.README, "means")
    for column, policy in ((1, "SENSITIVITY"), (2, "CELL_HISTORY")):
        assert all_of[column].strip("*") == means[policy, "all"][4] and free[column].strip("*") == means[policy, "not saturated"][4]
        assert no_loss[column] == "; ".join(means[policy, "all"][:2]) and abs(float(low[column].rstrip("%")) - float(means[policy, "all"][2].rstrip("%"))) <= 0.5


@pytest.mark.parametrize("page, write", [(eval_report.README, eval_report.readme), (eval_report.RESULTS, eval_report.results)], ids=["readme", "results"])
def test_headings_of_tables_are_those_that_the_command_writes(run, page, write):
    heading = r"^\|.*\|\n\|(?: -+:? \|)+$"
    _, found, _ = run
    assert set(re.findall(heading, page.read_text(), re.MULTILINE)) == set(re.findall(heading, write(page.read_text(), found), re.MULTILINE))


def test_the_verdict_names_networks_where_a_fixed_choice_is_as_good(run):
    _, found, _ = run
    by = {record["policy"]: record for record in found}

    def verdict(faster, no_loss, least_loss=-1.0):
        rivals = {name: one | {"faster": faster, "loss_ci95": [least_loss, 1.0]} for name, one in by["SENSITIVITY"]["vs_rival"].items()}
        changed = {"SENSITIVITY": {"vs_rival": rivals}, "STATIC_LOW": {"no_loss": no_loss}}
        return eval_report.verdict([record | changed.get(record["policy"], {}) for record in found])

    assert verdict(True, False) == "SENSITIVITY is faster than STATIC_ROWS and static widths on every network, with the whole interval of the ratio above 1."
    assert verdict(False, False).startswith("On toy a fixed choice is as fast as SENSITIVITY")
    assert "HH alone shows no loss against 8 bits on toy" in verdict(True, True)
    assert "loses more" not in verdict(True, False, 0.0)
    assert re.search(r"It loses more than a slower rival, with the whole interval of the paired loss above 0, on toy \(STATIC_ROWS", verdict(True, False, 0.01))


def test_means_are_geometric_and_say_which_networks_they_hold(run):
    _, found, _ = run
    other = [record | {"network": "silero", "ideal_speed": 4 * record["ideal_speed"], "low_share": 0.99} for record in found if record["policy"] != FLOAT]
    other += [record | {"network": "silero"} for record in found if record["policy"] == FLOAT]
    lines = {line[:2]: line for line in eval_report.means([*found, *other])}
    speed = next(record for record in found if record["policy"] == "SENSITIVITY")["ideal_speed"]
    assert lines["SENSITIVITY", "all (2)"][5] == f"{2 * speed:.2f}x" and lines["SENSITIVITY", "not saturated (1)"][5] == f"{speed:.2f}x"
    assert lines["SENSITIVITY", "worst: toy"][5] == f"{speed:.2f}x"


def test_what_was_done_is_not_done_again_and_what_was_lost_is(run):
    folder, found, done = run
    assert len(done) == len(set(done)) == 1 + len(POLICIES) + 2 + 5 + 5
    ended, again = evaluated(folder)
    assert ended.returncode == 0 and again == [] and json.loads((folder / "eval.json").read_text()) == found
    newest = max((folder / "cache").glob("metric-*"), key=lambda path: path.stat().st_mtime)
    newest.unlink()
    ended, again = evaluated(folder)
    assert ended.returncode == 0 and len(again) == 1 and again[0].startswith("metric ") and json.loads((folder / "eval.json").read_text()) == found


def test_a_difference_between_rtl_and_model_is_an_error(run, tmp_path):
    shutil.copytree(run[0], tmp_path / "eval")
    next((tmp_path / "eval" / "cache").glob("rtl-*")).unlink()
    ended, _ = evaluated(tmp_path / "eval", "wrong")
    assert ended.returncode == 1
    assert ended.stderr.splitlines()[-1].startswith("eval: toy, rtl ") and "the model takes 1" in ended.stderr.splitlines()[-1]


def test_a_rival_without_an_operating_point_is_named_with_its_command(monkeypatch):
    from tb.commands.evaluation import task

    monkeypatch.setattr(task, "read", lambda net: {"design": {}, "log2_lambda": {}})
    for label in RIVALS:
        with pytest.raises(FileNotFoundError, match=f'models.quarters.calibrate --net silero --task "{label}"'):
            task.operating_point("silero", label)
    with pytest.raises(FileNotFoundError, match="make calibrate NET=silero"):
        task.operating_point("silero", "SENSITIVITY")


@pytest.mark.parametrize("arguments", [["--net=none"], ["--net=silero,none"], ["--jobs=0"], ["--steps=0"], ["--jobs=2", "--scheduler=tcp://127.0.0.1:1"]])
def test_wrong_arguments(arguments):
    with pytest.raises(UserError):
        parse(arguments)


def test_a_scheduler_that_is_not_there(monkeypatch):
    monkeypatch.setattr(schedule, "PATIENCE", 1)
    with pytest.raises(UserError, match=r"SCHEDULER=tcp://127\.0\.0\.1:1:"), schedule.executor_of(parse(["--scheduler=tcp://127.0.0.1:1"])):
        pass
