# SPDX-License-Identifier: MIT
"""control: AXI4-Lite with its channels in any order, start checks, a run and its interrupt, soft reset, counters, state read-back."""

from random import Random

import cocotb
from cocotb.triggers import RisingEdge

from models.formats import BUILD_POLICIES, CELL, CLASS_COUNTERS, COUNTERS, GATES, MAX_LAYERS, QUANTITIES, CycleClass, Level, TileEvent
from tb.bench.drivers import clock_cycles, reset, seed
from tb.bench.registers import (
    ALL_ERRORS,
    ROWS_BLOCKS,
    AxiLiteDriver,
    Config,
    Control,
    Counter,
    Error,
    Interrupt,
    Register,
    Row,
    StateSelect,
    Status,
    counter_address,
    packed_levels,
    refused,
    row_address,
    row_counts,
)
from tb.bench.runner import run
from tb.tests.test_counters import VISIBLE

BUILD = {"Tiles": 3, "Lanes": 8, "DynamicPrecision": 1, "InFlight": 4, "WeightDepth": 512, "UnitDepth": 32, "ActivationDepth": 16}
ALL_LAYERS = (1 << MAX_LAYERS) - 1
CLASS_BITS = next(bits for name, bits, _ in QUANTITIES if name == "CLASS")


async def begin(dut, **inputs):
    """Reset with nothing to do, all layers valid; returns the register driver."""
    await reset(dut, layer_valid=ALL_LAYERS, input_finished=1, output_idle=1, **inputs)
    await clock_cycles(dut, 12)
    return AxiLiteDriver(dut)


async def start(dut, bus):
    """Starts a run; its input is not finished."""
    dut.input_finished_i.value = 0
    await bus.write(Register.CONTROL, Control.START)
    assert await bus.read(Register.STATUS) & Status.BUSY


async def finish(dut):
    dut.input_finished_i.value = 1
    await clock_cycles(dut, 3)


@cocotb.test(timeout_time=2, timeout_unit="ms")
async def channels_come_in_any_order(dut):
    random = Random(seed())
    await begin(dut)
    value = 1  # at reset
    for _ in range(100):
        data, strobe = random.getrandbits(32), random.getrandbits(4)
        dut.s_axil_awaddr_i.value, dut.s_axil_wdata_i.value, dut.s_axil_wstrb_i.value = Register.SEQUENCES, data, strobe
        at = {"aw": random.randrange(4), "w": random.randrange(4)}
        ready_after, cycle = random.randrange(6), 0
        while True:
            for channel in at:
                getattr(dut, f"s_axil_{channel}valid_i").value = int(at[channel] is not None and cycle >= at[channel])
            dut.s_axil_bready_i.value = int(cycle >= ready_after)
            await RisingEdge(dut.clk_i)
            for channel in at:
                if getattr(dut, f"s_axil_{channel}valid_i").value and getattr(dut, f"s_axil_{channel}ready_o").value:
                    at[channel] = None
            cycle += 1
            if dut.s_axil_bvalid_o.value:
                assert at == {"aw": None, "w": None}
                if dut.s_axil_bready_i.value:
                    break
        dut.s_axil_bready_i.value = 0
        for byte in range(4):
            if strobe >> byte & 1:
                value = value & ~(0xFF << 8 * byte) | data & 0xFF << 8 * byte
        dut.s_axil_araddr_i.value, dut.s_axil_arvalid_i.value = Register.SEQUENCES, 1
        await RisingEdge(dut.clk_i)
        dut.s_axil_arvalid_i.value = 0
        stall = random.randrange(6)
        for _ in range(4 + stall):
            await RisingEdge(dut.clk_i)
        assert dut.s_axil_rvalid_o.value and int(dut.s_axil_rdata_o.value) == value, "the answer stays until it is taken"
        dut.s_axil_rready_i.value = 1
        await RisingEdge(dut.clk_i)
        dut.s_axil_rready_i.value = 0
        await clock_cycles(dut, 2)


