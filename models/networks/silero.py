# SPDX-License-Identifier: MIT
"""Silero VAD 6 at 16 kHz: does somebody speak in this step of 32 ms?

64 samples of context and 512 new ones -> magnitudes of a Fourier transform (129 x 4) -> four
convolutions -> 128 features -> LSTM 1 x 128 -> ReLU, 1x1 convolution, sigmoid -> probability.
Shapes and weights are those of the Python package silero-vad: of its TorchScript file, whose
weights its ONNX files share, and not of its safetensors file, which holds other ones. The LSTM
carries its state through a whole recording.
"""

import math
import warnings
from collections.abc import Iterable, Iterator, Sequence
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, distribution
from itertools import islice, pairwise, zip_longest

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from ..grid import round_to
from . import speech, voices
from .network import Network, Part, Sample, in_calibration, in_fit, on_grid

STEP_SAMPLES = 512
CONTEXT_SAMPLES = 64
SAMPLE_STEPS = 256  # 8.2 s
FROZEN_SAMPLES = 32  # of a voice at most in the frozen test
# Voices of the frozen test that have nothing, or a radio's noise, between their words: it would be labelled as speech.
NO_PAUSES = tuple(name for name in voices.VOICES if name.startswith(("codec2-", "alsa")))
SCORE_GRID = 2.0**-20  # probabilities that are nearer to each other count as equal

# The recordings of the task: prompts of one level, silences between them, noise over everything.
SPEECH_LEVEL = 0.05  # root mean square; full scale is 1
SILENCE_SECONDS = (0.5, 2.0)
SPEECH_TO_NOISE_DECIBELS = (20, 10, 5, 0)
NOISE_SLOPES = (0, 1, 2)  # power falls with frequency to this exponent: white, pink, brown
NOISE_CORNER = 20  # Hz, below which the noise rises no further

# A step is speech where its level is above the speech level less the margin, or in a gap shorter
# than the hangover: ITU-T P.56. Levels are those before the noise is added.
MARGIN_DECIBELS = 15.9
HANGOVER_STEPS = 6  # 0.2 s


def package_network() -> torch.jit.ScriptModule:
    """The package's own network, in TorchScript. Raises FileNotFoundError when it is not installed."""
    try:
        path = distribution("silero-vad").locate_file("silero_vad/data/silero_vad.jit")
    except PackageNotFoundError:
        raise FileNotFoundError("no Python package silero-vad: run `make setup`") from None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # TorchScript is the package's choice
        return torch.jit.load(path, map_location="cpu")


class Silero(Network):
    """Voice activity detection; inputs are float32 [steps, 128], labels float32 [steps], 1 where somebody speaks."""

    name = "silero"
    metric_name = "area under the ROC curve"

    def __init__(self):
        weights = package_network()._model.state_dict()
        self.lstm = nn.LSTM(128, 128).requires_grad_(False)
        self.lstm.load_state_dict(
            {name: weights[f"decoder.rnn.{name[:-3]}"] for name in self.lstm.state_dict()}
        )
        self._weights = {name: weight.double() for name, weight in weights.items()}

    def calibration(self, steps: int | None = None) -> list[Sample]:
        """As Network.calibration: recordings of speech.SPEAKERS, cut at the last step."""
        return self._first(steps, map(recordings, filter(in_calibration, speech.SPEAKERS)))

    def test(self, steps: int | None = None) -> list[Sample]:
        """As Network.test: recordings of speech.SPEAKERS."""
        return self._first(steps, (recordings(name) for name in speech.SPEAKERS if not in_calibration(name)))

    def samples(self, part: Part, steps: int | None = None) -> list[Sample]:
        """As Network.samples: recordings of speech.SPEAKERS, and of voices.VOICES in the test."""
        if part is Part.TEST:
            chosen = (name for name in voices.VOICES if name not in NO_PAUSES)
            return self._first(steps, (islice(recordings(name), FROZEN_SAMPLES) for name in chosen))
        return self._first(steps, (recordings(name) for name in speech.SPEAKERS if in_fit(name) == (part is Part.FIT)))

    def head(self, sample: Sample, hidden: Sequence[Tensor]) -> Tensor:
        """Probability of speech, float64 [steps], from h [steps, 128] of the last layer."""
        weight = self._weights["decoder.decoder.2.weight"][0, :, 0]
        bias = self._weights["decoder.decoder.2.bias"]
        return (hidden[-1].double().relu() @ weight + bias).sigmoid()

    def metric(self, samples: Sequence[Sample], outputs: Sequence[Tensor]) -> float:
        """Chance, 0..1, that a step of speech scores above one without, ties counting half, of outputs, float64 [steps] a sample: the area under the ROC curve."""
        labels = torch.cat([sample.labels for sample in samples]).bool()
        scores = round_to(torch.cat(tuple(outputs)), SCORE_GRID)
        with_speech, without = (np.sort(scores[chosen].numpy()) for chosen in (labels, ~labels))
        below = sum(int(np.searchsorted(without, with_speech, side).sum()) for side in ("left", "right")) / 2
        pairs = len(with_speech) * len(without)
        return below / pairs if pairs else math.nan

    def features(self, audio: Tensor) -> Tensor:
        """LSTM inputs, float64 [steps, 128], of a recording, float [steps * 512] within +-1."""
        weights = self._weights
        x = functional.pad(audio.double(), (CONTEXT_SAMPLES, 0))
        x = x.unfold(0, CONTEXT_SAMPLES + STEP_SAMPLES, STEP_SAMPLES).unsqueeze(1)
        x = functional.pad(x, (0, 64), mode="reflect")
        x = functional.conv1d(x, weights["stft.forward_basis_buffer"], stride=128)
        real, imaginary = x.chunk(2, dim=1)
        x = (real**2 + imaginary**2).sqrt()
        for layer, stride in enumerate((1, 2, 2, 1)):
            name = f"encoder.{layer}.reparam_conv"
            weight, bias = weights[f"{name}.weight"], weights[f"{name}.bias"]
            x = functional.conv1d(x, weight, bias, stride=stride, padding=1).relu()
        return x.squeeze(2)

    def _first(self, steps: int | None, speakers: Iterable[Iterator]) -> list[Sample]:
        """Speakers take turns, so that few steps already hold several voices."""
        samples, wanted = [], steps
        for turn in zip_longest(*speakers):
            for speaker, audio, labels in filter(None, turn):
                if wanted == 0:
                    return samples
                features = on_grid(self.features(torch.from_numpy(audio)))[:wanted]
                labels = torch.from_numpy(labels)[:wanted]
                samples.append(Sample(features, labels, speaker))
                if wanted is not None:
                    wanted -= len(labels)
        if wanted:
            raise ValueError(f"{self.name} has {steps - wanted} steps of recordings, not {steps}")
        return samples


