# SPDX-License-Identifier: MIT
"""ddddocr: which characters does the captcha show?

Image of 64 x 213 -> 21 convolutions -> 27 columns of 512 features, one a step -> LSTM 1 x 512,
bidirectional -> linear -> CTC. The graph is the package's common.onnx. PyTorch runs its
convolutions in float64, as float32 differs from processor to processor, and holds the LSTM and
the rows of the linear layer that are needed. Those are the blank and ALPHABET, for a reader of
captchas knows which characters occur; the network itself tells 8209 characters apart, most of
them Chinese.

The captchas are drawn by the Python package captcha with its defaults except for a wider image and
one font size, with which the network reads about four in five.
"""

import random
import runpy
from collections.abc import Iterable, Sequence
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from unittest import mock

import captcha.image
import numpy as np
import onnx
import torch
from onnx import numpy_helper
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional

from .ctc import root_probabilities, share_read
from .network import Network, Part, Sample, in_calibration, in_fit, on_grid
from .turns import whole_samples

# Of digits and small letters (the network reads capitals as small), those that it tells apart.
ALPHABET = "bcdefhkmnprstuvwxy23456789"
LENGTHS = (4, 5)
WIDTH, HEIGHT, FONT_SIZE = 200, 60, 42
NETWORK_HEIGHT = 64
NETWORK_WIDTH = WIDTH * NETWORK_HEIGHT // HEIGHT
GROUPS = tuple(f"captcha {seed}" for seed in range(16384))
# Groups of the frozen data: some of those of today's calibration and test, and new ones.
FROZEN_GROUPS = GROUPS[:3072]
FROZEN_TEST_GROUPS = tuple(f"captcha {seed}" for seed in range(16384, 16384 + 4096))


def package_path() -> Path:
    """The package's folder. Raises FileNotFoundError when it is not installed."""
    try:
        return Path(distribution("ddddocr").locate_file("ddddocr"))
    except PackageNotFoundError:
        raise FileNotFoundError("no Python package ddddocr: run `make setup`") from None


def classes() -> list[int]:
    """Classes of the blank and of ALPHABET among those of the package's network. Raises FileNotFoundError when it is not installed."""
    characters = runpy.run_path(str(package_path() / "charsets.py"))["CHARSET_BETA"]
    return [characters.index(character) for character in ("", *ALPHABET)]


class Convolutions:
    """The graph from the image to the columns, up to the value of that name, in float64."""

    def __init__(self, model: onnx.ModelProto, output: str):
        extractor = onnx.utils.Extractor(onnx.shape_inference.infer_shapes(model))
        graph = extractor.extract_model(["input1"], [output]).graph
        operators = [node.op_type for node in graph.node]
        # What follows puts the columns first and the channels of all rows side by side.
        self._nodes = graph.node[: operators.index("Transpose")]
        self._weights = {
            array.name: torch.from_numpy(numpy_helper.to_array(array).copy()).double()
            for array in graph.initializer
        }

    def __call__(self, pixels: Tensor) -> Tensor:
        """Columns, float64 [steps, 512], of an image, float [64, columns] from 0 black to 1 white."""
        values = {**self._weights, "input1": pixels.double()[None, None]}
        for node in self._nodes:
            arguments = [values[name] for name in node.input]
            if node.op_type == "Conv":
                settings = {part.name: list(part.ints) for part in node.attribute}
                top_left = settings["pads"][:2]
                x = functional.conv2d(*arguments, settings["strides"], top_left)
            else:
                operator = {"Sigmoid": torch.sigmoid, "Mul": torch.mul, "Add": torch.add}
                x = operator[node.op_type](*arguments)
            values[node.output[0]] = x
        return x[0].permute(2, 0, 1).flatten(1)


