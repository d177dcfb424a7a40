# SPDX-License-Identifier: MIT
"""Resemblyzer in float: against the package's own code, and on pairs of voices."""

import importlib
import sys
from types import ModuleType

import numpy as np
import pytest
import soundfile
import torch

from models.networks import load, resemblyzer, speech
from models.networks.network import Sample, in_calibration
from models.networks.resemblyzer import (
    FRAMES,
    LEVEL,
    SPEAKERS,
    _raised,
    _resampled,
    _without_silence,
    equal_error_rate,
    mel_spectrogram,
    utterances,
)

# melspectrogram of librosa 0.11.0 for `chirp()`: of all mels at frame 25, and of every eighth one
# at frame 0, half of which lies before the recording.
LIBROSA_FRAME_25 = """
5.098411e-06 7.805995e-05 3.693022e-05 1.495725e-04 1.519800e-04 8.492514e-05 1.847936e-04
8.045916e-05 3.109869e-04 6.003712e-05 3.025896e-05 1.208533e-05 9.338443e-05 6.801070e-05
1.021065e-04 1.152347e-04 7.036427e-04 2.564940e-04 3.333585e-05 1.850889e-05 6.579907e-04
7.674250e-04 3.873956e-04 1.471526e-04 2.289469e-04 1.594849e-04 1.764763e-04 4.072188e-04
7.175231e-04 3.051350e-01 2.473667e-01 6.985444e-04 3.689563e-04 2.442716e-04 3.749718e-04
3.145701e-04 2.039268e-04 1.837986e-05 5.552415e-05 6.716912e-05
"""
LIBROSA_FRAME_0 = "2.700238e-01 4.861408e-05 3.110644e-04 1.076466e-04 2.268447e-04"


def chirp():
    n = np.arange(8000)
    sweep = 0.1 * np.sin(2 * np.pi * (100 * n / 16000 + 7000 * (n / 16000) ** 2))
    return torch.from_numpy((sweep + 0.01 * np.cos(n * n % 97)).astype(np.float32))


@pytest.fixture(scope="module")
def network():
    return load("resemblyzer")


@pytest.fixture
def package(monkeypatch):
    """The package's own encoder; its audio module, which needs librosa, gives way to our mels."""
    audio = ModuleType("resemblyzer.audio")
    audio.wav_to_mel_spectrogram = lambda wav: mel_spectrogram(torch.from_numpy(wav)).float().numpy()
    audio.preprocess_wav = audio.trim_long_silences = audio.normalize_volume = None
    monkeypatch.setitem(sys.modules, "resemblyzer.audio", audio)
    yield importlib.import_module("resemblyzer").VoiceEncoder("cpu", verbose=False)
    for name in [name for name in sys.modules if name.split(".")[0] == "resemblyzer"]:
        monkeypatch.delitem(sys.modules, name)


def test_mels_are_those_of_librosa():
    mels = mel_spectrogram(chirp())
    assert mels.shape == (51, 40) and mels.dtype == torch.float64
    for frame, expected in ((mels[25], LIBROSA_FRAME_25), (mels[0, ::8], LIBROSA_FRAME_0)):
        expected = torch.tensor([float(word) for word in expected.split()], dtype=torch.float64)
        torch.testing.assert_close(frame, expected, rtol=1e-4, atol=0)


@pytest.mark.parametrize("speaker", ["allison", "klettres-ar", "ktuberling-en"])
def test_agrees_with_the_network_of_its_package(network, package, speaker):
    audio = next(utterances(speaker))
    assert len(audio) == 25600
    expected = torch.from_numpy(package.embed_utterance(audio)).double()
    assert expected.std() > 0.03
    sample = next(resemblyzer._samples(speaker))
    assert len(sample.inputs) == FRAMES
    actual = network.float_outputs([sample])[0]
    torch.testing.assert_close(actual, expected, rtol=0, atol=1e-5)


def test_tells_unseen_voices_apart(network):
    samples = network.test(96 * FRAMES)
    assert 0.02 < network.metric(samples, network.float_outputs(samples)) < 0.12


@pytest.mark.parametrize("seed", range(5))
def test_equal_error_rate_is_where_the_two_rates_meet(seed):
    random = np.random.default_rng(seed)
    same = random.integers(0, 2, 300).astype(bool)
    scores = np.round(random.normal(size=300) + same, 1)
    weight = random.integers(1, 4, 300)
    best = None
    for threshold in np.unique(scores):
        refused = weight[same & (scores <= threshold)].sum() / weight[same].sum()
        accepted = weight[~same & (scores > threshold)].sum() / weight[~same].sum()
        if best is None and refused >= accepted:
            best = (refused + accepted) / 2
    tensors = torch.from_numpy(scores), torch.from_numpy(same), torch.from_numpy(weight).double()
    assert equal_error_rate(*tensors) == pytest.approx(best)
    assert 0.2 < best < 0.4


def test_equal_error_rate_at_its_ends():
    same, weight = torch.tensor([True, True, False, False]), torch.ones(4).double()
    assert equal_error_rate(torch.tensor([0.9, 0.8, 0.2, 0.1]), same, weight) == 0
    assert equal_error_rate(torch.tensor([0.1, 0.2, 0.8, 0.9]), same, weight) == 1
    assert equal_error_rate(torch.full((4,), 0.5), same, weight) == 0.5
    assert np.isnan(equal_error_rate(torch.rand(4), torch.ones(4, dtype=torch.bool), weight))


