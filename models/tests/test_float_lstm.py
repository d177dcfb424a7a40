# SPDX-License-Identifier: MIT
"""The LSTM in float64 is torch.nn.LSTM's."""

import pytest
import torch
from torch import nn

from models.float_lstm import hidden_states, layer_weights, run_layer


@pytest.mark.parametrize("options", [{}, {"num_layers": 3}, {"bias": False}, {"num_layers": 3, "bidirectional": True}], ids=str)
def test_hidden_states_are_those_of_torch(options):
    torch.manual_seed(0)
    lstm = nn.LSTM(5, 7, **options).double()
    sequences = [torch.randn(steps, 5) for steps in (11, 4, 1)]
    places = lstm.num_layers * (1 + lstm.bidirectional)
    state = tuple(torch.randn(places, 7) for _ in range(2))
    for start in (None, state):
        for sequence, layers in zip(sequences, hidden_states(lstm, sequences, start)):
            assert len(layers) == lstm.num_layers and all(h.dtype == torch.float64 for h in layers)
            expected = lstm(sequence.double(), start and tuple(part.double() for part in start))[0]
            torch.testing.assert_close(layers[-1], expected)


def test_states_of_a_layer_belong_to_each_other():
    torch.manual_seed(0)
    lstm = nn.LSTM(5, 7).double()
    x = torch.randn(2, 9, 5, dtype=torch.float64)
    states = run_layer(layer_weights(lstm, 0), x)
    _, (h, c) = lstm(x.transpose(0, 1))
    torch.testing.assert_close((states.h[:, -1], states.c[:, -1]), (h[0], c[0]))
    o = states.z.chunk(4, dim=-1)[3]
    torch.testing.assert_close(states.h, o.sigmoid() * states.c.tanh())
