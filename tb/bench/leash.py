# SPDX-License-Identifier: MIT
"""The one place that starts processes: none of them outlives the process that started it, however that ends, SIGKILL included.

`run` is for commands (simulators, make, Yosys, pytest), `worker_pool` for the project's own Python.
"""

import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

LAUNCHER = Path(__file__).with_name("launcher.py")

_running = set()  # process groups of commands
_interrupted = threading.Event()


def run(command: list, *, check: bool = False, capture_output: bool = False, cpu_seconds: int = 0, **options) -> subprocess.CompletedProcess:
    """As subprocess.run, for a list of arguments and without input. cpu_seconds: that each process of the command may take (0: any).

    Raises FileNotFoundError for a program that is not on the PATH, CalledProcessError if asked to check, KeyboardInterrupt after a SIGINT.
    """
    command = [str(part) for part in command]
    if os.sep not in command[0] and not shutil.which(command[0]):
        raise FileNotFoundError(f"{command[0]} is not on the PATH; run: make setup")
    if _interrupted.is_set():
        raise KeyboardInterrupt
    if capture_output:
        options |= {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    launched = [sys.executable, "-I", "-S", str(LAUNCHER), str(os.getpid()), *["prlimit", f"--cpu={cpu_seconds}"] * bool(cpu_seconds), *command]
    with subprocess.Popen(launched, start_new_session=True, **options) as process:
        _running.add(process.pid)
        try:
            output, errors = process.communicate()
        finally:
            _running.discard(process.pid)
            if process.returncode is None:
                _kill(process.pid)
    ended = subprocess.CompletedProcess(command, process.returncode, output, errors)
    if check:
        ended.check_returncode()
    return ended


def interrupted() -> bool:
    """Whether this process has had a SIGINT, of which the commands that it ran have died."""
    return _interrupted.is_set()


@contextmanager
def worker_pool(processes: int) -> Iterator[ProcessPoolExecutor]:
    """Worker processes, which end at once when the block is left by an exception, and when this process ends.

    They are started anew: what a forked process inherits of PyTorch's threads may hang.
    """
    held, end = multiprocessing.Pipe(duplex=False)  # nothing is sent: it closes with this process, the only one that has the other end
    others = set(multiprocessing.active_children())
    with ProcessPoolExecutor(processes, multiprocessing.get_context("spawn"), _hold, (held,)) as pool:
        try:
            yield pool
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            for child in set(multiprocessing.active_children()) - others:
                child.kill()
            raise
    end.close()


def _hold(held) -> None:
    """At the start of a worker: a thread waits for the end of the pipe."""
    def wait():
        try:
            held.recv_bytes()
        except (EOFError, OSError):
            os._exit(1)

    threading.Thread(target=wait, daemon=True).start()


def _kill(group: int) -> None:
    with suppress(ProcessLookupError):
        os.killpg(group, signal.SIGKILL)


def _interrupt(number, frame) -> None:
    """Commands in sessions of their own do not hear Ctrl-C; the threads that wait for them would wait to their end."""
    _interrupted.set()
    for group in list(_running):
        _kill(group)
    signal.default_int_handler(number, frame)


if threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    signal.signal(signal.SIGINT, _interrupt)
