# SPDX-License-Identifier: MIT
"""docs/numerics.md once more, one Python integer at a time: slow, without torch, independent of the rest of models/.

Written from the page alone, so that a slip in the vectorised model or in a shared helper shows.
"""

import math


def rounded(value, shift):
    return (value + (1 << shift >> 1)) >> shift


def sat16(value):
    return min(32767, max(-32768, value))


TABLE = [min(32766, math.floor(65536 * (1 / (1 + math.exp(-n / 16)) - 0.5) + 0.5)) for n in range(257)]


def half_sigmoid(u):
    """(y, slope) at u = |argument| in Q3.12 of the sigmoid."""
    n, r = divmod(u, 256)
    slope = TABLE[n + 1] - TABLE[n]
    return TABLE[n] + ((slope * r + 128) >> 8), slope


def sigmoid(z):
    y, slope = half_sigmoid(min(abs(z), 32767))
    return (32768 + (y if z >= 0 else -y) + 1) >> 1, slope


def tanh(z):
    y, slope = half_sigmoid(2 * min(abs(z), 32767))
    return (y if z >= 0 else -y), slope


def code(value):
    """Half-octave code; None for zero."""
    if value == 0:
        return None
    exponent = value.bit_length() - 1
    fraction = (value >> (exponent - 1)) & 1 if exponent else 0
    return 2 * exponent + fraction


def size(value):
    """0 for zero, else 1 + its code."""
    return code(value) + 1 if value else 0


def row_sum(row, x_terms, h, refined):
    """P of a row: dict of w_ih, w_hh (lists) and m (x0, x1, h)."""
    total = 0
    segments = [(row["m"][term], row["w_ih"], x) for term, x in enumerate(x_terms)] + [(row["m"][2], row["w_hh"], h)]
    for m, weights, values in segments:
        for w, a in zip(weights, values):
            hi = (w + 8) >> 4
            lo = w - 16 * hi
            total += m * 16 * hi * a
            if refined:
                total += m * lo * a
    return total


def gates_of(unit, x_terms, h, refined_gates):
    """(value, slope) of i, f, g, o; bit k of refined_gates: gate k with both planes and b."""
    gates = []
    for gate, row in enumerate(unit):
        refined = refined_gates >> gate & 1
        z = sat16(rounded(row_sum(row, x_terms, h, refined), row["s"]) + (row["b"] if refined else row["b_low"]))
        gates.append(tanh(z) if gate == 2 else sigmoid(z))
    return gates


def cell(gates, c, c_frac):
    """(new c, (tanh, slope), new h)."""
    (i, _), (f, _), (g, _), (o, _) = gates
    new_c = sat16(rounded(f * c, 15) + rounded(i * g, 30 - c_frac))
    v = sat16(new_c << (12 - c_frac)) if c_frac <= 12 else rounded(new_c, c_frac - 12)
    t = tanh(v)
    return new_c, t, min(127, max(-127, rounded(o * t[0], 23)))


def sensitivity_mask(unit, gates, t, c, theta, cell_floor):
    (i, slope_i), (_, slope_f), (g, slope_g), (o, slope_o) = gates
    value_t, slope_t = t
    through = [code(o), code(slope_t)]
    through_cell = cell_floor if None in through else max(sum(through), cell_floor)
    factors = [(slope_i, abs(g)), (slope_f, abs(c)), (i, slope_g), (slope_o, abs(value_t))]
    mask = 0
    for gate, row in enumerate(unit):
        codes = [code(factor) for factor in factors[gate]]
        if None not in codes and sum(codes) + (through_cell if gate < 3 else 0) > theta[gate] + row["offset"]:
            mask |= 1 << gate
    return mask


def history_mask(unit, c, history, theta):
    sizes = [history >> 2, size(abs(c)) >> 1, history >> 2, size(abs(c)) >> 1]
    return sum((sizes[gate] > theta[gate] + row["offset"]) << gate for gate, row in enumerate(unit))


def unit_step(unit, x_terms, h, c, history, policy, settings):
    """One step of a unit: unit is its four rows; settings has c_frac, theta, cell_floor.

    h is the whole layer's; h, c and history are zero on the first step of a sequence. policy is the code of the descriptor.
    Returns h, c, history and the mask of refined gates.
    """
    if policy == 0:
        mask = 15
    elif policy == 1:
        mask = 0
    elif policy == 2:
        mask = history_mask(unit, c, history, settings["theta"])
    else:
        provisional = gates_of(unit, x_terms, h, 0)
        _, t, _ = cell(provisional, c, settings["c_frac"])
        mask = sensitivity_mask(unit, provisional, t, c, settings["theta"], settings["cell_floor"])
    new_c, _, new_h = cell(gates_of(unit, x_terms, h, mask), c, settings["c_frac"])
    return new_h, new_c, max(size(min(abs(new_c - c), 32767)), history - 1, 0), mask
