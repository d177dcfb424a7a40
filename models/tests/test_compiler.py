# SPDX-License-Identifier: MIT
"""Images: an interpreter of the packets computes the integers of the model, whatever the build; refusals; the dealing of units."""

import dataclasses
import random

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from models.build import Build
from models.compiler import CompileError, Target, compile_image, deal, permute
from models.counters import work_counters
from models.formats import DESCRIPTOR
from models.layer import level_codes
from models.levels import ALL, HH, LEVELS, Level
from models.policies import DECIDING, Policy
from models.tests.image_interpreter import Interpreter
from models.tests.random_networks import random_input, random_network

STEPS = 4
SMALL = {"weight_depth": 4096, "unit_depth": 64, "activation_depth": 128}
NETWORKS = [  # inputs, units, terms
    (1, [1], 1),
    (5, [7], 2),
    (16, [8, 8], 1),
    (9, [13, 6], 2),
    (33, [17, 3, 10], 1),
    (3, [2, 19, 5], 2),
    (70, [9], 2),
]
BUILDS = [
    Build(tiles, lanes, dynamic, **SMALL)
    for tiles, lanes, dynamic in ((1, 8, True), (2, 16, True), (3, 16, True), (4, 32, True), (5, 64, True), (16, 8, True),
                                  (1, 64, False), (2, 8, False), (3, 16, False), (4, 32, False))
]


def name(build):
    return f"{build.tiles}x{build.lanes}{'' if build.dynamic else 'baseline'}"


def interpret(image, interpreter, network, x, run, first_step=0, first=True):
    """Play the sequence x [steps, terms, inputs] and compare every h and decision with the run."""
    for step, value in enumerate(x):
        h, trace = interpreter.step(first_step + step, image.encode_x(value), image.layers, first and step == 0)
        assert torch.equal(image.decode_h(h), run.h[0, step])
        assert image.encode_h(run.h[0, step]) == h
        levels = [part[0, step] for part in run.levels]
        assert all(torch.equal(decoded, part) for decoded, part in zip(image.decode_trace(trace), levels, strict=True))
        assert image.encode_trace(levels) == trace


def assert_state(image, interpreter, network, state, bank):
    for layer in range(image.layers):
        for unit in range(network.layers[layer].units):
            tile, address = image.cell_location(layer, unit)
            word = interpreter.memory[Target.CELL][tile][address]
            c, history, h = (getattr(state, part)[layer][0, unit].item() for part in ("c", "history", "h"))
            assert word == c & 0xFFFF | history << 16
            location = image.h_location(layer, unit, bank)
            # The register counts bytes of {bank, offset, lane}; the depth of a bank is a power of two.
            bank_bytes = interpreter.build.activation_depth * interpreter.lanes
            found = [interpreter.byte(tile, *divmod(location, bank_bytes)) for tile in range(interpreter.build.tiles)]
            assert all(interpreter.value(byte) == image.decode_activation(byte) == h for byte in found)


@pytest.mark.parametrize("build", BUILDS, ids=name)
@pytest.mark.parametrize("inputs, units, terms", NETWORKS)
def test_memories_of_the_image_compute_the_model(build, inputs, units, terms):
    seed = sum(units) + build.tiles
    network = random_network(seed, inputs, units, terms)
    generator = random.Random(seed)
    policies = [Policy(generator.randrange(4)) if build.dynamic else Policy.STATIC_HIGH for _ in network.layers]
    network.layers = [dataclasses.replace(layer, policy=policy) for layer, policy in zip(network.layers, policies)]
    refinements = [[generator.random() for _ in range(count)] for count in units]
    image = compile_image(network, build, refinements)
    interpreter = Interpreter(build)
    interpreter.load(image.packets())
    interpreter.spoil_unused_lanes(image.layers)
    x = random_input(seed, network, batch=1, steps=STEPS)
    run = network.run(x)
    interpret(image, interpreter, network, x[0], run)
    assert_state(image, interpreter, network, run.state, bank=(STEPS - 1) & 1)
    counters = work_counters(run, network, build)
    assert {key: counters[key] for key in interpreter.counters} == interpreter.counters
    rows = [tuple(interpreter.rows[number, level, gate] for level in (1, 2) for gate in range(4)) for number in range(len(units))]
    assert counters["rows"] == [(count * STEPS, *found) for count, found in zip(units, rows)]


