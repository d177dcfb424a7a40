# SPDX-License-Identifier: MIT
"""The cycles of other machines than rtl/ is: cases counted by hand, and the machine that they equal without any change."""

from types import SimpleNamespace

import pytest
import torch

from models.build import Build
from models.cycle_model import PASS, WORD_TO_REQUEST, CycleModel, Timing
from models.formats import EXPONENT_GROUP as WORD
from models.levels import ALL, HH, LEVELS, Level
from models.policies import Policy
from models.quarters.cycle_model import QuarterBuild, QuarterCycleModel, Shape, Sharing, segment_words

STEPS = 6


def random_levels(shapes, count, chance=0.3, steps=STEPS, seed=1):
    """Levels of a run, the higher ones by chance."""
    generator = torch.Generator().manual_seed(seed)
    return [torch.randint(1, count, (steps, shape.units, 4), generator=generator) * (torch.rand(steps, shape.units, 4, generator=generator) < chance)
            for shape in shapes]


def constant_levels(shapes, value, steps=STEPS):
    return [torch.full((steps, shape.units, 4), value) for shape in shapes]


def one_unit(level, policy=Policy.SENSITIVITY, gates=(0,), **others):
    """Cycles of one step of one unit with one input, one tile."""
    levels = torch.zeros(1, 1, 4, dtype=torch.int64)
    levels[..., list(gates)] = level
    return QuarterCycleModel([Shape(1, 1, (HH, Level(3, 1, 3), ALL))], QuarterBuild(tiles=1), [levels], policy=policy, **others).cycles()


def test_a_row_that_is_always_refined_needs_no_second_pass():
    """Three more quarters of x and h in its own passes; the unit is still decided on for its other rows, and finished once as these stay."""
    always = torch.tensor([[True, False, False, False]])
    plain = one_unit(0)
    assert one_unit(2, always=[always]) == plain + 6
    assert one_unit(2, always=[torch.ones(1, 4, dtype=torch.bool)]) == plain + 4 * 6
    assert one_unit(1, gates=(1,), always=[always]) == plain + 6 + 4 + WORD_TO_REQUEST + PASS


@pytest.mark.parametrize("before, after, values, words", [
    (0, 1, 64, 1), (0, 4, 64, 4), (1, 4, 65, 6), (0, 0, 64, 0), (2, 3, 200, 4),
])
def test_words_without_sharing(before, after, values, words):
    for sharing in Sharing if values % WORD == 0 else [Sharing.NONE]:
        assert segment_words(torch.full((4,), before), torch.full((4,), after), values, sharing).tolist() == [words] * 4


@pytest.mark.parametrize("before, after, values, words", [
    ((0, 0, 0, 0), (1, 1, 1, 1), 96, (2, 1, 2, 1)),
    ((0, 0, 0, 0), (4, 4, 4, 4), 32, (4, 0, 4, 0)),
    ((1, 1, 1, 1), (1, 4, 3, 4), 32, (0, 3, 3, 0)),  # one row of a pair alone; two rows to different levels
    ((1, 1, 1, 1), (1, 4, 1, 1), 97, (0, 6, 0, 0)),  # more than half a word is after the last full one
])
def test_words_that_two_rows_share(before, after, values, words):
    assert tuple(segment_words(torch.tensor(before), torch.tensor(after), values, Sharing.ROWS).tolist()) == words


@pytest.mark.parametrize("values, by_quarters", [(16, (0, 1, 1, 1, 1)), (32, (0, 1, 1, 2, 2)), (33, (0, 1, 2, 3, 4)), (80, (0, 2, 3, 4, 5)), (96, (0, 2, 3, 5, 6))])
def test_words_that_quarters_share(values, by_quarters):
    for before, spent in enumerate(by_quarters):
        for after in range(before, 5):
            found = segment_words(torch.tensor([before]), torch.tensor([after]), values, Sharing.QUARTERS)
            assert found.item() == by_quarters[after] - spent


@pytest.mark.parametrize("tiles", [1, 3, 4, 16])
@pytest.mark.parametrize("policy", [Policy.SENSITIVITY, Policy.STATIC_LOW, Policy.STATIC_HIGH])
def test_without_changes_cycles_are_those_of_the_machine(tiles, policy):
    levels = LEVELS["HH 3/4 all"]
    shapes = [Shape(70, 90, levels, terms=2), Shape(33, 70, levels)]
    found = {Policy.STATIC_LOW: 0, Policy.STATIC_HIGH: 2}
    codes = constant_levels(shapes, found[policy]) if policy in found else random_levels(shapes, 3)
    order = [list(range(shape.units)) for shape in shapes]
    expected = CycleModel(SimpleNamespace(layers=shapes), Build(tiles=tiles), codes, order, policy)
    model = QuarterCycleModel(shapes, QuarterBuild(tiles, timing=Timing(commits=Build(tiles=tiles).commits)), codes, order, policy)
    assert model.cycles() == expected.cycles()
    assert model.ideal() == expected.ideal()


@pytest.mark.parametrize("change", [
    QuarterBuild(tiles=16, timing=Timing(pass_interval=4, commit_queue=4)), QuarterBuild(tiles=16, timing=Timing(commits=2)),
    QuarterBuild(tiles=16, timing=Timing(x_apart=True)),
])
def test_wider_machines_take_no_longer(change):
    """All at HH on 16 tiles: 128 cycles of words stand against 128 of h and 8 of x on one bus."""
    shapes = [Shape(128, 128, (HH, ALL))]
    before, after = (QuarterCycleModel(shapes, build, constant_levels(shapes, 0, 12)).cycles() for build in (QuarterBuild(tiles=16), change))
    assert after <= before
    assert before >= 12 * 136


def test_two_h_a_cycle_are_worth_it_where_the_bus_is_full():
    """8 units a tile, of 16 words: h of a step leave in 128 cycles, and no late pass begins before; or in 64."""
    shapes = [Shape(128, 128, (HH, ALL))]
    one, two = (QuarterCycleModel(shapes, QuarterBuild(tiles=16, timing=Timing(commits=commits)), constant_levels(shapes, 0, 24)).cycles() for commits in (1, 2))
    assert one > 24 * (128 + 24)
    assert two < one - 24 * 6


def test_shared_words_end_the_same_rows_in_fewer_cycles():
    shapes = [Shape(150, 150, (HH, ALL))]
    levels = random_levels(shapes, 2)
    none, rows, quarters = (QuarterCycleModel(shapes, QuarterBuild(sharing=sharing), levels).cycles() for sharing in Sharing)
    assert none > rows
    assert none > quarters


def test_the_model_of_a_queue_that_is_too_short_never_overfills_it():
    """With a unit every 4 cycles and a queue of two, post-processing waits for room."""
    shapes = [Shape(64, 16, (HH, ALL))]
    short, long = (QuarterCycleModel(shapes, QuarterBuild(timing=Timing(pass_interval=4, commit_queue=queue)), constant_levels(shapes, 0)).cycles()
                   for queue in (2, 8))
    assert short > long
