"""The one place that starts processes: none of them outlives the process that started it, however that ends, SIGKILL included.

`run` is for commands (simulators, make, Yosys, pytest), `Lifeline` for the workers of a pool.
"""

import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path

LAUNCHER = Path(__file__).with_name("launcher.py")

_running = set()  # process groups of commands
_interrupted = threading.Event()


def run(command: list, *, check=False, capture_output=False, **options) -> subprocess.CompletedProcess:
    """As subprocess.run, for a list of arguments and without input.

    Raises FileNotFoundError for a program that is not on the PATH, CalledProcessError if asked to check, KeyboardInterrupt after a SIGINT.
    """
    command = [str(part) for part in command]
    if os.sep not in command[0] and not shutil.which(command[0]):
        raise FileNotFoundError(f"{command[0]} is not on the PATH; run: make setup")
    if _interrupted.is_set():
        raise KeyboardInterrupt
    if capture_output:
        options |= {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    launched = [sys.executable, "-I", "-S", str(LAUNCHER), str(os.getpid()), *command]
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


class Lifeline:
    """A pipe whose one end this process holds: workers that were given the other end, and `hold` it, end when this one is closed."""

    def __init__(self):
        self.held, self._end = multiprocessing.Pipe(duplex=False)

    def cut(self) -> None:
        """Ends all workers at once."""
        self._end.close()

    @staticmethod
    def hold(held) -> None:
        """For the start of a worker: a thread waits for the end of the pipe. Nothing is ever sent."""
        def wait():
            try:
                held.recv_bytes()
            except (EOFError, OSError):
                os._exit(1)

        threading.Thread(target=wait, daemon=True).start()


def _kill(group: int) -> None:
    try:
        os.killpg(group, signal.SIGKILL)
    except ProcessLookupError:
        pass


def _interrupt(number, frame) -> None:
    """Commands in sessions of their own do not hear Ctrl-C; the threads that wait for them would wait to their end."""
    _interrupted.set()
    for group in list(_running):
        _kill(group)
    signal.default_int_handler(number, frame)


if threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    signal.signal(signal.SIGINT, _interrupt)
