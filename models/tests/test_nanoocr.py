# SPDX-License-Identifier: MIT
"""nano-ocr in float: against the package's own network, and on pictures of words."""

import importlib
import sys
from unittest import mock

import numpy as np
import pytest
import torch
from torch import nn

from models.networks import load, nanoocr
from models.networks.ctc import best_path
from models.networks.nanoocr import ALPHABET, FONTS, draw, package_weights, words
from models.networks.network import Part, Sample, in_calibration

STEPS = 33  # a picture


@pytest.fixture(scope="module")
def network():
    return load("nanoocr")


@pytest.fixture(scope="module")
def package():
    """The package's module, which imports torchvision only for what comes before the network."""
    with mock.patch.dict(sys.modules, {"torchvision": mock.MagicMock(), "torchvision.transforms": mock.MagicMock()}):
        return importlib.import_module("nano_ocr.ocr")


def test_agrees_with_the_network_of_its_package(network, package):
    reference = package.CRNN(1 + len(ALPHABET)).eval()
    reference.load_state_dict(package_weights())
    for sample, word in zip(network.samples(Part.HELD_OUT, 2 * STEPS), words(Part.HELD_OUT)):
        pixels = torch.tensor(draw(word)).float() / 255
        with torch.no_grad():
            expected = reference(((pixels - 0.5) / 0.5)[None, None])[:, 0].double()
        assert expected.std() > 1
        actual, = network.float_outputs([sample])
        torch.testing.assert_close(actual, expected, rtol=0, atol=1e-3)


def test_reads_as_the_package_does(network, package):
    """Its classes, in its order, and its way from logits to letters."""
    sample, = network.samples(Part.HELD_OUT, STEPS)
    logits, = network.float_outputs([sample])
    reader = package.NanoOCR.__new__(package.NanoOCR)
    reader.idx2char = {index + 1: character for index, character in enumerate(ALPHABET)}
    expected, _ = reader._ctc_decode(logits[:, None])
    assert "".join(ALPHABET[index - 1] for index in best_path(logits)) == expected


def test_two_directions_fit_two_mebibytes_of_weights(network):
    assert (network.lstm.num_layers, network.lstm.bidirectional) == (1, True)
    assert sum(weight.numel() for name, weight in network.lstm.named_parameters() if name.startswith("weight")) == 1_572_864


def test_no_word_is_in_two_parts_in_any_case():
    parts = {part: [word.lower() for word in words(part)] for part in Part}
    assert all(len(found) > 6000 and len(found) == len(set(found)) for found in parts.values())
    assert len(set().union(*parts.values())) == sum(map(len, parts.values()))
    assert not any(map(in_calibration, parts[Part.TEST]))
    assert all(map(in_calibration, parts[Part.FIT] + parts[Part.HELD_OUT]))


def test_calibration_is_fit_and_then_held_out_data(network, monkeypatch):
    monkeypatch.setattr(nanoocr, "_words", lambda: ("monkey", "kelvin", "mirror", "stared", "cellular"))
    groups = [sample.group for sample in network.calibration()]
    assert groups == [*words(Part.FIT), *words(Part.HELD_OUT)]
    assert sorted([*groups, *words(Part.TEST)]) == sorted(nanoocr._words())
    few = network.calibration(1)
    assert len(few) == 1 and few[0].group == groups[0] and network.calibration(0) == []
    with pytest.raises(ValueError, match=f"nanoocr has {len(groups) * STEPS} steps of pictures, not 999"):
        network.calibration(999)


def test_a_picture_follows_from_its_word_alone():
    first = draw("Coevolution")
    assert first.shape == (32, 128) and first.dtype == np.uint8
    assert np.array_equal(first, draw("Coevolution")) and not np.array_equal(first, draw("monkey"))
    assert len(FONTS) == 12 and first.min() < 100 and first.max() > 200


def test_metric_asks_for_every_letter_and_merges_repeated_ones(network):
    path = torch.tensor([0, 3, 3, 0, 3, 5, 0])
    output = nn.functional.one_hot(path, 1 + len(ALPHABET)).float()
    for labels, expected in (([3, 3, 5], 1), ([3, 5], 0), ([3, 3, 4], 0), ([3, 3, 5, 5], 0)):
        sample = Sample(torch.zeros(7, 512), torch.tensor(labels), "word")
        assert network.metric([sample], [output]) == expected


def test_missing_packages_are_named(monkeypatch, tmp_path):
    monkeypatch.setattr(nanoocr, "TEXT", tmp_path)
    with pytest.raises(FileNotFoundError, match=r"make setup.*apt-get install fortunes"):
        nanoocr._words.__wrapped__()

    def missing(name):
        raise nanoocr.PackageNotFoundError(name)

    monkeypatch.setattr(nanoocr, "distribution", missing)
    with pytest.raises(FileNotFoundError, match="nano-ocr: run `make setup`"):
        load("nanoocr")
