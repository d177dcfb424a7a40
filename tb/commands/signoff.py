# SPDX-License-Identifier: MIT
"""`make signoff PARTS=`: one page of what was verified, docs/signoff.md, from the reports that the commands of the bench leave in build/.

Runs the PARTS first, and then reads what there is of all: all tests (regress), planted bugs (test-bench), proofs (formal), mutants, coverage, endurance
and functional coverage. What was run on other sources of the design, the bench or the models counts as not run; so does what was never run. Nothing is guessed.
Parts take hours, and may run on several machines: docs/signoff.json, committed with the page, has what they found, and of which text. A part that was not run
here, or not to its end, is told as found there, as long as the text that decides it is the same.
Exit code: 0 if all parts passed, 1 if not, 2 when the arguments are wrong.
"""

import argparse
import json
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path

from tb.bench.runner import ROOT
from tb.commands import coverage, endurance, formal, functional, mutants, planted_bugs, regress, weekly
from tb.commands.provenance import RECORDED, SIGNED, commit, failure, fingerprint, now, tools

PAGE, RECORD = ROOT / SIGNED, ROOT / RECORDED
PASSED, FAILED, INCOMPLETE, NOT_RUN = "passed", "failed", "incomplete", "not run"
MUTANTS, VALUES = 1000, 10**8  # that must be judged, and compared
NEVER = "nothing in `build/`"
HISTORY = "## Pages before"
HEADINGS = ["date, UTC", "commit", "verdict", "regress", "test-bench", "formal", "mutants", "coverage", "endurance", "functional"]


@dataclass
class Part:
    """What there is of a command: state is one of the four above; figures: in words; short: the same for the history."""

    name: str
    state: str = NOT_RUN
    figures: str = NEVER
    short: str = NOT_RUN
    seed: str = ""
    made: str = ""
    failures: list[dict] = field(default_factory=list)
    groups: list[dict] = field(default_factory=list)  # of functional coverage
    text: str = ""  # fingerprint of what decides it


def read(path: Path) -> dict | None:
    """A report; None where there is none."""
    return json.loads(path.read_text()) if path.exists() else None


def judged(name: str, report: dict | None, folders: Iterable[str], words: Callable[[dict], tuple[str, str, str]]) -> Part:
    """A part by its report; words(report): its state, figures, and short figures. A report of another text of folders tells of a part that was not run."""
    if report is None:
        return Part(name)
    state, figures, short = words(report)
    made = f"{report['commit']}, {report['date']}"
    if report["text"] != fingerprint(*folders):
        return Part(name, figures=f"not on these sources; {state} on others, {made}: {figures}")
    return Part(name, state, figures, short, str(report.get("seed", "")), made, report.get("failures", []), report.get("groups", []), report["text"])


def of_regress() -> Part:
    def words(report):
        situations = report["situations"]
        figures = (f"{report['tests'] - report['failed']} of {report['tests']} tests passed, "
                   f"{situations['passed']} of {sum(situations.values())} situations of the testplan")
        state = FAILED if report["failed"] else PASSED if report["whole"] and report["tests"] else INCOMPLETE
        return state, figures, f"{report['tests'] - report['failed']}/{report['tests']}"

    return judged("regress", read(regress.REPORT), regress.JUDGED, words)


def of_planted_bugs() -> Part:
    def words(report):
        return FAILED if report["failures"] else PASSED, f"{report['caught']} of {report['bugs']} bugs caught", f"{report['caught']}/{report['bugs']}"

    return judged("test-bench", read(planted_bugs.REPORT), planted_bugs.JUDGED, words)


def of_formal() -> Part:
    report = read(formal.RESULTS)
    if report:
        bad = [one for one in report["proofs"] if (one["verdict"], one["with_bug"]) != ("holds", "fails")]
        report["failures"] = [failure(one["name"], f"{one['what']}: {one['verdict']}, {one['with_bug']} with its bug",
                                      f".venv/bin/python -m tb.commands.formal {one['name']}") for one in bad]

    def words(report):
        good, count = len(report["proofs"]) - len(report["failures"]), len(report["proofs"])
        return FAILED if good < count else PASSED if count else INCOMPLETE, f"{good} of {count} properties hold, and fail with their bug", f"{good}/{count}"

    return judged("formal", report, formal.JUDGED, words)


