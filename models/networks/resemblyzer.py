# SPDX-License-Identifier: MIT
"""Resemblyzer: are two recordings of one voice?

1.6 s -> 160 frames of 40 mel powers -> LSTM 3 x 256 -> last hidden state of the last layer ->
linear -> ReLU -> length 1 -> embedding; the cosine of two embeddings tells how alike the voices
are. As in the package, every recording starts from zero state.

The speakers are those of `speech` and those of two games for children, which name letters,
syllables and things: per speaker one folder, and of it the files of one format, as recorded
together. Telephones, rooms and microphones differ from speaker to speaker, which makes the task
easier than it is elsewhere; a few folders may still hold two voices, which makes it harder.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, distribution
from itertools import islice

import numpy as np
import soundfile
import torch
from torch import Tensor, nn
from torch.nn import functional

from ..grid import round_to
from . import speech, voices
from .network import Network, Part, Sample, in_calibration, in_fit, on_grid
from .speech import resampled as _resampled
from .turns import take_turns

FRAMES = 160
HOP_SAMPLES = 160  # 10 ms
FOURIER_SAMPLES = 400  # 25 ms
MELS = 40
LEVEL = 10 ** (-30 / 20)  # root mean square that quiet recordings are raised to; full scale is 1
SPEAKER_SAMPLES = 64
POWER_GRID = 2.0**-28  # of mel powers, which span many decades
SCORE_GRID = 2.0**-20  # cosines that are nearer to each other count as equal

# Parts of 30 ms are silence 30 dB below the loudest one, unless speech is at most two parts away.
SILENCE_PART = 480
SILENCE_DECIBELS = 30

# Folders below speech.SHARE by speaker, whose name begins with that of the Debian package. Left
# out: folders of less than 8 s of speech, and languages whose credits in klettres name two voices.
FOLDERS = {
    f"klettres-{folder.split('/')[0]}": f"klettres/{folder}"
    for folder in "ar/alpha cs/alpha da/syllab de/alpha en/alpha en_GB/alpha fr/syllab he/alpha "
    "hu/alpha it/syllab lt/syllab ml/syllab nb/alpha nl/syllab ru/syllab uk/syllab".split()
} | {
    f"ktuberling-{folder}": f"ktuberling/sounds/{folder}"
    for folder in "ca da de el en fi fr ga gl it lt nl pt ro ru sl sr sv uk wa".split()
}
SPEAKERS = (*speech.SPEAKERS, *FOLDERS)
FROZEN_SAMPLES = 24  # of a voice at most in a part of the frozen data, or few voices would make most pairs


def package_weights() -> dict[str, Tensor]:
    """The package's weights, float32 of the shapes of its state dict, by their names there. Raises FileNotFoundError when it is not installed."""
    try:
        path = distribution("Resemblyzer").locate_file("resemblyzer/pretrained.pt")
    except PackageNotFoundError:
        raise FileNotFoundError("no Python package Resemblyzer: run `make setup`") from None
    return torch.load(path, map_location="cpu", weights_only=True)["model_state"]


