# SPDX-License-Identifier: MIT
"""The estimate of SENSITIVITY against the derivatives that it stands for."""

import pytest
import torch

from models.activation import codes_of, log_code, size_code
from models.cell import finish
from models.float_lstm import cell_step
from models.policies import cell_codes, next_history, sensitivity, theta_alignment


def test_codes_are_rounded_logarithms():
    values = torch.arange(1, 32769)
    low_by = 2 * values.double().log2() - log_code(values)
    assert low_by.min() >= 0 and low_by.max() < 2 * torch.tensor(1.5).log2() + 1e-3
    assert log_code(torch.tensor([1, 2, 3, 4, 5, 6, 7, 8])).tolist() == [0, 2, 3, 4, 4, 5, 5, 6]
    assert size_code(torch.tensor([0, 1, 2, 3, 32767, 32768])).tolist() == [0, 1, 3, 4, 30, 31]


def test_history_is_a_decaying_peak_of_the_change():
    history, found = torch.zeros(1), []
    for change in (0, -300, 0, 0, 40, 17, 65535, 0):
        history = next_history(history.int(), torch.tensor([change]))
        found.append(history.item())
    assert found == [0, 17, 16, 15, 14, 13, 30, 29]


def test_the_most_negative_cell_has_a_size():
    c, history = torch.tensor([[-32768, 32767, 0, 1, 3]], dtype=torch.int32), torch.tensor([[31, 3, 4, 0, 0]])
    assert cell_codes(c, history)[0].tolist() == [[7, 0, 1, 0, 0], [15, 15, 0, 0, 2]] * 2


@pytest.mark.parametrize("c_frac", [8, 12, 15])
def test_sensitivity_is_the_derivative_of_h_in_half_octaves(c_frac):
    """S - alignment = 2 log2 |dh / dz| on average, to a fraction of a unit: the alignment has whole ones."""
    torch.manual_seed(0)
    z = (2 * torch.randn(200, 4, 50)).clamp(-6, 6)
    c = torch.randn(200, 50).clamp(-0.95, 0.95) * (1 if c_frac == 15 else 2)
    z_integer, c_integer = (z * 4096).round().long(), (c * 2**c_frac).round().long()
    z = (z_integer / 4096).double().requires_grad_()
    cell_step(z.flatten(1), c_integer / 2**c_frac)[1].sum().backward()
    gates, integer_new_c, tanh_c = finish(z_integer, c_integer, c_frac)
    estimate = sensitivity(gates, tanh_c, c_integer) - torch.tensor(theta_alignment(c_frac)).unsqueeze(1)
    fair = (z.grad.abs() > 1e-3) & (integer_new_c.abs() < 32767).unsqueeze(1) & (c_integer.abs() * 2.0**-c_frac > 0.05).unsqueeze(1)
    low_by = 2 * z.grad.abs().log2() - estimate
    means = [low_by[:, gate][fair[:, gate]].mean().item() for gate in range(4)]
    assert means == pytest.approx([0.6, 0.6, 0.6, 0.3], abs=0.2)


def test_a_factor_of_zero_is_never_sensitive():
    z, c = torch.zeros(1, 4, 1, dtype=torch.int64), torch.zeros(1, 1, dtype=torch.int64)
    gates, _, tanh_c = finish(z, c, 12)
    assert (sensitivity(gates, tanh_c, c)[0, :, 0] >= 0).tolist() == [False, False, True, False]


def test_an_error_in_the_cell_counts_though_the_output_is_closed():
    z, c = torch.tensor([0, 0, 4096, -32768]).reshape(1, 4, 1), torch.full((1, 1), 4096)
    gates, _, tanh_c = finish(z, c, 12)
    without, low, high = (sensitivity(gates, tanh_c, c, floor)[0, :, 0] for floor in (0, 20, 44))
    through_cell = (codes_of(gates)[0][0, 3] + codes_of(tanh_c)[1]).item()
    assert 20 < through_cell < 44 and torch.equal(low, without)
    assert (high - without).tolist() == [44 - through_cell] * 3 + [0]
