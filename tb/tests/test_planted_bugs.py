# SPDX-License-Identifier: MIT
"""The list of `make test-bench` is true: every module of rtl/ has a bug, and each is still to be planted where it says."""

import subprocess
import sys

import pytest

from tb.bench.runner import ROOT, RTL
from tb.commands.planted_bugs import BUGS


def test_every_module_has_a_bug():
    missing = {path.stem for path in RTL.glob("*.v")} - {bug.file for bug in BUGS}
    assert not missing, f"modules without a planted bug: {sorted(missing)}"


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: f"{bug.file} {bug.what}")
def test_a_bug_has_one_place(bug):
    assert (RTL / f"{bug.file}.v").read_text().count(bug.before) == 1, f"not there once: {bug.before}"


def test_the_tests_that_must_catch_them_are_there():
    """A test whose parameters changed has another name, and would catch nothing."""
    names = sorted({f"tb/tests/{name}" for bug in BUGS for name in bug.test.split()})
    found = subprocess.run([sys.executable, "-m", "pytest", "--collect-only", "-q", *names], cwd=ROOT, capture_output=True, text=True)
    assert found.returncode == 0, found.stdout[-2000:]
