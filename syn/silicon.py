# SPDX-License-Identifier: MIT
"""What the dynamic precision costs and saves in silicon: `make silicon PDK=folder`. Tables on the terminal, in docs/silicon.md and docs/silicon-tables.md,
build/silicon.json and pictures in docs/images/; of some networks only, in build/. What was measured is kept by its content: the same command goes on where it was."""

import argparse
import json
import re
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from functools import partial
from pathlib import Path

import torch
from rich.console import Console
from rich.table import Table
from tqdm import tqdm

from models.cache import cached
from models.calibration import path_of
from models.networks import MODULES
from models.quarters.memories import DATA
from models.sources import code, content
from syn import area, comparison, energy, pictures, saving, timing
from syn.library import CORNERS, ihp
from syn.replay import ReplayError
from syn.synthesize import BUILDS, ROOT, RTL, SYN, Netlist, SynthesisError, synthesize
from syn.tables import lines, markdown, table
from tb.bench.runner import SimulationError, design_files
from tb.commands.pages import with_tables

RESULTS = ROOT / "build" / "silicon.json"
PAGE, TABLES = ROOT / "docs" / "silicon.md", "silicon-tables.md"
LIBRARIES = sorted(SYN.glob("*.v")) + sorted(SYN.glob("*.abc"))


def sources() -> str:
    """What decides a netlist."""
    return content(*sorted(RTL.glob("*.v")), *sorted(RTL.glob("*.vh")), *LIBRARIES, DATA, ihp().liberty) + code("syn.synthesize")


def netlist(build: str) -> Netlist:
    """The tile of a build; made anew unless its files are those of the same sources. Raises SynthesisError."""
    def make():
        made = synthesize(build, library=ihp())
        return made, [path.read_bytes() for path in (made.json, made.plain_verilog)]
    made, texts = cached(("netlist", build, sources()), make)
    for path, text in zip((made.json, made.plain_verilog), texts, strict=True):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text)
    return made


def clock(build: str, made: Netlist) -> dict[str, list]:
    """The slowest paths by corner: ns and the instances that they run through, one of each pair of ends."""
    def make():
        found = {}
        for corner in CORNERS:
            by_ends = {}
            for path in timing.paths(made, corner):
                names = [re.sub(r"\[\d+\]", "", name) for name in path.instances]
                by_ends.setdefault((names[0], names[-1]), [path.ns, list(dict.fromkeys(names))])
            found[corner] = list(by_ends.values())[:8]
        return found
    return cached(("timing", build, sources(), code("syn.timing")), make)


def activity_modules(name: str) -> list[str]:
    """The modules whose text decides the activity of a network, with all that they import."""
    return ["syn.energy", "tb.bench.play", MODULES[name]]


def activity(name: str, label: str, meter: Callable[[], energy.Meter]) -> energy.Activity:
    """What a network takes at the thresholds of a label. Raises SimulationError, ReplayError."""
    key = ("activity", name, label, sources(), content(path_of(name), *design_files()), code(*activity_modules(name)))
    return cached(key, lambda: energy.measure(name, label, meter()))


def run_all(jobs: dict[tuple, Callable], bar: tqdm) -> dict[tuple, object]:
    """Results of functions by key, two at a time: what is long runs in processes of its own."""
    results = {}
    with ThreadPoolExecutor(2) as pool:
        futures = {pool.submit(job): key for key, job in jobs.items()}
        try:
            for future in as_completed(futures):
                results[futures[future]] = future.result()
                bar.update()
                bar.set_postfix_str(" ".join(map(str, futures[future])))
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    return results


