# SPDX-License-Identifier: MIT
"""The register map of rtl/registers.rdl, and what is made of it: macros for Verilog, enumerations for the bench, a C header, tables.

`read_map` is the way to the map for whatever else needs it, the register test among it.
"""

from dataclasses import dataclass
from functools import cache
from textwrap import wrap

from systemrdl import RDLCompiler
from systemrdl.node import RegNode
from systemrdl.rdltypes import OnWriteType

from codegen.output import COMMAND, LICENCE, ROOT, Output, table

SOURCE = "rtl/registers.rdl"
BUS_BYTES, ADDRESS_BITS = 4, 12
ACCESS = ("r", "rw", "w", "rw1c")  # w: a pulse, reads 0; rw1c: cleared by writing 1


@dataclass(frozen=True)
class Field:
    """Bits high..low of a register.

    access: one of ACCESS. reset: None where the hardware gives the value from the beginning. build_parameter: the Verilog parameter that the
    field shows, else "". cause, effect: of an error, else "".
    """

    name: str
    low: int
    high: int
    access: str
    reset: int | None
    description: str
    cause: str
    effect: str
    build_parameter: str

    @property
    def width(self) -> int:
        return self.high - self.low + 1

    @property
    def mask(self) -> int:
        """Its bits, in place."""
        return (1 << self.width) - 1 << self.low

    @property
    def bits(self) -> str:
        return str(self.low) if self.width == 1 else f"{self.high}:{self.low}"


@dataclass(frozen=True)
class Register:
    """A register of 32 bits, or of 64 where it is in a group; address in bytes, within a group from its begin."""

    name: str
    address: int
    fields: tuple[Field, ...]
    description: str

    @property
    def mask(self) -> int:
        """Bits that belong to a field."""
        return sum(field.mask for field in self.fields)

    @property
    def reset(self) -> int | None:
        """The value after reset, if it is the same in every build."""
        if any(field.reset is None for field in self.fields):
            return None
        return sum(field.reset << field.low for field in self.fields)

    @property
    def access(self) -> str:
        """That of its fields, which is one for all of them."""
        access, = {field.access for field in self.fields}
        return access

    @property
    def whole(self) -> bool:
        """It is one number, without fields to tell apart."""
        return [field.name for field in self.fields] == ["value"]


@dataclass(frozen=True)
class Group:
    """`count` blocks of counters, `stride` bytes apart; a register of a block is its number times `step` bytes from the begin of the block."""

    name: str
    address: int
    count: int
    stride: int
    step: int
    registers: tuple[Register, ...]
    description: str

    @property
    def block(self) -> int:
        """Bytes of a block that are there."""
        return self.step * len(self.registers)

    @property
    def end(self) -> int:
        """The first address beyond the last block's registers."""
        return self.address + self.stride * (self.count - 1) + self.block


@dataclass(frozen=True)
class Map:
    registers: tuple[Register, ...]
    groups: tuple[Group, ...]

    def register(self, name: str) -> Register:
        return next(register for register in self.registers if register.name == name)

    def group(self, name: str) -> Group:
        return next(group for group in self.groups if group.name == name)

    @property
    def holes(self) -> list[int]:
        """Addresses of words where there is nothing."""
        taken = {register.address for register in self.registers}
        for group in self.groups:
            for block in range(group.address, group.address + group.stride * group.count, group.stride):
                taken |= set(range(block, block + group.block, BUS_BYTES))
        return [address for address in range(0, 1 << ADDRESS_BITS, BUS_BYTES) if address not in taken]


@cache
def read_map() -> Map:
    """Reads rtl/registers.rdl. Raises systemrdl.RDLCompileError with what is wrong in it, ValueError on what the generators cannot express."""
    compiler = RDLCompiler()
    compiler.compile_file(str(ROOT / SOURCE), incl_search_paths=[str(ROOT / "rtl")])
    nodes = list(compiler.elaborate().top.children(unroll=False))
    registers = tuple(_register(node) for node in nodes if isinstance(node, RegNode))
    return Map(registers, tuple(_group(node) for node in nodes if not isinstance(node, RegNode)))


def _field(node) -> Field:
    if node.get_property("singlepulse"):
        access = "w"
    elif node.get_property("onwrite") == OnWriteType.woclr:
        access = "rw1c"
    else:
        access = "rw" if node.is_sw_writable else "r"
    text = {name: node.get_property(name, default=None) or "" for name in ("desc", "cause", "effect", "build_parameter")}
    return Field(node.inst_name, node.low, node.high, access, node.get_property("reset"), text["desc"], text["cause"], text["effect"],
                 text["build_parameter"])


def _register(node) -> Register:
    register = Register(node.inst_name, node.raw_address_offset, tuple(_field(field) for field in node.fields()), node.get_property("desc", default="") or "")
    if len({field.access for field in register.fields}) != 1:
        raise ValueError(f"{register.name}: fields of different access in one register")
    return register


