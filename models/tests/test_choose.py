# SPDX-License-Identifier: MIT
"""The statistics that choose an operating point, on numbers whose answer is known."""

import numpy as np
import pytest

from models import choose
from models.choose import Swept, curve, isotonic, trimmed_mean


def test_isotonic_pools_what_descends():
    assert isotonic([1, 3, 2, 5]).tolist() == [1, 2.5, 2.5, 5]
    assert isotonic([3, 2, 1]).tolist() == [2, 2, 2]
    assert isotonic([3, 1], weights=[3, 1]).tolist() == [2.5, 2.5]


def test_trimmed_mean_leaves_the_worst_out():
    errors = np.ones(100)
    errors[[3, 50]] = 1000
    assert trimmed_mean(errors) == 1


@pytest.mark.parametrize("between, within", [(0.0, 1.0), (1.0, 0.2), (0.5, 0.5)])
def test_error_of_a_test_with_other_groups(between, within):
    """Predicted from one sample, on average over many, as the spread of the means of tests."""
    random = np.random.default_rng(0)
    sizes, test_sizes = random.integers(2, 30, 20), random.integers(5, 50, 40)

    def drawn(sizes):
        groups = np.repeat(np.arange(len(sizes)), sizes)
        return random.normal(0, between, len(sizes))[groups] + random.normal(0, within, len(groups)), groups

    found = [choose.test_error(differences, np.ones(len(differences)), groups, test_sizes) for differences, groups in (drawn(sizes) for _ in range(300))]
    true = np.std([drawn(test_sizes)[0].mean() for _ in range(3000)])
    assert 0.92 < np.sqrt(np.mean(np.square(found))) / true < 1.15


def test_error_of_a_test_falls_with_its_groups_or_its_samples():
    random = np.random.default_rng(1)
    groups = np.repeat(np.arange(50), 20)
    alone, shared = random.normal(size=1000), random.normal(size=50)[groups]
    error = lambda differences, sizes: choose.test_error(differences, np.ones(1000), groups, sizes)  # noqa: E731
    assert error(alone, [80] * 50) == pytest.approx(error(alone, [20] * 50) / 2, rel=0.1)
    assert error(shared, [80] * 50) == pytest.approx(error(shared, [20] * 50), rel=0.01)
    assert error(shared, [20] * 200) == pytest.approx(error(shared, [20] * 50) / 2, rel=0.01)


def sweep(noisy=None, slope=2e5, error=0.1):
    random = np.random.default_rng(2)
    points = []
    for log2_lambda in range(-40, -20, 2):
        excess = 1e-6 * 2.0 ** ((log2_lambda + 30) / 2)
        loss = slope * excess
        points.append(Swept(float(log2_lambda), excess, loss + random.normal(0, 0.02 + 0.05 * loss, 400), error * (1 + loss)))
    if noisy is not None:
        points[noisy].excess *= 20
        points[noisy].replicates = points[noisy].replicates + 1.5
    return points


def test_the_slope_of_the_loss_is_found_and_the_budget_is_kept():
    found = curve(sweep())
    assert found.slope == pytest.approx(2e5, rel=0.05)
    chosen = found.choose(1.0)
    loss, needed = found.at(chosen)
    assert needed <= 1 < found.at(chosen + 0.2)[1]
    assert loss == pytest.approx(2e5 * 1e-6 * 2 ** ((chosen + 30) / 2), rel=0.05)


def test_one_noisy_point_does_not_block_those_after_it():
    quiet, noisy = curve(sweep()).choose(1.0), curve(sweep(noisy=1)).choose(1.0)
    assert quiet > -30
    assert noisy > sweep()[3].log2_lambda
    assert abs(quiet - noisy) < 2


def test_points_without_excess_error_have_errors_of_their_own():
    """Where a policy errs no more than 8 bits over most of the sweep, what a test would tell still differs from point to point."""
    points = sweep(error=0.7)
    for place, point in enumerate(points[:6]):
        point.excess, point.error = -1e-6, 0.1 + 0.1 * place
    found = curve(points)
    assert found.at(-40.0)[1] == pytest.approx(0.1 * 3.24, abs=0.01) and found.at(-34.0)[1] == pytest.approx(0.4 * 3.24, abs=0.02)
    assert -37 < found.choose(1.0) < -34


def test_nothing_within_the_budget_is_the_least_multiplier():
    assert curve(sweep(error=1.0)).choose(0.5) == -40


def test_a_sweep_of_one_point_is_refused():
    with pytest.raises(ValueError, match="two are needed"):
        curve(sweep()[:1])
