# SPDX-License-Identifier: MIT
"""The runs of the accelerator that a network takes: one for each direction of each stage (models/quantized_network.py).

The host does the rest: it reverses time and puts outputs side by side. The inputs of a stage are the model's outputs of the stage below,
which are the RTL's, as the scoreboard compares every one of them.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from torch import Tensor

from models.policies import Policy
from models.quantized_lstm import QuantizedLSTM, State
from models.quantized_network import QuantizedNetwork, side_by_side


@dataclass
class Direction:
    """One run of the accelerator.

    sequences: int8 [1, steps, terms, inputs], in the order in which it takes the steps. states: with which each begins (None: all with zero).
    """

    lstm: QuantizedLSTM
    sequences: list
    states: list[State] | None = None


@dataclass
class Plan:
    """The directions of a network, and what the model gave: by stage and direction, the runs of all sequences."""

    stages: list
    runs: list

    @property
    def directions(self) -> list[Direction]:
        return [direction for stage in self.stages for direction in stage]

    def hidden(self, h: Iterable[Tensor]) -> list:
        """Hidden states by sequence and layer, float [steps, outputs], as a Network's head takes them.

        h: by direction, int8 [steps, units] over all sequences: what the RTL gave. Layers below the last of a direction are not seen at the ports:
        theirs are the model's, which gave the same last layer.
        """
        lasts = iter(h)
        result = [[] for _ in self.stages[0][0].sequences]
        for stage, runs in zip(self.stages, self.runs):
            lengths = [sequence.shape[1] for sequence in stage[0].sequences]
            last = [next(lasts).split(lengths) for _ in stage]
            for index, layers in enumerate(result):
                below = [[layer[0] for layer in direction[index].layer_h[:-1]] for direction in runs]
                layers += side_by_side([*layers_h, last_h[index]] for layers_h, last_h in zip(below, last))
        return result


def plan(q: QuantizedNetwork, inputs: list[Tensor], policy: Policy, states: list[list[State]] | None = None) -> Plan:
    """The directions of a QuantizedNetwork for float sequences [steps, inputs] under a policy; states: by sequence and direction, that it begins with
    (None: zero)."""
    q = q.for_policy(policy)
    found = [q.run_singly([x], policy, states=own) for x, own in zip(inputs, states or [None] * len(inputs))]
    runs = [[[one for of_sequence in found for one in of_sequence[stage][place]] for place in range(len(directions))] for stage, directions in enumerate(q.stages)]
    begin = zip(*states) if states else iter([None] * len(q.directions))
    begin = [own and list(own) for own in begin]
    stages = [[Direction(lstm, [x for x, _ in own], begin.pop(0)) for lstm, own in zip(*stage)] for stage in zip(q.stages, runs)]
    return Plan(stages, [[[run for _, run in own] for own in stage] for stage in runs])
