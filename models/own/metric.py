# SPDX-License-Identifier: MIT
"""METRIC=: the figure that the user's task is judged by, a function of outputs h; without one, signal to error of h."""

import hashlib
import importlib.util
import math
import secrets
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..importers.imported import ImportFailure

LOSS_DB = 3.0


@dataclass(frozen=True)
class Metric:
    """function(outputs, labels): a figure of a list of h, float64 [steps, units] each, and of what the file of inputs has as their labels, the h of the float
    LSTM where it has none. margin: loss that is accepted where no budget is given; key: of its text; file: where it comes from."""

    function: Callable[[list, list], float]
    name: str
    higher_is_better: bool = True
    margin: float | None = None
    key: str = ""
    file: Path | None = None

    @property
    def is_signal_to_error(self) -> bool:
        """Whether it is signal to error of h, as without METRIC=."""
        return self.function is signal_to_error

    def __call__(self, outputs: list, labels: list) -> float:
        """The figure. Raises ImportFailure, which names the line, where the user's function fails."""
        try:
            return float(self.function(outputs, labels))
        except Exception as error:
            places = [frame for frame in traceback.extract_tb(error.__traceback__) if self.file and Path(frame.filename) == self.file]
            where = f"{self.file.name}, line {places[-1].lineno}" if places else self.name
            raise ImportFailure(f"{where}: metric(outputs, labels) failed: {type(error).__name__}: {' '.join(str(error).split())}") from error

    def of_part(self, outputs: list, labels: list) -> float:
        """As `__call__`, of some of the sequences; NaN where there is no such figure, as of labels that are all alike."""
        try:
            return float(self.function(outputs, labels))
        except (ArithmeticError, ValueError, IndexError):
            return math.nan


def signal_to_error(outputs: Sequence[np.ndarray], exact: Sequence[np.ndarray]) -> float:
    """Power of the float h over that of the error, in dB, of h, float64 [steps, units] a sequence."""
    return decibels(*(sum(part) for part in zip(*powers(outputs, exact))))


def powers(outputs: Sequence[np.ndarray], exact: Sequence[np.ndarray]) -> list[tuple[float, float]]:
    """(power of the float h, power of the error) of each sequence, sums of squares of [steps, units]."""
    return [(float(np.square(right).sum()), float(np.square(output - right).sum())) for output, right in zip(outputs, exact)]


def decibels(signal: float, error: float) -> float:
    """10 log10(signal / error), of powers; infinite where one of them is zero."""
    return 10 * math.log10(signal / error) if error and signal else math.inf


SIGNAL_TO_ERROR = Metric(signal_to_error, "signal to error of h, dB", margin=LOSS_DB, key="signal to error")


def load_metric(path: str | Path) -> Metric:
    """The metric of a Python file: its function `metric(outputs, labels)`, and, if it has them, `name`, `higher_is_better`, `margin`.

    Raises ImportFailure, which says what to do, and FileNotFoundError.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"no file {path}")
    spec = importlib.util.spec_from_file_location(f"_metric_{path.stem}", path.resolve())
    if spec is None:
        raise ImportFailure(f"{path.name}: METRIC= is a Python file, my_task.py, with a function metric(outputs, labels)")
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise ImportFailure(f"{path.name}: it cannot be imported: {type(error).__name__}: {' '.join(str(error).split())}") from error
    if not callable(getattr(module, "metric", None)):
        raise ImportFailure(f"{path.name}: no function metric(outputs, labels); write one that returns a number")
    margin = getattr(module, "margin", None)
    if margin is not None and not (isinstance(margin, int | float) and margin > 0):
        raise ImportFailure(f"{path.name}: margin = {margin!r}; a number above 0 is needed, the loss that is accepted without BUDGET=")
    return Metric(module.metric, str(getattr(module, "name", path.stem)), bool(getattr(module, "higher_is_better", True)), margin,
                  hashlib.sha256(path.read_bytes()).hexdigest(), path.resolve())


def as_metric(metric: "Metric | Callable | str | Path | None") -> Metric:
    """A Metric from a file, from a function with attributes as of such a file, or, of None, signal to error. Raises ImportFailure and FileNotFoundError as
    load_metric."""
    if metric is None:
        return SIGNAL_TO_ERROR
    if isinstance(metric, Metric):
        return metric
    if not callable(metric):
        return load_metric(metric)
    # What a function computes is in no file that could be named: nothing is kept of it from one run to the next.
    return Metric(metric, getattr(metric, "__name__", "metric"), getattr(metric, "higher_is_better", True), getattr(metric, "margin", None), secrets.token_hex(16))
