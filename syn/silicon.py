# SPDX-License-Identifier: MIT
"""What the dynamic precision costs in silicon: `make silicon`. Tables on the terminal and in docs/silicon-tables.md,
build/silicon.json and a plot in docs/images/."""

import json
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from functools import partial

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot
from rich.console import Console
from rich.table import Table
from tqdm import tqdm

from models.cache import cached
from models.calibration import path_of
from models.networks import MODULES
from models.policies import Policy
from models.sources import code, content
from syn import area, energy, energy_report, fpga, memory, timing
from syn.replay import ReplayError
from syn.synthesize import BUILDS, CELLS, LIBERTY, ROOT, Netlist, SynthesisError, fetch_library, synthesize
from syn.tables import markdown, table
from tb.bench.runner import SimulationError, design_files

RESULTS = ROOT / "build" / "silicon.json"
TABLES = ROOT / "docs" / "silicon-tables.md"
PLOT = ROOT / "docs" / "images" / "area.png"
FORMS = {"booth": "Booth rows", "array": "array rows", None: "left to Yosys"}  # of the multiplications, beside the one that is used


def run_all(jobs: dict) -> dict:
    """Results of functions by key, two at a time: Yosys runs in processes of its own."""
    results = {}
    with ThreadPoolExecutor(2) as pool:
        futures = {pool.submit(job): key for key, job in jobs.items()}
        try:
            for future in tqdm(as_completed(futures), total=len(futures), unit="job", leave=False):
                results[futures[future]] = future.result()
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    return results


def activity_modules(name: str) -> list[str]:
    """The modules whose text decides the activity of a network, with all that they import."""
    return ["syn.energy", "tb.bench.play", MODULES[name]]


def activity_key(name: str, policy: Policy, netlist: Netlist) -> tuple:
    """The key in the cache of the activity of a network under a policy, measured with a netlist."""
    data = content(path_of(name), *design_files(), LIBERTY, CELLS, netlist.json, netlist.plain_verilog)
    return "activity", name, policy.name, code(*activity_modules(name)), data


def measure() -> dict:
    """All figures, as they are written to build/silicon.json. Raises SynthesisError, TimingError, PlaceAndRouteError, SimulationError, ReplayError."""
    fetch_library()
    jobs = {("routed", "dynamic"): partial(fpga.place_and_route, "dynamic")}  # the longest first
    for build in BUILDS:
        for family in fpga.FAMILIES:
            jobs["fpga", build, family] = partial(fpga.resources, build, family)
        jobs["area", build] = partial(synthesize, build)
        jobs["timing", build] = partial(synthesize, f"{build}-timing", parameters=BUILDS[build], for_timing=True)
        for form in FORMS:
            jobs[form, build] = partial(synthesize, f"{build}-{form or 'yosys'}", parameters=BUILDS[build], form=form)
    done = run_all(jobs)
    netlists, timed = ({build: done[kind, build] for build in BUILDS} for kind in ("area", "timing"))
    paths = {build: timing.paths(netlist)[0] for build, netlist in timed.items()}
    parts = {build: area.by_part(netlist) for build, netlist in netlists.items()}
    logic = {build: sum(values.values()) for build, values in parts.items()}
    forms = {"the smallest of each": logic} | {name: {build: sum(done[form, build].area().values()) for build in BUILDS} for form, name in FORMS.items()}
    files = {build: area.register_files(netlists[build], timed[build]) for build in BUILDS}
    totals = area.totals(netlists, files)  # before the long work: it knows whether memories are those of the builds
    meters = {build: energy.Meter.of(netlist) for build, netlist in netlists.items()}
    activities = run_all({
        (name, policy): partial(cached, activity_key(name, policy, netlists[build]), partial(energy.measure, name, policy, meters[build]))
        for name in energy.NETWORKS for policy, build in energy.BUILD_OF.items()})
    clock = {build: path.ns for build, path in paths.items()}
    return {
        "area": parts,
        "register_files": files,
        "overhead_logic": overhead(logic),
        "overhead_with_register_files": overhead({build: logic[build] + files[build] for build in BUILDS}),
        "overhead_causes": {cause: value / logic["baseline"] for cause, value in area.causes(parts["baseline"], parts["dynamic"]).items()},
        "overhead_forms": {form: {**areas, "overhead": overhead(areas)} for form, areas in forms.items()},
        "overhead_total": totals,
        "precision_unit_share": parts["dynamic"]["precision unit"] / logic["dynamic"],
        "clock_ns": clock,
        "critical_path": {build: path.instances for build, path in paths.items()},
        "fpga": {"resources": {build: {family: done["fpga", build, family] for family in fpga.FAMILIES} for build in BUILDS},
                 "routed": {"dynamic": done["routed", "dynamic"]}},
        **energy.results(activities, meters, clock),
    }


def overhead(values: dict[str, float]) -> float:
    """What the dynamic build has more than the baseline one, as a share of the baseline one."""
    return values["dynamic"] / values["baseline"] - 1