@cocotb.test(timeout_time=2, timeout_unit="ms")
async def every_write_has_its_response(dut):
    await begin(dut)
    dut.s_axil_awaddr_i.value, dut.s_axil_wstrb_i.value = Register.SEQUENCES, 15
    accepted = responses = 0
    for cycle in range(60):
        dut.s_axil_wdata_i.value = accepted
        dut.s_axil_awvalid_i.value = dut.s_axil_wvalid_i.value = int(accepted < 5)
        dut.s_axil_bready_i.value = int(cycle % 8 == 7)
        await RisingEdge(dut.clk_i)
        accepted += bool(dut.s_axil_awvalid_i.value and dut.s_axil_awready_o.value)
        responses += bool(dut.s_axil_bvalid_o.value and dut.s_axil_bready_i.value)
    assert accepted == responses == 5 and int(dut.sequences_o.value) == 4


@cocotb.test(timeout_time=2, timeout_unit="ms")
async def start_is_checked(dut):
    bus = await begin(dut)

    async def start_refused():
        await bus.write(Register.CONTROL, Control.START)
        errors = await bus.read(Register.ERRORS)
        assert not await bus.read(Register.STATUS) & Status.BUSY
        await bus.write(Register.ERRORS, Error.START)
        assert await bus.read(Register.ERRORS) == 0
        return errors == Error.START

    for layers in (0, MAX_LAYERS + 1, 16, 17, 1 << 31):
        await bus.write(Register.LAYERS, layers)
        assert await start_refused(), f"{layers} layers"
    for layers in range(1, 9):
        await bus.write(Register.LAYERS, layers)
        dut.layer_valid_i.value = ALL_LAYERS ^ 1 << layers - 1
        assert await start_refused(), f"layer {layers - 1} is not valid"
        dut.layer_valid_i.value = ALL_LAYERS >> MAX_LAYERS - layers
        await start(dut, bus)
        await bus.write(Register.CONTROL, Control.START)
        assert await bus.read(Register.ERRORS) == 0, "start while busy is ignored"
        assert int(dut.layers_o.value) == layers
        await finish(dut)
    await bus.write(Register.SEQUENCES, 0)
    assert await start_refused()
    for bit in range(32):
        await bus.write(Register.SEQUENCES, 1 << bit)
        await start(dut, bus)
        await finish(dut)
    await bus.write(Register.SEQUENCES, 1)
    dut.loading_i.value = 1
    assert await start_refused()
    dut.loading_i.value = 0
    for code in range(len(BUILD_POLICIES), 8):
        await bus.write(Register.CONFIG, Config.OVERRIDE | Config.policy(code))
        assert await start_refused(), f"no policy has the code {code}"
        await bus.write(Register.CONFIG, Config.policy(code))  # which nobody asks for
        await start(dut, bus)
        await finish(dut)
    for code in BUILD_POLICIES:
        await bus.write(Register.CONFIG, Config.OVERRIDE | Config.policy(code))
        await start(dut, bus)
        assert int(dut.override_policy_o.value) == code
        await finish(dut)
    await bus.write(Register.CONFIG, 0)
    await start(dut, bus)
    dut.input_halted_i.value = 1
    await bus.write(Register.CONTROL, Control.START)
    assert await bus.read(Register.ERRORS) == Error.START, "after a wrong packet"


@cocotb.test(timeout_time=2, timeout_unit="ms")
async def a_run_ends_with_an_interrupt(dut):
    bus = await begin(dut)
    await bus.write(Register.CONFIG, Config.STATEFUL | Config.TRACE | Config.OVERRIDE | Config.policy(2) | Config.IRQ_ENABLE)
    await bus.write(Register.LAYERS, 3)
    await start(dut, bus)
    await bus.write(Register.CONFIG, Config.IRQ_ENABLE)
    await bus.write(Register.LAYERS, 5)
    await clock_cycles(dut, 2)  # in which the run would take over what was written
    assert dut.stateful_o.value and dut.trace_enable_o.value and dut.override_o.value and dut.override_policy_o.value == 2
    assert dut.layers_o.value == 3
    dut.output_idle_i.value = 0
    await finish(dut)
    assert await bus.read(Register.STATUS) == Status.BUSY and not dut.irq_o.value
    dut.output_idle_i.value = 1
    await clock_cycles(dut, 3)
    assert dut.irq_o.value and await bus.read(Register.INTERRUPT) == Interrupt.DONE and await bus.read(Register.STATUS) == Status.DONE
    await bus.write(Register.INTERRUPT, Interrupt.DONE)
    assert not dut.irq_o.value
    dut.error_event_i.value = Error.LOAD_TARGET
    await clock_cycles(dut, 1)
    dut.error_event_i.value = 0
    await clock_cycles(dut, 1)
    assert dut.irq_o.value and await bus.read(Register.INTERRUPT) == Interrupt.ERROR and await bus.read(Register.ERRORS) == Error.LOAD_TARGET
    await start(dut, bus)
    assert not await bus.read(Register.STATUS) & Status.DONE


