# SPDX-License-Identifier: MIT
"""What is fitted to a network before any level or threshold: scales, the rounding of weights and biases, from calibration data and the gradients of its task."""

from dataclasses import dataclass

from . import quantize
from .gradients import gradients
from .levels import Cost, Levels, time_cost
from .networks import Network, Sample
from .quantized_network import QuantizedNetwork, by_direction, stages


@dataclass
class FittedNetwork:
    """[stage][direction] of models.quantize.Fitted."""

    stages: list[list[quantize.Fitted]]

    def with_levels(self, levels: Levels, exponents: bool = False, cost: Cost = time_cost, own_biases: bool = False) -> QuantizedNetwork:
        """The network with a set of levels. exponents: of the groups of its own input, which a host forms; not of those of later stages.

        cost, own_biases: as of quantize.with_levels. Raises ValueError for levels that cannot be refined one into the next.
        """
        return QuantizedNetwork([[quantize.with_levels(fitted, levels, exponents and number == 0, cost, own_biases) for fitted in stage]
                                 for number, stage in enumerate(self.stages)])


def fit(network: Network, samples: list[Sample], settings: quantize.Settings) -> FittedNetwork:
    """A network fitted to some of its samples, by the gradients of its task. Raises ValueError for weights or inputs that the formats do not hold."""
    found = iter(gradients(network, samples))
    return FittedNetwork(by_direction(stages(network.lstm), [sample.inputs for sample in samples],
                                      lambda module, inputs, scale: quantize.fit(module, inputs, next(found), settings, scale)))
