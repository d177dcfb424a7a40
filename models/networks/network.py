# SPDX-License-Identifier: MIT
"""What every network offers to the compiler, the bench and the evaluation."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from hashlib import sha256

from torch import Tensor, nn

from ..float_lstm import hidden_states
from ..grid import round_to

INPUT_GRID = 2.0**-20
# A value nearer than this to the middle between two points of the grid, in steps, is rounded to either by processors whose sums differ in their last bits.
UNSETTLED = 1e-8
# The middles that frozen data come so near to, and the point that was frozen.
SETTLED = {8832.5: 8832, 194006.5: 194007, 275277.5: 275277, 1005489.5: 1005489, -3016.5: -3017, -131310.5: -131310, -253909.5: -253909, -457083.5: -457084,
           -1198355.5: -1198356, -1369255.5: -1369256}
FLOAT_BATCH = 64  # samples that the float LSTM runs at once


class Part(Enum):
    """Parts of a network's frozen data; no group, and no recording, image or stretch of text, is in two.

    FIT: scales, rounded weights, biases and thresholds come from it.
    HELD_OUT: designs and operating points are chosen by it.
    TEST: never seen by anything but the last evaluation.
    """

    FIT = "fit"
    HELD_OUT = "held out"
    TEST = "test"


@dataclass(frozen=True)
class Sample:
    """One recorded sequence as the LSTM sees it, starting from zero state.

    inputs: float32 [steps, inputs] of the first layer, the same bits on every processor: `on_grid`
        makes them so.
    labels: what the task's metric compares with; the shape is the network's own.
    group: the speaker, document or image seed it comes from: the unit that separates
        calibration from test, and over which confidence intervals are drawn.
    """

    inputs: Tensor
    labels: Tensor
    group: str


class Network(ABC):
    """A pretrained LSTM, the parts before and after it, and recorded data for its task.

    name: as in `NET=name`.
    metric_name: its name, for tables.
    higher_is_better: whether a larger metric is a better one.
    relative_margin: whether metrics are compared by their ratio, as bits are; rates by points.
    needs_whole: whether the metric needs all steps of a sample.
    own_margin: of a metric that is neither: what counts as no loss, in its unit.
    lstm: the LSTM in float with its pretrained weights.
    """

    name: str
    metric_name: str
    higher_is_better = True
    relative_margin = False
    needs_whole = False
    own_margin: float | None = None
    lstm: nn.LSTM

    @abstractmethod
    def calibration(self, steps: int | None = None) -> list[Sample]:
        """The first `steps` steps (all without it) of the groups that calibration may see.

        The same steps on every call. Raises ValueError when there are not so many, and
        FileNotFoundError that names the package when the recordings are not installed.
        """

    @abstractmethod
    def test(self, steps: int | None = None) -> list[Sample]:
        """As `calibration`, from the groups that calibration never sees. Raises the same errors."""

    def samples(self, part: Part, steps: int | None = None) -> list[Sample]:
        """The first `steps` steps (all without it) of a part of the frozen data.

        The same samples on every call, groups in turn, so that few steps already hold many groups.
        Raises ValueError when there are not so many steps or the network has no frozen data, and
        FileNotFoundError that names the Debian package when its data are not installed.
        """
        raise ValueError(f"{self.name} has no frozen data")

    @abstractmethod
    def head(self, sample: Sample, hidden: Sequence[Tensor]) -> Tensor:
        """Task output from the LSTM's hidden states.

        hidden: a float tensor [steps, outputs] for each layer, as `nn.LSTM` gives it (both directions side by side in a bidirectional layer). Integer states are in
        units of 1/120: divide them by 120 first. Whatever their type, the output is computed in float64; its shape is the network's own.
        """

    @abstractmethod
    def metric(self, samples: Sequence[Sample], outputs: Sequence[Tensor]) -> float:
        """Metric of the task, in the unit that metric_name says, of one head output a sample, float64 of the shape that `head` gives it."""

    def weight(self, sample: Sample) -> int:
        """What a sample counts in a metric that is a mean: 1, or the number of its letters."""
        return 1

    def comparable(self, output: Tensor) -> Tensor:
        """The head's output where equal distances mean equal changes of the task, float64 of its own shape, differentiable."""
        return output

    def float_outputs(self, samples: Iterable[Sample]) -> list[Tensor]:
        """Head outputs of the float LSTM, the reference for every integer run: one a sample, float64, of the shape that `head` gives it."""
        samples, outputs = list(samples), []
        for start in range(0, len(samples), FLOAT_BATCH):
            batch = samples[start : start + FLOAT_BATCH]
            hidden = hidden_states(self.lstm, [sample.inputs for sample in batch])
            outputs += map(self.head, batch, hidden)
        return outputs


def on_grid(inputs: Tensor, step: float = INPUT_GRID) -> Tensor:
    """Inputs of an LSTM, float32, from float64 of the same shape: multiples of a step, a power of two far below a unit of 8 bits.

    Near a middle of SETTLED the point is the one that stands there.
    """
    points = inputs.double() / step
    rounded = round_to(points, 1)
    for middle, point in SETTLED.items():
        rounded[(points - middle).abs() < UNSETTLED] = point
    return (rounded * step).float()


def in_calibration(group: str) -> bool:
    """Whether a group belongs to calibration: by its name alone, so that the split never drifts."""
    return sha256(group.encode()).digest()[-1] % 2 == 0


def in_fit(group: str) -> bool:
    """Whether a group that was in today's calibration or test belongs to FIT, a third of them, or to HELD_OUT: by its name alone."""
    return sha256(group.encode()).digest()[0] % 3 == 0
