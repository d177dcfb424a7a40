# SPDX-License-Identifier: MIT
"""Native code gives the integers of PyTorch, to the bit; where it cannot be compiled, and for selectors that it does not know, PyTorch runs."""

import os
import subprocess
import sys

import pytest
import torch

from models import cache, native, policies
from models.layer import ACTIVATIONS
from models.levels import LEVELS
from models.policies import POLICIES, Policy
from models.quantized_lstm import QuantizedLSTM, State
from models.selectors import Sensitivity
from models.sources import ROOT
from models.tests.random_networks import random_input, random_network


@pytest.fixture
def fresh(tmp_path, monkeypatch):
    """A cache of its own, in which nothing was compiled yet."""
    monkeypatch.setattr(cache, "FOLDER", tmp_path / "cache")
    native.library.cache_clear()
    yield tmp_path / "cache"
    native.library.cache_clear()


def assert_same(network: QuantizedLSTM, x, policy, **arguments):
    """Runs natively, and by PyTorch, whose run it returns."""
    assert native.library() is not None
    found, expected = (network.run(x, policy, native=how, **arguments) for how in (True, False))
    parts = [(name, getattr(found, name), getattr(expected, name)) for name in ("layer_h", "layer_c", "levels")]
    parts += [(name, getattr(found.state, name), getattr(expected.state, name)) for name in ("h", "c", "history")]
    for name, ours, theirs in parts:
        for one, other in zip(ours, theirs, strict=True):
            assert one.dtype == other.dtype and one.shape == other.shape and torch.equal(one, other), name
    return expected


def shares_of(network, policy, seed=0):
    """Some of every level, in other amounts for each gate."""
    generator = torch.Generator().manual_seed(seed)
    drawn = [torch.rand(4, len(layer.levels), generator=generator, dtype=torch.float64) + 0.1 for layer in network.layers]
    return [(part / part.sum(1, keepdim=True)).tolist() for part in drawn] if policy == Policy.RANDOM else None


@pytest.mark.parametrize("policy", Policy)
@pytest.mark.parametrize("levels", LEVELS.values(), ids=LEVELS)
@pytest.mark.parametrize("seed", [2, 3])
def test_the_same_integers(policy, levels, seed):
    """Two terms; layers of an odd number of units and of more than a group of 64; with exponents (seed 3) and without; constants of each level, or shared."""
    network = random_network(seed, 70, [33, 24], terms=2, policy=policy, levels=levels, shared=seed == 2)
    for batch in (16, 1):
        x = random_input(batch, network, batch, 6)
        x[:, ::2, :, :32] >>= 3  # half of the first group
        run = assert_same(network, x, policy, shares=shares_of(network, policy), seed=5)
        if policy not in (Policy.STATIC_HIGH, Policy.STATIC_LOW):
            assert 0 < run.low_share < 1


@pytest.mark.parametrize("policy", Policy)
@pytest.mark.parametrize("inputs, units, batch, steps", [(1, 1, 1, 1), (3, 5, 3, 140), (64, 32, 65, 3), (65, 100, 131, 2), (129, 7, 64, 5), (31, 130, 1, 70)])
def test_sizes(policy, inputs, units, batch, steps):
    """Sizes that fill words, vectors and tiles of sequences, and such that do not."""
    network = random_network(inputs, inputs, [units], policy=policy)
    assert_same(network, random_input(1, network, batch, steps), policy, shares=shares_of(network, policy))