def _group(node) -> Group:
    registers = tuple(_register(child) for child in node.children())
    step = node.size // len(registers)
    if [register.address for register in registers] != [step * number for number in range(len(registers))]:
        raise ValueError(f"{node.inst_name}: its counters do not follow one another")
    count = node.array_dimensions[0] if node.is_array else 1
    stride = node.array_stride if node.is_array else node.size
    if count > 1 and (stride & stride - 1 or node.raw_address_offset % stride):
        raise ValueError(f"{node.inst_name}: bits of an address are to be the number of a block, so blocks lie at multiples of a power of two")
    return Group(node.inst_name, node.raw_address_offset, count, stride, step, registers, node.get_property("desc", default="") or "")


def outputs() -> list[Output]:
    """All that is made of the map."""
    found = read_map()
    page = "docs/registers.md"
    return [
        Output("rtl/registers.vh", verilog(found)),
        Output("tb/bench/register_map.py", python(found)),
        Output("include/lstm_accelerator.h", c_header(found)),
        Output(page, register_table(found), "registers"),
        Output(page, field_table(found), "fields"),
        Output(page, counter_table(found.group("COUNTERS")), "counters"),
        Output(page, counter_table(found.group("ROWS")), "rows"),
        Output(page, error_table(found.register("ERRORS")), "errors"),
    ]


def verilog(found: Map) -> str:
    """Macros of Verilog-2005. REG_X is an address; REG_X_FIELD what stands between brackets to select the field; numbers have no width."""
    lines = [f"// {LICENCE}", f"// Generated by `{COMMAND}` from {SOURCE}.", "//",
             "// REG_X: byte address. REG_X_FIELD: bits of the field, for a part-select. REG_X_MASK: all bits of fields. REG_X_RESET: value after reset.",
             "// REG_X_WIDTH: bits up to the last field. REG_WRITABLE: addresses that may be written, for a case.",
             "// Of a group of counters: first address, first address beyond, counters of a block, bits of an address, from that of the first counter on, that",
             "// are the number of a counter and of its block, and the numbers of the counters.", "`ifndef REGISTERS_VH", "`define REGISTERS_VH"]

    def define(name, value):
        lines.append(f"`define REG_{name.upper()} {value}")

    for register in found.registers:
        lines += ["", f"// {register.name} ({register.access}): {register.description}"]
        define(register.name, f"{ADDRESS_BITS}'h{register.address:03X}")
        define(f"{register.name}_MASK", f"32'h{register.mask:08X}")
        if register.reset is not None:
            define(f"{register.name}_RESET", f"32'h{register.reset:08X}")
        if not register.whole:
            define(f"{register.name}_WIDTH", max(field.high for field in register.fields) + 1)
            for field in register.fields:
                define(f"{register.name}_{field.name}", field.bits)
    lines.append("")
    define("WRITABLE", ", ".join(f"`REG_{register.name}" for register in found.registers if register.access != "r"))
    for group in found.groups:
        lines += ["", f"// {group.name}: {group.description}"]
        define(group.name, f"{ADDRESS_BITS}'h{group.address:03X}")
        define(f"{group.name}_END", f"{ADDRESS_BITS}'h{group.end:03X}")
        define(f"{group.name}_COUNT", len(group.registers))
        low, middle, high = ((size - 1).bit_length() for size in (group.step, group.stride, group.stride * group.count))
        if group.count == 1:
            middle = low + (len(group.registers) - 1).bit_length()
        selects = {"NUMBER": (low, middle)} | ({"BLOCK": (middle, high)} if group.count > 1 else {})
        for name, (first, beyond) in selects.items():
            define(f"{group.name}_{name}", f"{beyond - 1}:{first}")
            define(f"{group.name}_{name}_WIDTH", beyond - first)
        for number, register in enumerate(group.registers):
            define(f"{group.name}_{register.name}", number)
    names = [line.split()[1] for line in lines if line.startswith("`define")]
    doubled = {name for name in names if names.count(name) > 1}
    if doubled:
        raise ValueError(f"a field may not have the name of another macro: {sorted(doubled)}")
    return "\n".join([*lines, "", "`endif"]) + "\n"


def _class_name(name: str) -> str:
    return "".join(word.capitalize() for word in name.split("_"))


