# SPDX-License-Identifier: MIT
"""Settings of all tests of models/."""

import torch

# pytest-xdist runs a worker on each core already; more threads would only wait for each other.
torch.set_num_threads(1)
