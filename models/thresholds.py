"""Thresholds of the policies from what errors cost: one number moves all rows, or all layers, of a network together.

Both follow one rule, refine where the expected squared error of the loss that a word of a lo plane takes away exceeds a price.
"""

from dataclasses import dataclass

import torch

BINS = 50
HOLDS = (1, 2, 3)
FIRST_STEP = 1 << 16  # above every change: CELL_HISTORY refines all of a first step


@dataclass
class HistoryChoices:
    """What CELL_HISTORY can do in a layer, float64 [holds, BINS + 1] each.

    thresholds: from none to all refined; errors: expected squared error of the loss in a step; words: of lo planes, read in a step.
    """

    thresholds: torch.Tensor
    errors: torch.Tensor
    words: torch.Tensor


def set_sensitivity(q, price):
    """Set theta and offsets for the price 2**price. Real prices: rounded row by row, to reach shares between those of half octaves."""
    for layer, levels in zip(q.layers, q.levels):
        rows = torch.floor(price + levels + 0.5).T
        layer.theta = tuple(rows.median(1).values.clamp(-128, 127).int().tolist())
        layer.offset = (rows - torch.tensor(layer.theta).unsqueeze(1)).clamp(-128, 127).T.long().contiguous()


def set_history(q, price):
    """Set threshold and hold of CELL_HISTORY in each layer for the price 2**price."""
    for layer, choices in zip(q.layers, q.history):
        best = int((choices.errors + 2.0**price * choices.words).argmin())
        hold, choice = divmod(best, choices.thresholds.shape[1])
        layer.hold, layer.history_threshold = HOLDS[hold], int(choices.thresholds[hold, choice])


def recent_change(c, hold):
    """Largest change of each cell over the last `hold` steps before a step, FIRST_STEP on the first one; c [batch, steps, units]."""
    c = c.int()
    change = c.diff(dim=1, prepend=torch.zeros_like(c[:, :1])).abs()
    recent = torch.zeros_like(change)
    recent[:, 0] = FIRST_STEP
    for lag in range(1, min(hold, c.shape[1] - 1) + 1):
        recent[:, lag:] = torch.maximum(recent[:, lag:], change[:, :-lag])
    return recent


def history_choices(c, valid, errors, unit_words):
    """HistoryChoices of a layer from its cells c [batch, steps, units], errors [frames, units] of units in low precision where valid
    [batch, steps] is true, and the words of all lo rows of a unit."""
    columns = []
    for hold in HOLDS:
        recent, order = recent_change(c, hold)[valid].flatten().sort(stable=True)
        left = errors.flatten()[order].cumsum(0) / len(errors)
        places = torch.linspace(0, len(recent) - 1, BINS + 1).long().flip(0)
        # Units of equal change are refined together: those below the threshold stay low.
        thresholds = (recent[places] + (places == len(recent) - 1)).clamp(1, 65535)
        low = torch.searchsorted(recent, thresholds)
        left = torch.cat((left.new_zeros(1), left))[low]
        columns.append((thresholds.double(), left, unit_words * (len(recent) - low) / len(errors)))
    return HistoryChoices(*(torch.stack(parts) for parts in zip(*columns)))