@pytest.mark.parametrize("seed", range(40))
def test_random_networks(seed):
    """Whatever builds can have; c_frac and cell_floor are among what is random."""
    network = random_network(seed, 1 + 11 * seed % 150, [9 + seed, 20], terms=1 + seed // 2 % 2)
    for policy in policies.DECIDING:
        assert_same(network, random_input(seed, network, 1 + seed % 7, 8), policy, override=True)


@pytest.mark.parametrize("policy", Policy)
@pytest.mark.parametrize("first", [True, False])
def test_from_a_state(policy, first):
    """Any state that formats hold; what is given stays as it is."""
    network = random_network(4, 20, [30, 30], policy=policy)
    generator = torch.Generator().manual_seed(1)

    def integers(low, high):
        return [torch.randint(low, high + 1, (5, 30), generator=generator, dtype=torch.int32) for _ in network.layers]

    state = State(integers(-120, 119), integers(-32768, 32767), integers(0, 31), first)
    state.c[0][0], state.c[0][1], state.c[1][0] = -32768, 32767, 0
    before = [part.clone() for parts in (state.h, state.c, state.history) for part in parts]
    assert_same(network, random_input(1, network, 5, 4), policy, state=state, shares=shares_of(network, policy))
    assert all(torch.equal(one, other) for one, other in zip(before, [*state.h, *state.c, *state.history]))


@pytest.mark.parametrize("policy", Policy)
@pytest.mark.parametrize("weight", [-127, 119])
def test_the_largest_sums(policy, weight):
    """1,024 products of the largest size; pre-activations and cell states that saturate in both directions."""
    network = random_network(7, 1024, [16], policy=policy)
    layer = network.layers[0]
    layer.w_ih[:] = weight
    layer.w_ih[::5] = 119 if weight < 0 else -127
    layer.s[::2] = 12
    x = torch.full((4, 3, 1, 1024), ACTIVATIONS[0], dtype=torch.int8)
    x[1::2] = ACTIVATIONS[1]
    state = network.zero_state(4)
    state.c[0][:], state.c[0][:, 8:], state.first = 32767, -32768, False
    run = assert_same(network, x, policy, shares=shares_of(network, policy), state=state)
    assert run.layer_c[0].max() == 32767 and run.layer_c[0].min() == -32768


def test_weights_that_change_are_read_again():
    network = random_network(1, 10, [12])
    x = random_input(1, network, 3, 4)
    before = assert_same(network, x, Policy.STATIC_HIGH).h
    network.layers[0].w_hh[:] = 100
    assert not torch.equal(before, assert_same(network, x, Policy.STATIC_HIGH).h)


def test_it_is_compiled_once(fresh, monkeypatch):
    network = random_network(1, 10, [12])
    assert_same(network, random_input(1, network, 3, 4), Policy.SENSITIVITY)
    assert [path.name.split("-")[0] for path in fresh.iterdir()] == ["native"]
    native.library.cache_clear()
    monkeypatch.setenv("CXX", "false")
    assert native.library() is not None


def test_a_broken_library_is_compiled_anew(fresh, monkeypatch):
    whole, compiled = native._compile(), []
    monkeypatch.setattr(native, "_compile", lambda: compiled.append(1) or whole)
    assert native.library() is not None
    path, = fresh.iterdir()
    content = path.read_bytes()
    for broken in (content[:len(content) // 2], b"", content[:5000] + bytes([content[5000] ^ 1]) + content[5001:]):
        path.write_bytes(broken)
        native.library.cache_clear()
        assert native.library() is not None and path.read_bytes() == content
    assert len(compiled) == 4


@pytest.mark.parametrize("compiler", ["false", "no-such-compiler"])
def test_without_a_compiler_pytorch_runs(fresh, monkeypatch, compiler):
    monkeypatch.setenv("CXX", compiler)
    network = random_network(1, 10, [12, 8])
    x = random_input(1, network, 3, 4)
    with pytest.warns(UserWarning, match="native code does not work here, so that the models are slower: .*" + compiler) as warned:
        found = [network.run(x, native=True) for _ in range(2)]
    assert len(warned) == 1
    assert torch.equal(found[1].h, network.run(x).h)


def test_processes_may_compile_at_the_same_time(tmp_path):
    program = "from models.native import library; assert library() is not None"
    environment = os.environ | {"CACHE": str(tmp_path)}
    both = [subprocess.Popen([sys.executable, "-W", "error::UserWarning", "-c", program], cwd=ROOT, env=environment) for _ in range(2)]
    assert [process.wait() for process in both] == [0, 0]
    assert len(list(tmp_path.iterdir())) == 1


def test_a_selector_of_ones_own_runs_in_pytorch(monkeypatch):
    """Even one that is made from a selector that native code knows."""
    calls = []

    class Own(Sensitivity):
        def __call__(self, z, c, history):
            calls.append(z.shape)
            return 2 - super().__call__(z, c, history)

    entry = POLICIES[Policy.SENSITIVITY]
    network = random_network(2, 10, [12], levels=LEVELS["HH 3/4 all"])
    x = random_input(1, network, 3, 4)
    known = network.run(x, native=True)
    monkeypatch.setitem(POLICIES, Policy.SENSITIVITY, policies.PolicyEntry(entry.code, selector=lambda layer, *_: Own(layer), decides=True))
    found = network.run(x, native=True)
    assert len(calls) == 4 and torch.equal(found.levels[0], network.run(x).levels[0]) and not torch.equal(found.levels[0], known.levels[0])
