# SPDX-License-Identifier: MIT
"""Energy of a step of real networks: gate-level activity of a tile, accesses of its memories, leakage.

Every network runs on rtl/ under Verilator, compared with models/; a tile's netlist then replays windows of the last steps (syn/replay.py).
Logic has 180 nm, memories have 130 (syn/memory.py): SCALING brings logic to the node of the memories.
"""

import math
import pickle
from collections import Counter as Sum
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch

from models.build import Build
from models.calibration import load_quantized
from models.compiler import compile_image
from models.cycle_model import CycleModel
from models.evaluation import spread
from models.formats import granule_bytes
from models.levels import ALL, QUARTERS, Level
from models.networks import load
from models.policies import Policy
from models.study import check_samples
from syn import memory
from syn.area import part
from syn.power import VOLTS, Energies, Library, NetPower
from syn.replay import ReplayError, Tile, Waveform, by_net, record, simulate
from syn.synthesize import BUILD, LIBERTY, Netlist
from tb.bench.directions import Direction, plan
from tb.bench.harness import parameters
from tb.bench.registers import Counter, Row
from tb.bench.runner import PERIOD, WAVES, run

NETWORKS = ("silero", "resemblyzer", "textgenrnn", "ddddocr")
BUILD_OF = {Policy.STATIC_HIGH: "baseline", Policy.STATIC_LOW: "dynamic", Policy.CELL_HISTORY: "dynamic", Policy.SENSITIVITY: "dynamic"}
SAMPLE_STEPS, STEPS = 600, 40   # of the test data, and of them those played: the middle of sequences
TRACED = 4000                   # cycles, at least, at the end of each run that windows are spread over
WINDOWS, CYCLES = 12, 40        # of each network and policy
MODES = {"zero delay": False, "cell delays": True}

# Parts that an energy is split in, from those of the area.
SPLIT = {"dot product": "datapath", "operands": "datapath", "row sums": "datapath", "row engine": "datapath", "precision unit": "dynamic precision unit",
         "refinement queue": "dynamic precision unit", "requantizer": "activation and update", "activation": "activation and update",
         "cell update": "activation and update", "post-processing": "activation and update", "other queues": "control", "row pass": "control",
         "sequencer": "control", "in-flight buffer": "control", "rest": "control"}
PARTS = ("datapath", "dynamic precision unit", "activation and update", "control", "buffers", "weight memory", "leakage")

# Energy of logic at the node of the memories, as a share of that at 180 nm and 1.8 V: C V² with a capacitance that shrinks with the node, half of that, and V² alone.
_SQUARE = (memory.VOLTS / VOLTS) ** 2
SCALING = {"half of C V²": memory.NODE / 180 * _SQUARE / 2, "C V²": memory.NODE / 180 * _SQUARE, "V² alone": _SQUARE}
MIDDLE = "C V²"


@dataclass(frozen=True)
class Activity:
    """What a policy on a network takes: steps, cycles and counters of the runs, reads of weights and activations by memory; logic[mode][part] and
    register_files[mode] in pJ (180 nm) a cycle of a tile."""

    steps: int
    cycles: int
    counters: dict
    reads: dict
    logic: dict
    register_files: dict
    modules: dict  # as logic, by the parts of syn/area.py


@lru_cache(maxsize=1)
def library() -> Library:
    return Library(LIBERTY.read_text())


@dataclass(frozen=True)
class Meter:
    """A netlist of a tile with all that measures it."""

    tile: Tile
    power: NetPower
    energies: Energies

    @staticmethod
    def of(netlist: Netlist) -> "Meter":
        tile = Tile(netlist)
        power = NetPower(tile.module, library())
        return Meter(tile, power, power.energies(lambda cell: part(cell.rpartition(".")[0])))


def build_of(policy: Policy) -> Build:
    return Build() if BUILD_OF[policy] == "dynamic" else Build().baseline()


def directions_of(name: str, policy: Policy) -> tuple[int, list[Direction]]:
    """Steps of test data of a network, and the runs of the accelerator that they take under a policy."""
    network = load(name)
    inputs, left = [], STEPS
    for sample in spread(check_samples(network, SAMPLE_STEPS), STEPS):
        begin = max(0, len(sample.inputs) - left) // 2
        inputs.append(sample.inputs[begin:begin + left])
        left -= len(inputs[-1])
    return STEPS - left, plan(load_quantized(network.name, policy), inputs, policy).directions


