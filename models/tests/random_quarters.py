# SPDX-License-Identifier: MIT
"""Random networks of the quarter-product machine, whose values use the whole range of every format."""

import torch

from models.policies import theta_alignment
from models.quarters.layer import ACTIVATIONS, QuarterLayer
from models.quarters.levels import LEVELS, Levels
from models.quarters.lstm import QuarterLSTM


def random_layer(generator, inputs, units, terms=1, levels: Levels = LEVELS["HH HL 3/4 all"], exponents=False) -> QuarterLayer:
    def integers(low, high, *shape):
        return torch.randint(low, high + 1, shape, generator=generator)

    typical = int((0.5 * torch.tensor(float(inputs + units)).log2() + 16.5).item())
    c_frac, steps = integers(8, 15, 1).item(), len(levels) - 1
    alignment = torch.tensor(theta_alignment(c_frac))
    # Higher levels mostly have higher thresholds, as those above a threshold take the highest such level.
    theta = integers(-30, -22, 1, 1) + integers(3, 6, steps, 1).cumsum(0) + alignment
    # Half of the rows have thresholds that SENSITIVITY decides by, the others some that CELL_HISTORY does.
    for_history = integers(-1, 7, steps, units, 4) * torch.tensor([1, 2, 1, 2]) - theta.unsqueeze(1)
    offset = torch.where(integers(0, 1, 1, units, 4) > 0, integers(-6, 6, steps, units, 4), for_history)
    return QuarterLayer(
        w_ih=integers(-127, 119, 4 * units, inputs), w_hh=integers(-127, 119, 4 * units, units),
        m=integers(1000, 65535, units, 4, 3), s=integers(typical - 4, typical + 2, units, 4), levels=levels,
        b=integers(-6000, 6000, units, 4), b_level=integers(-6000, 6000, len(levels), units, 4),
        theta=theta.tolist(), offset=offset.clamp(-128, 127), c_frac=c_frac, cell_floor=integers(0, 48, 1).item(), terms=terms, exponents=exponents)


def random_network(seed, inputs, units, terms=1, levels: Levels = LEVELS["HH HL 3/4 all"], exponents=False) -> QuarterLSTM:
    """Layers with the given units (a list); deterministic in its arguments. exponents: of the words of the input."""
    generator = torch.Generator().manual_seed(seed)
    sizes = [inputs, *units]
    layers = [random_layer(generator, sizes[n], sizes[n + 1], terms if n == 0 else 1, levels, exponents and n == 0) for n in range(len(units))]
    scales = tuple(torch.full((inputs,), scale, dtype=torch.float64) for scale in (0.01, 0.01 / 238)[:terms])
    return QuarterLSTM(layers, scales, torch.arange(inputs))


def random_input(seed, network, batch, steps):
    """int8 [batch, steps, terms, inputs] over the full range; every other step is small, so that exponents differ."""
    generator = torch.Generator().manual_seed(seed)
    layer = network.layers[0]
    x = torch.randint(ACTIVATIONS[0], ACTIVATIONS[1] + 1, (batch, steps, layer.terms, layer.inputs), generator=generator)
    small = torch.randint(0, 6, (batch, steps, layer.terms, 1), generator=generator)
    x[:, ::2] = x[:, ::2] >> small[:, ::2]
    return x.to(torch.int8)