def measure(names: list[str], bar: tqdm) -> dict:
    """All figures, as they are written to build/silicon.json. names: of networks.

    Raises SynthesisError, TimingError, SimulationError, ReplayError.
    """
    points = energy.operating_points(names)
    bar.total = 3 * len(BUILDS) + len(points)
    made = run_all({("netlist", build): partial(netlist, build) for build in BUILDS}, bar)
    netlists = {build: made["netlist", build] for build in BUILDS}
    totals = area.totals(netlists)  # before the long work: it knows whether memories are those of the builds
    meters = run_all({("meter", build): partial(energy.Meter.of, netlists[build]) for build in BUILDS}, bar)

    def meter(label):
        return meters["meter", energy.build_of(label)]

    made |= run_all({("clock", build): partial(clock, build, netlists[build]) for build in BUILDS}
                    | {("activity", *point): partial(activity, *point, partial(meter, point[1])) for point in points}, bar)
    parts = {build: area.by_part(made) for build, made in netlists.items()}
    clocks = {build: made["clock", build] for build in BUILDS}
    ns = {corner: {build: found[corner][0][0] for build, found in clocks.items()} for corner in CORNERS}
    slower = max(ns["typical"].values())
    leakage = {build: meters["meter", build].power.leakage() for build in BUILDS}
    found = saving.results({point: made[("activity", *point)] for point in points}, leakage, dict.fromkeys(BUILDS, slower))
    return {
        "area": parts,
        **totals,
        "overhead_causes": {cause: value / sum(parts["baseline"].values()) for cause, value in area.causes(parts["baseline"], parts["dynamic"]).items()},
        "clock_ns": ns,
        "clock_mhz": {corner: {build: round(1000 / value, 1) for build, value in values.items()} for corner, values in ns.items()},
        "paths": clocks,
        **found,
        **comparison.figures(found, slower),
    }


def report(results: dict) -> Iterator[Table | str]:
    """Tables, and lines between them."""
    baseline, dynamic = results["area"]["baseline"], results["area"]["dynamic"]
    cells = table("Cells of a tile, square micrometres (IHP SG13G2, 130 nm; macros apart)", "part", "baseline", "dynamic", "difference")
    for name in sorted(baseline | dynamic, key=lambda name: -dynamic.get(name, 0)):
        cells.add_row(name, f"{baseline.get(name, 0):,.0f}", f"{dynamic.get(name, 0):,.0f}", f"{dynamic.get(name, 0) - baseline.get(name, 0):+,.0f}")
    cells.add_section()
    cells.add_row("total", f"{sum(baseline.values()):,.0f}", f"{sum(dynamic.values()):,.0f}", f"{sum(dynamic.values()) - sum(baseline.values()):+,.0f}")
    for cause, value in results["overhead_causes"].items():
        cells.add_row(f"  {cause}", "", "", f"{value:+.1%}")
    yield cells

    yield area_table(results)

    clock = table("Slowest paths, ns (OpenSTA; access of memories included; wires of the library's 10k model)", "build", "from and to", "typical", "slow", left=2)
    for build, corners in results["paths"].items():
        slow = {tuple(instances): ns for ns, instances in corners["slow"]}
        for ns, instances in corners["typical"]:
            names = [path.rpartition(".")[2] or "tile" for path in instances]
            clock.add_row(build, " > ".join(names), f"{ns:.2f}", f"{slow[tuple(instances)]:.2f}" if tuple(instances) in slow else "")
        clock.add_section()
    yield clock
    yield "Clock, MHz: " + "; ".join(f"{corner} {', '.join(f'{build} {value}' for build, value in values.items())}" for corner, values in results["clock_mhz"].items())

    spent = table("Energy of a step, nJ (typical corner)", "network", "policy", *saving.PARTS, "total", "saved", left=2)
    for name, policies in results["energy"].items():
        for policy, parts in policies.items():
            saved = ""
            if policy in results["saving"]:
                low, high = results["saving_interval"][policy][name]
                saved = f"{results['saving'][policy][name]:.1%} [{low:.1%}, {high:.1%}]"
            row = "baseline" if policy == energy.BASELINE else policy
            spent.add_row(name, row, *(f"{parts[part]:,.1f}" for part in saving.PARTS), f"{sum(parts.values()):,.1f}", saved)
        spent.add_section()
    yield spent
    means = []
    for key, note in (("time", ""), ("energy", _with(results["energy_thresholds"]))):
        low, high = results[f"saving_{key}_optimal_interval"]
        means.append(f"for {key}{note} {results[f'saving_{key}_optimal']:.1%} [{low:.1%}, {high:.1%}]")
    yield f"Saved by SENSITIVITY over the baseline, mean of the networks, by what the thresholds are for: {'; '.join(means)}. " \
          f"Energy times delay, geometric mean, thresholds for their product{_with(results['product_thresholds'])}: {results['edp_ratio']:.2f}."

    sharing = table("Saved, by the rows that share a read of activations in a first pass", "policy", "network", *saving.SHARING, left=2)
    for policy in results["saving"]:
        for name in results["saving"][policy]:
            sharing.add_row(policy, name, *(f"{results['saving_by_sharing'][kind][policy][name]:.1%}" for kind in saving.SHARING))
    yield sharing
    macros = table("Saved by SENSITIVITY, mean of the networks, by the macro of the weights of both builds", "macro", *saving.SHARING)
    for name, values in results["saving_by_macro"].items():
        macros.add_row(name.removeprefix("1P_"), *(f"{values[kind]:.1%}" for kind in saving.SHARING))
    yield macros
    yield from comparison.report(results)


