# SPDX-License-Identifier: MIT
"""Thresholds of the policies: one number, the log2 of a Lagrange multiplier, moves all rows of a network together.

A row is refined where the expected squared error of the loss that a word of its lo plane takes away exceeds 2**log2_lambda. What a policy sees of a
row moves that error in factors of two; its row offset puts rows against each other. Of SENSITIVITY, what an error in the cell state does later is
taken as one floor for all of a network.
"""

from collections.abc import Callable
from dataclasses import replace

import torch

from .formats import DESCRIPTOR, ROW_CONSTANT
from .grid import round_to
from .layer import QuantizedLayer
from .policies import DECIDING, Policy
from .quantized_lstm import QuantizedLSTM

OFFSET_GRID = 2.0**-12  # of log2_lambda and row offsets, before they are rounded to whole units
CELL_FLOORS = (0, 38, 42, 45)  # those that q.row_offsets holds


def set_log2_lambda(q: QuantizedLSTM, policy: Policy, log2_lambda: float) -> None:
    """Give all layers of a network the thresholds of a policy at a Lagrange multiplier."""
    q.layers = [at_log2_lambda(layer, row_offsets, policy, log2_lambda) for layer, row_offsets in zip(q.layers, q.row_offsets)]


def set_cell_floor(q: QuantizedLSTM, cell_floor: int) -> None:
    """Give all layers a floor of CELL_FLOORS; set_log2_lambda of SENSITIVITY must follow."""
    q.layers = [replace(layer, cell_floor=cell_floor) for layer in q.layers]


def at_log2_lambda(layer: QuantizedLayer, row_offsets: dict, policy: Policy, log2_lambda: float) -> QuantizedLayer:
    """The layer with theta and offsets of a policy, which becomes its own if it decides. Real numbers: rounded row by row, to reach shares between those of whole units.

    row_offsets: of the layer, by policy, of SENSITIVITY by cell_floor.
    """
    row_offset = row_offsets[policy][layer.cell_floor] if policy == Policy.SENSITIVITY else row_offsets[policy]
    rows = torch.floor(round_to(log2_lambda + row_offset, OFFSET_GRID) + 0.5)
    theta = rows.median(0).values.clamp(*DESCRIPTOR["theta"].range)
    own = policy if policy in DECIDING else layer.policy
    return replace(layer, policy=own, theta=tuple(theta.int().tolist()), offset=(rows - theta).clamp(*ROW_CONSTANT["offset"].range).long().contiguous())


def seek(set_to: Callable[[float], None], share_of: Callable[[], float], low_share: float, bounds: tuple[float, float], precision: float) -> float:
    """Set and return the number within bounds with which a policy comes near to a low share; a larger number gives a larger share.

    set_to(number) sets it, share_of() is the low share that it gives.
    """
    below, above = bounds
    while above - below > precision:
        middle = (below + above) / 2
        set_to(middle)
        below, above = (middle, above) if share_of() < low_share else (below, middle)
    set_to(above)
    return above
