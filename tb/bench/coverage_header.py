# SPDX-License-Identifier: MIT
"""A header of Verilator that counts toggles right.

Verilator 5.048 counts a change of bit j of a vector of more than 64 bits as one of bits j + 32, j + 64 and so on as well, so that constant bits seem to toggle: its
loop over the bits of a word does not end with the word.
"""

import subprocess
from pathlib import Path

NAME = "verilated_cov.h"
BIT_LOOP = "j < width - i * VL_EDATASIZE;"  # over the bits of word i of a vector, beyond its last
WORD_LOOP = "j < width - i * VL_EDATASIZE && j < VL_EDATASIZE;"


def write(folder: Path) -> None:
    """Writes it beside the C++ that Verilator makes of a design, which finds it there first; as it is, where the loop is another one already."""
    root = subprocess.run(["verilator", "--getenv", "VERILATOR_ROOT"], capture_output=True, text=True, check=True).stdout.strip()
    (folder / NAME).write_text((Path(root) / "include" / NAME).read_text().replace(BIT_LOOP, WORD_LOOP))
