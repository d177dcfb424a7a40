# SPDX-License-Identifier: MIT
"""What real networks do on the accelerator: accesses of the memories, gate-level activity of a tile.

Every network runs on rtl/ under Verilator, compared with models/, at its operating points of models/calibrated; tile 0's netlist then replays short windows that
are spread over the whole run (syn/replay.py). Accesses of memories are the accelerator's own counters of the whole run.

A label says what is measured: STATIC_HIGH, on the baseline build; a policy at its thresholds for time; SENSITIVITY for another cost, as
models.quarters.calibrate calls it.
"""

import math
import pickle
from collections import Counter as Sum
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from models.build import Build
from models.calibration import load_quantized, read
from models.compiler import compile_image
from models.cycle_model import CycleModel, refinement_passes
from models.formats import Level as Code
from models.levels import ALL, QUARTERS, Level
from models.networks import load
from models.policies import Policy
from models.quantized_network import QuantizedNetwork
from models.quarters.calibrate import design_for
from models.quarters.rivals import RivalStudy
from models.study import Design, Settings, check_samples
from syn import memory
from syn.area import part
from syn.power import Energies, Library, NetPower
from syn.replay import ReplayError, Tile, Waveform, by_net, record, simulate
from syn.synthesize import BUILD, SYN, Netlist
from tb.bench.directions import Direction, plan
from tb.bench.harness import parameters
from tb.bench.registers import Counter, Row
from tb.bench.runner import PERIOD, WAVES, run

# Of held-out samples as `make sim` plays them, the last one cut where they are enough; fewer of large networks.
STEPS, FEWER = 120, {"resemblyzer": 48, "nanoocr": 24, "ddddocr": 16, "diacritizer": 16}
WINDOWS, CYCLES = 16, 40          # of each network and policy
LEAD = 4                          # cycles that are traced around a window
GOLDEN = (math.sqrt(5) - 1) / 2   # windows come a whole number and this fraction of a step after one another: no place in a step is met more often than others
TRACING = (str(SYN / "tracing.vlt"), "--output-split-ctrace", "500")
NETWORKS = ("silero", "resemblyzer", "textgenrnn", "dtln", "ddddocr", "nanoocr", "diacritizer")
BASELINE = "STATIC_HIGH"
LABELS = (BASELINE, "SENSITIVITY", "SENSITIVITY for energy", "SENSITIVITY for product")


@dataclass(frozen=True)
class Activity:
    """What a policy on a network takes.

    counters, reads: of all tiles over the run; reads by (memory, pass), a pass being "first" or "refined". windows: pJ a cycle of a tile by window and part of
    syn/area.py; weights: of a window in the mean. macs: multiplications of the network itself, over the run.
    """

    steps: int
    cycles: int
    counters: dict
    reads: dict
    windows: list[dict[str, float]]
    weights: list[float]
    macs: int


@dataclass(frozen=True)
class Meter:
    """A netlist of a tile with all that measures it."""

    tile: Tile
    power: NetPower
    energies: Energies

    @staticmethod
    def of(netlist: Netlist) -> "Meter":
        library = Library(netlist.library.liberty.read_text())
        tile = Tile(netlist, library)
        power = NetPower(tile.module, library)
        return Meter(tile, power, power.energies(lambda cell: part(cell.rpartition(".")[0])))


def build_of(label: str) -> str:
    """The build that a label is measured on."""
    return "baseline" if label == BASELINE else "dynamic"


def policy_of(label: str) -> Policy:
    """The policy of a label."""
    return Policy[label.partition(" ")[0]]


def override_of(label: str) -> Policy | None:
    """The policy of a label in all layers; None where each layer has its own, as at thresholds for another cost than time."""
    return None if " for " in label else policy_of(label)


def operating_points(names: Sequence[str] = NETWORKS) -> list[tuple[str, str]]:
    """Networks with the labels that they have thresholds for, the baseline first."""
    there = {name: {BASELINE, *read(name)["log2_lambda"], *read(name).get("costs", {})} for name in names}
    return [(name, label) for name in names for label in LABELS if label in there[name]]


def quantized(name: str, label: str) -> QuantizedNetwork:
    """A network with the thresholds of a label."""
    found, cost = read(name), label.partition(" for ")[2]
    if not cost:
        return load_quantized(name, policy_of(label))
    design = design_for(Design(**found["design"]), cost)
    network = RivalStudy(name, Settings(**found["settings"])).quantized(design)
    network.set_log2_lambda(policy_of(label), found["costs"][label]["log2_lambda"], design.own_offsets)
    return network.for_policy(policy_of(label))


def directions_of(name: str, label: str) -> tuple[int, list[Direction]]:
    """Steps of held-out samples of a network, and the runs of the accelerator that they take."""
    inputs, left = [], FEWER.get(name, STEPS)
    for sample in check_samples(load(name), left):
        inputs.append(sample.inputs[:left])
        left -= len(inputs[-1])
        if not left:
            break
    return sum(len(each) for each in inputs), plan(quantized(name, label), inputs, override_of(label)).directions


