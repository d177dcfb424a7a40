# SPDX-License-Identifier: MIT
"""precision_unit: masks of both policies and the history, against models.policies, in the schedule of post-processing."""

import random

import cocotb
import torch
from cocotb.triggers import RisingEdge

from models import activation
from models.policies import cell_codes, next_history, sensitivity
from tb.bench.drivers import reset, seed
from tb.bench.runner import run

GATES = "ifgo"
FIRST, LAST, NEXT = -4, 6, 8  # cycles of a unit: its first threshold, its history; the gate i of the next unit


def unit(generator):
    """Inputs of one unit: z of the gates, c, c', z of tanh(c'), a threshold a gate, and the policy."""
    z = [generator.choice([0, generator.randint(-32768, 32767), generator.randint(-9000, 9000)]) for _ in range(4)]
    c = generator.choice([0, -32768, generator.randint(-32768, 32767), generator.randint(-300, 300)])
    c_new = generator.choice([c, 32767, generator.randint(-32768, 32767), max(-32768, min(32767, c + generator.randint(-300, 300)))])
    cell_history = generator.random() < 0.5
    threshold = [generator.choice([generator.randint(-1, 16) if cell_history else generator.randint(20, 110), generator.randint(-100, 254)])
                 for _ in GATES]
    return dict(z=z, c=c, c_new=c_new, z_t=generator.choice([0, generator.randint(-12000, 12000)]), threshold=threshold,
                theta=[generator.randint(max(-128, total - 127), min(127, total + 128)) for total in threshold],
                history=generator.randint(0, 31), cell_history=cell_history, cell_floor=generator.choice([0, generator.randint(0, 48), 63]))


def values_of(unit):
    """(value, slope) by the cycle that has the value: of the gates, and of tanh(c')."""
    functions = (activation.tanh if gate == "g" else activation.sigmoid for gate in GATES)
    found = [function(torch.tensor([[z]])) for function, z in zip(functions, unit["z"])]
    return dict(enumerate(found)) | {6: activation.tanh(torch.tensor([[unit["z_t"]]]))}


def expected(unit):
    """(mask, history) of docs/numerics.md, "Precision selection"."""
    c, history = torch.tensor([[unit["c"]]]), torch.tensor([[unit["history"]]])
    if unit["cell_history"]:
        numbers = cell_codes(c, history)
    else:
        gates, tanh_c = activation.gate_words(torch.tensor(unit["z"]).view(1, 4, 1)), activation.tanh_words(torch.tensor([[unit["z_t"]]]))
        numbers = sensitivity(gates, tanh_c, c, unit["cell_floor"])
    # A negative estimate has a factor of zero: never refined.
    mask = sum((number > max(threshold, -1)) << gate for gate, (number, threshold) in enumerate(zip(numbers[0, :, 0].tolist(), unit["threshold"])))
    return mask, next_history(history, torch.tensor([[unit["c_new"] - unit["c"]]])).item()


@cocotb.test()
async def masks_and_history(dut):
    """Units as close behind each other as post-processing plays them: the first thresholds of one come with c' of the one before."""
    await reset(dut)
    generator = random.Random(seed())
    masks = {policy: set() for policy in (False, True)}
    now, values = None, {}
    for _ in range(2000):
        coming = unit(generator)
        coming_values = values_of(coming)
        for cycle in range(FIRST, NEXT + FIRST):  # of the unit that comes; the one before is NEXT cycles further
            late = cycle + NEXT
            theta = coming["theta"][cycle - FIRST] if cycle < 0 else 0
            dut.theta_i.value, dut.offset_i.value = theta, coming["threshold"][cycle - FIRST] - theta if cycle < 0 else 0
            value = coming_values.get(cycle) or values.get(late)
            slope = coming_values.get(cycle + 1) or values.get(late + 1)
            dut.value_i.value, dut.slope_i.value = value[0].item() if value else 0, slope[1].item() if slope else 0
            for number, name in enumerate([*GATES, "c", "change"]):
                getattr(dut, f"{name}_valid_i").value = number in (cycle, late)
            dut.cell_history_i.value = coming["cell_history"]
            # The old state of a unit gives way to that of the next behind cycle 5.
            state = now if now and late <= 5 else coming
            dut.c_i.value, dut.history_i.value = state["c"], state["history"]
            if now:
                dut.c_new_i.value, dut.cell_floor_i.value = now["c_new"], now["cell_floor"]
            await RisingEdge(dut.clk_i)
            if now and late == LAST:
                got, wanted = (int(dut.mask_o.value), int(dut.history_o.value)), expected(now)
                assert got == wanted, f"(mask, history) {got}, expected {wanted} of {now}"
                masks[now["cell_history"]].add(got[0])
        now, values = coming, coming_values
    assert all(found == set(range(16)) for found in masks.values()), f"only the masks {masks} occurred"


def test_precision_unit():
    run(__name__, "precision_unit")
