# SPDX-License-Identifier: MIT
"""`make functional`: functional coverage. Random cases are played until every bin of tb/bench/functional_coverage.py is hit, or the time is up.

First come the directed tests of registers, then cases (tb/tests/lstm_accelerator/functional.py), a seed each, on builds of every class of tiles in turn. What each
of them hit stays in build/functional/ with the text of rtl/, tb/bench/ and what a case imports: what was interrupted goes on. What failed hits nothing.
Writes build/functional.json: hits of every bin, those that are left open, seeds. Exit code: 0, 1 if a bin is open or something failed, 2 when the arguments are wrong.
"""

import argparse
import json
import os
import random
import shutil
import sys
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path
from threading import Lock

from filelock import FileLock
from tqdm import tqdm

from tb.bench import leash
from tb.bench.functional_coverage import EXPORT, export, hits_in, merge
from tb.bench.harness import parameters
from tb.bench.runner import BUILD, RESULTS, SimulationError, build
from tb.commands.arguments import number
from tb.commands.provenance import decides, failure, fingerprint, kept_in, source
from tb.commands.regress import results_of, run_pytest
from tb.tests.lstm_accelerator.cases import run_on
from tb.tests.lstm_accelerator.functional import BUILDS

FOLDER, REPORT = BUILD / "functional", BUILD / "functional.json"
MODULE = "tb.tests.lstm_accelerator.functional"
JUDGED = decides(MODULE, "tb.tests.test_registers")
DIRECTED = ["tb/tests/test_registers.py"]
MERGED, KEPT, TESTS, CASES = "merged.xml", "results.jsonl", "tests", "cases"  # in the folder of a text


def case_of(seed: int, index: int) -> tuple[str, int]:
    """(build, seed) of a case of a run of the command."""
    return [*BUILDS][index % len(BUILDS)], random.Random(f"{seed} {index}").getrandbits(31)


def play(name: str, seed: int, folder: Path) -> dict:
    """The result of a case, whose hits are then in its folder."""
    repeat = f".venv/bin/python -m tb.commands.functional --build={name} --seed={seed}"
    begin, message, own = time.monotonic(), "", folder / CASES / f"{name}-{seed}"
    try:
        run_on(MODULE, BUILDS[name], {"FUNCTIONAL": "1"}, simulator="verilator", seed=seed, waves=False, folder=own, repeat=repeat, retrace=False)
    except SimulationError as error:
        if leash.interrupted():
            raise KeyboardInterrupt from error
        message = str(error)
    return {"key": own.name, "build": name, "seed": seed, "passed": not message, "seconds": round(time.monotonic() - begin, 1), "message": message, "repeat": repeat}


def directed(seed: int, folder: Path, jobs: int) -> list[dict]:
    """The results of the directed tests, whose hits are then in their folders."""
    junit = folder / "junit.xml"
    run_pytest(seed, ["-q", "-k", "not icarus", *DIRECTED], junit, folder / TESTS, jobs, FUNCTIONAL="1", RETRACE="0")
    return [{"key": f"test {one.name}", "seed": seed, "passed": one.outcome != "failed", "message": one.message, "repeat": ""} for one in results_of(junit)]


def passed_tests(folder: Path) -> list[Path]:
    """Exports of simulations of directed tests in which nothing failed."""
    return [path.parent / EXPORT for path in sorted((folder / TESTS).glob(f"*/{RESULTS}"))
            if (path.parent / EXPORT).exists() and all(one.outcome != "failed" for one in results_of(path))]


class Hits:
    """What has been hit in a folder, in which MERGED adds it up."""

    def __init__(self, folder: Path):
        self.path = folder / MERGED
        export(self.path)  # of this process, which hits nothing: every bin is there
        self.groups = hits_in(self.path)

    def add(self, parts: Iterable[Path]) -> None:
        """Adds exports."""
        parts = list(parts)
        if parts:
            merge(self.path, [self.path, *parts])
            self.groups = hits_in(self.path)

    def counts(self) -> list[int]:
        """Hits of all bins."""
        return [hits for items in self.groups.values() for bins in items.values() for hits in bins.values()]

    @property
    def hit(self) -> int:
        return sum(map(bool, self.counts()))

    @property
    def closed(self) -> bool:
        return self.hit == len(self.counts())


