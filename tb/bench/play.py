# SPDX-License-Identifier: MIT
"""Cocotb side of `tb.commands.sim`: plays the directions of a job through one build, one after the other, and leaves what it saw.

JOB names a pickled dict: build, policy, and directions, the `tb.bench.directions.Direction` of the network. In the folder of the run, `progress` grows by a byte
a step, and `result` is a pickled dict: compared, mismatches, first_mismatch, and directions, each with h (int8 [steps, units] over all
sequences), counters (by number and by (layer, field)), load_cycles (of its image).
"""

import os
import pickle
from collections import Counter as Sum
from pathlib import Path

import cocotb
import torch
from cocotb.handle import SimHandleBase
from cocotb.utils import get_sim_time

from models.policies import Policy
from tb.bench.directions import Direction
from tb.bench.drivers import PERIOD, seed
from tb.bench.harness import Harness


@cocotb.test()
async def play(dut: SimHandleBase) -> None:
    job = pickle.loads(Path(os.environ["JOB"]).read_bytes())
    bench = Harness(dut, job["build"], fail_immediately=False)
    await bench.start(seed())
    packets = []
    bench.h.add_callback(packets.append)
    with open("progress", "ab", buffering=0) as progress:
        bench.h.add_callback(lambda packet: progress.write(b"."))
        directions = [await play_direction(bench, direction, job["policy"], packets) for direction in job["directions"]]
    scoreboard = bench.scoreboard
    result = {"directions": directions, "compared": scoreboard.compared, "mismatches": scoreboard.errors, "first_mismatch": scoreboard.first}
    Path("result").write_bytes(pickle.dumps(result))
    bench.check()


async def play_direction(bench: Harness, direction: Direction, policy: Policy | None, packets: list) -> dict:
    """Loads the direction's image and plays its sequences: in one run, or one by one where each begins with a state that has to be loaded.

    packets: of h, which grows.
    """
    begin, first = get_sim_time("ns"), len(packets)
    await bench.load(direction.lstm)
    load_cycles, counters = round((get_sim_time("ns") - begin) / PERIOD), Sum()
    together = [(direction.sequences, None)] if direction.states is None else [([sequence], state) for sequence, state in zip(direction.sequences, direction.states)]
    for sequences, state in together:
        if state is not None:
            await bench.load_state(state)
        await bench.play(sequences, policy, stateful=state is not None)
        counters.update(await bench.counters())
    h = torch.stack([bench.image.decode_h(packet.split()) for packet in packets[first:]])
    return {"h": h, "counters": counters, "load_cycles": load_cycles}
