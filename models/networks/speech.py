# SPDX-License-Identifier: MIT
"""Recorded speech that Debian packages carry: telephone prompts and read sentences.

The prompts are taken in GSM full rate, a tenth of the download of the same prompts as WAV; the
decoder is defined bit by bit, so that every version of it gives the same samples.
"""

from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import numpy as np
import soundfile

SAMPLE_RATE = 16000
SHORTEST_SAMPLES = 1600  # the packages hold a few empty recordings
SHARE = Path("/usr/share")

# Folders below SHARE with their Debian packages, by speaker.
SPEAKERS = {
    "allison": {
        "asterisk/sounds/en_US_f_Allison": "asterisk-core-sounds-en-gsm",
        "asterisk/sounds/es_MX_f_Allison": "asterisk-core-sounds-es-gsm",
    },
    "june": {"asterisk/sounds/fr_CA_f_June": "asterisk-core-sounds-fr-gsm"},
    "carlo": {"asterisk/sounds/it_IT_m_Carlo": "asterisk-core-sounds-it-gsm"},
    "ivrvoice": {"asterisk/sounds/ru_RU_f_IvrvoiceRU": "asterisk-core-sounds-ru-gsm"},
    "menardi": {"asterisk/sounds/it_IT_f_Menardi": "asterisk-prompt-it-menardi-gsm"},
    "armelle": {"asterisk/sounds/fr": "asterisk-prompt-fr-armelle"},
    "colombia": {"asterisk/sounds/es": "asterisk-prompt-es-co"},
    "librivox": {"pocketsphinx/test/data/librivox": "pocketsphinx-testdata"},
    "cards": {"pocketsphinx/test/data/cards": "pocketsphinx-testdata"},
}

# Recordings that hold no speech, by name without suffix.
NO_SPEECH = frozenset(
    "ascending-2tone descending-2tone beep beeperr tt-monkeys confbridge-join confbridge-leave"
    .split()
)


def prompts(speaker: str) -> Iterator[np.ndarray]:
    """Recordings of one speaker, float64 [samples] at SAMPLE_RATE, in an order fixed by hash.

    Raises FileNotFoundError that names the Debian package when it is not installed.
    """
    paths = []
    for folder, package in SPEAKERS[speaker].items():
        found = [p for p in (SHARE / folder).rglob("*.*") if p.suffix in (".gsm", ".wav")]
        if not found:
            raise FileNotFoundError(
                f"no recordings in {SHARE / folder}: run `make setup`, "
                f"or as root `apt-get install {package}`"
            )
        paths += [p for p in found if p.stem not in NO_SPEECH and p.parent.name != "silence"]
    paths.sort(key=lambda path: sha256(str(path.relative_to(SHARE)).encode()).digest())
    return filter(lambda samples: len(samples) >= SHORTEST_SAMPLES, map(_read, paths))


def resampled(audio: np.ndarray, rate: int) -> np.ndarray:
    """Audio at SAMPLE_RATE, float64 [samples], from audio [samples] at `rate` Hz, by cutting its spectrum there or filling it up with zeros.

    Ends in zeros up to a whole tenth of a second, which makes the ratio exact and the transform fast.
    """
    audio = np.pad(audio, (0, -len(audio) % (rate // 10)))
    size = len(audio) * SAMPLE_RATE // rate
    resampled = np.fft.irfft(np.fft.rfft(audio)[: size // 2 + 1], size)
    return resampled * (size / len(audio))


def _read(path: Path) -> np.ndarray:
    if not path.stat().st_size:
        return np.zeros(0)
    raw = dict(samplerate=8000, channels=1, format="RAW", subtype="GSM610")
    samples, rate = soundfile.read(path, **(raw if path.suffix == ".gsm" else {}))
    if rate * 2 == SAMPLE_RATE:
        return _double_rate(samples)
    if rate == SAMPLE_RATE:
        return samples
    raise ValueError(f"{path}: {rate} Hz; only {SAMPLE_RATE // 2} and {SAMPLE_RATE} Hz are read")


def _double_rate(samples: np.ndarray, reach: int = 32) -> np.ndarray:
    """Twice the sampling rate: a windowed sinc fills in the points half-way between samples."""
    distance = np.arange(-reach, reach) + 0.5
    taps = np.sinc(distance) * np.cos(np.pi * distance / (2 * reach)) ** 2
    between = np.convolve(samples, taps)[reach : reach + len(samples)]
    return np.stack((samples, between), axis=1).ravel()
