# SPDX-License-Identifier: MIT
"""Random quantized networks whose values use the whole range of every format, saturation included."""

import torch

from models.layer import ACTIVATIONS, QuantizedLayer
from models.levels import ALL, LEVELS, Level, Levels
from models.policies import Policy
from models.quantized_lstm import QuantizedLSTM
from models.selectors import theta_alignment


def random_levels(generator: torch.Generator) -> Levels:
    """A set of levels that a build can have: often the one that calibrated networks have, else two or three of whatever quarters."""
    def integer(low, high):
        return int(torch.randint(low, high + 1, (), generator=generator))

    if integer(0, 2) == 0:
        return LEVELS["HH 3/4 all"]
    lowest = Level(integer(1, 3), integer(0, 3), integer(1, 3))
    if integer(0, 2) == 0:
        return lowest, ALL
    middle = Level(*(integer(quarters, 4) for quarters in lowest))
    if (lowest.x0, lowest.h) == (middle.x0, middle.h):
        middle = middle._replace(h=lowest.h + 1)
    return (lowest, ALL) if middle == ALL else (lowest, middle, ALL)


def random_layer(generator, inputs, units, terms=1, policy=Policy.SENSITIVITY, levels: Levels | None = None, exponents=False, shared=True) -> QuantizedLayer:
    """shared: constants that all levels share, as builds have them."""
    def integers(low, high, *shape):
        return torch.randint(low, high + 1, shape, generator=generator)

    levels = levels or random_levels(generator)
    # Shifts that bring pre-activations of these sums to a few units, some rows too small and some saturated.
    typical = int((0.5 * torch.tensor(float(inputs + units)).log2() + 16.5).item())
    c_frac, steps = integers(8, 15, 1).item(), len(levels) - 1
    # Higher levels mostly have higher thresholds, as those above a threshold take the highest such level.
    theta = integers(-22, -12, 1, 1) + integers(0, 5, steps, 1).cumsum(0) + torch.tensor(theta_alignment(c_frac))
    # Half of the rows have thresholds that SENSITIVITY decides by, the others some that CELL_HISTORY does.
    rows = 1 if shared else steps
    for_history = integers(-1, 7, rows, units, 4) * torch.tensor([1, 2, 1, 2]) - theta[:rows].unsqueeze(1)
    offset = torch.where(integers(0, 1, 1, units, 4) > 0, integers(-5, 5, rows, units, 4), for_history).clamp(-128, 127)
    b, b_level = integers(-6000, 6000, units, 4), integers(-6000, 6000, len(levels), units, 4)
    if shared:
        b_level[1:] = b
    return QuantizedLayer(
        w_ih=integers(-127, 119, 4 * units, inputs), w_hh=integers(-127, 119, 4 * units, units),
        m=integers(1000, 65535, units, 4, 3), s=integers(typical - 4, typical + 2, units, 4), levels=levels, b=b, b_level=b_level,
        theta=theta.tolist(), offset=offset.expand(steps, -1, -1).contiguous(), c_frac=c_frac, cell_floor=integers(0, 48, 1).item(), policy=policy,
        terms=terms, exponents=exponents)


def random_network(seed, inputs, units, terms=1, policy=Policy.SENSITIVITY, levels: Levels | None = None, exponents: bool | None = None,
                   shared=True) -> QuantizedLSTM:
    """Stack of layers with the given units (a list); deterministic in its arguments. levels: of all layers (default: others in each); exponents:
    of the input (default: of every other network); shared: constants that all levels share, as builds have them."""
    generator = torch.Generator().manual_seed(seed)
    sizes, exponents = [inputs, *units], bool(seed % 2) if exponents is None else exponents
    layers = [random_layer(generator, sizes[n], sizes[n + 1], terms if n == 0 else 1, policy, levels, exponents and n == 0, shared) for n in range(len(units))]
    return QuantizedLSTM(layers, input_scales=[0.01, 0.01 / 238][:terms])


def random_input(seed, network, batch, steps):
    """int8 [batch, steps, terms, inputs] over the full range; every other step is small, so that exponents differ."""
    generator = torch.Generator().manual_seed(seed)
    layer = network.layers[0]
    x = torch.randint(ACTIVATIONS[0], ACTIVATIONS[1] + 1, (batch, steps, layer.terms, layer.inputs), generator=generator)
    small = torch.randint(0, 6, (batch, steps, layer.terms, 1), generator=generator)
    x[:, 1::2] = x[:, 1::2] >> small[:, 1::2]
    return x.to(torch.int8)