class Ddddocr(Network):
    """Captchas; inputs are float32 [27, 512], labels int64 [characters], counted from 1 in ALPHABET."""

    name = "ddddocr"
    needs_whole = True
    metric_name = "captchas read correctly"

    def __init__(self):
        model = onnx.load(package_path() / "common.onnx")
        weights = {array.name: array for array in model.graph.initializer}
        nodes = {node.op_type: node for node in model.graph.node}

        def values(name: str) -> Tensor:
            return torch.from_numpy(numpy_helper.to_array(weights[name]).copy())

        features, *lstm_weights = nodes["LSTM"].input[:4]
        self.lstm = _lstm(*map(values, lstm_weights))
        self._weight, self._bias = (
            values(name)[classes()].double() for name in nodes["Gemm"].input[1:]
        )
        self._convolutions = Convolutions(model, features)

    def calibration(self, steps: int | None = None) -> list[Sample]:
        """As Network.calibration, in whole samples: captchas of GROUPS."""
        return self._first(steps, filter(in_calibration, GROUPS))

    def test(self, steps: int | None = None) -> list[Sample]:
        """As Network.test, in whole samples: captchas of GROUPS."""
        return self._first(steps, (group for group in GROUPS if not in_calibration(group)))

    def samples(self, part: Part, steps: int | None = None) -> list[Sample]:
        """As Network.samples, in whole samples: captchas of FROZEN_GROUPS, and of FROZEN_TEST_GROUPS in the test."""
        chosen = FROZEN_TEST_GROUPS if part is Part.TEST else (group for group in FROZEN_GROUPS if in_fit(group) == (part is Part.FIT))
        return self._first(steps, chosen)

    def head(self, sample: Sample, hidden: Sequence[Tensor]) -> Tensor:
        """Logits, float64 [steps, 1 + characters], of the blank and of ALPHABET, from h [steps, 1024] of both directions."""
        return functional.linear(hidden[-1].double(), self._weight, self._bias)

    def metric(self, samples: Sequence[Sample], outputs: Sequence[Tensor]) -> float:
        """Share, 0..1, of images with every character right, on the best path through the logits [steps, 1 + characters]."""
        return share_read(samples, outputs)

    def comparable(self, output: Tensor) -> Tensor:
        """Roots of the probabilities, of the shape of the logits, [steps, 1 + characters]: their distance is Hellinger's."""
        return root_probabilities(output)

    def features(self, pixels: np.ndarray) -> Tensor:
        """LSTM inputs, float32 [steps, 512], of an image, float [64, columns] from 0 black to 1 white."""
        return on_grid(self._convolutions(torch.from_numpy(pixels)))

    def _first(self, steps: int | None, groups: Iterable[str]) -> list[Sample]:
        return whole_samples(self.name, steps, map(self._sample, groups), "captchas")

    def _sample(self, group: str) -> Sample:
        pixels, labels = draw(group)
        return Sample(self.features(pixels), torch.tensor(labels), group)


class _Seeded:
    """What the package captcha calls of `secrets`, from one seed instead.

    Only `Random.random` is promised to give the same numbers in every version of Python.
    """

    def __init__(self, seed: str):
        self._random = random.Random(seed).random

    def randbelow(self, stop: int) -> int:
        return int(self._random() * stop)

    def randbits(self, bits: int) -> int:
        return self.randbelow(2**bits)

    def choice(self, options: Sequence):
        return options[self.randbelow(len(options))]


def draw(group: str) -> tuple[np.ndarray, list[int]]:
    """The image of a group as the network takes it, float32 [64, 213] in 0..1, and its labels."""
    secrets = _Seeded(group)
    labels = [1 + secrets.randbelow(len(ALPHABET)) for _ in range(secrets.choice(LENGTHS))]
    with mock.patch.object(captcha.image, "secrets", secrets):
        painter = captcha.image.ImageCaptcha(WIDTH, HEIGHT, font_sizes=(FONT_SIZE,))
        image = painter.generate_image("".join(ALPHABET[label - 1] for label in labels))
    image = image.resize((NETWORK_WIDTH, NETWORK_HEIGHT), Image.Resampling.LANCZOS).convert("L")
    return np.asarray(image, np.float32) / 255, labels


def _lstm(weight_ih: Tensor, weight_hh: Tensor, bias: Tensor) -> nn.LSTM:
    """A layer with the weights of ONNX's bidirectional operator LSTM, each [2, ...].

    ONNX stacks the gates as i, o, f, c and keeps both biases in one vector; PyTorch stacks them
    as i, f, g, o, where g is ONNX's c.
    """
    lstm = nn.LSTM(weight_ih.shape[2], weight_hh.shape[2], bidirectional=True)
    lstm.requires_grad_(False)
    for direction, parameters in enumerate(lstm.all_weights):
        stacks = (weight_ih[direction], weight_hh[direction], *bias[direction].chunk(2))
        for parameter, stack in zip(parameters, stacks, strict=True):
            i, o, f, c = stack.chunk(4)
            parameter.copy_(torch.cat((i, f, c, o)))
    return lstm
