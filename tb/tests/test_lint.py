# SPDX-License-Identifier: MIT
"""`make lint` is clean."""

import subprocess
import sys

from tb.bench.runner import ROOT


def test_ruff_finds_nothing():
    ended = subprocess.run([sys.executable, "-m", "ruff", "check", "--output-format=concise"], cwd=ROOT, capture_output=True, text=True)
    assert ended.returncode == 0, f"{ended.stdout}{ended.stderr}(settings and reasons: pyproject.toml)"
