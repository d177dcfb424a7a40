"""`make eval` of the toy network, with small samples: a command, and a module for Dask workers to load before their first task.

Whatever starts it (as a command, in the processes of its pool, on a Dask worker), the same things are set here. TOY: folder of what it writes,
with toy.json, its calibration. DELAY: seconds that each figure takes longer.
"""

import os
import sys
import time
from pathlib import Path

from models import calibration, networks
from models.policies import Policy
from tb.commands import eval_report, evaluate
from tb.commands.evaluation import figures, schedule, task

FOLDER = Path(os.environ["TOY"])
STEPS = 240

networks.MODULES["toy"] = "models.tests.toy_network"
calibration.FOLDER, calibration.FIT_STEPS, calibration.OTHER_SEARCH_STEPS = FOLDER, 120, 240
task.CYCLES_STEPS, task.YARDSTICK_STEPS = dict.fromkeys(Policy, 24), 24
eval_report.BUILD = eval_report.ROOT = schedule.BUILD = FOLDER

if float(os.environ.get("DELAY", 0)) and not hasattr(figures, "at_once"):
    figures.at_once = figures.figure

    def figure(task, given):
        time.sleep(float(os.environ["DELAY"]))
        if task.policy == os.environ.get("FAILS"):
            raise ValueError("a figure that fails\nin two lines")
        return figures.at_once(task, given)

    figure.__module__ = figures.__name__
    schedule.FUNCTIONS["figure"] = figure

if __name__ == "__main__":
    try:
        evaluate.main([f"--steps={STEPS}", "--net=toy", "--rtl=0", *sys.argv[1:]])
    except schedule.TaskError as error:
        sys.exit(f"eval: {error}")
