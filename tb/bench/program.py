# SPDX-License-Identifier: MIT
"""Programs in C++ around a Verilated accelerator, without cocotb."""

import shlex
import subprocess
from collections.abc import Sequence
from pathlib import Path

from filelock import FileLock

from models.build import Build
from tb.bench import leash
from tb.bench.runner import RTL, TIMESCALE, SimulationError, sources_of


def verilated_program(folder: Path, build: Build, sources: Sequence[Path], flags: Sequence[str], make: Sequence[str] = ()) -> Path:
    """Builds `folder`/program from lstm_accelerator of this build and sources (C++ or object files), and returns it. flags: of Verilator; make: of its
    makefile. Raises SimulationError with what Verilator says."""
    folder.mkdir(parents=True, exist_ok=True)
    command = ["verilator", "--cc", "--exe", "--build", "-j", "2", "-Mdir", folder, "--top-module", "lstm_accelerator", f"-I{RTL}", "-o", "program",
               "-MAKEFLAGS", shlex.join(["CFG_CXXFLAGS_PCH_I=-include", *make]), "--timescale", "/".join(TIMESCALE), *flags,
               *(f"-G{name}={value}" for name, value in build.parameters().items()), *sources_of("lstm_accelerator"), *sources]
    program = folder / "program"
    with FileLock(folder / "lock"):
        if program.exists() and any(source.stat().st_mtime > program.stat().st_mtime for source in sources):
            program.unlink()  # the makefile does not look at object files
        ended = leash.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if ended.returncode:
        raise SimulationError(f"verilator cannot build {program}:\n{ended.stdout[-3000:]}")
    return program
