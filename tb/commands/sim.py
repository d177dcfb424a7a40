# SPDX-License-Identifier: MIT
"""`make sim`: plays recorded data through a network on the accelerator, under each policy, and prints what it gained.

The network is one of models/networks with its recordings, or the LSTM of a file (MODEL=) with inputs of its own (INPUTS=, RANGE=; docs/own-network.md): what sizes
alone say of it is printed first.

Thresholds are those of `make calibrate`; a network that was never calibrated gets the fastest thresholds at which the error of h has at most twice
the power that it has in 8 bits.
Every output, decision, final state and work counter of the RTL is compared with models/. A network with two directions is several runs of
the accelerator, one after the other, whose cycles add up; cycles of loading their images in between stand apart. Speedups are measured in
the same run: against STATIC_HIGH on the same build, and against the 8-bit baseline build. The table comes as JSON too; its path is the last
line on stdout.
Exit code: 0, 1 when something was wrong in a simulation, 2 when the arguments or the machine are.
"""

import argparse
import json
import math
import os
import pickle
import re
import shlex
import shutil
import sys
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
from filelock import FileLock
from rich.console import Console
from tqdm import tqdm

from models.build import Build
from models.calibration import is_calibrated, load_quantized, read
from models.compiler import CompileError, compile_image
from models.error_budget import LOSS_DB, set_by_error
from models.float_lstm import hidden_states
from models.importers import ImportFailure, load_lstm
from models.networks import MODULES, Network, Sample, load
from models.own import calibrate as own
from models.own.data import Use, random_sequences
from models.own.limits import Limits, limits, own_build
from models.own.metric import as_metric
from models.own.task import OwnTask, key_of_model
from models.policies import BUILD_POLICIES, DECIDING, Policy
from models.quantized_network import QuantizedNetwork, quantize_network
from models.study import check_samples
from tb.bench.directions import Plan, plan
from tb.bench.harness import parameters
from tb.bench.runner import BUILD, SIMULATORS, SimulationError, run, waves_command
from tb.bench.runner import build as build_simulation
from tb.commands.forecast import forecast
from tb.commands.report import BASELINE, record, save_outputs, table

POLICIES = {policy.name: policy for policy in BUILD_POLICIES}
CALIBRATION_STEPS = 2048
# A step of the default network takes Icarus seconds.
DEFAULT_STEPS = {"verilator": 512, "icarus": 2}
OWN_STEPS = {"verilator": 128, "icarus": 2}  # of MODEL=, so that a first table takes less than a minute
OWN_SEARCH = 1024  # steps on which thresholds of a MODEL= that was never calibrated are sought
TOOLS = {"verilator": ("verilator", "g++", "make"), "icarus": ("iverilog", "vvp")}
SIMULATIONS_AT_ONCE = 2
POLL_SECONDS = 0.2
BUILD_NICENESS = 10


class UserError(Exception):
    """Something that the user can mend; the message says how, in one line."""


@dataclass
class Job:
    """One simulation: all directions of a network under a policy on a build, in a folder of its own."""

    name: str
    policy: Policy
    build: Build
    plan: Plan
    folder: Path

    @property
    def steps_done(self) -> int:
        progress = self.folder / "progress"
        return progress.stat().st_size if progress.exists() else 0


