# SPDX-License-Identifier: MIT
"""`make regress`: all tests on Verilator with fresh seeds, slow ones, a short soak and some mutants included, and one page about them.

Writes to build/regress/: `index.html` (what passed and failed, with seeds, durations, commands that repeat and show a failure, and which rows of
the testplan passed), `report.json`, `junit.xml`, and `tests/`, a folder a simulation with its log and, of a failure, its waves.
Environment: `REPORTS`, another folder than build/. Exit code: 0, 1 when a test failed, 2 when the arguments are wrong.
"""

import argparse
import json
import os
import re
import shutil
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree import ElementTree

import jinja2

from tb.bench import leash
from tb.bench.runner import BUILD, RESULTS, ROOT
from tb.commands.provenance import failure, source

FOLDER = Path(os.environ.get("REPORTS") or BUILD).resolve() / "regress"
JUNIT = FOLDER / "junit.xml"
RUNS = FOLDER / "tests"
REPORT = FOLDER / "report.json"
JUDGED = ("rtl", "tb", "models")  # folders whose text a report speaks of
ALL = ["models/tests", "codegen", "tb", "syn"]
TESTPLAN = ROOT / "docs" / "verification.md"
TEMPLATE = Path(__file__).with_name("regress.html")
SEEDS = 2**31


@dataclass
class Result:
    """A test or a cocotb case: outcome is passed, failed or skipped; seconds of wall clock."""

    name: str
    outcome: str
    seconds: float
    message: str = ""
    seed: str = ""
    cases: list = field(default_factory=list)

    @property
    def waves(self) -> str:
        """The waveform that the message names, relative to the page."""
        named = re.search(r"gtkwave (\S+)", self.message)
        return os.path.relpath(named[1], FOLDER) if named else ""


@dataclass
class Situation:
    """A row of the testplan: outcome is passed, failed, or not run."""

    text: str
    tests: list[str]
    outcome: str


def results_of(path: Path) -> list[Result]:
    """The test cases of a JUnit file, as pytest and cocotb write them."""
    found = []
    for case in ElementTree.parse(path).getroot().iter("testcase"):
        failures = [*case.findall("failure"), *case.findall("error")]
        outcome = "failed" if failures else "skipped" if case.find("skipped") is not None else "passed"
        properties = {entry.get("name"): entry.get("value") for entry in case.iter("property")}
        message = "\n".join(map(_message, failures))
        name = f"{case.get('classname')}.{case.get('name')}"
        found.append(Result(name, outcome, float(case.get("time") or 0), message, properties.get("random_seed", "")))
    return found


def _message(failure) -> str:
    """The message of a failure. pytest shortens it; whole, it stands in the lines of the report that begin with an E."""
    whole = "\n".join(line[1:].strip() for line in (failure.text or "").splitlines() if re.match(r"E( |$)", line))
    return whole or failure.get("error_msg") or failure.get("message") or failure.text or ""


def tests(junit: Path, simulations: Path) -> list[Result]:
    """The tests of a run of pytest, each with the cocotb cases that it simulated; failed ones first, then the longest."""
    found = results_of(junit)
    for path in sorted(simulations.glob(f"*/{RESULTS}")):
        cases = results_of(path)
        # The folder is named after the test, see tb.bench.runner.
        owner = next((test for test in found if path.parent.name.startswith(_folder_of(test.name))), None)
        if owner:
            owner.cases += cases
            for case in cases:
                if owner.outcome == "passed" and case.outcome == "failed":  # as it should
                    case.outcome = "passed"
    return sorted(found, key=lambda test: (test.outcome != "failed", -test.seconds))


def _folder_of(name: str) -> str:
    module, test = re.match(r"(.*?\.test_\w+)\.(.*)", name).groups()
    return re.sub(r"[^A-Za-z0-9_-]+", "_", f"{module.replace('.', '/')}.py::{test}") + "-"


def situations(text: str, found: list[Result]) -> list[Situation]:
    """The rows of the testplan (tables of Markdown whose cells name tests in backticks), judged by the tests they name."""
    every = [*found, *(case for test in found for case in test.cases)]
    rows = []
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")] if line.startswith("|") else []
        names = [name for cell in cells[1:] for name in re.findall(r"`([^`]+::[^`]+)`", cell)]
        if names:
            outcomes = {outcome for name in names for outcome in _outcomes(name, every)}
            rows.append(Situation(re.sub(r"[`*]", "", cells[0]), names, next(each for each in ("failed", "not run", "passed") if each in outcomes)))
    return rows


