# SPDX-License-Identifier: MIT
"""scheduler: every output in every cycle of random runs, as a tile of models/cycle_model.py has it; x, the other tiles, post-processing and output streams answer
after any delay; run after run, with and without a clear between them."""

import json
from collections import deque
from dataclasses import dataclass
from itertools import chain, count, cycle, repeat
from random import Random
from types import SimpleNamespace

import cocotb
import pytest
from cocotb.triggers import RisingEdge

from models.cycle_model import LAYER_ENTRY, WORD_TO_CLASS, LayerWork, Schedule, WaitModel, refinement_passes
from models.formats import BUILD_POLICIES, DESCRIPTOR, ENTRY, GATES, MAX_LAYERS, CycleClass, Gate, Kind, Level, Policy
from models.policies import DECIDING
from tb.bench.drivers import at_widths, reset, seed
from tb.bench.registers import packed_levels
from tb.bench.runner import run
from tb.tests.test_row_pass import DYNAMIC, WIDTHS, Checker, Pass, random_levels, spare_bits

IN_FLIGHT = 1 << WIDTHS.get("IndexWidth", 0)
ENTRY_WORD = at_widths(ENTRY, WIDTHS)
CYCLES = 12000
RATES = (1, 1, 0.3)  # of what is due comes in a cycle; but in a run one of these is slow
SLOW = dict(x_loaded=0.03, layer_done=0.02, output_freed=0.004, trace_freed=0.004, answer=0.02)
LONGEST = 1500  # cycles of a run
PAIRS = ((Gate.I, Gate.F), (Gate.G, Gate.O))


@dataclass
class Network:
    """What a run computes: fields of the descriptor and the policy of each layer, which steps begin a sequence, whether a trace is sent."""

    descriptors: list[dict]
    policies: list[Policy]
    first: list[bool]
    trace: bool

    def work(self) -> list[LayerWork]:
        """Its layers for the model. In place of how many words a pass has: what the pass is."""
        early, late = ([(kind, PAIRS[0]), None, (kind, PAIRS[1]), None] for kind in (Kind.EARLY, Kind.LATE))
        return [LayerWork(slots, [early] * slots, [late] * slots, [bool(DYNAMIC) and policy in DECIDING] * slots, [])
                for slots, policy in zip((descriptor["slots"] for descriptor in self.descriptors), self.policies)]


