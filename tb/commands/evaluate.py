# SPDX-License-Identifier: MIT
"""`make eval`: what dynamic precision is worth on real networks and tasks, against honest baselines.

The integer model runs the test data of each network, which calibration never saw, under each policy with the thresholds of `make calibrate`;
the RTL runs a sample of it, and every output, decision and cycle is compared. Prints a table for each network, and writes build/eval.json, the tables of
docs/results.md and of the README, and docs/images/frontier.png (for all networks at full size only; otherwise results.md and frontier.png in build/).

Every piece of work is cached once it is done: what was interrupted goes on, and the same command again costs nothing. Work runs in JOBS
processes, or on a Dask cluster (SCHEDULER=); results do not depend on which. A worker of a cluster runs in the project's folder, one task at a
time: `dask worker ADDRESS --nthreads 1`, with PYTHONPATH=. where Dask does not see the folder.
Exit code: 0, 1 when a task failed, 2 when the arguments or the machine are wrong.
"""

import sys

if __name__ == "__main__":
    # Not at the top: the processes of the pool import this file before all else, and would notice late that the command has ended.
    from tb.commands.evaluation.command import run

    sys.exit(run())