def _outcomes(name: str, every: list[Result]) -> set[str]:
    """Outcomes of all tests and cases of this name, parametrized ones included."""
    last = re.split(r"::|\.py|\.|/", name.split("[")[0].strip("/"))
    wanted = [part for part in last if part and part != "tb"]
    pattern = re.compile(r"\b" + r"\b.*\b".join(map(re.escape, wanted)) + r"(?!\w)")
    return {result.outcome for result in every if pattern.search(result.name) and result.outcome != "skipped"} or {"not run"}


def run_pytest(seed: int, arguments: list[str], junit: Path = JUNIT, runs: Path = RUNS, jobs: int = 2, **environment: str) -> float:
    """Runs the tests with this seed; returns the seconds. What failed stands in the JUnit file.

    arguments: of pytest, such as paths; runs: folder for what tests write; jobs: processes; environment: of the tests.
    """
    environment = {**os.environ, "SIM": "verilator", "SEED": str(seed), "WAVES": "0", "RUNS": str(runs), **environment}
    start = time.monotonic()
    junit.unlink(missing_ok=True)
    ended = leash.run([sys.executable, "-m", "pytest", "-n", str(jobs), f"--junitxml={junit}", *arguments], cwd=ROOT, env=environment)
    if not junit.exists():
        sys.exit(ended.returncode or 1)
    return time.monotonic() - start


def run_command(module: str, seed: int, *arguments: str) -> Result:
    """A command of tb.commands with this seed, as a result beside the tests."""
    start = time.monotonic()
    command = [sys.executable, "-m", f"tb.commands.{module}", *arguments, f"--seed={seed}"]
    ended = leash.run(command, cwd=ROOT, env={**os.environ, "SIM": "verilator", "WAVES": "0", "RUNS": str(RUNS)}, capture_output=True, text=True)
    output = (ended.stdout + ended.stderr)[-4000:]
    return Result(f"tb.commands.{module}", "failed" if ended.returncode else "passed", time.monotonic() - start, output if ended.returncode else "", str(seed))


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tb.commands.regress", description=__doc__.splitlines()[0])
    parser.add_argument("--seed", help="a whole number (default: from the clock)")
    parser.add_argument("--minutes", type=float, default=1, help="of soak; 0: none")
    parser.add_argument("--mutants", type=int, default=40, help="of the RTL that must be caught (%(default)s)")
    parser.add_argument("paths", nargs="*", default=ALL, help="tests to run (default: all)")
    options = parser.parse_args(arguments)
    if options.seed is not None and not options.seed.isdecimal():
        print(f"regress: SEED={options.seed}: a seed is a whole number of 0 or more", file=sys.stderr)
        return 2
    seed = int(options.seed) if options.seed is not None else int(time.time()) % SEEDS
    print(f"regress: SEED={seed}", flush=True)
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    judged = source(*JUDGED)
    seconds = run_pytest(seed, options.paths)
    found = tests(JUNIT, RUNS)
    if options.minutes:
        found.insert(0, run_command("soak", seed, f"--minutes={options.minutes:g}"))
    if options.mutants:
        found.insert(0, run_command("mutants", seed, f"--count={options.mutants}"))
    failed = sum(test.outcome == "failed" for test in found)
    plan = situations(TESTPLAN.read_text(), found)
    page = FOLDER / "index.html"
    template = jinja2.Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True).from_string(TEMPLATE.read_text())
    page.write_text(template.render(seed=seed, seconds=seconds, tests=found, failed=failed, situations=plan, root=str(ROOT) + "/"))
    REPORT.write_text(json.dumps({
        **judged, "seed": seed, "whole": options.paths == ALL, "tests": len(found), "failed": failed,
        "situations": {outcome: sum(row.outcome == outcome for row in plan) for outcome in ("passed", "failed", "not run")},
        "failures": [failure(test.name, test.message) for test in found if test.outcome == "failed"]}, indent=1) + "\n")
    print(f"regress: {failed} of {len(found)} tests failed, {sum(row.outcome == 'passed' for row in plan)} of {len(plan)} situations passed, SEED={seed}")
    print(page)
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