def recordings(speaker: str) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    """Recordings of SAMPLE_STEPS steps each: speaker, audio, float64 [SAMPLE_STEPS * STEP_SAMPLES] at 16 kHz, labels, float32 [SAMPLE_STEPS].

    Raises FileNotFoundError that names the Debian package when it is not installed.
    """
    random = np.random.default_rng(list(sha256(speaker.encode()).digest()))
    size = SAMPLE_STEPS * STEP_SAMPLES
    clean = np.zeros(0)
    for prompt in (speech if speaker in speech.SPEAKERS else voices).prompts(speaker):
        silence = np.zeros(int(random.uniform(*SILENCE_SECONDS) * speech.SAMPLE_RATE))
        clean = np.concatenate((clean, prompt * (SPEECH_LEVEL / _speech_level(prompt)), silence))
        while len(clean) >= size:
            audio = clean[:size] + _noise(random, size)
            yield speaker, audio, _labels(clean[:size])
            clean = clean[size:]


def _levels(audio: np.ndarray) -> np.ndarray:
    """Root mean square of each whole step."""
    steps = audio[: len(audio) // STEP_SAMPLES * STEP_SAMPLES].reshape(-1, STEP_SAMPLES)
    return np.sqrt(np.mean(steps**2, axis=1))


def _speech_level(prompt: np.ndarray) -> float:
    """Root mean square of the steps that hold speech: those within 20 dB of the loudest."""
    levels = _levels(prompt)
    return np.sqrt(np.mean(levels[levels > levels.max() / 10] ** 2))


def _labels(clean: np.ndarray) -> np.ndarray:
    labels = _levels(clean) > SPEECH_LEVEL * 10 ** (-MARGIN_DECIBELS / 20)
    loud = np.flatnonzero(labels)
    for last, following in pairwise(loud):
        if following - last <= HANGOVER_STEPS:
            labels[last:following] = True
    return labels.astype(np.float32)


def _noise(random: np.random.Generator, size: int) -> np.ndarray:
    """Noise of a random colour at a random distance below the speech level."""
    level = SPEECH_LEVEL * 10 ** (-random.choice(SPEECH_TO_NOISE_DECIBELS) / 20)
    slope = random.choice(NOISE_SLOPES)
    frequency = np.fft.rfftfreq(size, 1 / speech.SAMPLE_RATE)
    spectrum = np.fft.rfft(random.standard_normal(size))
    noise = np.fft.irfft(spectrum * np.maximum(frequency, NOISE_CORNER) ** (-slope / 2), size)
    return noise * (level / noise.std())
