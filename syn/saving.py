# SPDX-License-Identifier: MIT
"""Energy of a step: accesses of the memories times the energy of their macros, activity of the logic, leakage; and what the dynamic build saves."""

from collections import Counter as Sum

import numpy as np

from models.build import Build
from models.formats import granule_bytes
from models.policies import Policy
from syn import memory
from syn.energy import BASELINE, CYCLES, POLICIES, WINDOWS, Activity, name_of

# Parts that an energy is split in, from those of the area.
SPLIT = {"dot product": "datapath", "operands": "datapath", "row sums": "datapath", "row engine": "datapath", "row sums, words": "datapath",
         "precision unit": "dynamic precision unit", "refinement queue": "dynamic precision unit", "requantizer": "activation and update",
         "activation": "activation and update", "cell update": "activation and update", "post-processing": "activation and update", "other queues": "control",
         "row pass": "control", "sequencer": "control", "in-flight buffer": "control", "descriptors": "control", "entries and queues, words": "control",
         "rest": "control", "weight memory": "select of memories", "other memories": "select of memories"}
PARTS = ("datapath", "dynamic precision unit", "activation and update", "control", "select of memories", "weights", "activations", "other memories", "leakage")

# Rows that share a read of activations, in the baseline and in the dynamic build. rtl/ shares none. Two rows side by side are what a lean baseline would have:
# they are estimated, without the second accumulator.
SHARING = {"as in rtl/": (1, 1), "lean baseline: two rows": (2, 1), "both: two rows": (2, 2)}
HEADLINE = "lean baseline: two rows"


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


def memory_energy(counters: dict, reads: dict, build: str, tiles: int, rows: int = 1, weights: str | None = None) -> dict[str, float]:
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
        spent[use] += count * found[name].figure("read_pj") / (rows if use == "activations" and kind == "first" else 1)
    others = (counters["SCALE_READS"] * found["scales"].figure("read_pj") + counters["ROW_CONSTANT_READS"] * found["constants"].figure("read_pj")
              + counters["CELL_READS"] * found["cells"].figure("read_pj") + counters["CELL_WRITES"] * found["cells"].figure("write_pj"))
    return {"weights": spent["weights"], "activations": spent["activations"] + tiles * writes, "other memories": others,
            "leakage mW": tiles * sum(kind.leakage_mw for kind in found.values())}


def step_energy(activity: Activity, build: str, leakage_nw: float, clock_ns: float, rows: int = 1, weights: str | None = None) -> dict[str, float]:
    """Energy of a step in nJ by part, at a clock. leakage_nw: of the logic of a tile; the rest as in memory_energy."""
    tiles = Build().tiles
    memories = memory_energy(activity.counters, activity.reads, build, tiles, rows, weights)
    spent = {name: tiles * activity.cycles * energy for name, energy in logic(activity).items()}
    spent |= {name: memories[name] for name in ("weights", "activations", "other memories")}
    spent["leakage"] = activity.cycles * clock_ns * (memories["leakage mW"] + tiles * leakage_nw * 1e-6)
    return {name: spent.get(name, 0.0) / activity.steps / 1000 for name in PARTS}


def results(activities: dict, leakage: dict[str, float], clock_ns: dict[str, float]) -> dict:
    """What build/silicon.json holds of the energy. activities: by (network, policy); leakage: of the logic of a tile in nW, and the clock, by build."""
    names = list(dict.fromkeys(name for name, _ in activities))
    random = np.random.default_rng(1)

    def energy(name, policy, sharing=HEADLINE, **options):
        build = name_of(policy)
        return step_energy(activities[name, policy], build, leakage[build], clock_ns[build], SHARING[sharing][build == "dynamic"], **options)

    def saving(name, policy, sharing=HEADLINE, **options):
        return 1 - sum(energy(name, policy, sharing, **options).values()) / sum(energy(name, BASELINE, sharing, **options).values())

    def interval(pairs):
        """95 % interval of the mean saving of some (network, policy), over windows."""
        totals = {}
        for name, policy in dict.fromkeys(each for pair in pairs for each in ((pair[0], BASELINE), pair)):
            parts, activity = energy(name, policy), activities[name, policy]
            fixed = sum(parts[kind] for kind in ("weights", "activations", "other memories", "leakage"))
            windows = np.array([sum(window.values()) for window in activity.windows]) * Build().tiles * activity.cycles / activity.steps / 1000
            weights = np.array(activity.weights)
            drawn = random.integers(len(windows), size=(RESAMPLES, len(windows)))
            totals[name, policy] = fixed + (windows[drawn] * weights[drawn]).sum(1) / weights[drawn].sum(1)
        means = np.mean([1 - totals[name, policy] / totals[name, BASELINE] for name, policy in pairs], axis=0)
        return [float(bound) for bound in np.quantile(means, (0.025, 0.975))]

    chosen = {policy: [name for name in names if (name, policy) in activities] for policy in POLICIES[1:]}
    best = [(name, Policy.SENSITIVITY) for name in chosen[Policy.SENSITIVITY]]
    speed = {name: activities[name, BASELINE].cycles * clock_ns["baseline"] / (activities[name, Policy.SENSITIVITY].cycles * clock_ns["dynamic"]) for name, _ in best}
    ratio = {name: (1 - saving(name, Policy.SENSITIVITY)) / speed[name] for name, _ in best}
    return {
        "energy": {name: {policy.name: energy(name, policy, "as in rtl/") for policy in POLICIES if (name, policy) in activities} for name in names},
        "energy_lean": {name: energy(name, BASELINE) for name in names},
        "saving": {policy.name: {name: saving(name, policy) for name in chosen[policy]} for policy in chosen},
        "saving_interval": {policy.name: {name: interval([(name, policy)]) for name in chosen[policy]} for policy in chosen},
        "saving_by_sharing": {sharing: {policy.name: {name: saving(name, policy, sharing) for name in chosen[policy]} for policy in chosen} for sharing in SHARING},
        "saving_by_macro": {weights: {sharing: float(np.mean([saving(name, policy, sharing, weights=weights) for name, policy in best])) for sharing in SHARING}
                            for weights in WEIGHT_MACROS},
        "saving_time_optimal": float(np.mean([saving(*pair) for pair in best])),
        "saving_time_optimal_interval": interval(best),
        "saving_energy_optimal": None,  # needs thresholds for energy, which no file of models/calibrated has
        "speed_at_the_clock": speed,
        "edp_ratio": float(np.exp(np.mean(np.log(list(ratio.values()))))),
        "tile_pj_per_cycle": {name: {policy.name: parts_of(activities[name, policy]) for policy in POLICIES if (name, policy) in activities} for name in names},
        "cycles_per_step": {name: {policy.name: activities[name, policy].cycles / activities[name, policy].steps for policy in POLICIES if (name, policy) in activities}
                            for name in names},
        "macs_per_step": {name: activities[name, BASELINE].macs / activities[name, BASELINE].steps for name in names},
        "steps": {name: activities[name, BASELINE].steps for name in names},
        "windows": {"number": WINDOWS, "cycles": CYCLES},
    }
