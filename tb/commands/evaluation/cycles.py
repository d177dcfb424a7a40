# SPDX-License-Identifier: MIT
"""Cycles, from the cycle model."""

from models.network_cycles import cycles as cycles_of
from tb.commands.evaluation.task import Task, cycles_samples, policy_and_build, quantized_of


def cycles(task: Task, given: dict | None) -> dict:
    """Cycles on whole samples of the test. given: the metric of the policy whose shares a reference policy takes, or None."""
    policy, build = policy_and_build(task)
    quantized = quantized_of(task, given)
    samples = cycles_samples(task, quantized)
    return {"steps": sum(len(sample.inputs) for sample in samples), "cycles": cycles_of(quantized, samples, policy, build, given and given["shares"])}
