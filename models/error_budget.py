# SPDX-License-Identifier: MIT
"""Thresholds of a network that has no frozen data: by how much more the outputs of the LSTM itself are wrong than in 8 bits."""

from collections.abc import Iterable

from torch import Tensor

from .formats import Policy
from .policies import DECIDING
from .quantize import LOG2_LAMBDAS
from .quantized_network import QuantizedNetwork
from .thresholds import seek

LOSS_DB = 3.0  # of the ratio of signal to error: twice the power of the error
PRECISION = 0.25  # of log2_lambda


def set_by_error(quantized: QuantizedNetwork, inputs: list[Tensor], exact: list[Tensor], decibels: float = LOSS_DB,
                 policies: Iterable[Policy] = DECIDING) -> QuantizedNetwork:
    """The network with thresholds of policies that decide: the fastest with which the error of the last layer's outputs on some inputs, each from zero state, has so
    many decibels more power than under STATIC_HIGH at most.

    inputs: float sequences [steps, inputs]; exact: outputs of the float LSTM for each input, [steps, outputs]. Raises ValueError where they are not as many.
    """
    def error(policy):
        hidden = quantized.run(inputs, policy).hidden
        return sum((layers[-1] - right).square().sum().item() for layers, right in zip(hidden, exact, strict=True))

    most = error(Policy.STATIC_HIGH) * 10 ** (decibels / 10)
    for policy in policies:
        above = seek(lambda number, policy=policy: quantized.set_log2_lambda(policy, number), lambda policy=policy: error(policy), most, LOG2_LAMBDAS, PRECISION)
        quantized.set_log2_lambda(policy, above - PRECISION)
        keep(quantized, policy, quantized.refinements(quantized.run(inputs, policy)))
    return quantized.for_policy(Policy.SENSITIVITY)


def keep(quantized: QuantizedNetwork, policy: Policy, refinements: list) -> None:
    """Keep the thresholds that all layers have as those of a policy, for `for_policy`, with its refinements [direction][layer][unit]."""
    for direction, by_layer in zip(quantized.directions, refinements):
        direction.thresholds = [known | {policy: (layer.theta, layer.offset, units)} for layer, known, units in zip(direction.layers, direction.thresholds, by_layer)]
