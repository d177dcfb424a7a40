# SPDX-License-Identifier: MIT
"""Makes every run repeatable, and ends it with one line when a variable of the environment is wrong."""

import os

import pytest
from hypothesis import settings

from tb.bench.runner import SIMULATORS

settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.load_profile("repeatable")


def pytest_configure():
    simulator, seed = os.environ.get("SIM") or "verilator", os.environ.get("SEED") or "1"
    if simulator not in SIMULATORS:
        raise pytest.UsageError(f"SIM={simulator}: no such simulator; choose one of {', '.join(SIMULATORS)}")
    if not seed.isdecimal():
        raise pytest.UsageError(f"SEED={seed}: a seed is a whole number of 0 or more")
