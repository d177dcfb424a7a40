# SPDX-License-Identifier: MIT
"""docs/numerics.md once more, one Python integer at a time: slow, without torch, independent of the rest of models/.

Written from the page alone, so that a slip in the vectorised model or in a shared helper shows. Quarters are added in the order that
`shuffled` gives: no order may change a sum.
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


QUARTERS = ("HH", "HL", "LH", "LL")
GROUP = 64  # values that share an exponent


def nibbles(value, exponent=4):
    """(upper nibble, lower nibble): value = upper * 2**exponent + lower."""
    upper = (value + (1 << exponent >> 1)) >> exponent
    return upper, value - (upper << exponent)


def group_exponent(group):
    """Least exponent, 0..4, with which all values of a group are two nibbles."""
    return next(e for e in range(5) if all(-8 <= part <= 7 for value in group for part in nibbles(value, e)))


def activations(values, exponents=False):
    """(upper nibble, lower nibble, exponent) of each value, as activation memories hold it."""
    groups = (values[start:start + GROUP] for start in range(0, len(values), GROUP))
    return [(*nibbles(value, e), e) for group in groups for e in [group_exponent(group) if exponents else 4] for value in group]


def products(weights, values):
    """Products of each quarter, in units of 1, summed over (upper nibble, lower nibble, exponent) of each activation."""
    sums = dict.fromkeys(QUARTERS, 0)
    for w, (ah, al, exponent) in zip(weights, values):
        wh, wl = nibbles(w)
        assert all(-8 <= part <= 7 for part in (wh, wl, ah, al)), (w, ah, al, exponent)
        sums["HH"] += wh * ah << 4 + exponent
        sums["HL"] += wh * al << 4
        sums["LH"] += wl * ah << exponent
        sums["LL"] += wl * al
    return sums


def row_sum(row, x_terms, h, counts, shuffled=iter):
    """P of a row: dict of w_ih, w_hh (lists) and m (x0, x1, h); x_terms and h as of `activations`. counts: quarters of x0, x1 and h."""
    parts = []
    segments = [(row["m"][term], row["w_ih"], x, counts[term]) for term, x in enumerate(x_terms)] + [(row["m"][2], row["w_hh"], h, counts[2])]
    for m, weights, values, count in segments:
        sums = products(weights, values)
        parts += [m * sums[name] for name in QUARTERS[:count]]
    return sum(shuffled(parts))


def gates_of(unit, x_terms, h, levels, settings, shuffled=iter):
    """(value, slope) of i, f, g, o at a level for each gate; level None: all quarters and b."""
    gates = []
    for gate, (row, level) in enumerate(zip(unit, levels)):
        counts, b = ((4, 4, 4), row["b"]) if level is None else (settings["levels"][level], row["b_level"][level])
        z = sat16(rounded(row_sum(row, x_terms, h, counts, shuffled), row["s"]) + b)
        gates.append(tanh(z) if gate == 2 else sigmoid(z))
    return gates


def cell(gates, c, c_frac):
    """(new c, (tanh, slope), new h); h in units of 1/120."""
    (i, _), (f, _), (g, _), (o, _) = gates
    new_c = sat16(rounded(f * c, 15) + rounded(i * g, 30 - c_frac))
    v = sat16(new_c << (12 - c_frac)) if c_frac <= 12 else rounded(new_c, c_frac - 12)
    t = tanh(v)
    return new_c, t, min(119, max(-120, rounded(15 * o * t[0], 27)))


def estimates(gates, t, c, cell_floor):
    """S of each gate; None where a factor is zero."""
    (i, slope_i), (_, slope_f), (g, slope_g), (o, slope_o) = gates
    through = [code(o), code(t[1])]
    through_cell = cell_floor if None in through else max(sum(through), cell_floor)
    found = []
    for gate, factors in enumerate(((slope_i, abs(g)), (slope_f, abs(c)), (i, slope_g), (slope_o, abs(t[0])))):
        codes = [code(factor) for factor in factors]
        found.append(None if None in codes else sum(codes) + (through_cell if gate < 3 else 0))
    return found


def chosen(seen, unit, theta):
    """The highest level of each gate whose threshold is exceeded by what the policy sees."""
    levels = []
    for gate, (value, row) in enumerate(zip(seen, unit)):
        above = [number for number, thetas in enumerate(theta, start=1) if value is not None and value > thetas[gate] + row["offset"][number - 1]]
        levels.append(max(above, default=0))
    return levels


def unit_step(unit, x_terms, h, c, history, policy, settings, shuffled=iter):
    """One step of a unit: unit is its four rows; settings has levels, theta, c_frac, cell_floor. x_terms and h as of `activations`.

    policy is the code of the descriptor. h, c and history are zero on the first step of a sequence. Returns h, c, history and the levels of the
    gates by their places in settings["levels"] (-1: all quarters).
    """
    if policy == 0:
        levels = [None] * 4
    elif policy == 1:
        levels = [0] * 4
    elif policy == 2:
        levels = chosen([history >> 2, size(abs(c)) >> 1] * 2, unit, settings["theta"])
    else:
        provisional = gates_of(unit, x_terms, h, [0] * 4, settings, shuffled)
        _, t, _ = cell(provisional, c, settings["c_frac"])
        levels = chosen(estimates(provisional, t, c, settings["cell_floor"]), unit, settings["theta"])
    new_c, _, new_h = cell(gates_of(unit, x_terms, h, levels, settings, shuffled), c, settings["c_frac"])
    return new_h, new_c, max(size(min(abs(new_c - c), 32767)), history - 1, 0), [-1 if level is None else level for level in levels]
