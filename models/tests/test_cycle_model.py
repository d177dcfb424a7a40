# SPDX-License-Identifier: MIT
"""How much the schedule costs over the ideal, for decisions as real networks make them. That the model equals the RTL is tested in tb/."""

import math

import pytest
import torch

from models.build import Build
from models.cycle_model import CycleModel
from models.policies import Policy
from models.quantize import quantize

STEPS = 20
REFINED = 0.15


@pytest.fixture(scope="module")
def networks():
    torch.manual_seed(1)
    return {units: quantize(torch.nn.LSTM(inputs, units, layers), [torch.randn(4, inputs)])
            for inputs, units, layers in ((128, 128, 1), (40, 256, 2))}


def overhead(q, build: Build, refined: float, policy: Policy) -> float:
    """Cycles over ideal cycles, less 1, when each row is refined with this chance."""
    generator = torch.Generator().manual_seed(1)
    masks = [torch.rand(STEPS, layer.units, 4, generator=generator) < refined for layer in q.layers]
    cycles = CycleModel(q, build, masks, [list(range(layer.units)) for layer in q.layers], policy).cycles()
    ideal = sum(math.ceil(layer.units / build.tiles) * 4 * (layer.terms * build.words(layer.inputs) + build.words(layer.units))
                * (STEPS + mask.float().mean().item() * STEPS) for layer, mask in zip(q.layers, masks))
    return cycles / ideal - 1


@pytest.mark.parametrize("units", [128, 256])
@pytest.mark.parametrize("tiles, bound", [(1, 0.03), (4, 0.03), (8, 0.03), (16, 0.05)])
def test_cycles_with_refinements_come_near_the_ideal(networks, units, tiles, bound):
    assert 0 <= overhead(networks[units], Build(tiles=tiles), REFINED, Policy.SENSITIVITY) < bound


@pytest.mark.parametrize("units", [128, 256])
def test_always_8_bit_keeps_the_tiles_busy(networks, units):
    assert 0 <= overhead(networks[units], Build(), 1.0, Policy.STATIC_HIGH) < 0.01


def test_a_smaller_in_flight_buffer_runs_ahead_less(networks):
    small, large = (overhead(networks[128], Build(in_flight=units), REFINED, Policy.SENSITIVITY) for units in (2, 8))
    assert small > large + 0.02


def test_the_baseline_build_takes_as_long_as_always_8_bit(networks):
    q = networks[128]
    masks, order = [torch.ones(STEPS, 128, 4, dtype=torch.bool)], [list(range(128))]
    dynamic, baseline = (CycleModel(q, build, masks, order, Policy.STATIC_HIGH).cycles() for build in (Build(), Build().baseline()))
    assert abs(baseline / dynamic - 1) < 0.02
