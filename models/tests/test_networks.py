# SPDX-License-Identifier: MIT
"""The pretrained networks in float: against the packages' own code, and on their tasks."""

import hashlib

import numpy as np
import pytest
import torch

from models.networks import load, speech
from models.networks.silero import STEP_SAMPLES, _labels, package_network, recordings


@pytest.fixture(scope="module")
def silero():
    return load("silero")


def digest(samples):
    total = hashlib.sha256()
    for sample in samples:
        total.update(sample.inputs.numpy().tobytes() + sample.labels.numpy().tobytes())
    return total.hexdigest()


def test_an_unknown_name_lists_the_known_ones():
    with pytest.raises(ValueError, match=r"unknown network 'sillero': known are .*silero"):
        load("sillero")


@pytest.mark.parametrize("speaker", ["allison", "ivrvoice"])
def test_silero_agrees_with_the_network_of_its_package(silero, speaker):
    sample = next(sample for sample in silero.test(512) if sample.group == speaker)
    _, audio, _ = next(recordings(speaker))
    reference = package_network()
    with torch.no_grad():
        steps = torch.from_numpy(audio).float().split(STEP_SAMPLES)
        expected = torch.cat([reference(step[None], 16000)[0] for step in steps]).double()
    assert expected.std() > 0.2
    actual = silero.float_outputs([sample])[0]
    torch.testing.assert_close(actual, expected, rtol=0, atol=1e-5)


def test_silero_finds_speech_in_unseen_voices(silero):
    samples = silero.test(8192)
    assert silero.metric(samples, silero.float_outputs(samples)) > 0.955


def test_calibration_and_test_share_no_voice(silero):
    calibration = {sample.group for sample in silero.calibration(2000)}
    test = {sample.group for sample in silero.test(2000)}
    assert calibration == {"june", "carlo", "armelle"}
    assert test == set(speech.SPEAKERS) - calibration


def test_few_steps_are_the_first_of_many(silero):
    few, many = silero.test(300), silero.test(600)
    assert [len(sample.inputs) for sample in few] == [256, 44]
    assert torch.equal(few[0].inputs, many[0].inputs)
    assert torch.equal(few[1].inputs, many[1].inputs[:44])
    assert torch.equal(few[1].labels, many[1].labels[:44])


def test_data_are_the_same_on_every_call(silero):
    assert digest(silero.test(1000)) == digest(load("silero").test(1000))


def test_more_steps_than_recorded_are_refused(silero, monkeypatch):
    monkeypatch.setattr(speech, "SPEAKERS", {"cards": speech.SPEAKERS["cards"]})
    assert len(silero.test()) == 1
    with pytest.raises(ValueError, match="silero has 256 steps of recordings, not 257"):
        silero.test(257)


def test_a_missing_package_is_named(silero, monkeypatch, tmp_path):
    monkeypatch.setattr(speech, "SHARE", tmp_path)
    with pytest.raises(FileNotFoundError, match=r"make setup.*apt-get install asterisk-core-sounds"):
        silero.test(1)


def test_metric_counts_ties_half(silero):
    random = np.random.default_rng(0)
    scores = torch.from_numpy(random.integers(0, 5, 200) / 5)
    labels = torch.from_numpy(random.integers(0, 2, 200).astype(np.float32))
    above = scores[labels == 1][:, None] - scores[labels == 0][None]
    expected = ((above > 0).double() + (above == 0).double() / 2).mean()
    sample = type("Labels", (), {"labels": labels})
    assert silero.metric([sample], [scores]) == pytest.approx(float(expected))


def test_short_gaps_are_speech_and_long_ones_are_not():
    loud = [1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1, 0]
    clean = np.repeat(np.array(loud, np.float32) * 0.05, STEP_SAMPLES)
    assert _labels(clean).tolist() == [1] * 7 + [0] * 6 + [1, 0]


def test_doubling_the_rate_keeps_samples_and_follows_the_wave():
    time = np.arange(4000) / 16000
    wave = np.sin(2 * np.pi * 3000 * time).astype(np.float32)
    doubled = speech._double_rate(wave[::2])
    assert np.array_equal(doubled[::2], wave[::2])
    np.testing.assert_allclose(doubled[200:-200], wave[200:-200], atol=1e-3)
