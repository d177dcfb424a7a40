# SPDX-License-Identifier: MIT
"""What the models say of a job of `tb.commands.sim` before its simulator is built: the counters and outputs that the RTL is then compared with."""

from collections import Counter as Sum
from typing import TYPE_CHECKING

import torch

from models.counters import WORK, work_counters
from models.network_cycles import run_cycles
from models.quantized_lstm import Run
from tb.bench.directions import Direction
from tb.bench.registers import Counter, Row

if TYPE_CHECKING:
    from tb.commands.sim import Job


def forecast(job: "Job") -> dict:
    """A result of a job as tb.bench.play leaves one, with the counters that its report needs. Nothing was compared, and the cycles of loading are not known."""
    runs = [own for stage in job.plan.runs for own in stage]
    directions = [_direction(job, direction, own) for direction, own in zip(job.plan.directions, runs)]
    return {"directions": directions, "compared": 0, "mismatches": 0, "first_mismatch": None}


def _direction(job, direction: Direction, runs: list[Run]) -> dict:
    counters = Sum()
    for run in runs:
        work = work_counters(run, direction.lstm, job.build)
        counters.update({counter: work[counter.name.lower()] for counter in WORK})
        counters.update({(layer, field): count for layer, own in enumerate(work["rows"]) for field, count in zip(Row, own)})
    together = [runs] if direction.states is None else [[run] for run in runs]
    counters[Counter.CYCLES] = sum(run_cycles(direction.lstm, own, job.policy, job.build) for own in together)
    return {"h": torch.cat([run.h[0] for run in runs]), "counters": counters, "load_cycles": 0}
