# SPDX-License-Identifier: MIT
"""Parameters that no build can have stop the elaboration with a message that says which."""

import pytest

from tb.bench.runner import SimulationError, build

BAD = {
    "Tiles": (0, 17), "Lanes": (0, 4, 12, 128), "DynamicPrecision": (2,), "InFlight": (0, 1, 6), "WeightDepth": (1, 7, 1048577),
    "UnitDepth": (1, 65537), "ActivationDepth": (1, 48, 1024),
}


@pytest.mark.parametrize("name, value", [(name, value) for name, values in BAD.items() for value in values])
def test_bad_parameter(name, value):
    with pytest.raises(SimulationError, match=f"{name}_must_be"):
        build("parameter_check", {name: value}, "icarus")


# The ends of every range, and all values of short ones.
GOOD = [{"Tiles": 1, "InFlight": 2, "WeightDepth": 8, "UnitDepth": 2, "ActivationDepth": 2}, {"Tiles": 16, "Lanes": 8, "ActivationDepth": 4096},
        {"WeightDepth": 1048576, "UnitDepth": 65536, "ActivationDepth": 512}, {"Lanes": 16, "ActivationDepth": 2048, "InFlight": 4},
        {"Lanes": 32, "ActivationDepth": 1024},
        {"DynamicPrecision": 0, "Lanes": 8, "ActivationDepth": 16384}, {"DynamicPrecision": 0, "Lanes": 64, "ActivationDepth": 2048}]


@pytest.mark.parametrize("parameters", GOOD)
def test_good_parameters(parameters):
    build("parameter_check", parameters, "icarus")
