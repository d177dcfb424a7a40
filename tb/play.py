"""Cocotb side of `tb.sim`: plays the sequences of a job through one build and leaves what it saw.

JOB names a pickled dict: build, network (quantized), sequences (int8 [1, steps, limbs, inputs]), policy. In the folder of the run,
`progress` grows by a byte a step, and `result` is a pickled dict: h (int8 [steps, units] over all sequences), counters (by number and
by (layer, field)), compared, mismatches, first_mismatch.
"""

import os
import pickle
from pathlib import Path

import cocotb
import torch

from tb.bench import seed
from tb.harness import Harness


@cocotb.test()
async def play(dut):
    job = pickle.loads(Path(os.environ["JOB"]).read_bytes())
    bench = Harness(dut, job["build"], fail_immediately=False)
    await bench.start(seed())
    await bench.load(job["network"])
    packets = []
    bench.h.add_callback(packets.append)
    with open("progress", "ab", buffering=0) as progress:
        bench.h.add_callback(lambda packet: progress.write(b"."))
        await bench.play(job["sequences"], job["policy"])
    scoreboard = bench.scoreboard
    result = {
        "h": torch.stack([bench.image.decode_h(packet.split()) for packet in packets]), "counters": await bench.counters(),
        "compared": scoreboard.compared, "mismatches": scoreboard.errors, "first_mismatch": scoreboard.first,
    }
    Path("result").write_bytes(pickle.dumps(result))
    bench.check()