@pytest.mark.parametrize("parity", [0, 1])
@pytest.mark.parametrize("policy", DECIDING)
def test_loaded_state_continues_a_sequence(parity, policy):
    build = Build(3, 8, **SMALL)
    network = random_network(8, 6, [11, 7], policy=policy)
    x = random_input(8, network, batch=1, steps=2 * STEPS)
    before = network.run(x[:, :STEPS])
    after = network.run(x[:, STEPS:], state=before.state)
    image = compile_image(network, build)
    interpreter = Interpreter(build)
    interpreter.load(image.packets())
    interpreter.load(image.encode_state(before.state))
    assert_state(image, interpreter, network, before.state, bank=1 - parity)
    interpret(image, interpreter, network, x[0, STEPS:], after, first_step=parity, first=False)


def test_units_are_dealt_to_balance_the_refinements():
    """The network is one whose busy units would all fall into one tile."""
    units, tiles = 64, 4
    refinements = [3.0 if unit % tiles == 0 else 0.25 * (unit % 3) for unit in range(units)]
    order = deal(refinements, tiles)
    assert sorted(order) == list(range(units))
    loads = [sum(refinements[unit] for unit in order[tile::tiles]) for tile in range(tiles)]
    assert max(loads) - min(loads) <= 0.5
    for tile in range(tiles):
        in_tile = [refinements[unit] for unit in order[tile::tiles]]
        assert in_tile == sorted(in_tile, reverse=True)


@given(refinements=st.lists(st.floats(0, 4), min_size=1, max_size=40), tiles=st.integers(1, 16))
def test_dealing_is_an_order(refinements, tiles):
    assert sorted(deal(refinements, tiles)) == list(range(len(refinements)))


def test_without_refinements_units_keep_their_order():
    network = random_network(0, 3, [10, 5])
    assert compile_image(network, Build(**SMALL)).order == [list(range(10)), list(range(5))]


def test_the_network_brings_its_own_refinements():
    network = random_network(0, 3, [4])
    network.refinements = [[0.0, 1.0, 2.0, 3.0]]
    assert compile_image(network, Build(tiles=2, **SMALL)).order == [[3, 2, 0, 1]]


@settings(max_examples=30)
@given(seed=st.integers(0, 1 << 20), units=st.lists(st.integers(1, 9), min_size=1, max_size=3))
def test_permuted_units_give_permuted_results(seed, units):
    network = random_network(seed, 6, units)
    x = random_input(seed, network, batch=2, steps=4)
    generator = random.Random(seed)
    order = [generator.sample(range(count), count) for count in units]
    run, permuted = network.run(x), permute(network, order).run(x)
    for layer, positions in enumerate(order):
        assert torch.equal(permuted.layer_h[layer], run.layer_h[layer][..., positions])
        assert torch.equal(permuted.layer_c[layer], run.layer_c[layer][..., positions])
        assert torch.equal(permuted.levels[layer], run.levels[layer][:, :, positions])


def test_equal_contents_are_broadcast():
    """Only what differs between tiles is sent to each."""
    network = random_network(1, 8, [8])
    blocks = compile_image(network, Build(tiles=4, **SMALL)).blocks
    assert [block.tile for block in blocks if block.target == Target.DESCRIPTORS] == [255]
    blocks = compile_image(random_network(1, 8, [9]), Build(tiles=4, **SMALL)).blocks
    assert [block.tile for block in blocks if block.target == Target.DESCRIPTORS] == [0, 1, 2, 3]


