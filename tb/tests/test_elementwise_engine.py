# SPDX-License-Identifier: MIT
"""elementwise_engine: every complete unit leaves once and in order, to the commit bus or the refinement queue, however long the bus is taken, with its place
in the network; clear."""

from collections import deque
from random import Random

import cocotb
from cocotb.triggers import FallingEdge, RisingEdge

from models.formats import COMPLETE, DESCRIPTOR, ENTRY, GATES, MAX_LAYERS, MAX_UNITS, ROW_CONSTANT, Level, Policy
from tb.bench.drivers import at_widths, reset, seed
from tb.bench.registers import packed_levels
from tb.bench.runner import run

IN_FLIGHT, UNIT_DEPTH, WEIGHT_WIDTH, TILES, TILE = 8, 16, 8, 4, 2
COMMIT_DEPTH = 4  # of the commit queue
INTERVAL = 8  # cycles from a unit to the next
LOWEST, ALL = (packed_levels([level] * len(GATES)) for level in (Level.LOWEST, Level.ALL))
ENTRY_WORD = at_widths(ENTRY, {"WeightWidth": WEIGHT_WIDTH, "UnitWidth": UNIT_DEPTH.bit_length() - 1})
READ = {"gates": ("c_frac",), "late": ("theta_middle", "theta_all", "cell_floor", "unit_base")}  # fields of the descriptors; the others are of other readers


class Bench:
    """Feeds complete units and follows where each leaves. Every provisional pass is refined to all quarters, or none is."""

    def __init__(self, dut, random: Random, refines: bool):
        theta = [-128 if refines else 127] * len(GATES)
        self.dut, self.random, self.refines, self.cycle = dut, random, refines, 0
        self.entries = [ENTRY_WORD.pack(**dict.fromkeys(ENTRY_WORD.places, 0))] * IN_FLIGHT
        least = {name: field.range[0] for name, (_, field) in DESCRIPTOR.places.items() if field.count == 1}
        bases = [random.getrandbits(16) for _ in range(MAX_LAYERS)]
        self.descriptors = [DESCRIPTOR.pack(**least | dict(unit_base=base), theta_middle=theta, theta_all=theta) for base in bases]
        self.forget()
        cocotb.start_soon(self.look_up())

    def forget(self):
        """No unit is anywhere."""
        self.free, self.commits, self.refinements = deque(range(IN_FLIGHT)), deque(), deque()
        self.left = []  # cycles in which units left post-processing for the refinement queue, or the bus

    async def look_up(self):
        """Answers within the cycle, as the in-flight buffer and the descriptors do; what nothing here reads of a descriptor is random."""
        dut, full = self.dut, (1 << DESCRIPTOR.width) - 1
        while True:
            await FallingEdge(dut.clk_i)
            dut.finish_entry_i.value = self.entries[known(dut.finish_index_o)]
            for reader, names in READ.items():
                read = sum((1 << field.width * field.count) - 1 << low for low, field in (DESCRIPTOR.places[name] for name in names))
                descriptor = self.descriptors[known(getattr(dut, f"{reader}_layer_o"))]
                getattr(dut, f"{reader}_descriptor_i").value = descriptor & read | self.random.getrandbits(DESCRIPTOR.width) & (full ^ read)

    def place(self, unit: int) -> tuple[int, int, int]:
        """Layer, position and bank of a unit in flight."""
        entry = ENTRY_WORD.unpack(self.entries[unit])
        slot = entry["unit"] - DESCRIPTOR.unpack(self.descriptors[entry["layer"]])["unit_base"]
        return entry["layer"], (slot * TILES + TILE) % MAX_UNITS, entry["step"] & 1

    async def run(self, cycles: int, complete: float, ready: float):
        """complete, ready: the rates of complete units and of free cycles of the bus."""
        dut, random = self.dut, self.random
        for _ in range(cycles):
            unit = self.free.popleft() if self.free and random.random() < complete else None
            final, levels = random.random() < 0.5, packed_levels(random.choices([*Level], k=len(GATES)))
            if unit is not None:
                self.entries[unit] = random.getrandbits(ENTRY_WORD.width)
            dut.complete_i.value, dut.complete_index_i.value = int(unit is not None), unit if unit is not None else random.randrange(IN_FLIGHT)
            dut.complete_data_i.value = COMPLETE.pack(levels=levels if final else LOWEST, is_final=final)
            dut.commit_ready_i.value = int(random.random() < ready)
            await RisingEdge(dut.clk_i)
            self.cycle += 1
            if dut.refine_valid_o.value:
                assert self.refinements, "a refinement that nobody asked for"
                assert (int(dut.result_index_o.value), int(dut.result_levels_o.value)) == (self.refinements[0], ALL), "unit and levels to refine"
                self.free.append(self.refinements.popleft())
                self.left.append(self.cycle)
            if dut.commit_valid_o.value and dut.commit_ready_i.value:
                assert self.commits, "a commit of no unit"
                got = tuple(int(getattr(dut, f"commit_{name}_o").value) for name in ("index", "levels", "layer", "position", "bank"))
                assert got == self.commits[0] + self.place(self.commits[0][0]), "unit, levels, layer, position and bank of a commit"
                self.free.append(self.commits.popleft()[0])
                self.left.append(self.cycle)
            if unit is not None and self.refines and not final:
                self.refinements.append(unit)
            elif unit is not None:
                self.commits.append((unit, levels if final else LOWEST))


