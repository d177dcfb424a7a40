# SPDX-License-Identifier: MIT
"""Functional coverage: which situations of docs/verification.md a run has been in, as coverpoints, crosses and bins of cocotb-coverage.

GROUPS is the model. With FUNCTIONAL=1 in the environment the harness and the driver of registers call what samples it, in one place each, and every simulation
leaves EXPORT in its folder; `make functional` adds them up. Without it nothing is sampled, and the library is not imported.
"""

import ast
import atexit
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cache
from itertools import combinations, product
from pathlib import Path
from xml.etree import ElementTree

import cocotb

from models.formats import BUILD_POLICIES, CycleClass, Level
from tb.bench.register_map import Errors, Register

ON = os.environ.get("FUNCTIONAL") == "1"
EXPORT = "functional.xml"  # in the folder of a run

BASELINE = "baseline build"
REFUSED = "refused"  # a register that is only read, or no register at all
TILES, LAYERS = ("1", "2", "3-4", "5-8", "9-16"), ("1", "2", "3-4", "5-8")
STALLS = ("none", "x", "h or trace", "both")
SHAPES = ("one step", "one sequence", "one long sequence", "sequences of one step", "several sequences")
LONG = 16  # steps
POLICIES = tuple(policy.name for policy in BUILD_POLICIES)
LEVELS = tuple(level.name for level in Level)
CLASSES = tuple(number.name for number in CycleClass)
ERRORS = tuple(error.name for error in Errors)
WRITTEN = ("CONTROL", "CONFIG", "LAYERS", "SEQUENCES", "ERRORS", "INTERRUPT", "STATE_SELECT", REFUSED)
STROBES = tuple(f"{strobe:04b}" for strobe in range(16))
WAYS = ("write", "soft reset", "hard reset")
MACHINES = {
    "phase": ("idle", "loading", "running", "draining", "halted", "resetting"),
    "run": ("Idle", "Busy", "Resetting"),
    "loader": ("Header", "Payload", "Discard"),
    "x": ("idle", "waiting", "packet", "discarding", "halted"),
    "h": ("nothing", "due", "sending", "one behind"),
    "trace": ("nothing", "due", "sending", "one behind"),
    "row_counters": ("still", "walking"),
    "tile": CLASSES,
}


@dataclass(frozen=True)
class Excluded:
    """Bins of crosses that cannot be hit, and why: the bins of some points, whatever those of the others."""

    bins: dict[str, tuple[str, ...]]
    reason: str


@dataclass(frozen=True)
class Group:
    """Coverpoints, each with its bins, that are sampled together, and crosses of them. what: a sample, and where it is taken."""

    what: str
    points: dict[str, tuple[str, ...]]
    crosses: tuple[tuple[str, ...], ...]
    excluded: tuple[Excluded, ...] = field(default=())

    def ignored(self, cross: tuple[str, ...]) -> list[tuple]:
        """Bins that are left out of a cross, in the form of cocotb-coverage: None stands for any bin."""
        return [tuple(chosen.get(point) for point in cross) for one in self.excluded if one.bins.keys() <= set(cross)
                for chosen in (dict(zip(one.bins, values)) for values in product(*one.bins.values()))]