def record() -> dict:
    """docs/signoff.json: parts by name, as `Part` has them, and by key verdicts of mutants and cases of endurance."""
    return read(RECORD) or {"parts": {}, "mutants": {}, "cases": {}}


def of_mutants() -> Part:
    """Of those of the modules as they are now, whoever judged them: a mutant's key holds the text of its module."""
    kept = {key: result for key, result in mutants.kept().items() if result["verdict"] != mutants.OPEN}
    found = [asdict(one) | kept[key] for one in mutants.sample(sys.maxsize, 1) if (key := mutants.key_of(one)) in kept]
    if not found:
        return Part("mutants", figures=f"{len(kept)} judged, of other texts of their modules" if kept else NEVER)
    counts = mutants.summary(found, 1)
    alive = [one for one in counts["survivors"] if not one["reason"]]
    seen = counts[mutants.CAUGHT] + counts[mutants.SURVIVED]
    figures = (f"{counts[mutants.CAUGHT]} of {seen} caught, of {len(found)} judged; {counts[mutants.EQUIVALENT]} are equivalent, {counts[mutants.BROKEN]} do not build; "
               f"{counts[mutants.SURVIVED] - len(alive)} survivors are explained, {len(alive)} are not")
    failures = [failure(f"{one['module']}.v:{one['line']}", f"mutant survived in {one['module']}: {one['before']} -> {one['after']}", one["repeat"]) for one in alive]
    state = FAILED if alive else PASSED if len(found) >= MUTANTS else INCOMPLETE
    return Part("mutants", state, figures, f"{counts[mutants.CAUGHT]}/{seen}", made="modules as they are", failures=failures)


def of_coverage() -> Part:
    report = read(coverage.REPORT)
    if report:
        report["failures"] = [failure(name, f"a test failed under coverage: {name}", f"make coverage SEED={report['seed']}") for name in report["failed_tests"]]
        report["failures"] += [failure("exclusions", words, ".venv/bin/python -m tb.commands.coverage --report") for words in report["wrong_exclusions"]]

    def words(report):
        kinds = [f"{kind} {one['percent']:.2f} % of {one['points']:,}{' (aim ' + format(report['aims'][kind], 'g') + ')' if kind in report['missed'] else ''}"
                 for kind, one in report["total"].items()]
        figures = f"{', '.join(kinds)}; {report['runs']} runs, {report['excluded']} points excluded" if kinds else "no run wrote any"
        figures += f"; no run had {', '.join(report['absent'])}" if report["absent"] else ""
        state = INCOMPLETE if report["absent"] or not kinds else FAILED if report["failures"] or report["missed"] else PASSED
        return state, figures, " ".join(f"{one['percent']:.2f}" for one in report["total"].values()) or NOT_RUN

    return judged("coverage", report, coverage.JUDGED, words)


def of_endurance() -> Part:
    """Of all cases of these sources, also where the command was interrupted."""
    kept = endurance.kept().values()
    text = fingerprint(*endurance.JUDGED)
    found = [one for one in kept if one["text"] == text]
    if not found:
        return Part("endurance", figures=f"not on these sources; {len(kept)} cases of others" if kept else NEVER)
    values, builds, passed = sum(map(endurance.compared, found)), {one["build"] for one in found}, sum(one["passed"] for one in found)
    figures = f"{values:,} values compared of {VALUES:,}, {len(builds)} builds; {passed} of {len(found)} cases passed ({coverage.percent(passed, len(found)):.2f} %)"
    failures = endurance.failures_of(found)
    state = FAILED if failures else PASSED if values >= VALUES else INCOMPLETE
    return Part("endurance", state, figures, f"{values:.3g}", "in the commands of cases", f"{commit()}, {now()}", failures, text=text)


