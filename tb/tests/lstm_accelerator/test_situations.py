# SPDX-License-Identifier: MIT
"""Situations that random networks seldom meet: extremes of values, of sizes and of the schedule. The model is asked whether each was met."""

import random
from collections import Counter as Sum
from pathlib import Path

import cocotb
import pytest
import torch

from models.formats import CLASS_COUNTERS, ROW_CONSTANT, Level, Target
from models.layer import ACTIVATIONS, LARGEST_H
from models.levels import LEVELS
from models.policies import DECIDING
from models.quantized_lstm import State
from tb.bench.agents import play_image
from tb.bench.drivers import clock_cycles, seed
from tb.tests.lstm_accelerator.cases import SMALL, WEIGHT_HIGH, WEIGHT_LOW, any_network, harness, network_of, play_all, policies, run_on, sequences_of, single

BIAS_LOW, BIAS_HIGH = ROW_CONSTANT["b"].range


def alternating(units: int, gates: dict, low: int = BIAS_LOW, high: int = BIAS_HIGH) -> torch.Tensor:
    """Biases [units, 4]: by gate `high`, or "unit" for high in even and low in odd units; 0 for gates not named."""
    biases = torch.zeros(units, 4, dtype=torch.int64)
    for gate, value in gates.items():
        biases[:, gate] = high if value == "high" else torch.tensor([high, low] * units)[:units]
    return biases


@cocotb.test()
@cocotb.parametrize(stalls=[{}, dict(patient=True, image=200), dict(x=128, h=128, trace=128)])
async def every_depth(dut, stalls):
    generator, bench = random.Random(seed()), await harness(dut, **stalls)
    for layers in range(1, 9):
        await bench.load(network_of(generator.choice((1, 3, 5, 11)), generator.choices((1, 2, 3, 5, 7, 9), k=layers), generator.choice((1, 2)), generator))
        for policy in (None, generator.choice(policies(bench.build))):
            await bench.play(sequences_of(bench.network, [generator.randint(1, 4), 1, 2], generator), policy)
    bench.check()


@cocotb.test()
async def z_saturates(dut):
    generator, bench = random.Random(seed()), await harness(dut)
    layer = network_of(5, [6], 1, generator).layers[0]
    for bias in (BIAS_LOW, BIAS_HIGH):
        network = single(layer, bias=bias, s=40)
        sequences = sequences_of(network, [3], generator)
        assert abs(bias) >> 15, "a bias that z can hold"
        await play_all(bench, network, sequences)
    bench.check()


@cocotb.test()
async def scaled_sums_exceed_twenty_bits(dut):
    generator, bench = random.Random(seed()), await harness(dut)
    layer = network_of(17, [9], 2, generator).layers[0]
    for shift in (0, 1, 8, 14):  # from sums of 2^40 down to sums of about 2^20
        for bias in (BIAS_LOW, BIAS_HIGH):
            network = single(layer, s=shift, bias=bias)
            await play_all(bench, network, sequences_of(network, [2], generator))
    bench.check()


@cocotb.test()
async def the_largest_shift_leaves_the_bias(dut):
    generator, bench = random.Random(seed()), await harness(dut)
    network = single(network_of(5, [6], 1, generator).layers[0], s=63)
    await play_all(bench, network, sequences_of(network, [3], generator))
    bench.check()


@cocotb.test()
async def c_saturates(dut):
    generator, bench = random.Random(seed()), await harness(dut)
    layer, bias = network_of(5, [6], 1, generator).layers[0], alternating(6, {0: "high", 1: "high", 2: "unit", 3: "high"})
    network = single(layer, c_frac=15, s=40, bias=bias)
    sequences = sequences_of(network, [4], generator)
    c = network.run(sequences[0]).layer_c[0]
    assert c.min() == -32768 and c.max() == 32767, "the cell state did not saturate"
    await play_all(bench, network, sequences)
    bench.check()


@cocotb.test()
async def the_argument_of_tanh_and_h_saturate(dut):
    generator, bench = random.Random(seed()), await harness(dut)
    layer, bias = network_of(5, [6], 1, generator).layers[0], alternating(6, {1: "high", 3: "high"})
    for c_frac in range(8, 16):
        network = single(layer, c_frac=c_frac, s=40, bias=bias)
        await bench.load(network)
        extremes = torch.tensor([[32767, -32768, 32767, -32768, 0, 1]], dtype=torch.int32)
        state = State([torch.zeros_like(extremes)], [extremes], [torch.zeros_like(extremes)])
        sequences = sequences_of(network, [1], generator)
        run = network.run(sequences[0], state=state)
        assert c_frac >= 12 or run.layer_c[0].int().abs().max() << 12 - c_frac > 32767, "the argument of tanh did not saturate"
        assert c_frac > 12 or (run.h.min(), run.h.max()) == LARGEST_H, "h did not saturate"
        for policy in policies(bench.build):
            await bench.load_state(state)
            await bench.play(sequences, policy, stateful=True)
    bench.check()


@cocotb.test()
async def zeros_and_extremes(dut):
    generator, bench = random.Random(seed()), await harness(dut)
    layer = network_of(9, [7], 2, generator).layers[0]
    for weight in (0, WEIGHT_LOW, WEIGHT_HIGH):
        network = single(layer, w_ih=weight, w_hh=weight)
        shape = (1, 2, layer.terms, layer.inputs)
        sequences = [torch.full(shape, value, dtype=torch.int8) for value in (0, *ACTIVATIONS)]
        await play_all(bench, network, sequences)
    await play_all(bench, single(layer, m=0, bias=0), sequences)
    bench.check()


