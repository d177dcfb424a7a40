# SPDX-License-Identifier: MIT
"""No process outlives the command that started it, however that ends; what is started behaves as it would without a leash."""

import os
import re
import signal
import subprocess
import sys
import time
import uuid
from pathlib import Path

import pytest
import torch
from torch import nn

from tb.bench import leash
from tb.bench.runner import ROOT

PATIENCE = 600  # seconds until a command has come to its simulator, on a machine that is busy
GRACE = 30      # seconds that the end of all may take there


def heed_interrupts() -> None:
    """A shell starts what runs in the background with SIGINT ignored, and its children inherit that; a command that is to be interrupted must not."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


class Family:
    """A command and all that it starts, found by a variable of their environment."""

    def __init__(self, command, **environment):
        self.mark = f"FAMILY={uuid.uuid4()}"
        self.process = subprocess.Popen(command, cwd=ROOT, env=os.environ | environment | dict([self.mark.split("=")]) | {"OMP_NUM_THREADS": "1"},
                                        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True, preexec_fn=heed_interrupts)

    def alive(self) -> dict[int, str]:
        """Names of its processes by number, those that have ended but were not waited for left out."""
        found = {}
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                if self.mark.encode() in (folder / "environ").read_bytes().split(b"\0") and ") Z " not in (folder / "stat").read_text():
                    found[int(folder.name)] = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()[:200]
            except OSError:
                pass  # it ended, or is not ours
        return found

    def wait_for(self, *words: str) -> None:
        """Until it has started a process for each of some patterns of commands."""
        end = time.monotonic() + PATIENCE
        while not all(any(re.search(word, command) for number, command in self.alive().items() if number != self.process.pid and "launcher.py" not in command)
                      for word in words):
            if self.process.poll() is not None or time.monotonic() > end:
                pytest.fail(f"{words} never came: {self.alive()}\n{self.process.stdout.read() if self.process.poll() is not None else ''}")
            time.sleep(0.05)

    def assert_gone(self) -> None:
        """All processes end soon."""
        end = time.monotonic() + GRACE
        while self.alive() and time.monotonic() < end:
            time.sleep(0.05)
        assert not self.alive()

    def end(self) -> None:
        for number in self.alive():
            os.kill(number, signal.SIGKILL)
        self.process.wait()
        self.process.stdout.close()


@pytest.fixture
def family():
    started = []

    def start(command, **environment):
        started.append(Family(command, **environment))
        return started[-1]

    yield start
    for each in started:
        each.end()


# A command of a shell, which starts others, one of them in the background.
TREE = "from tb.bench import leash; leash.run(['sh', '-c', 'sleep 71 & (sleep 72; true) | cat'])"
THREADS = ("from concurrent.futures import ThreadPoolExecutor\nfrom tb.bench import leash\nwith ThreadPoolExecutor(1) as pool:\n"
           "    jobs = [pool.submit(leash.run, ['sleep', str(71 + n)]) for n in range(3)]\n    jobs[-1].result()\n")
VVP = "libcocotbvpi_icarus"  # in the command of a simulation under Icarus
END = [signal.SIGKILL, signal.SIGTERM, signal.SIGINT]


@pytest.mark.parametrize("number", END)
def test_a_tree_of_processes_ends_with_its_root(family, number):
    tree = family([sys.executable, "-c", TREE])
    tree.wait_for("^sleep 71", "^sleep 72", "^cat")
    tree.process.send_signal(number)
    tree.assert_gone()


def test_an_interrupt_ends_what_threads_wait_for_and_starts_no_more(family):
    threads = family([sys.executable, "-c", THREADS])
    threads.wait_for("^sleep 71")
    threads.process.send_signal(signal.SIGINT)
    threads.assert_gone()
    assert "KeyboardInterrupt" in threads.process.stdout.read()


def test_what_a_command_leaves_behind_ends_with_it(family):
    left = family([sys.executable, "-c", "from tb.bench import leash; leash.run(['sh', '-c', 'sleep 71 > /dev/null & echo done'])\n"])
    assert left.process.wait(PATIENCE) == 0
    left.assert_gone()


# A build of its own: what others have built is not built again.
BUILD = """
import os
from pathlib import Path
from tb.bench import runner
runner.BUILD = Path(os.environ["RUNS"])
runner.build("harness", simulator="verilator")
"""
# The command, and words of the processes that are there when its root is ended.
COMMANDS = {
    "sim": (["-m", "tb.commands.sim", "--sim=icarus", "--policy=static_high", "--model={model}", "--tiles=1", "--lanes=8", "--weights=512", "--steps=20000"], [VVP]),
    "soak": (["-m", "tb.commands.soak", "--minutes=5", "--seed=1"], [VVP]),
    "endurance": (["-m", "tb.commands.endurance", "--values=1000", "--case-values=1000000", "--seed=1"], [VVP]),
    "build": (["-c", BUILD], ["make", "cc1plus"]),
    "planted_bugs": (["-m", "tb.commands.planted_bugs", "withdraws"], ["pytest", VVP]),
    "regress": (["-m", "tb.commands.regress", "--minutes=0", "--seed=1", "tb/tests/lstm_accelerator/test_lstm_accelerator.py"], ["pytest", "verilator/harness-"]),
    "eval": (["-m", "tb.commands.evaluate", "--net=silero", "--jobs=2"], ["spawn_main"]),
    "silicon": (["-c", "from syn.synthesize import synthesize; synthesize('baseline')"], ["pyosys"]),
}


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """File of an LSTM that is built and quantized in a second or two."""
    file = tmp_path_factory.mktemp("model") / "lstm.pt"
    torch.save(nn.LSTM(2, 3).state_dict(), file)
    return file


@pytest.fixture
def folders(tmp_path):
    """Environment that keeps what a command writes out of build/ as far as it can, and builds anew: a regression that runs this test must not lose its own."""
    return {"SIM": "icarus", "RUNS": str(tmp_path / "runs"), "REPORTS": str(tmp_path), "CACHE": str(tmp_path / "cache")}


def started(family, name, folders, model):
    command, words = COMMANDS[name]
    command = [word.replace("{model}", str(model)) for word in command]
    if name == "build":
        folders = folders | {"CCACHE_DISABLE": "1"}
    found = family([sys.executable, *command], **folders)
    found.wait_for(*words)
    return found


@pytest.mark.parametrize("name", ["sim", "eval"])
@pytest.mark.parametrize("number", END)
def test_no_process_outlives_its_command(family, folders, model, name, number):
    command = started(family, name, folders, model)
    command.process.send_signal(number)
    command.assert_gone()


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in COMMANDS if name not in ("sim", "eval")])
@pytest.mark.parametrize("number", END)
def test_no_process_outlives_the_other_commands(family, folders, model, name, number):
    command = started(family, name, folders, model)
    command.process.send_signal(number)
    command.assert_gone()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_no_process_outlives_make(family, folders, number):
    make = family(["make", "soak", "SIM=icarus", "SEED=1"], **folders)
    make.wait_for(VVP)
    make.process.send_signal(number)
    make.assert_gone()


# A pool at work, which the program leaves as told.
POOL = """
import sys, time
from tb.bench.leash import worker_pool

