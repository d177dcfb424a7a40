# SPDX-License-Identifier: MIT
"""Freezes the data of all that follows: groups, samples, steps and a hash of every part, in frozen.json: python -m models.networks.freeze

`--check` computes them anew, and tells what differs. No network runs here, so that nobody learns anything about the test.
Also refused: a group, or a sample with the same inputs, in two parts.
"""

import argparse
import json
import sys
from hashlib import sha256
from itertools import combinations
from pathlib import Path

import torch
from torch import Tensor

from . import MODULES, load
from .network import Part, Sample

FROZEN = Path(__file__).with_name("frozen.json")
PREFIX_STEPS = 1280  # that the fast test looks at


def digest(samples: list[Sample]) -> str:
    """Hash of the inputs, labels and group names of samples, with their shapes and types, in their order."""
    total = sha256()
    for sample in samples:
        total.update(f"{sample.group}\n".encode())
        for values in (sample.inputs, sample.labels):
            total.update(f"{values.dtype} {tuple(values.shape)}\n".encode() + _bytes(values))
    return total.hexdigest()


def describe(samples: list[Sample]) -> dict:
    """What frozen.json holds of a part."""
    return {"groups": len({sample.group for sample in samples}), "samples": len(samples), "steps": sum(len(sample.inputs) for sample in samples),
            "sha256": digest(samples)}


def prefix(name: str, part: Part) -> str:
    """Hash of the first PREFIX_STEPS steps of a part of a network's data. Raises ValueError and FileNotFoundError as Network.samples."""
    return digest(load(name).samples(part, PREFIX_STEPS))


def freeze(name: str) -> dict:
    """What frozen.json holds of a network.

    Raises ValueError where two parts have a group or the inputs of a sample in common, and FileNotFoundError that names the package whose data are not installed.
    """
    network, found, groups, inputs = load(name), {}, {}, {}
    for part in Part:
        samples = network.samples(part)
        found[part.value] = {**describe(samples), "prefix": prefix(name, part)}
        groups[part] = {sample.group for sample in samples}
        inputs[part] = {sha256(_bytes(sample.inputs)).digest() for sample in samples}
    separate(name, groups, inputs)
    return found


def separate(name: str, groups: dict[Part, set], inputs: dict[Part, set]) -> None:
    """Raises ValueError where two parts have something in common."""
    for one, other in combinations(Part, 2):
        for what, sets in (("groups", groups), ("samples", inputs)):
            common = len(sets[one] & sets[other])
            if common:
                raise ValueError(f"{name}: {common} {what} are in {one.value} and in {other.value}")


def differences(name: str, now: dict) -> list[str]:
    """What differs from frozen.json, a line each; now: as of `freeze`."""
    before = json.loads(FROZEN.read_text())[name]
    return [f"{name}, {part}: {key} was {before[part][key]}, is {now[part][key]}" for part in now for key in now[part] if before[part][key] != now[part][key]]


def _bytes(values: Tensor) -> bytes:
    return values.contiguous().numpy().tobytes()


def main(arguments: list[str] | None = None) -> None:
    """The command, with the arguments of its line (default: those of the process). Ends the process with what differs, under --check.

    Raises ValueError and FileNotFoundError as `freeze`.
    """
    parser = argparse.ArgumentParser(prog="python -m models.networks.freeze", description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="compare with frozen.json, write nothing")
    parser.add_argument("--net", choices=MODULES, help="one network only")
    options = parser.parse_args(arguments)
    wrong = []
    for name in [options.net] if options.net else MODULES:
        now = freeze(name)
        print(name, json.dumps(now), flush=True)
        if options.check:
            wrong += differences(name, now)
        else:  # at once, as it was just now: another process may have frozen another network
            frozen = {**(json.loads(FROZEN.read_text()) if FROZEN.exists() else {}), name: now}
            FROZEN.write_text(json.dumps(dict(sorted(frozen.items())), indent=1) + "\n")
    if wrong:
        sys.exit("\n".join(wrong))


if __name__ == "__main__":
    torch.set_num_threads(1)
    try:
        main()
    except (FileNotFoundError, ValueError) as error:
        sys.exit(f"freeze: {error}")