def test_copies_of_a_speaker_weigh_more_but_are_no_pairs(network):
    torch.manual_seed(1)
    speakers = [0] * 4 + [1] * 4 + [2] * 4
    samples = [Sample(torch.zeros(1, 40), torch.tensor([k]), str(k)) for k in speakers]
    outputs = list(torch.nn.functional.normalize(torch.rand(12, 6) + torch.eye(6)[speakers]))
    drawn = [0, 1, 2, 3] * 2 + [4, 5, 6, 7]
    pairs = [(i, j) for i in range(8) for j in range(i)]
    scores = torch.stack([outputs[i] @ outputs[j] for i, j in pairs])
    same = torch.tensor([speakers[i] == speakers[j] for i, j in pairs])
    weight = torch.tensor([1.0 if j >= 4 else 2.0 for _, j in pairs]).double()
    expected = equal_error_rate(scores, same, weight)
    assert 0 < expected != equal_error_rate(scores, same, torch.ones(len(pairs)).double())
    assert network.metric([samples[i] for i in drawn], [outputs[i] for i in drawn]) == expected


def test_speakers_are_on_one_side_and_take_turns(network):
    calibration = {sample.group for sample in network.calibration(21 * FRAMES)}
    test = [sample.group for sample in network.test(48 * FRAMES)]
    assert calibration == set(filter(in_calibration, SPEAKERS))
    assert set(test) == set(SPEAKERS) - calibration
    assert test[:24] == test[24:]


def test_few_steps_are_the_first_of_many(network):
    few, many = network.test(200), network.test(330)
    assert [len(sample.inputs) for sample in few] == [160, 40]
    assert torch.equal(few[0].inputs, many[0].inputs)
    assert torch.equal(few[1].inputs, many[1].inputs[:40])
    assert network.test(0) == []


def test_data_are_the_same_on_every_call(network):
    again = load("resemblyzer").calibration(999)
    for one, other in zip(network.calibration(999), again, strict=True):
        assert one.group == other.group
        assert torch.equal(one.inputs, other.inputs) and torch.equal(one.labels, other.labels)


def test_more_steps_than_recorded_are_refused(network, monkeypatch):
    monkeypatch.setattr(resemblyzer, "SPEAKERS", ("cards",))
    assert len(network.test()) == 5
    with pytest.raises(ValueError, match="resemblyzer has 800 steps of recordings, not 801"):
        network.test(801)


@pytest.mark.parametrize("speaker", ["klettres-ar", "ktuberling-ca"])
def test_a_missing_package_is_named(network, monkeypatch, tmp_path, speaker):
    monkeypatch.setattr(speech, "SHARE", tmp_path)
    monkeypatch.setattr(resemblyzer, "SPEAKERS", (speaker,))
    package = f"{speaker.split('-')[0]}-data"
    with pytest.raises(FileNotFoundError, match=f"make setup.*apt-get install {package}"):
        network.test(1)


@pytest.mark.parametrize("rate", [8000, 22050, 44100, 48000])
def test_resampling_keeps_a_tone(rate):
    def tone(rate):
        return np.sin(2 * np.pi * 1000 * np.arange(rate) / rate).astype(np.float32)

    np.testing.assert_allclose(_resampled(tone(rate), rate), tone(16000), atol=1e-5)


def test_resampling_ends_in_silence_up_to_a_tenth_of_a_second():
    resampled = _resampled(np.ones(44107, np.float32), 44100)
    assert len(resampled) == 16000 + 1600
    np.testing.assert_allclose(resampled[100:15900], 1, atol=1e-2)
    np.testing.assert_allclose(resampled[16100:-100], 0, atol=1e-2)


def test_a_folder_is_read_in_its_usual_format(monkeypatch, tmp_path):
    folder = tmp_path / resemblyzer.FOLDERS["ktuberling-ca"]
    folder.mkdir(parents=True)
    for name, rate in (("a", 22050), ("b", 22050), ("c", 44100)):
        soundfile.write(folder / f"{name}.wav", np.full(rate, 0.5, np.float32), rate)
    monkeypatch.setattr(speech, "SHARE", tmp_path)
    assert len(list(resemblyzer._recordings("ktuberling-ca"))) == 2


def test_silences_go_and_short_pauses_stay():
    levels = [0, 0, 0, 0, 1, 0, 0, 0, 1, 1e-2, 1e-2, 1e-2, 1e-2, 0.1]
    recording = np.repeat(np.array(levels, np.float32), 480)
    kept = [0, 0, 1, 0, 0, 0, 1, 1e-2, 1e-2, 1e-2, 1e-2, 0.1]
    assert np.array_equal(_without_silence(recording), np.repeat(np.array(kept, np.float32), 480))


def test_quiet_recordings_are_raised_and_loud_ones_left():
    noise = np.random.default_rng(0).standard_normal(1000).astype(np.float32)
    assert np.std(_raised(noise * 1e-4)) == pytest.approx(LEVEL, rel=1e-2)
    assert np.array_equal(_raised(noise), noise)
    assert not _raised(np.zeros(10, np.float32)).any()
