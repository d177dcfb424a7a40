"""Thresholds of the policies: one number for each policy moves all rows, or all layers, of a network together.

SENSITIVITY refines where the expected squared error of the loss that a word of a lo plane takes away exceeds a price; what an error in the
cell state does later is taken as one floor for all of a network. CELL_HISTORY refines the same share of the units' steps in every layer, with the hold that leaves the least error.
"""

from dataclasses import dataclass

import torch

CELL_FLOORS = (0, 38, 42, 45)  # those that q.levels holds
BINS = 200
HOLDS = (1, 2, 3)
FIRST_STEP = 1 << 16  # above every change: CELL_HISTORY refines all of a first step


@dataclass
class HistoryChoices:
    """What CELL_HISTORY can do in a layer, [holds, BINS + 1] each, from none to all refined.

    thresholds: int64; errors: float64, expected squared error of the loss in a step that is left.
    """

    thresholds: torch.Tensor
    errors: torch.Tensor


def set_sensitivity(q, price):
    """Set theta and offsets for the price 2**price. Real prices: rounded row by row, to reach shares between those of half octaves."""
    for layer, levels in zip(q.layers, q.levels):
        rows = torch.floor(price + levels[layer.cell_floor] + 0.5).T
        layer.theta = tuple(rows.median(1).values.clamp(-128, 127).int().tolist())
        layer.offset = (rows - torch.tensor(layer.theta).unsqueeze(1)).clamp(-128, 127).T.long().contiguous()


def set_cell_floor(q, cell_floor):
    """Set the floor of CELL_FLOORS in all layers; set_sensitivity must follow."""
    for layer in q.layers:
        layer.cell_floor = cell_floor


def set_history(q, low_share):
    """Set threshold and hold of CELL_HISTORY in each layer for a low share, as it is in a run without errors."""
    place = round((1 - low_share) * BINS)
    for layer, choices in zip(q.layers, q.history):
        hold = int(choices.errors[:, place].argmin())
        layer.hold, layer.history_threshold = HOLDS[hold], int(choices.thresholds[hold, place])


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


def recent_change(c, hold):
    """Largest change of each cell over the last `hold` steps before a step, FIRST_STEP on the first one; c [batch, steps, units]."""
    c = c.int()
    change = c.diff(dim=1, prepend=torch.zeros_like(c[:, :1])).abs()
    recent = torch.zeros_like(change)
    recent[:, 0] = FIRST_STEP
    for lag in range(1, min(hold, c.shape[1] - 1) + 1):
        recent[:, lag:] = torch.maximum(recent[:, lag:], change[:, :-lag])
    return recent


def history_choices(c, valid, errors):
    """HistoryChoices of a layer from its cells c [batch, steps, units], and errors [frames, units] of units in low precision where valid
    [batch, steps] is true."""
    columns = []
    for hold in HOLDS:
        recent, order = recent_change(c, hold)[valid].flatten().sort(stable=True)
        left = errors.flatten()[order].cumsum(0) / len(errors)
        left = torch.cat((left.new_zeros(1), left))
        places = torch.linspace(0, len(recent) - 1, BINS + 1).long().flip(0)
        # Units of equal change are refined together: those below the threshold stay low.
        thresholds = (recent[places] + (places == len(recent) - 1)).clamp(1, 65535)
        columns.append((thresholds.long(), left[torch.searchsorted(recent, thresholds)]))
    return HistoryChoices(*(torch.stack(parts) for parts in zip(*columns)))
