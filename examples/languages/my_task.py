# SPDX-License-Identifier: MIT
"""METRIC= of the example: lines of which the language is told, in percent."""

import numpy as np

name = "lines told, %"
higher_is_better = True
margin = 1.0  # the loss that is accepted where no BUDGET= is given


def metric(outputs: list[np.ndarray], labels: list) -> float:
    """outputs: h of the last layer, [steps, units] of each line. The first three units are the scores of the languages, as a mean over
    steps."""
    return 100 * float(np.mean([np.argmax(h[:, :3].mean(0)) == label for h, label in zip(outputs, labels)]))
