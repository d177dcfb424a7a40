# SPDX-License-Identifier: MIT
"""What is kept under build/cache/ comes back as it was, or is computed anew."""

import os
import pickle
import random
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from models import cache
from models.cache import MISSING, cached, find, path_of, store
from models.networks import Sample

KEY = ("test", "silero", 12, 0.5)
RESULT = {"estimate": 0.25, "samples": [Sample(torch.arange(24.0).reshape(12, 2), torch.tensor(1), "june")], "shares": [[0.1, 0.2]]}
FLIPS = 80
ROOT = Path(__file__).resolve().parents[2]


def plain(result) -> tuple:
    """All that a result holds, in a form that can be compared."""
    sample, = result["samples"]
    return result["estimate"], sample.inputs.tolist(), int(sample.labels), sample.group, result["shares"]


@pytest.fixture(autouse=True)
def folder(monkeypatch, tmp_path):
    monkeypatch.setattr(cache, "FOLDER", tmp_path / "cache")
    return cache.FOLDER


def again() -> tuple:
    """What a reader gets of the file of KEY as it is now, and how often the result was computed for it."""
    calls = []
    result = cached(KEY, lambda: calls.append(1) or RESULT)
    return plain(result), len(calls)


def test_a_result_is_computed_once(folder):
    assert again() == (plain(RESULT), 1)
    assert again() == (plain(RESULT), 0)
    assert [path.name for path in folder.iterdir()] == [path_of(KEY).name]  # nothing unfinished is left


def test_none_is_a_result():
    assert find(KEY) is MISSING
    store(KEY, None)
    assert find(KEY) is None


def test_a_flipped_bit_is_found_in_every_region_of_a_file():
    store(KEY, RESULT)
    path, good = path_of(KEY), path_of(KEY).read_bytes()
    chosen = random.Random(1)
    for trial in range(FLIPS):
        region = len(good) * trial // FLIPS, len(good) * (trial + 1) // FLIPS
        damaged = bytearray(good)
        damaged[chosen.randrange(*region)] ^= 1 << chosen.randrange(8)
        path.write_bytes(damaged)
        assert again() == (plain(RESULT), 1), f"trial {trial}"
        assert again() == (plain(RESULT), 0)  # the damaged file was replaced


def other_formats(good: bytes) -> dict:
    return {"empty": b"", "half a checksum": good[:16], "a checksum alone": good[:32], "a byte short": good[:-1], "a byte more": good + b"\0",
            "half": good[:len(good) // 2], "without a checksum": pickle.dumps(RESULT), "text": b"{}\n", "zeros": bytes(len(good))}


@pytest.mark.parametrize("name", other_formats(bytes(99)))
def test_a_file_that_is_not_whole_is_computed_anew(name):
    store(KEY, RESULT)
    path_of(KEY).write_bytes(other_formats(path_of(KEY).read_bytes())[name])
    assert again() == (plain(RESULT), 1)
    assert again() == (plain(RESULT), 0)


def test_the_file_of_another_key_is_not_taken():
    store(("test", "other"), {"estimate": 0.5})
    os.replace(path_of(("test", "other")), path_of(KEY))
    assert again() == (plain(RESULT), 1)


class Trap:
    """Leaves a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def test_nothing_is_unpickled_that_fails_its_checksum(folder, tmp_path):
    store(KEY, Trap(tmp_path / "sprung"))
    path_of(KEY).write_bytes(path_of(KEY).read_bytes()[32:])
    assert again() == (plain(RESULT), 1) and not (tmp_path / "sprung").exists()


def test_a_class_of_main_is_refused(tmp_path):
    """It would be read as a class of whatever program reads it."""
    program = "from models import cache\nclass Mine: pass\ncache.store(('test',), Mine())\n"
    ended = subprocess.run([sys.executable, "-c", program], cwd=ROOT, env=os.environ | {"CACHE": str(tmp_path)}, capture_output=True, text=True)
    assert "a result of test has a class of __main__" in ended.stderr and not list(tmp_path.iterdir())