def of_functional() -> Part:
    def words(report):
        figures = f"{report['hit']:,} of {report['total']:,} bins hit, least hit {report['least']} times; {report['tests']} tests, {report['cases']} random cases"
        state = FAILED if report["failures"] else PASSED if report["hit"] == report["total"] > 0 else INCOMPLETE
        return state, figures, f"{report['hit']}/{report['total']}"

    return judged("functional", read(functional.REPORT), functional.JUDGED, words)


# In the order in which they run.
PARTS = {"regress": of_regress, "test-bench": of_planted_bugs, "formal": of_formal, "mutants": of_mutants, "coverage": of_coverage, "endurance": of_endurance,
         "functional": of_functional}
# What decides them; of a mutant, its key says it.
DECIDED_BY = {"regress": regress.JUDGED, "test-bench": planted_bugs.JUDGED, "formal": formal.JUDGED, "coverage": coverage.JUDGED, "endurance": endurance.JUDGED,
              "functional": functional.JUDGED}


def recorded(part: Part, kept: dict[str, dict]) -> Part:
    """The part as the record has it, where it was not run here, or not to its end, and its text is the same."""
    there = kept.get(part.name)
    if part.state in (NOT_RUN, INCOMPLETE) and there and there["text"] == fingerprint(*DECIDED_BY[part.name]):
        return Part(**there)
    return part


def after(part: Part, exit_code: int) -> Part:
    """The part, which has not passed where its command says otherwise."""
    if exit_code and part.state == PASSED:
        part.state, part.figures = FAILED, f"its command ended with {exit_code}; {part.figures}"
    return part


def commands(seed: int) -> dict[str, list[str]]:
    """Arguments of Python by part, in the order in which they run."""
    return {**weekly.commands(seed, "0"), "formal": ["-m", formal.__name__], "mutants": ["-m", mutants.__name__, f"--count={MUTANTS}"],
            "coverage": ["-m", coverage.__name__, f"--seed={seed}"], "endurance": ["-m", endurance.__name__, f"--values={VALUES}", f"--seed={seed}"],
            "functional": ["-m", functional.__name__, f"--seed={seed}"]}


def signature(message: str) -> str:
    """What failures of one kind have in common: the first line of a message without its numbers."""
    line = (message.strip().splitlines() or ["no message"])[0]
    return re.sub(r"\b(0x[0-9a-fA-F]+|\d[\d_.]*)\b", "N", line)[:120]


def buckets(parts: Iterable[Part]) -> list[tuple[str, str, int, str]]:
    """(part, signature, failures, command that repeats the first), the most frequent first."""
    count, first = Counter(), {}
    for part in parts:
        for one in part.failures:
            place = part.name, signature(one["message"])
            count[place] += 1
            first.setdefault(place, one["repeat"] or f"make {part.name}")
    return [(*place, number, first[place]) for place, number in count.most_common()]


def verdict(parts: Iterable[Part]) -> str:
    """Signed off, or why not."""
    by_state = {state: [part.name for part in parts if part.state == state] for state in (FAILED, INCOMPLETE, NOT_RUN)}
    why = [f"{state}: {', '.join(names)}" for state, names in by_state.items() if names]
    return f"not signed off ({'; '.join(why)})" if why else "signed off"


def row(*cells: str) -> str:
    """A line of a table of Markdown, whatever the cells hold."""
    return "| " + " | ".join(re.sub(r"\s+", " ", cell).replace("|", "\\|").replace("](", "] (") for cell in cells) + " |"


def table(*headings: str) -> list[str]:
    """The head of a table of Markdown."""
    return [row(*headings), "|---" * len(headings) + "|"]


def code(text: str) -> str:
    """Text as code in a cell."""
    return "`" + text.replace("`", "'") + "`"


def earlier(page: str) -> list[str]:
    """Lines of the history of a page, its own first."""
    return [line for line in page.partition(HISTORY)[2].splitlines() if re.match(r"\| \d{4}-", line)]


