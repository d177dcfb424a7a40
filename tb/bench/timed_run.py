# SPDX-License-Identifier: MIT
"""Cocotb side of `tb.commands.speed`: times a run of the accelerator, everything compared, from its start to its end.

JOB names a pickled dict: build, network, sequences, policy. Writes `timed.json`: cycles and seconds. What the model computes before the run is
not in the time; drivers, monitors and the comparison of each packet are.
"""

import json
import os
import pickle
import time
from pathlib import Path

import cocotb
from cocotb.handle import SimHandleBase

from tb.bench.drivers import seed
from tb.bench.harness import Harness
from tb.bench.registers import Counter


@cocotb.test()
async def timed_run(dut: SimHandleBase) -> None:
    job = pickle.loads(Path(os.environ["JOB"]).read_bytes())
    bench = Harness(dut, job["build"])
    await bench.start(seed())
    await bench.load(job["network"])
    await bench.begin(job["sequences"], job["policy"])
    begin = time.perf_counter()
    await bench.finish(10**9)
    seconds = time.perf_counter() - begin
    bench.check()
    Path("timed.json").write_text(json.dumps({"cycles": (await bench.counters())[Counter.CYCLES], "seconds": seconds}))
