# SPDX-License-Identifier: MIT
"""Quarter products, and the levels of precision that are made of them.

With w = 16 wh + wl and a = 16 ah + al the product w a is 256 wh ah + 16 wh al + 16 wl ah + wl al. The quarters are named by weight and
activation, and are added in one order: HH, HL, LH, LL. A segment of a row (the first or second vector of the input, or h) has the first few
of them; a level says how many, for each segment.
"""

from collections.abc import Callable
from itertools import pairwise
from typing import NamedTuple

from .formats import Quarter

QUARTERS = tuple(quarter.name for quarter in Quarter)
SEGMENTS = ("x0", "x1", "h")


class Level(NamedTuple):
    """Quarters, 0..4, of each segment of a row: of the input's first and second vector, and of h."""

    x0: int
    x1: int
    h: int


Levels = tuple[Level, ...]

ALL = Level(4, 4, 4)
HH = Level(1, 0, 1)
# Sets of levels by name. The second vector of an input carries what the first one leaves, 1/238 of its size: the lowest levels go without it.
LEVELS: dict[str, Levels] = {
    "HH all": (HH, ALL),
    "HH 3/4": (HH, Level(3, 1, 3)),
    "HH HL all": (HH, Level(2, 1, 2), ALL),
    "HH HL 3/4": (HH, Level(2, 1, 2), Level(3, 2, 3)),
    "HH 3/4 all": (HH, Level(3, 1, 3), ALL),
    "HH HL 3/4 all": (HH, Level(2, 1, 2), Level(3, 2, 3), ALL),
    "HH x:HL HL all": (HH, Level(2, 1, 1), Level(2, 1, 2), ALL),
    "HH x:HL HL 3/4 all": (HH, Level(2, 1, 1), Level(2, 1, 2), Level(3, 2, 3), ALL),
    "HL all": (Level(2, 2, 2), ALL),  # two planes of weights
}


def check(levels: Levels) -> None:
    """Raises ValueError where no hardware could refine one level into the next: a later one holds all quarters of the one before, and more."""
    if not levels:
        raise ValueError("no levels: a layer has one at least")
    for level in levels:
        if not all(0 <= quarters <= len(QUARTERS) for quarters in level):
            raise ValueError(f"{level}: a segment has 0..{len(QUARTERS)} quarters")
    for low, high in pairwise(levels):
        if low == high or any(before > after for before, after in zip(low, high)):
            raise ValueError(f"{high} after {low}: a level holds every quarter of the one before it, and more")


def quarter_words(level: Level, words: tuple[int, int, int]) -> tuple[int, int, int, int]:
    """Words of each quarter, HH, HL, LH and LL, that a row adds: words of each segment, x0, x1 and h."""
    return tuple(sum(count for quarters, count in zip(level, words) if quarters > quarter) for quarter in range(len(QUARTERS)))


def row_quarters(level: Level, words: tuple[int, int, int]) -> int:
    """Words of quarter products, each a cycle of a tile, that a row takes: words of each segment, x0, x1 and h."""
    return sum(quarters * count for quarters, count in zip(level, words))


# Cost of a row that ends at a level, where the lowest level was computed first: (level, lowest level, words of each segment).
Cost = Callable[[Level, Level, tuple[int, int, int]], float]


def time_cost(level: Level, lowest: Level, words: tuple[int, int, int]) -> float:
    """Cycles of a tile: no quarter is computed twice, so that the lowest level costs nothing extra."""
    return row_quarters(level, words)
