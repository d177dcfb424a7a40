# SPDX-License-Identifier: MIT
"""The layout of the waves names signals that are there, and filters that name every value; the picture of speech shows its levels."""

import re

import cocotb
import numpy as np
import pytest
import pywellen
import torch
from PIL import Image

from models.build import Build
from models.formats import BUILD_POLICIES, GATES, CycleClass, Kind, Level, Quarter
from tb.bench.runner import LAYOUTS, WAVES
from tb.commands.waves import speech
from tb.tests.lstm_accelerator.cases import harness, run_on

FOLDER = LAYOUTS
LAYOUT = (FOLDER / "harness.gtkw").read_text()
CODES = {"class": len(CycleClass), "kind": len(Kind), "gate": len(GATES), "policy": len(BUILD_POLICIES), "sequencer_state": 3, "run_state": 3,
         "levels": len(Level) ** len(GATES), "quarter": len(Quarter), "phase": 1 + 15 + sum(range(1, 8))}  # one unit in 15 phases, or two that are 8 apart at least


MIDDLE_COLOUR = tuple(bytes.fromhex(speech.COLOURS[Level.MIDDLE][1:]))


@cocotb.test()
async def a_few_cycles(dut):
    await harness(dut)


def test_every_signal_is_there():
    dump = pywellen.Waveform(str(run_on(__name__, Build(), simulator="icarus", waves=True) / WAVES))
    there = {variable.full_name: variable.bitwidth for variable in dump.all_vars()}
    named = re.findall(r"^(?:\+\{.*\} )?(harness\.[\w.\[\]]*?)(?:\[(\d+):(\d+)\])?$", LAYOUT, re.MULTILINE)
    missing = [name for name, high, low in named if there.get(name) != (int(high) - int(low) + 1 if high else 1)]
    assert len(named) > 150 and not missing, f"not in the design: {missing}"


@pytest.mark.parametrize("name", CODES)
def test_every_value_has_a_name(name):
    assert f"^1 {name}.filter" in LAYOUT
    lines = (FOLDER / f"{name}.filter").read_text().splitlines()
    assert len({line.split()[0] for line in lines}) == len(lines) == CODES[name]


def test_the_picture_of_speech_shows_the_levels(tmp_path):
    audio, labels, levels = np.random.default_rng(1).standard_normal(20 * 512), np.ones(20, np.float32), torch.zeros(20, 8, 4, dtype=torch.int8)
    shown = []
    for gates in ([], [GATES.index("g")]):
        levels[:, :, gates] = Level.MIDDLE
        speech.draw(audio, labels, levels, tmp_path / "speech.png")
        shown.append((np.asarray(Image.open(tmp_path / "speech.png").convert("RGB")) == MIDDLE_COLOUR).all(-1).sum())
    assert shown[0] < 1000 and shown[1] > 50_000, shown
