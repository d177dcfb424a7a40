# SPDX-License-Identifier: MIT
"""operands: quarters of values add up to their products, with any exponent; every read, hold, write and read-back in the same cycles against lists."""

import os
import random

import cocotb
import pytest
import torch
from cocotb.triggers import RisingEdge

from models.compiler import nibbles
from models.formats import EXPONENT_GROUP, Quarter
from models.layer import ACTIVATIONS, MAX_EXPONENT, group_exponents, split_planes
from tb.bench.drivers import pipeline, reset, seed
from tb.bench.runner import run

LATENCY = 2
WEIGHT_DEPTH, ACTIVATION_DEPTH = 16, 64  # of activations: a bank, of two
DYNAMIC = bool(int(os.environ.get("DYNAMIC", 1)))
BITS = 4 if DYNAMIC else 8
WEIGHTS_HI, WEIGHTS_LO, ACTIVATIONS_HI, ACTIVATIONS_LO = MEMORIES = range(4)
ORDER = (Quarter.LH, Quarter.LL, Quarter.HL, Quarter.HH)
READS = {Quarter.LH: 1 << WEIGHTS_LO | 1 << ACTIVATIONS_HI, Quarter.LL: 1 << ACTIVATIONS_LO, Quarter.HL: 1 << WEIGHTS_HI, Quarter.HH: 0}  # one after the other


def pack(values, bits: int) -> int:
    """Lanes of a word, the first in the low bits."""
    return sum((int(value) & (1 << bits) - 1) << bits * lane for lane, value in enumerate(values))


def lanes_of(word: int, lanes: int, bits: int) -> list[int]:
    """Signed lanes of a word."""
    values = [word >> bits * lane & (1 << bits) - 1 for lane in range(lanes)]
    return [value - (1 << bits) * (value >> bits - 1) for value in values]


def lanes_in(dut) -> int:
    return len(dut.act_be_i)


def outputs(dut) -> tuple[int, int, int]:
    return int(dut.weights_o.value), int(dut.activations_o.value), int(dut.shift_o.value)


async def load(dut, weights: list[tuple[int, int]], activations: list[tuple[int, int]]):
    """Fills the memories: (upper, lower) words of weights, (bytes, exponent) of activations; the baseline build's weights are the upper words."""
    for address, (upper, lower) in enumerate(weights):
        for name, word in (("hi", upper), ("lo", lower)):
            dut.load_address_i.value, dut.load_data_i.value = address, word
            getattr(dut, f"load_{name}_i").value = 1
            await RisingEdge(dut.clk_i)
            getattr(dut, f"load_{name}_i").value = 0
    dut.act_we_i.value, dut.act_be_i.value = 1, (1 << lanes_in(dut)) - 1
    for address, (word, exponent) in enumerate(activations):
        dut.act_address_i.value, dut.act_data_i.value, dut.act_exponent_i.value = address, word, exponent
        await RisingEdge(dut.clk_i)
    dut.act_we_i.value = dut.act_be_i.value = 0


