# SPDX-License-Identifier: MIT
"""Parameters that no build can have stop the elaboration with a message that says which."""

import pytest

from tb.bench.runner import SimulationError, build

BAD = {
    "Tiles": (0, 17), "Lanes": (0, 4, 12, 128), "DynamicPrecision": (2,), "InFlight": (0, 1, 6), "WeightDepth": (1, 7, 1048577),
    "UnitDepth": (1, 65537), "ActivationDepth": (1, 48, 2048),
}


@pytest.mark.parametrize("name, value", [(name, value) for name, values in BAD.items() for value in values])
def test_bad_parameter(name, value):
    with pytest.raises(SimulationError, match=f"{name}_must_be"):
        build("parameter_check", {name: value}, "icarus")


@pytest.mark.parametrize("parameters", [{"Tiles": 1, "InFlight": 2, "WeightDepth": 8}, {"Tiles": 16, "Lanes": 8, "ActivationDepth": 4096},
                                        {"DynamicPrecision": 0, "Lanes": 8, "ActivationDepth": 16384}])
def test_good_parameters(parameters):
    build("parameter_check", parameters, "icarus")
