# SPDX-License-Identifier: MIT
"""Thresholds of the policies: one number, the log2 of a Lagrange multiplier, moves all rows of a network together.

A row is refined from level to level where the expected squared error of the loss that a word of quarter products takes away exceeds 2**log2_lambda. What a
policy sees of a row moves that error in factors of two; its row offset puts rows against each other. Of SENSITIVITY, what an error in the cell state does
later is taken as one floor for all of a network.
"""

from collections.abc import Callable
from dataclasses import replace

import torch

from .formats import DESCRIPTOR, ROW_CONSTANT
from .grid import round_to
from .policies import POLICIES, Policy
from .quantized_lstm import QuantizedLSTM

OFFSET_GRID = 2.0**-12  # of log2_lambda and row offsets, before they are rounded to whole units


def set_log2_lambda(q: QuantizedLSTM, policy: Policy, log2_lambda: float, own_offsets: bool = False) -> None:
    """Give all layers of a network the thresholds of a policy at a Lagrange multiplier; the policy becomes their own if it decides. Real numbers: rounded row by row,
    to reach shares between those of whole units.

    log2_lambda: log2 of the squared effect that a word of quarter products must take away. own_offsets: offsets of each row and level; else a row has one, that of
    the first level, and the levels differ by gate, as in builds. Raises KeyError for a policy without thresholds.
    """
    theta_range, offset_range = DESCRIPTOR["theta_all"].range, ROW_CONSTANT["offset"].range
    q.layers = list(q.layers)  # networks of other policies may have the same list
    for number, (layer, row_offsets) in enumerate(zip(q.layers, q.row_offsets)):
        if len(layer.levels) == 1:
            continue
        rows = torch.floor(round_to(log2_lambda + row_offsets[policy][layer.cell_floor], OFFSET_GRID) + 0.5)
        if own_offsets:
            theta = rows.median(1).values.clamp(*theta_range)
            offset = rows - theta.unsqueeze(1)
        else:
            first = rows[0].median(0).values.clamp(*theta_range)
            offset = (rows[0] - first).expand_as(rows)
            theta = torch.floor((rows - offset).median(1).values + 0.5).clamp(*theta_range)
        q.layers[number] = replace(layer, policy=policy if POLICIES[policy].decides else layer.policy,
                                   theta=tuple(map(tuple, theta.int().tolist())), offset=offset.clamp(*offset_range).long().contiguous())


def set_cell_floor(q: QuantizedLSTM, cell_floor: int) -> None:
    """Give all layers a floor of models.effects.CELL_FLOORS, a code in half octaves; set_log2_lambda of SENSITIVITY must follow. Raises ValueError for one that the
    format does not hold."""
    q.layers = [replace(layer, cell_floor=cell_floor) for layer in q.layers]


def seek(set_to: Callable[[float], None], found: Callable[[], float], target: float, bounds: tuple[float, float], precision: float) -> float:
    """Set and return the number within bounds with which something comes near to a target; a larger number gives more of it.

    set_to(number) sets it, found() is what it gives, in the unit of target. Bisection, until the bounds are no farther apart than precision.
    """
    below, above = bounds
    while above - below > precision:
        middle = (below + above) / 2
        set_to(middle)
        below, above = (middle, above) if found() < target else (below, middle)
    set_to(above)
    return above
