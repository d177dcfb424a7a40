# SPDX-License-Identifier: MIT
"""Integer model of the LSTM accelerator: docs/numerics.md computed with PyTorch."""
