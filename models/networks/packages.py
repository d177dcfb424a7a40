# SPDX-License-Identifier: MIT
"""Debian packages that only the frozen test needs, class `evaluation` of scripts/debian-packages.txt."""


def missing(what: str, package: str) -> FileNotFoundError:
    """The error for data that are not there: it names the command that installs the package."""
    return FileNotFoundError(f"{what}: run `scripts/setup.sh evaluation`, or as root `apt-get install --no-install-recommends {package}`")