def play(item: Direction, policy: Policy, build: Build, folder: Path) -> tuple[dict, Waveform, range]:
    """Plays a run on rtl/; returns its counters, and waves of its last steps with the cycles that they hold.

    Raises SimulationError where it gives other values than models/.
    """
    image = compile_image(item.lstm, build)
    runs = [item.lstm.run(sequence, policy, item.state) for sequence in item.sequences]
    levels = [torch.cat([level[0] for level in layer]) for layer in zip(*(run.levels for run in runs))]
    cycles = CycleModel(item.lstm, build, levels, image.order, policy).cycles()
    steps = len(levels[0])
    traced = min(cycles, -(-TRACED * steps // cycles) * cycles // steps)  # whole steps
    loading = sum(len(packet) for packet in image.packets())
    folder.parent.mkdir(parents=True, exist_ok=True)
    job = folder.with_suffix(".job")
    job.write_bytes(pickle.dumps({"build": build, "policy": policy, "directions": [item]}))
    run("tb.bench.play", "harness", parameters(build), simulator="verilator", seed=1, waves=True, retrace=False, environment={"JOB": str(job)}, folder=folder,
        plusargs=[f"+trace_from={(loading + cycles - traced) * PERIOD}"], repeat="make silicon")
    result, = pickle.loads((folder / "result").read_bytes())["directions"]
    wave = Waveform(folder / WAVES)
    job.unlink()
    (folder / WAVES).unlink()
    end = wave.last_step() // (1000 * PERIOD)
    return result["counters"], wave, range(end - traced, end)


def windows_of(tile: Tile, wave: Waveform, cycles: range, count: int) -> list:
    """So many windows, evenly spread over some cycles of a run."""
    return record(tile, wave, [cycles.start + (2 * window + 1) * (len(cycles) - CYCLES) // (2 * count) for window in range(count)], CYCLES)


def measure(name: str, policy: Policy, meter: Meter) -> Activity:
    """Activity of a network under a policy. Raises SimulationError, ReplayError."""
    folder = BUILD / "activity" / f"{name}-{policy.name}"
    steps, directions = directions_of(name, policy)
    windows, counters, reads = [], Sum(), Sum()
    for number, item in enumerate(directions):
        found, wave, cycles = play(item, policy, build_of(policy), folder / f"run{number}")
        counters.update({counter.name: found[counter] for counter in Counter})
        reads.update(operand_reads(item, found, policy, build_of(policy)))
        windows += windows_of(meter.tile, wave, cycles, -(-WINDOWS // len(directions)))
    logic, files, modules = {}, {}, {}
    total = CYCLES * len(windows)
    for mode, delays in MODES.items():
        toggles = by_net(meter.power, simulate(meter.tile, windows, delays, folder / mode.replace(" ", "-")))
        modules[mode] = {name: energy / total for name, energy in meter.energies.by_owner(toggles).items()}
        logic[mode] = Sum()
        for name, energy in modules[mode].items():
            logic[mode][SPLIT[name]] += energy
        files[mode] = register_files(meter, windows, toggles) / total
    return Activity(steps, counters["CYCLES"], counters, reads, logic, files, modules)


def register_files(meter: Meter, windows: list, toggles: np.ndarray) -> float:
    """Energy in pJ (180 nm) of the register files in windows, as words of flip-flops whose clock runs in a write only, read through multiplexers."""
    cells, spent = library(), 0.0
    volts = VOLTS ** 2 / 2
    clock = sum(cells.internal("DFFPOSX1", "CLK")) + 2 * volts * cells.capacitance["DFFPOSX1", "CLK"]
    data = cells.capacitance["MUX2X1", "A"]
    flip = (np.mean(cells.internal("DFFPOSX1", "Q", data)) + np.mean(cells.internal("DFFPOSX1", "D")) + volts * (data + cells.capacitance["DFFPOSX1", "D"]))
    level = np.mean(cells.internal("MUX2X1", "Y", data)) + volts * data
    for name, depth in meter.tile.files.items():
        cell = meter.tile.module["cells"][name]
        width = int(cell["parameters"]["Width"], 2)
        for window in windows:
            words = list(window.contents[name])
            pins = (window.samples[f"{name}.{pin}"][1:-1] for pin in ("write_enable_i", "write_address_i", "write_data_i"))
            for enable, address, value in zip(*pins):
                if enable:
                    spent += width * clock + (words[address] ^ value).bit_count() * flip
                    words[address] = value
        read = [meter.power.index[bit] for bit in cell["connections"]["read_data_o"] if bit in meter.power.index]
        spent += toggles[read].sum() * math.log2(depth) * level
    return float(spent)


def operand_reads(item: Direction, counters: dict, policy: Policy, build: Build) -> Sum:
    """Reads of weights and activations of a run by memory, from its rows by layer and level: in a pass over a row a word of each memory is read once at most.

    counters: by number and by (layer, field). Raises ReplayError where the words that follow are not those that the accelerator counted.
    """
    words, reads = Sum(), Sum()
    none = Level(0, 0, 0)
    for number, layer in enumerate(item.lstm.layers):
        count = {code: sum(counters[number, Row[f"{code}_{gate}"]] for gate in "IFGO") for code in ("MIDDLE", "ALL")}
        rows = 4 * counters[number, Row.UNITS]
        lowest, middle, _ = layer.by_code
        passes = [(none, ALL, rows)] if policy == Policy.STATIC_HIGH else [(none, lowest, rows), (lowest, middle, count["MIDDLE"]), (lowest, ALL, count["ALL"])]
        sizes = (build.words(layer.inputs), (layer.terms - 1) * build.words(layer.inputs), build.words(layer.units))
        for low, high, passed in passes:
            for before, after, size in zip(low, high, sizes):
                added = QUARTERS[before:after]
                words.update({name: passed * size for name in added})
                reads.update({f"weights_{half}": passed * size for half in ("hi", "lo") if any(name[0] == half[0].upper() for name in added)})
                reads.update({f"activations_{half}": passed * size for half in ("hi", "lo") if any(name[1] == half[0].upper() for name in added)})
    if not build.dynamic:
        words = Sum(HH=words["HH"])
        reads = Sum(weights_hi=words["HH"], activations=words["HH"])
    counted = {name: counters[Counter[name]] for name in QUARTERS}
    if counted != {name: words[name] for name in QUARTERS}:
        raise ReplayError(f"words by quarter: {counted} counted, {dict(words)} by rows and levels")
    return reads


def memory_energy(counters: dict, reads: dict, build: str, tiles: int) -> dict[str, float]:
    """Energy in pJ of the memories for the accesses of a run, and their leakage.

    A write of one h, or of a granule of x, wakes the macros of its bits in every tile.
    """
    found, own = memory.memories(memory.BUILDS[build]), memory.BUILDS[build]
    h, granule = 1, granule_bytes(own.dot_lanes)
    written = counters["CELL_WRITES"], counters["ACTIVATION_WRITES"] - counters["CELL_WRITES"]  # a commit writes a cell and an h
    if own.dynamic:
        hi, lo = found["activations_hi"], found["activations_lo"]
        exponent = hi.figure("write_pj") - hi.write_pj(hi.bits - 4)
        writes = sum(count * (hi.write_pj(4 * size) + lo.write_pj(4 * size) + exponent) for count, size in zip(written, (h, granule)))
    else:
        writes = sum(count * found["activations"].write_pj(8 * size) for count, size in zip(written, (h, granule)))
    spent = {name: count * found[name].figure("read_pj") for name, count in reads.items()}
    buffers = (sum(energy for name, energy in spent.items() if name.startswith("activations")) + tiles * writes
               + counters["SCALE_READS"] * found["scales"].figure("read_pj") + counters["ROW_CONSTANT_READS"] * found["constants"].figure("read_pj")
               + counters["CELL_READS"] * found["cells"].figure("read_pj") + counters["CELL_WRITES"] * found["cells"].figure("write_pj"))
    return {"weight memory": sum(energy for name, energy in spent.items() if name.startswith("weights")), "buffers": buffers,
            "leakage mW": tiles * sum(kind.leakage_mw for kind in found.values())}


def step_energy(activity: Activity, build: str, leakage_nw: float, clock_ns: float, mode: str, scale: float) -> dict[str, float]:
    """Energy of a step in nJ by part: logic of 180 nm times `scale`, and memories, with the clock scaled to their node."""
    tiles = Build().tiles
    memories = memory_energy(activity.counters, activity.reads, build, tiles)
    logic = tiles * activity.cycles * scale
    spent = {name: logic * energy for name, energy in activity.logic[mode].items()}
    spent["buffers"] = logic * activity.register_files[mode] + memories["buffers"]
    spent["weight memory"] = memories["weight memory"]
    spent["leakage"] = activity.cycles * clock_ns * memory.NODE / 180 * (memories["leakage mW"] + tiles * leakage_nw * 1e-6)
    return {name: spent.get(name, 0.0) / activity.steps / 1000 for name in PARTS}


def results(activities: dict, meters: dict[str, Meter], clock_ns: dict[str, float]) -> dict:
    """What build/silicon.json holds of the energy; activities: by (network, policy)."""
    leakage = {build: meter.power.leakage() for build, meter in meters.items()}

    def energy(name, policy, mode="cell delays", rule=MIDDLE):
        build = BUILD_OF[policy]
        return step_energy(activities[name, policy], build, leakage[build], max(clock_ns.values()), mode, SCALING[rule])

    def saving(policy, **options):
        return {name: 1 - sum(energy(name, policy, **options).values()) / sum(energy(name, Policy.STATIC_HIGH, **options).values()) for name in names}

    names = [name for name in NETWORKS if (name, Policy.SENSITIVITY) in activities]
    policies = [policy for policy in BUILD_OF if policy != Policy.STATIC_HIGH]
    by_rule = {rule: {mode: float(np.mean(list(saving(Policy.SENSITIVITY, mode=mode, rule=rule).values()))) for mode in MODES} for rule in SCALING}
    flat = [value for values in by_rule.values() for value in values.values()]
    return {
        "energy": {name: {policy.name: energy(name, policy) for policy in BUILD_OF} for name in names},
        "saving": {policy.name: saving(policy) for policy in policies},
        "saving_mean": by_rule[MIDDLE]["cell delays"],
        "saving_range": [min(flat), max(flat)],
        "saving_by_rule": by_rule,
        "energy_scale": SCALING,
        "tile_pj_per_cycle": {name: {policy.name: {mode: activities[name, policy].modules[mode]
                                                   | {"register files": activities[name, policy].register_files[mode]} for mode in MODES}
                                     for policy in BUILD_OF} for name in names},
        "cycles_per_step": {name: {policy.name: activities[name, policy].cycles / activities[name, policy].steps for policy in BUILD_OF} for name in names},
    }
