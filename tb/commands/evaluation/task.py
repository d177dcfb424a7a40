# SPDX-License-Identifier: MIT
"""A piece of work of `make eval`, and what all kinds of it share: the study of a network on its test, the network quantized for a policy."""

import math
from dataclasses import dataclass
from functools import lru_cache

from models.build import Build
from models.calibration import load_quantized, read
from models.evaluation import spread
from models.networks import Sample
from models.policies import BUILD_POLICIES, DECIDING, Policy
from models.quantize import Settings
from models.quantized_network import QuantizedNetwork
from models.quarters.rivals import RivalStudy, Shares, Widths
from models.study import Design, Use

# Steps of the accelerator (those of each direction count) whose cycles are computed, and those that the RTL runs; static policies take the same in every step.
CYCLES_STEPS = 1000
RTL_STEPS = {Policy.SENSITIVITY: 1000, Policy.CELL_HISTORY: 400}
FEW_STEPS = 120
FLOAT, BASELINE, WIDTHS = "FLOAT", "BASELINE", "static widths"
# Rivals that no build has, each with an operating point of its own; a network has those that were calibrated for it.
RIVALS = (Policy.STATIC_ROWS.name, WIDTHS, Policy.RANDOM.name)
SEEDS = (0, 1, 2)  # of RANDOM


@dataclass(frozen=True)
class Task:
    """A piece of work on one network: `kind` names the function that does it. steps: of the test, None for all; seed: of RANDOM."""

    kind: str
    net: str
    steps: int | None
    policy: str = ""
    seed: int = 0

    @property
    def name(self) -> str:
        return f"{self.policy}, seed {self.seed}" if self.seed else self.policy


@dataclass(frozen=True)
class OperatingPoint:
    """How a study measures a policy."""

    design: Design | Widths | Shares
    policy: Policy
    log2_lambda: float | None


@lru_cache(maxsize=1)
def study_of(net: str, steps: int | None) -> RivalStudy:
    """The study of a network as it was calibrated, with so many steps of its test. Raises FileNotFoundError as models.calibration.read."""
    return RivalStudy(net, Settings(**read(net)["settings"]), test_steps=steps)


def samples_of(task: Task) -> list[Sample]:
    return study_of(task.net, task.steps).samples(Use.TEST)


def rivals_of(net: str) -> list[str]:
    """The rivals that a network has an operating point of."""
    return [label for label in RIVALS if label in read(net).get("rivals", {})]


def operating_point(net: str, label: str) -> OperatingPoint:
    """Of a policy, or of a rival, as it was calibrated. Raises FileNotFoundError that names the command where it never was."""
    found = read(net)
    design = Design(**found["design"])
    if label in RIVALS:
        own = found.get("rivals", {}).get(label)
        if own is None:
            raise FileNotFoundError(f"no rival {label} in models/calibrated/{net}.json: run `python -m models.quarters.calibrate --net {net} --task \"{label}\"`")
        if label == WIDTHS:
            return OperatingPoint(Widths("ideal", design.exponents), Policy.STATIC_HIGH, own["log2_lambda"])
        return OperatingPoint(Shares(design) if label == Policy.RANDOM.name else design, Policy[label], own["log2_lambda"])
    if Policy[label] in DECIDING:
        if label not in found["log2_lambda"]:
            raise FileNotFoundError(f"no {label} in models/calibrated/{net}.json: run `make calibrate NET={net}`")
        return OperatingPoint(design, Policy[label], found["log2_lambda"][label])
    return OperatingPoint(design, Policy[label], None)


def policy_and_build(task: Task) -> tuple[Policy, Build]:
    """The baseline build computes STATIC_HIGH."""
    return (Policy.STATIC_HIGH, Build().baseline()) if task.policy == BASELINE else (Policy[task.policy], Build())


def played(task: Task, steps: int) -> tuple[QuantizedNetwork, list[Sample]]:
    """The network of a policy that builds have, dealt to tiles, and whole test samples, spread over the test, for so many steps of the accelerator."""
    quantized = load_quantized(task.net, policy_and_build(task)[0])
    steps = steps if task.steps is None else min(task.steps, steps)
    return quantized, spread(samples_of(task), math.ceil(steps / len(quantized.directions)))


def on_builds() -> list[str]:
    """What builds run: their policies, and the baseline."""
    return [*(policy.name for policy in BUILD_POLICIES), BASELINE]
