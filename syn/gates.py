# SPDX-License-Identifier: MIT
"""Gate models for simulation, from the functions of a Liberty file: a netlist as assignments with the delay of each gate at its load, and cells as modules."""

import re
from collections.abc import Iterator

from syn.power import Group, Library

_TOKEN = re.compile(r"\s*([A-Za-z_]\w*|[01]|[()!'*&+|^])")


def expression(function: str) -> str:
    """Verilog of a function of Liberty, whose `*`, `&` and blank are AND, `+` and `|` OR, `!` and a quote after it NOT. Raises ValueError."""
    tokens, place = [], 0
    while function[place:].strip():
        match = _TOKEN.match(function, place)
        if not match:
            raise ValueError(f"no function of Liberty: {function}")
        tokens.append(match[1])
        place = match.end()
    parsed, rest = _sum(tokens)
    if rest:
        raise ValueError(f"no function of Liberty: {function}")
    return parsed


def _sum(tokens: list[str]) -> tuple[str, list[str]]:
    parsed, tokens = _exclusive(tokens)
    while tokens[:1] in (["+"], ["|"]):
        right, tokens = _exclusive(tokens[1:])
        parsed = f"({parsed} | {right})"
    return parsed, tokens


def _product(tokens: list[str]) -> tuple[str, list[str]]:
    parsed, tokens = _factor(tokens)
    while tokens and tokens[0] not in "+|)^":
        right, tokens = _factor(tokens[1:] if tokens[0] in "*&" else tokens)
        parsed = f"({parsed} & {right})"
    return parsed, tokens


def _exclusive(tokens: list[str]) -> tuple[str, list[str]]:
    parsed, tokens = _product(tokens)
    while tokens[:1] == ["^"]:
        right, tokens = _product(tokens[1:])
        parsed = f"({parsed} ^ {right})"
    return parsed, tokens


def _factor(tokens: list[str]) -> tuple[str, list[str]]:
    if not tokens or tokens[0] in "*&+|^)'":
        raise ValueError("no function of Liberty: an operand is missing")
    if tokens[0] == "!":
        parsed, tokens = _factor(tokens[1:])
        return f"(~{parsed})", tokens
    if tokens[0] == "(":
        parsed, tokens = _sum(tokens[1:])
        if tokens[:1] != [")"]:
            raise ValueError("no function of Liberty: a bracket is open")
        tokens = tokens[1:]
    else:
        parsed, tokens = (f"1'b{tokens[0]}" if tokens[0] in "01" else tokens[0]), tokens[1:]
    while tokens[:1] == ["'"]:
        parsed, tokens = f"(~{parsed})", tokens[1:]
    return parsed, tokens


def is_state(cell: Group) -> bool:
    """Whether a cell keeps a bit: a flip-flop, a latch or a clock gate."""
    return bool(cell.all("ff") or cell.all("latch") or cell.all("statetable"))


def state(cell: Group) -> str:
    """Verilog of the register `state` of a flip-flop, a latch or a clock gate of positive edges. Clears are never asked for, and left out."""
    if cell.all("ff"):
        group = cell.all("ff")[0]
        return f"always @(posedge {_clock(group.attributes['clocked_on'])}) state <= {expression(group.attributes['next_state'])};"
    if cell.all("latch"):
        group = cell.all("latch")[0]
        return f"always @* if ({expression(group.attributes['enable'])}) state = {expression(group.attributes['data_in'])};"
    if cell.attributes.get("clock_gating_integrated_cell") == "latch_posedge":
        return "always @* if (~CLK) state = GATE;"
    raise ValueError(f"{cell.arguments[0]}: a state of another kind")


def _clock(function: str) -> str:
    if not re.fullmatch(r"\w+", function):
        raise ValueError(f"a clock that is no pin: {function}")
    return function


def outputs(cell: Group) -> Iterator[tuple[str, str]]:
    """Output pins and their functions, of input pins and `state`."""
    names = [group.arguments for kind in ("ff", "latch") for group in cell.all(kind)]
    for pin in cell.all("pin"):
        function = pin.attributes.get("function") or pin.attributes.get("state_function")
        if function:
            text = expression(function)
            for own, inverse in names:
                text = re.sub(rf"\b{inverse}\b", "(~state)", re.sub(rf"\b{own}\b", "state", text))
            yield pin.arguments[0], re.sub(r"\bint_GATE\b", "state", text)


def modules(library: Library) -> str:
    """Verilog of all cells that have a function, without delays."""
    parts = []
    for name, cell in library.cells.items():
        found = dict(outputs(cell)) if not any("three_state" in pin.attributes for pin in cell.all("pin")) else {}
        if found and not cell.attributes.get("test_cell") and not _negative(cell):
            pins = [pin.arguments[0] for pin in cell.all("pin") if pin.attributes.get("direction") != "internal"]
            ports = [f"{'output' if pin in found else 'input'} {pin}" for pin in pins]
            body = f"  reg state;\n  {state(cell)}\n" if is_state(cell) else ""
            parts.append(f"module {name} ({', '.join(ports)});\n{body}" + "".join(f"  assign {pin} = {text};\n" for pin, text in found.items()) + "endmodule\n")
    return "".join(parts)


def _negative(cell: Group) -> bool:
    """Whether a cell has a clock that is no pin: none of ours has."""
    return any(not re.fullmatch(r"\w+", group.attributes["clocked_on"]) for group in cell.all("ff"))


def netlist(cells: dict[str, dict], library: Library, number: dict[str, int], delays: bool) -> Iterator[str]:
    """Lines of Verilog of the library's cells of a flat netlist: net 5 is n5; a cell that keeps a bit has the register s<number[name]>.

    With delays, each output follows by its Liberty delay at its load (inertial), except for clock gates, after which a clock tree is in time; without, in no time.
    """
    loads = library.loads(cells)
    for name, cell in cells.items():
        kind = library.cells.get(cell["type"])
        if kind is None:
            continue
        nets = {pin: f"n{bits[0]}" if isinstance(bits[0], int) else f"1'b{bits[0]}" for pin, bits in cell["connections"].items()}

        nets["state"] = f"s{number.get(name)}"
        if is_state(kind):
            yield _connected(f"reg state; {state(kind)}", nets)
        for pin, function in outputs(kind):
            if pin in nets:
                delay = (0.0, 0.0) if CLOCK_GATES.search(name) else library.delay(cell["type"], pin, loads.get(cell["connections"][pin][0], 0.0))
                rise, fall = (max(1, round(1000 * each)) for each in delay)
                yield f"assign {f'#({rise},{fall}) ' if delays else ''}{nets[pin]} = {_connected(function, nets)};"


CLOCK_GATES = re.compile(r"\.u_(write_)?clock\.")  # of syn/register_file.v
KEYWORDS = {"reg", "always", "posedge", "if"}


def _connected(text: str, nets: dict[str, str]) -> str:
    """Verilog of pins with their nets in place of them."""
    return re.sub(r"(?<!')\b[A-Za-z_]\w*\b", lambda match: match[0] if match[0] in KEYWORDS else nets[match[0]], text)
