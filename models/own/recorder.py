# SPDX-License-Identifier: MIT
"""Records what enters an nn.LSTM while its model runs: a file for INPUTS=."""

from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pad_packed_sequence


class Recorder:
    """`with Recorder(model.lstm) as seen: ...` keeps every sequence of every call, then `seen.save("inputs.npz", labels=...)`.

    sequences: float32 [steps, inputs] each, without padding, in the order of the batch; packed sequences count as what was packed. A padded batch that is not packed
    is recorded with its padding: give `lengths` to `save`. states: (h, c) [layers * directions, units] that each began with, or None. Raises ValueError for what is
    no nn.LSTM.
    """

    def __init__(self, lstm: nn.LSTM):
        if not isinstance(lstm, nn.LSTM):
            raise ValueError(f"Recorder takes an nn.LSTM, not {type(lstm).__name__}: give the part of the model that is one, as model.lstm")
        self.lstm, self.sequences, self.states = lstm, [], []
        self._hook = None

    def __enter__(self) -> "Recorder":
        self._hook = self.lstm.register_forward_pre_hook(self._seen, with_kwargs=True)
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._hook.remove()

    def _seen(self, module, given, named):
        values = dict(zip(("input", "hx"), given)) | named
        x, state = values["input"], values.get("hx")
        if isinstance(x, PackedSequence):
            padded, lengths = pad_packed_sequence(x, batch_first=True)  # in the order before it was sorted, as hx is
            lengths = lengths.tolist()
        else:
            padded = x.unsqueeze(0) if x.dim() == 2 else x if module.batch_first else x.transpose(0, 1)
            lengths = [padded.shape[1]] * len(padded)
            if x.dim() == 2 and state is not None:
                state = tuple(part.unsqueeze(1) for part in state)
        self.sequences += [sequence[:length].detach().float().cpu().clone() for sequence, length in zip(padded, lengths)]
        self.states += [None if state is None else tuple(part[:, number].detach().float().cpu().clone() for part in state) for number in range(len(lengths))]

    def save(self, path: str | Path, labels: Any = None, groups: Any = None, lengths: Any = None) -> None:
        """Writes a .npz for INPUTS=. labels, groups, lengths: one a sequence. Raises ValueError where these are not as many as sequences."""
        count = len(self.sequences)
        for name, values in (("labels", labels), ("groups", groups), ("lengths", lengths)):
            if values is not None and len(values) != count:
                raise ValueError(f"{len(values)} {name} for {count} recorded sequences: give one a sequence")
        lengths = [len(sequence) for sequence in self.sequences] if lengths is None else [int(length) for length in lengths]
        arrays = {f"inputs_{number}": sequence[:length].numpy() for number, (sequence, length) in enumerate(zip(self.sequences, lengths))}
        if labels is not None:
            arrays |= {f"labels_{number}": np.asarray(label) for number, label in enumerate(labels)}
        if groups is not None:
            arrays["groups"] = np.array([str(group) for group in groups])
        if any(state is not None for state in self.states):
            zero = next(torch.zeros_like(state[0]) for state in self.states if state is not None)
            states: list[tuple[Tensor, Tensor]] = [(zero, zero) if state is None else state for state in self.states]
            arrays |= {name: torch.stack([state[place] for state in states], dim=1).numpy() for place, name in enumerate(("h0", "c0"))}
        np.savez(path, **arrays)
