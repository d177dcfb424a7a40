# SPDX-License-Identifier: MIT
"""Spelling: which letters does a voice spell, as in "alfa, bravo, charlie"?

8 kHz speech -> logarithms of 30 mel powers every 10 ms -> three frames side by side, one step ->
LSTM 2 x 128, bidirectional -> linear -> CTC. The network is the project's own: `train_spelling`
makes its weights.

The recordings are those telephone prompts of `speech` that say the spelling alphabet of aviation:
26 words an alphabet. Strings of words are put together from one alphabet, in another tempo and
loudness each time, with pauses and noise. The voices of the test are in neither calibration nor
training. There are few of them: what differs between their strings is the sequence of 26 words,
the tempo and the noise.
"""

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from hashlib import sha256
from pathlib import Path

import numpy as np
import soundfile
import torch
from safetensors import safe_open
from torch import Tensor, nn

from . import speech
from .ctc import best_path, root_probabilities
from .network import Network, Sample, on_grid
from .resemblyzer import filtered_powers, mel_filters
from .turns import whole_samples

WEIGHTS = Path(__file__).with_suffix(".safetensors")
LETTERS = "abcdefghijklmnopqrstuvwxyz"
UNITS, LAYERS = 128, 2

SAMPLE_RATE = 8000
HOP_SAMPLES = 80  # 10 ms
FOURIER_SAMPLES = 200  # 25 ms
MELS = 30  # those that end below 4 kHz
STACKED = 3  # frames a step
STEPS = 130  # of a string: 3.9 s

# Frames more than this below the loudest one are silence, as far as they begin or end a recording.
SILENCE_DECIBELS = 30
MARGIN = 4  # frames of silence that stay
FLOOR = 1e-5  # added to powers that are about 1 in words; the quietest noise is 10 dB above it
CENTRE = -1.8  # of the decimal logarithms, taken off so that inputs are about 0

# The voices of calibration are those of training, which the network reads without an error: they
# are distorted until it errs about as often as on voices that it has never heard, or calibration
# would not see what precision is worth.
DISTORTION = dict(tempo=0.3, pitch=0.3, noise=(-2, -0.7))

STRINGS = 2048  # of each alphabet, of three to six letters
# Folders below speech.SHARE with one alphabet each and their Debian packages, by speaker.
ALPHABETS = {
    "allison": {
        "asterisk/sounds/en_US_f_Allison/phonetic": "asterisk-core-sounds-en-gsm",
        "asterisk/sounds/es_MX_f_Allison/phonetic": "asterisk-core-sounds-es-gsm",
    },
    "june": {"asterisk/sounds/fr_CA_f_June/phonetic": "asterisk-core-sounds-fr-gsm"},
    "ivrvoice": {"asterisk/sounds/ru_RU_f_IvrvoiceRU/phonetic": "asterisk-core-sounds-ru-gsm"},
    "menardi": {"asterisk/sounds/it_IT_f_Menardi/phonetic/ICAO": "asterisk-prompt-it-menardi-gsm"},
    "armelle": {"asterisk/sounds/fr/phonetic": "asterisk-prompt-fr-armelle"},
}
# Fixed by hand: five voices are too few to leave their split to chance.
TEST_SPEAKERS = ("june", "menardi")
TRAINING_SPEAKERS = ("allison", "ivrvoice", "armelle")  # and of calibration


class Spelling(Network):
    """Spelled strings; labels are int64 [letters], counted from 1 in LETTERS."""

    name = "spelling"
    metric_name = "letter error rate"
    higher_is_better = False

    def __init__(self):
        with safe_open(WEIGHTS, "pt") as stored:
            weights = {name: stored.get_tensor(name).float() for name in stored.keys()}
        network = Recognizer()
        network.load_state_dict(weights)
        network.requires_grad_(False)
        self.lstm, self._linear = network.lstm, network.linear.double()

    def calibration(self, steps: int | None = None) -> list[Sample]:
        return whole_samples(self.name, steps, _samples(TRAINING_SPEAKERS, **DISTORTION), "strings")

    def test(self, steps: int | None = None) -> list[Sample]:
        return whole_samples(self.name, steps, _samples(TEST_SPEAKERS), "strings")

    def head(self, sample: Sample, hidden: Sequence[Tensor]) -> Tensor:
        """Logits [steps, 1 + letters] of the blank and of LETTERS."""
        return self._linear(hidden[-1].double())

    def comparable(self, output: Tensor) -> Tensor:
        return root_probabilities(output)

    def weight(self, sample: Sample) -> int:
        return len(sample.labels)

    def metric(self, samples: Sequence[Sample], outputs: Sequence[Tensor]) -> float:
        """Letters inserted, deleted and replaced on the best paths, per letter that was said."""
        errors = letters = 0
        for sample, output in zip(samples, outputs, strict=True):
            read, said = best_path(output).tolist(), sample.labels.tolist()
            errors += edit_distance(tuple(read), tuple(said))
            letters += len(sample.labels)
        return errors / letters


class Recognizer(nn.Module):
    """Inputs [steps, strings, STACKED * MELS] -> logits [steps, strings, 1 + letters]."""

    def __init__(self, dropout: float = 0.0):
        super().__init__()
        self.lstm = nn.LSTM(STACKED * MELS, UNITS, LAYERS, bidirectional=True, dropout=dropout)
        self.dropout = nn.Dropout(dropout)
        self.linear = nn.Linear(2 * UNITS, 1 + len(LETTERS))

    def forward(self, inputs: Tensor) -> Tensor:
        return self.linear(self.dropout(self.lstm(inputs)[0]))


