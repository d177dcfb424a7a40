# SPDX-License-Identifier: MIT
"""The RTL on part of the test, every value compared with the integer model, and the cycles with the cycle model."""

import shutil

from models.network_cycles import cycles as cycles_of
from tb.bench.directions import plan
from tb.bench.registers import Counter
from tb.bench.runner import BUILD
from tb.commands.evaluation.task import FEW_STEPS, RTL_STEPS, Task, played, policy_and_build
from tb.commands.sim import Job, simulate


def rtl(task: Task) -> dict:
    """Steps of the accelerator that the RTL ran with every value equal, in the cycles of the cycle model. Raises AssertionError, SimulationError."""
    policy, build = policy_and_build(task)
    quantized, samples = played(task, RTL_STEPS.get(policy, FEW_STEPS))
    name = f"{task.net}-{task.policy}"
    folder = BUILD / "eval" / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.parent.mkdir(parents=True, exist_ok=True)
    job = Job(name, policy, build, plan(quantized, [sample.inputs for sample in samples], policy), folder)
    steps = "" if task.steps is None else f" STEPS={task.steps}"
    result = simulate(job, f"make eval NET={task.net}{steps}")
    taken, expected = sum(direction["counters"][Counter.CYCLES] for direction in result["directions"]), cycles_of(quantized, samples, policy, build)
    if result["mismatches"] or taken != expected:
        raise AssertionError(f"{name}: {result['mismatches']} values of the RTL differ, {taken} cycles, the model takes {expected}")
    played_steps = sum(sequence.shape[1] for direction in job.plan.directions for sequence in direction.sequences)
    return {"steps": played_steps, "cycles": taken, "compared": result["compared"]}
