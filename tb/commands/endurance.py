# SPDX-License-Identifier: MIT
"""`make endurance VALUES=`: random builds and networks until so many values have been compared with the models, bit for bit.

Builds have 1 to 16 tiles, each number once before any comes again; a build plays cases (tb/tests/lstm_accelerator/endurance.py), a seed each, until
its share of the values has been compared. A value is an h, a decision of a row, or a register, counter or word of state, as the scoreboard counts them;
those of cases that failed are not counted. Cases are kept in build/endurance/results.jsonl by build, seed, and the text of rtl/, tb/bench/ and what a case imports:
what was interrupted goes on, also from cases of other machines that docs/signoff.json has, which `make signoff` writes. Writes build/endurance.json.
Exit code: 1 if a case failed, or if its failures left a build without its values.
"""

import argparse
import hashlib
import json
import os
import random
import re
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from threading import Lock

from tqdm import tqdm

from models.build import Build
from models.formats import MAX_TILES
from tb.bench import leash
from tb.bench.harness import parameters
from tb.bench.runner import BUILD, ROOT, SimulationError, build, environment_simulator
from tb.commands.arguments import number
from tb.commands.provenance import RECORDED, decides, failure, fingerprint, kept_in, source
from tb.tests.lstm_accelerator.cases import run_on

FOLDER, REPORT, RECORD = BUILD / "endurance", BUILD / "endurance.json", ROOT / RECORDED
RESULTS, RUNS = "results.jsonl", "runs"  # in the folder
MODULE = "tb.tests.lstm_accelerator.endurance"
JUDGED = decides(MODULE)
BUILD_VALUES = 6_250_000  # of a build: 16 builds for the default
CASE_VALUES = 1_000_000
MOST_FAILURES = 3  # of a build, which then gives up
NAME = "t{tiles}-l{lanes}-d{dynamic:d}-f{in_flight}-w{weight_depth}-u{unit_depth}-a{activation_depth}"


def name_of(build: Build) -> str:
    """The parameters of a build in a word."""
    return NAME.format(**vars(build))


def build_of(name: str) -> Build:
    """The build of a word of `name_of`. Raises ValueError for another word, and for a build that cannot be."""
    pattern = re.sub(r"\{(\w+)[^}]*\}", r"(?P<\1>\\d+)", NAME)
    found = re.fullmatch(pattern, name)
    if not found:
        raise ValueError(f"{name}: not a build, such as {name_of(Build())}")
    fields = {field: int(value) for field, value in found.groupdict().items()}
    return Build(**fields | {"dynamic": bool(fields["dynamic"])})


def random_builds(seed: int) -> Iterator[Build]:
    """Builds without end: every number of tiles comes once in any order, then all again. One in four is a baseline build."""
    generator = random.Random(seed)
    while True:
        for tiles in generator.sample(range(1, MAX_TILES + 1), MAX_TILES):
            one = Build(tiles, lanes=generator.choice((8, 16, 32, 64)), in_flight=generator.choice((2, 4, 8)), weight_depth=generator.randint(512, 8192),
                        unit_depth=generator.randint(16, 256), activation_depth=generator.choice((32, 64, 128)))
            yield one.baseline() if generator.random() < 0.25 else one


def play(name: str, seed: int, values: int, text: str) -> dict:
    """The result of a case. text: the fingerprint of what it was made from."""
    repeat = f"SIM={environment_simulator()} .venv/bin/python -m tb.commands.endurance --build={name} --seed={seed} --case-values={values}"
    folder, begin, message = FOLDER / RUNS / f"{name}-{seed}", time.monotonic(), ""
    try:
        run_on(MODULE, build_of(name), {"GOAL": str(values)}, seed=seed, waves=False, folder=folder, repeat=repeat, retrace=False)
    except SimulationError as error:
        if leash.interrupted():
            raise KeyboardInterrupt from error
        message = str(error)
    counted = folder / "compared.json"
    measured = json.loads(counted.read_text()) if counted.exists() else {"compared": {}, "cpu_seconds": 0}
    if not message and not sum(measured["compared"].values()):
        message = f"nothing was compared\nrepeat with: {repeat}"
    return {"key": key_of(name, seed, values, text), "build": name, "seed": seed, "text": text, "passed": not message, **measured,
            "seconds": round(time.monotonic() - begin, 1), "message": message, "repeat": repeat}


def key_of(name: str, seed: int, values: int, text: str) -> str:
    """Of a case, and of what it was made from."""
    return hashlib.sha256(f"{environment_simulator()} {name} {seed} {values} {text}".encode()).hexdigest()[:16]


def kept() -> dict[str, dict]:
    """Cases by key: those of other machines that docs/signoff.json has, and those of earlier runs here."""
    recorded = json.loads(RECORD.read_text()).get("cases", {}) if RECORD.exists() else {}
    return recorded | kept_in(FOLDER / RESULTS)