@cocotb.test(skip=not DYNAMIC)
async def quarters_add_up_to_products(dut):
    """In the order of row_pass, each half read once a word."""
    await reset(dut)
    lanes, numbers, generator = lanes_in(dut), torch.Generator().manual_seed(seed()), random.Random(seed())
    w = torch.randint(-127, 120, (WEIGHT_DEPTH, lanes), generator=numbers)
    w[0], w[1], w[2] = -127, 119, torch.tensor([-8, 7] * (lanes // 2))
    groups = 2 * ACTIVATION_DEPTH * lanes // EXPONENT_GROUP
    a = torch.randint(*ACTIVATIONS, (groups, EXPONENT_GROUP), generator=numbers).add(1) >> torch.arange(groups).unsqueeze(1) % 6
    a[0, :2], a[-1, :2] = torch.tensor(ACTIVATIONS), torch.tensor(ACTIVATIONS)
    a = a.flatten()
    words, own = a.view(-1, lanes), group_exponents(a).repeat_interleave(EXPONENT_GROUP // lanes).tolist()
    assert {*range(MAX_EXPONENT + 1)} <= {*own}, f"only the exponents {sorted({*own})}"
    for own_exponent in (1, 0):
        exponents = own if own_exponent else [generator.randrange(16) for _ in own]  # of h: anything lies there
        halves = nibbles(a, bool(own_exponent)).view(-1, lanes).tolist()
        await load(dut, [(pack(upper, 4), pack(lower, 4)) for upper, lower in zip(*(half.tolist() for half in split_planes(w)), strict=True)],
                   [(pack(word, 8), exponent) for word, exponent in zip(halves, exponents, strict=True)])
        places = [(generator.randrange(WEIGHT_DEPTH), generator.randrange(2 * ACTIVATION_DEPTH)) for _ in range(200)] + [(row, 0) for row in range(WEIGHT_DEPTH)]
        stimuli = [(*place, quarter) for place in places for quarter in ORDER]

        def drive(stimulus):
            weight, activation, quarter = stimulus
            dut.weight_address_i.value, dut.activation_address_i.value, dut.quarter_i.value = weight, activation, quarter
            dut.reads_i.value, dut.own_exponent_i.value = READS[quarter], own_exponent

        seen = await pipeline(dut, stimuli, LATENCY, lambda: outputs(dut), drive)
        for number, (weight, activation) in enumerate(places):
            total = 0
            for weights, activations, shift in seen[4 * number:4 * number + 4]:
                total += sum(x * y for x, y in zip(lanes_of(weights, lanes, 4), lanes_of(activations, lanes, 4), strict=True)) << shift
            expected = int((w[weight] * words[activation]).sum())
            assert total == expected, f"weights {w[weight].tolist()}, activations {words[activation].tolist()}, exponent {exponents[activation]}, {own_exponent}"


@cocotb.test()
async def memories_hold_what_they_gave(dut):
    """Everything at random in every cycle: reads and quarters that do not belong together, loads, writes of lanes, read-back."""
    await reset(dut)
    lanes, generator = lanes_in(dut), random.Random(seed())
    full = BITS * lanes
    weights = [[generator.getrandbits(full), generator.getrandbits(full)] for _ in range(WEIGHT_DEPTH)]
    activations = [[[generator.getrandbits(8) for _ in range(lanes)], generator.randint(0, MAX_EXPONENT)] for _ in range(2 * ACTIVATION_DEPTH)]
    await load(dut, [tuple(pair) for pair in weights], [(pack(word, 8), exponent) for word, exponent in activations])

    held = [weights[0][0], weights[0][1], ([0] * lanes, 0), [0] * lanes]
    dut.reads_i.value = 15
    due, read_back = [], None
    for cycle in range(2500):
        reads, quarter, own = 15 if cycle == 0 else generator.getrandbits(4) & generator.choice((15, 15, 0)), generator.choice([*Quarter]), generator.getrandbits(1)
        weight, activation = generator.randrange(WEIGHT_DEPTH), generator.randrange(2 * ACTIVATION_DEPTH)
        load_hi, load_lo = (generator.random() < 0.1 for _ in range(2))
        load_address, load_data = generator.choice([weight, generator.randrange(WEIGHT_DEPTH)]), generator.getrandbits(full)
        write, enable = generator.random() < 0.3, generator.choice([0, 1 << generator.randrange(lanes), (1 << lanes) - 1, generator.getrandbits(lanes)])
        write_address = generator.choice([activation, generator.randrange(2 * ACTIVATION_DEPTH)])
        data, exponent = [generator.getrandbits(8) for _ in range(lanes)], generator.randint(0, MAX_EXPONENT)
        back, back_address = generator.random() < 0.1, generator.randrange(2 * ACTIVATION_DEPTH)
        for name, value in dict(reads=reads, quarter=quarter, own_exponent=own, weight_address=weight, activation_address=activation, load_hi=load_hi,
                                load_lo=load_lo, load_address=load_address, load_data=load_data, act_we=write, act_be=enable, act_address=write_address,
                                act_data=pack(data, 8), act_exponent=exponent, read_enable=back, read_address=back_address).items():
            getattr(dut, f"{name}_i").value = int(value)
        await RisingEdge(dut.clk_i)
        if read_back is not None:
            assert int(dut.read_data_o.value) == read_back, f"read-back in cycle {cycle}"
        if len(due) == LATENCY:
            assert outputs(dut) == due[0], f"(weights, activations, shift) in cycle {cycle}: expected {due[0]}, got {outputs(dut)}"
        # What the memories give, then what is written.
        source = activations[back_address if back else activation]
        for memory, word in ((WEIGHTS_HI, weights[weight][0]), (WEIGHTS_LO, weights[weight][1])):
            if reads >> memory & 1:
                held[memory] = word
        if back or reads >> ACTIVATIONS_HI & 1:
            held[ACTIVATIONS_HI] = ([*source[0]], source[1])
        if back or reads >> ACTIVATIONS_LO & 1:
            held[ACTIVATIONS_LO] = [*source[0]]
        read_back = pack(source[0], 8) if back else None
        due = [*due, expected(held, quarter, own)][-LATENCY:]
        weights[load_address] = [load_data if load_hi else weights[load_address][0], load_data if load_lo else weights[load_address][1]]
        if write:
            old = activations[write_address][0]
            activations[write_address] = [[data[lane] if enable >> lane & 1 else old[lane] for lane in range(lanes)], exponent]


def expected(held: list, quarter: Quarter, own: int) -> tuple[int, int, int]:
    """(weights, activations, shift) of a word, from what the memories hold."""
    upper, exponent = held[ACTIVATIONS_HI]
    if not DYNAMIC:
        return held[WEIGHTS_HI], pack(upper, 8), 0
    high_weight, high_activation = quarter in (Quarter.HH, Quarter.HL), quarter in (Quarter.HH, Quarter.LH)
    activations = pack([value >> 4 for value in upper], 4) if high_activation else pack(held[ACTIVATIONS_LO], 4)
    shift = 4 * high_weight + ((exponent if own else MAX_EXPONENT) if high_activation else 0)
    return held[WEIGHTS_HI if high_weight else WEIGHTS_LO], activations, shift


@pytest.mark.parametrize("dot_lanes, dynamic", [(8, 1), (16, 1), (64, 1), (2, 0), (16, 0)])
def test_operands(dot_lanes, dynamic):
    run(__name__, "operands", {"DotLanes": dot_lanes, "DynamicPrecision": dynamic, "WeightDepth": WEIGHT_DEPTH, "ActivationDepth": ACTIVATION_DEPTH},
        environment={"DYNAMIC": str(dynamic)})
