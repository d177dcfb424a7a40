# SPDX-License-Identifier: MIT
"""From a sweep over the Lagrange multiplier to the one with which a test shows no loss, with a probability of POWER.

Three curves over the sweep, each monotone because nothing else makes sense, so that no noisy point blocks those after it:

- excess error of the output over log2_lambda (pooled adjacent violators: isotonic least squares);
- loss of the task, a line through zero over the excess error, as small changes of a metric drown in noise and those of the output do not; its
  slope from all points, each with the weight of its variance;
- standard error of the loss in the test, isotonic over the sweep; not over the excess error, of which many points may have none. A test has
  other groups, and other numbers of samples in a group, than the data of the sweep: the variance between groups and within them is told apart
  (one-way random effects), and put together as the test needs it.

A test shows no loss where the end of the 95 % interval is within the margin: loss + 1.96 errors at most. It does so with a probability of
POWER where 1.96 + 1.28 errors are within it; the error of the slope counts as well.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

POWER, INTERVAL = 0.9, 0.975
TRIMMED = 0.02
SMALLEST = 1e-15


def trimmed_mean(errors: np.ndarray) -> float:
    """Mean over samples, float [samples], without the worst TRIMMED of them: one text that tips over would decide else. The unit is that of the errors."""
    kept = int(np.ceil(len(errors) * (1 - TRIMMED)))
    return float(np.partition(errors, kept - 1)[:kept].mean())


def isotonic(values: Sequence[float], weights: Sequence[float] | None = None) -> np.ndarray:
    """The ascending sequence, float64 [n], that is nearest to values [n], by squares with weights [n] (default: all alike): pooled adjacent violators.

    Raises ValueError for no values.
    """
    blocks: list[list[float]] = []
    for value, weight in zip(values, np.ones(len(values)) if weights is None else weights):
        blocks.append([float(value), float(weight), 1])
        while len(blocks) > 1 and blocks[-2][0] >= blocks[-1][0]:
            (low, low_weight, low_count), (high, high_weight, high_count) = blocks[-2:]
            total = low_weight + high_weight
            blocks[-2:] = [[(low * low_weight + high * high_weight) / total, total, low_count + high_count]]
    return np.concatenate([np.full(int(count), value) for value, _, count in blocks])


def test_error(differences: np.ndarray, weights: np.ndarray, groups: np.ndarray, test_sizes: Sequence[float]) -> float:
    """Standard error of the weighted mean of paired differences in a test, from those of other samples.

    differences, weights and groups [samples]: of the sweep; groups are whole numbers from 0 on, none left out. test_sizes: weight of each group of
    the test. One-way random effects with unequal groups (Searle, Casella and McCulloch, Variance Components, 1992, section 3.6). A negative
    variance between groups counts as zero, which errs towards too large a result.
    """
    size = np.bincount(groups, weights)
    mean = np.bincount(groups, weights * differences) / size
    total, samples = weights.sum(), len(differences)
    unit = total / samples  # weight of a sample
    within = float(weights @ (differences - mean[groups])**2) / unit / max(samples - len(size), 1)
    between = 0.0
    if len(size) > 1:
        spread = float(size @ (mean - np.average(differences, weights=weights))**2) / unit
        between = max(0.0, (spread - (len(size) - 1) * within) / ((total - size @ size / total) / unit))
    sizes = np.asarray(test_sizes, dtype=float)
    return float(np.sqrt((sizes**2).sum() / sizes.sum()**2 * between + within * unit / sizes.sum()))


@dataclass
class Swept:
    """A point of a sweep: excess error of the output, loss of the task in margins with its bootstrap [replicates], and its error in a test, in margins.

    log2_lambda: log2 of the Lagrange multiplier. excess: mean squared error of the comparable output, less that of STATIC_HIGH.
    """

    log2_lambda: float
    excess: float
    replicates: np.ndarray
    error: float


@dataclass
class Curve:
    """What a sweep says: excess and error [points], float64, made monotone over log2_lambda [points]; slope of the loss over the excess, and its standard error.

    error, slope * excess: in margins.
    """

    log2_lambda: np.ndarray
    excess: np.ndarray
    error: np.ndarray
    slope: float
    slope_error: float

    def at(self, log2_lambda: float) -> tuple[float, float]:
        """(loss expected, budget needed), in margins, at a log2_lambda; that of the nearer end beyond the sweep."""
        excess = float(np.exp(np.interp(log2_lambda, self.log2_lambda, np.log(self.excess))))
        error = float(np.interp(log2_lambda, self.log2_lambda, self.error))
        quantiles = NormalDist().inv_cdf(INTERVAL) + NormalDist().inv_cdf(POWER)
        return self.slope * excess, self.slope * excess + quantiles * float(np.hypot(error, excess * self.slope_error))

    def choose(self, budget: float, steps: int = 400) -> float:
        """The largest log2_lambda within the sweep that a budget in margins allows; the smallest one if none is. steps: parts of the sweep between which it chooses."""
        candidates = np.linspace(self.log2_lambda[0], self.log2_lambda[-1], steps + 1)
        allowed = [candidate for candidate in candidates if self.at(candidate)[1] <= budget]
        return float(max(allowed, default=candidates[0]))


def curve(sweep: list[Swept]) -> Curve:
    """The curves of a sweep, of two points or more. Raises ValueError for fewer."""
    if len(sweep) < 2:
        raise ValueError(f"a sweep of {len(sweep)} points: two are needed")
    sweep = sorted(sweep, key=lambda point: point.log2_lambda)
    raw = np.array([point.excess for point in sweep])
    excess = np.maximum(isotonic(raw), SMALLEST)
    errors = isotonic([point.error for point in sweep])
    losses = np.array([point.replicates for point in sweep])
    losses = losses[:, ~np.isnan(losses).any(axis=0)]
    # The variance of a loss grows with it: a weight of excess / variance makes each point count by what it tells of the slope.
    weights = excess / np.maximum(losses.var(axis=1), 1e-8)
    slopes = weights @ losses / (weights @ excess)
    return Curve(np.array([point.log2_lambda for point in sweep]), excess, errors, max(float(slopes.mean()), 0.0), float(slopes.std()))
