# SPDX-License-Identifier: MIT
"""`make fpga`: resources of a small build on two families of FPGAs, and its clock on an ECP5, placed and routed with several seeds.

Tables on the terminal and in docs/silicon.md; build/fpga.json. What was measured is kept by its content: the same command goes on where it was.
"""

import json
import sys
from collections.abc import Callable
from functools import partial

from rich.console import Console
from rich.table import Table
from tqdm import tqdm

from models.cache import cached
from models.sources import code, content
from syn.place import DEVICE, FAMILIES, FREQUENCY, MINUTES, RESOURCES, SMALL, PlaceAndRouteError, place_and_route, resources
from syn.silicon import PAGE, run_all
from syn.synthesize import BUILD, ROOT, RTL, SynthesisError
from syn.tables import lines, table
from tb.commands.pages import with_tables

RESULTS = ROOT / "build" / "fpga.json"
# What is built, with or without packed products, and of it what is placed and routed.
FORMS = {"baseline": ("baseline", False), "dynamic": ("dynamic", False), "dynamic, packed": ("dynamic", True)}
ROUTED, SEEDS = ("baseline", "dynamic, packed"), (1, 2, 3)


def _key() -> tuple:
    return content(*sorted(RTL.glob("*.v")), *sorted(RTL.glob("*.vh"))), code("syn.place")


def resource_jobs() -> dict[tuple, Callable]:
    """What measures resources, by ("fpga", label of FORMS, family)."""
    return {("fpga", label, family): partial(cached, ("fpga", *form, family, *_key()), partial(resources, form[0], family, form[1]))
            for label, form in FORMS.items() for family in FAMILIES}


def route_jobs() -> dict[tuple, Callable]:
    """What places and routes, by ("routed", label of FORMS, seed)."""
    return {("routed", label, seed): partial(cached, ("routed", *FORMS[label], seed, *_key()), partial(_route, *FORMS[label], seed))
            for label in ROUTED for seed in SEEDS}


def results(made: dict[tuple, object]) -> dict:
    """What build/fpga.json holds, from what the jobs gave."""
    clocks = {label: [made["routed", label, seed] for seed in SEEDS] for label in ROUTED}
    return {"build": SMALL.parameters(), "device": DEVICE, "resources": {label: {family: made["fpga", label, family] for family in FAMILIES} for label in FORMS},
            "routed": {label: {"clock_mhz": [each["clock_mhz"] for each in found if each], "out_of_time": found.count(None),
                               "used": next((each["used"] for each in found if each), {})} for label, found in clocks.items()}}


def _route(build: str, packed: bool, seed: int) -> dict | None:
    if not (BUILD / f"fpga-ecp5-{build}{'-packed' * packed}.json").exists():
        resources(build, "ecp5", packed)
    return place_and_route(build, packed, seed)


def resource_table(found: dict) -> Table:
    """Primitives of each build by family. found: of `results`."""
    made = table("The whole accelerator, one tile, 2,048 words of each half of the weights, 256 units", "build", "family", *RESOURCES, left=2)
    for build, families in found["resources"].items():
        for family, counts in families.items():
            made.add_row(build, family, *(f"{counts[kind]:,}" for kind in RESOURCES))
    return made


def clock_table(found: dict) -> Table:
    """Clocks of what was placed and routed. found: of `results`."""
    routed = table(f"Placed and routed on {found['device']} at {FREQUENCY} MHz asked", "build", "clock by seed, MHz", "used of the device", left=3)
    for build, result in found["routed"].items():
        clocks = [f"{clock:.1f}" for clock in result["clock_mhz"]] + [f"longer than {MINUTES} minutes of a processor"] * result["out_of_time"]
        used = [f"{used:,} of {there:,} {kind}" for kind, (used, there) in result["used"].items() if kind in ("TRELLIS_COMB", "TRELLIS_FF", "DP16KD", "MULT18X18D")]
        routed.add_row(build, ", ".join(clocks), ", ".join(used))
    return routed


def page(text: str, found: dict) -> str:
    """docs/silicon.md with the tables of these results. Raises ValueError where a table has no place in it."""
    return with_tables(text, {"resources": lines(resource_table(found)), "clocks": lines(clock_table(found))}, "make fpga")


def main() -> None:
    jobs = resource_jobs(), route_jobs()  # a netlist is routed after it was made
    try:
        with tqdm(unit="job", desc="fpga", total=sum(map(len, jobs))) as bar:
            made = run_all(jobs[0], bar) | run_all(jobs[1], bar)
    except (SynthesisError, PlaceAndRouteError) as error:
        print(f"fpga: {error}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit("fpga: interrupted; the same command goes on from here")
    found, console = results(made), Console(width=160)
    RESULTS.write_text(json.dumps(found, indent=1) + "\n")
    console.print(resource_table(found), clock_table(found))
    PAGE.write_text(page(PAGE.read_text(), found))
    print(*(path.relative_to(ROOT) for path in (PAGE, RESULTS)), sep="\n")


if __name__ == "__main__":
    from syn.fpga import main  # by its own name: what is cached has no class of __main__

    main()
