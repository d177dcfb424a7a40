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
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, distribution
from math import log
from pathlib import Path

import h5py
import torch
from torch import Tensor, nn

from .network import Network, Sample, in_calibration
from .turns import take_turns

WINDOW_STEPS = 40
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
    """The package's weights by their names in Keras, and the class of each character.

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
    """Next character; labels are int64 [steps], the class that follows each character."""

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
        return self._first(steps, filter(in_calibration, DOCUMENTS))

    def test(self, steps: int | None = None) -> list[Sample]:
        return self._first(steps, (name for name in DOCUMENTS if not in_calibration(name)))

    def head(self, sample: Sample, hidden: Sequence[Tensor]) -> Tensor:
        """Natural logarithm of the probability of each class [465], after the last step."""
        states = torch.cat((sample.inputs, *hidden), dim=1).double()
        attention = (states @ self._weights["attention/attention_W"]).softmax(0)
        logits = (attention * states).sum(0) @ self._weights["output/kernel"]
        return (logits + self._weights["output/bias"]).log_softmax(0)

    def metric(self, samples: Sequence[Sample], outputs: Sequence[Tensor]) -> float:
        """Mean information of the character that follows the last step, in bits."""
        following = _last_labels(samples)
        found = torch.stack(tuple(outputs)).gather(1, following[:, None])
        return -float(found.double().mean()) / log(2)

    def comparable(self, output: Tensor) -> Tensor:
        """Roots of the probabilities: their distance is Hellinger's."""
        return (output / 2).exp()

    def accuracy(self, samples: Sequence[Sample], outputs: Sequence[Tensor]) -> float:
        """Share of samples whose most probable character is the one that follows."""
        hits = torch.stack(tuple(outputs)).argmax(1) == _last_labels(samples)
        return float(hits.double().mean())

    def _first(self, steps: int | None, documents: Iterable[str]) -> list[Sample]:
        return take_turns(self.name, steps, map(self._samples, documents))

    def _samples(self, document: str) -> Iterator[Sample]:
        embedding = self._weights["embedding/embeddings"]
        for window in windows(document, self._classes):
            classes = torch.tensor([self._classes[character] for character in window])
            yield Sample(embedding[classes[:-1]], classes[1:], document)


def windows(document: str, known: Iterable[str]) -> Iterator[str]:
    """The windows of a document: WINDOW_STEPS characters and the one that follows.

    No two overlap, each lies within one quotation, and none holds a character that is not `known`.
    The order of the quotations is fixed by hash. Blanks, tabs and line ends become one blank, as
    the network knows neither tabs nor lines that are filled up to a width.
    Raises FileNotFoundError that names the Debian package when the document is not installed.
    """
    path = TEXT / document
    if not path.exists():
        raise FileNotFoundError(
            f"no text {path}: run `make setup`, or as root `apt-get install fortunes`"
        )
    quotations = path.read_text(encoding="utf-8").split("\n%\n")
    quotations.sort(key=lambda text: sha256(text.encode()).digest())
    known, size = set(known), WINDOW_STEPS + 1
    for quotation in quotations:
        text = " ".join(quotation.split())
        for start in range(0, len(text) - size + 1, size):
            window = text[start : start + size]
            if known.issuperset(window):
                yield window


def _last_labels(samples: Sequence[Sample]) -> Tensor:
    return torch.stack([sample.labels[-1] for sample in samples])