def test_a_network_may_fill_a_build_to_the_last_word():
    """Two layers of 20 units in 2 tiles of 8 lanes: 10 slots of 4 rows of 2 + 3 and of 3 + 3 words."""
    network = random_network(1, 16, [20, 20])
    exact = Build(2, 8, weight_depth=10 * 4 * (2 + 3) + 10 * 4 * (3 + 3), unit_depth=20, activation_depth=8)
    compile_image(network, exact)
    for parameter, depth, message in (
        ("weight_depth", 439, "needs 440 weight words a tile, the build has 439: raise WeightDepth"),
        ("unit_depth", 19, "needs 20 units a tile, the build has 19: raise UnitDepth"),
        ("activation_depth", 4, "needs 8 activation words, the build has 4: raise ActivationDepth"),
    ):
        with pytest.raises(CompileError, match=message):
            compile_image(network, dataclasses.replace(exact, **{parameter: depth}))


def test_compiler_refuses_what_no_build_can_do():
    network = random_network(0, 3, [2, 2])
    for policy in (Policy.RANDOM, Policy.STATIC_ROWS):
        network.layers[1] = dataclasses.replace(network.layers[1], policy=policy)
        with pytest.raises(CompileError, match=f"layer 1 has policy {policy.name}"):
            compile_image(network, Build())
    network.layers[1] = dataclasses.replace(network.layers[1], policy=Policy.SENSITIVITY)
    with pytest.raises(CompileError, match="one number for each unit"):
        compile_image(network, Build(), refinements=[[1.0, 1.0]])


INEXPRESSIBLE = [
    ({"levels": LEVELS["HH HL 3/4 all"]}, "levels .* builds have all quarters"), ({"levels": LEVELS["HH 3/4"]}, "levels .* builds have all quarters"),
    ({"levels": (ALL,)}, "levels .* builds have all quarters"), ({"shared": False}, "biases of its own"),
    ({"levels": (Level(1, 0, 0), ALL)}, "1 quarters of x0 and 0 of h"), ({"levels": (HH, Level(1, 1, 1), ALL)}, "second level must add quarters of x0 or h"),
]


@pytest.mark.parametrize("change, message", INEXPRESSIBLE, ids=str)
def test_compiler_refuses_levels_that_no_build_has(change, message):
    network = random_network(3, 3, [2], **{"levels": LEVELS["HH 3/4 all"], **change})
    with pytest.raises(CompileError, match=f"layer 0.*{message}"):
        compile_image(network, Build())


def test_compiler_refuses_offsets_by_level():
    network = random_network(3, 3, [2], levels=LEVELS["HH 3/4 all"])
    offset = network.layers[0].offset.clone()
    offset[1] += 1
    network.layers[0] = dataclasses.replace(network.layers[0], offset=offset)
    with pytest.raises(CompileError, match="offsets of its own"):
        compile_image(network, Build())


def test_two_levels_are_lowest_and_all_of_a_build():
    """MIDDLE is all quarters, with the same thresholds, and no row has its code."""
    network = random_network(4, 6, [8], levels=LEVELS["HL all"])
    descriptors = [block for block in compile_image(network, Build()).blocks if block.target == Target.DESCRIPTORS]
    fields = DESCRIPTOR.unpack(descriptors[0].words[0])
    assert fields["theta_middle"] == fields["theta_all"] == network.layers[0].theta[0]
    assert [fields[f"{level}_{segment}"] for level in ("lowest", "middle") for segment in ("x0", "x1", "h")] == [2, 2, 2, 4, 4, 4]
    assert level_codes(network.layers[0].levels) == (0, 2)


