# SPDX-License-Identifier: MIT
"""`make coverage`: which lines, branches, expressions and toggles of rtl/ do the tests reach? Of all builds and tests together, by Verilator's own points.

Runs the tests of modules and some of the accelerator with COVERAGE=1 (tb/bench/runner.py), and adds up their coverage.dat by file, line, column and name: a
point counts as reached when any instance in any build reached it. Runs of the same text of rtl/, tb/bench/ and tb/tests/ add up, so that more tests may follow:
`python -m tb.commands.coverage PATHS`. What tb/commands/coverage_exclusions.json names, each with its reason, counts in no figure. Writes to build/coverage/:
`index.html`, `lcov.info`; and build/coverage.json. Exit code: 1 if a test failed, an exclusion is wrong, an aim is missed,
or a module is in no figure, as no test had it.
"""

import argparse
import json
import os
import re
import shutil
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import jinja2

from tb.bench.runner import BUILD, COVERAGE, RESULTS, ROOT, RTL
from tb.commands.arguments import number
from tb.commands.provenance import fingerprint, source
from tb.commands.regress import results_of, run_pytest

FOLDER, REPORT = BUILD / "coverage", BUILD / "coverage.json"
EXCLUSIONS = Path(__file__).with_name("coverage_exclusions.json")
TEMPLATE = Path(__file__).with_name("coverage.html")
PLAYED = ("rtl", "tb/bench", "tb/tests")  # runs of the same text add up
JUDGED = (*PLAYED, "tb/commands/coverage_exclusions.json")
AIMS = {"line": 100.0, "branch": 100.0, "expr": 100.0, "toggle": 98.0}  # percent
WITHOUT_POINTS = {"parameter_check.v"}  # has neither signals nor statements: it ends an elaboration, or does not
MOST_EXCLUDED = 2.0  # percent of all points
ACCELERATOR = ["test_lstm_accelerator.py::test_lstm_accelerator[small]", "test_lstm_accelerator.py::test_lstm_accelerator[small_baseline]",
               "test_lstm_accelerator.py::test_lstm_accelerator[eleven_tiles_baseline]",  # more than 8 tiles commit two h in a cycle
               "test_errors.py", "test_situations.py", "test_races.py", "test_protocols.py", "test_far_end.py"]
ENTRY = re.compile(r"C '(.*)' (\d+)")


class Point(NamedTuple):
    """What can be reached: kind is one of AIMS; name tells those of one place apart, such as `data_i[3]:0->1`."""

    file: str
    line: int
    column: int
    kind: str
    name: str

    @property
    def signal(self) -> str:
        """Of a toggle, without bit and direction."""
        return re.split(r"[\[:]", self.name)[0]


class Coverage:
    """counts: how often each point was reached; lines: those of each line point; runs: how many were added up."""

    def __init__(self) -> None:
        self.counts, self.lines, self.runs = Counter(), {}, 0

    def add(self, text: str, folder: Path) -> None:
        """Adds a coverage.dat; points of files that are not in the folder are none of the design's. Raises ValueError for what is not such a file."""
        if not text.startswith("# SystemC::Coverage-3"):
            raise ValueError("not a coverage.dat of Verilator")
        self.runs += 1
        for entry, count in ENTRY.findall(text):
            fields = dict(field.split("\x02", 1) for field in entry.split("\x01")[1:])
            path = Path(fields["f"])
            if path.parent != folder or fields["t"] not in AIMS:
                continue
            point = Point(path.name, int(fields["l"]), int(fields["n"]), fields["t"], fields["o"])
            self.counts[point] += int(count)
            if point.kind == "line":
                self.lines[point] = numbers(fields.get("S", "")) or [point.line]


def numbers(ranges: str) -> list[int]:
    """The lines of a list such as 3-5,9."""
    found = []
    for part in filter(None, ranges.split(",")):
        first, _, last = part.partition("-")
        found += range(int(first), int(last or first) + 1)
    return found


