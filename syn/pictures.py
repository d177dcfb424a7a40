# SPDX-License-Identifier: MIT
"""Pictures of `make silicon`: area.png, energy.png and energy-accuracy.png."""

from pathlib import Path

import matplotlib
import numpy as np

matplotlib.use("Agg")
from matplotlib import pyplot

from models.calibration import read
from syn.saving import PARTS

LABELS = {"STATIC_HIGH": "baseline", "SENSITIVITY": "for time", "SENSITIVITY for energy": "for energy", "SENSITIVITY for product": "for product"}


def draw(results: dict, folder: Path) -> list[Path]:
    """All pictures, into a folder; returns their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{name}.png" for name in ("area", "energy", "energy-accuracy")]
    for picture, path in zip((_area, _energy, _accuracy), paths):
        figure = picture(results)
        figure.savefig(path, dpi=120)
        pyplot.close(figure)
    return paths


def _area(results: dict) -> pyplot.Figure:
    """Cells of both builds by part, and whole tiles, as stacked bars."""
    figure, (left, right) = pyplot.subplots(1, 2, figsize=(11, 4.5), layout="constrained")
    builds = list(results["area"])
    parts = sorted(results["area"]["dynamic"], key=lambda part: -results["area"]["dynamic"][part])
    _stack(left, builds, {part: [results["area"][build].get(part, 0) / 1e6 for build in builds] for part in parts}, "tab20", "cells of a tile, mm² (130 nm)")
    shares = {name: [results["mm2"][build][name] for build in builds] for name in ("weights", "other_memories", "logic", "register_files")}
    _stack(right, builds, {name.replace("_", " "): values for name, values in shares.items()}, "tab10", "whole tile, mm²")
    return figure


def _stack(axes, builds, values, colours, label):
    below, colours = [0.0] * len(builds), pyplot.get_cmap(colours).colors
    for index, (name, heights) in enumerate(values.items()):
        axes.bar(builds, heights, bottom=below, width=0.6, color=colours[index % len(colours)], label=name)
        below = [base + height for base, height in zip(below, heights)]
    for place, height in enumerate(below):
        axes.text(place, height, f"{height:.3g}", ha="center", va="bottom")
    axes.set_ylabel(label)
    handles, labels = axes.get_legend_handles_labels()
    axes.legend(handles[::-1], labels[::-1], loc="center left", bbox_to_anchor=(1, 0.5), frameon=False, fontsize=8)


def _energy(results: dict) -> pyplot.Figure:
    """Stacked bars of each network, as shares of the baseline's energy."""
    figure, axes = pyplot.subplots(figsize=(11, 4.5), layout="constrained")
    colours, ticks, position = dict(zip(PARTS, pyplot.get_cmap("tab10").colors)), [], 0
    top = 0.15 + max(1 - saved for savings in results["saving"].values() for saved in [0.0, *savings.values()])  # above all bars
    for name, policies in results["energy"].items():
        whole, begin = sum(policies["STATIC_HIGH"].values()), position
        for policy, parts in policies.items():
            below = 0.0
            for part in PARTS:
                axes.bar(position, parts[part] / whole, bottom=below, color=colours[part], width=0.8, label=None if ticks else part)
                below += parts[part] / whole
            axes.text(position, below, f"{below:.0%}", ha="center", va="bottom", fontsize=7)
            ticks.append((position, LABELS[policy]))
            position += 1
        axes.text((begin + position - 1) / 2, top, f"{name}\n{whole:,.0f} nJ", ha="center")
        position += 1
    axes.set_xticks([place for place, _ in ticks], [label for _, label in ticks], rotation=60, ha="right", fontsize=8)
    axes.set_ylim(0, top + 0.2)
    axes.set_ylabel("energy of a step, baseline = 1")
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(handles[::-1], labels[::-1], loc="outside right center", frameon=False)
    return figure


def _accuracy(results: dict) -> pyplot.Figure:
    """Energy saved against the loss on calibration data, each with its interval, by network and by what the thresholds are for."""
    figure, axes = pyplot.subplots(figsize=(8, 4.5), layout="constrained")
    colours = dict(zip(results["energy"], pyplot.get_cmap("tab10").colors))
    for (label, savings), mark in zip(results["saving"].items(), "os^"):
        for name, saved in savings.items():
            loss, error = expected_loss(read(name), label)
            low, high = results["saving_interval"][label][name]
            axes.errorbar(loss, 100 * saved, [[100 * (saved - low)], [100 * (high - saved)]], 1.96 * error, fmt=mark, color=colours[name],
                          label=f"{name}, {LABELS[label]}")
    axes.axvline(1, color="grey", linestyle=":")
    axes.set_xlabel("loss on calibration data in margins; no loss is left of the line")
    axes.set_ylabel("energy saved over the baseline, %")
    axes.grid(alpha=0.3)
    figure.legend(loc="outside right center", frameon=False, fontsize=8)
    return figure


def expected_loss(found: dict, label: str) -> tuple[float, float]:
    """Loss in margins and its standard error at the thresholds of a label, between the points of the sweep that led to them. found: of models/calibrated/."""
    if label in found["log2_lambda"]:
        log2_lambda, points = found["log2_lambda"][label], [point for point in found["sweep"] if point["policy"] == label]
    else:
        log2_lambda, points = found["costs"][label]["log2_lambda"], found["costs"][label]["sweep"]
    places = [point["log2_lambda"] for point in points]
    return tuple(float(np.interp(log2_lambda, places, [point[kind] for point in points])) for kind in ("loss", "error"))
