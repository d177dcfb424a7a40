# SPDX-License-Identifier: MIT
"""Is a netlist what rtl/ says? A proof for small dot products, and the tests of rtl/ run on a netlist in place of a module."""

from pathlib import Path

from syn import gates
from syn.power import Library
from syn.synthesize import RTL, Netlist, SynthesisError, run_yosys, yosys_abc
from tb.bench import leash, rtl_copy

# Flip-flops become wires: in a pipeline without feedback that leaves the function; the tests see its latency.
FUNCTION = """
{read}
hierarchy -top {top} {parameters}
proc
flatten
opt_clean
opt
techmap
techmap -map {wire}
opt_clean
delete -input {top}/clk_i
aigmap
clean
write_aiger {aiger}
"""
WIRE = 'module \\$_DFF_P_ (input D, C, output Q); assign Q = D; endmodule\n'


def prove_function(netlist: Netlist, parameters: dict[str, int]) -> None:
    """Proves that the netlist of a pipeline computes what its module in rtl/ does, by abc. Raises SynthesisError if not."""
    folder, stem = netlist.verilog.parent, netlist.verilog.stem
    wire = folder / "wire.v"
    wire.write_text(WIRE)
    chparam = " ".join(f"-chparam {key} {value}" for key, value in parameters.items())
    sides = {"rtl": (f"read_verilog -DSYNTHESIS -I{RTL} {RTL / netlist.top}.v", chparam),
             "netlist": (f"read_liberty {netlist.library.liberty}\nread_verilog {netlist.verilog}", "")}
    files = []
    for side, (read, values) in sides.items():
        files.append(folder / f"{stem}-{side}.aig")
        run_yosys(FUNCTION.format(read=read, top=netlist.top, parameters=values, wire=wire, aiger=files[-1]), f"{stem}-{side}", folder)
    text = leash.run([yosys_abc(), "-c", f"&cec -T 100 {files[0]} {files[1]}"], capture_output=True, text=True).stdout
    if "are equivalent" not in text:
        raise SynthesisError(f"{stem}: {text.strip().splitlines()[-1]}")


def run_test(netlist: Netlist, test: str, folder: Path) -> str:
    """Runs a test below tb/tests/ on Icarus with the netlist in place of its module; returns what failed, empty if nothing did."""
    rtl = rtl_copy.changed_rtl(folder, netlist.top, netlist.verilog.read_text() + gates.modules(Library(netlist.library.liberty.read_text())))
    code, output, _ = rtl_copy.run_test(test, rtl, folder)
    return output if code else ""
