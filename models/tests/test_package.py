# SPDX-License-Identifier: MIT
"""`pip install .`: a wheel holds all of the models and their data, and works outside the checkout."""

import ast
import os
import re
import shutil
import subprocess
import sys
import zipfile

import pytest

from models.cache import ROOT

CHECKOUT = ROOT.parent
PROGRAM = """
import sys
import torch
import lstm_dynamic_precision
from lstm_dynamic_precision import cache, calibration
from lstm_dynamic_precision.build import Build
from lstm_dynamic_precision.compiler import compile_image
from lstm_dynamic_precision.importers import load_lstm
from lstm_dynamic_precision.policies import DECIDING, Policy
from lstm_dynamic_precision.quantize import quantize

torch.manual_seed(1)
torch.set_num_threads(1)
lstm = torch.nn.LSTM(5, 12)
samples = [torch.randn(40, 5) for _ in range(4)]
q = quantize(lstm, samples)
x = q.quantize_input(samples[0])[None]
shares = {policy.name: q.for_policy(policy).run(x, policy).low_share for policy in (Policy.STATIC_HIGH, Policy.STATIC_LOW, *DECIDING)}
assert shares["STATIC_HIGH"] == 0 and shares["STATIC_LOW"] == 1 and all(0.6 < shares[policy.name] < 0.95 for policy in DECIDING), shares
assert list(compile_image(q, Build(tiles=2, lanes=8)).packets())
assert all(calibration.path_of(name).exists() for name in ("silero", "textgenrnn"))
assert not any(name.split(".")[0] in ("models", "tb") for name in sys.modules)
print(lstm_dynamic_precision.__file__)
print(cache.FOLDER)
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """Built from a copy of what it is made of, without network; none of the checkout's folders is written."""
    folder = tmp_path_factory.mktemp("package")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(CHECKOUT / name, folder / name)
    shutil.copytree(ROOT, folder / "models", ignore=shutil.ignore_patterns("__pycache__"))
    command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "--no-index", "--disable-pip-version-check", "-w", "out", "."]
    ended = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    path, = (folder / "out").glob("*.whl")
    return path


def test_the_wheel_holds_the_models_and_no_tests(wheel):
    with zipfile.ZipFile(wheel) as archive:
        held = {name for name in archive.namelist() if ".dist-info/" not in name}
        metadata = archive.read(next(name for name in archive.namelist() if name.endswith("/METADATA"))).decode()
    tracked = subprocess.run(["git", "ls-files", "models"], cwd=CHECKOUT, capture_output=True, text=True).stdout.split()
    if tracked:  # a checkout, not an archive of one
        assert held == {name.replace("models/", "lstm_dynamic_precision/", 1) for name in tracked if not name.startswith("models/tests/")}
    assert "Name: lstm-dynamic-precision" in metadata and "License-Expression: MIT" in metadata and "Requires-Python: >=3.10" in metadata


def test_the_wheel_works_outside_the_checkout(wheel, tmp_path):
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "site")
    environment = {**os.environ, "PYTHONPATH": str(tmp_path / "site"), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    ended = subprocess.run([sys.executable, "-c", PROGRAM], cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    package, cache = ended.stdout.splitlines()
    assert package.startswith(str(tmp_path / "site")) and cache.startswith(str(tmp_path / "cache"))


def test_dependencies_are_those_that_the_models_import():
    """Declared, and pinned for the tests."""
    declared = set(re.findall(r'"([\w-]+)"', re.search(r"^dependencies = \[(.*?)\]", (CHECKOUT / "pyproject.toml").read_text(), re.M | re.S)[1]))
    pinned = set(re.findall(r"^([\w-]+)==", (CHECKOUT / "requirements.txt").read_text(), re.M))
    imported = set()
    for path in ROOT.rglob("*.py"):
        if "tests" not in path.parts:
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Import):
                    imported |= {name.name.split(".")[0] for name in node.names}
                elif isinstance(node, ast.ImportFrom) and not node.level:
                    imported.add(node.module.split(".")[0])
    # What onnx is made of, and pillow, which draws captchas, come under other names.
    others = imported - sys.stdlib_module_names - {"google", "PIL", "torch"} | {"torch", "pillow"}
    assert declared == others and declared <= pinned
