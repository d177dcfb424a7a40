# SPDX-License-Identifier: MIT
"""The driver in C of examples/driver on a Verilated accelerator: h of every step as the model has it, and wrong files are refused."""

import random
import re

import pytest

from examples.driver.export import write_files
from examples.driver.play import build_program, play
from models.compiler import compile_image
from tb.bench.runner import BUILD, COMPILED_SOON, ONE_FILE, VERILATOR_FLAGS, SimulationError
from tb.tests.lstm_accelerator.cases import SMALL, network_of, sequences_of

STEPS = 4


@pytest.fixture(scope="module")
def program():
    return build_program(BUILD / "verilator" / "driver", SMALL, [*VERILATOR_FLAGS, *ONE_FILE], COMPILED_SOON)


@pytest.fixture
def network():
    return network_of(13, [9, 19], 2, random.Random(1))


def test_h_is_that_of_the_model(program, network, tmp_path):
    sequence, = sequences_of(network, [STEPS], random.Random(2))
    write_files(tmp_path, compile_image(network, SMALL), sequence[0], network.layers[-1].units)
    h, cycles = play(program, tmp_path)
    assert h == network.run(sequence).h[0].tolist() and cycles > STEPS


HEADER = 20 + 2 * 19 + 4  # of the first packet in an image file: after the head, the positions of 19 units and the packet's length


@pytest.mark.parametrize("change, reason", [
    (lambda image: image[:4] + b"\x03" + image[5:], "no image for this build (ERRORS 0x00)"),          # tiles
    (lambda image: image[:-1], "no image for this build (ERRORS 0x00)"),                               # a packet is cut off
    (lambda image: image[:HEADER] + b"\x07" + image[HEADER + 1:], "refused (ERRORS 0x08)"),            # target
], ids=["build", "short", "target"])
def test_a_wrong_image_is_refused(program, network, tmp_path, change, reason):
    sequence, = sequences_of(network, [1], random.Random(2))
    write_files(tmp_path, compile_image(network, SMALL), sequence[0], network.layers[-1].units)
    path = tmp_path / "image.bin"
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(SimulationError, match=re.escape(f"play: load: {reason}")):
        play(program, tmp_path)
