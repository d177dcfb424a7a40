# SPDX-License-Identifier: MIT
"""Compiled functions give the integers of those that are not, to the bit; where compiling fails they run as they are."""

import os
import subprocess
import sys

import pytest
import torch

from models import compiled
from models.levels import LEVELS
from models.policies import Policy
from models.sources import ROOT
from models.tests.random_networks import random_input, random_network

pytestmark = pytest.mark.filterwarnings("ignore:.*torch.jit.script_method")  # torch.compile's own


@pytest.mark.slow
@pytest.mark.parametrize("policy", Policy)
def test_the_same_integers(policy):
    network = random_network(1, 40, [24, 17], terms=2, policy=policy, levels=LEVELS["HH HL 3/4 all"])
    shares = [[[0.25] * 4] * 4] * 2 if policy == Policy.RANDOM else None
    for batch in (16, 1):
        x = random_input(batch, network, batch=batch, steps=5)
        found, expected = (network.run(x, policy, shares=shares, fused=fused) for fused in (True, False))
        for name in ("layer_h", "layer_c", "levels"):
            assert all(torch.equal(one, other) for one, other in zip(getattr(found, name), getattr(expected, name), strict=True)), name
        for name in ("h", "c", "history"):
            assert all(torch.equal(one, other) for one, other in zip(getattr(found.state, name), getattr(expected.state, name), strict=True)), name
        if policy == Policy.SENSITIVITY:
            assert 0 < expected.low_share < 1


def test_where_compiling_fails_the_functions_run_as_they_are(monkeypatch):
    def fails(*_):
        raise RuntimeError("no C++ compiler\nthat works")

    monkeypatch.setattr(torch, "compile", lambda function: fails)
    fast = compiled.compiled.__wrapped__(abs)
    with pytest.warns(UserWarning, match="torch.compile does not work here, so that the models are slower: no C"):
        assert fast(-3) == 3
    assert fast(-4) == 4


def test_nothing_is_compiled_where_its_symbols_would_be_mistaken(monkeypatch):
    """Importing pyosys leads to that; ruff refuses it in this project."""
    monkeypatch.setattr(sys, "getdlopenflags", lambda: os.RTLD_NOW | os.RTLD_GLOBAL)
    with pytest.warns(UserWarning, match="models are slower: libraries are loaded with RTLD_GLOBAL"):
        assert compiled.compiled.__wrapped__(abs)(-3) == 3


def test_what_was_compiled_is_of_one_set_of_instructions():
    """PyTorch takes code with other vectors for its own, and computes something else with it."""
    program = "from models.compiled import instructions; print(instructions())"
    other = "default" if torch.backends.cpu.get_cpu_capability() != "DEFAULT" else "avx2"
    ended = subprocess.run([sys.executable, "-c", program], env=os.environ | {"ATEN_CPU_CAPABILITY": other}, cwd=ROOT, check=True, capture_output=True, text=True)
    assert ended.stdout.strip() != compiled.instructions()