def random_network(random: Random) -> Network:
    """A small one: layers of which some have no unit in this tile, a word or a few, anywhere in memories."""
    weights, units, offsets = (1 << WIDTHS[name] for name in ("WeightWidth", "UnitWidth", "OffsetWidth"))
    descriptors, policies = [], random.choices([*BUILD_POLICIES, *DECIDING], k=random.choice((1, 1, 2, 2, 3, 4, MAX_LAYERS)))
    for layer in range(len(policies)):
        x_words, h_words = random.choice(((1, 1), (1, 1), (1, 1), (1, 2), (2, 1), (3, 2)))
        terms, unit_words = int(layer == 0 and random.random() < 0.5), 4 * (x_words + h_words)
        slots = min(random.choice((0, 1, 1, 1, 1, 2, 2, 3, IN_FLIGHT + 2)), weights // unit_words, units)
        place = dict(w_base=weights - max(1, slots) * unit_words, unit_base=units - max(1, slots), x_addr=offsets - x_words * (1 + terms), h_addr=offsets - h_words)
        fields = {name: random.randint(*field.range) for name, (_, field) in DESCRIPTOR.places.items() if field.count == 1}
        descriptors.append(fields | {name: random.choice((0, last, random.randint(0, last))) for name, last in place.items()} | random_levels(random) | dict(
            theta_middle=[0] * 4, theta_all=[0] * 4, slots=slots, x_words=x_words, h_words=h_words, two_terms=terms))
    return Network(descriptors, policies, random.choices((False, True), k=random.choice((1, 2, 3, 4, 5, 12))), random.random() < 0.4)


class Reference(Schedule):
    """A tile of the cycle model, which also tells each word and entry. The test says when units are decided and committed, and how far all others are."""

    wait_class = WaitModel._class

    def __init__(self):
        super().__init__([LayerWork(0, [], [], [], [])], 1, IN_FLIGHT, 0, 0, False)
        self.tile, = self.tiles
        self.tile.run_from = float("inf")
        self.network, self.first_step = None, 0
        self.entered, self.last_segment = 0, 0  # units; the cycle in which the last segment of the latest pass leaves what is prepared
        self.words, self.queue = deque(), deque()  # (cycle, pass, word); (cycle in which it is prepared, pass)
        self.requests = []  # (cycle from which on post-processing may answer, unit, whether there is nothing to decide)
        self.updates = []  # what registers take over at the end of this cycle

    def start(self, network: Network, now: int):
        """start_i is high in this cycle: a run after all that there was."""
        self.network, self.layers, self.trace, self.first_step = network, network.work(), network.trace, self.tile.step
        self.tile.run_from = now + LAYER_ENTRY

    def act(self, now: int) -> bool:
        """Chooses what comes next, and tells whether a layer-step ends."""
        ended = self._act(now, self.tile)
        for update in self.updates:
            update()
        self.updates.clear()
        return ended

    def _at(self, cycle, action, tile=None):
        self.updates += [action] * (action is not None)

    def _request(self, last_word, tile, unit, final):
        self.requests.append((last_word + WORD_TO_CLASS + 1, unit, final))

    def _allocate(self, tile, unit):
        super()._allocate(tile, unit)
        fields = self.network.descriptors[unit.layer]
        unit.index, unit.levels, self.entered = self.entered % IN_FLIGHT, [Level.LOWEST] * len(GATES), self.entered + 1
        unit.entry = dict(step=unit.step % 4, layer=unit.layer, none=unit.none, last=unit.last)
        if not unit.none:
            unit.entry |= dict(base=fields["w_base"] + 4 * unit.slot * (fields["x_words"] + fields["h_words"]), unit=fields["unit_base"] + unit.slot)

    def _row_pass(self, now, tile, words):
        kind, gates = words
        unit = tile.refinements[0][0] if kind is Kind.REFINEMENT else tile.late[0] if kind is Kind.LATE else tile.in_flight[-1]
        complete = not tile.refinements[0][1] if kind is Kind.REFINEMENT else kind is Kind.LATE and gates == PAIRS[1]
        fields = {name: unit.entry[name] for name in ("base", "unit", "step", "layer")}
        fields |= dict(gate=gates[0], second=gates[-1], index=unit.index, complete=complete)
        row = Pass(kind, fields, unit.levels, self.network.descriptors[unit.layer], self.network.policies[unit.layer],
                   15 * self.network.first[unit.step - self.first_step])
        segments, first = row.word_segments(), max(now, tile.last_words[-1]) + 1 + WORD_TO_CLASS
        length = sum(map(len, segments))
        self.words += zip(count(first), repeat(row), chain(*segments))
        self.queue.append((max(now + 1, self.last_segment), row))
        self.last_segment = first + length - len(segments[-1]) - 1
        return super()._row_pass(now, tile, length)


class Player:
    """Plays runs, answers as all others would, and compares the outputs of every cycle."""

    def __init__(self, dut, random: Random):
        self.dut, self.random, self.now, self.met, self.spare, self.slow = dut, random, 0, set(), spare_bits(), cycle(SLOW)
        names = dict(reads_o="word_reads_o", quarter_o="word_quarter_o", own_exponent_o="word_own_exponent_o", tag_o="word_tag_o")
        ports = {name: getattr(dut, names.get(name, name)) for name in (*names, "weight_address_o", "activation_address_o")}
        self.checker = Checker(SimpleNamespace(**ports), random, 0)
        self.forget()

    def forget(self):
        """All as after reset."""
        self.reference, self.rates, self.lowest = Reference(), dict.fromkeys(SLOW, 1), 0
        self.total, self.loaded, self.first_done, self.steps_done, self.layers_done = 0, 0, 0, 0, 0  # of steps, without the last
        self.owed, self.outputs, self.traces = 0, 0, 0  # layer-steps that ended here and not everywhere; steps to be sent

    async def play(self, network: Network, cycles: int) -> bool:
        """A run, which is given up after so many cycles; whether it ended."""
        self.rates, self.lowest = {event: self.random.choice(RATES) for event in SLOW}, self.random.choice((0, 0.5, 0.9))
        slow = next(self.slow)
        self.rates[slow] = SLOW[slow]
        network.trace |= slow == "trace_freed"
        await self.cycle(start=network)
        self.total, self.layers_done = self.total + len(network.first), 0
        end = self.now + cycles
        while self.now < end:
            if self.steps_done == self.total and not self.outputs and not self.traces:
                return True
            await self.cycle()
        return False

    async def clear(self):
        """A clear of a cycle or more, the first of them in the middle of everything."""
        await self.cycle(clear=1)
        self.forget()
        for _ in range(self.random.choice((0, 0, 1, 3))):
            await self.cycle(clear=1)

    def answers(self) -> tuple:
        """(unit that is committed, unit that is to be refined) in this cycle, None for none."""
        done = refine = None
        due = [(unit, final) for since, unit, final in self.reference.requests if since <= self.now]
        for unit, final in self.random.sample(due, len(due)):
            if self.random.random() < self.rates["answer"]:
                if final or self.random.random() < self.lowest:
                    done = unit
                else:
                    refine = unit
        for unit in {id(unit): unit for unit in (done, refine) if unit}.values():
            self.reference.requests = [request for request in self.reference.requests if request[1] is not unit]
        while refine and not any(refine.levels):
            refine.levels = self.random.choices([*Level], k=len(GATES))
        return done, refine

    async def cycle(self, start: Network | None = None, clear: int = 0):
        """One cycle."""
        dut, random, reference, tile = self.dut, self.random, self.reference, self.reference.tile
        possible = dict(x_loaded=self.loaded < self.total and self.loaded - self.first_done < 2, layer_done=self.owed > 0, output_freed=self.outputs > 0,
                        trace_freed=self.traces > 0)
        happens = {event: int(can and random.random() < self.rates[event]) for event, can in possible.items()}
        done, refine = self.answers()
        self.drive(happens, done, refine, start, clear)
        looked_up = random.choice([None, *tile.in_flight])
        dut.finish_index_i.value = looked_up.index if looked_up else random.randrange(IN_FLIGHT)
        await RisingEdge(dut.clk_i)
        self.compare(looked_up)
        ended = reference.act(self.now)
        assert bool(dut.tile_done_o.value) == ended, "a layer-step ends with its last unit, in order"
        if start:
            reference.start(start, self.now)
        self.follow(happens, done, refine, ended)
        self.now += 1

    def drive(self, happens: dict, done, refine, start: Network | None, clear: int):
        """Inputs of a cycle; what has no meaning in it is random."""
        dut, random, reference = self.dut, self.random, self.reference
        for event, value in happens.items():
            getattr(dut, f"{event}_i").value = value
        dut.clear_i.value, dut.start_i.value = clear, int(start is not None)
        if start:
            dut.layers_i.value, dut.trace_enable_i.value = len(start.policies), int(start.trace)
        fixed = {step % 4: reference.network.first[step - reference.first_step] for step in range(self.steps_done, self.loaded)}
        dut.step_first_i.value = sum(fixed.get(step, random.getrandbits(1)) << step for step in range(4))
        network, any_word = reference.network, random.getrandbits(DESCRIPTOR.width)
        dut.early_descriptor_i.value = DESCRIPTOR.pack(**network.descriptors[reference.tile.layer]) if network else any_word
        row = reference.queue[0][1] if reference.queue else None
        dut.row_pass_descriptor_i.value = DESCRIPTOR.pack(**row.descriptor) & ~self.spare | any_word & self.spare if row else any_word
        dut.policy_i.value = row.policy if row else random.choice(BUILD_POLICIES)
        dut.done_i.value, dut.refine_valid_i.value = int(done is not None), int(refine is not None)
        dut.done_index_i.value, dut.refine_index_i.value = (unit.index if unit else random.randrange(IN_FLIGHT) for unit in (done, refine))
        dut.refine_levels_i.value = packed_levels(refine.levels) if refine else random.getrandbits(8)

    def compare(self, looked_up):
        """Outputs of this cycle, except the end of a layer-step."""
        dut, now, reference = self.dut, self.now, self.reference
        word = reference.words and reference.words[0][0] == now
        assert bool(dut.word_valid_o.value) == bool(word), "a word too early, too late or too many"
        if word:
            _, row, word = reference.words.popleft()
            self.checker.compare(row, word)
        else:
            assert int(dut.word_reads_o.value) == 0, "a memory is read without a word"
        expected = CycleClass(word["quarter"]) if word else reference.wait_class(now, reference.tile)
        assert int(dut.class_o.value) == expected, f"class {CycleClass(int(dut.class_o.value)).name}, expected {expected.name}"
        self.met |= {expected, (expected, reference.tile.trace_credits > 0)}
        if reference.network:
            assert int(dut.early_layer_o.value) == reference.tile.layer
        if reference.queue:
            prepared, row = reference.queue[0]
            assert int(dut.row_pass_layer_o.value) == row.fields["layer"]
            if prepared == now:
                reference.queue.popleft()
        if looked_up:
            entry = ENTRY_WORD.unpack(int(dut.finish_entry_o.value))
            assert entry | looked_up.entry == entry, f"{entry} in flight, expected {looked_up.entry}"

    def follow(self, happens: dict, done, refine, ended: bool):
        """What the inputs of this cycle change in the next."""
        tile = self.reference.tile
        tile.x_credits += happens["x_loaded"]
        tile.output_credits += happens["output_freed"]
        tile.trace_credits += happens["trace_freed"]
        if done:
            done.done = True
        if refine:
            tile.refinements.append((refine, [(Kind.REFINEMENT, rows) for rows in refinement_passes(refine.levels)]))
        self.loaded += happens["x_loaded"]
        self.outputs -= happens["output_freed"]
        self.traces -= happens["trace_freed"]
        self.owed += ended - happens["layer_done"]
        if happens["layer_done"]:
            tile.lead_early, tile.lead_late = tile.lead_early - 1, tile.lead_late - 1
            layer, self.layers_done = self.layers_done % len(self.reference.layers), self.layers_done + 1
            self.first_done += layer == 0
            if layer == len(self.reference.layers) - 1:
                self.steps_done, self.outputs, self.traces = self.steps_done + 1, self.outputs + 1, self.traces + self.reference.trace


@cocotb.test(timeout_time=5, timeout_unit="ms")
async def every_output_in_every_cycle(dut):
    random = Random(seed())
    await reset(dut)
    player = Player(dut, random)
    wanted = {*CycleClass} - (set() if DYNAMIC else {CycleClass.HL, CycleClass.LH, CycleClass.LL})
    wanted |= {(CycleClass.WAIT_OUTPUT, False), (CycleClass.WAIT_OUTPUT, True)}  # for room for the trace, and for h
    while player.now < CYCLES or not wanted <= player.met:
        assert player.now < 5 * CYCLES, f"never met: {wanted - player.met}"
        ended = await player.play(random_network(random), random.choice((random.randrange(300), LONGEST, LONGEST)))
        if not ended or random.random() < 0.2:
            await player.clear()
        for _ in range(random.choice((0, 0, 1, 4))):
            await player.cycle()


@pytest.mark.parametrize("dynamic, in_flight, unit, weight, offset", [(1, 8, 9, 13, 7), (1, 2, 4, 7, 5), (0, 8, 6, 15, 9)])
def test_scheduler(dynamic, in_flight, unit, weight, offset):
    parameters = {"DynamicPrecision": dynamic, "InFlight": in_flight, "UnitWidth": unit, "WeightWidth": weight, "OffsetWidth": offset}
    run(__name__, "scheduler", parameters, environment={"WIDTHS": json.dumps(parameters | {"IndexWidth": in_flight.bit_length() - 1})})
