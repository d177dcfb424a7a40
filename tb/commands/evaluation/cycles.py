# SPDX-License-Identifier: MIT
"""Cycles, from the cycle model."""

from models.network_cycles import cycles as cycles_of
from tb.commands.evaluation.task import CYCLES_STEPS, Task, played, policy_and_build


def cycles(task: Task) -> dict:
    """Cycles on whole samples of the test, the same ones for all policies."""
    policy, build = policy_and_build(task)
    quantized, samples = played(task, CYCLES_STEPS)
    return {"steps": sum(len(sample.inputs) for sample in samples), "cycles": cycles_of(quantized, samples, policy, build)}
