# SPDX-License-Identifier: MIT
"""A piece of work of `make eval`, and what all kinds of it share: the network, its test samples, the network quantized for a policy."""

import math
from dataclasses import dataclass
from functools import lru_cache

from models.build import Build
from models.cache import cached
from models.calibration import load_quantized, log2_lambda_for
from models.evaluation import spread
from models.networks import MODULES, Network, Part, Sample, load
from models.policies import Policy
from models.quantized_network import QuantizedNetwork
from models.sources import code

# Steps of the accelerator (those of each direction count) whose cycles are computed, and which the RTL runs. Static policies take the same in
# every step.
CYCLES_STEPS = {Policy.SENSITIVITY: 1000, Policy.CELL_HISTORY: 400, Policy.STATIC_HIGH: 120, Policy.STATIC_LOW: 120}
REFERENCE_STEPS = 120  # of the policies that no build has
FLOAT, BASELINE = "FLOAT", "BASELINE"


@dataclass(frozen=True)
class Task:
    """A piece of work on one network: `kind` names the function that does it; like: the policy whose shares a reference policy takes."""

    kind: str
    net: str
    steps: int
    policy: str = ""
    like: str = ""
    share: float = 0.0

    @property
    def name(self) -> str:
        return f"{self.policy} like {self.like}" if self.like and self.like != "SENSITIVITY" else self.policy


@lru_cache(maxsize=2)
def network_of(net: str) -> Network:
    return load(net)


@lru_cache(maxsize=1)
def samples_of(net: str, steps: int) -> list[Sample]:
    return cached(("test", net, steps, code(MODULES[net])), lambda: network_of(net).samples(Part.TEST, steps))


def quantized_of(task: Task, given: dict | None = None) -> QuantizedNetwork:
    """The network for the policy of a task; STATIC_ROWS for the mean of quarters of the policy that it is like."""
    quantized = load_quantized(task.net, Policy[task.like] if task.like else policy_and_build(task)[0])
    if task.policy == Policy.STATIC_ROWS.name:  # the same on any input
        log2_lambda_for(quantized, Policy.STATIC_ROWS, given["mean_quarters"], [samples_of(task.net, task.steps)[0].inputs[:1]], precision=0.01)
    return quantized


def policy_and_build(task: Task) -> tuple[Policy, Build]:
    """The baseline build computes STATIC_HIGH."""
    return (Policy.STATIC_HIGH, Build().baseline()) if task.policy == BASELINE else (Policy[task.policy], Build())


def cycles_samples(task: Task, quantized: QuantizedNetwork) -> list[Sample]:
    """Test samples for the steps of the accelerator whose cycles are computed."""
    steps = CYCLES_STEPS.get(policy_and_build(task)[0], REFERENCE_STEPS)
    return spread(samples_of(task.net, task.steps), math.ceil(min(task.steps, steps) / len(quantized.directions)))