def report(results: dict) -> Iterator[Table | str]:
    """Tables, and lines between them."""
    baseline, dynamic = results["area"]["baseline"], results["area"]["dynamic"]
    logic = table("Logic of a tile, square micrometres (OSU 0.18 um, without memories)", "part", "baseline", "dynamic", "difference")
    for part in sorted(baseline | dynamic, key=lambda part: -dynamic.get(part, 0)):
        logic.add_row(part, f"{baseline.get(part, 0):,.0f}", f"{dynamic.get(part, 0):,.0f}", f"{dynamic.get(part, 0) - baseline.get(part, 0):+,.0f}")
    logic.add_section()
    logic.add_row("total", f"{sum(baseline.values()):,.0f}", f"{sum(dynamic.values()):,.0f}", f"{results['overhead_logic']:+.1%}")
    for cause, value in results["overhead_causes"].items():
        logic.add_row(f"  {cause}", "", "", f"{value:+.1%}")
    logic.add_row("register files, as cells", *(f"{results['register_files'][build]:,.0f}" for build in BUILDS), "")
    logic.add_row("total with them", "", "", f"{results['overhead_with_register_files']:+.1%}")
    yield logic

    forms = table("Overhead by the form of the multiplications", "form", "baseline", "dynamic", "overhead")
    for form, values in results["overhead_forms"].items():
        forms.add_row(form, f"{values['baseline']:,.0f}", f"{values['dynamic']:,.0f}", f"{values['overhead']:+.1%}")
    yield forms

    total = table(f"Whole tile with its 512 KiB of weights, mm2 at {memory.NODE} nm", "", "baseline", "dynamic")
    shares = results["overhead_total"]["mm2"]
    for name, parts in (("logic and register files", ("logic", "register_files")), ("weights", ("weights",)), ("other memories", ("other_memories",))):
        total.add_row(name, *(f"{sum(shares[build][part] for part in parts):.3f}" for build in BUILDS))
    total.add_section()
    for name, key in (("everything", "overhead"), ("everything but weights", "overhead_without_weights")):
        for scaling, value in results["overhead_total"][key].items():
            total.add_row(f"overhead of {name}, logic {scaling}", "", f"{value:+.1%}")
    yield total

    clock = table("Clock (OpenSTA)", "build", "ns", "critical path")
    for build, value in results["clock_ns"].items():
        clock.add_row(build, f"{value:.2f}", " > ".join(path.rpartition(".")[2] or "tile" for path in results["critical_path"][build]))
    yield clock

    kinds = list(fpga.RESOURCES)
    resources = table("FPGA, one tile and its periphery", "build", *kinds)
    for build, families in results["fpga"]["resources"].items():
        for family, found in families.items():
            resources.add_row(f"{build} {family}", *(f"{found[kind]:,}" for kind in kinds))
    yield resources
    for build, routed in results["fpga"]["routed"].items():
        yield f"placed and routed, {build} build on {routed['device']}: {routed['clock_mhz']} MHz"
    yield energy_report.table(results)
    yield energy_report.saving_table(results)
    low, high = results["saving_range"]
    yield f"saved by SENSITIVITY, mean over networks: {results['saving_mean']:.1%} ({low:.1%} to {high:.1%} over scaling rules and delays)"


def plot(results: dict) -> None:
    """The logic of both builds by part, as stacked bars."""
    parts = sorted(results["area"]["dynamic"], key=lambda part: -results["area"]["dynamic"][part])
    figure, axes = pyplot.subplots(figsize=(7, 4.5), layout="constrained")
    colours = pyplot.get_cmap("tab20").colors
    for position, build in enumerate(BUILDS):
        below = 0.0
        for colour, part in zip(colours, parts, strict=False):
            value = results["area"][build].get(part, 0) / 1000
            axes.bar(position, value, bottom=below, color=colour, width=0.6, label=part if position else None)
            below += value
        axes.text(position, below, f"{below:,.0f}", ha="center", va="bottom")
    axes.set_xticks(range(len(BUILDS)), BUILDS)
    axes.set_ylabel("cell area of a tile, 1000 square micrometres (180 nm)")
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(handles[::-1], labels[::-1], loc="outside right center", frameon=False)
    PLOT.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(PLOT, dpi=120)


def main() -> None:
    try:
        results = measure()
    except (SynthesisError, timing.TimingError, fpga.PlaceAndRouteError, SimulationError, ReplayError) as error:
        print(f"silicon: {error}", file=sys.stderr)
        sys.exit(2)
    RESULTS.write_text(json.dumps(results, indent=1) + "\n")
    parts, console = list(report(results)), Console(width=120)
    for part in parts:
        console.print(part)
    TABLES.write_text("# What the dynamic precision costs in silicon: tables\n\nWritten by `make silicon`. What they mean, method and limits: "
                      "[silicon.md](silicon.md).\n" + "".join(map(markdown, parts)))
    plot(results)
    energy_report.plot(results)
    for path in (TABLES, RESULTS):
        print(path.relative_to(ROOT))


if __name__ == "__main__":
    main()
