"""precision_unit: masks of both policies and the history, against models.policies, in the schedule of the finisher."""

import random

import cocotb
import torch
from cocotb.triggers import RisingEdge

from models import activation
from models.policies import sensitivity
from tb.bench import reset, seed
from tb.runner import run

GATES = "ifgo"


def unit(generator):
    """Inputs of one unit: z of the gates, c, c', z of tanh(c'), a threshold a gate, and the fields of CELL_HISTORY."""
    z = [generator.choice([0, generator.randint(-32768, 32767), generator.randint(-9000, 9000)]) for _ in range(4)]
    c = generator.choice([0, generator.randint(-32768, 32767), generator.randint(-300, 300)])
    c_new = generator.choice([c, generator.randint(-32768, 32767), max(-32768, min(32767, c + generator.randint(-300, 300)))])
    history_threshold = generator.choice([abs(c_new - c) % 65536, 0, 65535, generator.randint(0, 400)])
    threshold = [generator.choice([generator.randint(20, 110), generator.randint(-100, 254)]) for _ in GATES]
    return dict(z=z, c=c, c_new=c_new, z_t=generator.randint(-12000, 12000), threshold=threshold,
                theta=[generator.randint(max(-128, total - 127), min(127, total + 128)) for total in threshold], history=generator.randint(0, 7), first=generator.random() < 0.2, cell_history=generator.random() < 0.3,
                history_threshold=history_threshold, hold=generator.randint(1, 7),
                cell_floor=generator.choice([0, generator.randint(0, 48), 63]))


def expected(unit):
    """(mask, history) of docs/numerics.md, "Precision selection"."""
    held = 0 if unit["first"] else unit["history"]
    history = unit["hold"] if abs(unit["c_new"] - unit["c"]) >= unit["history_threshold"] else max(held - 1, 0)
    if unit["cell_history"]:
        return 15 if unit["first"] or held else 0, history
    gates, tanh_c = activation.gate_words(torch.tensor(unit["z"]).view(1, 4, 1)), activation.tanh_words(torch.tensor([[unit["z_t"]]]))
    estimates = sensitivity(gates, tanh_c, torch.tensor([[unit["c"]]]), unit["cell_floor"])[0, :, 0].tolist()
    # A negative estimate has a factor of zero: never refined.
    return sum((estimate > max(threshold, -1)) << gate for gate, (estimate, threshold) in enumerate(zip(estimates, unit["threshold"]))), history


async def play(dut, stimulus, gates, tanh_c):
    """Plays a unit from the threshold of its first gate to its history; compares and returns its mask. Cycle 0 is that of the i gate."""
    values = dict(enumerate(gates)) | {6: tanh_c}
    mask = None
    for cycle in range(-4, 8):
        theta = stimulus["theta"][cycle + 4] if cycle < 0 else 0
        dut.theta_i.value, dut.offset_i.value = theta, stimulus["threshold"][cycle + 4] - theta if cycle < 0 else 0
        dut.slope_i.value = values[cycle + 1][1].item() if cycle + 1 in values else 0
        dut.value_i.value = values[cycle][0].item() if cycle in values else 0
        for number, name in enumerate([*GATES, "c"]):
            getattr(dut, f"{name}_valid_i").value = cycle == number
        await RisingEdge(dut.clk_i)
        if cycle == 6:
            mask = int(dut.mask_o.value)
    got, wanted = (mask, int(dut.history_o.value)), expected(stimulus)
    assert got == wanted, f"(mask, history) {got}, expected {wanted} of {stimulus}"
    return mask


@cocotb.test()
async def masks_and_history(dut):
    await reset(dut)
    generator = random.Random(seed())
    masks = set()
    for _ in range(1500):
        stimulus = unit(generator)
        gates = [(activation.tanh if gate == "g" else activation.sigmoid)(torch.tensor([[z]])) for gate, z in zip(GATES, stimulus["z"])]
        tanh_c = activation.tanh(torch.tensor([[stimulus["z_t"]]]))
        for name in ("c", "c_new", "history", "first", "cell_history", "history_threshold", "hold", "cell_floor"):
            getattr(dut, f"{name}_i").value = stimulus[name]
        masks.add(await play(dut, stimulus, gates, tanh_c))
    assert masks == set(range(16)), f"only the masks {sorted(masks)} occurred"


def test_precision_unit():
    run(__name__, "precision_unit")