def known(port) -> int:
    """The value of a port, 0 where it is X."""
    return int(port.value) if port.value.is_resolvable else 0


async def begin(dut, refines: bool) -> Bench:
    """A bench after a reset, and random constants in the memories: what they give is of no account, but must be something."""
    random = Random(seed())
    await reset(dut, policy=Policy.CELL_HISTORY, step_first=15)
    for address in range(len(GATES) * UNIT_DEPTH):
        dut.load_constant_i.value, dut.load_cell_i.value, dut.load_address_i.value = 1, int(address < UNIT_DEPTH), address
        dut.load_data_i.value = ROW_CONSTANT.replace(random.getrandbits(ROW_CONSTANT.width), offset=0)
        await RisingEdge(dut.clk_i)
    dut.load_constant_i.value = dut.load_cell_i.value = 0
    return Bench(dut, random, refines)


@cocotb.test(timeout_time=2, timeout_unit="ms")
@cocotb.parametrize(refines=[False, True])
async def every_unit_leaves_once(dut, refines):
    bench = await begin(dut, refines)
    for _ in range(20):
        await bench.run(200, 1.0, bench.random.choice((0.02, 0.1, 0.5, 1.0)))
        await bench.run(bench.random.randrange(150), 1.0, 0.0)
    await bench.run(200, 0.0, 1.0)
    assert len(bench.free) == IN_FLIGHT and not bench.commits and not bench.refinements, "units that did not leave"


@cocotb.test(timeout_time=1, timeout_unit="ms")
@cocotb.parametrize(refines=[False, True])
async def units_follow_at_full_rate(dut, refines):
    """A unit leaves every INTERVAL cycles, also after the bus was taken for long, so no room of the queue was lost."""
    bench = await begin(dut, refines)
    for _ in range(3):
        await bench.run(300, 1.0, 0.0)
        await bench.run(100, 1.0, 1.0)
        bench.left.clear()
        await bench.run(100 * INTERVAL, 1.0, 1.0)
        assert len(bench.left) >= 99, f"{len(bench.left)} units in {100 * INTERVAL} cycles"


@cocotb.test(timeout_time=1, timeout_unit="ms")
async def clear_forgets_all_units(dut):
    bench = await begin(dut, True)
    for _ in range(20):
        await bench.run(bench.random.randint(1, 200), 1.0, bench.random.choice((0.0, 0.2)))
        dut.complete_i.value, dut.clear_i.value = 0, 1
        await RisingEdge(dut.clk_i)
        dut.clear_i.value = 0
        bench.forget()
        await bench.run(40, 0.0, 1.0)
        await bench.run(40 + COMMIT_DEPTH * INTERVAL, 0.2, 1.0)
        await bench.run(100, 0.0, 1.0)
        assert len(bench.free) == IN_FLIGHT, "units that did not leave after a clear"


def test_elementwise_engine():
    run(__name__, "elementwise_engine", {"InFlight": IN_FLIGHT, "UnitDepth": UNIT_DEPTH, "WeightWidth": WEIGHT_WIDTH, "Tiles": TILES, "TileId": TILE})
