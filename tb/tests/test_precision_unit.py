# SPDX-License-Identifier: MIT
"""precision_unit: levels of both policies and the history, against models.selectors, in the schedule of post-processing."""

import random
from collections import Counter as Sum

import cocotb
import torch
from cocotb.triggers import RisingEdge

from models import activation
from models.formats import DESCRIPTOR, GATES, ROW_CONSTANT, Level, Policy
from models.policies import DECIDING
from models.selectors import cell_codes, level_of, next_history, sensitivity
from tb.bench.drivers import reset, seed
from tb.bench.registers import packed_levels
from tb.bench.runner import run

FIRST, CHANGE, LAST, ANSWER, NEXT = -5, 5, 7, 8, 8  # cycles of a unit: its first offset, c', t, the answer; the gate i of the next unit
CELL_FLOOR = (1 << DESCRIPTOR["cell_floor"].width) - 1
LOW, HIGH = DESCRIPTOR["theta_all"].range
assert ROW_CONSTANT["offset"].range == DESCRIPTOR["theta_middle"].range == (LOW, HIGH)


# The functions at every argument, (value, slope) each, and every logarithm: looking them up takes a fraction of the time of computing one.
ARGUMENTS = range(-32768, 32768)
SIGMOID, TANH = (list(zip(*(part.tolist() for part in function(torch.tensor(ARGUMENTS))))) for function in (activation.sigmoid, activation.tanh))
LOG_CODES = activation.log_code(torch.arange(32769)).tolist()


def word_at(z, is_tanh):
    """(value, slope) of a function at z."""
    return (TANH if is_tanh else SIGMOID)[z - ARGUMENTS[0]]


def words_of(pairs):
    """Words of models.activation of (value, slope)."""
    return torch.tensor([value << 16 | (LOG_CODES[abs(value)] & 255) << 8 | LOG_CODES[slope] & 255 for value, slope in pairs], dtype=torch.int32)


def seen_of(unit):
    """What the unit's policy sees of its gates (docs/numerics.md, "Precision selection"); negative: never above LOWEST."""
    c, history = torch.tensor([[unit["c"]]]), torch.tensor([[unit["history"]]])
    if unit["policy"] == Policy.CELL_HISTORY:
        return cell_codes(c, history)
    words = words_of(unit["words"])
    return sensitivity(words[:4].view(1, 4, 1), words[4].view(1, 1), c, unit["cell_floor"])


def thresholds_of(seen, generator):
    """(θ of MIDDLE, θ of ALL, offset) of a gate: about what is seen or somewhere, θ and offset at an end of their range where that can be."""
    sums = [generator.choice([seen + generator.choice((-1, 0, 1)), generator.randint(2 * LOW, 2 * HIGH), generator.randint(-2, 60)]) for _ in range(2)]
    wanted = generator.choice([LOW, HIGH, sums[0] - LOW, sums[0] - HIGH, generator.randint(LOW, HIGH)])
    low, high = max(LOW, sums[0] - HIGH), min(HIGH, sums[0] - LOW)
    offset = max(low, min(high, wanted))
    return sums[0] - offset, max(LOW, min(HIGH, sums[1] - offset)), offset


def random_unit(generator):
    """Inputs of one unit: values and slopes of the gates and of tanh(c'), c, c', history, thresholds, and the policy."""
    z = [generator.choice([0, 32767, -32768, generator.randint(-32768, 32767), generator.randint(-9000, 9000)]) for _ in range(4)]
    z.append(generator.choice([0, generator.randint(-32768, 32767), generator.randint(-12000, 12000)]))
    words = [word_at(value, number in (2, 4)) for number, value in enumerate(z)]
    c = generator.choice([0, -32768, 32767, generator.randint(-32768, 32767), generator.randint(-300, 300)])
    if generator.random() < 0.2:  # a factor of zero that no table gives, and no other beside it, which int8 would not hold
        number, zero = generator.choice([(0, 0), (3, 0), (0, 1), (1, 1), (3, 1)])
        words[number] = (0, words[number][1]) if zero == 0 else (words[number][0], 0)
        if 0 in words[2]:
            words[2] = word_at(1000, True)
        if 0 in words[4]:
            words[4] = word_at(-1000, True)
        c = c or 1
    c_new = generator.choice([c, 32767, -32768, generator.randint(-32768, 32767), max(-32768, min(32767, c + generator.randint(-300, 300)))])
    unit = dict(words=words, c=c, c_new=c_new, history=generator.choice([0, 31, generator.randint(0, 31)]), policy=generator.choice(DECIDING),
                cell_floor=generator.choice([0, generator.randint(0, 48), CELL_FLOOR]))
    unit["seen"] = seen_of(unit)
    seen = unit["seen"][0, :, 0].tolist()
    unit["theta_middle"], unit["theta_all"], unit["offset"] = zip(*(thresholds_of(max(value, 0), generator) for value in seen))
    return unit