def parse(arguments: list[str] | None) -> argparse.Namespace:
    """The options, checked. Raises UserError for a wrong one."""
    parser = argparse.ArgumentParser(prog="python -m tb.commands.sim", description=__doc__.splitlines()[0])
    parser.add_argument("--net", help=f"one of {', '.join(sorted(MODULES))} (default: textgenrnn)")
    parser.add_argument("--model", help="file with an LSTM, in place of a network by name (docs/models.md lists the formats)")
    parser.add_argument("--node", help="which LSTM of the file, where there are several")
    parser.add_argument("--inputs", help=".npy or .npz file with inputs of the model (default: those that it was calibrated with)")
    parser.add_argument("--metric", help="Python file with the metric of the model's task")
    parser.add_argument("--range", help="low,high: random inputs of the model, without --inputs (default: -1,1)")
    for name in ("tiles", "lanes", "weights"):
        parser.add_argument(f"--{name}", help="of the build that plays the model")
    parser.add_argument("--sim", default="verilator", help=" or ".join(SIMULATORS))
    parser.add_argument("--policy", default="all", help=f"all, or some of {', '.join(POLICIES)} with commas between them")
    parser.add_argument("--steps", help=f"time steps to play (default: {DEFAULT_STEPS['verilator']}, under Icarus {DEFAULT_STEPS['icarus']})")
    parser.add_argument("--seed", default="1", help="a whole number")
    parser.add_argument("--waves", nargs="?", const="1", default="0", help="1: write waveforms")
    options = parser.parse_args(arguments)
    if options.net and options.model:
        raise UserError(f"NET={options.net} and MODEL={options.model}: give one of them")
    options.net = options.net or "textgenrnn"
    one_of("NET", options.net, sorted(MODULES))
    for name in ("node", "inputs", "metric", "range", "tiles", "lanes", "weights"):
        if getattr(options, name) is not None and not options.model:
            raise UserError(f"{name.upper()}={getattr(options, name)}: requires MODEL=")
    if options.inputs and options.range:
        raise UserError("INPUTS= and RANGE=: give one of them")
    options.random = options.range is not None
    options.range = _range(options.range or "-1,1")
    options.build = own_build(options.tiles, options.lanes, options.weights) if any((options.tiles, options.lanes, options.weights)) else None
    options.name = re.sub(r"[^\w.-]", "_", Path(options.model).name) if options.model else options.net
    one_of("SIM", options.sim, SIMULATORS)
    options.key = f"{options.name}-{options.sim}"
    if options.model:  # by their contents: files of one name, and LSTMs of one file, never meet
        options.key = f"{options.name}-{key_of_model(options.model, options.node or '')[:12]}-{options.sim}"
    one_of("WAVES", options.waves, ("0", "1"))
    options.all = options.policy.lower() == "all"
    options.policy = [_policy(name.strip()) for name in (POLICIES if options.all else options.policy.split(","))]
    options.steps = _number("STEPS", options.steps, 1) if options.steps is not None else (OWN_STEPS if options.model else DEFAULT_STEPS)[options.sim]
    options.seed = _number("SEED", options.seed, 0)
    missing = [tool for tool in TOOLS[options.sim] if not shutil.which(tool)]
    if missing:
        raise UserError(f"{', '.join(missing)} not found on the PATH; run: make setup SIM={options.sim}")
    return options


def one_of(variable: str, value: str, choices: Iterable[str]) -> str:
    """The value of a variable, if it is one of the choices. Raises UserError otherwise."""
    if value not in choices:
        raise UserError(f"{variable}={value}: unknown; choose one of {', '.join(choices)}")
    return value


def _policy(name: str) -> Policy:
    if name.upper() not in POLICIES:
        one_of("POLICY", name, ["all", *POLICIES])
    return POLICIES[name.upper()]


def _number(variable: str, text: str, least: int) -> int:
    try:
        number = int(text)
    except ValueError:
        number = least - 1
    if number < least:
        raise UserError(f"{variable}={text}: a whole number of at least {least} is needed")
    return number


def _range(text: str) -> tuple[float, float]:
    try:
        low, high = map(float, text.split(","))
    except ValueError:
        low = high = 0.0
    if not (low < high and math.isfinite(high - low)):
        raise UserError(f"RANGE={text}: two numbers, the lower one first, are needed, as in RANGE=-1,1")
    return low, high


def load_data(options: argparse.Namespace) -> tuple[Network, list[Sample]]:
    """The network and samples of so many steps that no calibration has seen, not those of a test. Raises ImportFailure for a MODEL= that cannot be run."""
    if options.model:
        return _load_own(options)
    options.build = Build()
    network = load(options.net)
    try:
        return network, check_samples(network, options.steps)
    except ValueError as error:
        raise UserError(f"NET={options.net}: {error}") from error


