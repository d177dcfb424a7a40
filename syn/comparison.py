# SPDX-License-Identifier: MIT
"""Throughput and efficiency at the clock of both builds, and the table of docs/silicon.md that has a line a network."""

from collections.abc import Iterator

import numpy as np
from rich.table import Table

from syn.energy import BASELINE
from syn.saving import PARTS
from syn.tables import table


def figures(found: dict, clock_ns: float) -> dict:
    """Microseconds, microjoules, GOPS and GOPS/W by network and policy at a clock; an operation is a multiplication or an addition of the network's own, in 8 bits.

    found: of syn.saving.results.
    """
    made = {"latency_us": {}, "microjoules": {}, "gops": {}, "gops_by_watt": {}}
    for name, policies in found["energy"].items():
        for policy, parts in policies.items():
            operations = 2 * found["macs_per_step"][name]
            seconds = found["cycles_per_step"][name][policy] * clock_ns * 1e-9
            joules = 1e-9 * sum(parts[part] for part in PARTS)
            values = (seconds * 1e6, joules * 1e6, operations / seconds / 1e9, operations / joules / 1e9)
            for key, value in zip(made, values, strict=True):
                made[key].setdefault(name, {})[policy] = value
    made["gops_per_watt"] = float(np.exp(np.mean([np.log(policies["SENSITIVITY"]) for policies in made["gops_by_watt"].values()])))
    return made


def summary(results: dict) -> Table:
    """What a step takes in both builds by network, what is saved most first; the dynamic build at thresholds for time where nothing else is said."""
    made = table("", "network", "steps", "saved, for time", "saved, for energy", "speed", "energy times delay", "µs a step, baseline / dynamic",
                 "µJ a step, baseline / dynamic", "GOPS", "GOPS/W")
    time, other = "SENSITIVITY", "SENSITIVITY for energy"

    def saved(label, name):
        if name not in results["saving"].get(label, {}):
            return ""
        return _percent(results["saving"][label][name], results["saving_interval"][label][name])

    for name in sorted(results["steps"], key=lambda name: -results["saving"][time][name]):
        both = [[results[key][name][label] for label in (BASELINE, time)] for key in ("latency_us", "microjoules")]
        made.add_row(name, f"{results['steps'][name]}", saved(time, name), saved(other, name), f"{results['speed'][time][name]:.2f}x", f"{results['edp'][name]:.2f}",
                     *(" / ".join(f"{value:.3g}" for value in pair) for pair in both), f"{results['gops'][name][time]:.1f}", f"{results['gops_by_watt'][name][time]:.0f}")
    means = (_percent(results[f"saving_{cost}_optimal"], results[f"saving_{cost}_optimal_interval"]) for cost in ("time", "energy"))
    made.add_row("mean", "", *means, "", f"**{results['edp_ratio']:.2f}** (geometric)", "", "", "", f"{results['gops_per_watt']:.0f} (geometric)")
    return made


def _percent(value, interval):
    return f"**{100 * value:.1f} %** [{', '.join(f'{100 * bound:.1f}' for bound in interval)}]"


def report(results: dict) -> Iterator[Table | str]:
    """A table of this accelerator."""
    clock = 1000 / max(results["clock_ns"]["typical"].values())
    own = table(f"Four tiles at {clock:.0f} MHz, 130 nm, typical corner, before layout: a step", "network", "policy", "us", "uJ", "mW", "GOPS", "GOPS/W", left=2)
    for name, policies in results["latency_us"].items():
        for policy, microseconds in policies.items():
            joules = results["microjoules"][name][policy]
            label = "baseline as in rtl/" if policy == "STATIC_HIGH" else policy
            own.add_row(name, label, f"{microseconds:,.2f}", f"{joules:,.3f}", f"{1000 * joules / microseconds:,.0f}", f"{results['gops'][name][policy]:,.1f}",
                        f"{results['gops_by_watt'][name][policy]:,.0f}")
        own.add_section()
    yield own
