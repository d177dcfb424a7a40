# SPDX-License-Identifier: MIT
"""`make eval` of the toy network, with small samples: a command, and a module for Dask workers to load before their first task.

Whatever starts it (as a command, in the processes of its pool, on a Dask worker), the same things are set here. TOY: folder of what it writes.
DELAY: seconds that each metric takes longer; a file `working-PID` there tells who is at one. A file `fails` names the policy whose metric fails.
"""

import json
import os
import sys
import time
from pathlib import Path

from models import calibration, networks, study
from models.networks import Part
from models.policies import DECIDING
from models.tests import toy_network
from tb.commands import eval_report
from tb.commands.evaluation import command, cycles, metrics, rtl, schedule, task

STEPS = 240
SWEEP = [{"log2_lambda": log2_lambda, "loss": loss, "error": 0.5, "speed": speed} for log2_lambda, loss, speed in ((-28.0, 0.2, 1.5), (-24.0, 0.9, 2.0))]
CALIBRATION = {"budget": 1.0, "settings": {"emphasis": 0.0, "cell_floor": 45}, "design": {}, "log2_lambda": {policy.name: -24.5 for policy in DECIDING},
               "sweep": [{"policy": policy.name, "shares": [0.8, 0.0, 0.2], **point} for policy in DECIDING for point in SWEEP],
               "rivals": {label: {"log2_lambda": -24.5, "needed": 1.0, "sweep": SWEEP} for label in task.RIVALS}}

FOLDER = Path(os.environ["TOY"])
networks.MODULES["toy"] = "models.tests.toy_network"
calibration.FOLDER, study.FIT_STEPS, study.OTHER_STEPS = FOLDER, 120, 240
study.frozen_steps = lambda name, part: {Part.FIT: 20, Part.HELD_OUT: 80, Part.TEST: 80}[part] * toy_network.STEPS
cycles.CYCLES_STEPS, rtl.RTL_STEPS, rtl.FEW_STEPS = 48, {}, 24
eval_report.BUILD = eval_report.ROOT = schedule.BUILD = rtl.BUILD = FOLDER


def metric(task):
    """As the metric of make eval, but slower, and it may fail."""
    working = FOLDER / f"working-{os.getpid()}"
    working.touch()
    time.sleep(float(os.environ.get("DELAY", 0)))
    working.unlink()
    fails = FOLDER / "fails"
    if fails.exists() and fails.read_text() == task.policy:
        raise ValueError("a metric that fails\nin two lines")
    return metrics.metric(task)


metric.__module__ = metrics.__name__  # whose text the key holds
schedule.FUNCTIONS["metric"] = metric
(FOLDER / "toy.json").write_text(json.dumps(CALIBRATION))

if __name__ == "__main__":
    sys.exit(command.run([f"--steps={STEPS}", "--net=toy", "--rtl=0", *sys.argv[1:]]))
