# SPDX-License-Identifier: MIT
"""The bench around the accelerator (hdl/harness.v): loads networks, plays sequences, and compares everything with models/."""

from collections import Counter as Sum
from collections.abc import Callable
from pathlib import Path

import cocotb
import torch
from cocotb.handle import SimHandleBase
from cocotb.triggers import ReadOnly, SimTimeoutError, with_timeout
from torch import Tensor

from models.build import Build
from models.compiler import TRACE_POSITIONS, compile_image
from models.counters import WORK, work_counters
from models.cycle_model import CycleModel, WaitModel
from models.formats import BEAT_WIDTH, CELL, CLASS_COUNTERS, GATES, MAX_LAYERS, MAX_UNITS, Counter, CycleClass, Policy, Target
from models.quantized_lstm import QuantizedLSTM, Run, State
from tb.bench import functional_coverage
from tb.bench.agents import Packet, PacketDriver, PacketMonitor, play_image
from tb.bench.drivers import PERIOD, clock_cycles, reset
from tb.bench.monitors import check_rules, waiting_streams
from tb.bench.registers import (
    ALL_ERRORS,
    AxiLiteDriver,
    Config,
    Control,
    Error,
    Interrupt,
    Register,
    RegisterPlayer,
    Row,
    StateSelect,
    Status,
    counter_address,
    row_address,
)
from tb.bench.scoreboard import Scoreboard, fail

HANG_CYCLES = 200  # that a hang is watched for
ANOMALY_CYCLES = 16  # and a 64th: what comes late may change the order of work, at a small cost


