# SPDX-License-Identifier: MIT
"""Area of a tile by part, in both builds: cells and macros, and what the dynamic precision costs of each."""

from collections import Counter

from syn import memory
from syn.synthesize import Netlist, SynthesisError

# Parts of a tile, by the innermost name of one in the path of an instance; what no name matches is "rest".
PARTS = {
    "dot product": ("u_dot_product",), "operands": ("u_operands",), "row sums": ("u_row_sums",), "row engine": ("u_row_engine",),
    "requantizer": ("u_requantizer",), "activation": ("u_activation",), "cell update": ("u_cell_update",),
    "post-processing": ("u_post_processing", "u_elementwise_engine"), "precision unit": ("u_precision_unit",), "refinement queue": ("gen_refinement",),
    "other queues": ("u_finish_queue", "u_commit_queue"), "row pass": ("u_row_pass",), "sequencer": ("u_sequencer",),
    "in-flight buffer": ("u_in_flight", "u_scheduler"), "weight memory": ("u_weights_hi", "u_weights_lo"),
    "other memories": ("u_activations", "u_activations_hi", "u_activations_lo", "u_scales", "u_constants", "u_cells"), "row sums, words": ("u_sums",),
    "descriptors": ("u_layers",), "entries and queues, words": ("u_entries",),
}
# What each part adds belongs to one of these.
CAUSES = {
    "dynamic precision unit": ("precision unit",),
    "quarter products": ("dot product", "operands", "row sums", "row engine"),
    "units in flight, descriptors": ("row sums, words", "descriptors", "entries and queues, words", "in-flight buffer"),
    "refinement queue": ("refinement queue",),
    "control, second bias, provisional passes": ("post-processing", "requantizer", "activation", "cell update", "other queues", "row pass", "sequencer", "rest"),
    "select of memories": ("weight memory", "other memories"),
}
REGISTER_FILES = ("row sums, words", "descriptors", "entries and queues, words")
WEIGHTS = "weight memory"


def part(path: str) -> str:
    """The part of a tile that an instance belongs to."""
    return next((part for name in reversed(path.split(".")) for part, names in PARTS.items() if name in names), "rest")


def by_part(netlist: Netlist) -> dict[str, float]:
    """Cell area of a tile by part, largest first, in square micrometres."""
    areas = Counter()
    for path, area in netlist.area().items():
        areas[part(path)] += area
    return dict(areas.most_common())


def macro_area(netlist: Netlist, build: str) -> dict[str, float]:
    """Area of the macros of a tile by memory, in square micrometres. Raises SynthesisError if the netlist has others than syn/memory.py."""
    known, found = memory.memories(memory.BUILDS[build]), Counter()
    for path, cell in netlist.macros().items():
        found[path.partition(".gen_macros")[0].rpartition(".u_")[2], cell] += 1
    expected = Counter({(name, memory.cell_name(part)): count * made.rows for name, made in known.items() for part, count in Counter(made.row).items()})
    if found != expected:
        raise SynthesisError(f"macros of the {build} build: {dict(found - expected)} too many, {dict(expected - found)} missing")
    return {name: made.area_um2 for name, made in known.items()}


def totals(netlists: dict[str, Netlist]) -> dict:
    """Shares of both builds in square millimetres, and the overhead of the dynamic one: of everything, of everything but the weight memory, and of the logic."""
    shares = {}
    for build, netlist in netlists.items():
        parts, macros = by_part(netlist), macro_area(netlist, build)
        of_memories = {name: sum(area for macro, area in macros.items() if part(f"u_{macro}") == name) for name in (WEIGHTS, "other memories")}
        logic = {name: area for name, area in parts.items() if name not in of_memories}
        files = sum(logic.get(name, 0) for name in REGISTER_FILES)
        shares[build] = {"logic": (sum(logic.values()) - files) / 1e6, "register_files": files / 1e6, "weights": (parts.get(WEIGHTS, 0) + of_memories[WEIGHTS]) / 1e6,
                         "other_memories": (parts.get("other memories", 0) + of_memories["other memories"]) / 1e6}

    def overhead(*names):
        total = {build: sum(share[name] for name in names) for build, share in shares.items()}
        return total["dynamic"] / total["baseline"] - 1

    return {"overhead": overhead("logic", "register_files", "other_memories", "weights"),
            "overhead_without_weights": overhead("logic", "register_files", "other_memories"),
            "overhead_logic": overhead("logic", "register_files"), "mm2": shares}


def causes(baseline: dict[str, float], dynamic: dict[str, float]) -> dict[str, float]:
    """What the dynamic build adds to the cells of the baseline one, by cause, in square micrometres."""
    return {cause: sum(dynamic.get(part, 0) - baseline.get(part, 0) for part in parts) for cause, parts in CAUSES.items()}
