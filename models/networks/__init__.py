"""Trained networks with recorded data for their tasks, by name: `load("silero")`."""

from .ddddocr import Ddddocr
from .network import Network, Sample
from .resemblyzer import Resemblyzer
from .silero import Silero
from .spelling import Spelling
from .textgenrnn import Textgenrnn

NETWORKS = {
    network.name: network for network in (Ddddocr, Resemblyzer, Silero, Spelling, Textgenrnn)
}

__all__ = ["NETWORKS", "Network", "Sample", "load"]


def load(name: str) -> Network:
    """The network of that name. Raises ValueError that lists the known names."""
    if name not in NETWORKS:
        raise ValueError(f"unknown network {name!r}: known are {', '.join(sorted(NETWORKS))}")
    return NETWORKS[name]()