@lru_cache(maxsize=1 << 16)  # resampling asks for the same strings again and again
def edit_distance(read: tuple[int, ...], said: tuple[int, ...]) -> int:
    """Fewest insertions, deletions and replacements that make one sequence of the other."""
    row = list(range(len(said) + 1))
    for count, letter in enumerate(read, 1):
        diagonal, row[0] = row[0], count
        for place, other in enumerate(said, 1):
            best = min(row[place] + 1, row[place - 1] + 1, diagonal + (letter != other))
            diagonal, row[place] = row[place], best
    return row[-1]


def mel_powers(audio: Tensor) -> Tensor:
    """Mel powers, float64 [samples // HOP_SAMPLES + 1, MELS], of float audio [samples].

    As `resemblyzer.mel_spectrogram`, at half its rate.
    """
    # Half the samples of half the rate: the frequencies are the lower half of the same ones.
    filters = mel_filters()[:MELS, : FOURIER_SAMPLES // 2 + 1]
    return filtered_powers(audio, filters, HOP_SAMPLES)


@lru_cache
def words(folder: Path) -> tuple[np.ndarray, ...]:
    """Mel powers, float64 [frames, MELS], of the word of each letter.

    Relative to the alphabet's mean power in each mel, which takes off what is the same in all
    words: much of the voice, the microphone and the line. Raises FileNotFoundError that names
    the Debian package when a recording is not there.
    """
    recordings = [_word(folder / f"{letter}_p.gsm") for letter in LETTERS]
    spectrum = np.concatenate(recordings).mean(axis=0)
    return tuple(recording / spectrum for recording in recordings)


def string(
    alphabet: Sequence[np.ndarray],
    random: np.random.RandomState,
    tempo: float = 0.1,
    pitch: float = 0.0,
    noise: tuple[float, float] = (-4, -2),
) -> tuple[Tensor, list[tuple[int, slice]]]:
    """Words of an alphabet one after the other, as many as fit.

    tempo, pitch: largest change of the whole string's, as a natural logarithm.
    noise: range of the power of noise, as a decimal logarithm, the words' being 0.
    Returns LSTM inputs, float32 [STEPS, STACKED * MELS], and the words: which, at which frames.
    """
    powers = np.zeros((STEPS * STACKED, MELS))
    speed, warp = random.uniform(-tempo, tempo), np.exp(random.uniform(-pitch, pitch))
    start, placed = random.randint(12), []
    while True:
        letter = random.randint(len(alphabet))
        word = alphabet[letter]
        rows = np.arange(0, len(word) - 1, np.exp(speed + random.uniform(-0.08, 0.08)))
        word = _interpolated(_interpolated(word, rows).T, np.arange(MELS) * warp).T
        where = slice(start, start + len(word))
        if where.stop > len(powers):
            break
        powers[where] = word * 10 ** random.uniform(-0.3, 0.3)
        placed.append((letter, where))
        start = where.stop + random.randint(25)
    hiss = _hiss()
    start = random.randint(len(hiss) - len(powers))
    powers += hiss[start : start + len(powers)] * 10 ** random.uniform(*noise)
    inputs = np.log10(powers + FLOOR) - CENTRE
    return on_grid(torch.from_numpy(inputs)).reshape(STEPS, -1), placed


def alphabets(speakers: Iterable[str]) -> list[tuple[str, Path]]:
    """Speaker and folder of every alphabet of some speakers."""
    return [
        (speaker, speech.SHARE / folder) for speaker in speakers for folder in ALPHABETS[speaker]
    ]


def _samples(speakers: Iterable[str], **distortion) -> Iterator[Sample]:
    """The alphabets take turns, a string each; distortion as of `string`."""
    pairs = alphabets(speakers)
    for number in range(STRINGS):
        for index, (speaker, folder) in enumerate(pairs):
            group = f"{speaker} {number * len(pairs) + index}"
            seed = int.from_bytes(sha256(group.encode()).digest()[:4], "big")
            inputs, placed = string(words(folder), np.random.RandomState(seed), **distortion)
            labels = torch.tensor([1 + letter for letter, _ in placed])
            yield Sample(inputs, labels, group)


def _word(path: Path) -> np.ndarray:
    if not path.exists():
        folder = str(path.parent.relative_to(speech.SHARE))
        package = next(names[folder] for names in ALPHABETS.values() if folder in names)
        raise FileNotFoundError(
            f"no recording {path}: run `make setup`, or as root `apt-get install {package}`"
        )
    audio, _ = soundfile.read(
        path, samplerate=SAMPLE_RATE, channels=1, format="RAW", subtype="GSM610"
    )
    powers = mel_powers(torch.from_numpy(audio)).numpy()
    power = powers.sum(axis=1)
    loud = np.flatnonzero(power > power.max() / 10 ** (SILENCE_DECIBELS / 10))
    powers = powers[max(loud[0] - MARGIN, 0) : loud[-1] + MARGIN + 1]
    return powers / power[power > power.max() / 100].mean()


@lru_cache
def _hiss() -> np.ndarray:
    """Mel powers of half a minute of noise, their mean 1 in each mel, as that of the words."""
    noise = np.random.RandomState(0).standard_normal(30 * SAMPLE_RATE)
    powers = mel_powers(torch.from_numpy(noise)).numpy()
    return powers / powers.mean(axis=0)


def _interpolated(values: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Values at fractional rows, on a straight line between neighbours; the last row beyond."""
    rows = np.minimum(rows, len(values) - 1)
    lower = np.minimum(rows.astype(int), len(values) - 2)
    share = (rows - lower)[:, None]
    return values[lower] * (1 - share) + values[lower + 1] * share
