# SPDX-License-Identifier: MIT
"""The first steps of recorded data."""

from collections import deque
from collections.abc import Iterable, Iterator

from .network import Sample


def take_turns(name: str, steps: int | None, groups: Iterable[Iterator[Sample]]) -> list[Sample]:
    """One sample of each group after the other, so that few steps already hold many groups.

    Ends with step number `steps` (all without it): the last sample is cut there, in its inputs [steps, inputs] and, along their first dimension, its labels. Raises
    ValueError, which says `name`, when there are not so many steps.
    """
    samples, wanted = [], steps
    waiting = deque(groups)
    while waiting and wanted != 0:
        group = waiting.popleft()
        sample = next(group, None)
        if sample is None:
            continue
        waiting.append(group)
        samples.append(Sample(sample.inputs[:wanted], sample.labels[:wanted], sample.group))
        if wanted is not None:
            wanted -= len(samples[-1].inputs)
    if wanted:
        raise ValueError(f"{name} has {steps - wanted} steps of recordings, not {steps}")
    return samples


def whole_samples(
    name: str, steps: int | None, samples: Iterable[Sample], what: str
) -> list[Sample]:
    """The first samples that hold so many steps (all without it), none of them cut.

    For tasks in which a part of a sample cannot be scored. what: they are, in a word, for the
    ValueError when there are not so many steps.
    """
    chosen, found = [], 0
    samples = iter(samples)
    while steps is None or found < steps:
        sample = next(samples, None)
        if sample is None:
            break
        chosen.append(sample)
        found += len(sample.inputs)
    if steps is not None and found < steps:
        raise ValueError(f"{name} has {found} steps of {what}, not {steps}")
    return chosen
