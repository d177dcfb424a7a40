# SPDX-License-Identifier: MIT
"""Spelling in float: its data, its training, and the letters of unseen voices it gets right."""

import numpy as np
import pytest
import soundfile
import torch
from safetensors import safe_open
from torch import nn

from models.networks import speech, spelling, train_spelling
from models.networks.network import Sample
from models.networks.spelling import (
    ALPHABETS,
    LETTERS,
    MELS,
    STACKED,
    STEPS,
    TEST_SPEAKERS,
    TRAINING_SPEAKERS,
    WEIGHTS,
    Recognizer,
    Spelling,
    alphabets,
    edit_distance,
    mel_powers,
    string,
    words,
)


@pytest.fixture(scope="module")
def network():
    return Spelling()


@pytest.fixture
def alphabet():
    return words(alphabets(["june"])[0][1])


def test_gets_most_letters_of_unseen_voices_right(network):
    samples = network.test(96 * STEPS)
    assert 0.02 < network.metric(samples, network.float_outputs(samples)) < 0.3


def test_agrees_with_the_network_as_it_is_trained(network):
    whole = Recognizer()
    with safe_open(WEIGHTS, "pt") as stored:
        whole.load_state_dict({name: stored.get_tensor(name).float() for name in stored.keys()})
    sample = network.test(STEPS)[0]
    actual = network.float_outputs([sample])[0]
    assert actual.shape == (STEPS, 1 + len(LETTERS))
    torch.testing.assert_close(actual, whole(sample.inputs[:, None])[:, 0].double(), rtol=0, atol=1e-4)


def test_the_stored_weights_are_small_and_name_their_command():
    assert WEIGHTS.stat().st_size < 2e6
    with safe_open(WEIGHTS, "pt") as stored:
        assert stored.metadata()["command"] == "python -m models.networks.train_spelling"


def test_calibration_and_test_share_no_voice(network):
    def voices(samples):
        return {sample.group.split()[0] for sample in samples}

    assert voices(network.calibration(20 * STEPS)) == set(TRAINING_SPEAKERS)
    assert voices(network.test(20 * STEPS)) == set(TEST_SPEAKERS)
    assert sorted(TRAINING_SPEAKERS + TEST_SPEAKERS) == sorted(ALPHABETS)


def test_few_steps_are_whole_strings_and_the_first_of_many(network):
    few, many = network.test(STEPS + 1), network.test(3 * STEPS)
    assert [len(sample.inputs) for sample in few] == [STEPS] * 2
    assert [len(sample.inputs) for sample in many] == [STEPS] * 3
    for one, other in zip(few, many):
        assert one.group == other.group
        assert torch.equal(one.inputs, other.inputs) and torch.equal(one.labels, other.labels)
    assert network.test(0) == []


def test_strings_are_the_same_on_every_call_and_all_differ(network):
    first, again = network.test(200 * STEPS), Spelling().test(200 * STEPS)
    for one, other in zip(first, again, strict=True):
        assert one.group == other.group and len(one.labels)
        assert torch.equal(one.inputs, other.inputs) and torch.equal(one.labels, other.labels)
    assert len({sample.group for sample in first}) == 200
    assert len({sample.inputs.numpy().tobytes() for sample in first}) == 200


def test_more_steps_than_strings_are_refused(network, monkeypatch):
    monkeypatch.setattr(spelling, "STRINGS", 1)
    assert len(network.test()) == 2
    with pytest.raises(ValueError, match="spelling has 260 steps of strings, not 261"):
        network.test(261)


@pytest.mark.parametrize("speaker", ALPHABETS)
def test_a_missing_package_is_named(network, monkeypatch, tmp_path, speaker):
    monkeypatch.setattr(speech, "SHARE", tmp_path)
    monkeypatch.setattr(spelling, "TEST_SPEAKERS", (speaker,))
    package = next(iter(ALPHABETS[speaker].values()))
    with pytest.raises(FileNotFoundError, match=f"make setup.*apt-get install {package}"):
        network.test(1)


