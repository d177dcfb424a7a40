# SPDX-License-Identifier: MIT
"""Which LSTMs of a graph are layers of one stack, and which stack is meant."""

from collections.abc import Mapping

from .imported import ImportFailure, listed

MOST_LSTMS = 64  # in a stack


def choose(below: Mapping[str, str | None], node: str, why: str = "") -> list[str]:
    """The LSTMs of the stack that node is in, or of the only one, lowest first.

    below: by LSTM, the one whose outputs it takes as they are, or None. why: what is between those that are not connected, in words.
    Raises ImportFailure.
    """
    above: dict = {}
    for name, source in below.items():
        above.setdefault(source, []).append(name)
    stacks = []
    for name, source in below.items():
        if source is None or len(above[source]) > 1:
            stacks.append([name])
            while len(after := above.get(stacks[-1][-1], [])) == 1:
                stacks[-1] += after
    if not stacks:
        raise ImportFailure("its LSTMs take each other's outputs in a circle: save the model again")
    if node:
        # All of a name, or its last part where that is enough.
        named = [name for name in below if name == node] or [name for name in below if name.endswith(f"/{node}")]
        stacks = [stack for stack in stacks if named[:1] and named[0] in stack] if len(named) == 1 else []
        if not stacks:
            raise ImportFailure(f"NODE={node}: no such LSTM; choose one of {listed(below)}")
    if len(stacks) > 1:
        names = listed(" + ".join(stack) for stack in stacks)
        raise ImportFailure(f"{len(stacks)} LSTMs that are not connected{why and f' ({why})'}: {names}; choose one with NODE=name")
    if len(stacks[0]) > MOST_LSTMS:
        raise ImportFailure(f"{len(stacks[0])} LSTMs one above the other: {MOST_LSTMS} at most are taken; use fewer")
    return stacks[0]
