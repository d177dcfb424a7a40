# SPDX-License-Identifier: MIT
"""Energy of memories: what a word reads, counted by hand, and sums over rows."""

import pytest
import torch

from models.levels import ALL, HH, LEVELS, Level
from models.quarters.cycle_model import Shape
from models.quarters.energy import baseline_parts, best_starts, by_last_level, level_counts, memory_energy, parts
from models.quarters.memories import BASELINE, OWN, macro, planes, row_energy

# Of a word of 64 nibbles: four macros of 2048x64 a plane of weights, eight of 256x32 a plane of activations.
W, A = 4 * macro("1P_2048x64")["read_pj"], 8 * macro("2P_256x32")["read_pj"]
M = macro("1P_1024x16")["read_pj"]
WORD_OF_H = (0, 0, 1)


def test_macros_are_those_of_the_process():
    """Figures that its page names, rounded: a read and a write by the clock pin, area in mm2."""
    assert [round(macro("1P_2048x64")[name]) for name in ("read_clock_pj", "write_clock_pj", "area_um2")] == [122, 155, 491634]
    assert [round(macro("2P_256x32")[name]) for name in ("read_clock_pj", "write_clock_pj")] == [26, 33]


@pytest.mark.parametrize("before, after, expected", [
    (0, 1, (1, 1)), (0, 2, (1, 2)), (0, 3, (2, 2)), (0, 4, (2, 2)), (1, 2, (1, 1)), (1, 3, (2, 2)), (1, 4, (2, 2)), (2, 3, (1, 1)), (2, 4, (1, 2)), (3, 3, (0, 0)),
])
def test_planes_that_are_read(before, after, expected):
    assert planes(before, after) == expected


@pytest.mark.parametrize("level, start, expected", [
    (HH, HH, W + A + M), (ALL, ALL, 2 * W + 2 * A + M), (Level(0, 0, 2), Level(0, 0, 2), W + 2 * A + M),
    (ALL, HH, (W + A) + (2 * W + 2 * A) + 2 * M), (ALL, Level(2, 1, 2), (W + 2 * A) + (W + 2 * A) + 2 * M),
])
def test_a_word_of_a_row(level, start, expected):
    assert row_energy(level, WORD_OF_H, start, second_pass=0) == pytest.approx(expected)


def test_activations_for_two_rows_and_the_second_pass():
    assert row_energy(ALL, WORD_OF_H, HH, rows_at_once=2, second_pass=1) == pytest.approx(3 * W + A / 2 + 2 * A + 2 * M + OWN.pass_read)
    assert row_energy(ALL, (2, 2, 3), HH, second_pass=0) == pytest.approx(5 * (W + A) + 7 * (2 * W + 2 * A) + 5 * M)


def test_the_arithmetic_of_64_products():
    """Half of the baseline's reads at HH, as many at once, half more after HH: as many bits of as good macros."""
    baseline = 4 * (BASELINE.weight_read + BASELINE.activation_read)
    hh, at_once, after = (row_energy(level, WORD_OF_H, start, second_pass=0) for level, start in ((HH, HH), (ALL, ALL), (ALL, HH)))
    assert hh - M == pytest.approx(baseline / 2)
    assert at_once - M == pytest.approx(baseline)
    assert after - 2 * M == pytest.approx(1.5 * baseline)
    assert 690 < hh - M < 700


def test_a_step_is_the_sum_of_its_rows():
    layers = [Shape(70, 90, LEVELS["HH HL 3/4 all"], terms=2), Shape(33, 70, LEVELS["HH HL 3/4 all"])]
    generator = torch.Generator().manual_seed(2)
    levels = [torch.randint(4, (5, layer.units, 4), generator=generator) for layer in layers]
    counts = [level_counts(part, 4) for part in levels]
    twice = [int((part > 0).any(-1).sum()) for part in levels]
    words = ((2, 2, 2), (2, 0, 1))
    rows = sum(row_energy(layer.levels[place], own, second_pass=0) for layer, own, part in zip(layers, words, levels) for place in part.flatten().tolist())
    found = parts(layers, counts, 5, tiles=4, second_passes=twice)
    assert found["rows"] == pytest.approx(rows / 5)
    assert found["post-processing"] == pytest.approx((103 + sum(twice) / 5) * OWN.pass_read + 103 * OWN.cell_write)
    write = macro("2P_256x32")["write_pj"]
    assert found["activation writes"] == pytest.approx(4 * (103 * 2 * write + 2 * 6 * 4 * write))
    assert memory_energy(layers, counts, 5, second_passes=twice) == pytest.approx(sum(found.values()))


def test_second_passes_are_guessed_where_they_are_not_given():
    layer = Shape(1, 64, (HH, ALL))
    counts = torch.tensor([[[1, 1, 2, 2]], [[1, 1, 0, 0]]])  # two of two steps; gates i and f refined in half of them
    guessed = parts([layer], [counts], 2)["post-processing"]
    assert guessed == pytest.approx(parts([layer], [counts], 2, second_passes=[1.5])["post-processing"])


def test_all_quarters_without_levels():
    layer = Shape(64, 64, LEVELS["HH all"])
    high = memory_energy([layer], [torch.full((1, 64, 4), 3)], 3)
    assert high == pytest.approx(sum(parts([layer], [torch.tensor([0, 3]).view(2, 1, 1).expand(2, 64, 4)], 3, starts=[torch.ones(64, 4, dtype=torch.int64)]).values()))
    assert baseline_parts([layer])["rows"] == pytest.approx(parts([layer], [torch.full((1, 64, 4), 1)])["rows"])


def test_rows_start_where_they_cost_least():
    """Never refined: HH; nearly always: at the top; the break-even of HH and all lies at half."""
    layer = Shape(1, 640, (HH, ALL))
    counts = torch.tensor([[[10, 6, 4, 0]], [[0, 4, 6, 10]]])
    assert best_starts(layer, counts, lambda *row: row_energy(*row, second_pass=0)).tolist() == [[0, 0, 1, 1]]


def test_rows_that_start_at_their_last_level():
    layer = Shape(1, 64, (HH, ALL))
    levels = torch.tensor([[[0, 1, 0, 0]], [[0, 1, 1, 0]], [[0, 0, 0, 0]]])
    # Step 1: gate f begins at all quarters, g is refined; step 2: f and g begin there, and are not refined further.
    energy, words = by_last_level([layer], [levels])
    low, direct, late = row_energy(HH, (1, 0, 1)), row_energy(ALL, (1, 0, 1), ALL), row_energy(ALL, (1, 0, 1))
    assert energy == pytest.approx((4 * low + 3 * direct + late) / 2)
    assert words == (4 * 2 + 4 * 8) / 2


def test_a_row_that_starts_above_what_is_asked_for_stays_there():
    layer, starts = Shape(64, 64, (HH, ALL)), [torch.ones(64, 4, dtype=torch.int64)]
    asked = torch.tensor([2, 1]).view(2, 1, 1).expand(2, 64, 4)  # two steps at HH, one at all quarters
    assert parts([layer], [asked], 3, starts=starts)["rows"] == pytest.approx(64 * 4 * row_energy(ALL, (1, 0, 1), ALL))
