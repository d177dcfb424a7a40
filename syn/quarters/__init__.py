# SPDX-License-Identifier: MIT
"""Synthesis of parts of the quarter-product machine, before its RTL exists."""
