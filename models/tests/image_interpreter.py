# SPDX-License-Identifier: MIT
"""An accelerator as slow as its documents: loads image packets into memories and computes steps from the addresses of architecture.md.

Independent of models/compiler.py: what it knows of layouts comes from docs/architecture.md and docs/registers.md.
"""

from collections import Counter

from models.tests import scalar_reference

BEAT_BITS = 128


def signed(value, bits):
    value &= (1 << bits) - 1
    return value - (1 << bits) if value >> (bits - 1) else value


def field(word, high, low):
    return word >> low & (1 << (high - low + 1)) - 1


class Interpreter:
    """Memories of all tiles: memory[target][tile] is a dict of words by address."""

    def __init__(self, build):
        self.build = build
        self.lanes = build.lanes if build.dynamic else build.lanes // 4
        self.weight_bits = 4 if build.dynamic else 8
        self.widths = [self.lanes * self.weight_bits] * 2 + [48, 50, 24, 8 * self.lanes, 256]
        self.depths = [build.weight_depth] * 2 + [4 * build.unit_depth] * 2 + [build.unit_depth, 2 * build.activation_depth, 8]
        self.memory = [[{} for _ in range(build.tiles)] for _ in self.widths]
        self.counters, self.rows = Counter(), Counter()  # rows by (layer, level, gate)

    def load(self, packets):
        for header, *payload in packets:
            target, tile = field(header, 7, 0), field(header, 15, 8)
            address, words = field(header, 63, 32), field(header, 95, 64)
            assert header == target | tile << 8 | address << 32 | words << 64, "reserved bits are zero"
            assert address + words <= self.depths[target], "the words fit the memory"
            assert target != 1 or self.build.dynamic, "the baseline build has no lo plane"
            assert target != 5 or tile == 255, "activations go to all tiles"
            beats = -(-self.widths[target] // BEAT_BITS)
            assert len(payload) == words * beats > 0, "the payload is as long as the header says"
            tiles = range(self.build.tiles) if tile == 255 else [tile]
            for number in range(words):
                parts = payload[number * beats:(number + 1) * beats]
                word = sum(part << BEAT_BITS * position for position, part in enumerate(parts))
                assert 0 <= word < 1 << self.widths[target]
                for each in tiles:
                    self.memory[target][each][address + number] = word

    def descriptor(self, tile, layer):
        word = self.memory[6][tile][layer]
        places = {
            "units": (15, 0), "slots": (31, 16), "x_words": (47, 32), "h_words": (63, 48), "x_addr": (79, 64), "h_addr": (95, 80),
            "unit_base": (111, 96), "c_frac": (115, 112), "two_terms": (116, 116), "w_base": (159, 128),
            "cell_floor": (229, 224), "policy": (251, 248),
        }
        values = {name: field(word, *place) for name, place in places.items()}
        values["theta"] = [[signed(field(word, low + 7 + 8 * gate, low + 8 * gate), 8) for gate in range(4)] for low in (160, 192)]
        lowest, middle = ([field(word, low + 2 + 3 * segment, low + 3 * segment) for segment in range(3)] for low in (230, 239))
        values["levels"] = [lowest, middle, [4, 4, 4]]
        assert field(word, 127, 117) == 0 and word >> 252 == 0, "other bits are zero"
        return values

    def byte(self, tile, bank, address):
        """A byte of the activations by its address within a bank, counted in bytes."""
        word = self.memory[5][tile][bank * self.build.activation_depth + address // self.lanes]
        return word >> 8 * (address % self.lanes) & 255

    def write_byte(self, bank, address, value):
        """The bus that writes a byte of activations in every tile."""
        index, low = bank * self.build.activation_depth + address // self.lanes, 8 * (address % self.lanes)
        for memory in self.memory[5]:
            memory[index] = memory[index] & ~(255 << low) | (value & 255) << low

    def spoil_unused_lanes(self, layers):
        """Puts a value that matters into every lane after the last unit: zero weights must hide it."""
        for layer in range(layers):
            place = self.descriptor(0, layer)
            for position in range(place["units"], place["h_words"] * self.lanes):
                for bank in (0, 1):
                    self.write_byte(bank, place["h_addr"] * self.lanes + position, 77)

    def vector(self, tile, bank, address, words, exponents=(4,) * 16):
        """Activations of words as the scalar reference takes them; exponents: of each 64 values."""
        found = (self.byte(tile, bank, address * self.lanes + index) for index in range(words * self.lanes))
        if not self.build.dynamic:
            return scalar_reference.activations([signed(byte, 8) for byte in found])
        return [(signed(byte >> 4, 4), signed(byte, 4), exponents[index // 64]) for index, byte in enumerate(found)]

    def value(self, byte):
        """h of its byte."""
        return 16 * signed(byte >> 4, 4) + signed(byte, 4) if self.build.dynamic else signed(byte, 8)

    def coded(self, h):
        """The byte of an h."""
        return (h + 8 >> 4) << 4 | h & 15 if self.build.dynamic else h

    def weights(self, tile, address, words):
        def lanes(plane):
            read = (self.memory[plane][tile][address + k] for k in range(words))
            return [signed(word >> self.weight_bits * lane, self.weight_bits) for word in read for lane in range(self.lanes)]

        return [16 * hi + lo for hi, lo in zip(lanes(0), lanes(1))] if self.build.dynamic else lanes(0)

    def unit(self, tile, place, slot):
        """The four rows of a slot, as the scalar reference takes them."""
        rows = []
        for gate in range(4):
            address = place["w_base"] + (slot * 4 + gate) * (place["x_words"] + place["h_words"])
            index = (place["unit_base"] + slot) * 4 + gate
            scale, constant = self.memory[2][tile][index], self.memory[3][tile][index]
            rows.append({
                "w_ih": self.weights(tile, address, place["x_words"]),
                "w_hh": self.weights(tile, address + place["x_words"], place["h_words"]),
                "m": [field(scale, 15, 0), field(scale, 31, 16), field(scale, 47, 32)],
                "s": field(constant, 5, 0),
                "b": signed(field(constant, 23, 6), 18),
                "b_level": [signed(field(constant, 41, 24), 18), *[signed(field(constant, 23, 6), 18)] * 2],
                "offset": [signed(field(constant, 49, 42), 8)] * 2,
            })
        return rows

    def step(self, t, x_beats, layers, first):
        """Step t from the beats of its x packet. Returns (beats of the h packet, beats of the trace packet)."""
        self._write_x(t & 1, x_beats)
        trace = []
        for layer in range(layers):
            results = [self._tile_step(t, tile, layer, first) for tile in range(self.build.tiles)]
            place = self.descriptor(0, layer)
            h, levels = [0] * place["units"], [0] * place["units"]
            for tile, (tile_h, tile_levels) in enumerate(results):
                h[tile::self.build.tiles] = tile_h
                levels[tile::self.build.tiles] = tile_levels
            for position, value in enumerate(h):
                self.write_byte(t & 1, place["h_addr"] * self.lanes + position, self.coded(value))
            self.counters["activation_writes"] += len(h)
            trace += _beats([sum(level << 2 * gate for gate, level in enumerate(unit)) for unit in levels], 8)
        self.counters["steps"] += 1
        return _beats(h, 8), trace

    def _write_x(self, bank, x_beats):
        place = self.descriptor(0, 0)
        terms = 1 + place["two_terms"]
        size = terms * place["x_words"] * self.lanes
        self.exponents = [(4,) * 16] * 2
        if self.build.dynamic:
            groups, exponents = -(-place["x_words"] * self.lanes // 64), [x_beats[0] >> 4 * nibble & 15 for nibble in range(32)]
            assert not any(exponents[terms * groups:]), "unused nibbles are zero"
            self.exponents, x_beats = [exponents[:groups], exponents[groups:]], x_beats[1:]
        assert len(x_beats) == -(-8 * size // BEAT_BITS), "an x packet is as long as its words"
        for index in range(size):
            self.write_byte(bank, place["x_addr"] * self.lanes + index, x_beats[index // 16] >> 8 * (index % 16))
        self.counters["activation_writes"] += size // min(16, self.lanes)

    def _tile_step(self, t, tile, layer, first):
        place, bank = self.descriptor(tile, layer), t & 1
        terms = 1 + place["two_terms"]
        x = [self.vector(tile, bank, place["x_addr"] + term * place["x_words"], place["x_words"], (4,) * 16 if layer else self.exponents[term])
             for term in range(terms)]
        if layer:
            below = self.descriptor(tile, layer - 1)
            assert (place["x_addr"], place["x_words"]) == (below["h_addr"], below["h_words"])
        h = [(0, 0, 4)] * (place["h_words"] * self.lanes) if first else self.vector(tile, 1 - bank, place["h_addr"], place["h_words"])
        policy = place["policy"] if self.build.dynamic else 0
        outputs, found = [], []
        for slot in range(place["slots"]):
            address = place["unit_base"] + slot
            cell = 0 if first else self.memory[4][tile][address]
            value, c, history, levels = scalar_reference.unit_step(
                self.unit(tile, place, slot), x, h, signed(cell, 16), cell >> 16, policy, place)
            levels = [2 if level < 0 else level for level in levels]
            self.memory[4][tile][address] = c & 0xFFFF | history << 16
            outputs.append(value)
            found.append(levels)
            self._count(layer, place, policy, levels)
        return outputs, found

    def _count(self, layer, place, policy, levels):
        words = [place["x_words"], place["x_words"] * place["two_terms"], place["h_words"]]
        passes = 2 if any(levels) and policy >= 2 else 1
        counted = Counter(row_constant_reads=4 * passes, cell_reads=passes, cell_writes=1)
        for gate, level in enumerate(levels):
            first = [4, 4, 4] if policy == 0 else place["levels"][0]
            for size, before, after in zip(words, first, place["levels"][level]):
                counted["scale_reads"] += (size > 0) * ((before > 0) + (after > before))
                for quarter in range(after) if self.build.dynamic else (0,):
                    counted[("hh", "hl", "lh", "ll")[quarter]] += size
            self.rows[layer, level, gate] += 1
        counted["row_sum_writes"] = counted["scale_reads"]
        self.counters.update(counted)


def _beats(values, bits):
    """Beats of a stream from values in the order of positions."""
    count = BEAT_BITS // bits
    parts = [values[start:start + count] for start in range(0, len(values), count)]
    return [sum((value & (1 << bits) - 1) << bits * index for index, value in enumerate(part)) for part in parts]
