# SPDX-License-Identifier: MIT
"""An LSTM of one's own, from training to the frontier of speed against accuracy: is a line Verilog, Python or English?

The lines are those of this repository. The model is a small nn.LSTM, trained in seconds; what is recorded for calibration are lines that training has not seen.

    .venv/bin/python -m examples.languages.languages build/languages

writes lstm.pt and inputs.npz there, calibrates to a loss of a point (as `make calibrate MODEL=build/languages/lstm.pt INPUTS=build/languages/inputs.npz
METRIC=examples/languages/my_task.py` does), and prints and draws what it found.
"""

import random
import sys
from pathlib import Path

import torch
from torch import nn
from torch.nn.utils.rnn import PackedSequence, pack_sequence, pad_packed_sequence

from models.own.calibrate import Calibration, calibrate
from models.own.recorder import Recorder
from models.own.task import OwnTask
from tb.commands.own_eval import report

ROOT = Path(__file__).resolve().parents[2]
FILES = ("rtl/*.v", "models/*.py", "docs/*.md")
CHARACTERS, SHORTEST, LONGEST = 95, 12, 48
UNITS, EPOCHS, BATCH, SHARPNESS = 64, 4, 32, 12.0
TRAINED, RECORDED = 900, 500  # lines of each language


class Languages(nn.Module):
    """The scores are the first three units of h, as a mean over steps, so that the model is its LSTM and nothing else."""

    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(CHARACTERS, UNITS)

    def forward(self, lines: PackedSequence) -> torch.Tensor:
        h, lengths = pad_packed_sequence(self.lstm(lines)[0])
        return SHARPNESS * h[:, :, :len(FILES)].sum(0) / lengths.unsqueeze(1)


def one_hot(line: str) -> torch.Tensor:
    """float [steps, characters] of printable ASCII."""
    return nn.functional.one_hot(torch.tensor([ord(letter) - 32 for letter in line]), CHARACTERS).float()


def lines() -> tuple[list, list]:
    """(for training, to record), (line, language) each, mixed, no line in both."""
    generator, parts = random.Random(1), ([], [])
    for language, pattern in enumerate(FILES):
        texts = {line.strip()[:LONGEST] for path in sorted(ROOT.glob(pattern)) for line in path.read_text().splitlines()}
        found = sorted(text for text in texts if len(text) >= SHORTEST and all(" " <= letter <= "~" for letter in text))
        generator.shuffle(found)
        for part, chosen in zip(parts, (found[:TRAINED], found[TRAINED:TRAINED + RECORDED])):
            part += [(line, language) for line in chosen]
    for part in parts:
        generator.shuffle(part)
    return parts


def batches(part: list) -> list[tuple[PackedSequence, torch.Tensor]]:
    parts = [part[start:start + BATCH] for start in range(0, len(part), BATCH)]
    return [(pack_sequence([one_hot(line) for line, _ in some], enforce_sorted=False), torch.tensor([language for _, language in some])) for some in parts]


def train(model: Languages, part: list) -> None:
    optimizer = torch.optim.Adam(model.parameters(), 0.01)
    given = batches(part)
    decay = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.0, EPOCHS * len(given))  # without it, some seeds and processors end ten points lower
    for _ in range(EPOCHS):
        for packed, languages in given:
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(packed), languages).backward()
            optimizer.step()
            decay.step()


def main(folder: Path) -> Calibration:
    torch.manual_seed(1)
    folder.mkdir(parents=True, exist_ok=True)
    to_train, to_record = lines()
    model = Languages()
    train(model, to_train)
    torch.save(model.lstm.state_dict(), folder / "lstm.pt")
    with torch.no_grad(), Recorder(model.lstm) as seen:
        for packed, _ in batches(to_record):
            model(packed)
    seen.save(folder / "inputs.npz", labels=[language for _, language in to_record])

    task = OwnTask(folder / "lstm.pt", folder / "inputs.npz", Path(__file__).with_name("my_task.py"))
    found = calibrate(task)
    found.save()
    report(found, folder)
    return found


if __name__ == "__main__":
    torch.set_num_threads(1)
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "build/languages"))
