# SPDX-License-Identifier: MIT
"""Gate-level netlists (syn/) against rtl/: a proof for one lane in every form, and the tests of modules run on their netlists."""

import shutil

import pytest

from syn import equivalence
from syn.synthesize import BUILD, SynthesisError, synthesize
from tb.bench.runner import RUNS

FOLDER = BUILD / "test"


@pytest.mark.parametrize("operand_bits, form", [(4, "booth"), (4, "array"), pytest.param(8, "booth", marks=pytest.mark.slow)])
def test_a_product_is_proven(operand_bits, form):
    parameters = {"Lanes": 1, "OperandBits": operand_bits}
    netlist = synthesize(f"product-{operand_bits}-{form}", "dot_product", parameters, form, folder=FOLDER)
    equivalence.prove_function(netlist, parameters)


def test_the_proof_finds_a_wrong_gate():
    parameters = {"Lanes": 1, "OperandBits": 4}
    netlist = synthesize("product-wrong", "dot_product", parameters, folder=FOLDER)
    netlist.verilog.write_text(netlist.verilog.read_text().replace("  NAND2X1 ", "  NOR2X1 ", 1))
    with pytest.raises(SynthesisError, match="product-wrong"):
        equivalence.prove_function(netlist, parameters)


@pytest.mark.parametrize("module, parameters, test", [
    ("dot_product", {"Lanes": 64, "OperandBits": 4}, "test_dot_product.py::test_dot_product[64-4]"),
    pytest.param("dot_product", {"Lanes": 16, "OperandBits": 8}, "test_dot_product.py::test_dot_product[16-8]", marks=pytest.mark.slow),
    pytest.param("precision_unit", {}, "test_precision_unit.py", marks=pytest.mark.slow),
    pytest.param("cell_update", {}, "test_cell_update.py", marks=pytest.mark.slow),
    pytest.param("requantizer", {}, "test_requantizer.py", marks=pytest.mark.slow),
])
def test_a_netlist_passes_the_tests_of_its_module(module, parameters, test):
    netlist = synthesize(f"{module}-{parameters.get('WeightBits', '')}", module, parameters, folder=FOLDER)
    folder = RUNS / f"netlist-{netlist.verilog.stem}"
    shutil.rmtree(folder, ignore_errors=True)
    assert not equivalence.run_test(netlist, test, folder)
