# SPDX-License-Identifier: MIT
"""`make calibrate MODEL=`: operating points of the user's own LSTM, to a budget of the user's own metric.

Scales and weights come from the sequences of FIT. On those of SEARCH each policy is swept over its Lagrange multiplier, from nearly all rows in 8 bits to all at
the lowest level; where the choice lies the sweep grows finer. The choice is the fastest point whose loss against 8 bits is within the budget even at the upper end
of its 95 % interval, or the one at a share of rows or a speed. What it gives is told on the sequences of CHECK, which neither has seen.

What was found is kept in a folder named by the contents of the model file, so that models of one name never meet; `make sim` and `make eval` of the same
model find it there. It holds the sequences, and no absolute path: the path of the metric is relative to the folder of the model. Every point is cached,
so an interrupted run continues.
"""

import json
import os
import re
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from statistics import NormalDist

import numpy as np
import torch
from torch import Tensor

from .. import cache
from ..build import Build
from ..cache import cached
from ..choose import INTERVAL, isotonic
from ..error_budget import keep
from ..evaluation import interval
from ..grid import significant
from ..importers.imported import ImportFailure
from ..network_cycles import cycles
from ..networks.network import Sample
from ..policies import DECIDING, Policy
from ..quantize import LOG2_LAMBDAS
from ..quantized_network import QuantizedNetwork
from ..sources import code
from ..study import leading
from ..thresholds import seek
from .data import Sequence, Use
from .metric import Metric, load_metric
from .task import OwnSample, OwnTask, key_of_model, run

FOLDER = cache.FOLDER.parent / "own"
# Points that a sweep begins with, between these shares of rows at the lowest level on so many steps; the gap around the choice that is not halved any more.
POINTS, ENDS, PROBE_STEPS, NARROW, GRID = 7, (0.02, 0.999), 512, 0.5, 0.25
MOST_POINTS = 16
CYCLE_STEPS = 32  # that the cycle model runs, to know how long rows wait for each other


@dataclass(frozen=True)
class Target:
    """What to reach. kind: budget, a loss of the metric against 8 bits in its own unit; low_share, of rows at the lowest level, 0..1; speed, over the baseline build."""

    kind: str
    value: float

    def reached(self, points: "list[Point]") -> list[bool]:
        """Whether each point, by growing log2_lambda, is on the slow side of the target."""
        if self.kind == "budget":
            losses = isotonic([point.loss for point in points])
            return list(losses + NormalDist().inv_cdf(INTERVAL) * isotonic([point.error for point in points]) <= self.value)  # both only grow
        values = [point.shares[0] if self.kind == "low_share" else point.speed for point in points]
        return list(isotonic(values) < self.value)

    def choose(self, points: "list[Point]") -> "Point":
        """The fastest point within the budget, or the first one that has the share or the speed; at the end that is nearest, where there is none."""
        inside = sum(self.reached(points))
        return points[max(0, inside - 1)] if self.kind == "budget" else points[min(inside, len(points) - 1)]

    def __str__(self) -> str:
        return {"budget": f"loss of {self.value:g} at most", "low_share": f"{self.value:.0%} of the rows at the lowest level",
                "speed": f"{self.value:g}x the speed of the baseline build"}[self.kind]


@dataclass
class Point:
    """What a policy gives on the samples of a use. log2_lambda: None for one without thresholds. metric; loss against STATIC_HIGH in the unit of the metric, its
    standard error and 95 % interval over groups; shares of rows by level; mean quarters; speed over the baseline build, and over STATIC_HIGH."""

    policy: str
    log2_lambda: float | None
    metric: float
    loss: float
    error: float
    interval: tuple[float, float]
    shares: list[float]
    quarters: float
    speed: float
    over_high: float


