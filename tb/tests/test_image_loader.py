# SPDX-License-Identifier: MIT
"""image_loader: every word of a good packet is loaded once, where its header says; bad packets load nothing and raise their error; clear."""

import os
from collections import deque
from random import Random

import cocotb
import pytest
from cocotb.triggers import RisingEdge

from models.build import Build
from models.formats import ALL_TILES as ALL
from models.formats import BEAT_WIDTH, DESCRIPTOR, HEADER, MAX_LAYERS, MAX_UNITS, Target
from tb.bench.axi_stream import send
from tb.bench.drivers import clock_cycles, reset, seed
from tb.bench.runner import run

# Depths of the memories, and the largest that a build can have.
DEPTHS_OF = [{"WeightDepth": 64, "UnitDepth": 16, "ActivationDepth": 32}, {"WeightDepth": 1 << 20, "UnitDepth": 1 << 16, "ActivationDepth": 1 << 14}]
TILES = 3
WEIGHTS, UNITS, ACTIVATIONS = DEPTHS_OF[int(os.environ.get("LARGEST", 0))].values()
LANES, DYNAMIC = int(os.environ.get("BUILD_LANES", 0)), int(os.environ.get("DYNAMIC", 0))
BUILD = Build(TILES, LANES or 64, bool(DYNAMIC), weight_depth=WEIGHTS, unit_depth=UNITS, activation_depth=ACTIVATIONS)
DOT_LANES = BUILD.dot_lanes
BITS = [target.bits(BUILD) for target in Target]
DEPTHS = [target.depth(BUILD) for target in Target]


def levels(lowest: tuple, middle: tuple) -> dict:
    """Fields of the quarters of x0, x1 and h at level LOWEST and at MIDDLE."""
    return {f"{level}_{segment}": count for level, counts in (("lowest", lowest), ("middle", middle)) for segment, count in zip(("x0", "x1", "h"), counts)}


