# SPDX-License-Identifier: MIT
"""Plays an nn.LSTM through the driver in C on a Verilated accelerator of the default build, and compares h with the model.

`.venv/bin/python -m examples.driver.play FOLDER`, from a checkout; FOLDER keeps the program, image.bin and x.bin.
"""

import argparse
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import nn

from examples.driver.export import write_files
from models.build import Build
from models.compiler import compile_image
from models.quantize import quantize
from tb.bench.program import verilated_program
from tb.bench.runner import ROOT, SimulationError

SOURCES = Path(__file__).parent
INPUTS, UNITS, STEPS = 40, 64, 20


def _compiled(name: str, folder: Path) -> Path:
    """The object file of a source in C99; not touched if it is the same as before."""
    kept, new = folder / f"{name}_c99.o", folder / f"{name}_c99.{os.getpid()}.o"
    subprocess.run(["cc", "-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic", f"-I{ROOT / 'include'}", "-c", SOURCES / f"{name}.c", "-o", new], check=True)
    if kept.exists() and kept.read_bytes() == new.read_bytes():
        new.unlink()
    else:
        new.replace(kept)
    return kept


def build_program(folder: Path, build: Build, flags: Sequence[str] = (), make: Sequence[str] = ()) -> Path:
    """The program of main.c for this build; flags: of Verilator; make: of its makefile. Raises SimulationError."""
    folder.mkdir(parents=True, exist_ok=True)
    return verilated_program(folder, build, [SOURCES / "verilated_bus.cpp", *(_compiled(name, folder) for name in ("lstm", "main"))], flags, make)


def play(program: Path, folder: Path) -> tuple[list[list[int]], int]:
    """h of each step and unit, and the cycles of the run. Raises SimulationError with what the program says."""
    ended = subprocess.run([program, folder / "image.bin", folder / "x.bin"], capture_output=True, text=True)
    if ended.returncode:
        raise SimulationError(ended.stderr.strip())
    *lines, cycles = ended.stdout.splitlines()
    return [[int(value) for value in line.split()] for line in lines], int(cycles.removeprefix("cycles "))


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m examples.driver.play", description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder.resolve()
    torch.manual_seed(1)
    lstm, samples = nn.LSTM(INPUTS, UNITS), [torch.randn(STEPS, INPUTS) for _ in range(4)]
    q, program = quantize(lstm, samples), build_program(folder, Build())
    x = q.quantize_input(samples[0])
    write_files(folder, compile_image(q, Build()), x, UNITS)
    h, cycles = play(program, folder)
    equal = h == q.run(x[None]).h[0].tolist()
    print(f"{STEPS} steps, {STEPS * UNITS} values of h {'equal those' if equal else 'DIFFER from those'} of the model, {cycles} cycles")
    return 0 if equal else 1


if __name__ == "__main__":
    sys.exit(main())
