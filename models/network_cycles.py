# SPDX-License-Identifier: MIT
"""Cycles that a build takes for a whole network: apart from models/evaluation.py, so that no calibration depends on the cycle model."""

import torch

from .build import Build
from .compiler import compile_image
from .cycle_model import CycleModel
from .networks import Sample
from .policies import Policy
from .quantized_network import QuantizedNetwork


def cycles(quantized: QuantizedNetwork, samples: list[Sample], policy: Policy, build: Build = Build()) -> int:
    """Cycles that a build takes for whole sequences, one after the other; each direction is a run of its own, and loading is not counted.

    Raises CompileError where the build does not hold the network, ValueError as QuantizedLSTM.run.
    """
    runs = [found for stage in quantized.run_singly([sample.inputs for sample in samples], policy) for found in stage]
    total = 0
    for direction, found in zip(quantized.directions, runs):
        levels = [torch.cat([part[0] for part in layer]) for layer in zip(*(run.levels for _, run in found))]
        order = compile_image(direction, build).order
        total += CycleModel(direction, build, levels, order, policy).cycles()
    return total
