# SPDX-License-Identifier: MIT
"""textgenrnn: which character follows?

40 characters -> embedding of 100 -> LSTM 2 x 128 -> attention: over the 40 steps, the mean of
[embedding, first layer, second layer], weighted by the softmax of a linear score -> linear ->
softmax over 465 classes. Class 0 is a character that the network does not know.

As in the package, every prediction has a window of its own: 40 characters from zero state. (One
long run whose last 40 hidden states predict each character needs 7.7 bits for it instead of 2.5:
the network has never seen states older than 40 steps.)
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, distribution
from itertools import islice
from math import log
from pathlib import Path

import h5py
import numpy as np
import torch
from torch import Tensor, nn

from . import texts
from .network import Network, Part, Sample, in_calibration, in_fit
from .turns import take_turns

WINDOW_STEPS = 40
FROZEN_WINDOWS = 300  # of a document at most in a part of the frozen data
SHINGLE = 25  # characters that two texts have in common where one repeats the other
TEXT = Path("/usr/share/games/fortunes")

# Collections of quotations, each about one topic. Left out: drawings, and the files that hold
# fewer than 128 windows.
DOCUMENTS = tuple(
    "art computers cookie debian definitions drugs education ethnic food fortunes goedel humorists "
    "kids knghtbrd law linux linuxcookie literature love magic medicine men-women miscellaneous "
    "news people perl pets platitudes politics riddles science songs-poems sports startrek tao "
    "wisdom work zippy".split()
)


def package_weights() -> tuple[dict[str, Tensor], dict[str, int]]:
    """The package's weights by their names in Keras, float32 of the shapes of Keras, and the class of each character.

    Raises FileNotFoundError when the package is not installed.
    """
    try:
        folder = Path(distribution("textgenrnn").locate_file("textgenrnn"))
    except PackageNotFoundError:
        raise FileNotFoundError("no Python package textgenrnn: run `make setup`") from None
    weights = {}
    with h5py.File(folder / "textgenrnn_weights.hdf5") as file:
        for layer in ("embedding", "rnn_1", "rnn_2", "attention", "output"):
            for name, values in file[layer][layer].items():
                weights[f"{layer}/{name.removesuffix(':0')}"] = torch.from_numpy(values[()])
    classes = json.loads((folder / "textgenrnn_vocab.json").read_text(encoding="utf-8"))
    return weights, classes


class Textgenrnn(Network):
    """Next character; inputs are float32 [steps, 100], labels int64 [steps], the class that follows each character; 40 steps but where a sample is cut."""

    name = "textgenrnn"
    metric_name = "bits per character"
    higher_is_better = False
    relative_margin = True

    def __init__(self):
        self._weights, self._classes = package_weights()
        self.lstm = nn.LSTM(100, 128, num_layers=2).requires_grad_(False)
        state = {}
        for layer in range(2):
            prefix = f"rnn_{layer + 1}"
            # The shapes are Keras', the memory is CuDNN's: per gate (i, f, g, o) the matrix
            # [units, inputs] row by row, and one bias for the inputs and one for the state.
            for ours, theirs in (("weight_ih", "kernel"), ("weight_hh", "recurrent_kernel")):
                gates = self._weights[f"{prefix}/{theirs}"].chunk(4, dim=1)
                state[f"{ours}_l{layer}"] = torch.cat([gate.reshape(128, -1) for gate in gates])
            biases = self._weights[f"{prefix}/bias"].chunk(2)
            state[f"bias_ih_l{layer}"], state[f"bias_hh_l{layer}"] = biases
        self.lstm.load_state_dict(state)
        for name in ("attention/attention_W", "output/kernel", "output/bias"):
            self._weights[name] = self._weights[name].double()

    def calibration(self, steps: int | None = None) -> list[Sample]:
        """As Network.calibration: windows of the fortunes' documents."""
        return self._first(steps, filter(in_calibration, DOCUMENTS))

    def test(self, steps: int | None = None) -> list[Sample]:
        """As Network.test: windows of the fortunes' documents."""
        return self._first(steps, (name for name in DOCUMENTS if not in_calibration(name)))

    def samples(self, part: Part, steps: int | None = None) -> list[Sample]:
        """As Network.samples: windows of the fortunes' documents, and of `texts` in the test."""
        chosen = texts.documents() if part is Part.TEST else [name for name in DOCUMENTS if in_fit(name) == (part is Part.FIT)]
        return take_turns(self.name, steps, map(self._windows_samples, (self.frozen_windows(name) for name in chosen), chosen))

    def frozen_windows(self, document: str) -> Iterator[str]:
        """The windows of a document in its part: the first FROZEN_WINDOWS that repeat nothing of the parts before it."""
        if document not in DOCUMENTS:
            found, seen = cut(texts.paragraphs(document), self._classes), shingles_of(DOCUMENTS)
        else:
            found = windows(document, self._classes)
            seen = shingles_of(() if in_fit(document) else tuple(filter(in_fit, DOCUMENTS)))
        return islice((window for window in found if not repeats(window, seen)), FROZEN_WINDOWS)

    def head(self, sample: Sample, hidden: Sequence[Tensor]) -> Tensor:
        """Natural logarithm of the probability of each class, float64 [465], after the last step, from h [steps, 128] of both layers."""
        states = torch.cat((sample.inputs, *hidden), dim=1).double()
        attention = (states @ self._weights["attention/attention_W"]).softmax(0)
        logits = (attention * states).sum(0) @ self._weights["output/kernel"]
        return (logits + self._weights["output/bias"]).log_softmax(0)

    def metric(self, samples: Sequence[Sample], outputs: Sequence[Tensor]) -> float:
        """Mean information of the character that follows the last step, in bits, of outputs, float64 [465] a sample."""
        following = _last_labels(samples)
        found = torch.stack(tuple(outputs)).gather(1, following[:, None])
        return -float(found.double().mean()) / log(2)

    def comparable(self, output: Tensor) -> Tensor:
        """Roots of the probabilities [465]: their distance is Hellinger's."""
        return (output / 2).exp()

    def accuracy(self, samples: Sequence[Sample], outputs: Sequence[Tensor]) -> float:
        """Share, 0..1, of samples whose most probable character is the one that follows, of outputs, float64 [465] a sample."""
        hits = torch.stack(tuple(outputs)).argmax(1) == _last_labels(samples)
        return float(hits.double().mean())

    def _first(self, steps: int | None, documents: Iterable[str]) -> list[Sample]:
        return take_turns(self.name, steps, map(self._samples, documents))

    def _samples(self, document: str) -> Iterator[Sample]:
        return self._windows_samples(windows(document, self._classes), document)

    def _windows_samples(self, found: Iterable[str], document: str) -> Iterator[Sample]:
        embedding = self._weights["embedding/embeddings"]
        for window in found:
            classes = torch.tensor([self._classes[character] for character in window])
            yield Sample(embedding[classes[:-1]], classes[1:], document)


