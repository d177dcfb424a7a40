"""`make sim`: plays recorded data through a pretrained network on the accelerator, under each policy, and prints what it gained.

Every output, decision, final state and work counter of the RTL is compared with models/. Speedups are measured in the same run: against
STATIC_HIGH on the same build, and against the plain 8-bit build. The table comes as JSON too; its path is the last line on stdout.
"""

import argparse
import json
import shutil
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import torch
from rich.console import Console
from rich.table import Table
from tqdm import tqdm

from models import networks
from models.build import Build
from models.compiler import CompileError, compile_image
from models.policies import GATES, Policy
from models.quantize import quantize
from tb.harness import parameters
from tb.runner import BUILD, SIMULATORS, SimulationError, run

POLICIES = [policy.name for policy in Policy if policy < 4]
CALIBRATION_STEPS = 2048
# A step of the default network takes Icarus seconds.
DEFAULT_STEPS = {"verilator": 512, "icarus": 2}
TOOL = {"verilator": "verilator", "icarus": "iverilog"}
POLL_SECONDS = 0.2


class UserError(Exception):
    """Something that the user can mend; the message says how."""


@dataclass
class Job:
    """One simulation: a policy on a build."""

    name: str
    policy: Policy
    build: Build
    folder: Path
    measured: dict = field(default_factory=dict)
    failure: str = ""

    @property
    def progress(self) -> Path:
        return self.folder.with_suffix(".progress")


def parse(arguments) -> argparse.Namespace:
    """The options, checked; a wrong one ends the program with one line."""
    parser = argparse.ArgumentParser(prog="python -m tb.sim", description=__doc__.splitlines()[0])
    parser.add_argument("--net", default="silero", help=f"one of {', '.join(sorted(networks.NETWORKS))}")
    parser.add_argument("--sim", default="verilator", help=" or ".join(SIMULATORS))
    parser.add_argument("--policy", default="all", help=f"all, or some of {', '.join(POLICIES)} with commas between them")
    parser.add_argument("--steps", help=f"time steps to play (default: {DEFAULT_STEPS['verilator']}, under Icarus {DEFAULT_STEPS['icarus']})")
    parser.add_argument("--seed", default="1", help="a whole number")
    parser.add_argument("--waves", default="0", help="1: write waveforms")
    options = parser.parse_args(arguments)
    if options.net not in networks.NETWORKS:
        raise UserError(f"NET={options.net}: no such network; choose one of {', '.join(sorted(networks.NETWORKS))}")
    if options.sim not in SIMULATORS:
        raise UserError(f"SIM={options.sim}: no such simulator; choose one of {', '.join(SIMULATORS)}")
    if not shutil.which(TOOL[options.sim]):
        raise UserError(f"{TOOL[options.sim]} is not on the PATH; run: make setup SIM={options.sim}")
    chosen = POLICIES if options.policy == "all" else options.policy.upper().split(",")
    for name in chosen:
        if name not in POLICIES:
            raise UserError(f"POLICY={options.policy}: no policy {name!r}; choose all, or some of {', '.join(POLICIES)}")
    # The baseline of every speedup is measured in the same run.
    options.policy = [Policy[name] for name in POLICIES if name in chosen or name == "STATIC_HIGH"]
    options.steps = DEFAULT_STEPS[options.sim] if options.steps is None else _number("STEPS", options.steps, least=1)
    options.seed = _number("SEED", options.seed, least=0)
    options.waves = options.waves == "1"
    return options


def _number(name: str, text: str, least: int) -> int:
    if not text.strip().lstrip("+-").isdecimal() or int(text) < least:
        raise UserError(f"{name}={text}: expected a whole number of {least} or more")
    return int(text)


def simulate(job: Job, simulator: str, seed: int, waves: bool, repeat: str) -> Job:
    """Runs one job to its end; failures are kept in the job."""
    files = {name: job.folder.with_suffix(f".{name.lower()}") for name in ("JOB", "PROGRESS", "MEASURED")}
    try:
        run("tb.play", "harness", parameters(job.build), simulator=simulator, seed=seed, waves=waves, folder=job.folder, repeat=repeat,
            environment={name: str(path) for name, path in files.items()})
        job.measured = json.loads(files["MEASURED"].read_text())
    except SimulationError as error:
        job.failure = str(error)
    return job


def simulate_all(jobs: list[Job], options, steps: int) -> list[Job]:
    """Two simulations at a time, with one progress bar over all steps."""
    arguments = (options.sim, options.seed, options.waves)
    repeat = f"make sim SIM={options.sim} NET={options.net} STEPS={options.steps} SEED={options.seed}"
    with ProcessPoolExecutor(2) as pool, tqdm(total=steps * len(jobs), unit="step", desc=options.net) as bar:
        futures = [pool.submit(simulate, job, *arguments, f"{repeat} POLICY={job.policy.name}") for job in jobs]
        while not all(future.done() for future in futures):
            time.sleep(POLL_SECONDS)
            done = sum(job.progress.stat().st_size for job in jobs if job.progress.exists())
            bar.update(min(done, bar.total) - bar.n)
        bar.update(bar.total - bar.n)
        return [future.result() for future in futures]