@dataclass
class Calibration:
    """What was found: `task`, `target`, `build`, by policy the log2_lambda of the choice (`chosen`), all points of the sweeps (`points`)."""

    task: OwnTask
    target: Target
    build: Build
    chosen: dict[Policy, float] = field(default_factory=dict)
    points: list[Point] = field(default_factory=list)

    def quantized(self, policy: Policy = Policy.SENSITIVITY) -> QuantizedNetwork:
        """The network with the thresholds of all policies that were calibrated; `policy` is its own. Raises ValueError as OwnTask.quantize."""
        q = self.task.quantize()
        probe = leading(self.task.of(Use.SEARCH), PROBE_STEPS)
        for own, log2_lambda in self.chosen.items():
            q.set_log2_lambda(own, log2_lambda)
            key = ("own refinements", *_key(self.task), own.name, log2_lambda, code("models.own.calibrate"))
            keep(q, own, cached(key, lambda own=own: q.refinements(run(q, probe, own))))
        return q.for_policy(policy)

    def check(self, policies: Iterable[Policy] = (Policy.STATIC_HIGH, Policy.STATIC_LOW, *DECIDING), steps: int | None = None) -> list[Point]:
        """What the choice gives on the sequences of CHECK. steps: as of OwnTask.of."""
        known = [policy for policy in policies if policy not in DECIDING or policy in self.chosen]
        measured = _Measured(self.task, self.build, Use.CHECK, steps)
        return [measured.point(policy, self.chosen.get(policy)) for policy in known]

    def float_metric(self, use: Use = Use.CHECK, steps: int | None = None) -> float:
        """The metric of the LSTM in float, in its own unit, on so many steps of a use, as of OwnTask.of."""
        samples = self.task.of(use, steps)
        return self.task.metric(samples, self.task.float_outputs(samples))

    def save(self, folder: Path | None = None) -> Path:
        """Writes what `load` reads: in the folder of the model, or another one. Returns the folder."""
        folder = folder or folder_of(self.task)
        folder.mkdir(parents=True, exist_ok=True)
        metric = self.task.metric_of
        found = {
            "model": self.task.name, "node": self.task.node, "key": self.task.model_key, "inputs": self.task.about, "data": self.task.data_key,
            "metric": None if metric.is_signal_to_error else {
                "name": metric.name, "key": metric.key, "file": metric.file and os.path.relpath(metric.file, (self.task.path or cache.ROOT).parent.resolve())},
            "target": asdict(self.target), "build": asdict(self.build), "log2_lambda": {policy.name: value for policy, value in self.chosen.items()},
            "points": [_rounded(asdict(point)) for point in self.points],
        }
        _save_sequences(folder / "sequences.npz", self.task.sequences)
        (folder / "calibration.json").write_text(json.dumps(found, indent=1) + "\n")
        return folder


def calibrate(task: OwnTask, target: Target | None = None, policies: Iterable[Policy] = DECIDING, build: Build = Build(),
              progress: Callable[[], object] = lambda: None) -> Calibration:
    """Operating points of a task. target: a loss by default, of the metric's margin. progress: called after each point.

    Raises ImportFailure where sequences are too few or no budget is known, ValueError for weights or inputs that the formats do not hold.
    """
    task.check_enough()
    target = target or default_target(task.metric_of)
    measured = _Measured(task, build, Use.SEARCH)
    found = Calibration(task, target, build)
    for policy in policies:
        points = _sweep(measured, policy, target, progress)
        found.chosen[policy] = target.choose(points).log2_lambda
        found.points += points
    return found


def default_target(metric: Metric) -> Target:
    """The loss that a metric accepts by itself, its margin. Raises ImportFailure, which says what to give, where it has none."""
    if metric.margin is None:
        raise ImportFailure(f"BUDGET= is needed, the loss of {metric.name} against 8 bits that is accepted, in its own unit; or SHARE= or SPEED=, or a line "
                            "`margin = ...` in the file of METRIC=")
    return Target("budget", metric.margin)


def folder_of(task: OwnTask) -> Path:
    """The folder below build/ with what was found for a task, whether it is there or not."""
    return _folder(task.name, task.model_key)


def find(model: str | Path, node: str = "") -> Path | None:
    """The folder with what was found for a model file; None where it was never calibrated."""
    folder = _folder(Path(model).name, key_of_model(model, node))
    return folder if (folder / "calibration.json").exists() else None


