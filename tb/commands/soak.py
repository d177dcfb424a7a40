# SPDX-License-Identifier: MIT
"""`make soak MINUTES=`: constrained-random runs with fresh seeds until the time is up; prints each seed, stops at the first failure.

Each run is a build of tb/tests/lstm_accelerator/cases.py with random networks, sequences, policies, stalls, state, resets and errors
(tb/tests/lstm_accelerator/soak.py). All of it follows from the seed of the run and the name of the build.
Exit code: 0, 1 when a run failed (its command is printed), 2 when the arguments are wrong.
"""

import argparse
import sys
import time
from random import SystemRandom

from tqdm import tqdm

from tb.bench.runner import RUNS, SIMULATORS, SimulationError, environment_simulator
from tb.tests.lstm_accelerator.cases import SOAK_BUILDS, run_on


def parse(arguments: list[str] | None) -> argparse.Namespace:
    """The options, checked."""
    parser = argparse.ArgumentParser(prog="python -m tb.commands.soak", description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=5.0, help="how long (default: 5)")
    parser.add_argument("--seed", type=int, help="of the first run, the next ones count up (default: a random one)")
    parser.add_argument("--build", choices=SOAK_BUILDS, help="only this build (default: all in turn)")
    parser.add_argument("--runs", type=int, default=sys.maxsize, help="stop after so many")
    options = parser.parse_args(arguments)
    if options.minutes <= 0:
        parser.error(f"MINUTES={options.minutes:g}: a number above 0 is needed")
    if options.seed is not None and options.seed < 0:
        parser.error(f"SEED={options.seed}: a whole number of 0 or more is needed")
    if environment_simulator() not in SIMULATORS:
        parser.error(f"SIM={environment_simulator()}: choose one of {', '.join(SIMULATORS)}")
    return options


def main(arguments: list[str] | None = None) -> int:
    options = parse(arguments)
    first = SystemRandom().randrange(1 << 31) if options.seed is None else options.seed
    builds = [options.build] if options.build else list(SOAK_BUILDS)
    begin = time.monotonic()
    done = 0
    with tqdm(total=60 * options.minutes, unit="s", bar_format="{l_bar}{bar}| {n:.0f}/{total:.0f} s") as bar:
        while done < options.runs and (done == 0 or time.monotonic() - begin < 60 * options.minutes):
            seed, name = first + done, builds[done % len(builds)]
            repeat = f"SIM={environment_simulator()} python -m tb.commands.soak --seed={seed} --build={name} --runs=1"
            folder = RUNS / f"soak-{name}-{seed}-{environment_simulator()}"
            try:
                run_on("tb.tests.lstm_accelerator.soak", SOAK_BUILDS[name], seed=seed, folder=folder, repeat=repeat, retrace=True)
            except SimulationError as error:
                bar.close()
                print(f"seed {seed} on {name} failed: {error}")
                return 1
            done += 1
            bar.write(f"seed {seed} on {name}: passed", file=sys.stdout)
            bar.update(min(bar.total, time.monotonic() - begin) - bar.n)
    print(f"{done} runs passed, seeds {first}..{first + done - 1}")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit("soak: interrupted")
