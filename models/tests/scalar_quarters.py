# SPDX-License-Identifier: MIT
"""The quarter-product machine of docs/numerics.md once more, one Python integer at a time: without torch, independent of models/quarters.

What both machines share (rounding, activations, codes) comes from the scalar reference of the first one. Quarters are added in the order that
`shuffled` gives: no order may change a sum.
"""

from .scalar_reference import TABLE, code, rounded, sat16, sigmoid, size, tanh  # noqa: F401

QUARTERS = ("HH", "HL", "LH", "LL")


def nibbles(value, exponent=4):
    """(upper nibble, lower nibble): value = upper * 2**exponent + lower."""
    upper = (value + (1 << exponent >> 1)) >> exponent
    return upper, value - (upper << exponent)


def word_exponent(word):
    """Least exponent, 0..4, with which all values of a word are two nibbles."""
    return next(e for e in range(5) if all(-8 <= part <= 7 for value in word for part in nibbles(value, e)))


def products(weights, word, exponent):
    """Products of each quarter, in units of 1, summed over a word."""
    sums = dict.fromkeys(QUARTERS, 0)
    for w, a in zip(weights, word):
        (wh, wl), (ah, al) = nibbles(w), nibbles(a, exponent)
        assert all(-8 <= part <= 7 for part in (wh, wl, ah, al)), (w, a, exponent)
        sums["HH"] += wh * ah << 4 + exponent
        sums["HL"] += wh * al << 4
        sums["LH"] += wl * ah << exponent
        sums["LL"] += wl * al
    return sums


def row_sum(row, x_terms, h, counts, exponents=False, shuffled=iter):
    """P of a row: dict of w_ih, w_hh (lists) and m (x0, x1, h). counts: quarters of x0, x1 and h."""
    parts = []
    segments = [(row["m"][term], row["w_ih"], x, counts[term], exponents) for term, x in enumerate(x_terms)]
    segments.append((row["m"][2], row["w_hh"], h, counts[2], False))
    for m, weights, values, count, has_exponents in segments:
        for start in range(0, len(values), 64):
            word = values[start:start + 64]
            sums = products(weights[start:start + 64], word, word_exponent(word) if has_exponents else 4)
            parts += [m * sums[name] for name in QUARTERS[:count]]
    return sum(shuffled(parts))


def gates_of(unit, x_terms, h, levels, exponents, settings, shuffled):
    """(value, slope) of i, f, g, o at a level for each gate; level None: all quarters and b."""
    gates = []
    for gate, (row, level) in enumerate(zip(unit, levels)):
        counts, b = ((4, 4, 4), row["b"]) if level is None else (settings["levels"][level], row["b_level"][level])
        z = sat16(rounded(row_sum(row, x_terms, h, counts, exponents, shuffled), row["s"]) + b)
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
    """One step of a unit: unit is its four rows; settings has levels, theta, c_frac, cell_floor, exponents. h is the whole layer's.

    policy: HIGH, LOW, HISTORY or SENSITIVITY. Returns h, c, history and the levels of the gates (-1: all quarters).
    """
    def gates(levels):
        return gates_of(unit, x_terms, h, levels, settings["exponents"], settings, shuffled)

    if policy == "HIGH":
        levels = [None] * 4
    elif policy == "LOW":
        levels = [0] * 4
    elif policy == "HISTORY":
        levels = chosen([history >> 2, size(abs(c)) >> 1] * 2, unit, settings["theta"])
    else:
        provisional = gates([0] * 4)
        _, t, _ = cell(provisional, c, settings["c_frac"])
        levels = chosen(estimates(provisional, t, c, settings["cell_floor"]), unit, settings["theta"])
    new_c, _, new_h = cell(gates(levels), c, settings["c_frac"])
    return new_h, new_c, max(size(min(abs(new_c - c), 32767)), history - 1, 0), [-1 if level is None else level for level in levels]
