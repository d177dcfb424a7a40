# SPDX-License-Identifier: MIT
"""Two runs that must agree: on both simulators (outputs, decisions, cycles), and on the baseline build and STATIC_HIGH (outputs)."""

import json
import os
import random
from pathlib import Path

import cocotb
import pytest

from models.build import Build
from models.policies import Policy
from tb.tests.lstm_accelerator.cases import SMALL, harness, network_of, policies, run_on, sequences_of

FULL_SIZE = Build()


@cocotb.test()
async def measured_run(dut):
    """A run whose outputs, decisions and measurements are written down. NETWORK: inputs, units, terms, steps."""
    *shape, steps = json.loads(os.environ["NETWORK"])
    generator, bench = random.Random(1), await harness(dut)
    await bench.load(network_of(*shape, generator))
    seen = {"h": [], "trace": []}
    bench.h.add_callback(lambda packet: seen["h"].append(bench.image.decode_h(packet.split()).tolist()))
    bench.trace.add_callback(lambda packet: seen["trace"].append([levels.tolist() for levels in bench.image.decode_trace(packet.split())]))
    sequences = sequences_of(bench.network, [steps, 1], generator)
    seen["measured"] = [await bench.play(sequences, policy) for policy in json.loads(os.environ["POLICIES"])]
    bench.check()
    Path("seen.json").write_text(json.dumps(seen))


def seen_on(build: Build, network: tuple, overrides: list, simulator: str | None = None) -> dict:
    """What measured_run saw."""
    environment = {"NETWORK": json.dumps(network), "POLICIES": json.dumps(overrides)}
    return json.loads((run_on(__name__, build, environment, simulator=simulator) / "seen.json").read_text())


@pytest.mark.parametrize("build", [SMALL, SMALL.baseline()], ids=["dynamic", "baseline"])
def test_simulators_agree(build):
    network = (9, [13, 6], 2, 4)
    assert seen_on(build, network, policies(build), "verilator") == seen_on(build, network, policies(build), "icarus")


def test_baseline_build_computes_static_high():
    network = (33, [37, 18], 2, 5)
    dynamic = seen_on(FULL_SIZE, network, [Policy.STATIC_HIGH])
    baseline = seen_on(FULL_SIZE.baseline(), network, [None])
    assert baseline["h"] == dynamic["h"]


@pytest.mark.parametrize("simulator", ["verilator", "icarus"])
def test_full_size(simulator):
    steps = 4 if simulator == "verilator" else 1
    seen = seen_on(FULL_SIZE, (128, [128], 1, steps), [Policy.SENSITIVITY], simulator)
    assert len(seen["h"]) == steps + 1
