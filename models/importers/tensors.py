# SPDX-License-Identifier: MIT
"""Tensors of a file by name, of which shapes are known before any number is read."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from .imported import ImportFailure

KINDS = {str(kind).removeprefix("torch."): kind for kind in (torch.float16, torch.bfloat16, torch.float32, torch.float64)}  # of weights


@dataclass(frozen=True)
class StoredTensor:
    """shape; kind: the type of its numbers, those of KINDS can be read; get: reads it, as KINDS has it. get raises ImportFailure for a damaged file."""

    shape: tuple[int, ...]
    kind: str
    get: Callable[[], Tensor]


def from_storage(content: Callable[[int, int], bytes], kind: str, shape: Sequence, stride: Sequence, offset: int) -> StoredTensor:
    """A tensor whose numbers are a strided part of a storage: shape, stride and offset in numbers of that kind, which is one of KINDS or cannot be read.

    content(first, size): so many bytes of it; raises ImportFailure where there are fewer. Raises ImportFailure for impossible sizes.
    """
    numbers = (*shape, *stride, offset)
    if not all(isinstance(number, int) and 0 <= number < 1 << 48 for number in numbers) or len(shape) != len(stride) or len(shape) > 8:
        raise ImportFailure("a tensor within it has impossible sizes: save it again")

    def get():
        if not math.prod(shape):
            return torch.zeros(shape)
        dtype = KINDS[kind]
        last = sum((size - 1) * step for size, step in zip(shape, stride))
        part = content(offset * dtype.itemsize, (last + 1) * dtype.itemsize)
        return torch.frombuffer(bytearray(part), dtype=dtype).as_strided(tuple(shape), tuple(stride))

    return StoredTensor(tuple(shape), kind, get)
