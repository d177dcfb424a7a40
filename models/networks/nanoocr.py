# SPDX-License-Identifier: MIT
"""nano-ocr: which word does the picture show?

Picture of 32 x 128 -> 7 convolutions -> 33 columns of 512 features, one a step -> LSTM 1 x 256,
bidirectional -> linear -> CTC over digits, letters of both cases, full stop, hyphen and blank.
PyTorch runs the convolutions in float64, as float32 differs from processor to processor.

The words are those of the quotations of Debian's fortunes. They are drawn in a typeface of
matplotlib's, blurred and covered with noise by as much as makes the
network err on one word in ten; of clean pictures it reads nearly all.
"""

import random
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, distribution
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFilter, ImageFont
from torch import Tensor, nn
from torch.nn import functional

from .ctc import root_probabilities, share_read
from .network import Network, Part, Sample, on_grid
from .parts import part_of
from .turns import whole_samples

# Classes from 1 on; 0 is the blank of CTC.
ALPHABET = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.- "
WIDTH, HEIGHT = 128, 32  # of a picture, as the network takes it
LETTERS = range(4, 13)
TEXT = Path("/usr/share/games/fortunes")
FONTS = tuple(
    f"DejaVu{name}.ttf"
    for name in "Sans Sans-Bold Sans-Oblique Sans-BoldOblique Serif Serif-Bold Serif-Italic Serif-BoldItalic "
    "SansMono SansMono-Bold SansMono-Oblique SansMono-BoldOblique".split()
)
FONT_SIZE, MARGIN = 28, 3
FROZEN_WORDS = 4096  # of each part at most
BLUR, NOISE = (0.7, 1.4), (30, 70)  # least and most: radius of the blur in pixels, largest change of a pixel


def package_weights() -> dict[str, Tensor]:
    """The package's weights, float32 of the shapes of its state dict, by their names there. Raises FileNotFoundError when it is not installed."""
    try:
        path = distribution("nano-ocr").locate_file("nano_ocr/model/nano_ocr_ftr.pth")
    except PackageNotFoundError:
        raise FileNotFoundError("no Python package nano-ocr: run `make setup`") from None
    return torch.load(path, map_location="cpu", weights_only=True)


class Nanoocr(Network):
    """Pictures of words; inputs are float32 [33, 512], labels int64 [letters], counted from 1 in ALPHABET. A word in any case is a group."""

    name = "nanoocr"
    needs_whole = True
    metric_name = "words read correctly"

    def __init__(self):
        weights = package_weights()
        self.lstm = nn.LSTM(512, 256, bidirectional=True).requires_grad_(False)
        self.lstm.load_state_dict({name: weights[f"rnn.{name}"] for name in self.lstm.state_dict()})
        self._weight, self._bias = (weights[f"fc.{name}"].double() for name in ("weight", "bias"))
        self._convolutions = _convolutions()
        self._convolutions.load_state_dict(
            {name: weights[f"cnn.{name}"] for name in self._convolutions.state_dict()}
        )
        self._convolutions.double().eval().requires_grad_(False)

    def calibration(self, steps: int | None = None) -> list[Sample]:
        """As Network.calibration, in whole samples: words of FIT and HELD_OUT."""
        return self._first(steps, (*words(Part.FIT), *words(Part.HELD_OUT)))

    def test(self, steps: int | None = None) -> list[Sample]:
        """As Network.test, in whole samples: words of the frozen test."""
        return self.samples(Part.TEST, steps)

    def samples(self, part: Part, steps: int | None = None) -> list[Sample]:
        """As Network.samples, in whole samples, of FROZEN_WORDS words at most."""
        return self._first(steps, islice(words(part), FROZEN_WORDS))

    def head(self, sample: Sample, hidden: Sequence[Tensor]) -> Tensor:
        """Logits, float64 [steps, 1 + characters], of the blank and of ALPHABET, from h [steps, 512] of both directions."""
        return functional.linear(hidden[-1].double(), self._weight, self._bias)

    def metric(self, samples: Sequence[Sample], outputs: Sequence[Tensor]) -> float:
        """Share, 0..1, of words with every letter right and in its case, on the best path through the logits [steps, 1 + characters]."""
        return share_read(samples, outputs)

    def comparable(self, output: Tensor) -> Tensor:
        """Roots of the probabilities, of the shape of the logits, [steps, 1 + characters]: their distance is Hellinger's."""
        return root_probabilities(output)

    def features(self, pixels: np.ndarray) -> Tensor:
        """LSTM inputs, float32 [33, 512], of a picture, uint8 [32, 128] from 0 black to 255 white."""
        scaled = torch.tensor(pixels, dtype=torch.float64) / 127.5 - 1
        return on_grid(self._convolutions(scaled[None, None])[0, :, 0].T)

    def _first(self, steps: int | None, chosen: Iterable[str]) -> list[Sample]:
        return whole_samples(self.name, steps, map(self._sample, chosen), "pictures")

    def _sample(self, word: str) -> Sample:
        labels = torch.tensor([1 + ALPHABET.index(letter) for letter in word])
        return Sample(self.features(draw(word)), labels, word.lower())


