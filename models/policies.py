"""Precision policies: what chooses, row by row, between low and high precision (docs/numerics.md)."""

import enum

import torch


class Policy(enum.IntEnum):
    """Codes 0..3 are those of the layer descriptor; RANDOM and ORACLE are yardsticks that no build has."""

    STATIC_HIGH = 0
    STATIC_LOW = 1
    CELL_HISTORY = 2
    SENSITIVITY = 3
    RANDOM = 16
    ORACLE = 17


GATES = ("i", "f", "g", "o")


def log_code(value):
    """Logarithm in half octaves, rounded down after one fraction bit: 2 e + f for value = 2**e * 1.f..., value 0..32768.

    These are the exponent, less its bias, and the first fraction bit of a float32. Zero gives -254, so that a sum of codes with
    a zero among up to four is negative, and without one is not.
    """
    return (value.float().view(torch.int32) >> 22) - 2 * 127


def sensitivity(gates, tanh_c, c, cell_floor=0):
    """Estimates S [batch, 4, units] of how far an error in each pre-activation would move h, in half octaves.

    gates: (value, slope) of i, f, g, o and tanh_c: that of tanh(c'), as models.activation gives them, each [batch, units];
    c: the cell state before the step. cell_floor: least value of the code of o * tanh'(c'), as an error that stays in the cell state shows
    later. Other factors that are zero make S negative.
    """
    (i, slope_i), (_, slope_f), (g, slope_g), (o, slope_o) = gates
    t, slope_t = tanh_c
    factors = torch.stack((o, slope_t, slope_i, g.abs(), slope_f, c.abs(), i, slope_g, slope_o, t.abs()))
    o, slope_t, slope_i, g, slope_f, c, i, slope_g, slope_o, t = log_code(factors).unbind()
    through_cell = (o + slope_t).clamp(min=cell_floor)
    return torch.stack((through_cell + slope_i + g, through_cell + slope_f + c, through_cell + i + slope_g, slope_o + t), dim=1)


def theta_alignment(c_frac):
    """Constant part of theta (i, f, g, o): S - alignment is 2 log2 of the real sensitivity |dh / dz|, on average.

    Fraction bits of the factors: gates and t 15, c c_frac; slopes 12 for a sigmoid (4096 sigmoid'), 10 for tanh (1024 tanh').
    A code rounds down, by 0.58 on average: 2 for four factors, 1 for two.
    """
    return (2 * (15 + 10 + 12 + 15) - 2, 2 * (15 + 10 + 12 + c_frac) - 2, 2 * (15 + 10 + 15 + 10) - 2, 2 * (12 + 15) - 1)