@cocotb.test(timeout_time=2, timeout_unit="ms")
async def soft_reset_waits_for_packets(dut):
    bus = await begin(dut)
    await start(dut, bus)
    dut.output_idle_i.value = 0
    dut.error_event_i.value = ALL_ERRORS & ~(Error.START | Error.ACCESS)
    await clock_cycles(dut, 1)
    dut.error_event_i.value = 0
    await bus.write(Register.CONTROL, Control.SOFT_RESET | Control.START)
    assert await bus.read(Register.STATUS) == Status.RESETTING and await bus.read(Register.ERRORS) == 0 and dut.clear_o.value
    await bus.write(Register.CONTROL, Control.START)
    assert await bus.read(Register.ERRORS) == Error.START
    dut.output_idle_i.value = 1
    await clock_cycles(dut, 2)
    assert not dut.clear_o.value and await bus.read(Register.STATUS) == 0
    starts = []

    async def count_starts():
        while True:
            await RisingEdge(dut.clk_i)
            starts.extend([1] * int(dut.start_o.value))

    cocotb.start_soon(count_starts())
    await bus.write(Register.CONTROL, Control.SOFT_RESET | Control.START)
    await clock_cycles(dut, 2)
    assert await bus.read(Register.STATUS) == 0 and not starts
    await start(dut, bus)
    assert len(starts) == 1


@cocotb.test(timeout_time=2, timeout_unit="ms")
async def counters_count_while_busy(dut):
    random, tiles = Random(seed()), BUILD["Tiles"]
    bus = await begin(dut)
    counts, busy = [0] * len(COUNTERS), []

    async def activity():
        """Random classes and events in every cycle; counts those of busy cycles."""
        while True:
            classes = [random.randrange(len(CycleClass)) for _ in range(tiles)]
            events, write, step = random.getrandbits(len(TileEvent) * tiles), random.getrandbits(1), random.getrandbits(1)
            dut.class_i.value = sum(code << CLASS_BITS * tile for tile, code in enumerate(classes))
            dut.event_i.value, dut.act_we_i.value, dut.step_done_i.value = events, write, step
            await RisingEdge(dut.clk_i)
            busy.append(int(dut.busy_o.value))
            if busy[-1]:
                counts[Counter.CYCLES] += 1
                for code in classes:
                    counts[CLASS_COUNTERS[code]] += 1
                counts[Counter.ACTIVATION_WRITES] += write
                counts[Counter.STEPS] += step
                for tile in range(tiles):
                    for event in TileEvent:
                        counts[Counter[f"{event.name}S"]] += events >> len(TileEvent) * tile + event & 1

    async def snapshot(also=0):
        await bus.write(Register.CONTROL, Control.SNAPSHOT | also)
        values = [await bus.read64(counter_address(index)) for index in range(len(COUNTERS))]
        assert sum(values[counter] for counter in CLASS_COUNTERS) == tiles * values[Counter.CYCLES]
        return values

    assert await snapshot() == [0] * len(COUNTERS)
    cocotb.start_soon(activity())
    total = [0] * len(COUNTERS)
    for _ in range(3):
        await start(dut, bus)
        await clock_cycles(dut, 200)
        total = [old + new for old, new in zip(total, await snapshot(Control.CLEAR))]
        assert total[0] > 0
        await finish(dut)
    total = [old + new for old, new in zip(total, await snapshot(Control.CLEAR))]
    assert total == counts, "snapshots with clear add up to everything"
    assert await snapshot() == [0] * len(COUNTERS)


