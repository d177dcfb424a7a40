# SPDX-License-Identifier: MIT
"""Measurements of a network under its policies, on its calibration data; kept in the cache, so that what was interrupted goes on."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from functools import cached_property, wraps
from hashlib import sha256
from typing import ClassVar, TypeVar

import numpy as np

from .cache import cached
from .choose import Swept, test_error, trimmed_mean
from .evaluation import Bootstrap, Estimate, evaluate, loss
from .fit import FittedNetwork, fit
from .levels import LEVELS, Cost, time_cost
from .networks import Network, Part, Sample, load
from .networks.freeze import FROZEN
from .policies import Policy
from .quantize import Settings
from .quantized_network import Progress, QuantizedNetwork
from .sources import code

Kept = TypeVar("Kept")

FIT_STEPS = 12_800
# How each network is quantized, where it was tried on its error; others as Settings() has it.
SETTINGS = {"resemblyzer": Settings(emphasis=1.0, cell_floor=45), "ddddocr": Settings(cell_floor=0)}


def settings_of(name: str) -> Settings:
    """How a network is quantized: its entry of SETTINGS, or Settings() as it is."""
    return SETTINGS.get(name, Settings())


class Use(Enum):
    """What data are for: operating points are chosen on SEARCH, and what they give is reported on CHECK, which has other groups, both of the held-out
    part; TEST is the test part, for the last evaluation alone."""

    SEARCH = "search"
    CHECK = "check"
    TEST = "test"


# Steps of each use but TEST, which has all that there are. Bits vary much from text to text, pairs of voices from voice to voice.
STEPS = {"textgenrnn": 60_000, "resemblyzer": 32_000, "silero": 40_000}
OTHER_STEPS = 20_000


@dataclass(frozen=True)
class Design:
    """What is set before a Lagrange multiplier: the name of a set of levels, exponents of the groups of x, what is to be saved (Study.costs), and whether a level
    has offsets and biases of its own. As it is, the design of builds, chosen by measurement (docs/policies.md)."""

    levels: str = "HH 3/4 all"
    exponents: bool = True
    cost: str = "time"
    own_offsets: bool = False
    own_biases: bool = False


@dataclass
class Point:
    """What a policy gives: errors of the output and metric of each sample, the metric's estimate, speeds, shares by level, words by quarter.

    errors: mean squared difference of the comparable output from float, and single: metric, both float64 [samples]. speed: ideal, over the baseline build, with
    padded words; over_high: over STATIC_HIGH. shares: of row-weights, by code; low_weights: as the paper counts. counts: rows at each level,
    [direction][layer][code]. times: of each sample, its ideal time over the baseline build's, float64 [samples].
    """

    errors: np.ndarray
    single: np.ndarray
    estimate: Estimate
    speed: float
    over_high: float
    shares: list[float]
    low_weights: float
    words: list[int]
    counts: list[list[list[int]]]
    times: np.ndarray

    @property
    def error(self) -> float:
        """Mean error of the output, without the worst samples: see models.choose.trimmed_mean."""
        return trimmed_mean(self.errors)


def kept_by_use(method: Callable[["Study", Use], Kept]) -> Callable[["Study", Use], Kept]:
    """A method whose result for each use is kept in the study, as cached_property keeps one."""
    @wraps(method)
    def keeping(self: "Study", use: Use) -> Kept:
        found = self.__dict__.setdefault(f"{method.__name__} by use", {})
        if use not in found:
            found[use] = method(self, use)
        return found[use]

    return keeping


class Study:
    """A network, fitted with some settings. costs: of a row at a level, by what is to be saved."""

    costs: ClassVar[dict[str, Cost]] = {"time": time_cost}

    def __init__(self, name: str, settings: Settings, steps: int | None = None, fit_steps: int | None = None, test_steps: int | None = None):
        """steps: of SEARCH and of CHECK (default: STEPS); fit_steps: FIT_STEPS without it; test_steps: all of TEST without it."""
        self.network, self.settings, fit_steps = load(name), settings, FIT_STEPS if fit_steps is None else fit_steps
        self.fit_steps = fit_steps
        self.steps = STEPS.get(name, OTHER_STEPS) if steps is None else steps
        self.test_steps = test_steps
        module = type(self.network).__module__
        self.data_key = (name, code(module))
        self._fit_key = (name, settings.emphasis, settings.low_weight, fit_steps, code("models.fit", module))
        self.key = (*self._fit_key, settings.cell_floor)
        self._quantized: dict[Design, QuantizedNetwork] = {}

    def _part(self, part: Part, steps: int | None) -> list[Sample]:
        there = frozen_steps(self.network.name, part)
        steps = None if steps is None or steps >= there else steps
        return cached(("frozen data", *self.data_key, part.name, steps), lambda: self.network.samples(part, steps))

    @cached_property
    def fitted(self) -> FittedNetwork:
        """The network fitted to the first fit_steps steps of FIT; kept in the cache. Raises FileNotFoundError that names the package whose data are not installed."""
        return cached(("fit", *self._fit_key), lambda: fit(self.network, self._part(Part.FIT, self.fit_steps), self.settings))

    @kept_by_use
    def samples(self, use: Use) -> list[Sample]:
        """Samples of a use; groups of the held-out part are dealt to SEARCH and CHECK by the hash of their name.

        Raises FileNotFoundError that names the package whose data are not installed.
        """
        if use is Use.TEST:
            return self._part(Part.TEST, self.test_steps)
        return leading([sample for sample in self._part(Part.HELD_OUT, 4 * self.steps) if use_of(sample.group) is use], self.steps)

    @kept_by_use
    def bootstrap(self, use: Use) -> Bootstrap:
        """Draws of the groups of a use, the same for all that is measured on it."""
        return Bootstrap(self.network, self.samples(use))

    @kept_by_use
    def _exact(self, use):
        return self.network.float_outputs(self.samples(use))

    def _steps_of(self, use):
        return self.test_steps if use is Use.TEST else self.steps

    def quantized(self, design: Design) -> QuantizedNetwork:
        """The network of a design; kept, as a fit holds gradients of every frame and takes long to read."""
        if design not in self._quantized:
            q = cached(("design", *self._fit_key, design), lambda: self.fitted.with_levels(
                LEVELS[design.levels], design.exponents, self.costs[design.cost], design.own_biases))
            q.set_cell_floor(self.settings.cell_floor)
            self._quantized[design] = q
        return self._quantized[design]

    def float_estimate(self, use: Use) -> Estimate:
        """The metric of the float network on the samples of a use, in its own unit; kept in the cache."""
        return cached(("float", *self.data_key, code("models.evaluation"), use.name, self._steps_of(use)), lambda: self.bootstrap(use).estimate(self._exact(use)))

    def point(self, use: Use, design: Design, policy: Policy, log2_lambda: float | None = None, shares: list | None = None, seed: int = 0,
              progress: Progress = lambda steps: None) -> Point:
        """Measure a policy on a use, at a multiplier if it has thresholds; shares [direction][layer][gate][level] and seed: of RANDOM.

        Kept in the cache. log2_lambda: None for a policy without thresholds. progress: told of steps as they are done.
        """
        def measure():
            q, samples = self.quantized(design), self.samples(use)
            if log2_lambda is not None:
                q.set_log2_lambda(policy, log2_lambda, design.own_offsets)
            found, run = evaluate(self.network, q, samples, policy, shares, seed, progress)
            return Point(self._errors(use, found), self._single(use, found), self.bootstrap(use).estimate(found), q.speedup(run), q.speedup_over_high(run),
                         q.level_shares(run), q.low_weight_share(run), q.words_by_quarter(run), [[part.sum((1, 2)).tolist() for part in layers] for layers in run.rows],
                         q.time_over_baseline(run).numpy())

        return cached(("point", *self.key, code("models.evaluation"), use.name, self._steps_of(use), design, policy.name, log2_lambda, shares, seed), measure)

    def against_high(self, use: Use, log2_lambda: float, point: Point, high: Point) -> Swept:
        """A point of a sweep: its excess error and its loss against STATIC_HIGH, and the error that the loss has in the test."""
        samples, network = self.samples(use), self.network
        replicates = self.loss(use, high.estimate.replicates, point.estimate.replicates)
        names = list(dict.fromkeys(sample.group for sample in samples))
        groups = np.array([names.index(sample.group) for sample in samples])
        weights = np.array([float(network.weight(sample)) for sample in samples])
        sizes = test_sizes(network.name)
        if abs(np.average(point.single, weights=weights) - point.estimate.value) < 1e-6 * max(1, abs(point.estimate.value)):
            error = test_error(self.loss(use, high.single, point.single), weights, groups, sizes)
        else:  # no mean over samples: groups alone tell how much a test says
            error = float(np.nanstd(replicates)) * (len(names) / len(sizes))**0.5
        return Swept(log2_lambda, point.error - high.error, replicates, error)

    def against_float(self, use: Use, point: Point) -> np.ndarray:
        """Replicates of the loss against float, float64 [replicates], in margins."""
        return self.loss(use, self.float_estimate(use).replicates, point.estimate.replicates)

    def speed(self, use: Use, point: Point) -> Estimate:
        """Ideal speed over the baseline build, with its replicates over groups, paired with those of all other points of the use."""
        time = self.bootstrap(use).mean(point.times, np.array([len(sample.inputs) for sample in self.samples(use)]))
        return Estimate(1 / time.value, 1 / time.replicates)

    def loss(self, use: Use, reference: float | np.ndarray, metric: float | np.ndarray) -> float | np.ndarray:
        """How much worse a metric is than a reference, in margins, of figures or float64 replicates [replicates] alike, both in the metric's unit."""
        return loss(self.network, self.float_estimate(use).value, reference, metric)

    def _errors(self, use, found):
        """Mean squared difference of each sample's output from float, where it is comparable."""
        comparable = self.network.comparable
        return np.array([float((comparable(a) - comparable(b)).square().mean()) for a, b in zip(found, self._exact(use))])

    def _single(self, use, found):
        return np.array([self.network.metric([sample], [output]) for sample, output in zip(self.samples(use), found)])


