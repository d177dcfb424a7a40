# SPDX-License-Identifier: MIT
"""Copies of rtl/ in which one file is another, and tests on them: for bugs, mutants, and netlists in place of a module."""

import os
import re
import shutil
import sys
import time
from pathlib import Path

from tb.bench import leash
from tb.bench.runner import ROOT, RTL


def read(module: str) -> str:
    """Text of a module of rtl/, a character a byte."""
    return (RTL / f"{module}.v").read_text(encoding="latin-1")


def replace_once(module: str, before: str, after: str) -> str:
    """Text of a module in which `before` becomes `after`. Raises ValueError unless it is there once."""
    text = read(module)
    if text.count(before) != 1:
        raise ValueError(f"{before!r} is in {module}.v {text.count(before)} times")
    return text.replace(before, after)


def changed_rtl(folder: Path, module: str, text: str) -> Path:
    """A copy of rtl/ in a folder, which is made anew, with this text of a module, a character a byte."""
    shutil.rmtree(folder, ignore_errors=True)
    rtl = shutil.copytree(RTL, folder / "rtl")
    (rtl / f"{module}.v").write_text(text, encoding="latin-1")
    return rtl


def run_test(test: str, rtl: Path, folder: Path, case: str = "", cpu_seconds: int = 0, slow: bool = True) -> tuple[int, str, float]:
    """Exit code of pytest, its output and the seconds, with the design in `rtl`, on Icarus; what the tests write goes to `folder`.

    test: below tb/tests, several with spaces between them; case: of their cocotb tests (default: all); cpu_seconds: that each process may take
    (0: any); slow: with tests that are marked so. A simulation ends with its first failure.
    """
    environment = {**os.environ, "SIM": "icarus", "RETRACE": "0", "RTL": str(rtl), "RUNS": str(folder / "runs"), "COCOTB_TEST_FILTER": case,
                   "COCOTB_MAX_FAILURES": "1"}
    start = time.monotonic()
    command = [sys.executable, "-m", "pytest", "-x", "-q", *["-m", "not slow"] * (not slow), *(f"tb/tests/{one}" for one in test.split())]
    ended = leash.run(command, cpu_seconds=cpu_seconds, cwd=ROOT, env=environment, capture_output=True, text=True)
    return ended.returncode, ended.stdout, time.monotonic() - start


def reason_of(output: str) -> str:
    """Why a simulation failed, in the output of pytest; empty if none did."""
    found = re.search(r"(?:SimulationError|Failed): (.*?)\n(?:E +log: |\n)", output, re.DOTALL)
    return " ".join(found[1].replace("\nE ", " ").split()) if found else ""
