# SPDX-License-Identifier: MIT
"""`make weekly`: what is too long for `make test`, one command after the other, whatever fails; a summary at the end.

Planted bugs must be caught, all tests run with a fresh seed, and random runs go on for so many minutes.
Exit code: 0, 1 when a command failed.
"""

import argparse
import subprocess
import sys
import time
from random import SystemRandom

from tb.bench.runner import ROOT

SEEDS = 2**31


def commands(seed: int, minutes: str) -> dict[str, list[str]]:
    """Arguments of Python by the name of the make target that they stand for."""
    return {
        "test-bench": ["-m", "tb.commands.planted_bugs"],
        "regress": ["-m", "tb.commands.regress", f"--seed={seed}", "--minutes=0"],
        "soak": ["-m", "tb.commands.soak", f"--seed={seed}", f"--minutes={minutes}"],
    }


def run_all(tasks: dict[str, list[str]], who: str = "weekly") -> dict[str, tuple[int, float]]:
    """(exit code, seconds) of each, by name; who: runs them, for the lines that say so."""
    results = {}
    for name, arguments in tasks.items():
        print(f"{who}: {name}", flush=True)
        start = time.monotonic()
        results[name] = subprocess.run([sys.executable, *arguments], cwd=ROOT).returncode, time.monotonic() - start
    return results


def summary(results: dict[str, tuple[int, float]], seed: int) -> str:
    """A line a command, and what repeats those that failed."""
    lines = [f"{name:12} {'FAILED' if code else 'passed'} {seconds / 60:6.1f} min" for name, (code, seconds) in results.items()]
    failed = [name for name, (code, _) in results.items() if code]
    repeat = [f"repeat with: {' && '.join(f'make {name}' + ('' if name == 'test-bench' else f' SEED={seed}') for name in failed)}"] if failed else []
    return "\n".join([f"weekly: {len(failed)} of {len(results)} failed, SEED={seed}", *lines, *repeat])


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tb.commands.weekly", description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, help="a whole number (default: a random one)")
    parser.add_argument("--minutes", type=float, default=5.0, help="of soak (default: 5)")
    options = parser.parse_args(arguments)
    if options.minutes <= 0:
        parser.error(f"MINUTES={options.minutes:g}: a number above 0 is needed")
    if options.seed is not None and options.seed < 0:
        parser.error(f"SEED={options.seed}: a whole number of 0 or more is needed")
    seed = SystemRandom().randrange(SEEDS) if options.seed is None else options.seed
    results = run_all(commands(seed, f"{options.minutes:g}"))
    print(summary(results, seed))
    return int(any(code for code, _ in results.values()))


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit("weekly: interrupted")
