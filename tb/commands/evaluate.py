"""`make eval`: what dynamic precision is worth on real networks and tasks, against honest baselines.

The integer model runs the test data of each network, which calibration never saw, under each policy with the thresholds of `make calibrate`;
the RTL runs a sample of it, and every output, decision and cycle is compared. Prints a table for each network, and writes build/eval.json,
docs/results.md and docs/images/frontier.png (the last two for all networks at full size only; otherwise below build/).

Every piece of work is cached once it is done: what was interrupted goes on, and the same command again costs nothing. Work runs in JOBS
processes, or on a Dask cluster (SCHEDULER=); results do not depend on which.
"""

import argparse
import math
import multiprocessing
import shutil
import sys
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from dataclasses import dataclass
from functools import lru_cache

import torch
from rich.console import Console
from tqdm import tqdm

from models.build import Build
from models.cache import cached, path_of, sources, store
from models.calibration import SHARES, calibrated, network_sources, number_of, set_number, swept_number
from models.evaluation import TEST_STEPS, Bootstrap, cycles, difference, evaluate, spread
from models.networks import NETWORKS, load
from models.formats import BUILD_POLICIES, Policy
from tb.commands import eval_report
from tb.bench.parts import plan
from tb.bench.registers import Counter
from tb.bench.runner import BUILD
from tb.commands.sim import Job, UserError, simulate

# Steps of the accelerator (those of each direction count) whose cycles are computed, and which the RTL runs. Static policies take the same in
# every step.
CYCLES_STEPS = {Policy.SENSITIVITY: 1000, Policy.CELL_HISTORY: 400, Policy.STATIC_HIGH: 120, Policy.STATIC_LOW: 120}
YARDSTICK_STEPS = 120  # of the policies that no build has
FRONTIER_STEPS, FRONTIER_SHARES = 20_000, (0.6, 0.8, 0.9)
FLOAT, PLAIN = "FLOAT", "PLAIN"
SOURCES = ("*.py", "networks/*.py")


@dataclass(frozen=True)
class Task:
    """A piece of work on one network: `kind` names the function that does it; like: the policy whose shares a yardstick takes."""

    kind: str
    net: str
    steps: int
    policy: str = ""
    like: str = ""
    share: float = 0.0

    @property
    def name(self):
        return f"{self.policy} like {self.like}" if self.like and self.like != "SENSITIVITY" else self.policy


@lru_cache(maxsize=2)
def _network(net):
    return load(net)


@lru_cache(maxsize=1)
def _samples(net, steps):
    return cached(("test", net, steps, sources(*network_sources(net))), lambda: _network(net).test(steps))


@lru_cache(maxsize=1)
def _bootstrap(net, steps):
    return Bootstrap(_network(net), _samples(net, steps))


def _quantized(task, given=None):
    """The network for the policy of a task; STATIC_ROWS for the low share of the policy that it is like."""
    quantized = calibrated(_network(task.net), Policy[task.like] if task.like else policy_and_build(task)[0])
    if task.policy == Policy.STATIC_ROWS.name:  # the same share on any input
        number_of(quantized, Policy.STATIC_ROWS, given["low_share"], [_samples(task.net, task.steps)[0].inputs[:1]], precision=0.01)
    return quantized


def task_fit(task, given):
    """Only that the test data and what was calibrated are in the cache, once."""
    _samples(task.net, task.steps)
    for policy in SHARES:
        calibrated(_network(task.net), policy)


def task_figure(task, given):
    """Figure of the task over all test samples, low share, shares of the refined rows."""
    network, samples = _network(task.net), _samples(task.net, task.steps)
    if task.policy == FLOAT:
        return {"figure": _bootstrap(task.net, task.steps).figure(network.float_outputs(samples))}
    quantized = _quantized(task, given)
    found, run = evaluate(network, quantized, samples, Policy[task.policy], given and given["shares"])
    others = {"next-character accuracy": network.accuracy(samples, found)} if hasattr(network, "accuracy") else {}
    return {"figure": _bootstrap(task.net, task.steps).figure(found), "others": others, "low_share": quantized.low_share(run),
            "shares": run.shares()}


def task_frontier(task, given):
    """Low share and figure over some of the test samples, at a low share that the calibration of the policy measured, or that RANDOM has."""
    network = _network(task.net)
    samples = spread(_samples(task.net, task.steps), FRONTIER_STEPS)
    policy, shares = Policy[task.policy], None
    quantized = _quantized(task)
    if policy in SHARES:
        set_number(quantized, policy, swept_number(task.net, policy, task.share))
    elif policy == Policy.RANDOM:
        shares = [[[1 - task.share] * 4 for _ in part.layers] for part in quantized.parts]
    found, run = evaluate(network, quantized, samples, policy, shares)
    return {"low_share": quantized.low_share(run), "value": network.metric(samples, found)}


