# SPDX-License-Identifier: MIT
"""What sizes say of an LSTM on a build is what the compiler and the cycle model say of it quantized, and takes no time."""

from time import perf_counter

import pytest
import torch
from torch import nn

from models.build import Build
from models.compiler import compile_image
from models.importers import ImportFailure
from models.importers.imported import ImportedLSTM
from models.network_cycles import cycles
from models.networks import Sample
from models.own.limits import MANY_WORDS, limits, own_build
from models.policies import Policy
from models.quantized_network import quantize_network


@pytest.mark.parametrize("lstm", [nn.LSTM(5, 7, 2), nn.LSTM(70, 66), nn.LSTM(5, 20, 2, bidirectional=True), nn.LSTM(3, 150)], ids=str)
def test_bounds_are_the_cycles_of_the_static_policies(lstm):
    torch.manual_seed(1)
    inputs = [torch.rand(30, lstm.input_size)]
    found = limits(ImportedLSTM([lstm]), inputs=inputs)
    q = quantize_network(lstm, inputs, low_share=None)
    for bound, policy, build in ((found.total.low, Policy.STATIC_LOW, Build()), (found.total.high, Policy.STATIC_HIGH, Build()),
                                 (found.total.baseline, Policy.STATIC_HIGH, Build().baseline())):
        long, short = (cycles(q, [Sample(inputs[0][:steps], inputs[0], "")], policy, build) for steps in (30, 15))
        assert abs((long - short) / 15 - bound) <= max(1, 0.01 * bound * (bound > MANY_WORDS))


def test_what_does_not_fit_is_refused_by_sizes_and_what_is_advised_fits():
    lstm = nn.LSTM(30, 70)
    begin = perf_counter()
    with pytest.raises(ImportFailure, match=r"4 tiles of 64 lanes has 8,192: WEIGHTS=131072"):
        limits(ImportedLSTM([nn.LSTM(1024, 1024, 4)]))
    assert perf_counter() - begin < 5
    with pytest.raises(ImportFailure, match=r"the LSTM needs 216 weight words a tile, .* has 144: WEIGHTS=216 or TILES=6"):
        limits(ImportedLSTM([lstm]), own_build(weights=144))
    torch.manual_seed(1)
    q = quantize_network(lstm, [torch.rand(20, 30)], low_share=None)
    with pytest.raises(ValueError, match="216 weight words"):
        compile_image(q.directions[0], own_build(weights=144))
    for build in (own_build(weights=216), own_build(tiles=6, weights=144)):
        assert limits(ImportedLSTM([lstm]), build).lines()
        compile_image(q.directions[0], build)
        compile_image(q.directions[0], build.baseline())


def test_an_input_of_two_vectors_is_known_before_anything_is_quantized():
    torch.manual_seed(1)
    lstm = nn.LSTM(4, 10)
    inputs = [torch.randn(200, 4).exp() ** 3]
    found = limits(ImportedLSTM([lstm]), inputs=inputs)
    assert quantize_network(lstm, inputs, low_share=None).directions[0].layers[0].terms == 2
    assert any("takes two 8-bit vectors a step" in line for line in found.lines())
    assert not limits(ImportedLSTM([lstm]), inputs=[torch.rand(200, 4)]).notes


def test_a_layer_that_is_slower_is_told_with_the_reason():
    slow, = limits(ImportedLSTM([nn.LSTM(8, 32)])).layers
    assert "0.46x the speed of the baseline build in 8 bits" in slow.reason and "multiples of 64" in slow.reason
    fast, = limits(ImportedLSTM([nn.LSTM(64, 128)])).layers
    assert fast.reason == ""


def test_builds():
    assert own_build() == Build()
    assert own_build("2", "16", "").weight_depth == 1 << 16
    for given, message in ((("17",), "TILES=17: TILES is 1..16"), ((None, "12"), "LANES=12: LANES is 8, 16, 32 or 64"), ((None, None, "x"), "WEIGHTS=x: a whole number")):
        with pytest.raises(ImportFailure, match=message):
            own_build(*given)
