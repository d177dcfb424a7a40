"""cocotb test of `tb.sim`: plays the sequences of a job file through one build, everything compared, and writes what was measured."""

import json
import os
from pathlib import Path

import cocotb
import torch

from models.policies import Policy
from tb.bench import seed
from tb.harness import Harness


@cocotb.test()
async def play(dut):
    job = torch.load(os.environ["JOB"], weights_only=False)
    bench = Harness(dut, job["build"])
    await bench.start(seed())
    await bench.load(job["network"])
    with open(os.environ["PROGRESS"], "ab", buffering=0) as progress:
        bench.h.add_callback(lambda packet: progress.write(b"."))  # a byte a step: its size is the progress
        measured = await bench.play(job["sequences"], Policy(job["policy"]))
    bench.check()
    Path(os.environ["MEASURED"]).write_text(json.dumps(measured))
