# SPDX-License-Identifier: MIT
"""The frozen data are what frozen.json says, and no part holds what another has."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from models.evaluation import margin
from models.networks import MODULES, Part, load, packages, speech, textgenrnn, texts, voices
from models.networks.freeze import FROZEN, describe, differences, digest, freeze, prefix, separate
from models.networks.network import INPUT_GRID, SETTLED, Sample, on_grid

PARTS = [pytest.param(name, part, id=f"{name} {part.value}") for name in MODULES for part in Part]


def frozen():
    return json.loads(FROZEN.read_text())


def evaluation_packages(name, part):
    """Skips where the data of the test are not installed, as `make test` does not ask for them."""
    if part is Part.TEST and name != "ddddocr":
        try:
            load(name).samples(part, 1)
        except FileNotFoundError as error:
            pytest.skip(str(error))


@pytest.mark.parametrize("name, part", PARTS)
def test_the_first_steps_are_the_frozen_ones(name, part):
    evaluation_packages(name, part)
    assert prefix(name, part) == frozen()[name][part.value]["prefix"]


@pytest.mark.slow
@pytest.mark.parametrize("name", MODULES)
def test_all_samples_are_the_frozen_ones_and_in_one_part_only(name):
    evaluation_packages(name, Part.TEST)
    assert differences(name, freeze(name)) == []


def test_on_both_sides_of_a_settled_middle_is_the_frozen_point():
    """Sums in another order give the other side: a captcha of the held-out part was not the frozen one on a newer processor."""
    for middle, point in SETTLED.items():
        beside = torch.tensor([[middle - 1e-9, middle + 1e-9], [middle - 1e-6, middle + 1e-6]], dtype=torch.float64)
        assert (on_grid(beside * INPUT_GRID) / INPUT_GRID).tolist() == [[point, point], [middle - 0.5, middle + 0.5]]


def test_there_are_enough_groups_and_steps():
    for name, parts in frozen().items():
        assert parts["fit"]["steps"] >= 12_800 and parts["held out"]["steps"] >= 40_000, name
        assert all(part["groups"] >= 4 for part in parts.values())
    assert frozen()["resemblyzer"]["test"]["groups"] >= 30 and frozen()["textgenrnn"]["test"]["groups"] >= 40
    assert frozen()["textgenrnn"]["test"]["steps"] >= 400_000


def test_the_hash_sees_inputs_labels_groups_and_order():
    one = Sample(torch.tensor([[1.0, 2.0]]), torch.tensor([1]), "a")
    other = replace(one, group="b")
    changed = [[replace(one, inputs=one.inputs + 2**-20), other], [replace(one, labels=one.labels + 1), other], [one, one], [other, one], [one],
               [replace(one, inputs=one.inputs.T), other]]
    assert len({digest(samples) for samples in [[one, other], *changed]}) == 7
    assert describe([one, other]) == {"groups": 2, "samples": 2, "steps": 2, "sha256": digest([one, other])}


def test_what_is_in_two_parts_is_refused():
    apart = {part: {part.value} for part in Part}
    separate("network", apart, apart)
    for what, arguments in (("groups", ({**apart, Part.TEST: {"fit"}}, apart)), ("samples", (apart, {**apart, Part.TEST: {"held out"}}))):
        with pytest.raises(ValueError, match=f"network: 1 {what} are in (fit|held out) and in test"):
            separate("network", *arguments)


def test_a_difference_is_told():
    now = frozen()["silero"]
    assert differences("silero", now) == []
    now["test"]["steps"] += 1
    assert differences("silero", now) == [f"silero, test: steps was {now['test']['steps'] - 1}, is {now['test']['steps']}"]


def test_a_window_that_repeats_25_characters_at_any_offset_is_left_out():
    seen = np.unique(textgenrnn.shingles("The quick brown fox jumps over the lazy dog"))
    assert textgenrnn.repeats("xxxxxxx" + "QUICK brown fox jumps ove" + "zzzzzzzzz", seen)
    assert not textgenrnn.repeats("xxxxxxx" + "quick brown fox jumps ov" + "zzzzzzzzzz", seen)
    assert not textgenrnn.repeats("x" * 41, seen) and not textgenrnn.repeats("x" * 41, np.zeros(0, np.uint64))


def test_held_out_windows_repeat_nothing_of_fit():
    network = load("textgenrnn")
    seen = textgenrnn.shingles_of(tuple(filter(textgenrnn.in_fit, textgenrnn.DOCUMENTS)))
    found = [window for document in ("science", "art", "definitions") for window in network.frozen_windows(document)]
    assert len(found) > 500 and not any(textgenrnn.repeats(window, seen) for window in found)
    assert any(textgenrnn.repeats(window, seen) for window in textgenrnn.windows("definitions", network._classes))


def test_a_missing_package_of_the_test_is_named_with_its_command(monkeypatch, tmp_path):
    monkeypatch.setattr(speech, "SHARE", tmp_path)
    monkeypatch.setattr(texts, "SHARE", tmp_path)
    voices.paths.cache_clear()
    voices._names.cache_clear()
    texts._readers.cache_clear()
    with pytest.raises(FileNotFoundError, match=r"scripts/setup\.sh evaluation.*apt-get install --no-install-recommends fillets-ng-data-cs"):
        load("silero").samples(Part.TEST, 1)
    with pytest.raises(FileNotFoundError, match=r"apt-get install --no-install-recommends sword-text-web"):
        load("textgenrnn").samples(Part.TEST, 1)
    voices.paths.cache_clear()
    voices._names.cache_clear()
    assert "apt-get" in str(packages.missing("x", "y"))


class Rate:
    own_margin, relative_margin, higher_is_better = None, False, True


class ErrorRate:
    own_margin, relative_margin, higher_is_better = None, False, False


class Bits:
    own_margin, relative_margin, higher_is_better = None, True, False


class Decibels:
    own_margin, relative_margin, higher_is_better = 0.1, False, True


def test_a_margin_is_half_a_point_or_a_tenth_of_the_error_or_half_a_percent():
    assert margin(Rate, 0.76) == 0.005 and margin(Rate, 0.9725) == pytest.approx(0.00275)
    assert margin(ErrorRate, 0.08) == 0.005 and margin(ErrorRate, 0.03) == pytest.approx(0.003)
    assert margin(Bits, 2.65) == pytest.approx(0.01325)
    assert margin(Decibels, 12.5) == 0.1
