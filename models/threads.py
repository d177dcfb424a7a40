# SPDX-License-Identifier: MIT
"""One thread for loops of many small operations: more of them wait for each other longer than they compute."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def one_thread() -> Iterator[None]:
    """PyTorch computes in one thread within, and in as many as before afterwards. A decorator, too."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
