# SPDX-License-Identifier: MIT
"""Table and plots of the energy of a step: terminal, docs/images/energy.png, docs/images/energy-accuracy.png."""

import json

from matplotlib import pyplot
from rich.table import Table

from syn import tables
from syn.energy import MIDDLE, PARTS
from syn.memory import NODE
from syn.synthesize import ROOT

IMAGES = ROOT / "docs" / "images"
ACCURACY = ROOT / "build" / "eval.json"
LABELS = {"STATIC_HIGH": "baseline, 8 bits", "STATIC_LOW": "low", "CELL_HISTORY": "history", "SENSITIVITY": "sensitivity"}


def table(results: dict) -> Table:
    """Energy of a step by part, and what each policy saves of the baseline build's."""
    title = f"Energy of a step, nJ ({NODE} nm, cell delays, logic scaled by {MIDDLE})"
    made = tables.table(title, "network", "policy", *PARTS, "total", "saved", left=2)
    for name, policies in results["energy"].items():
        for policy, parts in policies.items():
            saved = f"{results['saving'][policy][name]:.1%}" if policy in results["saving"] else ""
            made.add_row(name, policy, *(f"{parts[part]:,.1f}" for part in PARTS), f"{sum(parts.values()):,.1f}", saved)
        made.add_section()
    return made


def saving_table(results: dict) -> Table:
    """What SENSITIVITY saves of the baseline build's energy, mean over the networks, by scaling rule and delays."""
    modes = ("zero delay", "cell delays")
    made = tables.table("Saved by SENSITIVITY, mean over the networks", "rule", *modes)
    for rule, savings in results["saving_by_rule"].items():
        made.add_row(rule, *(f"{savings[mode]:.1%}" for mode in modes))
    return made


def plot(results: dict) -> None:
    """Stacked bars of each network's policies side by side, as shares of the baseline build's energy."""
    IMAGES.mkdir(parents=True, exist_ok=True)
    figure, axes = pyplot.subplots(figsize=(11, 4.5), layout="constrained")
    colours, ticks, position = dict(zip(PARTS, pyplot.get_cmap("tab10").colors)), [], 0
    for name, policies in results["energy"].items():
        whole = sum(policies["STATIC_HIGH"].values())
        for policy, parts in policies.items():
            below = 0.0
            for part in PARTS:
                axes.bar(position, parts[part] / whole, bottom=below, color=colours[part], width=0.8, label=None if ticks else part)
                below += parts[part] / whole
            axes.text(position, below, f"{below:.0%}", ha="center", va="bottom", fontsize=8)
            ticks.append((position, LABELS[policy]))
            position += 1
        axes.text(position - 2.5, 1.1, f"{name}\n{whole:,.0f} nJ", ha="center")
        position += 1
    axes.set_xticks([place for place, _ in ticks], [label for _, label in ticks], rotation=60, ha="right", fontsize=8)
    axes.set_ylim(0, 1.25)
    axes.set_ylabel("energy of a step, baseline build = 1")
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(handles[::-1], labels[::-1], loc="outside right center", frameon=False)
    figure.savefig(IMAGES / "energy.png", dpi=120)
    pyplot.close(figure)
    if ACCURACY.exists():
        _plot_accuracy(results)


def _plot_accuracy(results: dict) -> None:
    """Energy against what the task loses, for each network and policy."""
    records = {(record["network"], record["policy"]): record for record in json.loads(ACCURACY.read_text())}
    figure, axes = pyplot.subplots(1, len(results["energy"]), figsize=(3 * len(results["energy"]), 3.2), layout="constrained", squeeze=False)
    for axis, (name, policies) in zip(axes[0], results["energy"].items()):
        whole = sum(policies["STATIC_HIGH"].values())
        for policy, parts in policies.items():
            record = records.get((name, policy))
            if record:
                value, (low, high) = record["value"], record["ci95"]
                axis.errorbar(sum(parts.values()) / whole, value, [[value - low], [high - value]], fmt="o", capsize=3, label=LABELS[policy])
                axis.set_ylabel(record["metric"])
        axis.set_title(name)
        axis.set_xlabel("energy, baseline = 1")
    axes[0][0].legend(fontsize=8, frameon=False)
    figure.savefig(IMAGES / "energy-accuracy.png", dpi=120)
    pyplot.close(figure)
