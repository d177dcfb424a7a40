# SPDX-License-Identifier: MIT
"""`make calibrate`: scales, weights, biases and thresholds of a network from its calibration data alone, to an accuracy budget.

1. The gradient of the task's output in each pre-activation says where errors matter; scales, the rounding of weights, b_low and the row offsets
   of the thresholds follow from it (models.quantize). Of a few variants (EMPHASES, CELL_FLOORS) the one with the least error of the output
   is taken. One parameter is left for each policy, log2_lambda (models.thresholds).
2. A sweep over that log2_lambda measures the low share, the excess E (mean squared error of the output against float, less STATIC_HIGH's), and
   the change of the metric with its bootstrap. Small changes of a metric drown in the noise of few samples; E does not. So the loss
   is taken as proportional to E, a E, with `a` fitted where the loss is visible (LOCAL). The log2_lambda is chosen with which a test of the
   network's size shows no loss with a probability of POWER, its sampling error as that of the calibration; between the points of the sweep,
   more are measured (BISECTIONS).
Numbers are rounded to six digits before anything is chosen from them, so that every processor finds and writes the same (models.grid). Fit and
every point of the sweep are cached, so that what was interrupted goes on. What was found is written to models/calibrated/.
"""

import argparse
import json
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from statistics import NormalDist

import numpy as np
import torch
from rich import box
from rich.console import Console
from rich.table import Table
from torch import Tensor
from tqdm import tqdm

from .cache import cached
from .evaluation import MARGIN, TEST_STEPS, Bootstrap, outputs, task_loss
from .fit import fit
from .grid import significant
from .networks import NETWORKS, Network, Sample, load
from .policies import Policy
from .quantized_network import QuantizedNetwork
from .sources import code
from .thresholds import CELL_FLOORS, seek, set_cell_floor, set_log2_lambda

FOLDER = Path(__file__).resolve().parent / "calibrated"
FIT_STEPS = 12_800
# Bits per character vary much from text to text, pairs of voices from voice to voice; a string has few letters.
SEARCH_STEPS = {"textgenrnn": 160_000, "resemblyzer": 80_000, "spelling": 80_000}
OTHER_SEARCH_STEPS = 40_000
PROBE_STEPS = 2048  # on which the log2_lambda for a low share is sought, and refinements are counted for the compiler
# Which frames weights are rounded for (see `quantize`), and the cell_floor, are tried on the network's error.
EMPHASES, VARIANT_SHARE, VARIANT_STEPS = (0.0, 1.0), 0.85, 12_000
LOCAL, POWER, BISECTIONS = 16.0, 0.9, 2
# A sweep ends behind the first loss, in margins, that is this large: nothing beyond it can be chosen.
ENOUGH = 6.0
LOG2_LAMBDAS = (-140.0, 60.0)
# Policies that decide, and the low shares of their sweeps.
SHARES = {
    Policy.SENSITIVITY: (0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95, 0.98, 1.0),
    Policy.CELL_HISTORY: (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0),
}


@dataclass
class Point:
    """A point of a sweep: the policy's log2_lambda, low share, excess error of the output; in margins the mean loss of the task, its standard error
    in a test, and `needed`, the budget with which such a test shows no loss with a probability of POWER."""

    policy: str
    log2_lambda: float
    low_share: float
    excess: float
    loss: float
    error: float
    needed: float = float("nan")


def set_thresholds(quantized: QuantizedNetwork, policy: Policy, log2_lambda: float) -> None:
    """Set a policy's log2_lambda in all directions."""
    for direction in quantized.directions:
        set_log2_lambda(direction, policy, log2_lambda)


def log2_lambda_for(quantized: QuantizedNetwork, policy: Policy, low_share: float, inputs: list[Tensor], precision: float = 0.4) -> float:
    """The log2_lambda with which a policy comes near to a low share on some inputs; it is set."""
    return seek(lambda log2_lambda: set_thresholds(quantized, policy, log2_lambda), lambda: quantized.low_share(quantized.run(inputs, policy)), low_share,
                LOG2_LAMBDAS, precision)


