# SPDX-License-Identifier: MIT
"""Throughput and efficiency at the clock of both builds, and published accelerators of recurrent networks beside them."""

from collections.abc import Iterator

import numpy as np
from rich.table import Table

from syn.saving import PARTS
from syn.tables import table

# What the abstracts of these papers say of themselves: work, device and node, network, precision, throughput, efficiency, power.
PUBLISHED = (
    ("ESE, Han et al., FPGA 2017", "FPGA XCKU060, 20 nm", "LSTM, pruned to 10 %", "12 bits", "282 GOPS on the pruned network", "6.9 GOPS/W", "41 W, measured, with DRAM"),
    ("DeltaRNN, Gao et al., FPGA 2018", "FPGA Zynq-7100, 28 nm", "GRU, changes only", "16 bits", "1,200 GOPS, skipped work counted", "164 GOPS/W", "7.3 W, measured"),
    ("Chipmunk, Conti et al., CICC 2018", "ASIC, 65 nm", "LSTM", "8 bits, 16 inside", "3.8 GOPS at its best efficiency", "3,080 GOPS/W",
     "1.24 mW, measured, weights on chip"),
    ("EdgeDRNN, Gao et al., JETCAS 2020", "FPGA Zynq-7007S, 28 nm", "GRU, changes only", "8-bit weights, 16-bit activations", "20.2 GOPS, skipped work counted",
     "8.8 GOPS/W", "2.3 W, measured at the wall, with DRAM"),
)


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


def report(results: dict) -> Iterator[Table | str]:
    """Tables of this accelerator, and of published ones."""
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
    others = table("Published accelerators of recurrent networks, by their own papers", "work", "device", "network", "precision", "throughput", "efficiency", "power",
                   left=7)
    for row in PUBLISHED:
        others.add_row(*row)
    yield others
    yield ("Not comparable: nodes, measured boards against gates before layout, other networks, skipped operations that are counted as done, and memory off the "
           "chip that is counted there and does not exist here. Operations here are the network's own, dense, in 8 bits, whatever quarters they took.")
