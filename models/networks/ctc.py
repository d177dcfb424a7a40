# SPDX-License-Identifier: MIT
"""Outputs of networks with CTC: logits of the blank, which is class 0, and of characters."""

from collections.abc import Sequence

import torch
from torch import Tensor

from .network import Sample


def best_path(logits: Tensor) -> Tensor:
    """Characters of the most probable path, int64 [characters], counted from 1; logits [steps, 1 + characters]."""
    path = logits.argmax(1).unique_consecutive()
    return path[path > 0]


def share_read(samples: Sequence[Sample], logits: Sequence[Tensor]) -> float:
    """Share, 0..1, of samples whose best path is their labels, int64 [characters] counted from 1, every character of it; logits: [steps, 1 + characters] a sample."""
    return sum(torch.equal(best_path(output), sample.labels) for sample, output in zip(samples, logits, strict=True)) / len(samples)


def root_probabilities(logits: Tensor) -> Tensor:
    """Roots of the probabilities, of the shape of the logits, [steps, classes]: their distance is Hellinger's."""
    return (logits.log_softmax(1) / 2).exp()
