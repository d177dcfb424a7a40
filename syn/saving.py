# SPDX-License-Identifier: MIT
"""Energy of a step: accesses of the memories times the energy of their macros, activity of the logic, leakage; and what the dynamic build saves."""

from collections import Counter as Sum

import numpy as np

from models.build import Build
from models.formats import granule_bytes
from syn import memory
from syn.energy import BASELINE, CYCLES, LABELS, WINDOWS, Activity, build_of

# Parts that an energy is split in, from those of the area.
SPLIT = {"dot product": "datapath", "operands": "datapath", "row sums": "datapath", "row engine": "datapath", "row sums, words": "datapath",
         "precision unit": "dynamic precision unit", "refinement queue": "dynamic precision unit", "requantizer": "activation and update",
         "activation": "activation and update", "cell update": "activation and update", "post-processing": "activation and update", "other queues": "control",
         "row pass": "control", "sequencer": "control", "in-flight buffer": "control", "descriptors": "control", "entries and queues, words": "control",
         "rest": "control", "weight memory": "select of memories", "other memories": "select of memories"}
PARTS = ("datapath", "dynamic precision unit", "activation and update", "control", "select of memories", "weights", "activations", "other memories", "leakage")

# Rows that share a read of activations in a first pass, in the baseline and in the dynamic build: two in rtl/. Others are estimated, without the accumulators
# that they would need.
ROWS, AS_BUILT = 2, "rtl/: two rows"
SHARING = {AS_BUILT: (ROWS, ROWS), "baseline: four rows": (4, ROWS), "both: four rows": (4, 4)}

RESAMPLES = 2000
WEIGHT_MACROS = ("1P_256x64", "1P_512x64", "1P_1024x64", "1P_2048x64")


def parts_of(activity: Activity) -> dict[str, float]:
    """pJ a cycle of a tile by part of syn/area.py: the mean over all windows."""
    return {name: float(np.average([window.get(name, 0) for window in activity.windows], weights=activity.weights)) for name in SPLIT}


def logic(activity: Activity) -> dict[str, float]:
    """The same by part of PARTS."""
    found = Sum()
    for name, energy in parts_of(activity).items():
        found[SPLIT[name]] += energy
    return dict(found)


def memory_energy(counters: dict, reads: dict, build: str, tiles: int, rows: int = ROWS, weights: str | None = None) -> dict[str, float]:
    """Energy in pJ of the memories for the accesses of a run, and their leakage in mW.

    A write of one h, or of a granule of x, wakes the macros of its bits in every tile. rows: that share a read of activations in a first pass. weights: the macro
    of the weights, in place of that of syn/memory.py.
    """
    own = memory.BUILDS[build]
    found = memory.memories(own, weights)
    h, granule = 1, granule_bytes(own.dot_lanes)
    written = counters["CELL_WRITES"], counters["ACTIVATION_WRITES"] - counters["CELL_WRITES"]  # a commit writes a cell and an h
    if own.dynamic:
        hi, lo = found["activations_hi"], found["activations_lo"]
        exponent = hi.figure("write_pj") - hi.write_pj(hi.bits - 4)
        writes = sum(count * (hi.write_pj(4 * size) + lo.write_pj(4 * size) + exponent) for count, size in zip(written, (h, granule)))
    else:
        writes = sum(count * found["activations"].write_pj(8 * size) for count, size in zip(written, (h, granule)))
    spent = Sum()
    for (name, kind), count in reads.items():
        use = name.partition("_")[0]
        spent[use] += count * found[name].figure("read_pj") * (ROWS / rows if use == "activations" and kind == "first" else 1)
    others = (counters["SCALE_READS"] * found["scales"].figure("read_pj") + counters["ROW_CONSTANT_READS"] * found["constants"].figure("read_pj")
              + counters["CELL_READS"] * found["cells"].figure("read_pj") + counters["CELL_WRITES"] * found["cells"].figure("write_pj"))
    return {"weights": spent["weights"], "activations": spent["activations"] + tiles * writes, "other memories": others,
            "leakage mW": tiles * sum(kind.leakage_mw for kind in found.values())}


def step_energy(activity: Activity, build: str, leakage_nw: float, clock_ns: float, rows: int = ROWS, weights: str | None = None) -> dict[str, float]:
    """Energy of a step in nJ by part, at a clock. leakage_nw: of the logic of a tile; the rest as in memory_energy."""
    tiles = Build().tiles
    memories = memory_energy(activity.counters, activity.reads, build, tiles, rows, weights)
    spent = {name: tiles * activity.cycles * energy for name, energy in logic(activity).items()}
    spent |= {name: memories[name] for name in ("weights", "activations", "other memories")}
    spent["leakage"] = activity.cycles * clock_ns * (memories["leakage mW"] + tiles * leakage_nw * 1e-6)
    return {name: spent.get(name, 0.0) / activity.steps / 1000 for name in PARTS}


