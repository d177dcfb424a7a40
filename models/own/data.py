# SPDX-License-Identifier: MIT
"""INPUTS=: sequences that the user recorded, from a file or a list, and what each is for."""

import re
import zipfile
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..importers.archive import open_zip
from ..importers.imported import ImportFailure

# The only sequence of a file is cut into so many pieces of so many steps at least.
PIECES, PIECE_STEPS = 16, 16
# Sequences, or groups of them, with which an operating point can be chosen and checked, and those of SEARCH and of CHECK among them.
LEAST_GROUPS, LEAST_OF_USE = 12, 4
RANDOM_SEQUENCES, RANDOM_STEPS = 32, 64
NAME = re.compile(r"(?P<what>inputs|labels|arr)_(?P<number>\d+)")
WHOLE = ("inputs", "lengths", "labels", "h0", "c0", "groups")


class Use(Enum):
    """What a sequence is for. No group is in two of them, as long as there are three."""

    FIT = "fit"
    SEARCH = "search"
    CHECK = "check"


@dataclass(frozen=True)
class Sequence:
    """A recorded sequence: float32 [steps, inputs]; what the metric compares with, as the file has it; (h, c), float [layers * directions, units] as nn.LSTM takes
    them (None: as the model begins); the group, such as a speaker, that keeps it apart from others."""

    inputs: Tensor
    labels: Any = None
    state: tuple[Tensor, Tensor] | None = None
    group: str = ""