RUN = {"policy": POLICIES, "level": LEVELS, "layers": LAYERS, "tiles": TILES, "stalls": STALLS, "shape": SHAPES}
OF_BASELINE = {name: RUN[name] for name in ("layers", "stalls", "shape")}
RESET = {"way": WAYS[1:], **MACHINES}
GROUPS = {
    "run": Group(
        "a layer and a level that rows of it ended at, of a run of the dynamic build that equals the model: `Harness.conclude`",
        RUN, (*combinations(RUN, 2), ("level", "tiles", "stalls"), ("policy", "stalls", "shape"), ("policy", "layers", "shape")),
        (Excluded({"policy": ("STATIC_HIGH",), "level": ("LOWEST", "MIDDLE")}, "STATIC_HIGH adds all quarters of every row"),
         Excluded({"policy": ("STATIC_LOW",), "level": ("MIDDLE", "ALL")}, "STATIC_LOW decides nothing: every row stays at LOWEST"))),
    "baseline": Group(
        "a run of the baseline build, which has neither policies nor levels, that equals the model: `Harness.conclude`",
        OF_BASELINE, tuple(combinations(OF_BASELINE, 2))),
    "class": Group(
        "a class of tile-cycles that occurred in a run under one policy in all layers: `Harness.conclude`",
        {"class": CLASSES, "policy": (*POLICIES, BASELINE)}, (("class", "policy"),),
        (Excluded({"class": ("HL", "LH", "LL"), "policy": (BASELINE,)}, "a word of 8-bit products is one cycle, which counts as HH"),)),
    "reset": Group(
        "a reset, and what each machine did in the cycle before it acts: `clear_recorder.v`",
        RESET, tuple(("way", machine) for machine in MACHINES),
        (Excluded({"way": ("soft reset",), "row_counters": ("walking",)}, "a write to CONTROL waits until the walk has ended"),)),
    "error": Group(
        "an error that was set, and what cleared it: `clear_recorder.v`",
        {"error": ERRORS, "way": WAYS}, (("error", "way"),)),
    "register": Group(
        "a write that was answered: `AxiLiteDriver.write`",
        {"register": WRITTEN, "strobe": STROBES}, (("register", "strobe"),)),
}


def items_of(group: Group) -> list[tuple[str, ...]]:
    """Coverpoints and crosses of a group, each as the points that it is made of."""
    return [*((point,) for point in group.points), *group.crosses]


def name_of(group: str, item: Iterable[str]) -> str:
    """The name of a coverpoint or a cross: a tag of XML."""
    return f"{group}.{'_x_'.join(item)}"


@cache
def samplers() -> dict[str, Callable[[tuple[str, ...]], None]]:
    """Declares GROUPS to cocotb-coverage; what samples a group, given a bin of each of its points."""
    from cocotb_coverage.coverage import CoverCross, CoverPoint, coverage_section  # costs nothing where nothing is sampled

    def sampler(name, group):
        def value(index):
            return lambda values: values[index]

        points = [CoverPoint(name_of(name, [point]), xf=value(index), bins=list(bins)) for index, (point, bins) in enumerate(group.points.items())]
        crosses = [CoverCross(name_of(name, cross), items=[name_of(name, [point]) for point in cross], ign_bins=group.ignored(cross)) for cross in group.crosses]
        return coverage_section(*points, *crosses)(lambda values: None)

    return {name: sampler(name, group) for name, group in GROUPS.items()}


def sample(group: str, **values: str) -> None:
    """Counts a situation. Raises ValueError for one that no bin has: the model does not know what occurs."""
    points = GROUPS[group].points
    chosen = tuple(values[point] for point in points)
    for (point, bins), value in zip(points.items(), chosen):
        if value not in bins:
            raise ValueError(f"{group}: {point} has no bin {value!r}")
    samplers()[group](chosen)


def export(path: Path) -> None:
    """Writes what has been counted, bins that were not hit among it."""
    from cocotb_coverage.coverage import coverage_db
    samplers()
    coverage_db.export_to_xml(str(path))


def merge(path: Path, parts: Iterable[Path]) -> None:
    """Adds up what `export` wrote."""
    from cocotb_coverage.coverage import merge_coverage
    merge_coverage(lambda words: None, str(path), *map(str, parts))