def excluded(points: Iterable[Point], exclusions: list[dict], texts: dict[str, list[str]]) -> dict[Point, dict]:
    """The exclusion of each point that has one: of a file, a kind, a line by its text, and names that match a pattern."""
    found = {}
    for point in points:
        line = texts[point.file][point.line - 1].strip()
        for one in exclusions:
            if (one["file"], one["kind"], one["text"]) == (point.file, point.kind, line) and re.fullmatch(one["name"], point.name):
                found[point] = one
    return found


def wrong(exclusions: list[dict], without: dict[Point, dict], coverage: Coverage, texts: dict[str, list[str]]) -> list[str]:
    """What is wrong with exclusions: no reason, a line that is gone, a point that is reached, too many of them."""
    found = [f"{one['file']}: {one['text']!r}: no reason" for one in exclusions if not one["reason"].strip()]
    found += [f"{one['file']}: {one['text']!r}: no such line" for one in exclusions if one["text"] not in [line.strip() for line in texts.get(one["file"], [])]]
    found += [f"{point.file}:{point.line}: {point.name} is excluded, but reached" for point in without if coverage.counts[point]]
    share = 100 * len(without) / max(1, len(coverage.counts))
    return found + [f"{share:.2f} % of all points are excluded, {MOST_EXCLUDED:g} % may be"] * (share > MOST_EXCLUDED)


def percent(hit: int, points: int) -> float:
    """Rounded down, so that 100 means all."""
    return 10000 * hit // points / 100 if points else 0.0


def tally(coverage: Coverage, without: dict[Point, dict]) -> dict[str, dict]:
    """By kind, and by file and kind: points that count, those reached, their percentage."""
    tables = defaultdict(lambda: {kind: [0, 0] for kind in AIMS})
    for point, count in coverage.counts.items():
        if point not in without:
            for name in ("", point.file):
                tables[name][point.kind][0] += 1
                tables[name][point.kind][1] += count > 0
    return {name: {kind: {"points": points, "hit": hit, "percent": percent(hit, points)} for kind, (points, hit) in kinds.items() if points}
            for name, kinds in sorted(tables.items())}


def uncovered(coverage: Coverage, without: dict[Point, dict]) -> list[dict]:
    """Points that were not reached, by place; toggles of a signal are one entry, which counts them."""
    left, signals = [], defaultdict(lambda: [[], 0])
    for point, count in sorted(coverage.counts.items()):
        if point in without:
            continue
        if point.kind == "toggle":
            signal = signals[point.file, point.line, point.signal]
            signal[1] += 1
            if not count:
                signal[0].append(point.name)
        elif not count:
            left.append({"file": point.file, "line": point.line, "kind": point.kind, "name": point.name})
    return left + [{"file": file, "line": line, "kind": "toggle", "name": signal, "missing": len(names), "of": total, "first": names[0]}
                   for (file, line, signal), (names, total) in signals.items() if names]


def lcov(coverage: Coverage, without: dict[Point, dict], folder: Path) -> str:
    """The same as an lcov tracefile: lines and branches, those of expressions among them."""
    records = []
    for file in sorted({point.file for point in coverage.counts}):
        points = [point for point in sorted(coverage.counts) if point.file == file and point not in without]
        lines = Counter()
        for point in points:
            for line in coverage.lines.get(point, []):
                lines[line] = max(lines[line], coverage.counts[point])
        branches = [f"BRDA:{point.line},{point.column},{point.name.replace(',', ';')},{coverage.counts[point]}" for point in points if point.kind in ("branch", "expr")]
        records += [f"SF:{folder / file}", *branches, *(f"DA:{line},{count}" for line, count in sorted(lines.items())), "end_of_record"]
    return "\n".join(["TN:", *records]) + "\n"


def collect(runs: Path, folder: Path) -> Coverage:
    """The coverage of all runs in a folder, of the design in another."""
    coverage = Coverage()
    for path in sorted(runs.glob(f"*/{COVERAGE}")):
        coverage.add(path.read_text(), folder)
    return coverage


def failed_in(junit: Path, runs: Path) -> list[str]:
    """Tests that failed when pytest ran last, and cases of all simulations that failed, those of runs before among them."""
    paths = [*[junit] * junit.exists(), *sorted(runs.glob(f"*/{RESULTS}"))]
    return [result.name for path in paths for result in results_of(path) if result.outcome == "failed"]


