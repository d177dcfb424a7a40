# SPDX-License-Identifier: MIT
"""The Makefile: no target ignores a variable that it is given, and no value is expanded on its way to a command."""

import json
import os
import re
import shutil
import subprocess
import sys

import pytest

from tb.bench.runner import ROOT
from tb.commands import sim

TEXT = (ROOT / "Makefile").read_text()
VARIABLES = re.findall(r"^([A-Z]+) \?=", TEXT, re.M)
TARGETS = re.findall(r"^([a-z][a-z-]*):", TEXT, re.M)
TAKES = {target: re.findall(rf"^takes\.{target} := (.*)", TEXT, re.M) for target in TARGETS}
TAKES = {target: found[0].split() if found else [] for target, found in TAKES.items()}
RUNNING = [target for target in TARGETS if target not in ("help", "clean", "distclean", "silicon")]
# Would leave the file `mark` behind, if make or a shell expanded any part of it.
HOSTILE = """a$(shell touch mark) $$x ${shell touch mark}`touch mark`$(touch mark)';touch mark;'";touch mark;"#%\\ \\\\n | touch mark & b"""

# In place of everything that a recipe runs: notes its arguments and the variables it sees, line by line.
STUB = f"""#!{sys.executable}
import json, os, sys
with open("calls", "a") as log:
    log.write(json.dumps([sys.argv[1:], {{name: os.environ.get(name) for name in {VARIABLES}}}, os.environ.get("MAKEFLAGS", "")]) + "\\n")
"""


@pytest.fixture
def checkout(tmp_path):
    """A folder with the Makefile, where every command is a stub."""
    for name in ("Makefile", "scripts/help.awk"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    for name in (".venv/bin/python", "scripts/setup.sh", "scripts/setup-packages.sh", "scripts/lint.sh"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(STUB)
        (tmp_path / name).chmod(0o755)
    return tmp_path


def make(folder, *arguments, **environment):
    """(process, calls of the stubs) of make, whose environment has no variables of this test run."""
    clean = {name: value for name, value in os.environ.items() if name not in VARIABLES and not name.startswith(("MAKE", "MFLAGS"))}
    ended = subprocess.run(["make", *arguments], cwd=folder, env={**clean, **environment}, capture_output=True, text=True)
    calls = folder / "calls"
    found = [json.loads(line) for line in calls.read_text().splitlines()] if calls.exists() else []
    calls.unlink(missing_ok=True)
    return ended, found


@pytest.mark.parametrize("target", TARGETS)
def test_a_target_refuses_variables_it_does_not_take(checkout, target):
    for name in [*VARIABLES, "MISSPELT"]:
        ended, calls = make(checkout, "-n" if name in TAKES[target] else "-s", target, f"{name}=x")
        assert calls == []
        if name in TAKES[target]:
            assert ended.returncode == 0, ended.stderr
        else:
            line, = ended.stderr.splitlines()
            assert ended.returncode == 2 and ended.stdout == ""
            assert f"make {target} does not take {name}; it takes {' '.join(TAKES[target]) or 'no variables'}" in line


@pytest.mark.parametrize("target", RUNNING)
def test_a_target_passes_on_what_it_takes(checkout, target):
    """As an argument, or, what pytest and the bench read from there, in the environment."""
    for name in TAKES[target]:
        _, calls = make(checkout, target, f"{name}=some")
        assert all(seen[name] == "some" for _, seen, _ in calls) and calls
        arguments = [argument for given, _, _ in calls for argument in given]
        assert any(argument == "some" or argument.endswith("=some") for argument in arguments) or (target, name) in [
            ("test", "SIM"), ("test", "SEED"), ("test", "WAVES"), ("soak", "WAVES")]


@pytest.mark.parametrize("name", VARIABLES)
def test_values_are_not_expanded(checkout, name):
    for target in RUNNING:
        if name in TAKES[target]:
            for arguments, environment in (([f"{name}={HOSTILE}"], {}), ([], {name: HOSTILE})):
                ended, calls = make(checkout, target, *arguments, **environment)
                assert ended.returncode == 0, ended.stderr
                assert all(seen[name] == HOSTILE and "touch" not in flags for _, seen, flags in calls) and calls
                assert not (checkout / "mark").exists()
    ended, _ = make(checkout, "help", f"OTHER={HOSTILE}")
    assert ended.returncode == 2 and not (checkout / "mark").exists()


def test_a_variable_of_the_environment_is_warned_about(checkout):
    ended, calls = make(checkout, "lint", SIM="icarus", PYTHON="python3")
    line, = ended.stderr.splitlines()
    assert ended.returncode == 0 and calls and "make lint does not take SIM; it takes no variables" in line


def test_help_shows_what_each_target_takes(checkout):
    shown = make(checkout, "help")[0].stdout
    for target in TARGETS:
        takes = rf"\n +takes {' '.join(TAKES[target])}\n" if TAKES[target] else r"\n  (?! )|\n\n"
        assert re.search(rf"^  {target} +\S.*(?:{takes})", shown, re.M), target
    assert all(re.search(rf"^  {name}=", shown, re.M) for name in VARIABLES)


def test_a_message_names_the_value_as_it_was_given():
    ended, _ = make(ROOT, "sim", f"NET={HOSTILE}")
    assert ended.returncode == 2 and f"sim: NET={HOSTILE}: unknown; choose one of" in ended.stderr
    assert not (ROOT / "mark").exists()


@pytest.mark.parametrize("name", ["SIM", "NET", "NODE", "INPUTS", "METRIC", "RANGE", "TILES", "LANES", "WEIGHTS", "POLICY", "STEPS", "SEED", "WAVES"])
def test_sim_names_a_wrong_value(name):
    with pytest.raises(sim.UserError) as refused:
        sim.parse([f"--{name.lower()}={HOSTILE}"])
    assert f"{name}={HOSTILE}" in str(refused.value)


def test_set_up_refuses_another_python():
    ended, _ = make(ROOT, "setup", f"PYTHON={HOSTILE}")
    assert ended.returncode == 2 and f"PYTHON={HOSTILE}" in ended.stderr and not (ROOT / "mark").exists()


@pytest.mark.parametrize("character", [" ", "$", "'", '"', "#", ":", ";", "&", "(", "`", "%", "\\", "\t"])
def test_a_path_that_verilator_does_not_take_is_refused_before_anything_is_installed(tmp_path, character):
    folder = tmp_path / f"a{character}b"
    (folder / "scripts").mkdir(parents=True)
    for name in ("Makefile", "scripts/setup.sh"):
        shutil.copy(ROOT / name, folder / name)
    for target in ("setup", "sim", "silicon"):
        ended, _ = make(folder, target)
        assert ended.returncode == 2 and "please move it" in ended.stderr.splitlines()[0] and str(folder) in ended.stderr.splitlines()[0]
    assert sorted(path.name for path in folder.iterdir()) == ["Makefile", "scripts"]


def test_other_paths_are_taken(tmp_path):
    """As far as the next question, which Python it is to be."""
    folder = tmp_path / "Lstm-1.0_\u00e9+,@="
    (folder / "scripts").mkdir(parents=True)
    for name in ("Makefile", "scripts/setup.sh"):
        shutil.copy(ROOT / name, folder / name)
    ended, _ = make(folder, "setup", "PYTHON=/absent")
    assert ended.returncode == 2 and "PYTHON=/absent: Python 3.10 or newer is needed" in ended.stderr
