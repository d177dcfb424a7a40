"""What `tb.sim` reports of a run, from the counters and outputs of the RTL: as a record, and as a table."""

import math

import torch
from rich import box
from rich.table import Table

from models.policies import GATES, Policy
from tb.registers import Counter

PLAIN = "PLAIN"


def record(job, results: dict, network, samples, q) -> dict:
    """The record of a job: results by name of the job, as tb.play leaves them; words as in docs/."""
    result = results[job.name]
    counters = result["counters"]
    cycles, hi, lo = (counters[name] for name in (Counter.CYCLES, Counter.HI_PASS, Counter.LO_PASS))
    row_words = [layer.limbs * job.build.words(layer.inputs) + job.build.words(layer.units) for layer in q.layers]

    def gate_words(field):
        return sum(words * counters[layer, field] for layer, words in enumerate(row_words))

    return {
        "policy": job.policy.name,
        "compared": result["compared"],
        "mismatches": result["mismatches"],
        "low_share": 1 - lo / hi,
        "low_share_by_gate": {gate: 1 - gate_words(field) / gate_words(0) for field, gate in enumerate(GATES, start=1)},
        "cycles": cycles,
        "speedup": results[Policy.STATIC_HIGH.name]["counters"][Counter.CYCLES] / cycles,
        "speedup_plain": results[PLAIN]["counters"][Counter.CYCLES] / cycles,
        "utilization": (hi + lo) / (job.build.tiles * cycles),
        "task": _task(job, result["h"], network, samples, q),
    }


def _task(job, h, network, samples, q) -> dict:
    """The task's figure with the hidden states of the RTL, and how far its outputs moved from those of the float network.

    Layers below the last are not seen at the ports: theirs are the model's, which gave the same last layer.
    """
    outputs = []
    for sample, last in zip(samples, h.split([len(sample.inputs) for sample in samples])):
        below = q.run(q.quantize_input(sample.inputs)[None], job.policy).layer_h[:-1]
        outputs.append(network.head(sample, [*(part[0] / 128 for part in below), last / 128]))
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
    """The report as a person reads it: a column a policy, so that a narrow terminal holds it."""
    runs = report["runs"]
    result = Table(title=f"{report['network']} on {report['simulator']}, seed {report['seed']}", box=box.SIMPLE_HEAD)
    result.add_column("")
    for run in runs:
        result.add_column(run["policy"], justify="right", no_wrap=True)
    metric, exact = runs[0]["task"]["metric"], runs[0]["task"]["float"]
    rows = {
        "steps": lambda run: f"{report['steps']:,}",
        "values compared": lambda run: f"{run['compared']:,}",
        "mismatches": lambda run: f"{run['mismatches']:,}",
        "low share": lambda run: f"{run['low_share']:.1%}",
        **{f"  gate {gate}": lambda run, gate=gate: f"{run['low_share_by_gate'][gate]:.1%}" for gate in GATES},
        "cycles": lambda run: f"{run['cycles']:,}",
        "speedup": lambda run: f"{run['speedup']:.3f}x",
        "  over the plain build": lambda run: f"{run['speedup_plain']:.3f}x",
        "utilization": lambda run: f"{run['utilization']:.1%}",
        f"{metric} (float {_figure(exact)})": lambda run: _figure(run["task"]["value"]),
        "outputs moved by, mean": lambda run: f"{run['task']['moved_mean']:.4f}",
        "  at most": lambda run: f"{run['task']['moved_max']:.4f}",
    }
    for name, value in rows.items():
        result.add_row(name, *map(value, runs))
    return result


def _figure(value) -> str:
    return "-" if value is None else f"{value:.4f}"
