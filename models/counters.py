# SPDX-License-Identifier: MIT
"""The accelerator's work counters for a run: what it reads and writes, whatever the stalls (docs/registers.md)."""

import math

import torch
from torch import Tensor

from .build import Build
from .formats import Counter, Level, Policy, Quarter, granule_bytes
from .layer import QuantizedLayer, segment_words
from .levels import ALL, quarter_words
from .levels import Level as Quarters
from .policies import POLICIES
from .quantized_lstm import QuantizedLSTM, Run

# Counters that the model knows. The others count cycles, which depend on the schedule.
WORK = (*(Counter[quarter.name] for quarter in Quarter), Counter.ACTIVATION_WRITES, Counter.SCALE_READS, Counter.ROW_CONSTANT_READS, Counter.CELL_READS,
        Counter.CELL_WRITES, Counter.ROW_SUM_WRITES, Counter.STEPS)


def first_level(layer: QuantizedLayer, policy: Policy) -> Quarters:
    """Quarters that the early and the late pass of every row have under a policy."""
    return ALL if POLICIES[policy].level is None else layer.by_code[Level.LOWEST]


def level_counts(levels: Tensor, codes: int) -> list[int]:
    """Rows at each level, by code, of an integer tensor of codes of any shape; codes: how many there are."""
    return torch.bincount(levels.flatten().long(), minlength=codes).tolist()


def work_counters(run: Run, q: QuantizedLSTM, build: Build) -> dict:
    """Counters of a Run of network q on a build, summed over its batch: by name in small letters those of WORK, "rows" by layer, "ideal_cycles".

    A row's early and late pass add the quarters of the level that it starts with, a refinement those that are missing: a word of weights and activations a cycle.
    Where a pass adds quarters of a segment, it reads a scale and writes a row sum once. A pass of post-processing reads four row constants and one cell: one pass a
    unit, two where a row was refined by decision. "rows": units, and rows at MIDDLE and at ALL by gate, of each layer. ideal_cycles spreads the words over the tiles,
    with ceil(units / Tiles) units in each. The baseline build adds 8-bit words, counted in HH.

    Raises ValueError for a run on the baseline build under another policy than STATIC_HIGH.
    """
    if not build.dynamic and any(policy != Policy.STATIC_HIGH for policy in run.policies):
        raise ValueError("the baseline build computes every row in 8 bits: run the network with STATIC_HIGH")
    layer0 = q.layers[0]
    batch, steps = run.h.shape[:2]
    x_granules = layer0.terms * build.words(layer0.inputs) * build.dot_lanes // granule_bytes(build.dot_lanes)
    counters = dict.fromkeys((counter.name.lower() for counter in WORK), 0)
    counters |= {"activation_writes": batch * steps * x_granules, "steps": batch * steps, "rows": []}
    ideal = 0.0
    for layer, levels, policy in zip(q.layers, run.levels, run.policies):
        units = levels[..., 0].numel()
        words = segment_words(layer.inputs, layer.units, layer.terms, build.dot_lanes)
        start, added = first_level(layer, policy), 0
        for level, count in zip(layer.by_code, level_counts(levels, len(layer.by_code))):
            if not build.dynamic:
                added += count * sum(words)
                counters["hh"] += count * sum(words)
                segments = sum(size > 0 for size in words)
            else:
                for quarter, number in zip(Quarter, quarter_words(level, words)):
                    counters[quarter.name.lower()] += count * number
                    added += count * number
                segments = sum((size > 0) * ((before > 0) + (after > before)) for size, before, after in zip(words, start, level))
            counters["scale_reads"] += count * segments
            counters["row_sum_writes"] += count * segments
        second_passes = int((levels > Level.LOWEST).any(-1).sum()) if POLICIES[policy].selector else 0
        counters["row_constant_reads"] += 4 * (units + second_passes)
        counters["cell_reads"] += units + second_passes
        counters["cell_writes"] += units
        counters["activation_writes"] += units
        by_gate = [(levels == level).sum((0, 1, 2)).tolist() for level in (Level.MIDDLE, Level.ALL)]
        counters["rows"].append((units, *by_gate[0], *by_gate[1]))
        ideal += added / layer.units * math.ceil(layer.units / build.tiles)
    return counters | {"ideal_cycles": math.ceil(ideal)}