@cocotb.test()
async def all_rows_end_at_one_level(dut):
    generator, bench = random.Random(seed()), await harness(dut)
    layer = network_of(9, [13], 1, generator, levels=LEVELS["HH 3/4 all"]).layers[0]
    bias = torch.randint(-4000, 4000, (13, 4), generator=torch.Generator().manual_seed(seed()))
    moderate = dict(bias=bias, s=30, c_frac=12)  # no factor of an estimate is zero
    sequences = sequences_of(single(layer), [6], generator)
    always, never = (-128,) * 4, (127,) * 4
    for level, theta, offset in ((Level.LOWEST, (never, never), 127), (Level.MIDDLE, (always, never), 0), (Level.ALL, (never, always), 0),
                                 (Level.ALL, (always, always), 0)):
        network = single(layer, **moderate, theta=theta, offset=offset)
        await bench.load(network)
        for policy in DECIDING:
            levels = network.run(sequences[0], policy, override=True).levels[0][:, 1:]  # c is a factor, and zero before the first step
            share = (levels == level).float().mean()
            assert share == 1 if level == Level.LOWEST else share > 0.95, f"{policy.name}: a share of {share:.2f} ends at {level.name}"
            await bench.play(sequences, policy)
    bench.check()


@cocotb.test()
async def every_class_of_cycles_occurs(dut):
    generator, bench = random.Random(seed()), await harness(dut, image=1)
    classes, never = Sum(), set() if bench.build.dynamic else {"HL", "LH", "LL"}
    for inputs, units, stalls in ((3, [1], {}), (1, [32], {}), (33, [9], dict(x=250)), (1, [3], dict(h=254)), (9, [5, 20], {}), (5, [1, 32], {})):
        for stream in ("x", "h", "trace"):
            getattr(dut, f"{stream}_stall_i").value = stalls.get(stream, 0)
        await bench.load(network_of(inputs, units, 1, generator))
        for policy in policies(bench.build):
            classes.update((await bench.play(sequences_of(bench.network, [40 if stalls else 4, 1], generator), policy))["classes"])
    missing = {number.name for number in CLASS_COUNTERS if not classes[number.name]}
    assert missing == never, f"classes of cycles that never occurred: {missing}"
    bench.check()


@cocotb.test()
@cocotb.parametrize(shape=[(504, [8]), (16, [16] * 8)])
async def memories_filled_to_their_last_word(dut, shape):
    """No word is left free of weights and activations by a wide network, of weights and units by a deep one."""
    generator, bench = random.Random(seed()), await harness(dut)
    inputs, units = shape
    await bench.load(network_of(inputs, units, 1, generator))
    build, ends = bench.build, {(block.target, block.address + len(block.words)) for block in bench.image.blocks}
    full = {target for target in Target if (target, target.depth(build)) in ends}
    assert full >= {Target.WEIGHTS_HI, Target.ACTIVATIONS if len(units) == 1 else Target.CELL}, f"full are only {full}"
    for policy in policies(build):
        await bench.play(sequences_of(bench.network, [1, 1], generator), policy)
    bench.check()


@cocotb.test()
async def a_last_layer_beyond_two_beats(dut):
    generator, bench = random.Random(seed()), await harness(dut)
    await play_all(bench, network := network_of(5, [9, 45], 1, generator), sequences_of(network, [2, 1], generator))
    bench.check()


@cocotb.test()
async def resets_at_any_moment_of_a_load(dut):
    generator, bench = random.Random(seed()), await harness(dut)
    for reset in ("soft", "hard") * 4:
        network = any_network(bench.build, generator)
        await bench.load(network)
        loading = cocotb.start_soon(play_image(dut, Path("image.hex"), bench.image.packets()))
        await clock_cycles(dut, generator.randint(2, 60))
        await (bench.soft_reset() if reset == "soft" else bench.hard_reset())
        await loading
        await clock_cycles(dut, 8)
        await bench.expect_errors(0)
        await bench.load(any_network(bench.build, generator))
        await bench.play(sequences_of(bench.network, [2, 1], generator))
    bench.check()


@cocotb.test()
async def hard_resets_at_any_moment_of_a_run(dut):
    generator, bench = random.Random(seed()), await harness(dut, x=40, h=40, trace=40)
    for _ in range(8):
        network = any_network(bench.build, generator)
        await bench.load(network)
        await bench.begin(sequences_of(network, [6, 3], generator))
        await clock_cycles(dut, generator.randint(1, 600))
        await bench.hard_reset()
        await bench.load(network)
        await bench.play(sequences_of(network, [generator.randint(1, 3)], generator))
    bench.check()


@cocotb.test()
async def the_watchdog_names_what_is_waited_for(dut):
    generator, bench = random.Random(seed()), await harness(dut)
    await bench.load(network_of(1, [3], 1, generator))
    for wait, stream in (("WAIT_INPUT", "x waits for its source"), ("WAIT_OUTPUT", "h waits for its sink")):
        dut.h_stall_i.value = 255 if wait == "WAIT_OUTPUT" else 0
        await bench.begin(sequences_of(bench.network, [40], generator))
        if wait == "WAIT_INPUT":
            bench.x.clear()
        try:
            await bench.finish(3000)
        except AssertionError as error:
            text = str(error)
        else:
            raise AssertionError("a run that hangs ended")
        assert f"tile-cycles now: {wait}" in text and stream in text, text
        dut.h_stall_i.value = 0  # a reset waits for a packet that has begun
        await bench.soft_reset()
    await bench.play(sequences_of(bench.network, [2], generator))
    bench.check()


@pytest.mark.parametrize("build", [SMALL, SMALL.baseline()], ids=["dynamic", "baseline"])
def test_situations(build):
    run_on(__name__, build)
