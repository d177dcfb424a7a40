"""One step of an LSTM layer in integers (docs/numerics.md), for a batch and all units at once.

Products are float32 matrix products of integers: exact, as every partial sum of up to 1024 terms stays below 2**24. Row sums are
float64 sums of m * acc, exact below 2**53; from there on everything is an integer tensor.
"""

import torch

from models import activation
from models.fixed_point import round_shift, saturate
from models.layer import split_planes


class RowSums:
    """Row sums of a layer and their pre-activations z, in low precision, in high precision, or in both.

    precisions counts the two on the axis after the batch: low first.
    """

    def __init__(self, layer, low, high):
        def choose(low_tensor, high_tensor):
            return [low_tensor] * low + [high_tensor] * high

        def matrix(w):
            hi, _ = split_planes(w)
            return torch.cat(choose(hi << 4, w)).float().T.contiguous()

        self.precisions = low + high
        self.w_ih, self.w_hh = matrix(layer.w_ih), matrix(layer.w_hh)
        m = layer.m.permute(2, 1, 0).flatten(1).double().tile(self.precisions)
        self.m_x, self.m_h = m[:layer.limbs], m[2]
        self.s = layer.s.T.long()
        self.b = torch.stack(choose(layer.b_low.T, layer.b.T))

    def prepare(self, x):
        """Input part of the row sums: integers x [steps, batch, limbs, inputs] to float64 [steps, batch, precisions * 4 * units]."""
        accumulators = (x.flatten(0, 2).float() @ self.w_ih).view(*x.shape[:3], -1)
        return sum(accumulators[:, :, limb] * m for limb, m in enumerate(self.m_x))

    def __call__(self, prepared, h):
        """z [batch, precisions, 4, units] of a step from its prepared part and h [batch, units] of the step before."""
        sums = torch.addcmul(prepared, (h.float() @ self.w_hh).double(), self.m_h)
        sums = sums.long().unflatten(1, (self.precisions, *self.s.shape))
        return saturate(round_shift(sums, self.s) + self.b, 16)


def finish(z, c, c_frac):
    """Finish a step: z [batch, 4, units] in Q3.12 and c [batch, units] of the step before.

    Returns (value, slope) of each of the gates i, f, g, o as models.activation gives them, the new c, and (value, slope) of its tanh.
    """
    i, f, o = (activation.sigmoid(z[:, gate]) for gate in (0, 1, 3))
    g = activation.tanh(z[:, 2])
    c = saturate(round_shift(f[0] * c, 15) + round_shift(i[0] * g[0], 30 - c_frac), 16)
    argument = saturate(c << (12 - c_frac), 16) if c_frac <= 12 else round_shift(c, c_frac - 12)
    return (i, f, g, o), c, activation.tanh(argument)


def output(o, t):
    """h in Q0.7 from the values of the output gate and of tanh(c), both Q0.15."""
    return round_shift(o * t, 23).clamp(-127, 127)