def read_sequences(path: str | Path, size: int) -> list[Sequence]:
    """Sequences of a .npy or .npz file for an LSTM with so many inputs; the only one of a file is cut into pieces.

    .npy: [steps, size] or [sequences, steps, size]. .npz: `inputs` like that, with `lengths` [sequences] where it is padded; or a sequence an array,
    `inputs_0`, `inputs_1`, ... or `arr_0`, `arr_1`, ...; and, if wanted, `labels` [sequences, ...] or `labels_0`, ..., `h0` and `c0`
    [layers * directions, sequences, units], `groups` [sequences]. Raises ImportFailure, which says what to do, and FileNotFoundError.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"no file {path}")
    try:
        arrays = _arrays(path)
        sequences = _sequences(arrays, size)
    except ImportFailure as error:
        raise ImportFailure(f"{path.name}: {error}") from error
    return sequences if len(sequences) > 1 else _pieces(path.name, sequences[0])


def sequences_of(inputs: Iterable, labels: Iterable | None = None, groups: Iterable | None = None) -> list[Sequence]:
    """Sequences from lists: real numbers [steps, inputs] each; labels and groups: one a sequence. Raises ImportFailure."""
    inputs = [_inputs(f"sequence {number}", np.asarray(x)) for number, x in enumerate(inputs)]
    labels = [None] * len(inputs) if labels is None else list(labels)
    groups = range(len(inputs)) if groups is None else list(groups)
    for name, values in (("labels", labels), ("groups", groups)):
        if len(values) != len(inputs):
            raise ImportFailure(f"{len(values)} {name} for {len(inputs)} sequences: give one a sequence")
    return [Sequence(x, label, None, str(group)) for x, label, group in zip(inputs, labels, groups)]


def random_sequences(low: float, high: float, size: int, seed: int) -> list[Sequence]:
    """Sequences, float32 [RANDOM_STEPS, size], of numbers from low to high, each as likely as the others; RANDOM_SEQUENCES of them."""
    generator = torch.Generator().manual_seed(seed)
    values = low + (high - low) * torch.rand(RANDOM_SEQUENCES, RANDOM_STEPS, size, generator=generator)
    return [Sequence(x, group=f"{number}") for number, x in enumerate(values)]


def split(sequences: list[Sequence]) -> dict[Use, list[Sequence]]:
    """Sequences by use: a quarter of the groups to choose on and a quarter to check on, the rest to fit; of two, the first fits and is chosen on.

    In an order that is random but always the same, as files are often sorted by label. Raises ImportFailure for less than two.
    """
    names = list(dict.fromkeys(sequence.group for sequence in sequences))
    if len(names) < 2:
        raise ImportFailure(f"{len(names)} sequence or group: at least two are needed, one to fit and one to play")
    names = [names[number] for number in np.random.default_rng(0).permutation(len(names))]
    part = max(LEAST_OF_USE if len(names) >= LEAST_GROUPS else 1, len(names) // 4)
    uses = {Use.CHECK: names[:part], Use.SEARCH: names[part:2 * part], Use.FIT: names[2 * part:] or names[part:]}
    return {use: [sequence for sequence in sequences if sequence.group in set(uses[use])] for use in Use}


def first_steps(sequences: list[Sequence], steps: int, cut: bool) -> list[Sequence]:
    """The first sequences with so many steps, LEAST_OF_USE groups at least. cut: whether longer ones may be cut, so that there are not many more steps."""
    if cut:
        most = max(1, steps // LEAST_OF_USE)
        sequences = [Sequence(sequence.inputs[:most], sequence.labels, sequence.state, sequence.group) for sequence in sequences]
    chosen, groups, left = [], set(), steps
    for sequence in sequences:
        if left <= 0 and len(groups) >= LEAST_OF_USE:
            break
        chosen.append(sequence)
        groups.add(sequence.group)
        left -= len(sequence.inputs)
    return chosen


def _arrays(path):
    """Arrays of a file by name; one of .npy is `inputs`. No header is believed that claims more than there is."""
    try:
        if path.suffix.lower() != ".npz":
            return {"inputs": np.load(path, mmap_mode="r", allow_pickle=False)}
        if not zipfile.is_zipfile(path):
            raise zipfile.BadZipFile
        with open_zip(path) as archive:
            return {member.filename.removesuffix(".npy"): _member(archive, member) for member in archive.infolist()}
    except ImportFailure:
        raise
    except (ValueError, OSError, EOFError, MemoryError, zipfile.BadZipFile, zlib.error) as error:
        raise ImportFailure("it is not a whole file of numbers in NumPy's format; save one with numpy.save(file, inputs) or numpy.savez(file, *sequences)") from error


def _member(archive, member):
    with archive.open(member) as file:
        version = np.lib.format.read_magic(file)
        shape, _, kind = getattr(np.lib.format, f"read_array_header_{version[0]}_{version[1]}")(file)
        if kind.hasobject or member.file_size != file.tell() + kind.itemsize * int(np.prod(shape, dtype=object)):
            raise ValueError("the header does not fit")
    with archive.open(member) as file:
        return np.lib.format.read_array(file, allow_pickle=False)


def _sequences(arrays, size):
    found = {what: {int(match["number"]): array for name, array in arrays.items() if (match := NAME.fullmatch(name)) and match["what"] == what}
             for what in ("inputs", "labels", "arr")}
    unknown = [name for name in arrays if name not in WHOLE and not NAME.fullmatch(name)]
    ways = [name for name in ("inputs", "inputs_0", "arr_0") if name in arrays]
    if unknown or len(ways) != 1:
        what = f"an array {unknown[0]}" if unknown else f"{' and '.join(ways) or 'no inputs'}"
        raise ImportFailure(f"{what}; it may hold {', '.join(WHOLE)}, and inputs_0, inputs_1, … or arr_0, arr_1, … in place of inputs, labels_0, … of labels")
    numbered, lengths = found["inputs"] or found["arr"], arrays.get("lengths")
    if numbered:
        if lengths is not None:
            raise ImportFailure("lengths are those of a padded array named inputs; leave them out")
        inputs = [_inputs(f"array {ways[0][:-1]}{number}", _numbered(numbered, number), size) for number in range(len(numbered))]
    else:
        inputs = _padded(arrays["inputs"], lengths, size)
    count = len(inputs)
    states = _states(arrays, count)
    labels = _labels(arrays, found["labels"], count, inputs)
    groups = arrays["groups"].tolist() if "groups" in arrays else list(range(count))
    if len(groups) != count:
        raise ImportFailure(f"{len(groups)} groups for {count} sequences: give one a sequence")
    return [Sequence(*parts[:3], str(parts[3])) for parts in zip(inputs, labels, states, groups)]


def _numbered(arrays, number):
    if number not in arrays:
        raise ImportFailure(f"{len(arrays)} numbered arrays, but no number {number}; count from 0 and leave none out")
    return arrays[number]


def _inputs(what, values, size=None):
    """float32 [steps, inputs] of an array of real numbers."""
    _check_real(what, values)
    if values.ndim != 2 or 0 in values.shape or size not in (None, values.shape[-1]):
        raise ImportFailure(f"{what} has shape {list(values.shape)}; the LSTM takes [steps, {size or 'inputs'}]")
    with np.errstate(over="ignore"):
        numbers = np.array(values, dtype=np.float32)
    if not np.isfinite(numbers).all():
        raise ImportFailure(f"{what} has values that are NaN, infinite or beyond float32; leave these steps out")
    return torch.from_numpy(numbers)


def _check_real(what, values):
    if not (np.issubdtype(values.dtype, np.floating) or np.issubdtype(values.dtype, np.integer)):
        raise ImportFailure(f"{what} does not hold real numbers; save one with numpy.save(file, inputs)")


def _padded(values, lengths, size):
    _check_real("the array", values)
    if values.ndim not in (2, 3) or values.shape[-1] != size or 0 in values.shape:
        raise ImportFailure(f"shape {list(values.shape)}; the LSTM takes [steps, {size}] or [sequences, steps, {size}]")
    values = values.reshape(-1, *values.shape[-2:])
    if lengths is None:
        lengths = np.full(len(values), values.shape[1])
    if lengths.shape != (len(values),) or not np.issubdtype(lengths.dtype, np.integer) or lengths.min() < 1 or lengths.max() > values.shape[1]:
        raise ImportFailure(f"lengths: {len(values)} whole numbers from 1 to {values.shape[1]} are needed, one a sequence")
    return [_inputs(f"sequence {number}", x[:length], size) for number, (x, length) in enumerate(zip(values, lengths.tolist()))]


def _states(arrays, count):
    if "h0" not in arrays and "c0" not in arrays:
        return [None] * count
    if ("h0" in arrays) != ("c0" in arrays):
        raise ImportFailure("h0 and c0 go together: give both")
    h, c = arrays["h0"], arrays["c0"]
    if h.shape != c.shape or h.ndim != 3 or h.shape[1] != count:
        raise ImportFailure(f"h0 {list(h.shape)}, c0 {list(c.shape)}: [layers * directions, {count}, units] are needed, as nn.LSTM takes them")
    if not all(np.issubdtype(part.dtype, np.floating) and np.isfinite(part).all() for part in (h, c)):
        raise ImportFailure("h0 or c0 has values that are no finite real numbers; save them as float32")
    h, c = (torch.from_numpy(np.array(part, dtype=np.float32)) for part in (h, c))
    return [(h[:, number], c[:, number]) for number in range(count)]


def _labels(arrays, numbered, count, inputs):
    if numbered:
        if len(numbered) != count:
            raise ImportFailure(f"{len(numbered)} arrays of labels for {count} sequences: give one a sequence")
        return [_numbered(numbered, number) for number in range(count)]
    if "labels" not in arrays:
        return [None] * count
    labels = arrays["labels"]
    if arrays.get("inputs") is not None and arrays["inputs"].ndim == 2:
        return [labels]
    if not labels.ndim or len(labels) != count:
        raise ImportFailure(f"labels have shape {list(labels.shape)} for {count} sequences: give one a sequence")
    padded = arrays["inputs"].shape[1] if "lengths" in arrays else None
    if labels.ndim > 1 and labels.shape[1] == padded:  # of the steps: padding counts nowhere
        return [label[:len(x)] for label, x in zip(labels, inputs)]
    return list(labels)


def _pieces(name, sequence):
    """The only sequence of a file, cut in time; each piece begins with zero state."""
    steps = len(sequence.inputs)
    if steps < 2:
        raise ImportFailure(f"{name}: one step; give at least two, better a thousand")
    if sequence.state is not None:
        raise ImportFailure(f"{name}: one sequence with a state of its own cannot be cut; give several sequences")
    if sequence.labels is not None and (not np.ndim(sequence.labels) or len(sequence.labels) != steps):
        raise ImportFailure(f"{name}: one sequence of {steps} steps is cut in time, so give a label a step, or several sequences")
    count = min(PIECES, max(2, steps // PIECE_STEPS))
    places = np.array_split(np.arange(steps), count)
    labels = [None if sequence.labels is None else sequence.labels[place] for place in places]
    return [Sequence(sequence.inputs[place], label, None, f"{number}") for number, (place, label) in enumerate(zip(places, labels))]
