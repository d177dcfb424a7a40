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

# Steps of units from which compiling pays: fewer take less than some ten seconds without it.
WORTH_IT = 1 << 25
RECOMPILATIONS = 64  # of a function, for other levels, shapes and policies


def is_worth_it(unit_steps: int) -> bool:
    """Whether so many steps of units (batch * steps * units) are faster compiled, with the time to compile, and there is a compiler."""
    return unit_steps >= WORTH_IT and shutil.which("g++") is not None


@functools.cache
def compiled(function: Callable) -> Callable:
    """The function, compiled when it is called: about two seconds for each kind of arguments, less where build/cache/ has it."""
    # torch.compile takes a second to import and compiles in processes of its own, which would outlive a run that is killed.
    os.environ.setdefault("TORCHINDUCTOR_COMPILE_THREADS", "1")
    os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", str(cache.FOLDER / "inductor"))
    torch._dynamo.config.recompile_limit = RECOMPILATIONS
    torch._dynamo.config.specialize_int = True
    return torch.compile(function)
