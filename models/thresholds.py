"""Thresholds of the policies: one number, a price, moves all rows of a network together.

A row is refined where the expected squared error of the loss that a word of its lo plane takes away exceeds 2**price. What a policy sees of a
row moves that error in factors of two; its level puts rows against each other. Of SENSITIVITY, what an error in the cell state does later is
taken as one floor for all of a network.
"""

import torch

from .grid import round_to
from .policies import DECIDING, Policy

LEVEL_GRID = 2.0**-12  # of prices and levels, before they are rounded to whole units
CELL_FLOORS = (0, 38, 42, 45)  # those that q.levels holds


def set_price(q, policy, price):
    """Set theta and offsets for a policy, which becomes that of the layers if it decides. Real prices: rounded row by row, to reach shares
    between those of whole units."""
    for layer, levels in zip(q.layers, q.levels):
        layer.policy = policy if policy in DECIDING else layer.policy
        level = levels[policy][layer.cell_floor] if policy == Policy.SENSITIVITY else levels[policy]
        rows = torch.floor(round_to(price + level, LEVEL_GRID) + 0.5).T
        layer.theta = tuple(rows.median(1).values.clamp(-128, 127).int().tolist())
        layer.offset = (rows - torch.tensor(layer.theta).unsqueeze(1)).clamp(-128, 127).T.long().contiguous()


def set_cell_floor(q, cell_floor):
    """Set the floor of CELL_FLOORS in all layers; a price of SENSITIVITY must follow."""
    for layer in q.layers:
        layer.cell_floor = cell_floor


def seek(set_to, share_of, low_share, bounds, precision):
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