def load(model: str | Path, node: str = "", metric: Metric | None = None) -> Calibration:
    """What `calibrate` found for a model file, with its sequences. metric: of METRIC=, where its file has moved. Raises FileNotFoundError and ImportFailure,
    which say what to do."""
    if not Path(model).is_file():
        raise FileNotFoundError(f"no file {model}")
    folder = find(model, node)
    if folder is None:
        raise FileNotFoundError(f"{Path(model).name} was never calibrated; run: make calibrate MODEL={model} INPUTS=inputs.npz")
    found = json.loads((folder / "calibration.json").read_text())
    task = OwnTask(model, _load_sequences(folder / "sequences.npz"), metric or _metric(found["metric"], model), node=node)
    if found["metric"] and task.metric_of.key != found["metric"]["key"]:
        raise ImportFailure(f"{task.metric_name}: the metric is another one than {Path(model).name} was calibrated with; run make calibrate again")
    task.about = found["inputs"]
    return Calibration(task, Target(**found["target"]), Build(**found["build"]), {Policy[name]: value for name, value in found["log2_lambda"].items()},
                       [Point(**{**point, "interval": tuple(point["interval"])}) for point in found["points"]])


def _metric(found, model):
    if not found:
        return None
    if not found["file"]:
        raise ImportFailure(f"{Path(model).name}: its metric is a function that was given from Python; give METRIC=file.py")
    path = Path(model).resolve().parent / found["file"]  # from the folder of the model, so that both can be moved
    if not path.is_file():
        raise ImportFailure(f"{found['file']}: the metric of {Path(model).name} is not there any more; give METRIC=file.py")
    return load_metric(path)