def python(found: Map) -> str:
    """A module of enumerations: addresses, flags of each register with fields, numbers of counters."""
    lines = [f'# {LICENCE}', f'"""Generated by `{COMMAND}` from {SOURCE}: addresses and bits of the registers."""', "", "from enum import IntEnum, IntFlag", "", "",
             "class Register(IntEnum):", '    """Byte addresses; of a group of counters, that of the first."""', ""]
    lines += [f"    {entry.name} = 0x{entry.address:03X}" for entry in (*found.registers, *found.groups)]
    for register in found.registers:
        if register.whole:
            continue
        lines += ["", "", f"class {_class_name(register.name)}(IntFlag):", f'    """{register.name}: {register.description}."""', ""]
        lines += [f"    {field.name.upper()} = 1 << {field.low}" for field in register.fields if field.width == 1]
        for field in register.fields:
            if field.width > 1:
                lines += [""] * (lines[-1] != "") + ["    @staticmethod", f"    def {field.name}(value: int) -> int:",
                          *wrap(f'"""{field.description[0].upper() + field.description[1:]}: the value in its place, bits {field.bits}."""', 150,
                                initial_indent=8 * " ", subsequent_indent=8 * " "),
                          f"        return value << {field.low}"]
    for group in found.groups:
        name = group.name.removesuffix("S")
        lines += ["", "", f"class {_class_name(name)}(IntEnum):", f'    """Numbers of the {group.description}."""', ""]
        lines += [f"    {register.name} = {number}" for number, register in enumerate(group.registers)]
        block, offset = ("block: int, ", f" + 0x{group.stride:X} * block") if group.count > 1 else ("", "")
        lines += ["", "", f"def {name.lower()}_address({block}number: int) -> int:", f'    """Byte address of the low word; the high word is {BUS_BYTES} bytes on."""',
                  f"    return 0x{group.address:X}{offset} + {group.step} * number"]
        if group.count > 1:
            lines += ["", "", f"{group.name}_BLOCKS = {group.count}"]
    return "\n".join(lines) + "\n"


def c_header(found: Map) -> str:
    """A header of C99 for drivers."""
    lines = [f"/* {LICENCE} */", f"/* Generated by `{COMMAND}` from {SOURCE}: registers of the accelerator, for drivers in C99.",
             " *", " * Addresses are in bytes from the base of the register port. A field is (value & LSTM_X_F_MASK) >> LSTM_X_F_SHIFT.",
             " * Counters have 64 bits, the low word first. docs/registers.md says what everything means. */",
             "#ifndef LSTM_ACCELERATOR_H", "#define LSTM_ACCELERATOR_H"]
    for register in found.registers:
        lines += ["", f"/* {register.name} ({register.access}): {register.description} */", f"#define LSTM_{register.name} 0x{register.address:03X}u"]
        if register.reset is not None:
            lines.append(f"#define LSTM_{register.name}_RESET 0x{register.reset:08X}u")
        for field in register.fields if not register.whole else ():
            name = f"LSTM_{register.name}_{field.name.upper()}"
            text = field.description or field.cause
            lines += [f"#define {name}_SHIFT {field.low}", f"#define {name}_MASK 0x{field.mask:08X}u" + (f" /* {text} */" if text else "")]
    for group in found.groups:
        name = group.name.removesuffix("S")
        entries = [f"    LSTM_{name}_{register.name} = {number}" for number, register in enumerate(group.registers)]
        block, offset = ("block, ", f"0x{group.stride:X}u * (block) + ") if group.count > 1 else ("", "")
        lines += ["", f"/* {group.description} */", f"enum lstm_{name.lower()} {{", ",\n".join(entries), "};",
                  f"#define LSTM_{group.name}_BLOCKS {group.count}", f"#define LSTM_{group.name}_COUNT {len(group.registers)}",
                  f"#define LSTM_{name}_ADDRESS({block}number) (0x{group.address:03X}u + {offset}{group.step}u * (number))"]
    return "\n".join([*lines, "", "#endif"]) + "\n"


def register_table(found: Map) -> str:
    """Markdown: a row a register and a group."""
    rows = [[f"0x{register.address:03X}", register.name, register.access, _hexadecimal(register), register.description] for register in found.registers]
    for group in found.groups:
        block = f" + 0x{group.stride:X}*l" if group.count > 1 else ""
        rows.append([f"0x{group.address:03X}{block} + {group.step}*k", group.name, "r", 0, f"{group.description}; 64 bits, low word first"])
    return table(["address", "name", "access", "reset value", "what"], rows)


def _hexadecimal(register: Register) -> str:
    return "of the build" if register.fields[0].build_parameter else "none" if register.reset is None else f"0x{register.reset:08X}"


def field_table(found: Map) -> str:
    """Markdown: a row a field, but of ERRORS, which has a table of its own."""
    rows = [[register.name if number == 0 else "", field.bits, field.name, field.description] for register in found.registers
            if not register.whole and not register.fields[0].cause for number, field in enumerate(register.fields)]
    return table(["register", "bits", "field", "meaning"], rows)


def counter_table(group: Group) -> str:
    """Markdown: a row a counter."""
    return table(["k", "name", "counts"], [[number, register.name, register.description] for number, register in enumerate(group.registers)])


def error_table(register: Register) -> str:
    """Markdown: a row an error."""
    return table(["bit", "name", "cause", "effect"], [[field.low, field.name, field.cause, field.effect] for field in register.fields])
