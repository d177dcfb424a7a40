# SPDX-License-Identifier: MIT
"""Metrics of the tasks and ideal speeds, from the integer model over the whole test."""

from models.calibration import load_quantized
from models.policies import DECIDING
from models.quarters.rivals import RivalStudy
from models.study import Use
from tb.commands.evaluation.task import FLOAT, Task, operating_point, rivals_of, study_of


def fit(task: Task) -> None:
    """Only that the test data, the float metric, and what all policies are fitted with are in the cache, once."""
    study = study_of(task.net, task.steps)
    study.float_estimate(Use.TEST)
    for policy in DECIDING:
        load_quantized(task.net, policy)
    for label in (DECIDING[0].name, *rivals_of(task.net)):
        study.quantized(operating_point(task.net, label).design)


def metric(task: Task) -> dict:
    """Estimate of the metric over all test samples; except for FLOAT the estimate of the ideal speed over the baseline build, shares, and quarters."""
    study = study_of(task.net, task.steps)
    if task.policy == FLOAT:
        return {"estimate": study.float_estimate(Use.TEST)}
    return _measured(study, task)


def _measured(study: RivalStudy, task):
    at = operating_point(task.net, task.policy)
    point = study.point(Use.TEST, at.design, at.policy, at.log2_lambda, seed=task.seed)
    return {"estimate": point.estimate, "speed": study.speed(Use.TEST, point), "over_high": point.over_high, "levels": point.shares,
            "low_share": point.shares[0], "low_weights": point.low_weights}
