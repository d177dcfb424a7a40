# SPDX-License-Identifier: MIT
"""Functions of many small operations, compiled into a few loops by torch.compile where the work is worth the seconds that this takes.

The text is the same, and so are the integers: models/tests/test_compiled.py compares both to the bit.
"""

import functools
import os
import shutil
from collections.abc import Callable

import torch

from . import cache

# Steps of units (batch * steps * units) that a process computes before it compiles, some ten seconds of work: fewer end sooner without. A run of less than
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


@functools.cache
def compiled(function: Callable) -> Callable:
    """The function, compiled when it is called: about two seconds for each kind of arguments, less where build/cache/ has it."""
    # torch.compile takes a second to import and compiles in processes of its own, which would outlive a run that is killed.
    os.environ.setdefault("TORCHINDUCTOR_COMPILE_THREADS", "1")
    os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", str(cache.FOLDER / "inductor"))
    torch._dynamo.config.recompile_limit = RECOMPILATIONS
    torch._dynamo.config.specialize_int = True
    return torch.compile(function)