def summary(groups: dict, results: list[dict], seed: int, minutes: float, judged: dict) -> dict:
    """What stands in build/functional.json."""
    table = []
    for name, items in groups.items():
        counts = [hits for bins in items.values() for hits in bins.values()]
        unhit = [f"{item}: {one}" for item, bins in items.items() for one, hits in bins.items() if not hits]
        table.append({"group": name, "total": len(counts), "hit": len(counts) - len(unhit), "least": min(counts), "unhit": unhit, "items": items})
    cases = [one for one in results if "build" in one]
    return {**judged, "command": f"make functional SEED={seed} MINUTES={minutes:g}", "seed": seed, "seeds": {one["key"]: one["seed"] for one in results},
            "total": sum(one["total"] for one in table), "hit": sum(one["hit"] for one in table), "least": min(one["least"] for one in table),
            "tests": len(results) - len(cases), "cases": len(cases), "seconds": round(sum(one["seconds"] for one in cases), 1),
            "failures": [failure(one["key"], one["message"], one["repeat"]) for one in results if not one["passed"]], "groups": table}


def cover(seed: int, minutes: float, jobs: int) -> dict:
    """Plays until all bins are hit or the time is up, and returns the summary."""
    judged = source(*JUDGED)
    folder = FOLDER / judged["text"]
    for other in FOLDER.glob("*") if FOLDER.exists() else []:
        if other != folder:
            shutil.rmtree(other)
    folder.mkdir(parents=True, exist_ok=True)
    kept = kept_in(folder / KEPT)
    hits, results, lock, indices = Hits(folder), list(kept.values()), Lock(), count()
    with open(folder / KEPT, "a") as file:
        def keep(result):
            results.append(result)
            file.write(json.dumps(result) + "\n")
            file.flush()

        if not any(key.startswith("test ") for key in kept):
            for result in directed(seed, folder, jobs):
                keep(result)
        hits.add(passed_tests(folder))
        hits.add(folder / CASES / one["key"] / EXPORT for one in kept.values() if "build" in one and one["passed"])
        end = time.monotonic() + 60 * minutes
        with tqdm(total=len(hits.counts()), initial=hits.hit, unit="bin") as bar, ThreadPoolExecutor(jobs) as pool:
            def work():
                fresh = 0
                while not hits.closed and (not fresh or time.monotonic() < end):
                    with lock:
                        name, own = case_of(seed, next(indices))
                    if f"{name}-{own}" in kept:
                        continue
                    fresh, result = fresh + 1, play(name, own, folder)
                    with lock:
                        keep(result)
                        if result["passed"]:
                            hits.add([folder / CASES / result["key"] / EXPORT])
                        else:
                            bar.write(f"FAILED seed {own} on {name}: {result['message']}")
                        bar.set_postfix_str(f"{name}, {max(0, end - time.monotonic()) / 60:.0f} min left", refresh=False)
                        bar.update(hits.hit - bar.n)

            for done in [pool.submit(work) for _ in range(jobs)]:
                done.result()
    return summary(hits.groups, results, seed, minutes, judged)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tb.commands.functional", description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=20.0, help="after which only the first case of each job still begins (%(default)g)")
    parser.add_argument("--seed", type=int, default=1, help="of the tests and cases, or with --build the one of the case (%(default)s)")
    parser.add_argument("--jobs", type=number, default=os.cpu_count(), help="cases at a time (%(default)s)")
    parser.add_argument("--build", choices=BUILDS, help="play one case of this build and no more")
    options = parser.parse_args(arguments)
    if options.minutes <= 0:
        parser.error(f"MINUTES={options.minutes:g}: a number above 0 is needed")
    if options.seed < 0:
        parser.error(f"SEED={options.seed}: a whole number of 0 or more is needed")
    if options.build:
        result = play(options.build, options.seed, FOLDER / fingerprint(*JUDGED))
        print(result["message"] or "passed")
        return int(not result["passed"])
    for one in BUILDS.values():
        build("harness", parameters(one), "verilator")  # their time is not that of cases
    with FileLock(BUILD / "functional.lock"):  # two at once would empty each other's folders
        found = cover(options.seed, options.minutes, options.jobs)
    REPORT.write_text(json.dumps(found, indent=1) + "\n")
    for group in found["groups"]:
        print(f"{group['group']:9} {group['hit']:4} of {group['total']:4} bins hit, least {group['least']} times")
        for name in group["unhit"]:
            print(f"  open: {name}")
    for one in found["failures"]:
        print(f"failed: {one['name']}: {(one['message'].splitlines() or ['no message'])[0]}\n  again: {one['repeat']}")
    print(f"{found['hit']} of {found['total']} bins hit, {found['cases']} cases; {REPORT}")
    return int(bool(found["failures"]) or found["hit"] < found["total"])


if __name__ == "__main__":
    try:
        sys.exit(main())
    except SimulationError as error:
        sys.exit(f"functional: {error}")
    except KeyboardInterrupt:
        sys.exit("functional: interrupted; the same command goes on from here")
