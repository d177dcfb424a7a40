# SPDX-License-Identifier: MIT
"""Cycles that the accelerator takes for a run, from the decisions alone: no integers are computed.

The model follows the schedule of docs/architecture.md cycle by cycle, but looks only at the cycles in which something happens. It equals the
RTL when no stream stalls: x waits at the port, and packets of h and trace are taken as they come.

`Schedule` is the machine: tiles, buses and queues, whatever a row pass computes. `CycleModel` says how many words the passes of a network's rows take.
`WaitModel` also says what tiles wait for in the other cycles.

A cycle is worked in three parts: what registers took over at its start (`_at`), the buses that all tiles share, each tile's own choices.
Cycle 0 is the one after the start register was written.
"""

import math
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from heapq import heappop, heappush

import torch
from torch import Tensor

from .build import Build
from .counters import first_level
from .formats import BEAT_WIDTH, GATES, CycleClass, Policy, granule_bytes
from .formats import Level as LevelCode
from .layer import QuantizedLayer, segment_words
from .policies import POLICIES
from .quantized_lstm import QuantizedLSTM

# Distances in cycles, see the headers of row_pass, row_engine, post_processing, step_tracker and output_stream.
WORD_TO_REQUEST = 10  # the last word of a unit's rows is chosen -> post-processing sees the unit
CHOICE_TO_WORD = 2  # a row pass is chosen -> its first word is, where nothing waits
ROW_PASSES = 3  # that wait or are under way
PASS = 17  # post-processing takes a unit -> its result is in a queue
LAYER_ENTRY = 2  # the last unit of a layer is begun -> the first of the next can be
DONE_TO_USE = 2  # the last tile retires a layer-step -> its h can be read
WORD_TO_CLASS = 2  # a row pass is under way -> the tile's class is that of its word
GRANULE_TO_USE = 3  # the last bytes of x leave for the activation bus -> the early pass of the step can begin


@dataclass(frozen=True)
class Timing:
    """What a machine could have otherwise than rtl/ has it.

    pass_interval: post-processing takes a unit every so many cycles; commit_queue: finished units that a tile holds; commits: h that the commit bus takes
    in a cycle, of different tiles and one layer and step, with positions in one group of commit_group; x_apart: x has a bus of its own; trace_bits: of a unit.
    """

    pass_interval: int = 8
    commit_queue: int = 4
    commits: int = 1
    commit_group: int = BEAT_WIDTH // 8
    x_apart: bool = False
    trace_bits: int = 2 * len(GATES)


@dataclass
class LayerWork:
    """What a layer asks of the tiles. Positions are those of the image, words are cycles of the dot-product unit.

    early, late [position][gate]: words of the pass over the operand that is there first, and of the one over the other; 0 for a row that shares the pass of
    the one before. provisional [position]: whether a decision follows the late pass. refinements [step][position]: words of each refinement pass of a unit.
    """

    units: int
    early: list[list[int]]
    late: list[list[int]]
    provisional: list[bool]
    refinements: list[list[list[int]]]


@dataclass
class _Unit:
    layer: int
    step: int
    slot: int
    last: bool
    none: bool = False
    done: bool = False
    gates_late: int = 0


@dataclass(slots=True)
class _Tile:
    number: int
    layer: int = 0
    step: int = 0
    slot: int = 0
    gate: int = 0
    run_from: int = LAYER_ENTRY
    x_credits: int = 0
    lead_early: int = 0
    lead_late: int = 0
    output_credits: int = 2
    trace_credits: int = 2
    in_flight: deque = field(default_factory=deque)
    late: deque = field(default_factory=deque)
    requests: deque = field(default_factory=deque)
    refinements: deque = field(default_factory=deque)
    commits: deque = field(default_factory=deque)
    passes: deque = field(default_factory=deque)  # cycles in which post-processing took units: those under way, and the latest
    choice_from: int = 0  # the cycle from which on the queue of row passes has room
    last_words: deque = field(default_factory=lambda: deque([-1] * ROW_PASSES, ROW_PASSES))  # cycles of the last words of the latest row passes
    layer_steps_done: int = 0


@dataclass(slots=True)
class _Agenda:
    """Of a cycle: what registers take over at its start, and the tiles that look what they can do."""

    actions: list[Callable[[], None]] = field(default_factory=list)
    awake: set[int] = field(default_factory=set)