def play(item: Direction, policy: Policy | None, build: Build, folder: Path, windows: int) -> tuple[dict, list[Tensor], Waveform, list[int]]:
    """Plays a run on rtl/; returns its counters, its levels by layer, and waves with the first cycles of windows that are spread over it.

    Raises SimulationError where it gives other values than models/.
    """
    image = compile_image(item.lstm, build)
    runs = [item.lstm.run(sequence, policy) for sequence in item.sequences]
    levels = [torch.cat([level[0] for level in layer]) for layer in zip(*(run.levels for run in runs))]
    cycles = CycleModel(item.lstm, build, levels, image.order, policy).cycles()
    step, loading = cycles / len(levels[0]), sum(len(packet) for packet in image.packets())
    every = round(step * (max(0, cycles / windows / step - GOLDEN) // 1 + GOLDEN))
    begin = loading + max(0, cycles - every * windows) // 2
    folder.parent.mkdir(parents=True, exist_ok=True)
    job = folder.with_suffix(".job")
    job.write_bytes(pickle.dumps({"build": build, "policy": policy, "directions": [item]}))
    spans = {"from": begin, "every": every, "for": CYCLES + 2 * LEAD}
    run("tb.bench.play", "harness", parameters(build), simulator="verilator", seed=1, waves=True, retrace=False, environment={"JOB": str(job)}, folder=folder,
        flags=TRACING, plusargs=[f"+trace_{name}={cycles * PERIOD}" for name, cycles in spans.items()], repeat="make silicon")
    result, = pickle.loads((folder / "result").read_bytes())["directions"]
    wave = Waveform(folder / WAVES)
    job.unlink()
    (folder / WAVES).unlink()
    return result["counters"], levels, wave, [begin + number * every + LEAD for number in range(windows)]


def measure(name: str, label: str, meter: Meter) -> Activity:
    """Activity of a network at the thresholds of a label. Raises SimulationError, ReplayError."""
    folder, policy, build = BUILD / "activity" / f"{name}-{label.replace(' ', '-')}", override_of(label), memory.BUILDS[build_of(label)]
    steps, directions = directions_of(name, label)
    windows, weights, counters, reads, macs = [], [], Sum(), Sum(), 0
    for number, item in enumerate(directions):
        share = WINDOWS * (number + 1) // len(directions) - WINDOWS * number // len(directions)
        found, levels, wave, begins = play(item, policy, build, folder / f"run{number}", share)
        counters.update({counter.name: found[counter] for counter in Counter})
        reads.update(operand_reads(item, found, levels, policy, build))
        macs += sum(4 * found[layer, Row.UNITS] * (each.inputs + each.units) for layer, each in enumerate(item.lstm.layers))
        windows += record(meter.tile, wave, begins, CYCLES)
        weights += [found[Counter.CYCLES] / share] * share
    toggled = simulate(meter.tile, windows, True, BUILD / "activity" / f"replay-{folder.name}")
    spent = [{owner: energy / CYCLES for owner, energy in meter.energies.by_owner(by_net(meter.power, toggles)).items()} for toggles in toggled]
    return Activity(steps, counters["CYCLES"], dict(counters), dict(reads), spent, weights, macs)


def operand_reads(item: Direction, counters: dict, levels: list[Tensor], policy: Policy | None, build: Build) -> Sum:
    """Reads of weights and activations of a run by memory and pass, from its rows by layer and level. In a pass over one row, or two of a unit, a word of weights is
    read once for each row at most, and a word of activations once.

    counters: by number and by (layer, field); levels: by layer, codes [steps, units, 4]; policy: of all layers, or None for that of each. Raises ReplayError where the
    words that follow are not those that the accelerator counted.
    """
    words, reads = Sum(), Sum()
    none = Level(0, 0, 0)
    for number, layer in enumerate(item.lstm.layers):
        rows = {code: sum(counters[number, Row[f"{code.name}_{gate}"]] for gate in "IFGO") for code in (Code.MIDDLE, Code.ALL)}
        passes = Sum(unit[gates[0]] for unit in levels[number].flatten(0, -2).tolist() for gates in refinement_passes(unit))
        units = counters[number, Row.UNITS]
        lowest, middle, _ = layer.by_code
        high_at_once = (layer.policy if policy is None else policy) == Policy.STATIC_HIGH
        work = [("first", none, ALL if high_at_once else lowest, 4 * units, 2 * units)]
        if not high_at_once:
            work += [("refined", lowest, high, rows[code], passes[code]) for code, high in ((Code.MIDDLE, middle), (Code.ALL, ALL))]
        sizes = (build.words(layer.inputs), (layer.terms - 1) * build.words(layer.inputs), build.words(layer.units))
        for kind, low, high, passed_rows, passed in work:
            for before, after, size in zip(low, high, sizes):
                added = QUARTERS[before:after]
                words.update({name: passed_rows * size for name in added})
                reads.update({(f"weights_{half}", kind): passed_rows * size for half in ("hi", "lo") if any(name[0] == half[0].upper() for name in added)})
                reads.update({(f"activations_{half}", kind): passed * size for half in ("hi", "lo") if any(name[1] == half[0].upper() for name in added)})
    if not build.dynamic:
        words = Sum(HH=words["HH"])
        reads = Sum({("weights_hi", "first"): words["HH"], ("activations", "first"): words["HH"] // 2})
    counted = {name: counters[Counter[name]] for name in QUARTERS}
    if counted != {name: words[name] for name in QUARTERS}:
        raise ReplayError(f"words by quarter: {counted} counted, {dict(words)} by rows and levels")
    return reads