class Calibration:
    """Calibration data of a network and what was fitted to it, with an emphasis."""

    def __init__(self, network: Network, emphasis: float):
        self.network, self.emphasis = network, emphasis
        module = type(network).__module__
        self._samples_key = (network.name, code(module))
        self.quantized = cached(("fit", network.name, code("models.fit", module), FIT_STEPS, emphasis), self._fit)
        self.key = (network.name, code("models.calibration", module), FIT_STEPS, emphasis, search_steps(network.name), PROBE_STEPS)

    @cached_property
    def _samples(self):
        """Samples of the fit, and those behind them; who finds all that it asks for in the cache needs none."""
        steps = FIT_STEPS + search_steps(self.network.name)
        samples = cached(("calibration", steps, *self._samples_key), lambda: _first(self.network, steps))
        few = _leading(samples, FIT_STEPS)
        return few, samples[len(few):]

    def _fit(self):
        few, _ = self._samples
        return fit(self.network, few, self.emphasis)

    @property
    def search(self) -> list[Sample]:
        return self._samples[1]

    @property
    def probe(self) -> list[Tensor]:
        return [sample.inputs for sample in _leading(self.search, PROBE_STEPS)]

    def variants(self) -> dict:
        """Mean squared error of the output on some of the search samples, STATIC_HIGH's and SENSITIVITY's at VARIANT_SHARE together, by
        cell_floor."""
        samples = _leading(self.search, VARIANT_STEPS)
        inputs, exact = [sample.inputs for sample in samples], self.network.float_outputs(samples)

        def error(policy):
            return output_change(self.network, outputs(self.network, samples, self.quantized.run(inputs, policy)), exact)

        high, result = error(Policy.STATIC_HIGH), {}
        for cell_floor in CELL_FLOORS:
            self.set_cell_floor(cell_floor)
            log2_lambda_for(self.quantized, Policy.SENSITIVITY, VARIANT_SHARE, self.probe)
            result[cell_floor] = significant(high + error(Policy.SENSITIVITY))
        return result

    def set_cell_floor(self, cell_floor: int) -> None:
        """Set it in all directions; a number of SENSITIVITY must be set behind it."""
        self.cell_floor = cell_floor
        for direction in self.quantized.directions:
            set_cell_floor(direction, cell_floor)

    def sweep(self, policy: Policy, budget: float, progress: Callable[[int], None]) -> tuple[list, float]:
        """[(Point, replicates of the loss in margins)] of a policy in the order of their log2_lambdas, and the log2_lambda that a budget in margins
        allows."""
        measure, measured = None, []

        def at(place, log2_lambda):
            def point():
                nonlocal measure
                measure = measure or _Measure(self, progress)
                return measure(policy, log2_lambda())

            return cached(("point", *self.key, self.cell_floor, policy.name, place), point)

        for share in SHARES[policy]:
            measured.append(at(share, lambda: log2_lambda_for(self.quantized, policy, share, self.probe)))
            if measured[-1][0].loss > ENOUGH:
                break
        for _ in range(BISECTIONS):
            within = choose(measured, budget)
            if within is None or within + 1 == len(measured):
                break
            middle = (measured[within][0].log2_lambda + measured[within + 1][0].log2_lambda) / 2
            measured.insert(within + 1, at(("log2_lambda", middle), lambda: middle))
        return measured, measured[choose(measured, budget) or 0][0].log2_lambda

    def refinements(self, policy: Policy) -> list:
        """Rows that each unit refines in a step of the probe, [direction][layer][unit]."""
        return self.quantized.run(self.probe, policy).refinements()


class _Measure:
    """Measures policies on the search samples against STATIC_HIGH."""

    def __init__(self, calibration, progress):
        self.calibration, self.network, self.samples = calibration, calibration.network, calibration.search
        self.progress, self.inputs = progress, [sample.inputs for sample in calibration.search]
        self.bootstrap = Bootstrap(self.network, self.samples)
        self.exact = self.network.float_outputs(self.samples)
        high, _ = self._run(Policy.STATIC_HIGH)
        self.high_error, self.high_estimate = output_change(self.network, high, self.exact), self.bootstrap.estimate(high)

    def _run(self, policy):
        run = self.calibration.quantized.run(self.inputs, policy, progress=self.progress)
        return outputs(self.network, self.samples, run), run

    def __call__(self, policy, log2_lambda):
        set_thresholds(self.calibration.quantized, policy, log2_lambda)
        found, run = self._run(policy)
        excess = output_change(self.network, found, self.exact) - self.high_error
        metric, high = self.bootstrap.estimate(found), self.high_estimate
        loss = task_loss(self.network, metric.value, high.value, high.value)
        replicates = task_loss(self.network, metric.replicates, high.replicates, high.value)
        steps = run.steps
        error = float(np.nanstd(replicates)) * (steps / TEST_STEPS.get(self.network.name, steps)) ** 0.5
        low_share = self.calibration.quantized.low_share(run)
        return Point(policy.name, log2_lambda, *map(significant, (low_share, excess, float(loss), error))), replicates