def _load_own(options):
    """As load_data, of MODEL=; sets the build, and options.calibration where the model was calibrated."""
    node, metric = options.node or "", as_metric(options.metric) if options.metric else None
    imported = load_lstm(options.model, node)
    known = own.find(options.model, node) and not options.random
    options.calibration = own.load(options.model, node, metric) if known else None
    options.build = options.build or (options.calibration.build if known else Build())
    if options.inputs:
        task = OwnTask(options.model, options.inputs, metric or (known and options.calibration.task.metric_of) or None, node=node)
        if known and task.data_key != options.calibration.task.data_key:
            return _about(task, f"{task.about}: all of it is new to the calibration"), task.play(task.sequences, options.steps)
    elif known:
        task = options.calibration.task
    else:
        task = OwnTask(imported, random_sequences(*options.range, imported.inputs, options.seed), metric, name=options.name)
        low, high = options.range
        _about(task, f"random numbers from {low:g} to {high:g}, as there is no INPUTS=file.npz: accuracy and low share hold for such inputs only")
    if options.inputs or known:
        others = "to choose" if known else "calibrate"
        _about(task, f"{task.about}: {len(task.sequences) - len(task.parts[Use.CHECK])} sequences {others}, the other {len(task.parts[Use.CHECK])} test")
    return task, task.play(task.parts[Use.CHECK], options.steps)


def _about(task, words):
    task.about = words
    return task


def has_operating_points(network: Network) -> bool:
    return not isinstance(network, OwnTask) and is_calibrated(network.name)


def choose_policies(options: argparse.Namespace, network: Network) -> str:
    """Where the thresholds come from, in words; leaves those policies in options.policy that have some. Raises UserError where one that was named has none."""
    if isinstance(network, OwnTask) and options.calibration:
        chosen = options.calibration.chosen
        missing = [policy for policy in options.policy if policy in DECIDING and policy not in chosen]
        if missing and not options.all:
            raise UserError(f"POLICY={missing[0].name}: never calibrated on {network.name}; run: make calibrate MODEL={options.model} POLICY={missing[0].name}")
        options.policy = [policy for policy in options.policy if policy not in missing]
        return (f"thresholds: make calibrate, {options.calibration.target} of {network.metric_name}; multipliers: "
                + ", ".join(f"{policy.name} 2^{value:g}" for policy, value in chosen.items()))
    if not has_operating_points(network):
        return f"thresholds: error of h at most {LOSS_DB:g} dB above that of STATIC_HIGH, on the calibration"
    found = read(network.name)
    missing = [policy for policy in options.policy if policy in DECIDING and policy.name not in found["log2_lambda"]]
    names = ",".join(policy.name for policy in missing)
    if missing and not options.all:
        raise UserError(f"POLICY={names}: never calibrated on {network.name}; run: make calibrate NET={network.name} POLICY={names}")
    options.policy = [policy for policy in options.policy if policy not in missing]
    chosen = ", ".join(f"{name} 2^{log2_lambda:g}" for name, log2_lambda in found["log2_lambda"].items())
    left_out = f"; left out: {names}, never calibrated on {network.name}" if missing else ""
    return f"thresholds: make calibrate, budget of {found['budget']:g} margin{'s' * (found['budget'] != 1)} of loss; multipliers: {chosen}{left_out}"


def prepare(network: Network, options: argparse.Namespace) -> QuantizedNetwork:
    """The network as it was calibrated; one that never was, quantized on its calibration samples, with thresholds by the error of its outputs.
    Raises UserError for values that the formats do not hold."""
    try:
        if has_operating_points(network):
            return load_quantized(network.name)
        if isinstance(network, OwnTask):
            if options.calibration:
                return options.calibration.quantized()
            policies = [policy for policy in options.policy if policy in DECIDING]
            return set_by_error(network.quantize(), *network.from_zero(Use.SEARCH, OWN_SEARCH), policies=policies)
        inputs = [sample.inputs for sample in network.calibration(CALIBRATION_STEPS)]
        return set_by_error(quantize_network(network.lstm, inputs, low_share=None), inputs, [hidden[-1] for hidden in hidden_states(network.lstm, inputs)])
    except ValueError as error:
        raise UserError(f"{network.name}: {error}") from error


