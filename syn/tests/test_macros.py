# SPDX-License-Identifier: MIT
"""The reader of macros, on a file of made-up numbers; on the process' own files where PDK names them."""

import json
import os
from pathlib import Path

import pytest

from models.quarters.memories import DATA
from syn.macros import FOLDER, energy, macro
from syn.power import parse_liberty

NAME = "RM_IHPSG13_1P_256x64_c2_bm_bist_typ_1p20V_25C.lib"


def power(when, rise, fall):
    return f'internal_power() {{ when : "{when}"; rise_power("scalar") {{ values ({rise}); }} fall_power("scalar") {{ values ({fall}); }} }}'


def liberty(idle=0, unit="1nW"):
    clock = "".join(power(when, rise, 0) for when, rise in (
        ("!A_MEN  & !A_WEN & !A_REN", idle), ("!A_MEN & A_WEN & !A_REN", 3), ("A_MEN & A_WEN & !A_REN", 50), ("A_MEN & A_WEN & A_REN", 55),
        ("A_MEN & !A_WEN & A_REN", 40)))
    table = 'index_1("0.0, 0.04, 0.1"); index_2("0.0, 0.02"); values ("1.0, 2.0", "3.0, 4.0", "5.0, 6.0");'
    return f"""library(x) {{
      leakage_power_unit : "{unit}"; capacitive_load_unit (1,pf) ; voltage_unit : "1V" ;
      cell(x) {{ area : 1234.5 ; cell_leakage_power : 42;
        bus(A_ADDR) {{ pin(A_ADDR[7:0]) {{ {power("A_MEN", 0.3, 0.1)} {power("!A_MEN", 9, 9)} }} }}
        bus(A_DIN) {{ pin(A_DIN[63:0]) {{ {power("A_MEN", 0.2, 0.0)} {power("!A_MEN", 9, 9)} }} }}
        pin(A_CLK) {{ clock : "true"; {clock} }}
        bus(A_DOUT) {{ timing() {{ cell_rise(t) {{ {table} }} cell_fall(t) {{ {table.replace("4.0", "5.0")} }} }} }}
      }} }}"""


def test_energy_of_an_access():
    """Reading and writing alone; 4 of 8 address bits at 0.2 pJ, 32 of 64 data bits at 0.1 pJ; the slower edge at 0.04 ns and 0.01 pF."""
    found = macro(liberty(), NAME)
    assert found == {"words": 256, "bits": 64, "ports": 1, "read_pj": 40.8, "write_pj": 54.0, "read_clock_pj": 40, "write_clock_pj": 50,
                     "area_um2": 1234.5, "access_ns": 4.0, "leakage_nw": 42}


@pytest.mark.parametrize("text, message", [
    (liberty(idle=1), "idle"), (liberty(unit="1uW"), "units"), (liberty().replace("A_MEN & !A_WEN & A_REN", "A_MEN"), "0 energies"),
])
def test_what_would_be_misread_is_refused(text, message):
    with pytest.raises(ValueError, match=message):
        macro(text, NAME)


def test_a_condition_that_is_no_product_is_refused():
    pin = parse_liberty(f"pin(p) {{ {power('A | B', 1, 1)} }}")
    with pytest.raises(ValueError, match="no product"):
        energy(pin, "A")


@pytest.mark.skipif(not os.environ.get("PDK"), reason="PDK names no clone of IHP-Open-PDK")
def test_the_committed_figures_are_those_of_the_process():
    for name, committed in json.loads(DATA.read_text())["macros"].items():
        path = Path(os.environ["PDK"]) / FOLDER / committed["file"]
        assert {"file": path.name, **macro(path.read_text(), path.name)} == committed, name