def frozen_steps(name: str, part: Part) -> int:
    """Steps of a part, as frozen.json counts them."""
    return json.loads(FROZEN.read_text())[name][part.value]["steps"]


def test_sizes(name: str) -> list[float]:
    """Samples of each group of a network's test, as frozen.json counts them: all groups alike."""
    test = json.loads(FROZEN.read_text())[name][Part.TEST.value]
    return [test["samples"] / test["groups"]] * test["groups"]


def use_of(group: str) -> Use:
    """By the name of the group alone; other bits of its hash than those that part the data."""
    return Use.CHECK if sha256(b"use " + group.encode()).digest()[-1] % 2 else Use.SEARCH


def check_samples(network: Network, steps: int) -> list[Sample]:
    """Samples of CHECK, which no fit and no choice has seen, that hold so many steps. The last one is cut there, unless the network needs all of it.

    Raises ValueError when there are not so many, and FileNotFoundError as Network.samples.
    """
    there, wanted = frozen_steps(network.name, Part.HELD_OUT), 4 * steps
    while True:
        samples = network.samples(Part.HELD_OUT, None if wanted >= there else wanted)
        chosen = leading([sample for sample in samples if use_of(sample.group) is Use.CHECK], steps)
        left = steps - sum(len(sample.inputs) for sample in chosen[:-1])
        if chosen and len(chosen[-1].inputs) >= left:
            break
        if wanted >= there:
            raise ValueError(f"there are {sum(len(sample.inputs) for sample in chosen)} steps, fewer than {steps}")
        wanted *= 4
    if network.needs_whole:
        return chosen
    last = chosen[-1]
    return [*chosen[:-1], Sample(last.inputs[:left], last.labels[:left], last.group)]


def leading(samples: list[Sample], steps: int) -> list[Sample]:
    """The first samples that hold so many steps, none of them cut; all, where there are not so many."""
    count = np.cumsum([len(sample.inputs) for sample in samples])
    return samples[:int(np.searchsorted(count, steps)) + 1]