def report(coverage: Coverage, exclusions: list[dict], folder: Path) -> tuple[dict, dict[Point, dict]]:
    """What build/coverage.json says of coverage of the design in a folder, and the points that are excluded."""
    texts = {path.name: path.read_text(encoding="latin-1").splitlines() for path in folder.iterdir() if path.suffix in (".v", ".vh")}
    without = excluded(coverage.counts, exclusions, texts)
    tables = tally(coverage, without)
    total = tables.pop("", {})
    absent = sorted({name for name in texts if name.endswith(".v")} - {point.file for point in coverage.counts} - WITHOUT_POINTS)
    missed = [kind for kind, aim in AIMS.items() if total.get(kind, {"percent": 0.0})["percent"] < aim]
    share = round(100 * len(without) / max(1, len(coverage.counts)), 3)
    return {"runs": coverage.runs, "total": total, "aims": AIMS, "missed": missed, "excluded": len(without), "excluded_percent": share,
            "wrong_exclusions": wrong(exclusions, without, coverage, texts), "files": tables, "absent": absent,
            "uncovered": uncovered(coverage, without)}, without


def default_paths() -> list[str]:
    """Tests of modules of rtl/, and those of the accelerator that share a few small builds."""
    modules = [f"tb/tests/test_{path.stem}.py" for path in sorted(RTL.glob("*.v"))]
    paths = [path for path in modules if (ROOT / path).exists() and "parameter_check" not in path] + ["tb/tests/test_control_races.py", "tb/tests/test_registers.py"]
    return paths + [f"tb/tests/lstm_accelerator/{test}" for test in ACCELERATOR]


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tb.commands.coverage", description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=1, help="of the tests (%(default)s)")
    parser.add_argument("--jobs", type=number, default=os.cpu_count(), help="tests at a time (%(default)s)")
    parser.add_argument("--report", action="store_true", help="run no test, add up what there is")
    parser.add_argument("paths", nargs="*", help="tests to run (default: of modules, and some of the accelerator)")
    options = parser.parse_args(arguments)
    if options.seed < 0:
        parser.error(f"SEED={options.seed}: a whole number of 0 or more is needed")
    judged = source(*JUDGED)
    own = FOLDER / fingerprint(*PLAYED)
    for other in FOLDER.glob("*") if FOLDER.exists() else []:
        if other.is_dir() and other != own:
            shutil.rmtree(other)
    own.mkdir(parents=True, exist_ok=True)
    REPORT.unlink(missing_ok=True)
    junit, runs = own / "junit.xml", own / "tests"
    if not options.report:
        run_pytest(options.seed, ["-q", "-m", "not slow", "-k", "not icarus", *(options.paths or default_paths())], junit, runs, options.jobs, COVERAGE="1", RETRACE="0")
    failed = failed_in(junit, runs)
    coverage = collect(runs, RTL)
    found, without = report(coverage, json.loads(EXCLUSIONS.read_text()), RTL)
    found = {**judged, "seed": options.seed, "failed_tests": failed, **found}
    REPORT.write_text(json.dumps(found, indent=1) + "\n")
    (FOLDER / "lcov.info").write_text(lcov(coverage, without, RTL))
    template = jinja2.Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True).from_string(TEMPLATE.read_text())
    (FOLDER / "index.html").write_text(template.render(**found, exclusions=json.loads(EXCLUSIONS.read_text())))
    for kind, figures in found["total"].items():
        print(f"{kind:7} {figures['percent']:6.2f} %  {figures['hit']:,} of {figures['points']:,}, aim {AIMS[kind]:g} %{'  MISSED' if kind in found['missed'] else ''}")
    print(f"{coverage.runs} runs, {found['excluded']} points excluded; {FOLDER / 'index.html'}")
    for words in [*(f"failed: {name}" for name in failed), *found["wrong_exclusions"]]:
        print(words)
    if found["absent"]:
        print(f"in no figure, as no test that ran has them: {', '.join(found['absent'])}")
    return int(bool(failed or found["wrong_exclusions"] or found["missed"] or found["absent"]))


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit("coverage: interrupted; --report adds up what there is")
