# SPDX-License-Identifier: MIT
"""The cycles of a run: cases counted by hand, and what the schedule costs over the ideal. That the model equals the RTL is tested in tb/."""

import pytest
import torch

from models.build import Build
from models.counters import level_counts, work_counters
from models.cycle_model import DONE_TO_USE, GRANULE_TO_USE, PASS, WORD_TO_REQUEST, CycleModel
from models.formats import Level
from models.levels import LEVELS, row_quarters
from models.policies import Policy
from models.quantized_lstm import Run, State
from models.tests.random_networks import random_network

STEPS = 20
SHARES = (0.7, 0.25, 0.05)  # of levels
# One step of one unit with one input, one tile: a beat of exponents and one of values are taken in cycles 1 and 2, the last of 4 granules leaves in 6. After the
# words of the rows post-processing sees the unit; h is fetched and taken, and two cycles later the run is done.
ONE_UNIT = 6 + GRANULE_TO_USE + WORD_TO_REQUEST + PASS + 1 + DONE_TO_USE + 1 + 2


def random_levels(q, steps=STEPS, shares=SHARES):
    generator = torch.Generator().manual_seed(1)
    return [torch.multinomial(torch.tensor(shares), steps * layer.units * 4, replacement=True, generator=generator).view(steps, layer.units, 4).to(torch.int8)
            for layer in q.layers]


def in_turn(q):
    return [list(range(layer.units)) for layer in q.layers]


def overhead(q, build: Build, levels, policy: Policy) -> float:
    """Cycles over ideal cycles, less 1."""
    model = CycleModel(q, build, levels, in_turn(q), policy)
    return model.cycles() / model.ideal() - 1


def one_unit(level, policy, gates):
    q = random_network(0, 1, [1], levels=LEVELS["HH 3/4 all"])
    levels = torch.zeros(1, 1, 4, dtype=torch.int8)
    levels[..., list(gates)] = level
    return CycleModel(q, Build(tiles=1), [levels], [[0]], policy).cycles()


@pytest.mark.parametrize("level, policy, gates, extra", [
    (Level.LOWEST, Policy.SENSITIVITY, (), 0),
    (Level.LOWEST, Policy.STATIC_LOW, (), 0),
    (Level.ALL, Policy.SENSITIVITY, (0,), 3 + 3 + WORD_TO_REQUEST + PASS),  # HL, LH, LL of x and h, and post-processing once more
    (Level.MIDDLE, Policy.SENSITIVITY, (0,), 2 + 2 + WORD_TO_REQUEST + PASS),
    (Level.MIDDLE, Policy.SENSITIVITY, (0, 3), 4 + 4 + WORD_TO_REQUEST + PASS),
    (Level.ALL, Policy.STATIC_HIGH, (0, 1, 2, 3), 4 * 6),
])
def test_one_unit_counted_by_hand(level, policy, gates, extra):
    assert one_unit(level, policy, gates) == ONE_UNIT + 8 + extra


def test_the_beat_of_exponents_takes_a_cycle():
    """The first values come a cycle later than in the baseline build; there, one granule is a word."""
    q = random_network(0, 1, [1])
    levels = [torch.full((1, 1, 4), Level.ALL)]
    baseline = CycleModel(q, Build(tiles=1).baseline(), levels, [[0]], Policy.STATIC_HIGH).cycles()
    assert baseline == ONE_UNIT - 1 - 3 + 8


@pytest.mark.parametrize("inputs, units, terms", [(90, [70, 33], 2), (130, [40], 1)])
@pytest.mark.parametrize("policy", [Policy.STATIC_HIGH, Policy.STATIC_LOW, Policy.SENSITIVITY])
@pytest.mark.parametrize("build", [Build(tiles=3), Build(tiles=4, lanes=16), Build(tiles=2).baseline()], ids=["64", "16", "baseline"])
def test_words_are_those_of_the_counters(inputs, units, terms, policy, build):
    """The dot-product units are busy for as many tile-cycles as words are added, whatever waits."""
    q = random_network(len(units), inputs, units, terms)
    policy = policy if build.dynamic else Policy.STATIC_HIGH
    codes = {Policy.STATIC_HIGH: (0.0, 0.0, 1.0), Policy.STATIC_LOW: (1.0, 0.0, 0.0)}.get(policy, SHARES)
    levels = [part.where(part != 1, 0) if len(layer.levels) == 2 else part for layer, part in zip(q.layers, random_levels(q, 5, codes))]
    model = CycleModel(q, build, levels, in_turn(q), policy)
    cycles = model.cycles()
    h = [torch.zeros(1, 5, layer.units) for layer in q.layers]
    counters = work_counters(Run(h, h, [part[None] for part in levels], [policy] * len(units), State([], [], []), q.layers), q, build)
    assert model.busy == sum(counters[name] for name in ("hh", "hl", "lh", "ll"))
    assert cycles >= model.ideal() * 0.99 >= model.busy / build.tiles * 0.99
    assert counters["ideal_cycles"] == pytest.approx(model.ideal(), abs=1)


def test_level_counts_are_by_code():
    assert level_counts(torch.tensor([[0, 2], [2, 2]], dtype=torch.int8), 3) == [1, 0, 3]


@pytest.fixture(scope="module")
def networks():
    return {128: random_network(0, 128, [128], levels=LEVELS["HH 3/4 all"]), 256: random_network(0, 40, [256, 256], levels=LEVELS["HH 3/4 all"])}


@pytest.mark.parametrize("units", [128, 256])
@pytest.mark.parametrize("tiles, bound", [(1, 0.05), (4, 0.06), (8, 0.11)])  # 128 units at 8 tiles: 10.04 %
def test_cycles_with_refinements_come_near_the_ideal(networks, units, tiles, bound):
    q = networks[units]
    assert 0 <= overhead(q, Build(tiles=tiles), random_levels(q), Policy.SENSITIVITY) < bound


@pytest.mark.parametrize("units", [128, 256])
def test_always_8_bit_keeps_the_tiles_busy(networks, units):
    q = networks[units]
    assert 0 <= overhead(q, Build(), random_levels(q, shares=(0.0, 0.0, 1.0)), Policy.STATIC_HIGH) < 0.03


def test_a_smaller_in_flight_buffer_runs_ahead_less(networks):
    q = networks[128]
    small, large = (overhead(q, Build(in_flight=units), random_levels(q), Policy.SENSITIVITY) for units in (2, 8))
    assert small > large + 0.02


def test_the_baseline_build_takes_as_long_as_always_8_bit(networks):
    q = networks[128]
    levels = random_levels(q, shares=(0.0, 0.0, 1.0))
    dynamic, baseline = (CycleModel(q, build, levels, in_turn(q), Policy.STATIC_HIGH).cycles() for build in (Build(), Build().baseline()))
    assert abs(baseline / dynamic - 1) < 0.02
    assert row_quarters(q.layers[0].levels[-1], q.layers[0].row_words) == sum(Build().baseline().words(size) for size in (128, 128))
