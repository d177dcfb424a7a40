# SPDX-License-Identifier: MIT
"""`make mutants N= SEED=`: how many of N small random changes of rtl/ does the bench see?

A mutant runs the tests of its module, of the smallest first, until one fails; on Icarus, which builds in a second. One that they do not see is compared
with the module by Yosys, with both values of DynamicPrecision: where no output can differ, it is equivalent, and no test could see it. What is left
after all that runs some tests of the whole accelerator, minutes each, unless tb/commands/survivors.json says why nothing can see it. All that is neither
caught nor proven is a survivor. A test that catches one must pass without it. Results are kept in build/mutants/, so that what was interrupted goes on;
those in docs/signoff.json, which `make signoff` writes, are not judged again. Writes build/mutants.json. Exit code: 1 if a mutant survived that is not
explained.
"""

import argparse
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import asdict
from datetime import date
from functools import cache
from pathlib import Path
from random import Random

from rich.console import Console
from rich.table import Table
from tqdm import tqdm

from syn.synthesize import SynthesisError, run_yosys
from tb.bench.rtl_copy import changed_rtl, read, reason_of, run_test
from tb.bench.runner import BUILD, ROOT, RTL, sources_of
from tb.commands.mutation import Mutation, mutations
from tb.commands.provenance import RECORDED, kept_in

FOLDER, RESULTS, RECORD = BUILD / "mutants", BUILD / "mutants.json", ROOT / RECORDED
EXPLAINED = Path(__file__).with_name("survivors.json")
# Tests of the whole accelerator that Icarus ends in two minutes each; on all of them a survivor would take half an hour.
ACCELERATOR = ["lstm_accelerator/test_errors.py",
               *(f"lstm_accelerator/test_lstm_accelerator.py::test_lstm_accelerator[{build}]" for build in ("small", "small_baseline", "three_tiles"))]
CAUGHT, EQUIVALENT, SURVIVED, BROKEN = VERDICTS = "caught", "equivalent", "survived", "does not build"
OPEN = "not seen by the tests of its module"  # of a mutant that has still to run those of the accelerator
PROOF_SECONDS, TEST_SECONDS = 60, 240  # of a core, a process: a simulation that a mutant keeps from ending is caught
SIDE = """
read_verilog -DSYNTHESIS -I{rtl} {sources}
hierarchy -top {module} {parameters}
proc
opt_clean
rename -top {side}
design -stash {side}
"""
COMPARE = """
design -copy-from gold *
design -copy-from gate gate
equiv_make gold gate equiv
cd equiv
opt_clean
equiv_simple -undef
equiv_induct -undef -seq 3
equiv_status -assert
"""


class MutantError(Exception):
    """A test that says nothing about mutants."""


def key_of(mutation: Mutation) -> str:
    """Of the text of the module, and what becomes what in it."""
    return hashlib.sha256(f"{read(mutation.module)} {asdict(mutation)}".encode()).hexdigest()[:16]


def sample(count: int, seed: int) -> list[Mutation]:
    """So many mutations of all modules, each as likely as any other; more of them with a seed begin with fewer."""
    found = [mutation for path in sorted(RTL.glob("*.v")) for mutation in mutations(path)]
    Random(seed).shuffle(found)
    return found[:count]


def tests_of(module: str) -> list[str]:
    """Test files of modules that have this one in them, the smallest first: its own, where it has one."""
    files = [path for path in sorted((ROOT / "tb" / "tests").glob("test_*.py")) if path.name != "test_runner.py"]  # which tests the bench
    tops = {path.name: re.search(r'\b(?:run\(__name__, |build\()"(\w+)"', path.read_text()) for path in files}
    sources = {name: sources_of(top[1]) for name, top in tops.items() if top and (RTL / f"{top[1]}.v").exists()}
    own = {name: name == f"test_{sources[name][-1].stem}.py" for name in sources}
    return [name for name in sorted(sources, key=lambda name: (len(sources[name]), not own[name], name)) if any(path.stem == module for path in sources[name])]


def is_equivalent(mutation: Mutation, rtl: Path, folder: Path) -> bool:
    """Whether Yosys proves that the module with the change in the folder rtl is the one without, whatever its submodules do."""
    files, module = [path.name for path in sources_of(mutation.module)], mutation.module
    if not re.search(r"\boutput\b", read(module)):
        return False  # it acts by what it lets be built
    dynamic = ["-chparam DynamicPrecision 0", "-chparam DynamicPrecision 1"] if "parameter DynamicPrecision" in read(module) else [""]
    try:
        for number, parameters in enumerate(dynamic):
            sides = [SIDE.format(side=side, rtl=path, sources=" ".join(str(path / name) for name in files), module=module, parameters=parameters)
                     for side, path in (("gold", RTL), ("gate", rtl))]
            run_yosys("".join([*sides, COMPARE]), f"compare{number}", folder, PROOF_SECONDS)
    except SynthesisError:
        return False
    return True


def judge(mutation: Mutation, whole: bool = False) -> dict:
    """The mutation with its verdict, what saw it, and the seconds that it took. whole: by the tests of the accelerator, else by those of its module."""
    begin, folder = time.monotonic(), FOLDER / key_of(mutation)
    rtl = changed_rtl(folder, mutation.module, mutation.apply(read(mutation.module)))
    if whole:
        verdict, by = (None if explained(asdict(mutation)) else _seen(ACCELERATOR, rtl, folder)) or (SURVIVED, "")
    else:
        verdict, by = _seen(tests_of(mutation.module), rtl, folder) or ((EQUIVALENT, "yosys") if is_equivalent(mutation, rtl, folder) else (OPEN, ""))
    if verdict != SURVIVED:
        shutil.rmtree(folder)
    return {**asdict(mutation), "key": key_of(mutation), "verdict": verdict, "by": by, "seconds": round(time.monotonic() - begin, 1)}


