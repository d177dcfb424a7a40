# SPDX-License-Identifier: MIT
"""Trained networks with recorded data for their tasks, by name: `load("silero")`.

A network is imported when it is asked for: nobody else waits for its packages, and what is cached of it depends on no other (models/sources.py).
"""

from collections.abc import Mapping
from importlib import import_module

from .network import Network, Part, Sample

__all__ = ["MODULES", "NETWORKS", "Network", "Part", "Sample", "load"]

# Modules by the name of the network; its class has the same name.
MODULES = {name: f"{__name__}.{name}" for name in ("ddddocr", "diacritizer", "dtln", "nanoocr", "resemblyzer", "silero", "textgenrnn")}


class _Classes(Mapping):
    """Classes of the networks by name."""

    def __getitem__(self, name: str) -> type[Network]:
        return getattr(import_module(MODULES[name]), name.capitalize())

    def __iter__(self):
        return iter(MODULES)

    def __len__(self) -> int:
        return len(MODULES)

    def __contains__(self, name) -> bool:  # without an import
        return name in MODULES


NETWORKS = _Classes()


def load(name: str) -> Network:
    """The network of that name. Raises ValueError that lists the known names."""
    if name not in MODULES:
        raise ValueError(f"unknown network {name!r}: known are {', '.join(sorted(MODULES))}")
    return NETWORKS[name]()