def test_the_beat_of_exponents():
    """Groups of 64 values of a term, the second term's after those of the first, whatever the words of a build."""
    x = torch.zeros(2, 70, dtype=torch.int8)
    x[0, 3], x[0, 66], x[1, 69] = 100, 9, -40
    network = random_network(1, 70, [3], terms=2, exponents=True)
    for lanes in (8, 64):
        first, *values = compile_image(network, Build(lanes=lanes)).encode_x(x)
        assert first == 4 | 1 << 4 | 0 << 8 | 3 << 12
        assert values[0] >> 24 & 255 == 6 << 4 | 4 and len(values) == 2 * -(-70 // lanes) * lanes // 16
    network.layers[0] = dataclasses.replace(network.layers[0], exponents=False)
    assert compile_image(network, Build()).encode_x(x)[0] == 0x4444
    assert len(compile_image(network, Build(dynamic=False)).encode_x(x)) == 2 * -(-70 // 16)


def test_only_the_state_of_one_begun_sequence_can_be_loaded():
    network = random_network(0, 3, [2])
    image = compile_image(network, Build())
    for state in (network.zero_state(1), network.run(random_input(0, network, 2, 1)).state):
        with pytest.raises(CompileError, match="one sequence that has begun"):
            image.encode_state(state)


def test_counters_of_the_baseline_build_refuse_other_policies():
    network = random_network(0, 3, [2])
    run = network.run(random_input(0, network, 1, 1), Policy.STATIC_LOW)
    with pytest.raises(ValueError, match="STATIC_HIGH"):
        work_counters(run, network, Build().baseline())


def test_ideal_cycles():
    """10 units in 4 tiles: 3 in the fullest; rows of 2 words and at 8 bits of 3; all HH, all quarters, and as decided."""
    network = random_network(0, 20, [10], levels=LEVELS["HH 3/4 all"])
    build = Build()
    x = random_input(0, network, batch=1, steps=5)
    runs = [network.run(x, policy) for policy in (Policy.STATIC_LOW, Policy.STATIC_HIGH)]
    assert [work_counters(run, network, build)["ideal_cycles"] for run in runs] == [5 * 3 * 4 * 2, 5 * 3 * 4 * 2 * 4]
    baseline = work_counters(runs[1], network, build.baseline())
    assert baseline["ideal_cycles"] == 5 * 3 * 4 * 3 and baseline["hl"] == baseline["lh"] == baseline["ll"] == 0
    run = network.run(x, Policy.SENSITIVITY)
    counters = work_counters(run, network, build)
    assert sum(counters[name] for name in ("hh", "hl", "lh", "ll")) == round(run.mean_quarters * 5 * 10 * 4 * 2)
    assert counters["ideal_cycles"] == pytest.approx(120 * run.mean_quarters, abs=1)


BUILD_REFUSALS = [
    ({"tiles": 0}, "Tiles"), ({"tiles": 17}, "Tiles"), ({"lanes": 12}, "Lanes"), ({"lanes": 4}, "Lanes"), ({"in_flight": 3}, "InFlight"), ({"in_flight": 1}, "InFlight"),
    ({"weight_depth": 7}, "WeightDepth"), ({"unit_depth": 1 << 17}, "UnitDepth"), ({"activation_depth": 100}, "ActivationDepth"),
    ({"activation_depth": 2048}, "ActivationDepth"),
]


@pytest.mark.parametrize("change, message", BUILD_REFUSALS, ids=str)
def test_build_refuses_what_the_rtl_does_not_support(change, message):
    with pytest.raises(ValueError, match=message):
        Build(**change)


def test_baseline_build_has_the_same_bytes():
    build = Build()
    baseline = build.baseline()
    assert baseline.dot_lanes * baseline.activation_depth == build.dot_lanes * build.activation_depth
    assert baseline.weight_depth * baseline.dot_lanes * 8 == 2 * build.weight_depth * build.dot_lanes * 4
    assert baseline.baseline() == baseline
    assert baseline.parameters()["DynamicPrecision"] == 0 and build.parameters()["Lanes"] == 64