def area_table(results: dict) -> Table:
    """Square millimetres of a tile with its macros, by what they are for."""
    total = table("Whole tile with its 512 KiB of weights, mm2 at 130 nm", "", "baseline", "dynamic", "difference")
    for name, label in (("logic", "logic"), ("register_files", "register files (latches)"), ("other_memories", "other memories"), ("weights", "weight memory")):
        values = [results["mm2"][build][name] for build in ("baseline", "dynamic")]
        total.add_row(label, *(f"{value:.3f}" for value in values), f"{values[1] - values[0]:+.3f}")
    total.add_section()
    for key, label in (("overhead_logic", "logic and register files"), ("overhead_without_weights", "everything but the weight memory"), ("overhead", "everything")):
        total.add_row(f"overhead of {label}", "", "", f"{results[key]:+.1%}")
    return total


def write(results: dict, parts: list[Table | str], published: bool) -> list[Path]:
    """Writes tables and pictures, in docs/ if published, and returns their paths. parts: of `report`."""
    docs = ROOT / "docs" if published else ROOT / "build"
    tables = docs / TABLES
    tables.write_text("# What the dynamic precision costs and saves in silicon: tables\n\nWritten by `make silicon PDK=folder`. What they mean, method and limits: "
                      "[silicon.md](silicon.md).\n" + "".join(map(markdown, parts)))
    paths = [tables, *pictures.draw(results, docs / "images"), RESULTS]
    if published:
        PAGE.write_text(page(PAGE.read_text(), results))
        paths.append(PAGE)
    return paths


def page(text: str, results: dict) -> str:
    """docs/silicon.md with its tables of these results. Raises ValueError where a table has no place in it."""
    return with_tables(text, {"energy": lines(comparison.summary(results)), "area": lines(area_table(results))}, "make silicon")


def _with(names: list[str]) -> str:
    """A remark on networks that have thresholds of their own for a cost, where others keep those for time."""
    return f" (of {', '.join(names)}; others keep those for time)" if names else " (no network has any: those for time)"


def main() -> None:
    torch.set_num_threads(1)
    parser = argparse.ArgumentParser(prog="python -m syn.silicon", description="Area, clock and energy of both builds in the process that PDK names.")
    parser.add_argument("--net", default="all", help=f"all, or some of {', '.join(energy.NETWORKS)} with commas between them")
    options = parser.parse_args()
    names = list(energy.NETWORKS) if options.net == "all" else options.net.split(",")
    if unknown := ", ".join(name for name in names if name not in energy.NETWORKS):
        sys.exit(f"silicon: NET={unknown}: choose all, or some of {', '.join(energy.NETWORKS)} with commas between them")
    try:
        timing.require()  # these before anything starts
        ihp()
        with tqdm(unit="job", desc="silicon") as bar:
            results = measure(names, bar)
    except (SynthesisError, timing.TimingError, SimulationError, ReplayError, FileNotFoundError) as error:
        print(f"silicon: {error}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit("silicon: interrupted; the same command goes on from here")
    RESULTS.write_text(json.dumps(results, indent=1) + "\n")
    parts, console = list(report(results)), Console(width=160)
    for part in parts:
        console.print(part)
    for path in write(results, parts, published=set(names) == set(energy.NETWORKS)):
        print(path.relative_to(ROOT))


if __name__ == "__main__":
    from syn.silicon import main  # by its own name: what is cached has no class of __main__

    main()
