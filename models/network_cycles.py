# SPDX-License-Identifier: MIT
"""Cycles that a build takes for a whole network: apart from models/evaluation.py, so that no calibration depends on the cycle model."""

import torch

from .build import Build
from .compiler import compile_image
from .cycle_model import CycleModel
from .networks import Sample
from .policies import Policy
from .quantized_lstm import QuantizedLSTM, Run
from .quantized_network import QuantizedNetwork


def cycles(quantized: QuantizedNetwork, samples: list[Sample], policy: Policy, build: Build = Build()) -> int:
    """Cycles that a build takes for whole sequences, one after the other; each direction is a run of its own, and loading is not counted.

    Raises CompileError where the build does not hold the network, ValueError as QuantizedLSTM.run.
    """
    runs = [found for stage in quantized.run_singly([sample.inputs for sample in samples], policy) for found in stage]
    return sum(run_cycles(direction, [run for _, run in found], policy, build) for direction, found in zip(quantized.directions, runs))


def run_cycles(lstm: QuantizedLSTM, runs: list[Run], policy: Policy, build: Build) -> int:
    """Cycles of one run of a build over sequences, one after the other, of which the model's runs are given; loading is not counted. Raises CompileError."""
    levels = [torch.cat([part[0] for part in layer]) for layer in zip(*(run.levels for run in runs))]
    return CycleModel(lstm, build, levels, compile_image(lstm, build).order, policy).cycles()
