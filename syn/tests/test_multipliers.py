# SPDX-License-Identifier: MIT
"""The multiplier of the activation, as syn/arithmetic.py writes it, over its operands."""

import re
import subprocess

import pytest

from syn import gates
from syn.arithmetic import FORMS, multiplier
from syn.library import OSU
from syn.power import Library
from syn.synthesize import fetch_library

BENCH = """
module bench;
  reg [10:0] a;
  reg [7:0] b;
  wire [18:0] y;
  integer operands, wrong = 0;
  multiply_11_8 dut (.A(a), .B(b), .Y(y));
  initial begin
    for (operands = 0; operands < 1 << 19; operands = operands + `STEP) begin
      {a, b} = operands;
      #1 if (y !== a * b) wrong = wrong + 1;
    end
    $display("%0d wrong", wrong);
  end
endmodule
"""


@pytest.mark.parametrize("step", [31, pytest.param(1, marks=pytest.mark.slow)])
@pytest.mark.parametrize("form", FORMS)
def test_an_unsigned_product(form, step, tmp_path):
    fetch_library()
    text = re.sub(r"wire _TECHMAP_FAIL_.*?;", "", multiplier(11, 8, 19, False, False, form))
    (tmp_path / "bench.v").write_text(text + BENCH + gates.modules(Library(OSU.liberty.read_text())))
    subprocess.run(["iverilog", "-g2005", f"-DSTEP={step}", "-s", "bench", "-o", "bench.vvp", "bench.v"], cwd=tmp_path, check=True, capture_output=True)
    found = subprocess.run(["vvp", "-n", "bench.vvp"], cwd=tmp_path, check=True, capture_output=True, text=True).stdout
    assert found == "0 wrong\n"
