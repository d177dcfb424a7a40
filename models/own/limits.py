# SPDX-License-Identifier: MIT
"""What sizes alone say of an LSTM on a build: whether it fits, memory in use, and bounds of cycles and speed, before anything is quantized or simulated."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from types import SimpleNamespace

import torch
from torch import Tensor

from ..build import Build
from ..compiler import demands
from ..cycle_model import CycleModel
from ..float_lstm import layer_weights
from ..formats import GATES
from ..importers.imported import ImportedLSTM, ImportFailure
from ..layer import segment_words
from ..levels import ALL, QUARTERS, Level, row_quarters
from ..policies import Policy
from ..quantize import CHOSEN_LEVELS, INPUT_ERROR, needs_two_terms
from ..quantized_network import stages

STEPS = 3  # after which all steps take the same cycles, if no row is refined
MANY_WORDS = 4096  # of a tile in a step: from here on, what waits is less than a hundredth
LOWEST, ONE_WORD = CHOSEN_LEVELS[0], Level(1, 1, 1)  # of the dynamic build, and of the baseline build, whose words have 8 bits
MEMORY, WORDS = 1 << 21, Build()  # 8-bit weights that a build holds as a rule


def own_build(tiles: str | int | None = None, lanes: str | int | None = None, weights: str | int | None = None) -> Build:
    """The build of TILES=, LANES= and WEIGHTS=, words of weights a tile (default: 2 MiB in all tiles). Raises ImportFailure for what cannot be built."""
    values = {}
    for name, text in (("TILES", tiles), ("LANES", lanes), ("WEIGHTS", weights)):
        try:
            values[name] = None if text in (None, "") else int(text)
        except ValueError as error:
            raise ImportFailure(f"{name}={text}: a whole number is needed") from error
    tiles, lanes = (default if values[name] is None else values[name] for name, default in (("TILES", WORDS.tiles), ("LANES", WORDS.lanes)))
    given = ", ".join(f"{name}={value}" for name, value in values.items() if value is not None)
    try:
        depth = MEMORY // (max(1, tiles) * max(1, lanes)) if values["WEIGHTS"] is None else values["WEIGHTS"]
        build = Build(tiles, lanes, weight_depth=depth, unit_depth=-(-WORDS.unit_depth * WORDS.tiles // max(1, tiles)),
                      activation_depth=WORDS.activation_depth * WORDS.lanes // max(1, lanes))
        build.baseline()
    except ValueError as error:
        rule = str(error).split(":")[0].replace("WeightDepth", "WEIGHTS").replace("Tiles", "TILES").replace("Lanes", "LANES")
        raise ImportFailure(f"{given}: {rule}" + (" (the baseline build has four times as many)" if "WEIGHTS" in rule else "")) from error
    return build


@dataclass(frozen=True)
class Sizes:
    """A layer, as far as the schedule asks; what it has in common with QuantizedLayer."""

    inputs: int
    units: int
    terms: int = 1
    by_code: tuple = CHOSEN_LEVELS


@dataclass
class Bounds:
    """Cycles of a step: of the baseline build, with all rows in 8 bits, and with all at the lowest level. where: which layers, in words."""

    where: str
    baseline: int
    high: int
    low: int
    reason: str = ""

    @property
    def speeds(self) -> tuple[float, float]:
        """(lowest, highest) over the baseline build."""
        return self.baseline / self.high, self.baseline / self.low


@dataclass
class Limits:
    """Of a whole LSTM on a build: memories as of `demands` of the run that needs most, bounds of a step of all and of each layer, and sentences about them."""

    build: Build
    memories: list[tuple[str, int, int, str]]
    total: Bounds
    layers: list[Bounds]
    notes: list[str] = field(default_factory=list)

    def lines(self) -> list[str]:
        """For a person."""
        build, (slowest, fastest) = self.build, self.total.speeds
        used = ", ".join(f"{needed:,} of {available:,} {what}" for what, needed, available, _ in self.memories)
        return [
            f"build: {build.tiles} tiles of {build.lanes} lanes; it fits: {used}",
            f"cycles of a step: {self.total.baseline:,} on the baseline build, {self.total.high:,} with all rows in 8 bits, {self.total.low:,} with all at the lowest "
            f"level: speed {slowest:.2f}x to {fastest:.2f}x",
            *[f"{layer.where}: {layer.reason}" for layer in self.layers if layer.reason], *self.notes]


def limits(imported: ImportedLSTM, build: Build = Build(), inputs: list[Tensor] | None = None) -> Limits:
    """What a build says of an LSTM: memories, cycles of a step, sentences.

    inputs: sequences, float [steps, inputs], by which an input takes one or two vectors; without them it takes one. Raises ImportFailure, which says what to set,
    where the build does not hold the LSTM.
    """
    terms, notes = _terms(imported, inputs)
    runs = [list(run) for run in _runs(imported, terms)]
    memories = max((demands(run, build)[1] for run in runs), key=lambda found: max(needed / available for _, needed, available, _ in found))
    for what, needed, available, _ in memories:
        if needed > available:
            raise ImportFailure(f"the LSTM needs {needed:,} {what}, a build of {build.tiles} tiles of {build.lanes} lanes has {available:,}: "
                                f"{_remedy(what, needed, runs, build)}")
    total = _bounds("all layers", runs, build)
    layers = []
    for number, run in enumerate(runs):
        for place, sizes in enumerate(run):
            name = f"layer {place}" if len(runs) == 1 else f"run {number}, layer {place}" if len(run) > 1 else f"run {number}"
            alone = _bounds("", [[sizes]], build)
            layers.append(Bounds(f"{name} ({sizes.inputs} inputs, {sizes.units} units)", alone.baseline, alone.high, alone.low, _reason(alone, sizes, build)))
    return Limits(build, memories, total, layers, notes)


def _terms(imported, inputs):
    """Vectors that the input takes, by direction of the first LSTM, and a sentence where these are two."""
    first = imported.lstms[0]
    if not inputs:
        return [1] * (1 + first.bidirectional), []
    x = torch.cat([imported.directed(sequence) for sequence in inputs]).double()
    terms = [1 + needs_two_terms(x, layer_weights(first, 0, suffix).w_ih, x.abs().max().item()) for suffix in ("", "_reverse")[:1 + first.bidirectional]]
    if max(terms) == 1:
        return terms, []
    return terms, [f"the input takes two 8-bit vectors a step: with one, its rounding would be more than {INPUT_ERROR:.0%} of the pre-activations, as a mean over steps; "
                   "inputs of one size, without rare large ones, take one"]


def _runs(imported, terms) -> Iterator[list[Sizes]]:
    """Layers of each run of the accelerator."""
    stack, first = [], iter(terms)
    for lstm in imported.lstms:
        for stage in stages(lstm):
            sizes = [[Sizes(module.input_size if not layer else module.hidden_size, module.hidden_size, next(first, 1) if not layer else 1)
                      for layer in range(module.num_layers)] for module in stage]
            if len(stage) == 1:
                stack += sizes[0]
                continue
            if stack:
                yield stack
                stack = []
            yield from sizes
    if stack:
        yield stack


def _bounds(where, runs, build):
    def cycles(own, policy):
        return sum(_step_cycles(tuple(run), own, policy) for run in runs)

    return Bounds(where, cycles(build.baseline(), Policy.STATIC_HIGH), cycles(build, Policy.STATIC_HIGH), cycles(build, Policy.STATIC_LOW))


@cache
def _step_cycles(layers, build, policy):
    """Cycles of a step of a run: its words, or, where these are few, those of the cycle model, as something may wait."""
    quarters = LOWEST if policy is Policy.STATIC_LOW else ALL if build.dynamic else ONE_WORD
    words = sum(-(-layer.units // build.tiles) * len(GATES) * row_quarters(quarters, segment_words(layer.inputs, layer.units, layer.terms, build.dot_lanes))
                for layer in layers)
    if words >= MANY_WORDS:
        return words
    levels = [torch.zeros(2 * STEPS, layer.units, len(GATES), dtype=torch.int8) for layer in layers]
    short, long = (CycleModel(SimpleNamespace(layers=layers), build, [own[:steps] for own in levels], [list(range(layer.units)) for layer in layers], policy).cycles()
                   for steps in (STEPS, 2 * STEPS))
    return (long - short) // STEPS


def _reason(bounds, sizes, build):
    """Why a layer is slower than on the baseline build, in 8 bits or even at its fastest; empty where it is hardly so."""
    slowest, fastest = bounds.speeds
    if slowest > 0.9:
        return ""
    words = {own: sum(segment_words(sizes.inputs, sizes.units, sizes.terms, own.dot_lanes)) for own in (build, build.baseline())}
    padded = len(QUARTERS) * words[build] / words[build.baseline()]
    cause = (f"words of {build.lanes} values are filled by sizes that are multiples of {build.lanes} only, so 8 bits take {padded:.2g} times the words; fewer LANES= help"
             if padded > 1.1 else f"{-(-sizes.units // build.tiles)} units a tile do not fill the time until h of the step before is there; fewer TILES= help")
    always = "even with all rows at the lowest level" if fastest < 1 else "in 8 bits"
    return f"{slowest if fastest >= 1 else fastest:.2f}x the speed of the baseline build {always}: {cause}"


def _remedy(what, needed, runs, build):
    if what.startswith("activation"):
        return "fewer inputs, units or layers are needed"
    tiles = next((tiles for tiles in range(build.tiles + 1, 17) if all(
        own <= limit for run in runs for _, own, limit, _ in demands(run, own_build(tiles, build.lanes, build.weight_depth))[1])), None)
    return " or ".join([*([f"WEIGHTS={needed}"] if what.startswith("weight") else []), *([f"TILES={tiles}"] if tiles else [])]) or "a smaller LSTM is needed"
