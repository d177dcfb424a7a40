# SPDX-License-Identifier: MIT
"""Buffers for nets that drive more than a gate can: abc sees one module at a time, and neither macros, adders of the library nor flip-flops, and no wires."""

from collections import defaultdict

from syn.library import Library
from syn.power import Library as Liberty

IDEAL = {"clk_i"}  # nets that a tree of their own feeds
MACRO_PIN = 0.01   # pF, about that of each pin of a macro


def insert_buffers(netlist: dict, top: str, library: Library) -> int:
    """Adds trees of buffers to module `top` of a netlist in Yosys' JSON, and returns their number. A buffer is named after its net's driver."""
    liberty, module, (buffer, enter, leave) = Liberty(library.liberty.read_text()), netlist["modules"][top], library.buffer
    wire = liberty.wire(5) / 5  # of a reader of a group
    cells = module["cells"]
    sinks, drivers = defaultdict(list), {}
    for port, value in module["ports"].items():
        if value["direction"] == "input":
            drivers |= {bit: f"{port}_" for bit in value["bits"]}
    ideal = {bit for name in IDEAL if name in module["ports"] for bit in module["ports"][name]["bits"]}
    for name, cell in cells.items():
        for pin, bits in cell["connections"].items():
            for index, bit in enumerate(bits):
                if not isinstance(bit, int) or bit in ideal:
                    continue
                if cell["port_directions"][pin] == "output":
                    drivers[bit] = name
                else:
                    sinks[bit].append((name, pin, index, liberty.capacitance.get((cell["type"], pin), MACRO_PIN) + wire))
    unused = 1 + max(bit for name in module["netnames"].values() for bit in name["bits"] if isinstance(bit, int))
    count = 0
    for net in list(sinks):
        loads = sorted(sinks[net])  # neighbours by name share a buffer
        while sum(load[3] for load in loads) > library.most_load and len(loads) > 1:
            groups, total = [[]], 0.0
            for load in loads:
                if groups[-1] and total + load[3] > library.most_load:
                    groups.append([])
                    total = 0.0
                groups[-1].append(load)
                total += load[3]
            if len(groups) == len(loads):
                break
            loads = []
            for group in groups:
                name, output = f"{drivers[net]}buffer{count}", unused + count
                cells[name] = {"hide_name": 0, "type": buffer, "parameters": {}, "attributes": {}, "port_directions": {enter: "input", leave: "output"},
                               "connections": {enter: [net], leave: [output]}}
                module["netnames"][f"{name}_{leave}"] = {"hide_name": 0, "bits": [output], "attributes": {}}
                for cell, pin, index, _ in group:
                    cells[cell]["connections"][pin][index] = output
                loads.append((name, enter, 0, liberty.capacitance[buffer, enter] + wire))
                count += 1
    return count