def descriptor(tile: int, **changes) -> int:
    """A good descriptor of layer 0 for `tile`, with fields changed, `reserved` among them. The layer has 3 * TILES - 1 units."""
    units = 3 * TILES - 1
    fields = {name: field.range[1] for name, (_, field) in DESCRIPTOR.places.items()}  # the largest value of a field that is not named below
    fields |= dict(units=units, slots=len(range(tile, units, TILES)), x_words=2, h_words=-(-units // DOT_LANES), x_addr=ACTIVATIONS - 4, h_addr=1,
                   unit_base=UNITS - 3, theta_middle=(1, 127, -1, -128), theta_all=(-128, -1, 127, 0), reserved=0, **levels((2, 0, 2), (3, 1, 3)))
    fields["w_base"] = WEIGHTS - 4 * fields["slots"] * (fields["x_words"] + fields["h_words"])
    fields |= changes
    return fields.pop("reserved") | DESCRIPTOR.pack(**fields)


RESERVED = [dict(reserved=1 << bit) for high, low in DESCRIPTOR.gaps for bit in (low, high)]
BEYOND = [{name: value} for name, (_, field) in DESCRIPTOR.places.items() for value in (field.least - 1, field.beyond) if value is not None and value >= 0]
# A level has no less of any segment than the one below, and more of x0 or h.
GOOD_LEVELS = [levels(*pair) for pair in (((1, 0, 1), (2, 0, 1)), ((1, 0, 1), (1, 0, 2)), ((4, 4, 1), (4, 4, 2)), ((1, 4, 4), (4, 4, 4)), ((1, 0, 1), (4, 4, 4)))]
BAD_LEVELS = [levels(*pair) for pair in (((2, 1, 2), (1, 1, 4)), ((2, 1, 2), (4, 0, 4)), ((2, 1, 2), (4, 1, 1)), ((2, 1, 2), (2, 1, 2)), ((2, 1, 2), (2, 4, 2)),
                                         ((4, 4, 4), (4, 4, 4)), ((2, 1, 2), (0, 0, 0)), ((0, 0, 1), (4, 4, 4)), ((1, 0, 0), (4, 4, 4)))]
BAD_FIELDS = [*BEYOND, *BAD_LEVELS, dict(units=0, slots=0, h_words=0), dict(units=3 * TILES + 1), dict(slots=1), dict(slots=4), dict(x_words=3),
              dict(x_words=MAX_UNITS), dict(h_words=0), dict(h_words=40), dict(x_addr=ACTIVATIONS - 3), dict(h_addr=ACTIVATIONS), dict(unit_base=UNITS - 2),
              dict(w_base=WEIGHTS), dict(w_base=0xFFFFFFFF), *RESERVED]


def packet(target, tile, address, words, header_words=None, reserved=0):
    """Beats of a packet with these words; header_words: what the header says instead of the truth."""
    beats = [reserved | HEADER.pack(target=target, tile=tile, address=address, words=len(words) if header_words is None else header_words)]
    for word in words:
        beats += [word >> BEAT_WIDTH * index & (1 << BEAT_WIDTH) - 1 for index in range(-(-BITS[target] // BEAT_WIDTH))]
    return beats


class Loads:
    """What appears at the outputs: loads (tiles, target, address, data) and errors by name. From its last beat on, a load is told by loading_o."""

    def __init__(self, dut):
        self.loads, self.errors, self.loading = [], [], deque(maxlen=4)
        cocotb.start_soon(self.run(dut))

    async def run(self, dut):
        while True:
            await RisingEdge(dut.clk_i)
            for name in ("busy", "target", "length", "descriptor"):
                self.errors.extend([name] * int(getattr(dut, f"{name}_error_o").value))
            tiles, activation = int(dut.load_valid_o.value), int(dut.activation_valid_o.value)
            assert not (tiles and activation)
            if tiles or activation:
                target = int(dut.load_target_o.value)
                data = int(dut.load_data_o.value[BITS[target] - 1:0])  # bits beyond may never have been written
                latency = 3 if target == Target.DESCRIPTORS else 1
                assert all([*self.loading][-latency:]) and dut.loading_o.value, f"{Target(target).name} is written while nothing is loaded"
                self.loads.append((tiles or (1 << TILES) - 1, target, int(dut.load_address_o.value), data))
                assert activation == (target == Target.ACTIVATIONS)
            self.loading.append(int(dut.loading_o.value))

    def take(self):
        taken = self.loads, self.errors
        self.loads, self.errors = [], []
        return taken


async def expect(dut, loads, beats, expected, errors, random=None, stall=0.0):
    await send(dut, "s_image", beats, None, stall, random)
    await clock_cycles(dut, 5)
    assert loads.take() == (expected, errors)
    assert not dut.loading_o.value


@cocotb.test(timeout_time=2, timeout_unit="ms")
@cocotb.parametrize(stall=[0.0, 0.5])
async def good_packets_are_loaded(dut, stall):
    random = Random(seed())
    await reset(dut)
    loads = Loads(dut)
    for _ in range(60):
        target = random.choice([index for index in range(6) if DEPTHS[index]])
        words = [random.getrandbits(BITS[target]) for _ in range(random.randint(0, min(9, DEPTHS[target])))]
        address = random.choice([0, DEPTHS[target] - len(words)])
        tile = random.choice([ALL, *range(TILES)])
        tiles = (1 << TILES) - 1 if tile == ALL or target == Target.ACTIVATIONS else 1 << tile
        await expect(dut, loads, packet(target, tile, address, words),
                     [(tiles, target, address + index, word) for index, word in enumerate(words)], [], random, stall)


@cocotb.test(timeout_time=2, timeout_unit="ms")
async def bad_headers_load_nothing(dut):
    await reset(dut)
    loads = Loads(dut)
    for beats in (packet(Target.SCALES, TILES, 0, [1, 2]), packet(Target.SCALES, 254, 0, [1]), packet(Target.SCALES, 0, 4 * UNITS, [1]),
                  packet(Target.SCALES, 0, 4 * UNITS - 1, [1, 2]),
                  packet(Target.SCALES, 0, 0xFFFFFFFF, [1]), *(packet(Target.SCALES, 0, 0, [1], reserved=1 << bit) for gap in HEADER.gaps for bit in gap),
                  packet(Target.SCALES, 0, 0, [1], header_words=0xFFFFFFFF),
                  *([HEADER.pack(target=target, tile=0, address=0, words=1), 5] for target in (len(Target), 8, 15, 0x12)),
                  packet(Target.ACTIVATIONS, 0, 2 * ACTIVATIONS, [3]),
                  *([] if DYNAMIC else [packet(Target.WEIGHTS_LO, 0, 0, [1])])):
        await expect(dut, loads, beats, [], ["target"])
        await expect(dut, loads, packet(Target.CELL, 1, 3, [77]), [(2, Target.CELL, 3, 77)], [])
    dut.closed_i.value = 1
    await expect(dut, loads, packet(Target.SCALES, 0, 0, [1, 2, 3]), [], ["busy"])
    dut.closed_i.value = 0
    await expect(dut, loads, packet(Target.CELL, 1, 3, [78]), [(2, Target.CELL, 3, 78)], [])


@cocotb.test(timeout_time=2, timeout_unit="ms")
async def wrong_lengths_load_whole_words(dut):
    await reset(dut)
    loads = Loads(dut)
    good = [(1, Target.ROW_CONSTANTS, index, word) for index, word in enumerate((7, 8, 9))]
    await expect(dut, loads, packet(Target.ROW_CONSTANTS, 0, 0, [7, 8, 9], header_words=4), good, ["length"])
    await expect(dut, loads, packet(Target.ROW_CONSTANTS, 0, 0, [7, 8, 9, 10, 11], header_words=3), good, ["length"])
    await expect(dut, loads, packet(Target.ROW_CONSTANTS, 0, 0, [7, 8, 9, 10], header_words=3), good, ["length"])  # one beat too many
    await expect(dut, loads, [*packet(Target.DESCRIPTORS, 0, 0, [descriptor(0)]), 0], [(1, Target.DESCRIPTORS, 0, descriptor(0))], ["length"])
    await expect(dut, loads, packet(Target.ROW_CONSTANTS, 0, 0, [7, 8], header_words=0), [], ["length"])
    await expect(dut, loads, packet(Target.ROW_CONSTANTS, 0, 0, [], header_words=1), [], ["length"])
    words = [descriptor(0), descriptor(0, two_terms=0)]
    await expect(dut, loads, packet(Target.DESCRIPTORS, 0, 0, words)[:-1], [(1, Target.DESCRIPTORS, 0, words[0])], ["length"])


@cocotb.test(timeout_time=2, timeout_unit="ms")
async def descriptors_are_checked(dut):
    await reset(dut)
    loads = Loads(dut)
    for tile in range(TILES):
        word = descriptor(tile)
        await expect(dut, loads, packet(Target.DESCRIPTORS, tile, 0, [word]), [(1 << tile, Target.DESCRIPTORS, 0, word)], [])
    for fields in GOOD_LEVELS:
        word = descriptor(0, **fields)
        await expect(dut, loads, packet(Target.DESCRIPTORS, 0, 0, [word]), [(1, Target.DESCRIPTORS, 0, word)], [])
    for fields in BAD_FIELDS:
        await expect(dut, loads, packet(Target.DESCRIPTORS, 0, 0, [descriptor(0, **fields)]), [], ["descriptor"])
    for word in (0, (1 << DESCRIPTOR.width) - 1) * 2:
        await expect(dut, loads, packet(Target.DESCRIPTORS, 0, MAX_LAYERS - 1, [word]), [], ["descriptor"])
    await expect(dut, loads, packet(Target.DESCRIPTORS, 0, 1, [descriptor(0)]), [], ["descriptor"])      # two terms above layer 0
    last = TILES - 1
    await expect(dut, loads, packet(Target.DESCRIPTORS, last, 0, [descriptor(0)]), [], ["descriptor"])   # more units than this tile gets
    await expect(dut, loads, packet(Target.DESCRIPTORS, ALL, 0, [descriptor(0)]), [], ["descriptor"])
    even = descriptor(0, units=3 * TILES, h_words=-(-3 * TILES // DOT_LANES), w_base=0)
    await expect(dut, loads, packet(Target.DESCRIPTORS, ALL, 0, [even]), [((1 << TILES) - 1, Target.DESCRIPTORS, 0, even)], [])


def fits(tile: int, fields: dict) -> bool:
    """Whether a build holds a layer 0 of these sizes and places ("Layer descriptor" in docs/registers.md)."""
    units, slots, x_words, h_words = (fields[name] for name in ("units", "slots", "x_words", "h_words"))
    return (slots == len(range(tile, units, TILES)) and h_words == -(-units // DOT_LANES) and x_words * DOT_LANES <= MAX_UNITS
            and fields["x_addr"] + x_words * (1 + fields["two_terms"]) <= ACTIVATIONS and fields["h_addr"] + h_words <= ACTIVATIONS
            and fields["unit_base"] + slots <= UNITS and fields["w_base"] + 4 * slots * (x_words + h_words) <= WEIGHTS)


@cocotb.test(timeout_time=8, timeout_unit="ms")
async def descriptors_are_checked_to_the_last_word_and_unit(dut):
    """Sizes and places on either side of every condition, of which none, one or several fail."""
    random, loads, good = Random(seed()), Loads(dut), 0
    await reset(dut)
    for _ in range(400):
        tile, two_terms = random.randrange(TILES), random.randrange(2)
        units = random.choice((random.randint(1, 3 * TILES), *(max(1, DOT_LANES * random.randint(1, 2) + aside) for aside in (-1, 0, 1))))
        units = min(units, MAX_UNITS)
        fields = dict(units=units, two_terms=two_terms, slots=len(range(tile, units, TILES)) + random.choice((0,) * 8 + (-1, 1)),
                      x_words=random.choice((1, 2, 2, 3, MAX_UNITS // DOT_LANES, MAX_UNITS // DOT_LANES + 1)),
                      h_words=-(-units // DOT_LANES) + random.choice((0,) * 8 + (-1, 1)))
        room = dict(x_addr=ACTIVATIONS - fields["x_words"] * (1 + two_terms), h_addr=ACTIVATIONS - fields["h_words"], unit_base=UNITS - fields["slots"],
                    w_base=WEIGHTS - 4 * fields["slots"] * (fields["x_words"] + fields["h_words"]))
        fields |= {name: most + random.choice((0,) * 8 + (-1, 1)) for name, most in room.items()}
        if any(not 0 <= value < 1 << DESCRIPTOR.places[name][1].width for name, value in fields.items()):
            continue
        word, held = descriptor(tile, **fields), fits(tile, fields)
        good += held
        await expect(dut, loads, packet(Target.DESCRIPTORS, tile, 0, [word]), [(1 << tile, Target.DESCRIPTORS, 0, word)] * held, ["descriptor"] * (not held))
    assert good > 20, "few that fit"


@cocotb.test(timeout_time=2, timeout_unit="ms")
async def clear_discards_the_rest(dut):
    await reset(dut)
    loads = Loads(dut)
    await send(dut, "s_image", packet(Target.ROW_CONSTANTS, 0, 0, [7, 8, 9, 10])[:3], last=False)
    await clock_cycles(dut, 3)
    assert dut.loading_o.value
    dut.clear_i.value = 1
    await clock_cycles(dut, 2)
    dut.clear_i.value = 0
    await send(dut, "s_image", [1, 2])
    await clock_cycles(dut, 3)
    assert loads.take() == ([(1, Target.ROW_CONSTANTS, 0, 7), (1, Target.ROW_CONSTANTS, 1, 8)], []) and not dut.loading_o.value
    await expect(dut, loads, packet(Target.CELL, 1, 3, [77]), [(2, Target.CELL, 3, 77)], [])


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def nothing_begins_during_clear(dut):
    """The rest of a packet is taken during clear; the next one waits for its end, and is loaded whole."""
    await reset(dut)
    loads = Loads(dut)
    await send(dut, "s_image", packet(Target.ROW_CONSTANTS, 0, 0, [7, 8])[:2], last=False)
    await clock_cycles(dut, 3)
    assert loads.take() == ([(1, Target.ROW_CONSTANTS, 0, 7)], [])
    dut.clear_i.value = 1
    await clock_cycles(dut, 1)
    await send(dut, "s_image", [8])
    sent = cocotb.start_soon(send(dut, "s_image", packet(Target.CELL, 1, 3, [77])))
    for cycle in range(6):
        await clock_cycles(dut, 1)
        assert not dut.s_image_tready_o.value, f"a beat is taken in cycle {cycle} of clear"
    assert loads.take() == ([], []) and not dut.loading_o.value
    dut.clear_i.value = 0
    await sent
    await clock_cycles(dut, 4)
    assert loads.take() == ([(2, Target.CELL, 3, 77)], [])


@pytest.mark.parametrize("lanes, dynamic, largest", [(8, 1, 0), (32, 1, 0), (64, 1, 0), (32, 0, 0), (64, 0, 0), (8, 0, 1)])
def test_image_loader(lanes, dynamic, largest):
    run(__name__, "image_loader", {"Tiles": TILES, "DotLanes": lanes if dynamic else lanes // 4, "DynamicPrecision": dynamic, **DEPTHS_OF[largest]},
        environment={"BUILD_LANES": str(lanes), "DYNAMIC": str(dynamic), "LARGEST": str(largest)})