def expected(unit):
    """(levels, history) of a unit."""
    thresholds = torch.tensor([unit["theta_middle"], unit["theta_all"]]).add(torch.tensor(unit["offset"])).clamp(-1, HIGH).unsqueeze(2)
    levels = level_of(unit["seen"], thresholds)[0, :, 0].tolist()
    return levels, next_history(torch.tensor([[unit["history"]]]), torch.tensor([[unit["c_new"] - unit["c"]]])).item()


def at(unit, cycle):
    """Value and slope that a unit has in a cycle; None: neither."""
    number = {0: 0, 1: 1, 2: 2, 3: 3, LAST: 4}.get(cycle)
    return None if unit is None or number is None else unit["words"][number]


@cocotb.test()
async def levels_and_history(dut):
    """Units as close to each other as post-processing plays them; what a unit needs in one cycle is anything in the others."""
    await reset(dut)
    generator, met, now = random.Random(seed()), Sum(), None
    for _ in range(4000):
        coming = random_unit(generator)
        for cycle in range(FIRST, NEXT + FIRST):  # of the unit that comes; the one before is NEXT cycles further
            late = cycle + NEXT
            dut.offset_i.value = coming["offset"][cycle - FIRST] if cycle - FIRST < len(GATES) else generator.randint(LOW, HIGH)
            value, slope = at(coming, cycle) or at(now, late), at(coming, cycle + 1) or at(now, late + 1)
            dut.value_i.value = value[0] if value else generator.randint(-32766, 32767)
            dut.slope_i.value = slope[1] if slope else generator.getrandbits(11)
            for number, gate in enumerate(GATES):
                getattr(dut, f"{gate}_valid_i").value = number in (cycle, late)
            dut.c_valid_i.value = late == CHANGE
            # The state before the step is there from gate f to the cycle of c', the history a cycle longer.
            state, history = (now if late <= CHANGE + more else coming if cycle > 0 else None for more in (0, 1))
            dut.c_i.value = state["c"] if state else generator.randint(-32768, 32767)
            dut.history_i.value = history["history"] if history else generator.randint(0, 31)
            asked = now if now and late == ANSWER else None
            dut.c_new_i.value = now["c_new"] if now and late == CHANGE else generator.randint(-32768, 32767)
            dut.policy_i.value = asked["policy"] if asked else generator.choice(DECIDING)
            dut.cell_floor_i.value = asked["cell_floor"] if asked else generator.randint(0, CELL_FLOOR)
            for name in ("theta_middle", "theta_all"):
                getattr(dut, f"{name}_i").value = sum((value & 255) << 8 * gate for gate, value in enumerate(asked[name])) if asked else generator.getrandbits(32)
            await RisingEdge(dut.clk_i)
            if asked:
                levels, history = expected(now)
                got = int(dut.levels_o.value), int(dut.history_o.value)
                assert got == (packed_levels(levels), history), f"(levels, history) {got[0]:#010b}, {got[1]}, expected {levels}, {history} of {now}"
                note(met, now, levels)
        now = coming
    wanted = [(policy, *what) for policy in DECIDING for what in WANTED] + [(Policy.SENSITIVITY, gate, "zero") for gate in GATES]
    missing = [what for what in wanted if not met[what]]
    assert not missing, f"never met: {missing}"


EDGES = ("equal", "above by one")
WANTED = [*((gate, level) for gate in GATES for level in Level),
          *((gate, name, edge) for gate in GATES for name in ("theta_middle", "theta_all") for edge in EDGES),
          *((name, end) for name in ("theta_middle", "theta_all", "offset") for end in (LOW, HIGH))]


def note(met, unit, levels):
    """Counts what this unit covers of WANTED."""
    policy = unit["policy"]
    for gate, level, seen, offset in zip(GATES, levels, unit["seen"][0, :, 0].tolist(), unit["offset"], strict=True):
        met[policy, gate, Level(level)] += 1
        met[policy, gate, "zero"] += seen < 0  # a factor of its estimate
        for name in ("theta_middle", "theta_all"):
            distance = seen - unit[name][GATES.index(gate)] - offset
            if distance in (0, 1):
                met[policy, gate, name, EDGES[distance]] += 1
    for name in ("theta_middle", "theta_all", "offset"):
        for end in {LOW, HIGH} & {*unit[name]}:
            met[policy, name, end] += 1


def test_precision_unit():
    run(__name__, "precision_unit")
