# SPDX-License-Identifier: MIT
"""`make calibrate`: thresholds of a network's policies from its calibration data alone, to an accuracy budget.

1. The gradient of the task's output in each pre-activation says where errors matter; scales, the rounding of weights, biases and the row offsets
   of the thresholds follow from it, on the frozen data for the fit (models.quantize). One parameter is left for each policy, log2_lambda (models.thresholds).
2. A sweep over it, on the half of the held-out data that operating points are chosen on (models.study), measures the excess error of the output and the loss of
   the task. models.choose finds the log2_lambda with which a test shows no loss against 8 bits with a probability of 90 %; the search goes beyond the ends of what
   was measured, then halves the gap around the choice.
Fit and every point of the sweep are cached, so that what was interrupted goes on. What was found is written to models/calibrated/.
"""

import argparse
import json
import sys
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch
from rich import box
from rich.console import Console
from rich.table import Table
from torch import Tensor
from tqdm import tqdm

from .cache import cached
from .choose import Curve, Swept, curve
from .error_budget import keep
from .grid import significant
from .networks import MODULES
from .policies import DECIDING, POLICIES, Policy
from .quantize import LOG2_LAMBDAS, Settings
from .quantized_network import Progress, QuantizedNetwork
from .sources import code
from .study import Design, Point, Study, Use, leading, settings_of
from .thresholds import seek

FOLDER = Path(__file__).resolve().parent / "calibrated"
BUDGET = 1.0  # in margins
PROBE_STEPS = 2048  # on which refinements are counted for the compiler
# The step of a search, points that it takes at most, and the gap around the choice that is not halved any more; choices are multiples of GRID.
STEP, POINTS, NARROW, GRID = 4.0, 6, 1.0, 0.25


@dataclass
class Sweep:
    """Points and what they say against STATIC_HIGH, by log2_lambda; their curve, the log2_lambda that it allows, and the loss and needed budget there, in margins."""

    points: dict[float, Point]
    swept: dict[float, Swept]
    curve: Curve
    log2_lambda: float
    loss: float
    needed: float


def following(sweep: list[Swept], budget: float) -> float | None:
    """Where to measure next, a log2_lambda: beyond the end at which the choice lies, or halfway between the points around it; None where these are near.

    budget: in margins. Raises ValueError for a sweep of fewer than two points.
    """
    line = curve(sweep)
    chosen, known = line.choose(budget), line.log2_lambda
    if chosen >= known[-1]:
        return float(known[-1] + STEP)
    if line.at(known[0])[1] > budget:
        return float(known[0] - 2 * STEP)
    above = int(np.searchsorted(known, chosen, side="right"))
    middle = np.floor(2 * (known[above - 1] + known[above])) / 4
    return None if known[above] - known[above - 1] <= NARROW or middle in known else float(middle)


def sweep(study: Study, design: Design, policy: Policy, start: float, budget: float, progress: Progress, high_design: Design | None = None) -> Sweep:
    """Searches the log2_lambda of a policy within a budget in margins, on the samples of SEARCH.

    start: where the search begins, log2 of the error for a word of quarters. progress: told of steps as they are done. high_design: whose STATIC_HIGH is compared
    with (default: design).
    """
    high = study.point(Use.SEARCH, high_design or design, Policy.STATIC_HIGH, progress=progress)
    points, swept = {}, {}

    def measure(log2_lambda):
        points[log2_lambda] = study.point(Use.SEARCH, design, policy, log2_lambda, progress=progress)
        found = study.against_high(Use.SEARCH, log2_lambda, points[log2_lambda], high)
        swept[log2_lambda] = replace(found, excess=significant(found.excess), error=significant(found.error))

    next_one: float | None = start
    measure(start - STEP)
    while next_one is not None and len(swept) < POINTS:
        measure(next_one)
        next_one = following(list(swept.values()), budget)
    line = curve(list(swept.values()))
    chosen = float(np.floor(line.choose(budget) / GRID) * GRID)
    return Sweep(points, swept, line, chosen, *line.at(chosen))