def words(part: Part) -> Iterator[str]:
    """Words of a part, each once and in one of the cases it is written in, in an order fixed by hash. Raises FileNotFoundError that names the Debian package when it
    is not installed."""
    return (word for word in _words() if part_of(word.lower()) is part)


def draw(word: str) -> np.ndarray:
    """The picture of a word, uint8 [32, 128]: its typeface, blur and noise follow from its letters."""
    uniform = random.Random(f"frozen {word}").random  # which gives the same numbers in every version of Python
    folder = Path(distribution("matplotlib").locate_file("matplotlib/mpl-data/fonts/ttf"))
    path = folder / FONTS[int(uniform() * len(FONTS))]
    font = ImageFont.truetype(path, FONT_SIZE, layout_engine=ImageFont.Layout.BASIC)
    left, top, right, bottom = font.getbbox(word)
    image = Image.new("L", (right - left + 2 * MARGIN, bottom - top + 2 * MARGIN), 255)
    ImageDraw.Draw(image).text((MARGIN - left, MARGIN - top), word, font=font, fill=0)
    radius, strength = (least + uniform() * (most - least) for least, most in (BLUR, NOISE))
    image = image.filter(ImageFilter.GaussianBlur(radius))
    noise = [[int(strength * (2 * uniform() - 1)) for _ in range(image.width)] for _ in range(image.height)]
    image = Image.fromarray((np.asarray(image, np.int16) + noise).clip(0, 255).astype(np.uint8))
    return np.asarray(image.resize((WIDTH, HEIGHT), Image.Resampling.BILINEAR))


@cache
def _words() -> tuple[str, ...]:
    """Words of the quotations. Raises FileNotFoundError that names the Debian package when it is not installed."""
    found: dict[str, str] = {}
    for path in sorted(TEXT.glob("*")):
        if path.suffix or path.is_dir():  # besides the texts there are their indices
            continue
        for word in path.read_text(encoding="utf-8").split():
            word = word.strip(".,;:!?\"'()[]-*_`")
            if word.isascii() and word.isalpha() and len(word) in LETTERS:
                key = word.lower()
                found[key] = min(found.get(key, word), word, key=_digest)
    if not found:
        raise FileNotFoundError(f"no text in {TEXT}: run `make setup`, or as root `apt-get install fortunes`")
    return tuple(sorted(found.values(), key=_digest))


def _digest(word: str) -> bytes:
    return sha256(word.encode()).digest()


def _convolutions() -> nn.Sequential:
    """The layers from the picture to the columns [512, 1, 33], as they are numbered in the package's weights."""
    def convolution(inputs: int, outputs: int, *after: nn.Module, size: int = 3) -> list[nn.Module]:
        return [nn.Conv2d(inputs, outputs, size, padding=size // 2 if size == 3 else 0), *after, nn.ReLU()]

    def narrow() -> nn.MaxPool2d:
        return nn.MaxPool2d((2, 2), (2, 1), (0, 1))

    return nn.Sequential(
        *convolution(1, 64), nn.MaxPool2d(2),
        *convolution(64, 128), nn.MaxPool2d(2),
        *convolution(128, 256, nn.BatchNorm2d(256)),
        *convolution(256, 256), narrow(),
        *convolution(256, 512, nn.BatchNorm2d(512)), narrow(),
        *convolution(512, 512, nn.BatchNorm2d(512), size=2),
    )
