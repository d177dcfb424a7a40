# SPDX-License-Identifier: MIT
"""Arguments that commands share."""

import argparse


def number(text: str) -> int:
    """A whole number above 0, also written as 1e8."""
    try:
        value = int(float(text))
    except (ValueError, OverflowError):
        value = 0
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text}: a number above 0 is needed, such as 1e8")
    return value
