# SPDX-License-Identifier: MIT
"""What the commands that measure networks one after the other have in common: a progress bar, a table, and JSON."""

import json
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

import torch
from rich.console import Console
from rich.table import Table
from tqdm import tqdm

from ..quantized_network import Progress


def measure_networks(names: Iterable[str], measure: Callable[[str, Progress], dict], table: Callable[[list[dict]], Table], out: Path) -> None:
    """Measure networks, print their table, and write what was found to `out`. Interrupted, it says how to go on, and ends the process.

    measure(name, progress): what was found of a network; progress is told of steps. table: of all that was found.
    """
    torch.set_num_threads(1)
    with tqdm(unit="step", dynamic_ncols=True) as bar:
        try:
            found = [measure(name, bar.update) for name in names]
        except KeyboardInterrupt:
            sys.exit("interrupted: what was measured is kept, the same command goes on")
    Console(width=200).print(table(found))
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(found, indent=1) + "\n")
    print(out)