def task_cycles(task, given):
    """Cycles on whole samples of the test."""
    policy, build = policy_and_build(task)
    quantized = _quantized(task, given)
    samples = cycles_samples(task, quantized)
    return {"steps": sum(len(sample.inputs) for sample in samples), "cycles": cycles(quantized, samples, policy, build, given and given["shares"])}


def task_rtl(task, given):
    """Steps of the accelerator that the RTL ran with every value equal, in the cycles that were given."""
    policy, build = policy_and_build(task)
    quantized = _quantized(task)
    samples = cycles_samples(task, quantized)
    name = f"{task.net}-{task.policy}"
    folder = BUILD / "eval" / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.parent.mkdir(parents=True, exist_ok=True)
    job = Job(name, policy, build, plan(quantized, [sample.inputs for sample in samples], policy), folder)
    result = simulate(job, f"make eval NET={task.net} STEPS={task.steps}")
    taken, expected = sum(part["counters"][Counter.CYCLES] for part in result["parts"]), given["cycles"]
    if result["mismatches"] or taken != expected:
        raise AssertionError(f"{name}: {result['mismatches']} values of the RTL differ, {taken} cycles, the model takes {expected}")
    return {"steps": sum(sequence.shape[1] for part in job.plan.parts for sequence in part.sequences), "cycles": taken, "compared": result["compared"]}


def policy_and_build(task):
    """The plain build computes STATIC_HIGH."""
    return (Policy.STATIC_HIGH, Build().plain()) if task.policy == PLAIN else (Policy[task.policy], Build())


def cycles_samples(task, quantized):
    """Test samples for the steps of the accelerator whose cycles are computed."""
    steps = CYCLES_STEPS.get(policy_and_build(task)[0], YARDSTICK_STEPS)
    return spread(_samples(task.net, task.steps), math.ceil(min(task.steps, steps) / len(quantized.parts)))


def work(task, given):
    """Does a task, in a process of its own. given: the result of the task beside the fit that it needs, or None."""
    torch.set_num_threads(1)
    return globals()[f"task_{task.kind}"](task, given)


def tasks_of(net, steps, rtl):
    """All tasks of a network; those that need the shares of a policy name it in `like`."""
    policies = [policy.name for policy in BUILD_POLICIES]
    result = [Task("fit", net, steps)]
    result += [Task("figure", net, steps, name) for name in ("SENSITIVITY", "CELL_HISTORY", "STATIC_HIGH", "STATIC_LOW", FLOAT)]
    yardsticks = [(name, like) for like in ("SENSITIVITY", "CELL_HISTORY") for name in ("RANDOM", "STATIC_ROWS")] + [("ORACLE", "SENSITIVITY")]
    result += [Task("figure", net, steps, name, like) for name, like in yardsticks]
    result += [Task("cycles", net, steps, name) for name in (*policies, PLAIN)]
    result += [Task("cycles", net, steps, name, like) for name, like in yardsticks]
    result += [Task("frontier", net, steps, name, share=share) for name in ("SENSITIVITY", "CELL_HISTORY", "RANDOM") for share in FRONTIER_SHARES]
    result.append(Task("frontier", net, steps, "STATIC_HIGH"))
    if rtl:
        result += [Task("rtl", net, steps, name) for name in (*policies, PLAIN)]
    return result


def needs(task) -> list:
    """The tasks that must be done before: the fit, and the one whose result is given."""
    if task.kind == "fit":
        return []
    needed = [Task("fit", task.net, task.steps)]
    if task.kind == "rtl":
        needed.append(Task("cycles", task.net, task.steps, task.policy))
    elif task.like:
        needed.append(Task("figure", task.net, task.steps, task.like))
    return needed


def run_all(tasks, executor) -> dict:
    """Results by task, from the cache or from the executor, each as soon as what it needs is done."""
    text = {net: sources(*SOURCES, f"calibrated/{net}.json", "../rtl/*.v", "../tb/*/*.py") for net in {task.net for task in tasks}}
    keys = {task: (task.kind, task, text[task.net]) for task in tasks}
    results = {task: cached(key, None) for task, key in keys.items() if path_of(key).exists()}
    waiting, running = [task for task in tasks if task not in results], {}
    with tqdm(total=len(tasks), initial=len(results), unit="task", dynamic_ncols=True) as bar:
        while waiting or running:
            for task in list(waiting):
                needed = needs(task)
                if not all(source in results for source in needed):
                    continue
                waiting.remove(task)
                running[executor.submit(work, task, results[needed[1]] if needed[1:] else None)] = task
            done, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in done:
                task = running.pop(future)
                results[task] = future.result()
                store(keys[task], results[task])
                bar.set_postfix_str(f"{task.net} {task.kind} {task.name}")
                bar.update()
    return {task: results[task] for task in tasks}


