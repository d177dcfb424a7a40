# SPDX-License-Identifier: MIT
"""Metrics of the tasks, from the integer model. given: the result of the task beside the fit that one needs, or None."""

from functools import lru_cache

from models.calibration import load_quantized, swept_log2_lambda
from models.evaluation import Bootstrap, evaluate, spread
from models.policies import DECIDING, Policy
from tb.commands.evaluation.task import FLOAT, Task, network_of, quantized_of, samples_of

FRONTIER_STEPS = 20_000


@lru_cache(maxsize=1)
def _bootstrap(net, steps):
    return Bootstrap(network_of(net), samples_of(net, steps))


def fit(task: Task, given: dict | None) -> None:
    """Only that the test data and what was calibrated are in the cache, once."""
    samples_of(task.net, task.steps)
    for policy in DECIDING:
        load_quantized(task.net, policy)


def metric(task: Task, given: dict | None) -> dict:
    """Metric of the task over all test samples, low share, mean of quarters, shares of levels."""
    network, samples = network_of(task.net), samples_of(task.net, task.steps)
    if task.policy == FLOAT:
        return {"estimate": _bootstrap(task.net, task.steps).estimate(network.float_outputs(samples))}
    quantized = quantized_of(task, given)
    found, run = evaluate(network, quantized, samples, Policy[task.policy], given and given["shares"])
    others = {"next-character accuracy": network.accuracy(samples, found)} if hasattr(network, "accuracy") else {}
    return {"estimate": _bootstrap(task.net, task.steps).estimate(found), "others": others, "low_share": quantized.low_share(run),
            "mean_quarters": quantized.mean_quarters(run), "shares": quantized.shares(run)}


def frontier(task: Task, given: dict | None) -> dict:
    """Mean of quarters and metric over some of the test samples, at a low share that the calibration of the policy measured, or that RANDOM has."""
    network = network_of(task.net)
    samples = spread(samples_of(task.net, task.steps), FRONTIER_STEPS)
    policy, shares = Policy[task.policy], None
    quantized = quantized_of(task)
    if policy in DECIDING:
        quantized.set_log2_lambda(policy, swept_log2_lambda(task.net, policy, task.share))
    elif policy == Policy.RANDOM:  # rows at all quarters, or at the lowest level
        shares = [[[[task.share, *[0.0] * (len(layer.levels) - 2), 1 - task.share]] * 4 for layer in direction.layers] for direction in quantized.directions]
    found, run = evaluate(network, quantized, samples, policy, shares)
    return {"mean_quarters": quantized.mean_quarters(run), "value": network.metric(samples, found)}
