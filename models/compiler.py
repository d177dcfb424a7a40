# SPDX-License-Identifier: MIT
"""From a quantized network to the image of a build: what goes where in the memories of the tiles, and the packets that load it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from .build import Build
from .formats import ALL_TILES, BEAT_WIDTH, CELL, DESCRIPTOR, EXPONENT_GROUP, GATES, HEADER, ROW_CONSTANT, SCALES, Level, Policy, Target
from .layer import MAX_EXPONENT, QuantizedLayer, group_exponents, split_activations, split_planes
from .levels import ALL
from .policies import POLICIES
from .quantized_lstm import QuantizedLSTM, State

BEAT_BYTES = BEAT_WIDTH // 8
DEALT_GRID = 2.0**-6  # rows of all quarters a step
LEVEL_BITS = 2  # of the trace
TRACE_POSITIONS = BEAT_WIDTH // (LEVEL_BITS * len(GATES))  # units of a beat of the decision trace


class CompileError(ValueError):
    """The build cannot hold or express this network; the message says why and what to change."""


@dataclass
class Block:
    """Consecutive words of one memory, in one tile or in all: the content of an image packet. address: of the first word; words: integers of the memory's width."""

    target: Target
    tile: int
    address: int
    words: list

    def packet(self, build: Build) -> list[int]:
        """128-bit beats, header first; a word that is wider takes several, low bits first."""
        beats = -(-self.target.bits(build) // BEAT_WIDTH)
        header = HEADER.pack(target=self.target, tile=self.tile, address=self.address, words=len(self.words))
        return [header, *(word >> BEAT_WIDTH * beat & (1 << BEAT_WIDTH) - 1 for word in self.words for beat in range(beats))]


@dataclass
class _Place:
    """Where a layer lies, in every tile alike; slots counts the units of tile 0, which has the most."""

    slots: int
    x_words: int
    h_words: int
    x_addr: int
    h_addr: int
    unit_base: int
    w_base: int

    @property
    def row_words(self):
        return self.x_words + self.h_words


def demands(layers: Sequence, build: Build) -> tuple[list[_Place], list[tuple[str, int, int, str]]]:
    """Places of layers, of which inputs, units and terms alone count, and (what, words needed, words available, what to raise) of each memory."""
    places, words, units = [], 0, 0
    activations = layers[0].terms * build.words(layers[0].inputs)
    for layer in layers:
        slots, x_words, h_words = -(-layer.units // build.tiles), build.words(layer.inputs), build.words(layer.units)
        x_addr = places[-1].h_addr if places else 0
        places.append(_Place(slots, x_words, h_words, x_addr, activations, units, words))
        words += slots * 4 * places[-1].row_words
        units += slots
        activations += h_words
    return places, [
        ("weight words a tile", words, build.weight_depth, "WeightDepth or Tiles"),
        ("units a tile", units, build.unit_depth, "UnitDepth or Tiles"),
        ("activation words", activations, build.activation_depth, "ActivationDepth"),
    ]


def _place_layers(q, build):
    """Places of all layers; CompileError where a memory is too small."""
    places, memories = demands(q.layers, build)
    for what, needed, available, parameter in memories:
        if needed > available:
            raise CompileError(f"the network needs {needed} {what}, the build has {available}: raise {parameter}")
    return places


def deal(refinements: list[float], tiles: int) -> list[int]:
    """Order of a layer's units, [position] -> unit, that balances the expected refinements [units], in rows of all quarters a step, over the tiles.

    The unit with the most refinements of those left goes to the tile with the fewest so far that has a slot free. Within a tile the busiest units come first: a step
    ends soonest if its last units need no refinement. Counts are taken roughly, so that a few decisions more or less do not deal all units anew; among equals the
    lower number comes first.
    """
    units, refinements = len(refinements), [round(count / DEALT_GRID) for count in refinements]
    order, loads, filled = [0] * units, [0] * tiles, [0] * tiles
    for unit in sorted(range(units), key=lambda unit: -refinements[unit]):
        free = (tile for tile in range(tiles) if filled[tile] * tiles + tile < units)
        tile = min(free, key=lambda tile: (loads[tile], filled[tile]))
        order[filled[tile] * tiles + tile] = unit
        loads[tile] += refinements[unit]
        filled[tile] += 1
    return order


def permute(q: QuantizedLSTM, order: list[list[int]]) -> QuantizedLSTM:
    """The same network with the units of each layer in another order: order[layer][position] = unit."""
    layers, below = [], torch.arange(q.layers[0].inputs)
    for layer, positions in zip(q.layers, order):
        positions = torch.as_tensor(positions)
        rows = torch.cat([gate * layer.units + positions for gate in range(4)])
        by_unit = {name: getattr(layer, name)[positions] for name in ("m", "s", "b")}
        by_level = {name: getattr(layer, name)[:, positions] for name in ("b_level", "offset")}
        layers.append(replace(layer, w_ih=layer.w_ih[rows][:, below], w_hh=layer.w_hh[rows][:, positions], **by_unit, **by_level))
        below = positions
    return QuantizedLSTM(layers, q.input_scales, q.order)


def _pack_lanes(values, bits):
    """Words of integers [..., lanes] of 4 or 8 bits each, lane 0 in the low bits, as a flat list."""
    lanes = values.to(torch.int16).numpy() & (1 << bits) - 1
    if bits == 4:
        lanes = lanes[..., 0::2] | lanes[..., 1::2] << 4
    words = lanes.astype(np.uint8).reshape(-1, lanes.shape[-1])
    return [int.from_bytes(word.tobytes(), "little") for word in words]


def _pad(values, size):
    """Zeros after the last dimension up to a size."""
    return torch.nn.functional.pad(values, (0, size - values.shape[-1]))


def check(number: int, layer: QuantizedLayer) -> None:
    """Raises CompileError where no build has what a layer asks for, and says what to do."""
    below = [level for level in layer.levels if level != ALL]
    if not POLICIES[Policy(layer.policy)].in_build:
        raise CompileError(f"layer {number} has policy {Policy(layer.policy).name}, which exists in the models only")
    if layer.levels[-1] != ALL or not 1 <= len(below) <= Level.ALL:
        raise CompileError(f"layer {number} has levels {', '.join(str(tuple(level)) for level in layer.levels)}: builds have all quarters, (4, 4, 4), and one or two "
                           "levels below; choose such a set of models.levels")
    for name, own in (("biases", (layer.b_level[1:] != layer.b).any()), ("offsets", (layer.offset[1:] != layer.offset[:1]).any())):
        if own:
            raise CompileError(f"layer {number} has {name} of its own for each level: builds have two biases a row, of the lowest level and of all others, and one "
                               "offset; quantize with constants that levels share")
    lowest, middle = layer.by_code[Level.LOWEST], layer.by_code[Level.MIDDLE]
    if not (lowest.x0 and lowest.h):
        raise CompileError(f"layer {number}: its lowest level has {lowest.x0} quarters of x0 and {lowest.h} of h: one of each is needed at least")
    if (lowest.x0, lowest.h) == (middle.x0, middle.h):
        raise CompileError(f"layer {number}: its second level must add quarters of x0 or h to the lowest, which has {lowest.x0} and {lowest.h}")


def nibbles(a: Tensor, exponents: bool = False) -> Tensor:
    """Bytes of the activations of a dynamic build, int16 0..255, of integers a [..., values]: the upper nibble, and below it the lower one."""
    upper, e = split_activations(a.int(), exponents)
    return (upper << 4 | a.int() - (upper << e) & 15).to(torch.int16) & 255


def _bytes_to_beats(values):
    """Beats of a stream from integers [n] of 8 bits, zeros after them."""
    return _pack_lanes(_pad(values, -(-len(values) // BEAT_BYTES) * BEAT_BYTES).view(-1, BEAT_BYTES), 8)


def _beats_to_bytes(beats):
    return b"".join(beat.to_bytes(BEAT_BYTES, "little") for beat in beats)


class Image:
    """A network laid out in the memories of a build, and the translation of streams and state between the two.

    layers: how many; order[layer][position]: the network's unit there; blocks: contents of the memories. Raises CompileError where a memory is too small.
    """

    def __init__(self, q: QuantizedLSTM, build: Build, order: list[list[int]]):
        self.build, self.order, self.layers = build, order, len(q.layers)
        self._positions = [torch.tensor(units).argsort().tolist() for units in order]
        self._places = _place_layers(q, build)
        self._input_words, self._exponents = build.words(q.layers[0].inputs), q.layers[0].exponents
        self.blocks = self._layout(permute(q, order))

    def packets(self) -> list[list[int]]:
        """Packets of the image stream, each a list of 128-bit beats, header first."""
        return [block.packet(self.build) for block in self.blocks]

    def encode_x(self, x: Tensor) -> list[int]:
        """Beats of an x packet from int8 [terms, inputs]; a dynamic build's begins with one of exponents, a nibble for each group of a term's values."""
        size = self._input_words * self.build.dot_lanes
        if not self.build.dynamic:
            return _bytes_to_beats(_pad(x, size).flatten())
        groups = -(-x.shape[1] // EXPONENT_GROUP)
        exponents = group_exponents(x) if self._exponents else torch.full((len(x), groups), MAX_EXPONENT)
        header = _pack_lanes(_pad(exponents.flatten(), BEAT_WIDTH // 4).unsqueeze(0), 4)
        return header + _bytes_to_beats(_pad(nibbles(x, self._exponents), size).flatten())

    def encode_h(self, h: Tensor) -> list[int]:
        """Beats of 128 bits of an h packet from the last layer's integers [units] in units of 1/120, in the network's order."""
        return _bytes_to_beats(h[self.order[-1]])

    def decode_h(self, beats: list[int]) -> Tensor:
        """h, int8 [units] in units of 1/120 and the network's order, from the beats of an h packet."""
        values = torch.frombuffer(bytearray(_beats_to_bytes(beats)), dtype=torch.int8)
        return values[self._positions[-1]]

    def encode_trace(self, levels: list[Tensor]) -> list[int]:
        """Beats of 128 bits of a trace packet from codes of levels, 0..2 [units, 4] a layer, in the network's order."""
        beats = []
        for codes, units in zip(levels, self.order):
            packed = (codes[units].int() << LEVEL_BITS * torch.arange(len(GATES))).sum(1)
            padded = _pad(packed, -(-len(units) // TRACE_POSITIONS) * TRACE_POSITIONS)
            beats += _pack_lanes(padded.view(-1, TRACE_POSITIONS), 8)
        return beats

    def decode_trace(self, beats: list[int]) -> list[Tensor]:
        """Codes of levels, int8 [units, 4] a layer, in the network's order, from the beats of a trace packet."""
        levels, beats = [], list(beats)
        for positions in self._positions:
            count = -(-len(positions) // TRACE_POSITIONS)
            packed = torch.tensor(list(_beats_to_bytes(beats[:count])))[positions]
            levels.append((packed.unsqueeze(1) >> LEVEL_BITS * torch.arange(len(GATES)) & 3).to(torch.int8))
            beats = beats[count:]
        return levels

    def decode_activation(self, byte: int) -> int:
        """An h in units of 1/120, or a value of x without exponent, from its byte, 0..255, in the activation memory."""
        upper, lower = ((nibble & 15 ^ 8) - 8 for nibble in (byte >> 4, byte))
        return 16 * upper + lower if self.build.dynamic else (byte & 255 ^ 128) - 128

    def encode_state(self, state: State) -> list[list[int]]:
        """Image packets, lists of 128-bit beats, that load a State of one sequence, for a run with the stateful bit.

        h goes to both banks, so that it does not matter which one the next step reads. Raises CompileError for the state of several sequences, or of one that has not
        begun.
        """
        if state.first or len(state.c[0]) != 1:
            raise CompileError("only the state of one sequence that has begun can be loaded: others start without the stateful bit")
        blocks = []
        for h, c, history, units, place in zip(state.h, state.c, state.history, self.order, self._places):
            cells = [CELL.pack(c=c[0, unit], history=history[0, unit]) for unit in units]
            blocks += [Block(Target.CELL, tile, place.unit_base, cells[tile::self.build.tiles]) for tile in range(self.build.tiles)]
            values = nibbles(h[0, units]) if self.build.dynamic else h[0, units]
            words = _pack_lanes(_pad(values, place.h_words * self.build.dot_lanes).view(place.h_words, -1), 8)
            blocks += [Block(Target.ACTIVATIONS, ALL_TILES, self._activation_address(bank, place.h_addr), words) for bank in (0, 1)]
        return [block.packet(self.build) for block in blocks if block.words]

    def cell_location(self, layer: int, unit: int) -> tuple[int, int]:
        """(tile, address) of a unit's word in the cell memory."""
        slot, tile = divmod(self._positions[layer][unit], self.build.tiles)
        return tile, self._places[layer].unit_base + slot

    def h_location(self, layer: int, unit: int, bank: int) -> int:
        """Address of a unit's h in the activation memory of every tile, in bytes of {bank, offset, lane}."""
        word, lane = divmod(self._positions[layer][unit], self.build.dot_lanes)
        return self._activation_address(bank, self._places[layer].h_addr + word) * self.build.dot_lanes + lane

    def _activation_address(self, bank, offset):
        return bank * self.build.activation_depth + offset

    def _layout(self, q):
        """Blocks of a network whose units are in the order of the image."""
        blocks, tiles = [], range(self.build.tiles)
        for number, (layer, place) in enumerate(zip(q.layers, self._places)):
            for tile in tiles:
                slots = slice(tile, None, self.build.tiles)
                if tile < layer.units:
                    blocks += self._weights(layer, place, tile, slots)
                    blocks += self._constants(layer, place, tile, slots)
            blocks += self._descriptors(number, layer, place)
        # Nothing is left unknown: not the lanes after the last unit, which meet zero weights, nor a state that was never loaded.
        last = self._places[-1]
        blocks.append(Block(Target.CELL, ALL_TILES, 0, [0] * (last.unit_base + last.slots)))
        blocks += [
            Block(Target.ACTIVATIONS, ALL_TILES, self._activation_address(bank, 0), [0] * (last.h_addr + last.h_words)) for bank in (0, 1)
        ]
        return blocks

    def _weights(self, layer, place, tile, slots):
        build = self.build
        columns = (
            _pad(w.view(4, layer.units, -1)[:, slots].transpose(0, 1), words * build.dot_lanes)
            for w, words in ((layer.w_ih, place.x_words), (layer.w_hh, place.h_words))
        )
        rows = torch.cat(tuple(columns), dim=-1).unflatten(-1, (-1, build.dot_lanes))
        planes = split_planes(rows) if build.dynamic else (rows,)
        return [Block(Target(plane), tile, place.w_base, _pack_lanes(values, build.operand_bits)) for plane, values in enumerate(planes)]

    def _constants(self, layer, place, tile, slots):
        m = layer.m[slots].flatten(0, 1).tolist()
        scales = [SCALES.pack(m_x0=m_x0, m_x1=m_x1, m_h=m_h) for m_x0, m_x1, m_h in m]
        constants = {"s": layer.s, "b": layer.b, "b_low": layer.b_level[0], "offset": layer.offset[0]}
        columns = (rows[slots].flatten().tolist() for rows in constants.values())
        rows = [ROW_CONSTANT.pack(**dict(zip(constants, row))) for row in zip(*columns)]
        return [Block(target, tile, 4 * place.unit_base, words) for target, words in ((Target.SCALES, scales), (Target.ROW_CONSTANTS, rows))]

    def _descriptors(self, number, layer, place):
        lowest, middle = layer.by_code[Level.LOWEST], layer.by_code[Level.MIDDLE]

        def word(slots):
            return DESCRIPTOR.pack(
                units=layer.units, slots=slots, x_words=place.x_words, h_words=place.h_words, x_addr=place.x_addr, h_addr=place.h_addr,
                unit_base=place.unit_base, c_frac=layer.c_frac, policy=layer.policy, two_terms=layer.terms - 1, w_base=place.w_base,
                theta_middle=layer.theta[0], theta_all=layer.theta[-1], cell_floor=layer.cell_floor,
                lowest_x0=lowest.x0, lowest_x1=lowest.x1, lowest_h=lowest.h, middle_x0=middle.x0, middle_x1=middle.x1, middle_h=middle.h)

        tiles = self.build.tiles
        words = [word(len(range(tile, layer.units, tiles))) for tile in range(tiles)]
        if len(set(words)) == 1:
            return [Block(Target.DESCRIPTORS, ALL_TILES, number, words[:1])]
        return [Block(Target.DESCRIPTORS, tile, number, [word]) for tile, word in enumerate(words)]


def compile_image(q: QuantizedLSTM, build: Build, refinements: list[list[float]] | None = None) -> Image:
    """Lay a network out for a build.

    refinements: by layer, what each unit [units] is expected to refine in a step (models.quantized_lstm.refinement_rows), by which units are dealt to
    tiles (default: those of the calibration; without them units are dealt in turn). Raises CompileError for what the build cannot hold or express.
    """
    for number, layer in enumerate(q.layers):
        check(number, layer)
    refinements = refinements or q.refinements or [[0.0] * layer.units for layer in q.layers]
    if [len(part) for part in refinements] != [layer.units for layer in q.layers]:
        raise CompileError("refinements: one number for each unit of each layer is needed")
    order = [deal([float(value) for value in part], build.tiles) for part in refinements]
    return Image(q, build, order)
