# SPDX-License-Identifier: MIT
"""Thresholds by the error of the outputs: within the budget on the calibration, with little of it left, and faster for a larger one."""

import math

import pytest
import torch
from torch import nn

from models.error_budget import set_by_error
from models.float_lstm import hidden_states
from models.policies import DECIDING, Policy
from models.quantized_network import quantize_network


@pytest.fixture(scope="module", params=[False, True], ids=["one direction", "two"])
def network(request):
    """(QuantizedNetwork without thresholds, inputs, float outputs)."""
    torch.manual_seed(3)
    lstm = nn.LSTM(12, 24, 2, bidirectional=request.param)
    inputs = [torch.randn(20, 12) for _ in range(8)]
    return quantize_network(lstm, inputs, low_share=None), inputs, [hidden[-1] for hidden in hidden_states(lstm, inputs)]


def power(run, exact):
    return sum((layers[-1] - right).square().sum().item() for layers, right in zip(run.hidden, exact))


@pytest.mark.parametrize("policy", DECIDING, ids=lambda policy: policy.name)
def test_the_budget_is_kept_and_spent(network, policy):
    q, inputs, exact = network
    high, quarters = power(q.run(inputs, Policy.STATIC_HIGH), exact), []
    for decibels in (1.5, 3.0):
        own = set_by_error(q, inputs, exact, decibels).for_policy(policy)
        run = own.run(inputs, policy)
        assert decibels - 1 < 10 * math.log10(power(run, exact) / high) <= decibels
        assert [direction.refinements for direction in own.directions] == own.refinements(run)
        quarters.append(own.mean_quarters(run))
    assert 1 < quarters[1] < quarters[0] < 4


def test_a_budget_that_nothing_exceeds_leaves_all_rows_at_the_lowest_level(network):
    q, inputs, exact = network
    q = set_by_error(q, inputs, exact, 200.0)
    assert q.low_share(q.run(inputs, Policy.SENSITIVITY)) == 1