def hits_in(path: Path) -> dict[str, dict[str, dict[str, int]]]:
    """Hits of what `export` or `merge` wrote: by group, by coverpoint or cross, by bin in words."""
    counted = {}
    for element in ElementTree.parse(path).getroot().iter():
        if "hits" in element.keys():
            item = element.get("abs_name").removeprefix("top.").rpartition(".")[0]
            counted.setdefault(item, {})[element.get("bin")] = int(element.get("hits"))
    found = {}
    for group, model in GROUPS.items():
        found[group] = {}
        for item in items_of(model):
            bins = counted[name_of(group, item)]
            found[group][" x ".join(item)] = bins if len(item) == 1 else {" x ".join(ast.literal_eval(name)): count for name, count in bins.items()}
    return found


def class_of(number: int, classes: Iterable[str]) -> str:
    """The class, such as 3-4, that a number is in. Raises ValueError where it is in none."""
    for one in classes:
        low, _, high = one.partition("-")
        if int(low) <= number <= int(high or low):
            return one
    raise ValueError(f"{number} is in no class of {', '.join(classes)}")


def shape_of(lengths: list[int]) -> str:
    """The shape of a run by the steps of its sequences."""
    if len(lengths) > 1:
        return SHAPES[3] if max(lengths) == 1 else SHAPES[4]
    return SHAPES[0] if lengths == [1] else SHAPES[2] if lengths[0] >= LONG else SHAPES[1]


def stalls_of(x: bool, outputs: bool) -> str:
    """The class of stalls."""
    return STALLS[x + 2 * outputs]


def sample_run(dynamic: bool, tiles: int, stalls: str, lengths: list[int], policies: list[str], levels: list[set[int]], classes: dict[str, int]) -> None:
    """A run that equals the model. policies, levels: in force, and those that rows ended at, by layer; classes: tile-cycles by class."""
    shape, layers = shape_of(lengths), class_of(len(policies), LAYERS)
    if dynamic:
        for policy, found in zip(policies, levels, strict=True):
            for level in sorted(found):
                sample("run", policy=policy, level=Level(level).name, layers=layers, tiles=class_of(tiles, TILES), stalls=stalls, shape=shape)
    else:
        sample("baseline", layers=layers, stalls=stalls, shape=shape)
    names = {*policies} if dynamic else {BASELINE}
    if len(names) == 1:
        for name, cycles in classes.items():
            if cycles:
                sample("class", **{"class": name}, policy=names.copy().pop())


def sample_write(address: int, strobe: int) -> None:
    """A write that was answered."""
    names = {register.value: register.name for register in Register}
    name = names.get(address, REFUSED)
    sample("register", register=name if name in WRITTEN else REFUSED, strobe=STROBES[strobe])


def sample_clear(word: int) -> None:
    """A word of clear_recorder.v: an error that is cleared by a write, or a reset."""
    def take(bits):
        nonlocal word
        low, word = word & (1 << bits) - 1, word >> bits
        return low

    way, errors = WAYS[take(2)], take(len(ERRORS))
    for number, error in enumerate(ERRORS):
        if errors >> number & 1:
            sample("error", error=error, way=way)
    if way == WAYS[0]:
        return
    run, loader = MACHINES["run"][take(2)], MACHINES["loader"][take(2)]
    packet, discarding, halted, active = (take(1) for _ in range(4))
    x = "discarding" if discarding else "packet" if packet else "halted" if halted else "waiting" if active else "idle"
    h, trace = (_output(take(2), take(1)) for _ in range(2))
    walking = take(1)
    phase = ("resetting" if run == "Resetting" else "halted" if halted else ("running" if active else "draining") if run == "Busy"
             else "idle" if loader == "Header" else "loading")
    sample("reset", way=way, phase=phase, run=run, loader=loader, x=x, h=h, trace=trace, row_counters=MACHINES["row_counters"][walking], tile=CLASSES[take(4)])


def _output(pending, valid):
    """The state of an output stream: packets not yet taken, and whether a beat of one is offered."""
    return ("one behind" if pending > 1 else "sending") if valid else "due" if pending else "nothing"


if ON and cocotb.is_simulation:  # pytest imports this as well
    atexit.register(export, Path(EXPORT).resolve())
