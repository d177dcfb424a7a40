# SPDX-License-Identifier: MIT
"""The RTL on part of the test, every value compared with the integer model."""

import shutil

from tb.bench.directions import plan
from tb.bench.registers import Counter
from tb.bench.runner import BUILD
from tb.commands.evaluation.task import Task, cycles_samples, policy_and_build, quantized_of
from tb.commands.sim import Job, simulate


def rtl(task: Task, given: dict) -> int:
    """Steps of the accelerator that the RTL ran with every value equal, in the cycles that were given. Raises AssertionError, SimulationError."""
    policy, build = policy_and_build(task)
    quantized = quantized_of(task)
    samples = cycles_samples(task, quantized)
    name = f"{task.net}-{task.policy}"
    folder = BUILD / "eval" / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.parent.mkdir(parents=True, exist_ok=True)
    job = Job(name, policy, build, plan(quantized, [sample.inputs for sample in samples], policy), folder)
    result = simulate(job, f"make eval NET={task.net} STEPS={task.steps}")
    taken, expected = sum(direction["counters"][Counter.CYCLES] for direction in result["directions"]), given["cycles"]
    if result["mismatches"] or taken != expected:
        raise AssertionError(f"{name}: {result['mismatches']} values of the RTL differ, {taken} cycles, the model takes {expected}")
    steps = sum(sequence.shape[1] for direction in job.plan.directions for sequence in direction.sequences)
    return {"steps": steps, "cycles": taken, "compared": result["compared"]}