def output_change(network: Network, found: list[Tensor], reference: list[Tensor]) -> float:
    """Mean squared difference of two lists of outputs, where it is comparable."""
    return float(np.mean([float((network.comparable(a) - network.comparable(b)).square().mean()) for a, b in zip(found, reference)]))


def choose(measured: list, budget: float) -> int | None:
    """Place of the last of (Point, replicates) in a sweep, in the order of their low shares, that a budget in margins allows; None where
    it allows none. Fills in Point.needed."""
    # A larger low share neither errs nor loses less: what looks so is noise.
    excesses, worst, allowed = np.maximum.accumulate([max(point.excess, 0.0) for point, _ in measured]), 0.0, None
    end, power = NormalDist().inv_cdf(0.975), NormalDist().inv_cdf(POWER)
    for place, ((point, _), excess) in enumerate(zip(measured, excesses)):
        slopes = _slopes([(other, values) for other, (_, values) in zip(excesses, measured) if 0 < other <= LOCAL * excess])
        expected = max(float(np.mean(slopes)), 0.0) * excess
        # What the test finds varies, as does what was expected of it, and the interval of what it finds must end within the budget.
        worst = max(worst, expected + end * point.error + power * float(np.hypot(point.error, np.std(slopes) * excess)))
        point.needed = significant(worst)
        if point.needed <= budget:
            allowed = place
    return allowed


def _slopes(near):
    """Replicates of the slope of the loss over the excess, fitted to (excess, replicates of the loss) of points; 0 without any."""
    if not near:
        return np.zeros(1)
    excesses, losses = (np.array(parts) for parts in zip(*near))
    losses = losses[:, ~np.isnan(losses).any(axis=0)]  # replicates that lack a kind of sample have no metric
    weights = excesses / np.maximum(losses.var(axis=1), 1e-6)
    return weights @ losses / (weights @ excesses)


def calibrate(network: Network, budget: float = MARGIN, progress: Callable[[int], None] = lambda steps: None) -> dict:
    """What models/calibrated/ holds of a network: budget, each policy's log2_lambda, the points of the sweeps."""
    candidates = [Calibration(network, emphasis) for emphasis in EMPHASES]
    errors = [cached(("variants", *candidate.key), candidate.variants) for candidate in candidates]
    calibration, variants = min(zip(candidates, errors), key=lambda pair: min(pair[1].values()))
    cell_floor = min(variants, key=variants.get)
    calibration.set_cell_floor(cell_floor)
    log2_lambdas, points = {}, []
    for policy in SHARES:
        measured, log2_lambdas[policy.name] = calibration.sweep(policy, budget / MARGIN, progress)
        points += [asdict(point) for point, _ in measured]
    tried = [
        {"emphasis": candidate.emphasis, "cell_floor": floor, "error": error}
        for candidate, found in zip(candidates, errors) for floor, error in found.items()]
    return {"network": network.name, "budget": budget, "emphasis": calibration.emphasis, "cell_floor": cell_floor, "log2_lambda": log2_lambdas,
            "sweep": points, "variants": tried}


def text_of(found: dict) -> str:
    """What models/calibrated/ holds, from what `calibrate` returns."""
    return json.dumps(found, indent=1) + "\n"


def path_of(name: str) -> Path:
    return FOLDER / f"{name}.json"