class Schedule:
    """One run of layers on so many tiles. granules: writes of the activation bus that x takes in a step, beat_granules: those of a beat; exponents: whether a
    beat of them, which the bus does not see, begins each packet."""

    def __init__(self, layers: list[LayerWork], tiles: int, in_flight: int, granules: int, beat_granules: int, exponents: bool, trace: bool = True,
                 timing: Timing = Timing()):
        self.layers, self.in_flight, self.timing, self.trace = layers, in_flight, timing, trace
        self.granules, self.beat_granules, self.exponents = granules, beat_granules, exponents
        self.steps = len(layers[0].refinements)
        self.tiles = [_Tile(number) for number in range(tiles)]
        self.busy = 0  # tile-cycles in which a word is read
        self._agenda: dict[int, _Agenda] = {}
        self._to_come: list[int] = []  # a heap of the cycles in the agenda

    def _in(self, cycle) -> "_Agenda":
        if cycle not in self._agenda:
            self._agenda[cycle] = _Agenda()
            heappush(self._to_come, cycle)
        return self._agenda[cycle]

    def _at(self, cycle, action, tile=None):
        agenda = self._in(cycle)
        agenda.actions.append(action)
        if tile:
            agenda.awake.add(tile.number)

    def _wake(self, cycle, tile):
        self._in(cycle).awake.add(tile.number)

    def cycles(self) -> int:
        """Cycles from start to done, as counter 0 has them."""
        self.packets_in, self.ahead, self.left, self.pending, self.next_tile = 0, 0, 0, 0, 0
        self.x_active = False
        self.layer_steps, self.freed_until = 0, {"output": 0, "trace": 0}
        self.last_taken = 0
        for tile in self.tiles:
            self._wake(LAYER_ENTRY, tile)
        self._at(1, self._start_input)
        while self._to_come:
            now = heappop(self._to_come)
            agenda = self._agenda.pop(now)
            for action in agenda.actions:
                action()
            self._input(now, self._arbitrate(now))
            if any([self._act(now, self.tiles[number]) for number in sorted(agenda.awake)]):
                self._track(now)
        assert self.layer_steps == self.steps * len(self.layers), "the schedule does not end"
        return self.last_taken + 2

    def ideal(self) -> float:
        """Cycles of the same words, spread over the tiles evenly with ceil(units / tiles) units in each, and nothing waits."""
        total = 0.0
        for layer in self.layers:
            words = self.steps * (_total(layer.early) + _total(layer.late)) + sum(map(_total, layer.refinements))
            total += words / layer.units * math.ceil(layer.units / len(self.tiles))
        return total

    # Shared by the tiles.

    def _start_input(self):
        self.x_active = True

    def _arbitrate(self, now):
        """Round robin over the tiles that have a finished unit; one a cycle, or as many of one word as the bus takes."""
        tiles, first, taken, word = len(self.tiles), self.next_tile, 0, None
        for offset in range(tiles):
            tile = self.tiles[(first + offset) % tiles]
            if tile.commits:
                unit = tile.commits[0]
                place = unit.layer, unit.step, self._position(tile, unit.slot) // self.timing.commit_group
                if taken and place != word:
                    continue
                if not taken:
                    self.next_tile, word = (tile.number + 1) % tiles, place
                self._at(now + 1, lambda tile=tile, unit=unit: self._leave(tile, unit), tile)
                taken += 1
                if taken == self.timing.commits:
                    break
        return taken > 0

    @staticmethod
    def _leave(tile, unit):
        tile.commits.popleft()
        unit.done = True

    def _input(self, now, committed):
        """x stream: `pending` granules of a beat go out one a cycle unless a commit takes the bus; beats follow without a gap."""
        if not self.x_active:
            return
        sent = self.pending > 0 and (self.timing.x_apart or not committed)
        free = self.pending == 0 or (sent and self.pending == 1)
        accept = free and self.packets_in < self.steps and (self.left > 0 or self.ahead < 2)
        if sent:
            self.pending -= 1
            if self.pending == 0 and self.left == 0:
                for tile in self.tiles:
                    self._at(now + GRANULE_TO_USE, lambda tile=tile: setattr(tile, "x_credits", tile.x_credits + 1), tile)
        if accept and self.left == 0 and self.exponents:
            self.left = self.granules
        elif accept:
            self.left = self.left or self.granules
            self.pending = min(self.left, self.beat_granules)
            self.left -= self.pending
            if self.left == 0:
                self.packets_in += 1
                self.ahead += 1
        if sent or accept or self.pending:
            self._at(now + 1, lambda: None)

    def _track(self, now):
        """Layer-steps that all tiles have completed, and the packets that leave then."""
        while min(tile.layer_steps_done for tile in self.tiles) > self.layer_steps:
            layer = self.layer_steps % len(self.layers)
            self.layer_steps += 1

            def done():
                for tile in self.tiles:
                    tile.lead_early -= 1
                    tile.lead_late -= 1
                if layer == 0:
                    self.ahead -= 1

            self._at(now + DONE_TO_USE, done)
            for tile in self.tiles:
                self._wake(now + DONE_TO_USE, tile)
            if layer == len(self.layers) - 1:
                self._drain(now + DONE_TO_USE, "output", -(-self.layers[-1].units // (BEAT_WIDTH // 8)))
                if self.trace:
                    self._drain(now + DONE_TO_USE, "trace", sum(-(-part.units // (BEAT_WIDTH // self.timing.trace_bits)) for part in self.layers))

    def _drain(self, begin, stream, beats):
        """A packet of `beats`: the first is fetched in cycle `begin` or after the packet before, the bank is free two cycles after the last."""
        taken = max(begin, self.freed_until[stream]) + beats
        self.freed_until[stream] = taken + 1
        self.last_taken = max(self.last_taken, taken)
        credits = f"{stream}_credits"
        for tile in self.tiles:
            self._at(taken + 2, lambda tile=tile: setattr(tile, credits, getattr(tile, credits) + 1), tile)

    # A tile.

    def _act(self, now, tile):
        """All that a tile does in a cycle; returns whether a layer-step of it ended."""
        full = len(tile.in_flight) == self.in_flight
        retire = bool(tile.in_flight) and tile.in_flight[0].done
        if tile.requests:
            self._finish(now, tile)
        # Conditions come before any change: they see the registers of this cycle.
        can_early = now >= tile.run_from and self._input_early(tile) and (tile.gate != 0 or not full)
        none_early = can_early and self._slots(tile) == 0
        can_late = bool(tile.late) and self._can_late(tile)
        unit_late = tile.late[0] if tile.late else None
        if now >= tile.choice_from:
            if tile.refinements:
                self._refine(now, tile)
            elif can_late and not unit_late.none:
                self._late(now, tile, unit_late)
            elif can_early and not none_early:
                self._early(now, tile)
        if can_late and unit_late.none:
            unit_late.gates_late = 4
            self._at(now + 1, lambda: setattr(unit_late, "done", True))
            self._leave_late(now, tile, unit_late)
        if none_early:
            self._allocate(tile, _Unit(tile.layer, tile.step, 0, last=True, none=True))
            self._next_layer(now, tile)
        ended = False
        if retire:
            unit = tile.in_flight.popleft()
            ended = unit.last
            tile.layer_steps_done += ended
            self._wake(now + 1, tile)
        return ended

    def _slots(self, tile):
        return max(0, -(-(self.layers[tile.layer].units - tile.number) // len(self.tiles)))

    def _position(self, tile, slot):
        return slot * len(self.tiles) + tile.number

    def _input_early(self, tile):
        return tile.x_credits > 0 if tile.layer == 0 else tile.lead_early < len(self.layers)

    def _can_late(self, tile):
        return self._input_late(tile) and self._output_late(tile)

    def _input_late(self, tile):
        unit = tile.late[0]
        ready = len(tile.late) > 1 or tile.gate == 0 or unit.gates_late < tile.gate
        return ready and (tile.lead_late < len(self.layers) if unit.layer == 0 else tile.lead_late == 0)

    def _output_late(self, tile):
        space = tile.late[0].layer != len(self.layers) - 1 or tile.output_credits > 0
        return space and (not self.trace or tile.trace_credits > 0)

    def _row_pass(self, now, tile, words):
        """Queues a row pass of so many words; returns the cycle of the last one. Of a pass that waits, or is under way, the last word is to come."""
        self.busy += words
        tile.last_words.append(max(now, tile.last_words[-1]) + words)
        tile.choice_from = max(now + 1, tile.last_words[0] + CHOICE_TO_WORD)
        self._wake(tile.choice_from, tile)
        self._wake(now + 1, tile)
        return tile.last_words[-1]

    def _request(self, last_word, tile, unit, final):
        self._at(last_word + WORD_TO_REQUEST, lambda: tile.requests.append((unit, final)), tile)

    def _refine(self, now, tile):
        unit, words = tile.refinements[0]
        last_word = self._row_pass(now, tile, words.pop(0))
        if not words:
            tile.refinements.popleft()
            self._request(last_word, tile, unit, final=True)

    def _late(self, now, tile, unit):
        layer = self.layers[unit.layer]
        position = self._position(tile, unit.slot)
        words = layer.late[position]
        last_word = self._row_pass(now, tile, words[unit.gates_late])
        unit.gates_late = _next_gate(words, unit.gates_late)
        if unit.gates_late == len(GATES):
            self._request(last_word, tile, unit, final=not layer.provisional[position])
            self._leave_late(now, tile, unit)

    def _leave_late(self, now, tile, unit):
        tile.late.popleft()
        self._wake(now + 1, tile)
        if unit.last:
            tile.lead_late += 1
            if unit.layer == len(self.layers) - 1:
                tile.output_credits -= 1
                tile.trace_credits -= self.trace

    def _early(self, now, tile):
        layer = self.layers[tile.layer]
        last = tile.slot == self._slots(tile) - 1
        if tile.gate == 0:
            self._allocate(tile, _Unit(tile.layer, tile.step, tile.slot, last))
        words = layer.early[self._position(tile, tile.slot)]
        self._row_pass(now, tile, words[tile.gate])
        tile.gate = _next_gate(words, tile.gate) % len(GATES)
        if tile.gate == 0:
            tile.slot += 1
            if last:
                self._next_layer(now, tile)

    def _allocate(self, tile, unit):
        tile.in_flight.append(unit)
        tile.late.append(unit)

    def _next_layer(self, now, tile):
        tile.lead_early += 1
        tile.x_credits -= tile.layer == 0
        tile.slot, tile.layer = 0, (tile.layer + 1) % len(self.layers)
        tile.step += tile.layer == 0
        tile.run_from = now + LAYER_ENTRY
        self._wake(now + 1, tile)
        self._wake(tile.run_from, tile)

    def _finish(self, now, tile):
        """Post-processing takes a unit every pass_interval cycles at most, if the commit queue has room for all under way."""
        if tile.passes and now - tile.passes[-1] < self.timing.pass_interval:
            self._wake(tile.passes[-1] + self.timing.pass_interval, tile)
            return
        while tile.passes and now - tile.passes[0] >= PASS:
            tile.passes.popleft()
        if len(tile.commits) + len(tile.passes) >= self.timing.commit_queue:
            if tile.passes:
                self._wake(tile.passes[0] + PASS, tile)
            return
        unit, final = tile.requests.popleft()
        tile.passes.append(now)
        refinements = [] if final else list(self.layers[unit.layer].refinements[unit.step][self._position(tile, unit.slot)])
        queue, entry = (tile.refinements, (unit, refinements)) if refinements else (tile.commits, unit)
        self._at(now + PASS, lambda: queue.append(entry), tile)
        if tile.requests:
            self._wake(now + self.timing.pass_interval, tile)


def _next_gate(words, gate):
    """The gate after this one whose row has a pass of its own: rows without words share those of the row before."""
    return next((after for after in range(gate + 1, len(GATES)) if words[after]), len(GATES))


def layer_work(layer: QuantizedLayer, number: int, levels: Tensor, policy: Policy, build: Build) -> LayerWork:
    """What layer `number` asks of the tiles of a build. levels [steps, units, 4]: codes, in the image's order."""
    words = torch.tensor(segment_words(layer.inputs, layer.units, layer.terms, build.dot_lanes))
    parts = torch.tensor([[1, 1, 0], [0, 0, 1]]) * words  # of x, of h
    quarters = torch.tensor(layer.by_code)
    begun = torch.tensor(first_level(layer, policy)) if build.dynamic else torch.tensor(1)
    early, late = (int((begun * part).sum()) for part in (parts if number == 0 else parts.flip(0)))
    decides = build.dynamic and POLICIES[policy].selector is not None
    missing = ((quarters - begun).clamp(min=0) * words).sum(1).tolist() if decides else [0] * len(quarters)
    refinements = [[[missing[unit[rows[0]]] * len(rows) for rows in refinement_passes(unit)] if decides else [] for unit in step] for step in levels.tolist()]
    return LayerWork(layer.units, [[2 * early, 0] * 2] * layer.units, [[2 * late, 0] * 2] * layer.units, [decides] * layer.units, refinements)


def refinement_passes(levels: Sequence[int]) -> list[list[int]]:
    """Gates of each refinement pass of a unit, in their order, from the levels of its four rows: two rows that are refined to one level share a pass."""
    left, passes = [gate for gate, level in enumerate(levels) if level != LevelCode.LOWEST], []
    while left:
        rows = [gate for gate in left if levels[gate] == levels[left[0]]][:2]
        left = [gate for gate in left if gate not in rows]
        passes.append(rows)
    return passes


class CycleModel(Schedule):
    """One run of `q` (a QuantizedLSTM) on a build: `CycleModel(q, build, levels, order, policy).cycles()`.

    levels: by layer, codes [steps, units, 4] in the network's order, as `Run.levels` of one sequence; order: by layer, the network's unit in
    each position of the image; policy: the one that overrides the layers' own, or None; timing: other than the build's.
    """

    def __init__(self, q: QuantizedLSTM, build: Build, levels: list[Tensor], order: list[list[int]], policy: Policy | None = None, trace: bool = True,
                 timing: Timing | None = None):
        layers = [layer_work(layer, number, found[:, positions], Policy(layer.policy if policy is None else policy), build)
                  for number, (layer, found, positions) in enumerate(zip(q.layers, levels, order))]
        granule = granule_bytes(build.dot_lanes)
        granules = q.layers[0].terms * build.words(q.layers[0].inputs) * (build.dot_lanes // granule)
        timing = timing or Timing(commits=build.commits, commit_group=granule)
        super().__init__(layers, build.tiles, build.in_flight, granules, BEAT_WIDTH // 8 // granule, build.dynamic, trace, timing)


class WaitModel(CycleModel):
    """The same run, with what the tiles wait for while they add no word: `waits()`, after which `run_cycles` holds what `cycles()` gives."""

    def waits(self) -> Counter:
        """Tile-cycles by CycleClass, of the classes that are no words, of the first run after a reset. After another run, tiles still wait for input in cycle 0."""
        self._classes = {tile.number: [(0, CycleClass.IDLE)] for tile in self.tiles}  # by tile: from which cycle on it would be in which class
        self._words = {tile.number: [] for tile in self.tiles}                        # and the cycles of words: begin and end
        self.run_cycles, found = self.cycles(), Counter()
        for number, classes in self._classes.items():
            words = deque(self._words[number])
            for (begin, name), (end, _) in zip(classes, [*classes[1:], (self.run_cycles, None)]):
                found[name] += end - begin
                while words and words[0][0] < end:  # what of it is words
                    first, last = words[0]
                    found[name] -= max(0, min(end, last) - max(begin, first))
                    if last > end:
                        break
                    words.popleft()
        return +found

    def _act(self, now, tile):
        """A state holds from one cycle in which the tile is awake to the next; what it does in such a cycle shows in the one after."""
        classes = self._classes[tile.number]
        classes.append((now, self._class(now, tile)))
        ended = super()._act(now, tile)
        if not (now + 1 in self._agenda and tile.number in self._agenda[now + 1].awake):
            classes.append((now + 1, self._class(now + 1, tile)))
        return ended

    def _row_pass(self, now, tile, words):
        last_word = super()._row_pass(now, tile, words)
        self._words[tile.number].append((last_word - words + 1 + WORD_TO_CLASS, last_word + 1 + WORD_TO_CLASS))
        return last_word

    def _class(self, now, tile):
        """What would have to change for this tile to have work (rtl/sequencer.v)."""
        if now < tile.run_from and not tile.late:
            return CycleClass.IDLE
        if tile.late and self._input_late(tile) and not self._output_late(tile):
            return CycleClass.WAIT_OUTPUT
        if self._input_early(tile) and tile.gate == 0 and len(tile.in_flight) == self.in_flight:
            return CycleClass.IN_FLIGHT_FULL
        if not tile.late and tile.layer == 0:
            return CycleClass.DRAIN if tile.in_flight else CycleClass.WAIT_INPUT
        return CycleClass.WAIT_DECISION if len(tile.in_flight) > len(tile.late) else CycleClass.WAIT_H


def _total(words):
    return sum(map(sum, words))
