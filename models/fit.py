# SPDX-License-Identifier: MIT
"""What is fitted to a network before any threshold: scales, the rounding of weights, biases and row offsets, from calibration data."""

from .gradients import gradients
from .networks import Network, Sample
from .quantized_network import QuantizedNetwork, quantize_network


def fit(network: Network, samples: list[Sample], emphasis: float) -> QuantizedNetwork:
    """The network quantized for the gradients of its task; emphasis: see `quantize`."""
    return quantize_network(network.lstm, [sample.inputs for sample in samples], gradients(network, samples), emphasis, low_share=None)