def _seen(tests, rtl, folder):
    """What the first of the tests that fails says of a mutant; None if all pass."""
    for test in tests:
        code, output, _ = run_test(test, rtl, folder, cpu_seconds=TEST_SECONDS, slow=False)
        if "cannot build" in output:
            return BROKEN, output.split("cannot build", 1)[1][:200]
        if code:
            check_clean(test)
            return CAUGHT, f"{test}: {reason_of(output)[:100] or f'exit code {code}'}"
    return None


@cache
def check_clean(test: str) -> None:
    """Raises MutantError where a test fails without a mutant as well: then it says nothing about one."""
    code, output, _ = run_test(test, RTL, FOLDER / "clean" / re.sub(r"\W+", "_", test), cpu_seconds=TEST_SECONDS, slow=False)
    if code:
        raise MutantError(f"{test} fails without a mutant: {reason_of(output)[:300] or output[-300:]}")


def _judged(left, whole, jobs):
    """Results, as they come; after an interruption nothing begins any more."""
    with ThreadPoolExecutor(jobs) as pool:
        try:
            yield from (ended.result() for ended in as_completed([pool.submit(judge, mutation, whole) for mutation in left]))
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def kept() -> dict[str, dict]:
    """Results by key: verdicts that docs/signoff.json has of other machines, and those of earlier runs here."""
    recorded = json.loads(RECORD.read_text())["mutants"] if RECORD.exists() else {}
    return {key: {"key": key, "verdict": verdict} for key, verdict in recorded.items()} | kept_in(FOLDER / "results.jsonl")


def explained(result: dict) -> str:
    """Why a survivor may live, as was reviewed; empty if nobody has. Reasons hold for a place of a line, whichever its number: column is that of its text."""
    text = read(result["module"])
    begin = text.rfind("\n", 0, result["offset"]) + 1
    line = text[begin:].partition("\n")[0]
    place = {"text": line.strip(), "column": result["offset"] - begin - len(line) + len(line.lstrip()), **{name: result[name] for name in ("module", "before", "after")}}
    return next((one["reason"] for one in json.loads(EXPLAINED.read_text()) if place.items() <= one.items()), "")


def show(results: list[dict]) -> Table:
    """Counts by module."""
    table = Table(title=f"{len(results)} mutants")
    for heading in ("module", *VERDICTS):
        table.add_column(heading, justify="left" if heading == "module" else "right")
    for module in sorted({one["module"] for one in results}):
        own = [one["verdict"] for one in results if one["module"] == module]
        table.add_row(module, *(str(own.count(verdict)) for verdict in VERDICTS))
    return table


def summary(results: list[dict], seed: int) -> dict:
    """What stands in build/mutants.json."""
    counts = {verdict: sum(one["verdict"] == verdict for one in results) for verdict in VERDICTS}
    seen = counts[CAUGHT] + counts[SURVIVED]
    again = ".venv/bin/python -m tb.commands.mutants --key"
    survivors = [{**one, "reason": explained(one), "repeat": f"{again} {one['key']}"} for one in results if one["verdict"] == SURVIVED]
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True).stdout.strip()
    return {"commit": commit, "date": str(date.today()), "seed": seed, "mutants": len(results), **counts, "caught_share": counts[CAUGHT] / seen if seen else None,
            "survivors": survivors, "results": results}


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tb.commands.mutants", description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=40, help="mutants (%(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="which ones (%(default)s)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="at a time (%(default)s)")
    parser.add_argument("--module", action="append", help="of this module only; several times for several")
    parser.add_argument("--key", action="append", help="this one only, once more; several times for several")
    options = parser.parse_args(arguments)
    everything = sample(sys.maxsize, options.seed)
    chosen = [one for one in everything if (key_of(one) in options.key if options.key else not options.module or one.module in options.module)]
    if not chosen:
        parser.error("no such mutant; rtl/ may have changed" if options.key else f"no mutant of {', '.join(options.module)}: they are names of modules")
    if not options.key:
        chosen = chosen[:options.count]
    FOLDER.mkdir(parents=True, exist_ok=True)
    results = {} if options.key else kept()
    with open(FOLDER / "results.jsonl", "a") as file:
        for whole in (False, True):
            left = {key: one for one in chosen if results.get(key := key_of(one), {}).get("verdict") == (OPEN if whole else None)}
            judged = _judged(left.values(), whole, options.jobs)
            for result in tqdm(judged, "accelerator" if whole else "modules", len(chosen), initial=len(chosen) - len(left), unit="mutant"):
                results[result["key"]] = result
                file.write(json.dumps(result) + "\n")
                file.flush()
                if result["verdict"] == SURVIVED:
                    tqdm.write(f"SURVIVED  {left[result['key']].name}  ({result['key']})", sys.stderr)
    found = summary([asdict(one) | results[key_of(one)] for one in chosen], options.seed)
    RESULTS.write_text(json.dumps(found, indent=1) + "\n")
    Console().print(show(found["results"]))
    for one in found["survivors"]:
        print(f"survived: rtl/{one['module']}.v:{one['line']}: {one['before']!r} -> {one['after']!r}\n  {one['reason'] or 'unexplained'}; again: {one['repeat']}")
    print(f"{found[CAUGHT]} of {found[CAUGHT] + found[SURVIVED]} that are not equivalent were caught; {RESULTS}")
    return int(any(not one["reason"] for one in found["survivors"]))


if __name__ == "__main__":
    try:
        sys.exit(main())
    except MutantError as error:
        sys.exit(f"mutants: {error}")
    except KeyboardInterrupt:
        sys.exit("mutants: interrupted; the same command goes on from here")