class _Measured:
    """Points of a task on the samples of a use."""

    def __init__(self, task: OwnTask, build: Build, use: Use, steps: int | None = None):
        self.task, self.build, self.use, self.steps = task, build, use, steps
        self.samples: list[OwnSample] = task.of(use, steps)
        self.quantized = task.quantize()
        # The figure of the float h stands for what a metric reads beside its text, such as the weights of what comes after the LSTM.
        figure = repr(task.metric(self.samples, task.float_outputs(self.samples)))
        self._key = (*_key(task), task.check_key, use.name, build, task.metric_of.key, figure, code("models.own.calibrate"))

    def point(self, policy: Policy, log2_lambda: float | None = None) -> Point:
        """Measured, or as it was kept."""
        def measure():
            found, outputs = self._run(policy, log2_lambda)
            metric, losses = self.task.metric(self.samples, outputs), self._loss(self._high[1], self.task.replicates(self.samples, outputs))
            return Point(policy.name, log2_lambda, metric, float(self._loss(self._high[0], metric)[0]), float(np.std(losses)), interval(losses),
                         self.quantized.level_shares(found), self.quantized.mean_quarters(found), self._speed(policy, found), 0.0)

        key = (*self._key, self.steps, policy.name, log2_lambda)
        point = cached(("own point", *key), measure)
        point.over_high = 1.0 if policy is Policy.STATIC_HIGH else point.speed / self.point(Policy.STATIC_HIGH).speed
        return point

    @cached_property
    def _high(self):
        """(metric, its replicates) of STATIC_HIGH."""
        outputs = self._run(Policy.STATIC_HIGH, None)[1]
        return self.task.metric(self.samples, outputs), self.task.replicates(self.samples, outputs)

    def _loss(self, high, metric):
        """How much worse than STATIC_HIGH; nothing where both are the same, or there is no figure."""
        count = min(np.size(high), np.size(metric))  # a mean over samples is drawn more often
        high, metric = np.ravel(high)[:count], np.ravel(metric)[:count]
        loss = np.where(high == metric, 0.0, np.subtract(high, metric) * (1 if self.task.higher_is_better else -1))
        return np.nan_to_num(loss, nan=0.0)

    def _run(self, policy, log2_lambda):
        if log2_lambda is not None:
            self.quantized.set_log2_lambda(policy, log2_lambda)
        found = run(self.quantized, self.samples, policy)
        return found, [layers[-1] for layers in found.hidden]

    def low_share(self, policy: Policy, log2_lambda: float) -> float:
        """On few steps."""
        self.quantized.set_log2_lambda(policy, log2_lambda)
        return self.quantized.low_share(self.quantized.run([sample.inputs for sample in self._few(PROBE_STEPS)], policy))

    def _few(self, steps):
        """So many steps of several samples, their beginnings."""
        part = max(1, steps // 8)
        return leading([Sample(sample.inputs[:part], sample.labels[:part], sample.group) for sample in self.samples], steps)

    def _speed(self, policy, found):
        """Words of all samples, with the waiting that the cycle model finds on few steps."""
        few = self._few(CYCLE_STEPS)
        q, baseline = self.quantized, self.build.baseline()
        run_of_few = q.run([sample.inputs for sample in few], policy)
        waiting = cycles(q, few, policy, self.build) / sum(q.words_by_quarter(run_of_few, self.build))
        waiting_baseline = cached(("own baseline", *self._key), lambda: cycles(q, few, Policy.STATIC_HIGH, baseline)) / _row_words(q, run_of_few, baseline)
        return _row_words(q, found, baseline) * waiting_baseline / (sum(q.words_by_quarter(found, self.build)) * waiting)


def _row_words(q, found, build):
    """Words of a row, over all rows of a run: of a baseline build, all that it adds."""
    return sum(int(counts.sum()) * build.row_words(layer) for direction, layers in zip(q.directions, found.rows) for layer, counts in zip(direction.layers, layers))


def _sweep(measured, policy, target, progress):
    """Points by growing log2_lambda."""
    low, high = _ends(measured, policy)
    wanted = {float(np.floor(number / GRID) * GRID) for number in np.linspace(low, high, POINTS)}
    points: dict[float, Point] = {}
    while wanted and len(points) < MOST_POINTS:
        for number in sorted(wanted):
            points[number] = measured.point(policy, number)
            progress()
        wanted = _following([points[number] for number in sorted(points)], target)
    return [points[number] for number in sorted(points)]


def _ends(measured, policy):
    """log2_lambda with nearly all rows in 8 bits, and with all at the lowest level."""
    share = {}

    def found():
        return share["now"]

    def set_to(number):
        share["now"] = measured.low_share(policy, number)

    return [seek(set_to, found, end, LOG2_LAMBDAS, 2.0) for end in ENDS]


def _following(points, target) -> set[float]:
    """Where to measure next: below the slowest point, if that is beyond the target, or halfway between the points around the choice."""
    inside, known = target.reached(points), [point.log2_lambda for point in points]
    if not any(inside):
        return {known[0] - 4} if points[0].shares[0] > 0 and target.kind == "budget" else set()
    last = sum(inside) - 1
    if last == len(points) - 1 or known[last + 1] - known[last] <= NARROW:
        return set()
    middle = float(np.floor((known[last] + known[last + 1]) / 2 / GRID) * GRID)
    return set() if middle in known else {middle}


def _key(task):
    return task.model_key, task.data_key


def _folder(name, key):
    return FOLDER / f"{re.sub(r'[^A-Za-z0-9_.-]', '_', name)}-{key[:12]}"


def _rounded(values):
    return {name: significant(value) if isinstance(value, float) else [significant(part) for part in value] if isinstance(value, list | tuple) else value
            for name, value in values.items()}


def _save_sequences(path, sequences):
    arrays: dict[str, np.ndarray] = {"groups": np.array([sequence.group for sequence in sequences])}
    for number, sequence in enumerate(sequences):
        arrays[f"inputs_{number}"] = sequence.inputs.numpy()
        if sequence.labels is not None:
            arrays[f"labels_{number}"] = np.asarray(sequence.labels)
    if sequences[0].state is not None:
        arrays |= {name: torch.stack([sequence.state[place] for sequence in sequences], dim=1).numpy() for place, name in enumerate(("h0", "c0"))}
    np.savez(path, **arrays)


def _load_sequences(path) -> list[Sequence]:
    with np.load(path, allow_pickle=False) as file:
        arrays = dict(file)
        groups = arrays["groups"].tolist()
        states: list[tuple[Tensor, Tensor] | None] = [None] * len(groups)
        if "h0" in arrays:
            h, c = (torch.from_numpy(arrays[name]) for name in ("h0", "c0"))
            states = [(h[:, number], c[:, number]) for number in range(len(groups))]
        return [Sequence(torch.from_numpy(arrays[f"inputs_{number}"]), arrays.get(f"labels_{number}"), state, group)
                for number, (group, state) in enumerate(zip(groups, states))]
