# SPDX-License-Identifier: MIT
"""Calibration data of a network in two parts that share no group: what is fitted, and what is held out."""

from ..calibration import _leading
from ..networks import Network, Sample

FIT_STEPS, SWEEP_STEPS = 12_800, 16_000


def fit_samples(network):
    return _leading(network.calibration(FIT_STEPS + SWEEP_STEPS), FIT_STEPS)


def held_out_samples(network):
    samples = network.calibration(FIT_STEPS + SWEEP_STEPS)
    return samples[len(_leading(samples, FIT_STEPS)):]
