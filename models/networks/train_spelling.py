# SPDX-License-Identifier: MIT
"""Trains the network of `spelling` and writes its weights: python -m models.networks.train_spelling

The voices are those of calibration. CTC alone begins with a long plateau on which only blanks are
read; so the network first learns which step belongs to which word, which the composition of the
strings tells, with the letter in the middle third of a word and the blank elsewhere.

Seeded: on one machine the same weights every time; another may round differently, and training
makes other weights of that. Nothing is written before the end.
"""

import argparse
import sys
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor
from torch.nn import functional
from torch.nn.utils import clip_grad_norm_
from tqdm import tqdm

from .spelling import (
    MELS,
    STACKED,
    STEPS,
    TRAINING_SPEAKERS,
    WEIGHTS,
    Recognizer,
    alphabets,
    string,
    words,
)

THREADS = 1  # two save a third of the time when the machine is idle, and lose much when it is not
BATCH = 16
ALIGNED_BATCHES, CTC_BATCHES = 400, 1400  # more fit the few voices ever better, others worse
RATE = 3e-3  # in the end it falls to 0
DROPOUT = 0.4
WARM_UP = 50  # batches


def example(random: np.random.RandomState) -> tuple[Tensor, Tensor, Tensor]:
    """Inputs [STEPS, STACKED * MELS] of one string, its labels [letters], and those [STEPS].

    Voices are made different by tempo, pitch, noise and the tilt of a telephone line; stretches
    of time and bands of frequency are missing (SpecAugment).
    """
    folders = alphabets(TRAINING_SPEAKERS)
    _, folder = folders[random.randint(len(folders))]
    inputs, placed = string(words(folder), random, tempo=0.25, pitch=0.18, noise=(-5, -1.5))
    frames = inputs.reshape(STEPS * STACKED, MELS)
    tilt = np.interp(np.arange(MELS), np.linspace(0, MELS - 1, 5), random.uniform(-0.5, 0.5, 5))
    frames += torch.from_numpy(tilt.astype(np.float32))
    for missing, axis, longest in ((2, 1, 6), (3, 0, 12)):
        for _ in range(missing):
            size = random.randint(longest)
            frames.narrow(axis, random.randint(frames.shape[axis] - size), size).fill_(0)
    places = torch.zeros(len(frames), dtype=torch.int64)
    for letter, where in placed:
        third = (where.stop - where.start) // 3
        places[where.start + third : where.stop - third] = 1 + letter
    labels = torch.tensor([1 + letter for letter, _ in placed])
    return inputs, labels, places[STACKED // 2 :: STACKED]


def train(aligned: int = ALIGNED_BATCHES, ctc: int = CTC_BATCHES) -> Recognizer:
    """The trained network, after so many batches of each kind."""
    torch.manual_seed(1)
    random = np.random.RandomState(1)
    network = Recognizer(dropout=DROPOUT)
    optimizer = torch.optim.Adam(network.parameters())
    bar = tqdm(range(aligned + ctc), unit="batch", dynamic_ncols=True)
    for number in bar:
        inputs, labels, places = zip(*(example(random) for _ in range(BATCH)))
        scores = network(torch.stack(inputs, 1)).log_softmax(2)
        if number < aligned:
            loss = functional.nll_loss(scores.transpose(0, 1).flatten(0, 1), torch.cat(places))
            rate = RATE * min(1, (number + 1) / WARM_UP)
        else:
            lengths = torch.tensor([len(string_labels) for string_labels in labels])
            steps = torch.full((BATCH,), STEPS)
            loss = functional.ctc_loss(scores, torch.cat(labels), steps, lengths)
            rate = RATE * (aligned + ctc - number) / ctc
        optimizer.param_groups[0]["lr"] = rate
        optimizer.zero_grad()
        loss.backward()
        clip_grad_norm_(network.parameters(), 1)
        optimizer.step()
        if number % 50 == 0:
            bar.set_postfix(loss=f"{loss.item():.3f}")
    return network


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=WEIGHTS, help="file to write (%(default)s)")
    arguments = parser.parse_args()
    torch.set_num_threads(THREADS)
    try:
        network = train()
    except KeyboardInterrupt:
        sys.exit("interrupted: no weights were written")
    except FileNotFoundError as error:
        sys.exit(str(error))
    weights = {name: tensor.detach().half() for name, tensor in network.state_dict().items()}
    metadata = {"command": "python -m models.networks.train_spelling", "torch": torch.__version__}
    save_file(weights, arguments.out, metadata=metadata)


if __name__ == "__main__":
    main()
