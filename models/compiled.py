# SPDX-License-Identifier: MIT
"""Functions of many small operations, compiled into a few loops by torch.compile where the work is worth the seconds that this takes.

The text is the same, and so are the integers: models/tests/test_compiled.py compares both to the bit. Where a compiler is missing or fails, the functions run as they
are. What was compiled is kept for processors with the same instructions only: PyTorch's own key of it does not hold them.
"""

import functools
import hashlib
import os
import platform
import shutil
import warnings
from collections.abc import Callable
from pathlib import Path

import torch

from . import cache

# Steps of units (batch * steps * units) that a process computes before it compiles, seconds of work: fewer end sooner without. A run of less than
# LEAST_RUN is over in a moment, and may have a shape of its own, which would be compiled for it.
WORTH_IT, LEAST_RUN = 1 << 25, 1 << 20
RECOMPILATIONS = 64  # of a function, for other levels, shapes and policies

_computed = 0


def is_worth_it(unit_steps: int) -> bool:
    """Whether to compile for a run of so many steps of units, after all that this process has run."""
    global _computed
    if unit_steps < LEAST_RUN or not shutil.which("g++"):
        return False
    _computed += unit_steps
    return _computed >= WORTH_IT


def instructions() -> str:
    """A name of the instructions that compiled code may have here."""
    cpuinfo = Path("/proc/cpuinfo")
    flags = next((line for line in cpuinfo.read_text().splitlines() if line.startswith(("flags", "Features"))), "") if cpuinfo.exists() else ""
    found = f"{platform.machine()} {platform.processor()} {flags} {torch.backends.cpu.get_cpu_capability()} {torch.__version__}"
    return hashlib.sha256(found.encode()).hexdigest()[:16]


@functools.cache
def compiled(function: Callable) -> Callable:
    """The function, compiled when it is called: about two seconds for each kind of arguments, less where build/cache/ has it."""
    # Not in processes of torch.compile's own, which would outlive a run that is killed.
    os.environ.setdefault("TORCHINDUCTOR_COMPILE_THREADS", "1")
    os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", str(cache.FOLDER / f"inductor-{instructions()}"))
    torch._dynamo.config.recompile_limit = RECOMPILATIONS
    torch._dynamo.config.specialize_int = True
    fast, fails = torch.compile(function), False

    @functools.wraps(function)
    def either(*arguments):
        nonlocal fails
        if not fails:
            try:
                return fast(*arguments)
            except (RuntimeError, OSError) as error:  # of a compiler, or of a folder that cannot be written
                fails = True
                warnings.warn(f"torch.compile does not work here, so that the models are slower: {str(error).strip().splitlines()[0]}", stacklevel=2)
        return function(*arguments)

    return either
