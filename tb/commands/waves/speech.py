# SPDX-License-Identifier: MIT
"""Draws docs/images/speech.png: recorded speech with its spectrogram, and below it which units of Silero VAD took which level, gate by gate, when.

`python -m tb.commands.waves.speech`, which `make waves PNG=1` runs. The recording is calibration data that thresholds were not fitted to; levels are those of the
integer model under SENSITIVITY, to which the RTL is equal.
"""

import sys
from pathlib import Path

import matplotlib
import numpy as np
import torch

from models.calibration import load_quantized
from models.formats import GATES, Level, Policy
from models.networks import load, silero, speech
from models.networks.network import in_fit, on_grid
from tb.bench.runner import ROOT

PICTURE = ROOT / "docs" / "images" / "speech.png"
COLOURS = {Level.LOWEST: "#f4f4f4", Level.MIDDLE: "#f0a040", Level.ALL: "#8b1a1a"}
STEP_SECONDS = silero.STEP_SAMPLES / speech.SAMPLE_RATE
HIGHEST = 4000  # Hz: the prompts hold nothing above


def recorded() -> tuple[np.ndarray, np.ndarray, torch.Tensor]:
    """Audio [samples], labels [steps] and levels [steps, units, 4] of the first recording of the first voice that nothing was fitted to."""
    _, audio, labels = next(silero.recordings(next(name for name in speech.SPEAKERS if not in_fit(name))))
    network, quantized = load("silero"), load_quantized("silero", Policy.SENSITIVITY)
    (_, run), = quantized.run_singly([on_grid(network.features(torch.from_numpy(audio)))], Policy.SENSITIVITY)[0][0]
    return audio, labels, run.levels[0][0]


def draw(audio: np.ndarray, labels: np.ndarray, levels: torch.Tensor, path: Path) -> None:
    """Writes the picture; units are sorted by how much they refine."""
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    codes = levels.numpy()
    codes = codes[:, (codes > Level.LOWEST).sum((0, 2)).argsort()[::-1]]
    steps, units, _ = codes.shape
    colours = matplotlib.colors.ListedColormap(list(COLOURS.values()))
    seconds = steps * STEP_SECONDS
    figure, (top, *panels, share) = plt.subplots(2 + len(GATES), sharex=True, figsize=(12, 11), layout="constrained", height_ratios=[2, *[1.6] * len(GATES), 1.4])
    top.specgram(audio, NFFT=512, Fs=speech.SAMPLE_RATE, noverlap=384, cmap="magma", vmin=-120, vmax=-50)
    top.fill_between(np.arange(steps) * STEP_SECONDS, HIGHEST * 0.97, HIGHEST, where=labels > 0, step="post", color="#40c040")
    top.set(ylabel="Hz", ylim=(0, HIGHEST), title="A recording with noise; green: somebody speaks")
    for number, (panel, gate) in enumerate(zip(panels, GATES)):
        panel.imshow(codes[:, :, number].T, aspect="auto", interpolation="nearest", extent=(0, seconds, units, 0), cmap=colours, vmin=0, vmax=len(Level) - 1)
        refined = (codes[:, :, number] > Level.LOWEST).mean()
        panel.set(ylabel=f"gate {gate}: units", title=f"{refined:.1%} of the rows of gate {gate} refined")
    handles = [matplotlib.patches.Patch(facecolor=colour, edgecolor="gray", label=f"{level.name}: {text}")
               for (level, colour), text in zip(COLOURS.items(), ("HH", "HH, HL, LH", "all four quarters"))]
    panels[GATES.index("f")].legend(handles=handles, loc="lower right", ncols=3)
    share.bar(np.arange(steps) * STEP_SECONDS, 100 * (codes > Level.LOWEST).mean((1, 2)), width=STEP_SECONDS, align="edge", color="#8b1a1a")
    share.set(ylabel="rows refined, %", xlabel="seconds; a step is 32 ms", xlim=(0, seconds))
    figure.savefig(path, dpi=80)
    plt.close(figure)


def main() -> int:
    draw(*recorded(), PICTURE)
    print(PICTURE)
    return 0


if __name__ == "__main__":
    sys.exit(main())
