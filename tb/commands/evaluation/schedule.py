# SPDX-License-Identifier: MIT
"""Which tasks there are, what each needs, and running them: in processes here, or on the workers of a Dask cluster."""

import traceback
from argparse import Namespace
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Executor, wait
from contextlib import contextmanager

import torch
from tqdm import tqdm

from models.cache import MISSING, find, store
from models.calibration import path_of
from models.networks import MODULES
from models.policies import DECIDING, Policy
from models.sources import code, content
from tb.bench.leash import worker_pool
from tb.bench.runner import BUILD, design_files
from tb.commands.evaluation import cycles, metrics, rtl
from tb.commands.evaluation.task import FLOAT, SEEDS, Task, on_builds, rivals_of
from tb.commands.sim import UserError

FUNCTIONS = {"fit": metrics.fit, "metric": metrics.metric, "cycles": cycles.cycles, "rtl": rtl.rtl}
PLAYED_BY = "tb.bench.play"  # on the side of the simulator
PATIENCE = 10  # seconds, with a scheduler


class TaskError(Exception):
    """A task failed; the message names it, its error, and what to do, in one line."""


class OtherCode(Exception):
    """A worker has another text of the project than the command."""


def tasks_of(net: str, steps: int | None, with_rtl: bool | int) -> list[Task]:
    """All tasks of a network, the fit first, the longest of the others before the short ones."""
    deciding = [policy.name for policy in reversed(DECIDING)]
    labels = [*deciding, *rivals_of(net), Policy.STATIC_HIGH.name, Policy.STATIC_LOW.name, FLOAT]
    result = [Task("fit", net, steps)]
    result += [Task("metric", net, steps, name) for name in labels]
    result += [Task("metric", net, steps, Policy.RANDOM.name, seed) for seed in SEEDS if seed and Policy.RANDOM.name in labels]
    result += [Task("cycles", net, steps, name) for name in on_builds()]
    if with_rtl:
        result += [Task("rtl", net, steps, name) for name in on_builds()]
    return result


def needs(task: Task) -> list[Task]:
    """The tasks that must be done before."""
    return [] if task.kind == "fit" else [Task("fit", task.net, task.steps)]


def modules_of(task: Task) -> list[str]:
    """The modules whose text decides a task's result, with all that they import."""
    return [FUNCTIONS[task.kind].__module__, MODULES[task.net], *[PLAYED_BY] * (task.kind == "rtl")]


def key_of(task: Task) -> tuple:
    """The key of a task's result in the cache."""
    calibration = path_of(task.net)
    data = [*[calibration] * calibration.exists(), *(design_files() if task.kind == "rtl" else [])]
    return task.kind, task, code(*modules_of(task)), content(*data)


def work(task: Task, key: tuple) -> object:
    """Does a task, in a process of its own.

    Raises OtherCode where this process would make it with another text than that of the key.
    """
    if key_of(task) != key:
        raise OtherCode("the worker has another text of the project than this command: give it the same one, and start it again")
    torch.set_num_threads(1)
    return FUNCTIONS[task.kind](task)


def run_all(tasks: list[Task], executor: Executor) -> dict:
    """Results by task, from the cache or from the executor, each as soon as what it needs is done. Raises TaskError; what was done is kept."""
    keys = {task: key_of(task) for task in tasks}
    kept = {task: find(key) for task, key in keys.items()}
    results = {task: result for task, result in kept.items() if result is not MISSING}
    waiting, running, failed = [task for task in tasks if task not in results], {}, None
    with tqdm(total=len(tasks), initial=len(results), unit="task", dynamic_ncols=True) as bar:
        while waiting or running:
            for task in list(waiting):
                if all(source in results for source in needs(task)):
                    waiting.remove(task)
                    running[executor.submit(work, task, keys[task])] = task
            done, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in done:
                task = running.pop(future)
                if future.exception():
                    failed = failed or (task, future.exception())
                    continue
                results[task] = future.result()
                store(keys[task], results[task])
                bar.set_postfix_str(f"{task.net} {task.kind} {task.name}")
                bar.update()
            if failed:
                raise _task_error(*failed) from failed[1]
    return {task: results[task] for task in tasks}


def _task_error(task, error) -> TaskError:
    """One line about the failure of a task; its traceback goes to a file."""
    log = BUILD / "eval-error.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    log.write_text("".join(traceback.format_exception(error)))
    words = next(iter(str(error).splitlines()), "")
    if isinstance(error, BrokenExecutor):
        words = "a process was killed, most often for lack of memory: give fewer JOBS="
    elif isinstance(error, ModuleNotFoundError):
        words += "; a worker runs in the project's folder, in an environment with its requirements"
    return TaskError(f"{task.net}, {task.kind} {task.name}".rstrip() + f": {type(error).__name__}: {words} (traceback: {log}); what was done is kept, "
                     f"the rest: make eval NET={task.net}" + (f" STEPS={task.steps}" if task.steps else ""))


@contextmanager
def executor_of(options: Namespace) -> Iterator[Executor]:
    """Processes here, or the workers of a Dask cluster: one interface. Raises UserError when there is no scheduler at the address.

    Work that is still under way when the block is left by an exception is given up; processes here end at once.
    """
    if not options.scheduler:
        with worker_pool(options.jobs) as pool:
            yield pool
        return
    try:
        from distributed import Client
    except ImportError:
        raise UserError("SCHEDULER= needs Dask: .venv/bin/pip install -r requirements-cluster.txt") from None
    try:
        client = Client(options.scheduler, timeout=PATIENCE)
    except (OSError, ValueError) as error:
        raise UserError(f"SCHEDULER={options.scheduler}: {error}") from error
    with client:  # whose end gives up what it asked for
        yield client.get_executor(pure=False)
