# SPDX-License-Identifier: MIT
"""The accelerator's work counters for a run: what it reads and writes, whatever the stalls (docs/registers.md)."""

import math

from .build import Build
from .formats import Counter, Policy, granule_bytes
from .quantized_lstm import QuantizedLSTM, Run

# Counters that the model knows. The others count cycles, which depend on the schedule.
WORK = (Counter.HI_PASS, Counter.LO_PASS, Counter.ACTIVATION_WRITES, Counter.SCALE_READS, Counter.ROW_CONSTANT_READS, Counter.CELL_READS, Counter.CELL_WRITES,
        Counter.ROW_SUM_WRITES, Counter.STEPS)


def work_counters(run: Run, q: QuantizedLSTM, build: Build) -> dict:
    """Counters of a Run of network q on a build, summed over its batch: by name in small letters those of WORK, "rows" by layer, "ideal_cycles".

    Every row meets its hi plane once and, where refined, its lo plane once: one weight word and one activation word a cycle. A segment and
    plane reads a scale and writes a row sum once. A pass of post-processing reads four row constants and one cell: one pass a unit, two where
    something was refined by decision. ideal_cycles spreads the weight words over the tiles, with ceil(units / Tiles) units in each.
    The baseline build has one plane, and refuses runs of other policies than STATIC_HIGH.
    """
    if not build.dynamic and any(policy != Policy.STATIC_HIGH for policy in run.policies):
        raise ValueError("the baseline build computes every row in 8 bits: run the network with STATIC_HIGH")
    layer0 = q.layers[0]
    batch, steps = run.h.shape[:2]
    x_granules = layer0.terms * build.words(layer0.inputs) * build.dot_lanes // granule_bytes(build.dot_lanes)
    counters = dict.fromkeys((counter.name.lower() for counter in WORK), 0)
    counters |= {"activation_writes": batch * steps * x_granules, "steps": batch * steps, "rows": []}
    ideal = 0
    for layer, mask, policy in zip(q.layers, run.masks, run.policies):
        units = mask[..., 0].numel()
        by_gate = mask.sum((0, 1, 2)).tolist()
        refined = sum(by_gate) if build.dynamic else 0
        row_words = build.row_words(layer)
        passes = (4 * units + refined) * (layer.terms + 1)
        second_passes = 0 if policy == Policy.STATIC_HIGH else int(mask.any(-1).sum())
        counters["hi_pass"] += 4 * units * row_words
        counters["lo_pass"] += refined * row_words
        counters["scale_reads"] += passes
        counters["row_sum_writes"] += passes
        counters["row_constant_reads"] += 4 * (units + second_passes)
        counters["cell_reads"] += units + second_passes
        counters["cell_writes"] += units
        counters["activation_writes"] += units
        counters["rows"].append((units, *by_gate))
        ideal += batch * steps * math.ceil(layer.units / build.tiles) * row_words * (4 + refined / units)
    return counters | {"ideal_cycles": math.ceil(ideal)}
