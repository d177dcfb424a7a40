# SPDX-License-Identifier: MIT
"""Energy, area, access time and leakage of SRAM macros: PDK=folder python -m syn.macros writes models/quarters/memories.json

The macros are those of the open process IHP SG13G2 (130 nm), whose repository IHP-Open-PDK has a Liberty file of each; PDK names a clone of it. Energy of
an access is what a rising edge of the clock pin costs under the condition "enabled and read" or "enabled and write", and what toggles of pins cost under "enabled":
half of the address bits, and in a write half of the data bits. Idle macros cost nothing but leakage: their clock has 0 pJ where neither is asked for.
"""

import json
import os
import re
import sys
from pathlib import Path

import numpy as np

from models.quarters.memories import DATA
from syn.library import MACROS
from syn.power import Group, parse_liberty

FOLDER = MACROS
NAME = re.compile(r"RM_IHPSG13_([12]P)_(\d+)x(\d+)_\w*typ_1p20V_25C\.lib")
SLEW, LOAD = 0.04, 0.01  # ns, pF: of the clock at which access times are read, and of an output
TOGGLES = 0.5            # of a bit of an address or of data in an access


def conditions(power: Group) -> frozenset[str]:
    """Pins of a `when`, with their sign: "A_MEN & !A_WEN" is {"A_MEN", "!A_WEN"}. None is given for what is no such product. Raises ValueError."""
    literals = power.attributes.get("when", "").replace(" ", "").split("&")
    if not all(re.fullmatch(r"!?\w+", literal) for literal in literals):
        raise ValueError(f"a condition that is no product of pins: {power.attributes.get('when')}")
    return frozenset(literals)


def energy(pin: Group, *required: str) -> tuple[float, float]:
    """(rising, falling) energy of a pin in pJ under a condition: exactly these literals. Raises ValueError if it has none or several."""
    found = [power for power in pin.all("internal_power") if conditions(power) == frozenset(required)]
    if len(found) != 1:
        raise ValueError(f"{pin.arguments[0]}: {len(found)} energies under {' & '.join(required)}")
    return tuple(float(table.attributes["values"][0]) for kind in ("rise_power", "fall_power") for table in found[0].all(kind))


def pins(cell: Group, bus: str) -> Group:
    """The pins of a bus that have energies, as one group."""
    group = next(group for group in cell.all("bus") if group.arguments == [bus])
    return next(pin for pin in group.all("pin") if pin.all("internal_power"))


def macro(text: str, name: str) -> dict:
    """What models.quarters.memories needs of a macro, from its Liberty file. Raises ValueError."""
    ports, words, bits = NAME.fullmatch(name).groups()
    library = parse_liberty(text)
    unit = (library.attributes["leakage_power_unit"], library.attributes["capacitive_load_unit"], library.attributes["voltage_unit"])
    if unit != ("1nW", ["1", "pf"], "1V"):
        raise ValueError(f"{name}: units {unit}")
    cell = library.all("cell")[0]
    clock = next(pin for pin in cell.all("pin") if pin.arguments == ["A_CLK"])
    read_clock, write_clock = energy(clock, "A_MEN", "!A_WEN", "A_REN")[0], energy(clock, "A_MEN", "A_WEN", "!A_REN")[0]
    if energy(clock, "!A_MEN", "!A_WEN", "!A_REN") != (0, 0):
        raise ValueError(f"{name}: an idle clock has an energy")
    address = TOGGLES * np.log2(int(words)) * np.mean(energy(pins(cell, "A_ADDR"), "A_MEN"))
    data = TOGGLES * int(bits) * np.mean(energy(pins(cell, "A_DIN"), "A_MEN"))
    output = next(bus for bus in cell.all("bus") if bus.arguments == ["A_DOUT"])
    access = max(_at(table, SLEW, LOAD) for timing in output.all("timing") for kind in ("cell_rise", "cell_fall") for table in timing.all(kind))
    return {"words": int(words), "bits": int(bits), "ports": int(ports[0]), "read_pj": _round(read_clock + address), "write_pj": _round(write_clock + address + data),
            "read_clock_pj": read_clock, "write_clock_pj": write_clock, "area_um2": float(cell.attributes["area"]), "access_ns": _round(access),
            "leakage_nw": float(cell.attributes["cell_leakage_power"])}


def _at(table, slew, load):
    numbers = [np.array([[float(value) for value in text.split(",")] for text in table.attributes[name]]) for name in ("index_1", "index_2", "values")]
    slews, loads, values = numbers[0][0], numbers[1][0], numbers[2]
    return float(np.interp(slew, slews, [np.interp(load, loads, row) for row in values]))


def _round(value):
    return float(f"{value:.4g}")


def main() -> None:
    folder = Path(os.environ.get("PDK", "")) / FOLDER
    files = {path.name: path for path in sorted(folder.glob("*.lib")) if NAME.fullmatch(path.name)}
    if not files:
        sys.exit(f"no macros in {folder}; please clone IHP-Open-PDK and run: PDK=its folder python -m syn.macros")
    found = {"source": "IHP-Open-PDK, ihp-sg13g2/libs.ref/sg13g2_sram/lib, typical corner at 1.20 V and 25 C; made by python -m syn.macros",
             "macros": {name.split("_c")[0].removeprefix("RM_IHPSG13_"): {"file": name, **macro(path.read_text(), name)} for name, path in files.items()}}
    DATA.write_text(json.dumps(found, indent=1) + "\n")
    print(DATA)


if __name__ == "__main__":
    main()
