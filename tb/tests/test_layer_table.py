# SPDX-License-Identifier: MIT
"""layer_table: what it keeps of descriptors, by layer; a layer is valid once every tile has a descriptor of it, until a reset."""

from random import Random

import cocotb
from cocotb.triggers import RisingEdge

from models.formats import DESCRIPTOR, MAX_LAYERS
from tb.bench.drivers import reset, seed, settled
from tb.bench.runner import run

TILES, DEPTH = 3, 2048  # words of a bank
OFFSET_BITS = DEPTH.bit_length() - 1
KEPT = {"x_words": 10, "two_terms": 1, "x_addr": OFFSET_BITS, "units": 11, "h_addr": OFFSET_BITS}  # bits of a field


def fields(word: int) -> dict[str, int]:
    """What the table keeps of a descriptor."""
    return {name: word >> DESCRIPTOR.places[name][0] & (1 << bits) - 1 for name, bits in KEPT.items()}


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def layers_are_what_was_loaded(dut):
    """Random words, and all ones after all zeros, for some of the tiles, while commits, output and trace ask for layers of their own."""
    random, full = Random(seed()), (1 << DESCRIPTOR.width) - 1
    for begin in range(3):
        await reset(dut)
        tiles = [0] * MAX_LAYERS
        if begin == 0:
            kept = [None] * MAX_LAYERS
        loads = [(layer, word, (1 << TILES) - 1) for word in (0, full, 0) for layer in range(MAX_LAYERS)] if begin == 2 else []
        loads += [(random.randrange(MAX_LAYERS), random.getrandbits(DESCRIPTOR.width), random.getrandbits(TILES)) for _ in range(200)]
        for layer, word, to in loads:
            dut.load_valid_i.value, dut.load_layer_i.value, dut.load_data_i.value = to, layer, word
            commit, output, trace = asked = [random.randrange(MAX_LAYERS) for _ in range(3)]
            dut.commit_layer_i.value, dut.output_layer_i.value, dut.trace_layer_i.value = asked
            await settled(dut)
            valid = sum(1 << number for number, there in enumerate(tiles) if there == (1 << TILES) - 1)
            assert int(dut.valid_o.value) == valid, f"layers {int(dut.valid_o.value):b} are valid, not {valid:b}"
            expected = {}
            if kept[0]:
                expected |= {"x_words_o": kept[0]["x_words"], "x_terms_o": kept[0]["two_terms"], "x_address_o": kept[0]["x_addr"]}
            for port, number, field in (("commit_h_address_o", commit, "h_addr"), ("output_units_o", output, "units"), ("trace_units_o", trace, "units")):
                if kept[number]:
                    expected[port] = kept[number][field]
            for port, value in expected.items():
                assert int(getattr(dut, port).value) == value, port
            await RisingEdge(dut.clk_i)
            if to:
                kept[layer] = fields(word)
                tiles[layer] |= to


def test_layer_table():
    run(__name__, "layer_table", {"Tiles": TILES, "ActivationDepth": DEPTH})
