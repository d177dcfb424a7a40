# SPDX-License-Identifier: MIT
"""Outputs of networks with CTC: logits of the blank, which is class 0, and of characters."""

from torch import Tensor


def best_path(logits: Tensor) -> Tensor:
    """Characters of the most probable path, counted from 1; logits [steps, 1 + characters]."""
    path = logits.argmax(1).unique_consecutive()
    return path[path > 0]


def root_probabilities(logits: Tensor) -> Tensor:
    """Roots of the probabilities, of the shape of the logits: their distance is Hellinger's."""
    return (logits.log_softmax(1) / 2).exp()