if __name__ == "__main__":
    with worker_pool(2) as pool:
        jobs = [pool.submit(time.sleep, 300) for _ in range(2)]
        time.sleep(float(sys.argv[1]))
        raise ValueError("left")
"""


@pytest.mark.parametrize("seconds", [0, 3])
def test_workers_end_with_an_exception(family, tmp_path, seconds):
    (tmp_path / "program.py").write_text(POOL)
    pool = family([sys.executable, tmp_path / "program.py", str(seconds)], PYTHONPATH=str(ROOT))
    assert pool.process.wait(PATIENCE) == 1 and "ValueError: left" in pool.process.stdout.read()
    pool.assert_gone()


@pytest.mark.parametrize("number", END)
def test_workers_end_with_their_command(family, tmp_path, number):
    (tmp_path / "program.py").write_text(POOL)
    pool = family([sys.executable, tmp_path / "program.py", "300"], PYTHONPATH=str(ROOT))
    pool.wait_for("spawn_main")
    pool.process.send_signal(number)
    pool.assert_gone()


def test_a_command_on_a_leash_is_like_any_other(tmp_path):
    ended = leash.run(["sh", "-c", "echo out; echo err >&2; pwd; echo $ONE; exit 3"], capture_output=True, text=True, cwd=tmp_path, env=os.environ | {"ONE": "1"})
    assert (ended.returncode, ended.stdout.split(), ended.stderr) == (3, ["out", str(tmp_path), "1"], "err\n")
    assert leash.run(["sh", "-c", "kill -9 $$"]).returncode == -signal.SIGKILL
    assert leash.run(["sh", "-c", "yes | head -n 1"], capture_output=True, text=True).stdout == "y\n"  # SIGPIPE is what it was
    assert leash.run(["cat"], capture_output=True).stdout == b""  # no input
    with pytest.raises(subprocess.CalledProcessError):
        leash.run(["false"], check=True)
    with pytest.raises(FileNotFoundError, match="no-such-program is not on the PATH; run: make setup"):
        leash.run(["no-such-program"])