def calibrate(name: str, budget: float = BUDGET, progress: Progress = lambda steps: None, policies: tuple[Policy, ...] = DECIDING) -> dict:
    """What models/calibrated/ holds of a network: how it is quantized, each policy's log2_lambda, the points of the sweeps.

    budget: largest loss in margins; progress: told of steps as they are done. Raises ValueError for an unknown network, and FileNotFoundError that names the package
    whose data are not installed.
    """
    study, design = Study(name, settings_of(name)), Design()
    result: dict = {"network": name, "budget": budget, "settings": asdict(study.settings), "design": asdict(design), "log2_lambda": {}, "needed": {}, "sweep": []}
    for policy in policies:
        found = sweep(study, design, policy, POLICIES[policy].start, budget, progress)
        result["log2_lambda"][policy.name], result["needed"][policy.name] = found.log2_lambda, significant(found.needed)
        result["sweep"] += [
            {"policy": policy.name, "log2_lambda": key, "excess": found.swept[key].excess, "loss": significant(float(np.nanmean(found.swept[key].replicates))),
             "error": found.swept[key].error, "speed": significant(found.points[key].speed), "shares": [significant(share) for share in found.points[key].shares]}
            for key in sorted(found.points)]
    return result


def with_others(found: dict, before: dict) -> dict:
    """What `calibrate` returned, and of what was there before the policies that it did not calibrate and the rivals, if it was found in the same way."""
    if any(found[key] != before[key] for key in ("budget", "settings", "design")):
        return found
    rivals = {key: before[key] for key in ("rivals", "costs") if key in before}
    names = [policy.name for policy in DECIDING if policy.name in {*found["log2_lambda"], *before["log2_lambda"]}]
    of = {name: found if name in found["log2_lambda"] else before for name in names}
    by_policy = {key: {name: of[name][key][name] for name in names} for key in ("log2_lambda", "needed")}
    return found | by_policy | rivals | {"sweep": [point for name in names for point in of[name]["sweep"] if point["policy"] == name]}


def text_of(found: dict) -> str:
    """What models/calibrated/ holds, from what `calibrate` returns."""
    return json.dumps(found, indent=1) + "\n"


def path_of(name: str) -> Path:
    """The file of a network in models/calibrated/, whether it is there or not."""
    return FOLDER / f"{name}.json"


def is_calibrated(name: str) -> bool:
    """Whether models/calibrated/ has a file of the network."""
    return path_of(name).exists()


def read(name: str) -> dict:
    """What models/calibrated/ holds of a network. Raises FileNotFoundError that names the command where it was never calibrated."""
    path = path_of(name)
    if not path.exists():
        raise FileNotFoundError(f"no {path.name} in models/calibrated/: run `make calibrate NET={name}`")
    return json.loads(path.read_text())


def load_quantized(name: str, policy: Policy = Policy.SENSITIVITY) -> QuantizedNetwork:
    """A network in the design of builds, with the thresholds of a policy (SENSITIVITY's for one that does not decide) that `make calibrate` found, units dealt
    to tiles; `for_policy` gives those of others that were calibrated.

    The thresholds are in models/calibrated/; the rest is fitted anew from the calibration data, and cached. Raises FileNotFoundError that
    names the command where the network, or this policy of it, was never calibrated.
    """
    found = read(name)
    deciding = policy if policy in DECIDING else Policy.SENSITIVITY
    if deciding.name not in found["log2_lambda"]:
        raise FileNotFoundError(f"no {deciding.name} in models/calibrated/{name}.json: run `make calibrate NET={name}`")
    study, design = Study(name, Settings(**found["settings"])), Design(**found["design"])
    quantized = study.quantized(design)
    for own in DECIDING:
        log2_lambda = found["log2_lambda"].get(own.name)
        if log2_lambda is None:
            continue
        quantized.set_log2_lambda(own, log2_lambda, design.own_offsets)
        key = ("refinements", *study.key, code("models.study"), study.steps, design, own.name, log2_lambda, PROBE_STEPS)
        keep(quantized, own, cached(key, lambda own=own: quantized.refinements(quantized.run(_probe(study), own))))
    return quantized.for_policy(deciding)


def _probe(study):
    return [sample.inputs for sample in leading(study.samples(Use.SEARCH), PROBE_STEPS)]


