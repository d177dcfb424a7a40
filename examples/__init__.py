# SPDX-License-Identifier: MIT
"""Examples. A package by itself: one of the same name comes with a library that the bench uses, and would be found in its place."""
