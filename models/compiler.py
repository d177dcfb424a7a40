# SPDX-License-Identifier: MIT
"""From a quantized network to the image of a build: what goes where in the memories of the tiles, and the packets that load it."""

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from .build import Build
from .formats import ALL_TILES, BEAT_WIDTH, BUILD_POLICIES, CELL, DESCRIPTOR, GATES, HEADER, ROW_CONSTANT, SCALES, Policy, Target
from .layer import split_planes
from .quantized_lstm import QuantizedLSTM, State

BEAT_BYTES = BEAT_WIDTH // 8
DEALT_GRID = 2.0**-6  # rows a step
TRACE_POSITIONS = BEAT_WIDTH // len(GATES)  # masks of a beat of the decision trace


class CompileError(ValueError):
    """The build cannot hold or express this network; the message says why and what to change."""


@dataclass
class Block:
    """Consecutive words of one memory, in one tile or in all: the content of an image packet."""

    target: Target
    tile: int
    address: int
    words: list

    def packet(self, build: Build) -> list[int]:
        """128-bit beats, header first."""
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


def _place_layers(q, build):
    """Places of all layers; CompileError where a memory is too small."""
    places, words, units = [], 0, 0
    activations = q.layers[0].terms * build.words(q.layers[0].inputs)
    for layer in q.layers:
        slots, x_words, h_words = -(-layer.units // build.tiles), build.words(layer.inputs), build.words(layer.units)
        x_addr = places[-1].h_addr if places else 0
        places.append(_Place(slots, x_words, h_words, x_addr, activations, units, words))
        words += slots * 4 * places[-1].row_words
        units += slots
        activations += h_words
    for what, needed, available, parameter in (
        ("weight words a tile", words, build.weight_depth, "WeightDepth or Tiles"),
        ("units a tile", units, build.unit_depth, "UnitDepth or Tiles"),
        ("activation words", activations, build.activation_depth, "ActivationDepth"),
    ):
        if needed > available:
            raise CompileError(f"the network needs {needed} {what}, the build has {available}: raise {parameter}")
    return places


def deal(refinements: list[float], tiles: int) -> list[int]:
    """Order of a layer's units, [position] -> unit, that balances the expected refinements [units] over the tiles.

    The unit with the most refinements of those left goes to the tile with the fewest so far that has a slot free. Within a tile the
    busiest units come first: a step ends soonest if its last units need no refinement. Counts are taken roughly, so that a few decisions more
    or less do not deal all units anew; among equals the lower number comes first.
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
        by_unit = {name: getattr(layer, name)[positions] for name in ("m", "s", "b", "b_low", "offset")}
        layers.append(replace(layer, w_ih=layer.w_ih[rows][:, below], w_hh=layer.w_hh[rows][:, positions], **by_unit))
        below = positions
    return QuantizedLSTM(layers, q.input_scales)


def _pack_lanes(values, bits):
    """Words of integers [..., lanes] of 4 or 8 bits each, lane 0 in the low bits, as a flat list."""
    lanes = values.to(torch.int16).numpy() & (1 << bits) - 1
    if bits == 4:
        lanes = lanes[..., 0::2] | lanes[..., 1::2] << 4
    words = lanes.astype(np.uint8).reshape(-1, lanes.shape[-1])
    return [int.from_bytes(word.tobytes(), "little") for word in words]


def _pad(values, size):
    """Zeros behind the last dimension up to a size."""
    return torch.nn.functional.pad(values, (0, size - values.shape[-1]))


def _bytes_to_beats(values):
    """Beats of a stream from int8 values [n], zeros behind."""
    return _pack_lanes(_pad(values, -(-len(values) // BEAT_BYTES) * BEAT_BYTES).view(-1, BEAT_BYTES), 8)


def _beats_to_bytes(beats):
    return b"".join(beat.to_bytes(BEAT_BYTES, "little") for beat in beats)


class Image:
    """A network laid out in the memories of a build, and the translation of streams and state between the two.

    layers: how many; order[layer][position]: the network's unit there; blocks: contents of the memories.
    """

    def __init__(self, q: QuantizedLSTM, build: Build, order: list[list[int]]):
        self.build, self.order, self.layers = build, order, len(q.layers)
        self._positions = [torch.tensor(units).argsort().tolist() for units in order]
        self._places = _place_layers(q, build)
        self._input_words = build.words(q.layers[0].inputs)
        self.blocks = self._layout(permute(q, order))

    def packets(self) -> list[list[int]]:
        """Packets of the image stream, each a list of 128-bit beats, header first."""
        return [block.packet(self.build) for block in self.blocks]

    def encode_x(self, x: Tensor) -> list[int]:
        """Beats of an x packet from int8 [terms, inputs]."""
        return _bytes_to_beats(_pad(x, self._input_words * self.build.dot_lanes).flatten())

    def encode_h(self, h: Tensor) -> list[int]:
        """Beats of an h packet from the last layer's integers [units], in the network's order."""
        return _bytes_to_beats(h[self.order[-1]])

    def decode_h(self, beats: list[int]) -> Tensor:
        """int8 [units] in the network's order from the beats of an h packet."""
        values = torch.frombuffer(bytearray(_beats_to_bytes(beats)), dtype=torch.int8)
        return values[self._positions[-1]]

    def encode_trace(self, masks: list[Tensor]) -> list[int]:
        """Beats of a trace packet from bool [units, 4] a layer, in the network's order."""
        beats = []
        for mask, units in zip(masks, self.order):
            nibbles = (mask[units] * torch.tensor([1, 2, 4, 8])).sum(1)
            padded = _pad(nibbles, -(-len(units) // TRACE_POSITIONS) * TRACE_POSITIONS)
            beats += _pack_lanes(padded.view(-1, TRACE_POSITIONS), 4)
        return beats

    def decode_trace(self, beats: list[int]) -> list[Tensor]:
        """bool [units, 4] a layer, in the network's order, from the beats of a trace packet."""
        masks, beats = [], list(beats)
        for positions in self._positions:
            count = -(-len(positions) // TRACE_POSITIONS)
            packed = torch.tensor(list(_beats_to_bytes(beats[:count])))
            nibbles = torch.stack((packed & 15, packed >> 4), dim=1).flatten()[positions]
            masks.append((nibbles.unsqueeze(1) >> torch.arange(4) & 1).bool())
            beats = beats[count:]
        return masks

    def encode_state(self, state: State) -> list[list[int]]:
        """Image packets that load a State of one sequence, for a run with the stateful bit.

        h goes to both banks, so that it does not matter which one the next step reads.
        """
        if state.first or len(state.c[0]) != 1:
            raise CompileError("only the state of one sequence that has begun can be loaded: others start without the stateful bit")
        blocks = []
        for h, c, history, units, place in zip(state.h, state.c, state.history, self.order, self._places):
            cells = [CELL.pack(c=c[0, unit], history=history[0, unit]) for unit in units]
            blocks += [Block(Target.CELL, tile, place.unit_base, cells[tile::self.build.tiles]) for tile in range(self.build.tiles)]
            words = _pack_lanes(_pad(h[0, units], place.h_words * self.build.dot_lanes).view(place.h_words, -1), 8)
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
        # Nothing is left unknown: not the lanes behind the last unit, which meet zero weights, nor a state that was never loaded.
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
        return [Block(Target(plane), tile, place.w_base, _pack_lanes(values, build.weight_bits)) for plane, values in enumerate(planes)]

    def _constants(self, layer, place, tile, slots):
        m = layer.m[slots].flatten(0, 1).tolist()
        scales = [SCALES.pack(m_x0=m_x0, m_x1=m_x1, m_h=m_h) for m_x0, m_x1, m_h in m]
        columns = (getattr(layer, name)[slots].flatten().tolist() for name in ROW_CONSTANT.places)
        rows = [ROW_CONSTANT.pack(**dict(zip(ROW_CONSTANT.places, row))) for row in zip(*columns)]
        return [Block(target, tile, 4 * place.unit_base, words) for target, words in ((Target.SCALES, scales), (Target.ROW_CONSTANTS, rows))]

    def _descriptors(self, number, layer, place):
        def word(slots):
            return DESCRIPTOR.pack(
                units=layer.units, slots=slots, x_words=place.x_words, h_words=place.h_words, x_addr=place.x_addr, h_addr=place.h_addr,
                unit_base=place.unit_base, c_frac=layer.c_frac, policy=layer.policy, two_terms=layer.terms - 1, w_base=place.w_base,
                theta=layer.theta, cell_floor=layer.cell_floor)

        tiles = self.build.tiles
        words = [word(len(range(tile, layer.units, tiles))) for tile in range(tiles)]
        if len(set(words)) == 1:
            return [Block(Target.DESCRIPTORS, ALL_TILES, number, words[:1])]
        return [Block(Target.DESCRIPTORS, tile, number, [word]) for tile, word in enumerate(words)]


def compile_image(q: QuantizedLSTM, build: Build, refinements: list[list[float]] | None = None) -> Image:
    """Lay a network out for a build.

    refinements: by layer, the rows [units] that each unit is expected to refine in a step, by which units are dealt to tiles
    (default: those of the calibration; without them units are dealt in turn). Raises CompileError for what the build cannot hold.
    """
    for number, layer in enumerate(q.layers):
        if layer.policy not in BUILD_POLICIES:
            raise CompileError(f"layer {number} has policy {Policy(layer.policy).name}, which exists in the models only")
    refinements = refinements or q.refinements or [[0.0] * layer.units for layer in q.layers]
    if [len(part) for part in refinements] != [layer.units for layer in q.layers]:
        raise CompileError("refinements: one number for each unit of each layer is needed")
    order = [deal([float(value) for value in part], build.tiles) for part in refinements]
    return Image(q, build, order)
