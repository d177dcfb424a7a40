# SPDX-License-Identifier: MIT
"""Thresholds of the policies: one number, a price, moves all rows of a network together.

A row is refined where the expected squared error of the loss that a word of its lo plane takes away exceeds 2**price. What a policy sees of a
row moves that error in factors of two; its level puts rows against each other. Of SENSITIVITY, what an error in the cell state does later is
taken as one floor for all of a network.
"""

from collections.abc import Callable
from dataclasses import replace

import torch

from .grid import round_to
from .layer import QuantizedLayer
from .policies import DECIDING, Policy
from .quantized_lstm import QuantizedLSTM

LEVEL_GRID = 2.0**-12  # of prices and levels, before they are rounded to whole units
CELL_FLOORS = (0, 38, 42, 45)  # those that q.levels holds


def set_price(q: QuantizedLSTM, policy: Policy, price: float) -> None:
    """Give all layers of a network the thresholds of a policy at a price."""
    q.layers = [at_price(layer, levels, policy, price) for layer, levels in zip(q.layers, q.levels)]


def set_cell_floor(q: QuantizedLSTM, cell_floor: int) -> None:
    """Give all layers a floor of CELL_FLOORS; a price of SENSITIVITY must follow."""
    q.layers = [replace(layer, cell_floor=cell_floor) for layer in q.layers]


def at_price(layer: QuantizedLayer, levels: dict, policy: Policy, price: float) -> QuantizedLayer:
    """The layer with theta and offsets of a policy, which becomes its own if it decides. Real prices: rounded row by row, to reach shares between those of whole units.

    levels: of the layer, by policy, of SENSITIVITY by cell_floor.
    """
    level = levels[policy][layer.cell_floor] if policy == Policy.SENSITIVITY else levels[policy]
    rows = torch.floor(round_to(price + level, LEVEL_GRID) + 0.5)
    theta = rows.median(0).values.clamp(-128, 127)
    own = policy if policy in DECIDING else layer.policy
    return replace(layer, policy=own, theta=tuple(theta.int().tolist()), offset=(rows - theta).clamp(-128, 127).long().contiguous())


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
