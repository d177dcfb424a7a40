# SPDX-License-Identifier: MIT
"""Paths outside of the tiles: what stands for a tile has its ports and hides nothing of what is around it."""

import json
import re
import shutil
import subprocess

import pytest

from syn import periphery
from syn.synthesize import BUILDS, RTL, run_yosys

SMALL = {**BUILDS["dynamic"], "Tiles": 2, "Lanes": 8, "WeightDepth": 64, "UnitDepth": 16, "ActivationDepth": 16}


@pytest.fixture
def sources(tmp_path):
    """A copy of rtl/ with the stand-ins."""
    rtl = shutil.copytree(RTL, tmp_path / "rtl")
    (rtl / "tile.v").write_text(periphery.registers_for_a_tile())
    (rtl / "ram.v").write_text(periphery.MEMORY)
    return rtl


def test_a_stand_in_has_the_ports_of_a_tile(sources):
    parameters = [f"-Plstm_accelerator.{name}={value}" for name, value in SMALL.items()]
    done = subprocess.run(["iverilog", "-g2005", "-Wall", "-tnull", "-DSYNTHESIS", f"-I{sources}", *parameters, "-s", "lstm_accelerator", *sorted(sources.glob("*.v"))],
                          capture_output=True, text=True)
    assert done.returncode == 0 and not re.search(r"tile\.v|ram\.v", done.stdout + done.stderr), done.stderr


def test_nothing_around_a_tile_is_optimized_away(sources, tmp_path):
    """Every input of a tile ends in a register, and every output has one."""
    out = tmp_path / "tile.json"
    files = " ".join(map(str, sorted(sources.glob("*.v"))))
    chosen = " ".join(f"-chparam {name} {value}" for name, value in SMALL.items())
    run_yosys(f"read_verilog -DSYNTHESIS -I{sources} {files}\nhierarchy -top tile {chosen}\nproc\nopt -full\nwrite_json {out}\n", "periphery", tmp_path)
    module, = json.loads(out.read_text())["modules"].values()
    stored = {bit for cell in module["cells"].values() if "dff" in cell["type"] for bit in cell["connections"]["D"]}
    given = {bit for cell in module["cells"].values() if "dff" in cell["type"] for bit in cell["connections"]["Q"]}
    for name, port in module["ports"].items():
        if name != "clk_i":
            assert set(port["bits"]) <= (stored if port["direction"] == "input" else given), name
