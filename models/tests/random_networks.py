# SPDX-License-Identifier: MIT
"""Random quantized networks whose values use the whole range of every format, saturation included."""

import torch

from models.layer import QuantizedLayer
from models.policies import Policy, theta_alignment
from models.quantized_lstm import QuantizedLSTM


def random_layer(generator, inputs, units, terms=1, policy=Policy.SENSITIVITY):
    def integers(low, high, *shape):
        return torch.randint(low, high + 1, shape, generator=generator)

    # Shifts that bring pre-activations of these sums to a few units, some rows too small and some saturated.
    typical = int((0.5 * torch.tensor(float(inputs + units)).log2() + 16.5).item())
    c_frac = integers(8, 15, 1).item()
    level = integers(-20, -8, 1).item()
    theta = torch.tensor([level + part for part in theta_alignment(c_frac)])
    # Half of the rows have thresholds that SENSITIVITY decides by, the others some that CELL_HISTORY does.
    offset = torch.where(integers(0, 1, units, 4) > 0, integers(-4, 4, units, 4), integers(-1, 7, units, 4) * torch.tensor([1, 2, 1, 2]) - theta)
    return QuantizedLayer(
        w_ih=integers(-127, 119, 4 * units, inputs),
        w_hh=integers(-127, 119, 4 * units, units),
        m=integers(1000, 65535, units, 4, 3),
        s=integers(typical - 4, typical + 2, units, 4),
        b=integers(-6000, 6000, units, 4),
        b_low=integers(-6000, 6000, units, 4),
        offset=offset,
        c_frac=c_frac,
        theta=theta,
        cell_floor=integers(0, 48, 1).item(),
        policy=policy,
        terms=terms,
    )


def random_network(seed, inputs, units, terms=1, policy=Policy.SENSITIVITY):
    """Stack of layers with the given units (a list); deterministic in its arguments."""
    generator = torch.Generator().manual_seed(seed)
    sizes = [inputs, *units]
    layers = [
        random_layer(generator, sizes[n], sizes[n + 1], terms if n == 0 else 1, policy) for n in range(len(units))
    ]
    return QuantizedLSTM(layers, input_scales=[0.01, 0.01 / 254][:terms])


def random_input(seed, network, batch, steps):
    """int8 [batch, steps, terms, inputs] over the full range."""
    generator = torch.Generator().manual_seed(seed)
    layer = network.layers[0]
    return torch.randint(-127, 128, (batch, steps, layer.terms, layer.inputs), generator=generator).to(torch.int8)
