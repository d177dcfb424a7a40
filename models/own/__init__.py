# SPDX-License-Identifier: MIT
"""The user's own LSTM on the user's own task: its inputs, its metric, and operating points to a budget (docs/own-network.md)."""