def windows(document: str, known: Iterable[str]) -> Iterator[str]:
    """The windows of a document: WINDOW_STEPS characters and the one that follows, each within one quotation.

    Raises FileNotFoundError that names the Debian package when the document is not installed.
    """
    return cut(quotations(document), known)


def quotations(document: str) -> list[str]:
    """The quotations of a document of the fortunes. Raises FileNotFoundError that names the Debian package when it is not installed."""
    path = TEXT / document
    if not path.exists():
        raise FileNotFoundError(
            f"no text {path}: run `make setup`, or as root `apt-get install fortunes`"
        )
    return path.read_text(encoding="utf-8").split("\n%\n")


def cut(parts: list[str], known: Iterable[str]) -> Iterator[str]:
    """The windows of parts of a text, in an order of the parts that is fixed by hash.

    No two windows overlap, each lies within one part, and none holds a character that is not `known`.
    Blanks, tabs and line ends become one blank, as the network knows neither tabs nor lines that are
    filled up to a width.
    """
    known, size = set(known), WINDOW_STEPS + 1
    for part in sorted(parts, key=lambda text: sha256(text.encode()).digest()):
        text = " ".join(part.split())
        for start in range(0, len(text) - size + 1, size):
            window = text[start : start + size]
            if known.issuperset(window):
                yield window


@cache
def shingles_of(documents: tuple[str, ...]) -> np.ndarray:
    """Hashes, uint64 and sorted, of all stretches of SHINGLE characters in the quotations of documents, [hashes]. Raises FileNotFoundError as `quotations`."""
    found = [shingles(" ".join(text.split())) for name in documents for text in quotations(name)]
    return np.unique(np.concatenate([np.zeros(0, np.uint64), *found]))


def shingles(text: str) -> np.ndarray:
    """Hashes, uint64 [hashes], of the stretches of SHINGLE characters of a text, in small letters."""
    codes = np.frombuffer(text.lower().encode("utf-32-le"), np.uint32).astype(np.uint64)
    count = max(len(codes) - SHINGLE + 1, 0)
    hashes = np.zeros(count, np.uint64)
    for place in range(SHINGLE):
        hashes = hashes * np.uint64(0x9E3779B97F4A7C15) + codes[place : place + count]
    return hashes


def repeats(window: str, seen: np.ndarray) -> bool:
    """Whether a window holds a stretch of SHINGLE characters that was seen; seen: sorted hashes, uint64 [hashes], as of shingles_of."""
    hashes = shingles(window)
    return bool(len(seen)) and bool((seen[np.searchsorted(seen, hashes).clip(max=len(seen) - 1)] == hashes).any())


def _last_labels(samples: Sequence[Sample]) -> Tensor:
    return torch.stack([sample.labels[-1] for sample in samples])