class Resemblyzer(Network):
    """Speaker verification; inputs are float32 [steps, 40], 160 steps unless a sample is cut; labels int64 [1], the speaker's place in SPEAKERS, and after them
    those of the frozen test."""

    name = "resemblyzer"
    metric_name = "equal error rate"
    higher_is_better = False

    def __init__(self):
        self._weights = package_weights()
        self.lstm = nn.LSTM(MELS, 256, num_layers=3).requires_grad_(False)
        self.lstm.load_state_dict(
            {name: self._weights[f"lstm.{name}"] for name in self.lstm.state_dict()}
        )

    def calibration(self, steps: int | None = None) -> list[Sample]:
        """As Network.calibration: utterances of SPEAKERS."""
        return self._first(steps, filter(in_calibration, SPEAKERS))

    def test(self, steps: int | None = None) -> list[Sample]:
        """As Network.test: utterances of SPEAKERS."""
        return self._first(steps, (name for name in SPEAKERS if not in_calibration(name)))

    def samples(self, part: Part, steps: int | None = None) -> list[Sample]:
        """As Network.samples: utterances of SPEAKERS, and of voices.VOICES in the test."""
        speakers = voices.VOICES if part is Part.TEST else [name for name in SPEAKERS if in_fit(name) == (part is Part.FIT)]
        return take_turns(self.name, steps, (islice(_samples(speaker), FROZEN_SAMPLES) for speaker in speakers))

    def head(self, sample: Sample, hidden: Sequence[Tensor]) -> Tensor:
        """Embedding, float64 [256] of length 1, after the last step, from h [steps, 256] of the last layer."""
        weight, bias = (self._weights[f"linear.{name}"].double() for name in ("weight", "bias"))
        return functional.normalize((weight @ hidden[-1][-1].double() + bias).relu(), dim=0)

    def metric(self, samples: Sequence[Sample], outputs: Sequence[Tensor]) -> float:
        """Rate, 0..1, at which pairs of one speaker are refused and pairs of two are accepted alike, of embeddings [256] a sample; NaN without pairs of either kind.

        Over all pairs of samples. A speaker whose samples come k times, as a bootstrap draws them, counts k times; the copies of a speaker make no pairs with each
        other.
        """
        copies: dict[int, int] = {}
        for sample in samples:
            copies[id(sample)] = copies.get(id(sample), 0) + 1
        place = {id(sample): index for index, sample in enumerate(samples)}
        chosen = list(place.values())
        embeddings = torch.stack([outputs[index] for index in chosen])
        speakers = torch.cat([samples[index].labels for index in chosen])
        count = torch.tensor([copies[key] for key in place], dtype=torch.float64)
        first, second = torch.triu_indices(len(chosen), len(chosen), offset=1)
        same = speakers[first] == speakers[second]
        weight = torch.where(same, count[first], count[first] * count[second])
        scores = round_to(embeddings @ embeddings.T, SCORE_GRID)[first, second]
        return equal_error_rate(scores, same, weight)

    def _first(self, steps: int | None, speakers: Iterable[str]) -> list[Sample]:
        return take_turns(self.name, steps, map(_samples, speakers))


def mel_spectrogram(audio: Tensor) -> Tensor:
    """Mel powers, float64 [samples // HOP_SAMPLES + 1, MELS], of float audio [samples].

    Hann window around every HOP_SAMPLES-th sample, with zeros beyond the ends; triangles that
    are linear in frequency and evenly spaced on Slaney's mel scale, 0 to 8 kHz, area 1 Hz each.
    """
    return filtered_powers(audio, mel_filters(), HOP_SAMPLES)


def filtered_powers(audio: Tensor, filters: Tensor, hop: int) -> Tensor:
    """Powers through filters, float64 [samples // hop + 1, filters], of float audio [samples].

    filters: float64 [filters, frequencies], those of a Fourier transform of 2 * frequencies - 2
    samples, under a Hann window.
    """
    size = 2 * filters.shape[1] - 2
    spectrum = torch.stft(
        audio.double(),
        size,
        hop,
        window=torch.hann_window(size, dtype=torch.float64),
        pad_mode="constant",
        return_complex=True,
    )
    return (filters @ spectrum.abs() ** 2).T


def mel_filters() -> Tensor:
    """Weight of each frequency in each mel, float64 [MELS, FOURIER_SAMPLES // 2 + 1]."""
    frequency = np.fft.rfftfreq(FOURIER_SAMPLES, 1 / speech.SAMPLE_RATE)
    # Slaney's scale: 15 mels to 1 kHz, and from there 27 to each factor of 6.4.
    mels = np.linspace(0, 15 + 27 * np.log(8) / np.log(6.4), MELS + 2)
    corners = np.where(mels < 15, mels * 200 / 3, 1000 * 6.4 ** ((mels - 15) / 27))[:, None]
    lower, centre, upper = corners[:-2], corners[1:-1], corners[2:]
    rise = (frequency - lower) / (centre - lower)
    fall = (upper - frequency) / (upper - centre)
    return torch.from_numpy(np.maximum(np.minimum(rise, fall), 0) * 2 / (upper - lower))