@contextmanager
def only_run(folder: Path) -> Iterator[Path]:
    """The folder, emptied, for one run; another run that wants it waits for the end of this one."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(folder.with_name(f"{folder.name}.lock")):
        shutil.rmtree(folder, ignore_errors=True)
        yield folder


def simulate(job: Job, repeat: str, simulator: str | None = "verilator", seed: int | None = 1, waves: bool = False) -> dict:
    """Runs one job and returns its result, also when values were wrong; raises SimulationError when there is none.

    repeat: the command that a person repeats it with.
    """
    path = job.folder.with_suffix(".job")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(pickle.dumps({"build": job.build, "policy": job.policy, "directions": job.plan.directions}))
    result = job.folder / "result"
    try:
        run("tb.bench.play", "harness", parameters(job.build), simulator=simulator, seed=seed, waves=waves, environment={"JOB": str(path)},
            folder=job.folder, repeat=repeat)
    except SimulationError as error:
        if not result.exists():
            raise SimulationError(f"{job.name}: {error}") from error
    return pickle.loads(result.read_bytes())


def repeat_command(job: Job, options: argparse.Namespace) -> str:
    """The command that plays one job again."""
    if options.model:
        given = {"MODEL": options.model, "NODE": options.node, "INPUTS": options.inputs, "METRIC": options.metric, "TILES": options.tiles, "LANES": options.lanes,
                 "WEIGHTS": options.weights}
        if not options.inputs and not options.calibration:
            given["RANGE"] = "{:g},{:g}".format(*options.range)
    else:
        given = {"NET": options.net}
    given = {"SIM": options.sim, **given, "POLICY": job.policy.name, "STEPS": options.steps, "SEED": options.seed}
    return " ".join(["make sim", *(f"{name}={shlex.quote(str(value))}" for name, value in given.items() if value is not None)])


def simulate_all(jobs: list[Job], options: argparse.Namespace) -> dict:
    """Results by name; two simulations at a time, with one progress bar over the steps of all directions."""
    steps = sum(sequence.shape[1] for job in jobs for direction in job.plan.directions for sequence in direction.sequences)
    with ThreadPoolExecutor(SIMULATIONS_AT_ONCE) as pool, tqdm(total=steps, unit="step", desc=options.name) as bar:
        futures = {
            job.name: pool.submit(simulate, job, repeat_command(job, options), options.sim, options.seed, options.waves == "1") for job in jobs}
        while not all(future.done() for future in futures.values()):
            time.sleep(POLL_SECONDS)
            bar.update(sum(job.steps_done for job in jobs) - bar.n)
        return {name: future.result() for name, future in futures.items()}


def main(arguments: list[str] | None = None) -> int:
    options = parse(arguments)
    network, samples = load_data(options)
    options.thresholds = choose_policies(options, network)
    bounds = None
    if isinstance(network, OwnTask):
        bounds = limits(network.imported, options.build, network.inputs_of(Use.FIT))
        notes = [f"STEPS={options.steps} of {network.about}", *network.imported.notes, *bounds.lines(), options.thresholds]
        print("\n".join(notes), flush=True)
    with ThreadPoolExecutor(SIMULATIONS_AT_ONCE) as pool:  # the simulators are built meanwhile; what fails there fails again in `simulate`, which tells it
        for name, build in (("accelerator", options.build), (BASELINE, options.build.baseline())):
            pool.submit(_build, name, build, options)
        _say(f"{options.name} is quantized")
        q = prepare(network, options)
        with only_run(BUILD / "sim" / options.key) as folder:
            return _play(options, network, samples, q, folder, bounds)


def _say(words):
    """What is under way, on stderr: the last line on stdout is the path of the report."""
    tqdm.write(f"sim: {words}", file=sys.stderr)


def _build(name, build, options):
    """Builds a simulator, and says so. What the compiler leaves of the cores goes to the models, whose table comes first."""
    os.nice(BUILD_NICENESS)  # of this thread, and of what it starts
    _say(f"{name}: {options.sim} builds its simulator, unless it did before")
    begin = time.monotonic()
    build_simulation("harness", parameters(build), options.sim, options.waves == "1")
    _say(f"{name}: built in {time.monotonic() - begin:.0f} s")


def _play(options, network, samples, q: QuantizedNetwork, folder: Path, bounds: Limits | None) -> int:
    """Simulates in the folder, prints and writes the report, and returns the exit code."""
    # STATIC_HIGH and the baseline build are the baselines of every speedup, whatever was asked for.
    policies = {policy.name: policy for policy in (Policy.STATIC_HIGH, *options.policy)}
    # The baseline first: its simulator is the smaller one, and runs while the other is still built.
    builds = [(BASELINE, Policy.STATIC_HIGH, options.build.baseline()), *((name, policy, options.build) for name, policy in policies.items())]
    for direction in q.directions:
        for _, _, build in builds:
            compile_image(direction, build)  # what does not fit is refused before anything is simulated
    own = isinstance(network, OwnTask)
    states = [sample.start.initial_states(q) for sample in samples] if own and samples[0].start.h0 is not None else None
    plans = {policy: plan(q, [sample.inputs for sample in samples], policy, states) for policy in policies.values()}
    jobs = [Job(name, policy, build, plans[policy], folder / name) for name, policy, build in builds]
    asked = [job for job in jobs if job.name != BASELINE and job.policy in options.policy]
    steps = sum(len(sample.inputs) for sample in samples)
    if own:  # seconds after the start, where a simulator takes a minute or two to build
        results = {job.name: forecast(job) for job in jobs}
        expected = [record(job, results, network, samples) for job in asked]
        Console().print(table({"network": options.name, "steps": steps, "runs": expected}))
        print("The RTL plays the same steps now; every value and every count of cycles is compared with these.", flush=True)
    results = simulate_all(jobs, options)

    runs = [record(job, results, network, samples) for job in asked]
    report = {"network": options.name, "simulator": options.sim, "seed": options.seed, "steps": steps, "thresholds": options.thresholds}
    if own:
        report |= {"inputs": network.about, "notes": [*network.imported.notes, *bounds.lines()], "forecast": expected}
    else:
        print(options.thresholds)
    report["runs"] = runs
    Console().print(table(report))
    for job in jobs:
        if results[job.name]["mismatches"]:
            print(f"{job.name}: {results[job.name]['mismatches']} values are wrong; first {results[job.name]['first_mismatch']}")
        if options.waves == "1":
            print(f"{job.name}: {waves_command(job.folder, 'harness')}")
    if own:
        for job in (job for job in jobs if job.name != BASELINE):
            save_outputs(job, results[job.name], network)
        slow = [found["policy"] for found in runs if found["speedup_baseline"] < 1 and Policy[found["policy"]] in DECIDING]
        reasons = "; ".join(f"{layer.where}: {layer.reason}" for layer in bounds.layers if layer.reason) or "rows in 8 bits wait for their decisions"
        print("\n".join([*[f"slower than the baseline build: {', '.join(slow)}: {reasons}"] * bool(slow),
                         f"h and levels: {folder.relative_to(BUILD.parent)}/*/outputs.npz"]))
    path = BUILD / f"sim-{options.key}.json"
    path.write_text(json.dumps(report, indent=2) + "\n")
    print(path)
    return int(any(result["mismatches"] for result in results.values()))


def command(arguments: list[str] | None = None) -> int:
    """The exit code of `main`; what went wrong is told in a line on stderr."""
    try:
        return main(arguments)
    except (UserError, ImportFailure, CompileError, FileNotFoundError) as error:
        print(f"sim: {error}", file=sys.stderr)
        return 2
    except SimulationError as error:
        print(f"sim: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    torch.set_num_threads(1)  # a core for each simulation
    try:
        sys.exit(command())
    except KeyboardInterrupt:
        sys.exit("sim: interrupted")
