# SPDX-License-Identifier: MIT
"""The command of tb/commands/evaluate.py: its options, and what it shows."""

import argparse
import multiprocessing
import sys

from rich.console import Console

from models.calibration import is_calibrated
from models.networks import MODULES
from models.sources import SourceChanged
from tb.commands import eval_report, evaluate
from tb.commands.evaluation.records import records
from tb.commands.evaluation.schedule import TaskError, executor_of, run_all, tasks_of
from tb.commands.sim import UserError


def parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tb.commands.evaluate", description=evaluate.__doc__.splitlines()[0])
    parser.add_argument("--net", default="all", help=f"all, or some of {', '.join(MODULES)} with commas between them")
    parser.add_argument("--steps", type=int, help="steps of the test of each network (default: all)")
    parser.add_argument("--jobs", type=int, help=f"processes ({multiprocessing.cpu_count()})")
    parser.add_argument("--scheduler", default="", help="address of a Dask scheduler, as tcp://host:8786, instead of processes")
    parser.add_argument("--rtl", type=int, default=1, choices=(0, 1), help="0: leave the RTL out (%(default)s)")
    options = parser.parse_args(arguments)
    options.net = _calibrated() if options.net == "all" else options.net.split(",")
    for name in options.net:
        if name not in MODULES:
            raise UserError(f"NET={name}: unknown; choose all, or some of {', '.join(MODULES)}")
    if options.scheduler and options.jobs is not None:
        raise UserError("JOBS= and SCHEDULER=: give one of them; a cluster has as many processes as workers")
    options.jobs = multiprocessing.cpu_count() if options.jobs is None else options.jobs
    if options.jobs < 1 or (options.steps is not None and options.steps < 1):
        raise UserError("JOBS= and STEPS= are whole numbers of at least 1")
    return options


def _calibrated() -> list[str]:
    """Networks that `make calibrate` found operating points of: all that are evaluated without NET=."""
    return [name for name in MODULES if is_calibrated(name)]


def main(arguments: list[str] | None = None) -> list[dict]:
    options = parse(arguments)
    tasks = [task for net in options.net for task in tasks_of(net, options.steps, options.rtl)]
    with executor_of(options) as executor:
        results = run_all(tasks, executor)
    found = [entry for net in options.net for entry in records(net, results)]
    published = options.net == _calibrated() and not options.steps and options.rtl
    for path in eval_report.write(found, published):
        print(path)
    Console(width=max(Console().width, eval_report.WIDTH)).print(eval_report.table(found))
    return found


def run(arguments: list[str] | None = None) -> int:
    """The command: its exit code, and one line about what was wrong."""
    try:
        main(arguments)
    except (UserError, FileNotFoundError) as error:
        print(f"eval: {error}", file=sys.stderr)
        return 2
    except (TaskError, SourceChanged) as error:
        print(f"eval: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("eval: interrupted; the same command goes on from here", file=sys.stderr)
        return 1
    return 0