def test_mel_powers_are_those_of_the_frequencies_below_4_khz():
    n = np.arange(4000)
    audio = np.sin(2 * np.pi * 440 * n / 8000) + 0.1 * np.cos(n * n % 97)
    actual = mel_powers(torch.from_numpy(audio))
    assert actual.shape == (51, MELS) and actual.dtype == torch.float64
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(200) / 200)
    power = np.abs(np.fft.rfft(audio[1900:2100] * window)) ** 2
    expected = spelling.mel_filters().numpy()[:MELS, :101] @ power
    np.testing.assert_allclose(actual[25], expected, rtol=1e-4)


def test_words_are_relative_to_the_mean_of_their_alphabet(alphabet):
    assert len(alphabet) == len(LETTERS)
    np.testing.assert_allclose(np.concatenate(alphabet).mean(axis=0), 1, rtol=1e-4)


def test_silence_around_a_word_goes_but_for_a_margin(tmp_path):
    second = np.zeros(spelling.SAMPLE_RATE)
    second[4000:5600] = np.random.default_rng(0).normal(scale=0.1, size=1600)
    for letter in LETTERS:
        path, raw = tmp_path / f"{letter}_p.gsm", dict(format="RAW", subtype="GSM610")
        soundfile.write(path, second, spelling.SAMPLE_RATE, **raw)
    for word in words(tmp_path):  # the codec lets the noise echo for a tenth of a second
        assert 20 <= len(word) - 2 * spelling.MARGIN <= 35


def test_words_are_where_they_are_said_to_be(alphabet):
    inputs, placed = string(alphabet, np.random.RandomState(3), noise=(-4, -4))
    assert inputs.shape == (STEPS, STACKED * MELS) and len(placed) >= 3
    frames = inputs.reshape(-1, MELS)
    said = torch.zeros(len(frames), dtype=torch.bool)
    for _, where in placed:
        said[where] = True
    assert frames[said].mean() > frames[~said].mean() + 1


def test_noise_and_tempo_follow_their_ranges(alphabet):
    loud, _ = string(alphabet, np.random.RandomState(1), noise=(-1, -1))
    quiet, placed = string(alphabet, np.random.RandomState(1), noise=(-4, -4))
    assert loud.min() > quiet.min() + 1
    letter, where = placed[0]
    assert where.stop - where.start == pytest.approx(len(alphabet[letter]), rel=0.25)
    assert abs(quiet).max() < 5


def test_an_example_says_the_same_with_and_without_times():
    for seed in range(8):
        inputs, labels, places = train_spelling.example(np.random.RandomState(seed))
        assert inputs.shape == (STEPS, STACKED * MELS) and places.shape == (STEPS,)
        path = places.unique_consecutive()
        assert torch.equal(path[path > 0], labels)


def test_training_learns_and_is_the_same_every_time():
    first, again = (train_spelling.train(aligned=4, ctc=2).state_dict() for _ in range(2))
    start = train_spelling.train(aligned=0, ctc=0).state_dict()
    for name, weight in first.items():
        assert torch.equal(weight, again[name]) and not torch.equal(weight, start[name])


def test_an_interrupted_training_writes_nothing(monkeypatch, tmp_path):
    def interrupted():
        raise KeyboardInterrupt

    monkeypatch.setattr(train_spelling, "train", interrupted)
    monkeypatch.setattr("sys.argv", ["train_spelling", "--out", str(tmp_path / "weights")])
    with pytest.raises(SystemExit, match="interrupted: no weights were written"):
        train_spelling.main()
    assert not list(tmp_path.iterdir())


def test_edit_distance_counts_insertions_deletions_and_replacements():
    cases = (("", "", 0), ("abc", "", 3), ("", "ab", 2), ("kitten", "sitting", 3), ("ab", "ba", 2))
    for read, said, expected in cases:
        assert edit_distance(*(tuple(map(ord, word)) for word in (read, said))) == expected
        assert edit_distance(*(tuple(map(ord, word)) for word in (said, read))) == expected


def test_metric_is_errors_per_letter_and_merges_repeated_ones(network):
    path = torch.tensor([0, 3, 3, 0, 3, 5, 0])
    output = nn.functional.one_hot(path, 1 + len(LETTERS)).float()
    samples = [
        Sample(torch.zeros(7, STACKED * MELS), torch.tensor(labels), "june 0")
        for labels in ([3, 3, 5], [3, 5], [3, 3, 4, 1, 1])
    ]
    assert network.metric(samples, [output] * 3) == pytest.approx((0 + 1 + 3) / 10)
    assert network.metric(samples[:1], [output]) == 0
