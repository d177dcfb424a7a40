# SPDX-License-Identifier: MIT
"""Functions of many small operations, compiled into a few loops by torch.compile where a caller asks for it: a minute or two the first time on a machine.

The text is the same, and so are the integers: models/tests/test_compiled.py compares both to the bit. Where a compiler is missing or fails, the functions run as they
are. What was compiled is kept for processors with the same instructions only: PyTorch's own key of it does not hold them.
"""

import functools
import hashlib
import os
import platform
import sys
import warnings
from collections.abc import Callable
from pathlib import Path

import torch

from . import cache

RECOMPILATIONS = 64  # of a function, for other levels, shapes and policies


def instructions() -> str:
    """A name of the instructions that compiled code may have here."""
    cpuinfo = Path("/proc/cpuinfo")
    flags = next((line for line in cpuinfo.read_text().splitlines() if line.startswith(("flags", "Features"))), "") if cpuinfo.exists() else ""
    found = f"{platform.machine()} {platform.processor()} {flags} {torch.backends.cpu.get_cpu_capability()} {torch.__version__}"
    return hashlib.sha256(found.encode()).hexdigest()[:16]


@functools.cache
def compiled(function: Callable) -> Callable:
    """The function, compiled when it is called: seconds for each kind of arguments, less where build/cache/ has it."""
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
                if sys.getdlopenflags() & os.RTLD_GLOBAL:
                    raise RuntimeError("libraries are loaded with RTLD_GLOBAL, as the package pyosys asks for, and compiled code would crash")
                return fast(*arguments)
            except (RuntimeError, OSError) as error:  # of a compiler, or of a folder that cannot be written
                fails = True
                warnings.warn(f"torch.compile does not work here, so that the models are slower: {str(error).strip().splitlines()[0]}", stacklevel=2)
        return function(*arguments)

    return either