def compared(result: dict) -> int:
    """Values of a case that count: those of one that failed do not."""
    return sum(result["compared"].values()) if result["passed"] else 0


def play_build(one: Build, seed: int, goal: int, values: int, text: str, kept: dict[str, dict], note: Callable[[dict, bool], None]) -> dict:
    """Plays cases of a build until `goal` values have been compared, or too many failed; note(result, fresh) takes each. Returns the build's summary."""
    name, results = name_of(one), []
    seeds = random.Random(f"{seed} {name}")
    while sum(map(compared, results)) < goal and sum(not result["passed"] for result in results) < MOST_FAILURES:
        own = seeds.getrandbits(31)
        result = kept.get(key_of(name, own, values, text))
        if not result and not results:
            with suppress(SimulationError):  # the case tells of it
                build("harness", parameters(one))  # its time is not that of a case
        results.append(result or play(name, own, values, text))
        note(results[-1], not result)
    failures = [result for result in results if not result["passed"]]
    return {"build": name, "tiles": one.tiles, "cases": len(results), "passed": len(results) - len(failures), "values": sum(map(compared, results)),
            "wanted": goal, "seconds": round(sum(result["seconds"] for result in results), 1),
            "cpu_seconds": round(sum(result["cpu_seconds"] for result in results), 1)}


def failures_of(results: Iterable[dict]) -> list[dict]:
    """What is told of cases that failed."""
    return [failure(f"seed {result['seed']} on {result['build']}", result["message"], result["repeat"]) for result in results if not result["passed"]]


def summary(builds: list[dict], results: list[dict], wanted: int, seed: int, judged: dict) -> dict:
    """What stands in build/endurance.json."""
    kinds, seconds = Counter(), sum(one["cpu_seconds"] for one in builds)
    for result in results:
        kinds.update(result["compared"] if result["passed"] else {})
    values = sum(one["values"] for one in builds)
    failures = failures_of(results)
    return {**judged, "seed": seed, "wanted": wanted, "values": values, "by_kind": dict(kinds), "cases": len(results),
            "passed": len(results) - len(failures), "complete": all(one["values"] >= one["wanted"] for one in builds),
            "values_per_cpu_minute": round(60 * values / seconds) if seconds else None, "builds": builds, "failures": failures}


def endure(values: int, seed: int, jobs: int, case_values: int) -> dict:
    """Plays random builds until so many values have been compared, and returns the summary."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    judged, before = source(*JUDGED), kept()
    text = judged["text"]
    count = max(1, round(values / BUILD_VALUES))
    chosen = [one for one, _ in zip(random_builds(seed), range(count))]
    goal, results, lock = -(-values // count), [], Lock()
    with tqdm(total=values, unit="value", unit_scale=True) as bar, ThreadPoolExecutor(jobs) as pool, open(FOLDER / RESULTS, "a") as file:
        def note(result, fresh):
            with lock:
                results.append(result)
                bar.set_postfix_str(result["build"], refresh=False)
                bar.update(compared(result))
                if fresh:
                    file.write(json.dumps(result) + "\n")
                    file.flush()
                if not result["passed"]:
                    bar.write(f"FAILED seed {result['seed']} on {result['build']}: {result['message']}")

        builds = list(pool.map(lambda one: play_build(one, seed, goal, case_values, text, before, note), chosen))
    return summary(builds, results, values, seed, judged)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tb.commands.endurance", description=__doc__.splitlines()[0])
    parser.add_argument("--values", type=number, default=10**8, help="to compare (default: 1e8)")
    parser.add_argument("--seed", type=int, default=1, help="of the builds and cases, or with --build the one of the case (%(default)s)")
    parser.add_argument("--jobs", type=number, default=os.cpu_count(), help="builds at a time (%(default)s)")
    parser.add_argument("--build", type=build_of, help="play one case of this build and no more")
    parser.add_argument("--case-values", type=number, default=CASE_VALUES, help="of a case (%(default)s)")
    options = parser.parse_args(arguments)
    if options.seed < 0:
        parser.error(f"SEED={options.seed}: a whole number of 0 or more is needed")
    if options.build:
        result = play(name_of(options.build), options.seed, options.case_values, fingerprint(*JUDGED))
        print(result["message"] or f"passed, {sum(result['compared'].values())} values compared")
        return int(not result["passed"])
    found = endure(options.values, options.seed, options.jobs, options.case_values)
    REPORT.write_text(json.dumps(found, indent=1) + "\n")
    for one in found["failures"]:
        print(f"failed: {one['name']}: {one['message'].splitlines()[0]}\n  again: {one['repeat']}")
    print(f"{found['values']:,} of {found['wanted']:,} values compared, {len(found['builds'])} builds, {found['passed']} of {found['cases']} cases passed; {REPORT}")
    return int(bool(found["failures"]) or not found["complete"])


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit("endurance: interrupted; the same command goes on from here")