def results(activities: dict[tuple[str, str], Activity], leakage: dict[str, float], clock_ns: dict[str, float]) -> dict:
    """What build/silicon.json holds of the energy. activities: by network and label; leakage: of the logic of a tile in nW, and the clock, by build."""
    names = list(dict.fromkeys(name for name, _ in activities))
    labels = [label for label in LABELS[1:] if any((name, label) in activities for name in names)]
    random = np.random.default_rng(1)

    def energy(name, label, sharing=AS_BUILT, **options):
        build = build_of(label)
        return step_energy(activities[name, label], build, leakage[build], clock_ns[build], SHARING[sharing][build == "dynamic"], **options)

    def saving(name, label, sharing=AS_BUILT, **options):
        return 1 - sum(energy(name, label, sharing, **options).values()) / sum(energy(name, BASELINE, sharing, **options).values())

    def speed(name, label):
        return activities[name, BASELINE].cycles * clock_ns["baseline"] / (activities[name, label].cycles * clock_ns["dynamic"])

    def interval(labels):
        """95 % interval of the mean saving over some networks, each with its label, over windows."""
        totals = {}
        for name, label in labels.items():
            for each in (BASELINE, label):
                parts, activity = energy(name, each), activities[name, each]
                fixed = sum(parts[kind] for kind in ("weights", "activations", "other memories", "leakage"))
                windows = np.array([sum(window.values()) for window in activity.windows]) * Build().tiles * activity.cycles / activity.steps / 1000
                weights = np.array(activity.weights)
                drawn = random.integers(len(windows), size=(RESAMPLES, len(windows)))
                totals[name, each] = fixed + (windows[drawn] * weights[drawn]).sum(1) / weights[drawn].sum(1)
        means = np.mean([1 - totals[name, label] / totals[name, BASELINE] for name, label in labels.items()], axis=0)
        return [float(bound) for bound in np.quantile(means, (0.025, 0.975))]

    of = {label: [name for name in names if (name, label) in activities] for label in labels}

    def chosen(name, cost):
        """The label of the thresholds for a cost, or for time where a network has no others."""
        label = f"SENSITIVITY for {cost}"
        return label if (name, label) in activities else "SENSITIVITY"

    for_energy, for_product = ({name: chosen(name, cost) for name in names} for cost in ("energy", "product"))
    for_time = dict.fromkeys(names, "SENSITIVITY")

    def energy_times_delay(name):
        label = for_product[name]
        return (1 - saving(name, label)) / speed(name, label)

    def mean(labels):
        return float(np.mean([saving(name, label) for name, label in labels.items()]))

    both = {name: [label for label in LABELS if (name, label) in activities] for name in names}
    return {
        "energy": {name: {label: energy(name, label) for label in both[name]} for name in names},
        "saving": {label: {name: saving(name, label) for name in of[label]} for label in labels},
        "saving_interval": {label: {name: interval({name: label}) for name in of[label]} for label in labels},
        "saving_by_sharing": {sharing: {label: {name: saving(name, label, sharing) for name in of[label]} for label in labels} for sharing in SHARING},
        "saving_by_macro": {weights: {sharing: float(np.mean([saving(name, "SENSITIVITY", sharing, weights=weights) for name in names])) for sharing in SHARING}
                            for weights in WEIGHT_MACROS},
        "saving_time_optimal": mean(for_time),
        "saving_time_optimal_interval": interval(for_time),
        "saving_energy_optimal": mean(for_energy),
        "saving_energy_optimal_interval": interval(for_energy),
        "energy_thresholds": [name for name, label in for_energy.items() if label != "SENSITIVITY"],
        "edp": {name: energy_times_delay(name) for name in names},
        "edp_ratio": float(np.exp(np.mean([np.log(energy_times_delay(name)) for name in names]))),
        "product_thresholds": [name for name, label in for_product.items() if label != "SENSITIVITY"],
        "speed": {label: {name: speed(name, label) for name in of[label]} for label in labels},
        "tile_pj_per_cycle": {name: {label: parts_of(activities[name, label]) for label in both[name]} for name in names},
        "cycles_per_step": {name: {label: activities[name, label].cycles / activities[name, label].steps for label in both[name]} for name in names},
        "macs_per_step": {name: activities[name, BASELINE].macs / activities[name, BASELINE].steps for name in names},
        "steps": {name: activities[name, BASELINE].steps for name in names},
        "windows": {"number": WINDOWS, "cycles": CYCLES},
    }