def equal_error_rate(scores: Tensor, same: Tensor, weight: Tensor) -> float:
    """Error rate at the threshold where both kinds of error are equally frequent.

    scores: [pairs], higher for more alike; same: bool [pairs]; weight: float64 [pairs]. Where no
    threshold makes the two rates equal, their mean at the first one where more is refused. Not a
    number without pairs of either kind.
    """
    if same.all() or not same.any():
        return float("nan")
    _, rank = scores.unique(return_inverse=True)
    refused = torch.bincount(rank, weight * same).cumsum(0) / weight[same].sum()
    accepted = 1 - torch.bincount(rank, weight * ~same).cumsum(0) / weight[~same].sum()
    crossing = int((refused >= accepted).int().argmax())
    return float((refused[crossing] + accepted[crossing]) / 2)


def utterances(speaker: str) -> Iterator[np.ndarray]:
    """The first SPEAKER_SAMPLES stretches of speech without silences, float64 [FRAMES * HOP_SAMPLES] at 16 kHz each.

    The recordings come one after the other in an order fixed by hash. Raises FileNotFoundError that names the Debian package when it is not installed.
    """
    size = FRAMES * HOP_SAMPLES
    recordings = _recordings if speaker in FOLDERS else speech.prompts if speaker in speech.SPEAKERS else voices.prompts
    audio, found = np.zeros(0), 0
    for recording in recordings(speaker):
        audio = np.concatenate((audio, _without_silence(_raised(recording))))
        while len(audio) >= size and found < SPEAKER_SAMPLES:
            yield audio[:size]
            audio, found = audio[size:], found + 1
        if found == SPEAKER_SAMPLES:
            return


def _samples(speaker: str) -> Iterator[Sample]:
    labels = torch.tensor([(*SPEAKERS, *voices.VOICES).index(speaker)])
    for audio in utterances(speaker):
        mels = mel_spectrogram(torch.from_numpy(audio))[:FRAMES]
        yield Sample(on_grid(mels, POWER_GRID), labels, speaker)


def _recordings(speaker: str) -> Iterator[np.ndarray]:
    folder = speech.SHARE / FOLDERS[speaker]
    paths = [path for path in folder.rglob("*.*") if path.suffix in (".ogg", ".wav")]
    if not paths:
        raise FileNotFoundError(
            f"no recordings in {folder}: run `make setup`, "
            f"or as root `apt-get install {speaker.split('-')[0]}-data`"
        )
    paths.sort(key=lambda path: sha256(str(path.relative_to(speech.SHARE)).encode()).digest())
    # Files of another rate were recorded on another day, and often by another voice.
    formats = [(info.samplerate, info.channels) for info in map(soundfile.info, paths)]
    usual = Counter(formats).most_common(1)[0][0]
    for path, format in zip(paths, formats):
        if format != usual:
            continue
        channels, rate = soundfile.read(path, always_2d=True)
        audio = _resampled(channels.mean(axis=1), rate)
        if len(audio) >= speech.SHORTEST_SAMPLES:
            yield audio


def _raised(recording: np.ndarray) -> np.ndarray:
    level = np.sqrt(np.mean(recording**2))
    return recording * (LEVEL / level) if 0 < level < LEVEL else recording


def _without_silence(recording: np.ndarray) -> np.ndarray:
    parts = recording[: len(recording) // SILENCE_PART * SILENCE_PART].reshape(-1, SILENCE_PART)
    power = np.mean(parts**2, axis=1)
    loud = power > power.max() / 10 ** (SILENCE_DECIBELS / 10)
    return parts[np.convolve(loud, np.ones(5), "same") > 0.5].ravel()
