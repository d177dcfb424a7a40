# SPDX-License-Identifier: MIT
"""The FuseSoC core file: it lists the files and parameters of rtl/, and its lint target runs."""

import os
import re
import subprocess
import sys

import pytest
import yaml

from tb.bench.runner import ROOT

CORE = ROOT / "lstm_accelerator.core"


@pytest.fixture(scope="module")
def core():
    return yaml.safe_load(CORE.read_text())


def test_the_files_are_those_of_rtl(core):
    files = core["filesets"]["rtl"]["files"]
    modules = {entry for entry in files if isinstance(entry, str)}
    headers = {name for entry in files if isinstance(entry, dict) for name, options in entry.items() if options == {"is_include_file": True}}
    assert modules == {f"rtl/{path.name}" for path in (ROOT / "rtl").glob("*.v")}
    assert headers == {f"rtl/{path.name}" for path in (ROOT / "rtl").glob("*.vh")}


def test_the_parameters_are_those_of_the_top_module(core):
    head, = re.findall(r"^module lstm_accelerator #\((.*?)^\)", (ROOT / "rtl" / "lstm_accelerator.v").read_text(), re.MULTILINE | re.DOTALL)
    parameters = {name: int(value) for name, value in re.findall(r"^  parameter (\w+) += (\d+)", head, re.MULTILINE)}
    assert {name: entry["default"] for name, entry in core["parameters"].items()} == parameters
    assert all(target["parameters"] == list(parameters) for target in core["targets"].values())


def test_the_lint_target_runs(tmp_path):
    folders = {name: str(tmp_path / name) for name in ("XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME")}
    command = [sys.executable, "-m", "fusesoc.main", "--cores-root", str(ROOT), "run", "--target=lint", f"--build-root={tmp_path / 'build'}",
               "lstm-dynamic-precision::lstm_accelerator", "--Tiles=3"]
    ended = subprocess.run(command, cwd=tmp_path, env={**os.environ, **folders}, capture_output=True, text=True)
    assert ended.returncode == 0 and "Warning" not in ended.stdout + ended.stderr, ended.stdout + ended.stderr
    assert list((tmp_path / "build").rglob("*.vc")), "nothing was set up"