def report(options, network, samples, q, jobs: list[Job]) -> dict:
    """The record of the JSON file: what each policy gave, on this simulator."""
    steps = sum(len(sample.inputs) for sample in samples)
    reference = network.float_outputs(samples)
    cycles = {job.name: job.measured["cycles"] for job in jobs}
    runs = []
    for job in jobs:
        if not job.build.dynamic:
            continue
        model = [q.run(q.quantize_input(sample.inputs)[None], job.policy) for sample in samples]
        outputs = [network.head(sample, [h[0] / 128 for h in part.layer_h]) for sample, part in zip(samples, model)]
        moved = torch.cat([(output - exact).abs().flatten() for output, exact in zip(outputs, reference)])
        classes = job.measured["classes"]
        hi, lo = classes["HI_PASS"], classes["LO_PASS"]
        rows = [[sum(part.rows(layer, gate, plane) * q.layers[layer].row_weights for part in model for layer in range(len(q.layers)))
                 for plane in ("hi", "lo")] for gate in range(4)]
        runs.append({
            "policy": job.policy.name,
            "compared": sum(part.h.numel() + sum(mask.numel() for mask in part.masks) for part in model),
            "mismatches": 0,
            "low_share": 1 - lo / hi,
            "low_share_by_gate": {gate: 1 - low / high for gate, (high, low) in zip(GATES, rows)},
            "cycles": job.measured["cycles"],
            "speedup": cycles["STATIC_HIGH"] / job.measured["cycles"],
            "speedup_plain": cycles["plain"] / job.measured["cycles"],
            "utilization": (hi + lo) / (job.build.tiles * job.measured["cycles"]),
            "task": {
                "metric": network.metric_name, "value": _metric(network, samples, outputs), "float": _metric(network, samples, reference),
                "moved_mean": moved.mean().item(), "moved_max": moved.max().item(),
            },
        })
    return {"network": options.net, "simulator": options.sim, "seed": options.seed, "steps": steps, "cycles_plain": cycles["plain"], "runs": runs}


def _metric(network, samples, outputs):
    """The task's figure; None where so few steps do not give one (all of one label)."""
    value = network.metric(samples, outputs)
    return value if value == value else None


def table(record: dict) -> Table:
    """The record as a person reads it."""
    first = record["runs"][0]["task"]
    caption = f"plain 8-bit build: {record['cycles_plain']:,} cycles; float network: {first['metric']} {_figure(first['float'])}"
    result = Table(title=f"{record['network']} on {record['simulator']}, {record['steps']} steps, seed {record['seed']}", caption=caption)
    headings = ("policy", "steps", "compared", "wrong", "low share", "i", "f", "g", "o", "cycles", "speedup", "vs plain", "utilization", "task", "moved", "at most")
    for heading in headings:
        result.add_column(heading, justify="left" if heading == "policy" else "right", no_wrap=heading == "policy")
    for row in record["runs"]:
        task = row["task"]
        result.add_row(
            row["policy"], str(record["steps"]), f"{row['compared']:,}", str(row["mismatches"]), f"{row['low_share']:.1%}",
            *(f"{share:.0%}" for share in row["low_share_by_gate"].values()), f"{row['cycles']:,}", f"{row['speedup']:.2f}x",
            f"{row['speedup_plain']:.2f}x", f"{row['utilization']:.1%}", _figure(task["value"]), f"{task['moved_mean']:.4f}", f"{task['moved_max']:.3f}")
    return result


def _figure(value) -> str:
    return "-" if value is None else f"{value:.4f}"


def main(arguments=None) -> None:
    options = parse(arguments)
    network = networks.load(options.net)
    if network.lstm.bidirectional:
        raise UserError(f"NET={options.net}: a bidirectional network is two runs, which `make sim` does not schedule")
    samples = network.test(options.steps)
    q = quantize(network.lstm, [sample.inputs for sample in network.calibration(CALIBRATION_STEPS)])
    build = Build()
    folder = BUILD / "sim" / f"{options.net}-{options.sim}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    jobs = [Job(policy.name, policy, build, folder / policy.name) for policy in options.policy]
    jobs.append(Job("plain", Policy.STATIC_HIGH, build.plain(), folder / "plain"))
    sequences = [q.quantize_input(sample.inputs)[None] for sample in samples]
    for job in jobs:
        compile_image(q, job.build)
        torch.save({"network": q, "build": job.build, "policy": int(job.policy), "sequences": sequences}, job.folder.with_suffix(".job"))
    jobs = simulate_all(jobs, options, sum(len(sample.inputs) for sample in samples))
    failed = [job for job in jobs if job.failure]
    if failed:
        raise UserError("\n".join(f"{job.name}: {job.failure}" for job in failed))
    record = report(options, network, samples, q, jobs)
    Console(width=170).print(table(record))
    if options.waves:
        print(f"waveforms: gtkwave {jobs[0].folder / 'dump.fst'}")
    path = BUILD / f"sim-{options.net}-{options.sim}.json"
    path.write_text(json.dumps(record, indent=2) + "\n")
    print(path)


if __name__ == "__main__":
    torch.set_num_threads(1)
    try:
        main()
    except (UserError, CompileError, FileNotFoundError, ValueError) as error:
        sys.exit(f"sim: {error}")
    except KeyboardInterrupt:
        sys.exit("sim: interrupted")
