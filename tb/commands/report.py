# SPDX-License-Identifier: MIT
"""What `tb.commands.sim` reports of a run, from the counters and outputs of the RTL: as a record, and as a table."""

import math
from typing import TYPE_CHECKING

import numpy as np
import torch
from rich import box
from rich.table import Table

from models.formats import GATES, Level, Policy, Quarter
from models.networks import Network, Sample
from models.own.task import OwnTask
from tb.bench.registers import Counter

if TYPE_CHECKING:
    from tb.commands.sim import Job

BASELINE = "BASELINE"


def record(job: "Job", results: dict, network: Network, samples: list[Sample]) -> dict:
    """The record of a job: results by name of the job, as tb.bench.play leaves them; words as in docs/.

    Cycles are those of all directions; with several, those that their images take to load between them stand apart.
    """
    result = results[job.name]
    directions = list(zip(job.plan.directions, result["directions"]))

    def rows(level, gates=GATES):
        """Words of the rows that ended at a level; the counters are units, and rows at MIDDLE and at ALL by gate."""
        def count(counters, number, gate):
            refined = {other: counters[number, 1 + len(GATES) * (other - 1) + GATES.index(gate)] for other in (Level.MIDDLE, Level.ALL)}
            return refined[level] if level in refined else counters[number, 0] - sum(refined.values())

        return sum(job.build.row_words(layer) * count(found["counters"], number, gate)
                   for direction, found in directions for number, layer in enumerate(direction.lstm.layers) for gate in gates)

    cycles, words = _sum(result, Counter.CYCLES), sum(_sum(result, Counter[quarter.name]) for quarter in Quarter)
    shares = {level: rows(level) for level in Level}
    several = {
        "reload_cycles": sum(found["load_cycles"] for found in result["directions"][1:]),
        "directions": [{"cycles": found["counters"][Counter.CYCLES], "load_cycles": found["load_cycles"]} for found in result["directions"]],
    }
    return {
        "policy": job.policy.name,
        "compared": result["compared"],
        "mismatches": result["mismatches"],
        "level_shares": {level.name: shares[level] / sum(shares.values()) for level in Level},
        "low_share_by_gate": {gate: rows(Level.LOWEST, [gate]) / sum(rows(level, [gate]) for level in Level) for gate in GATES},
        "mean_quarters": words / sum(shares.values()),
        "speedup_baseline": _sum(results[BASELINE], Counter.CYCLES) / cycles,
        "speedup": _sum(results[Policy.STATIC_HIGH.name], Counter.CYCLES) / cycles,
        "cycles": cycles,
        "utilization": words / (job.build.tiles * cycles),
        "task": _task(job, result, network, samples),
        **(several if len(directions) > 1 else {}),
    }


def save_outputs(job: "Job", result: dict, task: OwnTask) -> None:
    """Writes outputs.npz into the folder of a job: `h_0`, ..., the outputs of each sequence, float32 [steps, outputs], and `levels_0_0_0`, ..., by sequence, run of
    the accelerator and layer, what was decided of each row, int8 [steps, units, gates]: 0 lowest, 1 middle, 2 all. All in the order of time."""
    hidden, directed = job.plan.hidden([direction["h"] for direction in result["directions"]]), task.imported.directed
    arrays = {f"h_{number}": directed(layers[-1]).float().numpy() for number, layers in enumerate(hidden)}
    runs = [(reverse, own) for stage in job.plan.runs for reverse, own in enumerate(stage)]
    arrays |= {f"levels_{number}_{place}_{layer}": directed(levels[0].flip(0) if reverse else levels[0]).numpy()
               for place, (reverse, own) in enumerate(runs) for number, found in enumerate(own) for layer, levels in enumerate(found.levels)}
    np.savez(job.folder / "outputs.npz", **arrays)


def _sum(result, counter) -> int:
    return sum(direction["counters"][counter] for direction in result["directions"])


def _task(job, result, network, samples) -> dict:
    """The task's figure with the hidden states of the RTL, and how far its outputs moved from those of the float network."""
    hidden = job.plan.hidden([direction["h"] for direction in result["directions"]])
    outputs = [network.head(sample, layers) for sample, layers in zip(samples, hidden)]
    reference = network.float_outputs(samples)
    moved = torch.cat([(output - exact).abs().flatten() for output, exact in zip(outputs, reference)])
    return {
        "metric": network.metric_name, "value": _finite(network.metric(samples, outputs)), "float": _finite(network.metric(samples, reference)),
        "moved_mean": moved.mean().item(), "moved_max": moved.max().item(),
    }


def _finite(value):
    """None where so few steps do not give the figure (all of one label)."""
    return value if math.isfinite(value) else None


def table(report: dict) -> Table:
    """The report as a person reads it: a column a policy, so that a narrow terminal holds it. Without a simulator it is what the models forecast."""
    runs = report["runs"]
    played = "simulator" in report
    title = f"on {report['simulator']}, seed {report['seed']}" if played else "by the models"
    result = Table(title=f"{report['network']} {title}", box=box.SIMPLE_HEAD)
    result.add_column("")
    for run in runs:
        result.add_column(run["policy"], justify="right", no_wrap=True)
    metric, exact = runs[0]["task"]["metric"], runs[0]["task"]["float"]
    several = {
        "accelerator runs": lambda run: f"{len(run['directions'])}",
        **({"reload cycles": lambda run: f"{run['reload_cycles']:,}"} if played else {}),
    }
    checked = {
        "values compared": lambda run: f"{run['compared']:,}",
        "mismatches": lambda run: f"{run['mismatches']:,}",
    }
    rows = {
        **{f"rows at {level.name}": lambda run, level=level: f"{run['level_shares'][level.name]:.1%}" for level in Level},
        "mean quarters": lambda run: f"{run['mean_quarters']:.2f}",
        "speed over baseline": lambda run: f"{run['speedup_baseline']:.3f}x",
        "  over STATIC_HIGH": lambda run: f"{run['speedup']:.3f}x",
        "steps": lambda run: f"{report['steps']:,}",
        **(checked if played else {}),
        "cycles": lambda run: f"{run['cycles']:,}",
        **(several if "directions" in runs[0] else {}),
        "utilization": lambda run: f"{run['utilization']:.1%}",
        **{f"gate {gate} at {Level.LOWEST.name}": lambda run, gate=gate: f"{run['low_share_by_gate'][gate]:.1%}" for gate in GATES},
        metric: lambda run: _figure(run["task"]["value"]),
        **({} if exact is None else {"  float network": lambda run: _figure(run["task"]["float"])}),
        "outputs moved, mean": lambda run: f"{run['task']['moved_mean']:.4f}",
        "  at most": lambda run: f"{run['task']['moved_max']:.4f}",
    }
    for name, value in rows.items():
        result.add_row(name, *map(value, runs))
    return result


def _figure(value) -> str:
    return "-" if value is None else f"{value:.4f}"
