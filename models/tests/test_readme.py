# SPDX-License-Identifier: MIT
"""The README's Python snippet, as it stands there."""

import re

import pytest
import torch

from models.cache import ROOT
from models.policies import DECIDING, Policy

SNIPPET, = re.findall(r"^```python\n(.*?)^```$", (ROOT.parent / "README.md").read_text(), re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def names():
    """What the snippet defines."""
    torch.manual_seed(1)
    found = {}
    exec(SNIPPET, found)
    return found


def test_the_snippet_runs(names):
    run, image = names["run"], names["image"]
    assert run.h.dtype == torch.int8 and run.h.shape == (1, 100, 64) and len(run.levels) == 2 and 1 < run.mean_quarters < 4
    assert run.low_share == pytest.approx(0.8, abs=0.05)
    packets = list(image.packets())
    assert packets and all(len(packet) for packet in packets)


@pytest.mark.parametrize("policy, low_share", [(Policy.STATIC_HIGH, 0.0), (Policy.STATIC_LOW, 1.0), *((policy, 0.8) for policy in DECIDING)])
def test_every_policy_has_its_low_share(names, policy, low_share):
    q = names["q"]
    run = q.for_policy(policy).run(q.quantize_input(names["samples"][0])[None], policy)
    assert run.low_share == pytest.approx(low_share, abs=0.05 if 0 < low_share < 1 else 0)


def test_thresholds_of_another_policy_are_refused(names):
    q = names["q"]
    x = q.quantize_input(names["samples"][0])[None]
    for network, policy in ((q, Policy.CELL_HISTORY), (q.for_policy(Policy.CELL_HISTORY), Policy.SENSITIVITY)):
        with pytest.raises(ValueError, match=rf"q\.for_policy\(Policy\.{policy.name}\)"):
            network.run(x, policy)