def calibrated(network: Network, policy: Policy = Policy.SENSITIVITY) -> QuantizedNetwork:
    """The network with the thresholds of a policy (SENSITIVITY's for one that does not decide) that `make calibrate` found, units dealt to tiles.

    The thresholds are in models/calibrated/; the rest is fitted anew from the calibration data, and cached. Raises FileNotFoundError that
    names the command where the network was never calibrated.
    """
    path = path_of(network.name)
    if not path.exists():
        raise FileNotFoundError(f"no {path.name} in models/calibrated/: run `make calibrate NET={network.name}`")
    found = json.loads(path.read_text())
    calibration, log2_lambdas = Calibration(network, found["emphasis"]), found["log2_lambda"]
    calibration.set_cell_floor(found["cell_floor"])
    deciding = policy if policy in SHARES else Policy.SENSITIVITY
    set_thresholds(calibration.quantized, deciding, log2_lambdas[deciding.name])
    key = ("refinements", *calibration.key, found["cell_floor"], deciding.name, log2_lambdas[deciding.name])
    for direction, refinements in zip(calibration.quantized.directions, cached(key, lambda: calibration.refinements(deciding))):
        direction.refinements = refinements
        direction.layers = [replace(layer, policy=deciding) for layer in direction.layers]
    return calibration.quantized


def swept_log2_lambda(name: str, policy: Policy, low_share: float) -> float:
    """The number of a policy of which the calibration of a network measured the low share that is nearest."""
    points = [point for point in json.loads(path_of(name).read_text())["sweep"] if point["policy"] == policy.name]
    return min(points, key=lambda point: abs(point["low_share"] - low_share))["log2_lambda"]


def search_steps(name: str) -> int:
    """Steps of the calibration data on which a network's sweep runs, if there are as many."""
    return SEARCH_STEPS.get(name, OTHER_SEARCH_STEPS)


def _first(network, steps):
    """So many steps of the calibration, or all that there are."""
    try:
        return network.calibration(steps)
    except ValueError:
        return network.calibration()


def _leading(samples, steps):
    """The first samples that hold so many steps."""
    count = np.cumsum([len(sample.inputs) for sample in samples])
    return samples[:int(np.searchsorted(count, steps)) + 1]


def _table(found) -> Table:
    table = Table(title=f"{found['network']}: loss of the task in margins of {MARGIN:g}, on calibration data", box=box.SIMPLE_HEAD)
    for heading in ("policy", "low share", "excess error", "loss", "its error in a test", "budget needed"):
        table.add_column(heading, justify="left" if heading == "policy" else "right")
    for point in found["sweep"]:
        table.add_row(point["policy"], f"{point['low_share']:.1%}", f"{point['excess']:.2e}", f"{point['loss']:.2f}", f"{point['error']:.2f}", f"{point['needed']:.2f}")
    return table


def _report(found):
    """Prints the sweep, the policies that no share brings within the budget, and the path of the file."""
    Console().print(_table(found))
    for policy, log2_lambda in found["log2_lambda"].items():
        needed = MARGIN * next(point["needed"] for point in found["sweep"] if point["policy"] == policy and point["log2_lambda"] == log2_lambda)
        if needed > found["budget"]:
            print(f"{found['network']}: {policy} is not within the budget at any share: the lowest one was taken, which needs {needed:.2f}")
    print(path_of(found["network"]).relative_to(FOLDER.parent.parent))


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m models.calibration", description=__doc__.splitlines()[0])
    parser.add_argument("--net", default="all", help=f"all, or one of {', '.join(sorted(NETWORKS))}")
    parser.add_argument("--budget", type=float, default=MARGIN, help="largest loss of the task, in percent (%(default)s): of rates, in points")
    options = parser.parse_args(arguments)
    if options.net not in ("all", *NETWORKS):
        sys.exit(f"calibrate: NET={options.net}: unknown; choose all or one of {', '.join(sorted(NETWORKS))}")
    if not options.budget > 0:
        sys.exit(f"calibrate: BUDGET={options.budget:g}: a number above 0 is needed")
    FOLDER.mkdir(exist_ok=True)
    for name in sorted(NETWORKS) if options.net == "all" else [options.net]:
        most_runs = 1 + sum(map(len, SHARES.values())) + BISECTIONS * len(SHARES)
        with tqdm(total=most_runs * search_steps(name), unit="step", desc=name) as bar:
            found = calibrate(load(name), options.budget, bar.update)
        path_of(name).write_text(text_of(found))
        _report(found)


if __name__ == "__main__":
    from .calibration import main  # by its own name: whoever reads the cache can import the classes of what it holds

    torch.set_num_threads(1)
    try:
        main()
    except FileNotFoundError as error:
        sys.exit(f"calibrate: {error}")
    except KeyboardInterrupt:
        sys.exit("calibrate: interrupted; the same command goes on from here")