def records(net, results) -> list[dict]:
    """The records of build/eval.json of a network: see docs/results.md for the words."""
    network, by = load(net), {}
    for task, result in results.items():
        if task.net == net and task.kind not in ("fit", "frontier"):
            by.setdefault(task.name, {})[task.kind] = result
    high, sensitivity = by["STATIC_HIGH"]["figure"]["figure"], by["SENSITIVITY"]["figure"]["figure"]
    found, per_step = [], {name: parts["cycles"]["cycles"] / parts["cycles"]["steps"] for name, parts in by.items() if "cycles" in parts}
    for name, parts in by.items():
        if name == PLAIN:
            continue
        figure, price = parts["figure"]["figure"], parts.get("cycles")
        paired = difference(network, figure, high)
        against = difference(network, figure, sensitivity)
        found.append({
            "network": net, "policy": name, "metric": network.metric_name, "value": figure.value, "ci95": figure.interval,
            "delta_mean": paired.mean, "delta_ci95": paired.interval, "no_loss": paired.no_loss, "delta_sensitivity_ci95": against.interval,
            "others": parts["figure"].get("others", {}), "low_share": parts["figure"].get("low_share"),
            "cycles": price and price["cycles"], "cycles_steps": price and price["steps"], "speedup": price and per_step["STATIC_HIGH"] / per_step[name],
            "speedup_plain": price and per_step[PLAIN] / per_step[name], "rtl_steps_checked": parts.get("rtl", {}).get("steps", 0),
        })
    return found


def frontier(net, results) -> list[dict]:
    """Points of the plot: policy, low share, figure over the samples of the frontier."""
    return [{"network": net, "policy": task.policy, **result} for task, result in results.items() if task.net == net and task.kind == "frontier"]


def parse(arguments):
    parser = argparse.ArgumentParser(prog="python -m tb.commands.evaluate", description=__doc__.splitlines()[0])
    parser.add_argument("--net", default="all", help=f"all, or some of {', '.join(sorted(NETWORKS))} with commas between them")
    parser.add_argument("--steps", type=int, help="steps of the test of each network (default: " + ", ".join(f"{n} {s:,}" for n, s in TEST_STEPS.items()) + ")")
    parser.add_argument("--jobs", type=int, default=multiprocessing.cpu_count(), help="processes (%(default)s)")
    parser.add_argument("--scheduler", default="", help="address of a Dask scheduler, as tcp://host:8786, instead of processes")
    parser.add_argument("--rtl", type=int, default=1, choices=(0, 1), help="0: leave the RTL out (%(default)s)")
    options = parser.parse_args(arguments)
    options.net = sorted(NETWORKS) if options.net == "all" else options.net.split(",")
    for name in options.net:
        if name not in NETWORKS:
            raise UserError(f"NET={name}: unknown; choose all, or some of {', '.join(sorted(NETWORKS))}")
    if options.jobs < 1 or options.steps is not None and options.steps < 1:
        raise UserError("JOBS= and STEPS= are whole numbers of at least 1")
    return options


def executor_of(options):
    """Processes here, or the workers of a Dask cluster: one interface. Raises UserError when there is no scheduler at the address."""
    if not options.scheduler:
        # Started anew: what a forked process inherits of PyTorch's threads may hang.
        return ProcessPoolExecutor(options.jobs, mp_context=multiprocessing.get_context("spawn"))
    try:
        from distributed import Client
    except ImportError:
        raise UserError("SCHEDULER= needs Dask: .venv/bin/pip install -r requirements-cluster.txt") from None
    try:
        return Client(options.scheduler, timeout=10).get_executor()
    except (OSError, ValueError) as error:
        raise UserError(f"SCHEDULER={options.scheduler}: {error}") from error


def main(arguments=None):
    options = parse(arguments)
    tasks = [task for net in options.net for task in tasks_of(net, options.steps or TEST_STEPS[net], options.rtl)]
    executor = executor_of(options)
    try:
        results = run_all(tasks, executor)
    except BaseException:
        executor.shutdown(wait=False, cancel_futures=True)
        raise
    executor.shutdown()
    found = [entry for net in options.net for entry in records(net, results)]
    points = [point for net in options.net for point in frontier(net, results)]
    published = options.net == sorted(NETWORKS) and not options.steps and options.rtl
    for path in eval_report.write(found, points, published):
        print(path)
    Console(width=max(Console().width, eval_report.WIDTH)).print(eval_report.table(found))
    return found


if __name__ == "__main__":
    try:
        main()
    except (UserError, FileNotFoundError) as error:
        print(f"eval: {error}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit("eval: interrupted; the same command goes on from here")
