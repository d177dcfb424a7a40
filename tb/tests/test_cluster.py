# SPDX-License-Identifier: MIT
"""make eval on real processes: a pool here, and a Dask scheduler with two workers, one of which is killed at its work. On the toy network."""

import json
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from tb.bench.runner import ROOT
from tb.commands.evaluation import schedule
from tb.commands.evaluation.task import Task

MODULE = "tb.tests.toy_evaluation"
PATIENCE = 600  # seconds, on a machine that is busy


def started(command, folder, **environment):
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT), "TOY": str(folder), "CACHE": str(folder / "cache")} | environment
    return subprocess.Popen([sys.executable, "-m", *command], cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def evaluated(folder, *arguments, **environment):
    """make eval of the toy network, to its end; returns its exit code and its errors."""
    ended = started([MODULE, *arguments], folder, **environment)
    try:
        _, errors = ended.communicate(timeout=PATIENCE)
    finally:
        ended.kill()
    return ended.returncode, errors


def until(condition):
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, "it never came"
        time.sleep(0.02)


def assert_one_line(folder, code, errors):
    """What a user sees of a metric that fails; the next run has nothing in its way."""
    assert code == 1
    assert errors.splitlines()[-1] == (f"eval: toy, metric CELL_HISTORY: ValueError: a metric that fails (traceback: {folder / 'eval-error.log'}); what was "
                                       "done is kept, the rest: make eval NET=toy STEPS=240")
    assert "Traceback" not in errors and "in two lines" in (folder / "eval-error.log").read_text()
    (folder / "fails").unlink()


@pytest.fixture(scope="module")
def local(tmp_path_factory):
    """Folder of a run with two processes here, the second attempt at it."""
    folder = tmp_path_factory.mktemp("local")
    (folder / "fails").write_text("CELL_HISTORY")
    assert_one_line(folder, *evaluated(folder, "--jobs=2"))
    code, errors = evaluated(folder, "--jobs=2")
    assert code == 0, errors
    return folder


@pytest.fixture
def cluster(tmp_path):
    """Folder, address of a scheduler, and its two workers, all of them processes with ports of their own."""
    pytest.importorskip("distributed")
    file = tmp_path / "scheduler.json"
    processes = [started(["dask", "scheduler", "--host=127.0.0.1", "--port=0", "--no-dashboard", f"--scheduler-file={file}"], tmp_path)]
    try:
        until(lambda: file.exists() and file.stat().st_size)
        worker = ["dask", "worker", f"--scheduler-file={file}", "--host=127.0.0.1", "--nthreads=1", "--no-nanny", "--no-dashboard",
                  f"--local-directory={tmp_path}", f"--preload={MODULE}"]
        processes += [started(worker, tmp_path, DELAY="0.7") for _ in range(2)]
        yield tmp_path, json.loads(file.read_text())["address"], processes[1:]
    finally:
        for process in processes:
            process.kill()
            process.communicate()


def test_a_cluster_that_loses_a_worker_gives_the_same_bytes(local, cluster):
    folder, address, (first, second) = cluster
    (folder / "fails").write_text("CELL_HISTORY")
    assert_one_line(folder, *evaluated(folder, f"--scheduler={address}"))
    with ThreadPoolExecutor(1) as pool:
        run = pool.submit(evaluated, folder, f"--scheduler={address}")
        until(lambda: run.done() or (folder / f"working-{first.pid}").exists())
        first.send_signal(signal.SIGKILL)
        code, errors = run.result()
    assert code == 0, errors
    assert first.wait() == -signal.SIGKILL and second.poll() is None
    assert (folder / f"working-{first.pid}").exists()  # it was at a metric, which the other one made
    assert (folder / "eval.json").read_bytes() == (local / "eval.json").read_bytes()
    shares = {record["policy"]: record.get("low_share") for record in json.loads((local / "eval.json").read_text())}
    assert 0.5 < shares["SENSITIVITY"] < 0.95 and 0.5 < shares["CELL_HISTORY"] < 0.95  # there was something to decide


def test_a_worker_with_other_text_is_refused():
    task = Task("metric", "silero", 100, "STATIC_HIGH")
    kind, _, _text, data = schedule.key_of(task)
    with pytest.raises(schedule.OtherCode, match="give it the same one"):
        schedule.work(task, (kind, task, "another text", data))
