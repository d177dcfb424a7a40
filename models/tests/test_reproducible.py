# SPDX-License-Identifier: MIT
"""The same integers on every processor and with any number of threads.

Child processes compute the same under other instruction sets of oneDNN, MKL, PyTorch, OpenBLAS and NumPy, the oldest one among them, and
under other numbers of threads. Each prints digests by name; they must be those of a process that chooses for itself.
"""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from models.build import Build
from models.calibration import path_of
from models.compiler import compile_image
from models.gradients import gradients
from models.network_cycles import cycles
from models.networks import NETWORKS, Part, load
from models.policies import Policy
from models.quantized_network import quantize_network

ROOT = Path(__file__).resolve().parents[2]
AVX2 = {"ONEDNN_MAX_CPU_ISA": "AVX2", "MKL_CBWR": "AVX2", "ATEN_CPU_CAPABILITY": "avx2", "OPENBLAS_CORETYPE": "Haswell"}
OLDEST = {"ONEDNN_MAX_CPU_ISA": "SSE41", "MKL_CBWR": "COMPATIBLE", "ATEN_CPU_CAPABILITY": "default", "OPENBLAS_CORETYPE": "Nehalem",
          "NPY_DISABLE_CPU_FEATURES": "X86_V3 AVX2 FMA3"}  # names of newer NumPy and of older; those that it does not know it ignores
ENVIRONMENTS = {"AVX2, two threads": AVX2 | {"OMP_NUM_THREADS": "2", "OMP_WAIT_POLICY": "PASSIVE"}, "the oldest": OLDEST | {"OMP_NUM_THREADS": "1"}}
QUANTIZED = ("silero", "textgenrnn")
STEPS, CYCLES_STEPS = 160, 40


def hashed(*values) -> str:
    """Of numbers and tensors, to their last bits."""
    total = hashlib.sha256()
    for value in values:
        total.update(np.ascontiguousarray(torch.as_tensor(value)).tobytes())
    return total.hexdigest()[:16]


def digests(name: str) -> dict:
    """Digests of what leads to the integers of a network, of them, and of what follows from them."""
    network = load(name)
    samples = network.samples(Part.HELD_OUT, STEPS)
    inputs = [sample.inputs for sample in samples]
    found = {"LSTM inputs": hashed(*inputs)}
    # Outputs in float64 are not the same to the last bit: to 12 bits after the point they are.
    found["float outputs"] = hashed(*(torch.floor(output.double() * 2.0**12 + 0.5) for output in network.float_outputs(samples)))
    if name in QUANTIZED:
        quantized = quantize_network(network.lstm, inputs, gradients(network, samples))
        for part in quantized.directions:
            found["scales of the inputs"] = hashed(*part.input_scales)
            found["integer inputs"] = hashed(*map(part.quantize_input, inputs))
            for number, layer in enumerate(part.layers):
                for field, value in vars(layer).items():
                    found[f"layer {number}, {field}"] = hashed(value)
            found["refinements"] = hashed(*part.refinements)
            found["units by tile"] = hashed(*compile_image(part, Build()).order)
            found["units by tile, CELL_HISTORY"] = hashed(*compile_image(part.for_policy(Policy.CELL_HISTORY), Build()).order)
        found["cycles"] = cycles(quantized, network.samples(Part.FIT, CYCLES_STEPS), Policy.SENSITIVITY)
    return {f"{name}: {what}": digest for what, digest in found.items()}


def python(arguments: list, environment: dict) -> str:
    """What Python prints under an environment."""
    own = {name: value for name, value in os.environ.items() if name not in AVX2 | OLDEST}
    ended = subprocess.run([sys.executable, *arguments], cwd=ROOT, env=own | {"OMP_NUM_THREADS": "1"} | environment, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


@pytest.fixture(scope="module")
def expected():
    return json.loads(python(["-m", "models.tests.test_reproducible"], {}))


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_every_processor_gets_the_same_integers(environment, expected):
    found = json.loads(python(["-m", "models.tests.test_reproducible"], ENVIRONMENTS[environment]))
    differing = [what for what in expected if found[what] != expected[what]]
    assert not differing, f"not the same under {environment}: {', '.join(differing)}; round what leads to the first of them (models/grid.py)"


@pytest.mark.slow
@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_calibration_writes_the_committed_file(environment, tmp_path):
    program = "\n".join([
        "from pathlib import Path", "from models import cache, calibration", f"cache.FOLDER = Path({str(tmp_path)!r})",
        "print(end=calibration.text_of(calibration.with_others(calibration.calibrate('silero'), calibration.read('silero'))))"])
    assert python(["-c", program], ENVIRONMENTS[environment]) == path_of("silero").read_text()


if __name__ == "__main__":
    print(json.dumps({what: digest for name in NETWORKS for what, digest in digests(name).items()}))