def parameters(build: Build) -> dict:
    """Verilog parameters of hdl/harness.v for a build: its agents hold the largest packets and an image of all memories."""
    units, bytes_of_beat = build.unit_depth * build.tiles, BEAT_WIDTH // 8
    image = 0
    for target in Target:
        beats = target.depth(build) * -(-target.bits(build) // BEAT_WIDTH)
        image += beats if target is Target.ACTIVATIONS else beats * build.tiles
    headers = 64 * MAX_LAYERS * build.tiles
    return {**build.parameters(), "XBeats": 1 + min(2 * MAX_UNITS // bytes_of_beat, -(-build.activation_depth * build.dot_lanes // bytes_of_beat)),
            "HBeats": min(MAX_UNITS // bytes_of_beat, -(-units // bytes_of_beat)), "TraceBeats": -(-units // TRACE_POSITIONS) + MAX_LAYERS,
            "ImageBeats": image + headers}


class Harness:
    """Drivers, monitors and scoreboard of one accelerator of this build. `await start()` first."""

    def __init__(self, dut: SimHandleBase, build: Build, fail_immediately: bool = True):
        self.dut, self.build, self.fail_immediately = dut, build, fail_immediately

    async def start(self, seed: int = 1, patient: bool = False, **stalls) -> None:
        """Clock and reset; stalls by stream (x, h, trace, image): rate in 1/256 of the cycles; patient: the sinks are ready only after valid."""
        self.streams_stall = patient or any(stalls.values())
        await reset(self.dut, seed=seed, patient=patient, **{f"{stream}_stall": rate for stream, rate in stalls.items()})
        self.registers, self.register_lists = AxiLiteDriver(self.dut), RegisterPlayer(self.dut)
        self.x = PacketDriver(self.dut, "x")
        self.h, self.trace = PacketMonitor(self.dut, "h"), PacketMonitor(self.dut, "trace")
        self.scoreboard = Scoreboard(self.dut, self.fail_immediately)
        self.network = self.image = self.state = None
        if functional_coverage.ON:
            cocotb.start_soon(self._sample_clears())

    async def load(self, network: QuantizedLSTM) -> None:
        """Compiles a network and loads its image through the image stream."""
        self.network, self.image = network, compile_image(network, self.build)
        self.state = None
        await play_image(self.dut, Path("image.hex"), self.image.packets())
        await clock_cycles(self.dut, 8)
        await self.expect_errors(0)

    async def load_state(self, state: State) -> None:
        """Loads h, c and history of all layers, for a run with `stateful`."""
        await play_image(self.dut, Path("state.hex"), self.image.encode_state(state))
        await clock_cycles(self.dut, 8)
        self.state = state

    async def begin(self, sequences: list[Tensor], policy: Policy | None = None, stateful: bool = False, trace: bool = True) -> list:
        """Starts a run over sequences, with its counters at zero; arguments and result as of `prepare`."""
        runs = await self.prepare(sequences, policy, stateful, trace)
        await self.registers.write(Register.CONTROL, Control.CLEAR | Control.START)
        return runs

    async def prepare(self, sequences: list[Tensor], policy: Policy | None = None, stateful: bool = False, trace: bool = True) -> list:
        """Does everything of a run over sequences (int8 [1, steps, terms, inputs] each) except the start: configuration, x, expected outputs.

        policy: override of all layers (default: each layer's own). Returns what the model ran.
        """
        runs = self._model(sequences, policy, stateful)
        self._expect(runs, trace)
        self.waits_before = int(self.dut.waits_o.value)
        config = Config.IRQ_ENABLE | (Config.STATEFUL if stateful else 0) | (Config.TRACE if trace else 0)
        await self._set(Register.CONFIG, config | (Config.OVERRIDE | Config.policy(policy) if policy is not None else 0))
        await self._set(Register.LAYERS, self.image.layers)
        await self._set(Register.SEQUENCES, len(sequences))
        for sequence in sequences:
            for step, x in enumerate(sequence[0], start=1):
                self.x.append(Packet.of(self.image.encode_x(x), user=step == len(sequence[0])))
        return runs

    async def _set(self, register, value):
        """Writes a register unless it holds the value: a run may follow another, or a soft reset, within few cycles."""
        if await self.registers.read(register) != value:
            await self.registers.write(register, value)

    async def play(self, sequences: list[Tensor], policy: Policy | None = None, stateful: bool = False, trace: bool = True, timed: bool = True) -> dict:
        """Plays sequences in one run and compares every output, decision, work counter and the final state, and cycles and waits if no stream stalls.

        Arguments as of `begin`; timed: without it cycles and waits are not compared, whose model takes most of the time of a long run.
        Returns what was measured: cycles, and classes of tile-cycles.
        """
        return await self.conclude(await self.begin(sequences, policy, stateful, trace), policy, trace, timed)

    async def conclude(self, runs: list[Run], policy: Policy | None = None, trace: bool = True, timed: bool = True) -> dict:
        """Waits for the end of what `begin` started, and compares and returns what `play` says."""
        await self.finish(self.limit(runs))
        await self.expect_errors(0)
        await self._compare_state(runs[-1].state)
        self.state = runs[-1].state
        measured = self.compare_counters(runs, await self.counters())
        if timed:
            self._compare_cycles(runs, policy, trace, measured)
        if functional_coverage.ON:
            self._sample_run(runs, policy, measured["classes"])
        return measured

    def _sample_run(self, runs, policy, classes):
        """For functional coverage: a run that equals the model."""
        stalls = functional_coverage.stalls_of(*(any(int(getattr(self.dut, f"{name}_i").value) for name in names)
                                                 for names in (["x_stall"], ["h_stall", "trace_stall", "patient"])))
        policies = [(layer.policy if policy is None else policy).name for layer in self.network.layers]
        levels = [{level for codes in layer for level in codes.unique().tolist()} for layer in zip(*(run.levels for run in runs))]
        functional_coverage.sample_run(self.build.dynamic, self.build.tiles, stalls, [run.h.shape[1] for run in runs], policies, levels, classes)

    async def _sample_clears(self):
        """For functional coverage: what the accelerator does when errors are cleared, or all of it is."""
        while True:
            await self.dut.cleared_o.value_change
            await ReadOnly()
            functional_coverage.sample_clear(int(self.dut.clear_o.value))

    def _compare_cycles(self, runs, policy, trace, measured):
        """Compares cycles, and tile-cycles without a word, with the cycle model; while streams stall, cycles with what they may be at most."""
        levels = [torch.cat(layer) for layer in zip(*([codes[0] for codes in run.levels] for run in runs))]
        run = self.network, self.build, levels, self.image.order, policy, trace
        if self.streams_stall:
            work, stalled = CycleModel(*run).cycles(), int(self.dut.waits_o.value) - self.waits_before
            limit = work + stalled + ANOMALY_CYCLES + work // 64
            self.scoreboard.equal(f"{measured['cycles']} cycles are at most {limit}: {work} of work, {stalled} of stalls", True, measured["cycles"] <= limit)
        else:
            model = WaitModel(*run)
            waits = model.waits()
            self.scoreboard.equal("cycles", model.run_cycles, measured["cycles"])
            if measured["classes"]["IDLE"] == waits[CycleClass.IDLE] - self.build.tiles:  # no reset since the run before
                waits.update({CycleClass.IDLE: -self.build.tiles, CycleClass.WAIT_INPUT: self.build.tiles})
            names = [name for name in CycleClass if name > CycleClass.LL]
            self.scoreboard.equal_all("tile-cycles without a word", {name.name: waits[name] for name in names},
                                      {name.name: measured["classes"][name.name] for name in names})

    async def finish(self, limit: int) -> None:
        """Waits for the interrupt, by which every packet has left, and clears it; after `limit` cycles, fails and says what everything waits for."""
        try:
            if not self.dut.irq_o.value:
                await with_timeout(self.dut.irq_o.rising_edge, limit * PERIOD, "ns")
        except SimTimeoutError:
            check_rules(self.dut)
            fail(f"no end after {limit} cycles, {await self._hang()}")
        await clock_cycles(self.dut, 1)
        self.scoreboard.check_all_came()
        status = Status(await self.registers.read(Register.STATUS))
        check_rules(self.dut)
        self.scoreboard.equal("status after the run", Status.DONE, status & (Status.DONE | Status.BUSY | Status.RESETTING))
        await self.registers.write(Register.INTERRUPT, Interrupt.DONE | Interrupt.ERROR)

    async def _hang(self) -> str:
        """Words for a run that does not end: what the tiles do, and where the streams stand."""
        before = await self.counters()
        await clock_cycles(self.dut, HANG_CYCLES)
        after = await self.counters()
        classes = {number.name: after[number] - before[number] for number in CLASS_COUNTERS}
        spent = ", ".join(f"{name} {cycles}" for name, cycles in sorted(classes.items(), key=lambda item: -item[1]) if cycles)
        streams = ", ".join(f"{name} {state}" for name, state in waiting_streams(self.dut).items())
        return (f"{after[Counter.STEPS]} steps done, {self.h.stats.received_transactions} packets of h came; "
                f"tile-cycles now: {spent or 'none, not busy'}; streams: {streams}")

    async def soft_reset(self) -> None:
        """Aborts a run: what is queued is withdrawn. Of what is expected, only packets that have begun come, all of them before the reset ends."""
        self.x.clear()
        self.dut.x_flush_i.value = 1
        await self.registers.write(Register.CONTROL, Control.SOFT_RESET)
        for name, monitor in (("h", self.h), ("trace", self.trace)):  # in the first cycle of the reset
            self.scoreboard.forget(monitor, keep=int(getattr(self.dut, f"{name}_state_o").value) >> 1)
        while Status(await self.registers.read(Register.STATUS)) & Status.RESETTING:
            pass
        while self.dut.x_busy_o.value:
            await clock_cycles(self.dut, 1)
        self.dut.x_flush_i.value = 0
        self.scoreboard.check_all_came()
        await self.registers.write(Register.INTERRUPT, Interrupt.DONE | Interrupt.ERROR)  # of a run that ended before the reset
        self.state = None

    async def hard_reset(self) -> None:
        """Resets in the middle of whatever happens; memories keep their contents, which are then taken as unknown."""
        check_rules(self.dut)  # the monitors forget at a reset
        self.x.clear()
        self.dut.rst_ni.value = 0
        await clock_cycles(self.dut, 2)
        self.dut.rst_ni.value = 1
        await clock_cycles(self.dut, 2)
        self.scoreboard.forget()
        self.network = self.image = self.state = None

    async def expect_errors(self, errors: int) -> None:
        """Compares the sticky errors, and clears them and their interrupt."""
        self.scoreboard.equal("sticky errors", Error(errors), Error(await self.registers.read(Register.ERRORS)))
        await self.registers.write(Register.ERRORS, ALL_ERRORS)
        await self.registers.write(Register.INTERRUPT, Interrupt.ERROR)

    async def counters(self) -> dict:
        """All counters by number, and rows by (layer, field), as of now."""
        return await self._counters([(Register.CONTROL, Control.SNAPSHOT)])

    async def read_counters(self) -> dict:
        """The same, as of the last snapshot."""
        return await self._counters([])

    async def _counters(self, before):
        addresses = {number: counter_address(number) for number in Counter}
        addresses |= {(layer, field): row_address(layer, field) for layer in range(self.image.layers) for field in Row}
        words = await self.register_lists.play([*before, *((address + half, None) for address in addresses.values() for half in (0, 4))])
        return {name: low | high << 32 for name, low, high in zip(addresses, words[::2], words[1::2], strict=True)}

    def check(self) -> None:
        """The end of a test."""
        check_rules(self.dut)
        self.scoreboard.check()

    def _model(self, sequences, policy, stateful) -> list:
        """The model's run of each sequence; the baseline build computes what STATIC_HIGH computes."""
        runs, state = [], self.state if stateful else None
        for x in sequences:
            runs.append(self.network.run(x, policy if self.build.dynamic else Policy.STATIC_HIGH, state, override=True))
            state = runs[-1].state if stateful else None
        return runs

    def _expect(self, runs, trace):
        """Queues the expected h and trace packets."""
        h_packets, trace_packets = [], []
        for run in runs:
            steps = run.h.shape[1]
            h_packets += [Packet.of(self.image.encode_h(run.h[0, step]), step == steps - 1) for step in range(steps)]
            if trace:
                trace_packets += [Packet.of(self.image.encode_trace([codes[0, step] for codes in run.levels])) for step in range(steps)]
        units = [layer.units for layer in self.network.layers]
        self.scoreboard.expect(self.h, h_packets, self._describe_h, units[-1])
        self.scoreboard.expect(self.trace, trace_packets, self._describe_trace, len(GATES) * sum(units))

    def _describe_h(self, step, expected, got):
        if expected.beats != got.beats or expected.user != got.user:
            return f"step {step}: expected {expected.beats} beats, tuser {expected.user}, got {got.beats}, {got.user}", 1
        expected, got = (self.image.decode_h(packet.split()).tolist() for packet in (expected, got))
        return first_difference(f"step {step}", expected, got, lambda unit: f"unit {unit}")

    def _describe_trace(self, step, expected, got):
        if expected.beats != got.beats:
            return f"step {step}: expected {expected.beats} beats, got {got.beats}", 1
        expected, got = (torch.cat([codes.flatten() for codes in self.image.decode_trace(packet.split())]).int().tolist()
                         for packet in (expected, got))
        names = [f"layer {number}, unit {unit}, gate {gate}" for number, layer in enumerate(self.network.layers)
                 for unit in range(layer.units) for gate in GATES]
        return first_difference(f"step {step}", expected, got, lambda index: names[index])

    async def _compare_state(self, state):
        """Compares the final c and history, and h in the copy of a tile, for all units of all layers."""
        bank = bool(Status(await self.registers.read(Register.STATUS)) & Status.BANK)
        places = [place for number, layer in enumerate(self.network.layers) for unit in range(layer.units)
                  for place in ((*self.image.cell_location(number, unit), 0), (unit % self.build.tiles, self.image.h_location(number, unit, 1 - bank), 1))]
        words = iter(await self.register_lists.play([access for place in places for access in ((Register.STATE_SELECT, select(*place)), (Register.STATE_DATA, None))]))
        for number, layer in enumerate(self.network.layers):
            h, c, history = (getattr(state, name)[number][0].tolist() for name in ("h", "c", "history"))
            for unit in range(layer.units):
                cell, byte = next(words), next(words)
                expected, got = {"c": c[unit], "h": h[unit]}, {"c": CELL["c"].decode(cell), "h": self.image.decode_activation(byte)}
                if self.build.dynamic:
                    expected["history"], got["history"] = history[unit], CELL.unpack(cell)["history"]
                self.scoreboard.equal_all(f"final state of layer {number}, unit {unit} (h in tile {unit % self.build.tiles})", expected, got)

    async def read_state(self, tile: int, address: int, kind: int = 0) -> int:
        """A word of state of a tile: kind 0 a cell word, 1 a byte of the activations."""
        await self.registers.write(Register.STATE_SELECT, select(tile, address, kind))
        return await self.registers.read(Register.STATE_DATA)

    def compare_counters(self, runs: list[Run], counters: dict) -> dict:
        """Compares counters, as of `counters`, with the work of runs; returns cycles and classes of tile-cycles."""
        expected = Sum()
        for run in runs:
            work = work_counters(run, self.network, self.build)
            for layer, fields in enumerate(work.pop("rows")):
                work |= {f"rows of layer {layer}, {field.name}": value for field, value in zip(Row, fields, strict=True)}
            work.pop("ideal_cycles")
            expected.update(work)
        got = {number.name.lower(): counters[number] for number in WORK}
        for layer in range(self.image.layers):
            got |= {f"rows of layer {layer}, {field.name}": counters[layer, field] for field in Row}
        cycles = counters[Counter.CYCLES]
        expected["tile-cycles of all classes"] = self.build.tiles * cycles
        got["tile-cycles of all classes"] = sum(counters[number] for number in CLASS_COUNTERS)
        self.scoreboard.equal_all("counters", expected, got)
        return {"cycles": cycles, "classes": {number.name: counters[number] for number in CLASS_COUNTERS}}

    def limit(self, runs: list[Run]) -> int:
        """Cycles after which a run hangs: many times what the work takes, however the streams stall."""
        words = sum(work_counters(run, self.network, self.build)[name] for run in runs for name in ("hh", "hl", "lh", "ll"))
        return 20000 + 50 * words


def select(tile: int, address: int, kind: int = 0) -> int:
    """STATE_SELECT of a word of state of a tile: kind 0 a cell word, 1 a byte of the activations."""
    return StateSelect.tile(tile) | StateSelect.KIND * kind | StateSelect.address(address)


def first_difference(where: str, expected: list, got: list, name: Callable[[int], str]) -> tuple[str, int]:
    """Words the first difference of two lists, name(index) where it is, and counts all."""
    if expected == got:
        return f"{where}: what comes after the last value is not zero", 1
    different = [index for index, pair in enumerate(zip(expected, got, strict=True)) if pair[0] != pair[1]]
    first = different[0]
    text = f"{where}, {name(first)}: expected {expected[first]}, got {got[first]} ({len(different)} of {len(expected)} differ)"
    return text, len(different)
