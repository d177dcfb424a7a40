# SPDX-License-Identifier: MIT
"""Recorded voices of the frozen test, from Debian packages that no earlier evaluation has used.

A voice is one person as far as credits and names of files tell, and its recordings are one series: one folder, one encoder. Left out are

- what a machine speaks: hedgewars' Robot;
- what may be a person who is here already: eight more of hedgewars, made by the hands that made Default, and Russian_pl; the guests of
  fillets-ng; tuxpaint's English animals, recorded with the Dutch ones;
- what several people say: tuxpaint's Brazilian children, and its numbers and letters where another project recorded them than the rest.

A recording that stands in two voices, or twice in one, is taken once.
"""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from pathlib import Path

import numpy as np
import soundfile

from . import speech
from .packages import missing


@dataclass(frozen=True)
class Voice:
    """Where the recordings of a voice are.

    folder: below speech.SHARE. files: a regular expression of whole paths below it. encoder: text that the head of each file holds.
    """

    package: str
    folder: str
    files: str
    encoder: str = ""


def _fish(language: str, fish: str) -> Voice:
    return Voice(f"fillets-ng-data-{language}", "games/fillets-ng/sound", rf"(?!share/)[^/]+/{language}/[^/-]+-{fish}-.*\.ogg")


def _stamps(language: str, encoder: str, files: str = r"(?!symbols/).*") -> Voice:
    return Voice("tuxpaint-stamps-default", "tuxpaint/stamps", rf"{files}_desc{language}\.ogg", f"libVorbis I {encoder}")


def _radio(files: str) -> Voice:
    return Voice("codec2-examples", "codec2", files)


VOICES = {
    **{f"fillets-{language}-{fish}": _fish(language, fish) for language in ("cs", "nl") for fish in "mv"},
    "tuxpaint-be": _stamps("_be", "20101101"),
    "tuxpaint-bg": _stamps("_bg", "20040629"),
    "tuxpaint-ca": _stamps("_ca", "20050304"),
    "tuxpaint-da": _stamps("_da", "20070622"),
    "tuxpaint-el": _stamps("_el", "20040629"),
    "tuxpaint-es": _stamps("_es", "20101101"),
    "tuxpaint-fr": _stamps("_fr", "20101101"),
    "tuxpaint-fr-chion": _stamps("_fr", "20050304", "symbols/.*"),
    "tuxpaint-lt": _stamps("_lt", "20070622", "symbols/.*"),
    "tuxpaint-nl": _stamps("_nl", "20050304"),
    "tuxpaint-ro": _stamps("_ro", "20070622"),
    "tuxpaint-ru": _stamps("_ru", "20070622"),
    **{
        f"hedgewars-{name}": Voice("hedgewars-data", f"games/hedgewars/Data/Sounds/voices/{name}", r"[^/]+\.ogg")
        for name in ("Default", "Default_es", "Default_pl", "Default_ru", "Default_uk", "HillBilly")
    },
    "gcin-3": Voice("gcin-voice", "gcin-voice/ogg", r"[^/]+/3\.ogg"),
    "gcin-5": Voice("gcin-voice", "gcin-voice/ogg", r"[^/]+/5\.ogg"),
    "alsa": Voice("alsa-utils", "sounds/alsa", r"(Front|Rear|Side)_.*\.wav"),
    **{f"codec2-{name}": _radio(rf"raw/{name}\.raw") for name in ("big_dog", "g3plx", "kristoff", "mmt1", "morig", "ve9qrp", "vk5qi")},
    **{f"codec2-{name}": _radio(rf"wav/{name}\.wav") for name in ("david4", "vk2tpm_004")},
    "codec2-hts1": _radio(r"raw/hts1a\.raw"),
    "codec2-hts2": _radio(r"raw/hts2a\.raw"),
}


def prompts(name: str) -> Iterator[np.ndarray]:
    """Recordings of a voice, float64 [samples] at speech.SAMPLE_RATE, in an order fixed by hash.

    Raises FileNotFoundError that names the Debian package when it is not installed.
    """
    for path in paths(name):
        audio, rate = _read(path)
        if len(audio) * speech.SAMPLE_RATE >= speech.SHORTEST_SAMPLES * rate and np.any(audio):
            yield speech.resampled(audio, rate)


@cache
def paths(name: str) -> tuple[Path, ...]:
    """Files of a voice in the order of their hashes, none of whose contents an earlier voice of the package has.

    Raises FileNotFoundError that names the Debian package when it is not installed.
    """
    voice, taken = VOICES[name], set()
    for earlier, other in VOICES.items():
        if earlier == name:
            break
        if other.package == voice.package and other.files == voice.files:
            taken |= {path.read_bytes() for path in paths(earlier)}
    folder, found = speech.SHARE / voice.folder, []
    for path in sorted(_matching(folder, voice.files), key=lambda path: sha256(str(path.relative_to(speech.SHARE)).encode()).digest()):
        content = path.read_bytes()
        if content not in taken and voice.encoder.encode() in content[:4096]:
            taken.add(content)
            found.append(path)
    if not found:
        raise missing(f"no recordings in {folder}", voice.package)
    return tuple(found)


def _matching(folder: Path, files: str) -> list[Path]:
    pattern = re.compile(files)
    return [folder / name for name in _names(folder) if pattern.fullmatch(name)]


@cache
def _names(folder: Path) -> list[str]:
    return [os.path.relpath(os.path.join(root, name), folder) for root, _, names in os.walk(folder) for name in names]


def _read(path: Path) -> tuple[np.ndarray, int]:
    raw = dict(samplerate=8000, channels=1, format="RAW", subtype="PCM_16", endian="LITTLE")
    channels, rate = soundfile.read(path, always_2d=True, **(raw if path.suffix == ".raw" else {}))
    return channels.mean(axis=1), rate
