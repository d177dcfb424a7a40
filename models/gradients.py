# SPDX-License-Identifier: MIT
"""Where errors in pre-activations matter: gradients of a network's task output through time, in float64."""

import torch
from torch import Tensor, nn

from .float_lstm import layer_steps, layer_weights
from .networks import Network, Sample
from .quantized_network import directed, stages

BATCH = 32


def gradients(network: Network, samples: list[Sample], projections: int = 2, seed: int = 0) -> list[list[Tensor]]:
    """Gradients of random projections of the head's output in each pre-activation z: on average, the square of what errors do to a projection
    is the squared length of what they do to the output.

    By direction (as QuantizedNetwork.directions) and layer, float64 [projections, samples, steps, 4 * units], zero after the end of a sample. The
    projections are normal, independent at each step of the output; the output is `network.comparable`.
    """
    generator = torch.Generator().manual_seed(seed)
    steps = max(len(sample.inputs) for sample in samples)
    batches = [_batch(network, samples[start:start + BATCH], steps, projections, generator) for start in range(0, len(samples), BATCH)]
    return [[torch.cat(layer, dim=1) for layer in zip(*part)] for part in zip(*batches)]


def _batch(network, samples, steps, projections, generator):
    below, hidden, all_z = [sample.inputs for sample in samples], [[] for _ in samples], []
    for stage in stages(network.lstm):
        outputs = []
        for reverse, lstm in enumerate(stage):
            x = nn.utils.rnn.pad_sequence([directed(sequence, reverse) for sequence in below], batch_first=True)
            layers = []
            for number in range(lstm.num_layers):
                x, z = _layer(lstm, number, x)
                layers.append(x)
                all_z.append(z)
            outputs.append([[directed(h[:len(sample)], reverse) for h, sample in zip(layer, below)] for layer in layers])
        for index, layers in enumerate(hidden):
            layers += [torch.cat([h[index] for h in parts], dim=1) for parts in zip(*outputs)]
        below = [layers[-1] for layers in hidden]
    results = [network.comparable(network.head(sample, layers)) for sample, layers in zip(samples, hidden)]
    flat = [z for layer in all_z for z in layer]
    found = []
    for _ in range(projections):
        projection = sum((result * torch.randn(result.shape, generator=generator, dtype=torch.float64)).sum() for result in results)
        found.append(torch.autograd.grad(projection, flat, retain_graph=True))
    parts, rest = [], (torch.stack(same) for same in zip(*found))
    for stage in stages(network.lstm):
        for lstm in stage:
            layers = []
            for _ in range(lstm.num_layers):
                layer = torch.stack([next(rest) for _ in range(x.shape[1])], dim=2)
                layers.append(nn.functional.pad(layer, (0, 0, 0, steps - layer.shape[2])))
            parts.append(layers)
    return parts


def _layer(lstm, number, x):
    """(h [batch, steps, units], [z [batch, 4 * units] of each step]) of a layer, z part of the graph."""
    all_z, _, hidden = zip(*layer_steps(layer_weights(lstm, number), x))
    return torch.stack(hidden, dim=1), list(all_z)