def log2_lambda_for(quantized: QuantizedNetwork, policy: Policy, mean_quarters: float, inputs: list[Tensor], precision: float = 0.4) -> float:
    """The log2_lambda with which a policy comes near to a mean of quarters on some inputs; it is set.

    mean_quarters: words of quarter products over words of products, 0..4; inputs: float sequences [steps, inputs]; precision: of the log2_lambda.
    """
    return seek(lambda log2_lambda: quantized.set_log2_lambda(policy, log2_lambda), lambda: -quantized.mean_quarters(quantized.run(inputs, policy)), -mean_quarters,
                LOG2_LAMBDAS, precision)


def swept_log2_lambda(name: str, policy: Policy, low_share: float) -> float:
    """The log2_lambda of a policy at which the calibration of a network measured the share at the lowest level that is nearest.

    low_share: of row-weights, 0..1. Raises FileNotFoundError where the network was never calibrated, and ValueError where the policy was not.
    """
    points = [point for point in read(name)["sweep"] if point["policy"] == policy.name]
    return min(points, key=lambda point: abs(point["shares"][0] - low_share))["log2_lambda"]


def _table(found) -> Table:
    table = Table(title=f"{found['network']}: on calibration data; losses in margins", box=box.SIMPLE_HEAD)
    for heading in ("policy", "log2_lambda", "levels, %", "ideal speed", "excess error", "loss", "its error in a test"):
        table.add_column(heading, justify="left" if heading == "policy" else "right")
    for point in found["sweep"]:
        chosen = point["log2_lambda"] == found["log2_lambda"][point["policy"]]
        shares = " / ".join(f"{100 * share:.0f}" for share in point["shares"])
        table.add_row(point["policy"], f"{point['log2_lambda']:g}{' *' * chosen}", shares, f"{point['speed']:.2f}x", f"{point['excess']:.2e}", f"{point['loss']:.2f}",
                      f"{point['error']:.2f}")
    return table


def _report(found):
    """Prints the sweep, what was chosen, the policies that nothing brings within the budget, and the path of the file."""
    Console().print(_table(found))
    for policy, log2_lambda in found["log2_lambda"].items():
        print(f"{found['network']}: {policy} at {log2_lambda:g}")
        if found["needed"][policy] > found["budget"]:
            print(f"{found['network']}: no point of {policy} is within the budget; took the one that needs least, {found['needed'][policy]:.2f} margins")
    print(path_of(found["network"]).relative_to(FOLDER.parent.parent))


def main(arguments: list[str] | None = None) -> None:
    """The command of `make calibrate`, with the arguments of its line (default: those of the process). Ends the process with one line for a wrong one."""
    parser = argparse.ArgumentParser(prog="python -m models.calibration", description=__doc__.splitlines()[0])
    parser.add_argument("--net", default="all", help=f"all, or one of {', '.join(MODULES)}")
    parser.add_argument("--budget", type=float, default=BUDGET, help="largest loss of the task, in margins (%(default)s)")
    parser.add_argument("--policy", default="all", help=f"all that decide, or some of {', '.join(policy.name for policy in DECIDING)} with commas between them; "
                        "what the file holds of others stays")
    options = parser.parse_args(arguments)
    if options.net not in ("all", *MODULES):
        sys.exit(f"calibrate: NET={options.net}: no network with frozen calibration data; choose all or one of {', '.join(MODULES)}")
    if not options.budget > 0:
        sys.exit(f"calibrate: BUDGET={options.budget:g}: a number above 0 is needed")
    named = [policy.name for policy in DECIDING] if options.policy.lower() == "all" else [policy.strip().upper() for policy in options.policy.split(",")]
    chosen = tuple(policy for policy in DECIDING if policy.name in named)
    if len(chosen) != len(named):
        sys.exit(f"calibrate: POLICY={options.policy}: choose all or some of {', '.join(policy.name for policy in DECIDING)}")
    FOLDER.mkdir(exist_ok=True)
    for name in MODULES if options.net == "all" else [options.net]:
        with tqdm(unit="step", desc=name) as bar:
            found = calibrate(name, options.budget, bar.update, chosen)
        if is_calibrated(name):
            found = with_others(found, read(name))
        path_of(name).write_text(text_of(found))
        _report(found)


if __name__ == "__main__":
    from .calibration import main  # by its own name: whoever reads the cache can import the classes of what it holds

    torch.set_num_threads(1)
    try:
        main()
    except KeyboardInterrupt:
        sys.exit("calibrate: interrupted; the same command goes on from here")