@cocotb.test(timeout_time=2, timeout_unit="ms")
async def rows_are_read_from_the_last_snapshot(dut):
    random = Random(seed())
    bus = await begin(dut)
    rows = [[0] * len(Row) for _ in range(ROWS_BLOCKS)]
    for _ in range(300):
        layer, levels = random.randrange(ROWS_BLOCKS), random.choices([*Level], k=len(GATES))
        dut.commit_valid_i.value, dut.commit_layer_i.value, dut.commit_levels_i.value = 1, layer, packed_levels(levels)
        await clock_cycles(dut, 1)
        rows[layer] = [sum(pair) for pair in zip(rows[layer], row_counts(levels), strict=True)]
    dut.commit_valid_i.value = 0
    assert await bus.read64(Register.ROWS) == 0
    await bus.write(Register.CONTROL, Control.SNAPSHOT)
    assert [[await bus.read64(row_address(layer, index)) for index in Row] for layer in range(ROWS_BLOCKS)] == rows
    await bus.write(Register.CONTROL, Control.SNAPSHOT)
    await bus.write(Register.CONTROL, Control.CLEAR)
    await bus.write(Register.CONTROL, Control.SNAPSHOT)
    assert await bus.read64(Register.ROWS) == 0, "requests wait for the one before"


@cocotb.test(timeout_time=2, timeout_unit="ms")
async def state_is_read_while_idle(dut):
    random, tiles, lanes = Random(seed()), BUILD["Tiles"], BUILD["Lanes"]
    bus = await begin(dut)
    width = len(dut.state_data_i) // tiles
    cells = [[random.getrandbits(CELL.width) for _ in range(32)] for _ in range(tiles)]
    words = [[random.getrandbits(8 * lanes) for _ in range(32)] for _ in range(tiles)]

    async def memories():
        """Answers a read one cycle later."""
        while True:
            await RisingEdge(dut.clk_i)
            select = int(dut.state_read_o.value)
            assert select & select - 1 == 0
            if select:
                tile, memory = select.bit_length() - 1, words if dut.state_kind_o.value else cells
                dut.state_data_i.value = memory[tile][int(dut.state_address_o.value)] << width * tile

    cocotb.start_soon(memories())
    for _ in range(50):
        tile, kind = random.randrange(tiles), random.getrandbits(1)
        address = random.randrange(32 * lanes if kind else 32)
        await bus.write(Register.STATE_SELECT, StateSelect.address(address) | StateSelect.KIND * kind | StateSelect.tile(tile))
        expected = words[tile][address // lanes] >> 8 * (address % lanes) & 0xFF if kind else cells[tile][address]
        assert await bus.read(Register.STATE_DATA) == expected
    for select in (StateSelect.tile(tiles), StateSelect.tile(255), StateSelect.address(32), StateSelect.KIND | StateSelect.address(32 * lanes)):
        await bus.write(Register.STATE_SELECT, select)
        assert await refused(bus.read(Register.STATE_DATA)) and await bus.read(Register.ERRORS) == Error.ACCESS
        await bus.write(Register.ERRORS, Error.ACCESS)
    await bus.write(Register.STATE_SELECT, 0)
    await start(dut, bus)
    assert await refused(bus.read(Register.STATE_DATA)) and await bus.read(Register.ERRORS) == Error.ACCESS


@cocotb.test(timeout_time=4, timeout_unit="ms")
async def every_bit_of_a_counter_is_read(dut):
    """Random values and their complements, which no run reaches: they are set where the last snapshot lies, as no port does that."""
    random, bus = Random(seed()), await begin(dut)
    counters = [random.getrandbits(64) for _ in COUNTERS]
    rows = [[random.getrandbits(64) for _ in Row] for _ in range(ROWS_BLOCKS)]
    for flipped in (0, (1 << 64) - 1):
        for number, value in enumerate(counters):
            dut.u_counters.snapshot_q[number].value = value ^ flipped
        for layer, values in enumerate(rows):
            dut.u_row_counters.u_snapshot.memory[layer].value = sum((value ^ flipped) << 64 * field for field, value in enumerate(values))
        await clock_cycles(dut, 1)
        assert [await bus.read64(counter_address(number)) ^ flipped for number in range(len(COUNTERS))] == counters
        assert [[await bus.read64(row_address(layer, field)) ^ flipped for field in Row] for layer in range(ROWS_BLOCKS)] == rows


def test_control():
    run(__name__, "control", BUILD, flags=VISIBLE)
