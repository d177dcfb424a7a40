# SPDX-License-Identifier: MIT
"""The example of docs/own-policy.md: applied to a copy of the tree it generates, builds, and plays random networks bit for bit."""

import os
import re
import shutil
import subprocess
import sys

import pytest

from models.formats import Policy
from tb.bench.runner import ROOT

PATCH = ROOT / "examples" / "output_gate.patch"
PARTS = ("codegen", "docs", "include", "lstm_accelerator.core", "models", "rtl", "scripts", "tb", "conftest.py", "pyproject.toml")
MOST_FILES = 7
PROGRAM = """
from models.policies import BUILD_POLICIES, Policy
from tb.tests.lstm_accelerator.cases import BUILDS, run_on
assert Policy.OUTPUT_GATE in BUILD_POLICIES
run_on("tb.tests.lstm_accelerator.test_lstm_accelerator", BUILDS["small"])
"""


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """A copy of the tree with the example. Skips where the tree itself has it."""
    if "OUTPUT_GATE" in Policy.__members__:
        pytest.skip("the example is in this tree: the other tests play it")
    copy = tmp_path_factory.mktemp("tree")
    for part in PARTS:
        source = ROOT / part
        (shutil.copytree if source.is_dir() else shutil.copy)(source, copy / part)
    (copy / ".venv").symlink_to(ROOT / ".venv")
    subprocess.run(["git", "apply", str(PATCH)], cwd=copy, check=True, env={**os.environ, "GIT_CEILING_DIRECTORIES": str(copy.parent)})
    return copy


def test_it_touches_seven_files_at_most():
    assert len(re.findall(r"^diff --git ", PATCH.read_text(), re.MULTILINE)) <= MOST_FILES


def test_it_plays_random_networks(tree):
    for command in (["-m", "codegen"], ["-c", PROGRAM]):
        ended = subprocess.run([sys.executable, *command], cwd=tree, capture_output=True, text=True)
        assert ended.returncode == 0, ended.stdout[-3000:] + ended.stderr[-3000:]
