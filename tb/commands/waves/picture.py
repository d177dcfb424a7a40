# SPDX-License-Identifier: MIT
"""A picture of a step that a waveform viewer cannot give: what every tile does in each cycle of the whole step, at one scale for several policies."""

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import pywellen
from PIL import Image, ImageDraw, ImageFont

from models.formats import CycleClass, Quarter
from tb.bench.runner import PERIOD

PICOSECONDS = 1000  # in a nanosecond: times of a waveform are in ps
TILES = "harness.accelerator.u_tile_array.gen_tiles"
# What a tile does in a cycle, with its colour and the codes of classes: a word of a quarter, or nothing.
COLOURS = {Quarter.HH: "#4682b4", Quarter.HL: "#f0a040", Quarter.LH: "#d2691e", Quarter.LL: "#8b3a0f"}
KINDS = {**{quarter.name: (colour, {CycleClass[quarter.name]}) for quarter, colour in COLOURS.items()},
         "waiting": ("#c8c8c8", {*CycleClass} - {CycleClass[quarter.name] for quarter in Quarter})}
CYCLES_A_PIXEL = 2
ROW, GAP, LEFT, RIGHT, FONT_SIZE = 18, 3, 90, 24, 15


@dataclass
class Step:
    """A step of a waveform: begin and end in ns, and the class of every tile in each of its cycles."""

    begin: int
    end: int
    classes: list[list[int]]

    @property
    def cycles(self) -> int:
        return (self.end - self.begin) // PERIOD


def steps_of(waves: Path) -> list[Step]:
    """The steps of a waveform of the harness, from the end of one to the end of the next (the first: from the start of the run)."""
    signals = {variable.full_name: variable.signal for variable in pywellen.Waveform(str(waves)).all_vars()}
    start = next(time for time, value in signals["harness.accelerator.start"] if value == 1)
    ends = [start, *(time for time, value in signals["harness.accelerator.step_done"] if value == 1)]
    tiles = [signals[name] for name in (f"{TILES}[{tile}].u_tile.class_o" for tile in range(16)) if name in signals]
    return [Step(begin // PICOSECONDS, end // PICOSECONDS, [_sampled(tile, begin, end) for tile in tiles]) for begin, end in pairwise(ends)]


def _sampled(signal, begin: int, end: int) -> list[int]:
    """The value of a signal in each cycle from begin to end (ps)."""
    changes, values, current = iter(signal), [], 0
    following = next(changes, None)
    for time in range(begin, end, PERIOD * PICOSECONDS):
        while following and following[0] <= time:
            current, following = following[1], next(changes, None)
        values.append(current)
    return values


def timeline(steps: dict[str, Step], path: Path) -> Path:
    """Draws the tiles of each step, policies one below the other at one scale, and returns the path."""
    font = ImageFont.load_default(FONT_SIZE)
    width = LEFT + max(step.cycles for step in steps.values()) // CYCLES_A_PIXEL + RIGHT
    height = 2 * ROW + sum((len(step.classes) + 2) * (ROW + GAP) for step in steps.values())
    image = Image.new("RGB", (width, height), "white")
    draw = ImageDraw.Draw(image)
    colours = {code: colour for colour, codes in KINDS.values() for code in codes}
    y = GAP
    for name, step in steps.items():
        counts = {kind: sum(code in codes for tile in step.classes for code in tile) for kind, (_, codes) in KINDS.items()}
        shares = ", ".join(f"{kind} {count / (step.cycles * len(step.classes)):.1%}" for kind, count in counts.items())
        draw.text((LEFT, y), f"{name}: {step.cycles} cycles, {shares}", "black", font)
        y += ROW + GAP
        for tile, classes in enumerate(step.classes):
            draw.text((8, y), f"tile {tile}", "black", font)
            for x, code in enumerate(classes[::CYCLES_A_PIXEL]):
                draw.line([(LEFT + x, y), (LEFT + x, y + ROW)], colours[code])
            y += ROW + GAP
        y += ROW
    x = LEFT
    for kind, (colour, _) in KINDS.items():
        draw.rectangle([x, y, x + ROW, y + ROW - 4], colour)
        draw.text((x + ROW + 6, y - 1), kind, "black", font)
        x += 130
    image.save(path)
    return path
