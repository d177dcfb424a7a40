# SPDX-License-Identifier: MIT
"""Area of a tile by part, in both builds: logic, register files and memories, and what the dynamic precision costs of each."""

from collections import Counter

from syn import memory
from syn.synthesize import Netlist, SynthesisError

# Parts of a tile, by the innermost name of one in the path of an instance; what no name matches is "rest".
PARTS = {
    "dot product": ("u_dot_product",), "operands": ("u_operands",), "row sums": ("u_row_sums",), "row engine": ("u_row_engine",),
    "requantizer": ("u_requantizer",), "activation": ("u_activation",), "cell update": ("u_cell_update",),
    "post-processing": ("u_post_processing", "u_elementwise_engine"), "precision unit": ("u_precision_unit",), "refinement queue": ("u_queue",),
    "other queues": ("u_finish_queue", "u_commit_queue"), "row pass": ("u_row_pass",), "sequencer": ("u_sequencer",),
    "in-flight buffer": ("u_in_flight", "u_scheduler"),
}
# What each part adds belongs to one of these.
CAUSES = {
    "dynamic precision unit": ("precision unit",),
    "quarter products": ("dot product", "operands", "row sums", "row engine"),
    "refinement queue": ("refinement queue",),
    "control, second bias, provisional passes": ("post-processing", "requantizer", "activation", "cell update", "other queues",
                                                  "row pass", "sequencer", "in-flight buffer", "rest"),
}

# Logic of 180 nm takes (node / 180)^2 of its area at another node, times one of these: cells of newer libraries are lower than the ten
# micrometres of these (0.5), or the wires between them shrink less than the gates (2).
SCALING = {"optimistic": 0.5, "square": 1.0, "pessimistic": 2.0}
WEIGHT_MEMORIES = ("weights_hi", "weights_lo")


def part(path: str) -> str:
    """The part of a tile that an instance belongs to."""
    return next((part for name in reversed(path.split(".")) for part, names in PARTS.items() if name in names), "rest")


def by_part(netlist: Netlist) -> dict[str, float]:
    """Cell area of a tile by part, largest first, in square micrometres."""
    areas = Counter()
    for path, area in netlist.area().items():
        areas[part(path)] += area
    return dict(areas.most_common())


def register_files(netlist: Netlist, timing: Netlist) -> float:
    """Area of the register files as cells, which only the netlist for timing holds, in square micrometres."""
    paths = {path for path, parameters in netlist.memories().items() if parameters["kind"] == "register_file"}
    return sum(area for path, area in timing.area().items() if path in paths)


def memory_area(netlist: Netlist, build: str) -> dict[str, float]:
    """Area of the memories of a tile by name, in square millimetres. Raises SynthesisError if the netlist has others than syn/memory.py."""
    known, areas = memory.memories(memory.BUILDS[build]), {}
    for path, parameters in netlist.memories().items():
        if parameters["kind"] == "ram":
            name = path.rpartition(".u_")[2]
            if name not in known or (known[name].bits, known[name].words) != (parameters["Width"], parameters["Depth"]):
                raise SynthesisError(f"syn/memory.py has no {name} of {parameters['Depth']} words of {parameters['Width']} bits for the {build} build")
            areas[name] = known[name].area_um2 / 1e6
    return areas


def totals(netlists: dict[str, Netlist], files: dict[str, float]) -> dict:
    """Overhead of everything, and of everything but weights, by scaling of the logic; and the shares of both builds in mm2."""
    shares, square = {}, (memory.NODE / 180) ** 2 / 1e6
    for build, netlist in netlists.items():
        memories = memory_area(netlist, build)
        shares[build] = {"logic": sum(netlist.area().values()) * square, "register_files": files[build] * square,
                         "weights": sum(area for name, area in memories.items() if name in WEIGHT_MEMORIES),
                         "other_memories": sum(area for name, area in memories.items() if name not in WEIGHT_MEMORIES)}

    def overhead(factor, *parts):
        total = {build: factor * (share["logic"] + share["register_files"]) + sum(share[part] for part in parts) for build, share in shares.items()}
        return total["dynamic"] / total["baseline"] - 1

    return {"overhead": {name: overhead(factor, "weights", "other_memories") for name, factor in SCALING.items()},
            "overhead_without_weights": {name: overhead(factor, "other_memories") for name, factor in SCALING.items()}, "mm2": shares}


def causes(baseline: dict[str, float], dynamic: dict[str, float]) -> dict[str, float]:
    """What the dynamic build adds to the logic of the baseline one, by cause, in square micrometres."""
    return {cause: sum(dynamic.get(part, 0) - baseline.get(part, 0) for part in parts) for cause, parts in CAUSES.items()}