def page(parts: list[Part], versions: dict[str, str], before: str, of: str, date: str) -> str:
    """docs/signoff.md, with the lines of the page before it; an earlier line of the same commit gives way."""
    short = {part.name: part.short for part in parts}
    own = row(date, of, verdict(parts).split(" (")[0], *(short[name] for name in HEADINGS[3:]))
    lines = [own, *(line for line in earlier(before) if f"| {of} |" not in line)]
    failures = [row(name, code(what), str(number), code(repeat)) for name, what, number, repeat in buckets(parts)]
    told = ["By signature, with the command that repeats the first of each.", "", *table("part", "signature", "failures", "repeat with"), *failures]
    groups = [one for part in parts for one in part.groups]
    bins = [row(one["group"], f"{one['total']:,}", f"{one['hit']:,}", str(one["least"])) for one in groups]
    covered = ["## Functional coverage", "", "[Groups](verification.md#functional-coverage), their bins, and how often the bin was hit that was hit least.", "",
               *table("group", "bins", "hit", "least hits"), *bins, ""]
    aims = ", ".join(f"{kind} {aim:g} %" for kind, aim in coverage.AIMS.items())
    return "\n".join([
        "# Sign-off", "",
        "Written by `make signoff` from what the commands of the [bench](verification.md#commands) left in `build/`, here or where `signoff.json` beside this page",
        "was written. A part that was not run on exactly these sources (`rtl/`, and what it uses of `tb/` and `models/`) is listed as not run.", "",
        f"**Commit {of}, {date} UTC: {verdict(parts)}.**", "",
        *table("part", "state", "figures", "seed", "made at"), *(row(part.name, part.state, part.figures, part.seed, part.made) for part in parts), "",
        f"Aims: {aims}; {MUTANTS} mutants judged, none survives unexplained; {VALUES:,} values compared, no case fails; all bins hit.",
        f"Tools: {', '.join(f'{name} {number}' for name, number in versions.items())}.", "",
        *(covered if groups else []), "## Failures", "", *(told if failures else ["No test failed in the parts that were run."]), "",
        HISTORY, "", "The first line is this page. Coverage: percent of lines, branches, expressions, toggles.", "", *table(*HEADINGS), *lines, ""])


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tb.commands.signoff", description=__doc__.splitlines()[0])
    parser.add_argument("--parts", default="", help=f"to run first, with commas between them: all, or some of {', '.join(PARTS)} (default: none)")
    parser.add_argument("--seed", type=int, default=1, help="of the parts that run (%(default)s)")
    options = parser.parse_args(arguments)
    wanted = list(PARTS) if options.parts == "all" else [name for name in options.parts.split(",") if name]
    unknown = [name for name in wanted if name not in PARTS]
    if unknown:
        parser.error(f"PARTS={options.parts}: {unknown[0]!r} is no part; choose all, or some of {', '.join(PARTS)}")
    if options.seed < 0:
        parser.error(f"SEED={options.seed}: a whole number of 0 or more is needed")
    ended = weekly.run_all({name: command for name, command in commands(options.seed).items() if name in wanted}, "signoff")
    kept = record()["parts"]
    parts = [recorded(after(collect(), ended.get(name, (0, 0.0))[0]), kept) for name, collect in PARTS.items()]
    made = {part.name: asdict(part) for part in parts if part.text}
    text = fingerprint(*endurance.JUDGED)
    cases = {key: one for key, one in sorted(endurance.kept().items()) if one["text"] == text}
    verdicts = {key: one["verdict"] for key, one in sorted(mutants.kept().items())}
    RECORD.write_text(json.dumps({"parts": made, "mutants": verdicts, "cases": cases}, indent=1) + "\n")
    PAGE.write_text(page(parts, tools(), PAGE.read_text() if PAGE.exists() else "", commit(), now()))
    for part in parts:
        print(f"{part.name:11} {part.state:10} {part.figures}")
    print(f"{verdict(parts)}; {PAGE}")
    return int(any(part.state != PASSED for part in parts))


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit("signoff: interrupted; what its parts keep is kept")
