# SPDX-License-Identifier: MIT
"""Every format between the compiler, the hardware and the bench, once: fields, codes, and the widths that follow from them.

Declared here as data; the rest is made of it. `make generate` writes rtl/formats.vh and the tables of docs/ (codegen/formats.py), the compiler packs and the
bench unpacks by it, the RTL reads every position, width and code from its macros. docs/formats.md tells how to add to it.

A format is a word whose fields lie one after the other, the first in the low bits.
"""

import enum
import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, SupportsInt

if TYPE_CHECKING:
    from .build import Build

MAX_LAYERS = 8
MAX_UNITS = 1024     # of a layer
MAX_TILES = 16
ALL_TILES = 255      # in the header of an image packet
BEAT_WIDTH = 128     # bits of a beat of x, h, trace and image
MAX_GRANULE = BEAT_WIDTH // 8  # bytes that x writes in one cycle, at most
EXPONENT_GROUP = 64  # values of x that share an exponent: the first beat of an x packet holds those of two terms


# --- Codes.

class Code(enum.IntEnum):
    """A number with the words that documents say for it."""

    def __new__(cls, value: int, about: str):
        member = int.__new__(cls, value)
        member._value_, member.about = value, about
        return member


class Gate(Code):
    """Rows of a unit; the order of PyTorch."""

    I = 0, "i"
    F = 1, "f"
    G = 2, "g"
    O = 3, "o"


GATES = tuple(gate.about for gate in Gate)


class Policy(Code):
    """Precision policies: what chooses a level of precision, row by row (docs/numerics.md)."""

    STATIC_HIGH = 0, "all rows at all quarters"
    STATIC_LOW = 1, "all rows at the lowest level"
    CELL_HISTORY = 2, "each gate by the cell state before the step, or its history"
    SENSITIVITY = 3, "each gate by its estimate"
    # No build has these: the models compare the others with them.
    RANDOM = 16, "rows at random"
    STATIC_ROWS = 18, "the same rows in every step"

    @property
    def in_build(self) -> bool:
        """Whether it has a code that a descriptor holds."""
        return self < 16


BUILD_POLICIES = tuple(policy for policy in Policy if policy.in_build)


class Quarter(Code):
    """Quarter products by weight and activation; the upper bit of a code: the lower half of the weight, the lower bit: that of the activation."""

    HH = 0, "upper halves of both"
    HL = 1, "upper half of the weight, lower half of the activation"
    LH = 2, "lower half of the weight, upper half of the activation"
    LL = 3, "lower halves of both"


class Level(Code):
    """Levels of precision of a row."""

    LOWEST = 0, "what every row starts with"
    MIDDLE = 1, "the quarters that the layer's descriptor says"
    ALL = 2, "all quarters: exact 8-bit"


class Kind(Code):
    """Passes of the dot-product unit over a row."""

    EARLY = 0, "early pass"
    LATE = 1, "late pass"
    REFINEMENT = 2, "refinement"


class CycleClass(Code):
    """What a tile does in a cycle: a counter each."""

    HH = 0, "HH: a word of this quarter is added (baseline build: a word of 8-bit products)"
    HL = 1, "HL: a word of this quarter is added"
    LH = 2, "LH: a word of this quarter is added"
    LL = 3, "LL: a word of this quarter is added"
    WAIT_INPUT = 4, "waiting for input"
    WAIT_H = 5, "waiting for h"
    WAIT_DECISION = 6, "waiting for a decision"
    IN_FLIGHT_FULL = 7, "in-flight buffer full"
    WAIT_OUTPUT = 8, "waiting for output"
    DRAIN = 9, "drain"
    IDLE = 10, "idle"


class TileEvent(Code):
    """Strobes of a tile, a bit and a counter each."""

    SCALE_READ = 0, "scale reads"
    ROW_CONSTANT_READ = 1, "row constant reads"
    CELL_READ = 2, "cell reads"
    CELL_WRITE = 3, "cell writes"
    ROW_SUM_WRITE = 4, "row sum writes"


# Counters in the order of their numbers: (name, what it counts).
COUNTERS = (
    ("CYCLES", "cycles while busy"),
    *((code.name, code.about) for code in CycleClass),
    ("ACTIVATION_WRITES", "writes on the activation bus: one a granule of min(16, DotLanes) bytes of x, one a committed h"),
    *((f"{code.name}S", code.about) for code in TileEvent),
    ("STEPS", "steps completed"),
)
Counter = enum.IntEnum("Counter", [(name, number) for number, (name, _) in enumerate(COUNTERS)])
Counter.__doc__ = "Numbers of the counters."
# Counters of tile-cycles: their sum is Tiles * cycles.
CLASS_COUNTERS = tuple(Counter[code.name] for code in CycleClass)


# --- Widths that follow from the parameters of a build. Each is a function of numbers that is also written in Verilog and in the documents.

class Term:
    """An expression of Verilog, made by computing with the names of parameters: sums of products, or one choice."""

    def __init__(self, text: str):
        self.text = text

    def __add__(self, other):
        return Term(f"{self} + {other}")

    def __mul__(self, other):
        return Term(f"{self} * {other}")

    def __rmul__(self, other):
        return Term(f"{other} * {self}")

    def __floordiv__(self, other):
        return Term(f"{self} / {other}")

    def __str__(self):
        return self.text


Number = int | Term  # of a build, or of a parameter that has a name only


def choose(condition: Number, yes: Number, no: Number) -> Number:
    """yes if the condition is not zero, else no; an expression of Verilog where the condition is one."""
    return Term(f"{condition} != 0 ? {yes} : {no}") if isinstance(condition, Term) else yes if condition else no


def larger(value: Number, least: int) -> Number:
    """The larger of two numbers; an expression of Verilog where the value is one."""
    return Term(f"{value} > {least} ? {value} : {least}") if isinstance(value, Term) else max(value, least)


def smaller(value: Number, most: int) -> Number:
    """The smaller of two numbers; an expression of Verilog where the value is one."""
    return Term(f"{value} < {most} ? {value} : {most}") if isinstance(value, Term) else min(value, most)


def clog2(value: Number) -> Number:
    """Bits that count so many things, ceil(log2(value)) for value >= 1; an expression of Verilog where the value is one."""
    return Term(f"$clog2{value}" if str(value).startswith("(") else f"$clog2({value})") if isinstance(value, Term) else math.ceil(math.log2(value))


DERIVED: dict[str, tuple[Callable, str]] = {}  # by the name of the macro: function of Verilog parameters, and the reason


def derived(reason: str) -> Callable:
    """Enters a function of Verilog parameters in DERIVED: the names of its arguments are theirs."""
    def enter(function):
        DERIVED[function.__name__.upper()] = function, reason
        return function
    return enter


@derived("products of a tile in a cycle, values of a word of weights or activations: an 8x8 multiplier takes the place of four of 4x4")
def dot_lanes(Lanes: Number, DynamicPrecision: Number) -> Number:
    """Values, not bits: Lanes in a dynamic build, a quarter of it in the baseline build."""
    return choose(DynamicPrecision, Lanes, Lanes // 4)


@derived("of a weight or an activation, as they are multiplied")
def operand_bits(DynamicPrecision: Number) -> Number:
    """Bits: 4 in a dynamic build, 8 in the baseline build."""
    return choose(DynamicPrecision, 4, 8)


@derived("number of a unit in flight")
def index_width(InFlight: Number) -> Number:
    """Bits of a number below InFlight."""
    return clog2(InFlight)


@derived("number of a unit in a tile, over all layers")
def unit_width(UnitDepth: Number) -> Number:
    """Bits of a number below UnitDepth."""
    return clog2(UnitDepth)


@derived("address of a word of weights")
def weight_width(WeightDepth: Number) -> Number:
    """Bits of a number below WeightDepth."""
    return clog2(WeightDepth)


@derived("address of an activation word in a bank")
def offset_width(ActivationDepth: Number) -> Number:
    """Bits of a number below ActivationDepth."""
    return clog2(ActivationDepth)


@derived("the load bus: the widest of an activation word, a weight word and a descriptor")
def load_width(DotLanes: Number) -> Number:
    """Bits of the load bus, from the values of a word."""
    return larger(8 * DotLanes, DESCRIPTOR.width)


@derived("a tile's answer to a state read: an activation word, or a cell word on the 32 bits of a register")
def read_width(DotLanes: Number) -> Number:
    """Bits of the answer, from the values of a word."""
    return larger(8 * DotLanes, 32)


@derived("bytes of x that are written in a cycle: a beat, or a word that is narrower")
def granule_bytes(DotLanes: Number) -> Number:
    """Bytes, MAX_GRANULE at most, from the values of a word."""
    return smaller(DotLanes, MAX_GRANULE)


@derived("sum of a word: Lanes products of two operands")
def word_sum_width(OperandBits: Number, Lanes: Number) -> Number:
    """Bits of the signed sum of Lanes products of two operands of OperandBits."""
    return 2 * OperandBits + clog2(Lanes)


# --- Words of fields.

@dataclass(frozen=True)
class Field:
    """Bits of a word.

    width: bits, or the Verilog parameter that says how many; bits: how many of them can be other than zero, which the RTL keeps (default: all), as a number
    or a parameter; least, most: the range that is checked when a host writes the field; limits: what else is, in words; count: how many of the field follow
    one another, by gate; dynamic: the baseline build keeps none of it. A field without name is reserved: zero.
    """

    name: str
    width: int | str
    about: str = ""
    signed: bool = False
    least: int = 0
    most: int | None = None
    bits: int | str | None = None
    limits: str = ""
    count: int = 1
    dynamic: bool = False

    @property
    def kept(self) -> int | str:
        """Bits that the RTL keeps."""
        if self.bits is None and self.most is not None:
            return self.most.bit_length()
        return self.width if self.bits is None else self.bits

    @property
    def beyond(self) -> int | None:
        """The smallest value that is too large and could be written, if there is one."""
        return None if self.most is None or self.most + 1 == 1 << self.width else self.most + 1

    @property
    def range(self) -> tuple[int, int]:
        """(least, largest value) that is the same in every build."""
        if self.signed:
            return -(1 << self.width - 1), (1 << self.width - 1) - 1
        return self.least, (1 << self.width) - 1 if self.most is None else self.most

    def encode(self, value: SupportsInt) -> int:
        """Bits of a value. Raises ValueError if they do not hold it."""
        value = int(value)
        low = -(1 << self.width - 1) if self.signed else 0
        if not low <= value < low + (1 << self.width):
            raise ValueError(f"{self.name}: {value} does not fit {self.width} {'signed ' * self.signed}bits")
        return value & (1 << self.width) - 1

    def decode(self, bits: int) -> int:
        """The value of the field from its bits, which may have others above them."""
        bits &= (1 << self.width) - 1
        return bits - (1 << self.width) if self.signed and bits >> self.width - 1 else bits


def reserved(width: int) -> Field:
    """A field of so many bits without name, which are zero."""
    return Field("", width)


class Format:
    """A word of fields. host: a host may write anything here, so the RTL checks it; whole: the RTL takes all fields at once, never one of them."""

    def __init__(self, name: str, about: str, *fields: Field, host: bool = False, whole: bool = False):
        self.name, self.about, self.fields, self.host, self.whole = name, about, fields, host, whole

    @cached_property
    def places(self) -> dict[str, tuple[int | str, Field]]:
        """(lowest bit, field) by name; the lowest bit is an expression of Verilog if a field below has the width of a parameter."""
        return {field.name: (low, field) for low, field in self._places() if field.name}

    def _places(self):
        low, parameters = 0, []
        for field in self.fields:
            yield (" + ".join([*parameters, *[str(low)] * (low > 0)]) if parameters else low), field
            if isinstance(field.width, str):
                parameters.append(field.width)
            else:
                low += field.width * field.count

    @cached_property
    def width(self) -> int | str:
        """Bits of the word, reserved ones included; an expression of Verilog if a parameter has a say."""
        number = sum(field.width * field.count for field in self.fields if not isinstance(field.width, str))
        parameters = [field.width for field in self.fields if isinstance(field.width, str)]
        return " + ".join([*parameters, str(number)]) if parameters else number

    def kept(self, dynamic: bool) -> int:
        """Bits that a memory of a build keeps: up to the highest bit of its fields. dynamic: of the dynamic build, else of the baseline build."""
        kept = ((low, field, field.width if isinstance(field.kept, str) else field.kept) for low, field in self.places.values())
        return max(low + field.width * (field.count - 1) + bits for low, field, bits in kept if dynamic or not field.dynamic)

    def __getitem__(self, name: str) -> Field:
        return self.places[name][1]

    def pack(self, **values) -> int:
        """The word of these values, every field given by name, one that is there once a gate as a sequence. Raises ValueError for values that do not fit."""
        if values.keys() != self.places.keys():
            missing, unknown = sorted(self.places.keys() - values.keys()), sorted(values.keys() - self.places.keys())
            raise ValueError(f"{self.name}: {f'no value of {missing}' if missing else f'no field {unknown}'}, its fields are {list(self.places)}")
        return sum(self._bits(name, value) for name, value in values.items())

    def replace(self, word: int, **values) -> int:
        """The word with some fields replaced, given as for `pack`. Raises KeyError for an unknown field, ValueError for values that do not fit."""
        for name, value in values.items():
            low, field = self.places[name]
            word = word & ~((1 << field.width * field.count) - 1 << low) | self._bits(name, value)
        return word

    def unpack(self, word: int) -> dict:
        """The values of a word by field, as `pack` takes them."""
        values = {}
        for name, (low, field) in self.places.items():
            found = tuple(field.decode(word >> low + field.width * number) for number in range(field.count))
            values[name] = found if field.count > 1 else found[0]
        return values

    def _bits(self, name, value) -> int:
        low, field = self.places[name]
        each = value if field.count > 1 else (value,)
        if len(each) != field.count:
            raise ValueError(f"{self.name}: {len(each)} values of {name}, there are {field.count}")
        return sum(field.encode(part) << low + field.width * number for number, part in enumerate(each))

    @property
    def gaps(self) -> list[tuple[int, int]]:
        """(highest, lowest bit) of what is reserved."""
        return [(low + field.width - 1, low) for low, field in self._places() if not field.name]


DESCRIPTOR = Format(
    "DESCRIPTOR", "layer descriptor",
    Field("units", 16, "units of the layer", least=1, most=MAX_UNITS),
    Field("slots", 16, "units of the layer in this tile", bits=11, limits="ceil((units - tile) / Tiles), or 0"),
    Field("x_words", 16, "words of its input, of one term", least=1, bits=10, limits="to ceil(1024 / DotLanes)"),
    Field("h_words", 16, "words of its h", bits=10, limits="ceil(units / DotLanes)"),
    Field("x_addr", 16, "first word of its input in a bank", bits="OffsetWidth", limits="within ActivationDepth, all words"),
    Field("h_addr", 16, "first word of its h in a bank", bits="OffsetWidth", limits="within ActivationDepth, all words"),
    Field("unit_base", 16, "first of its units in the tile", bits="UnitWidth", limits="within UnitDepth, all slots"),
    Field("c_frac", 4, "fraction bits of its cell state", least=8, most=15),
    Field("two_terms", 1, "the input has two terms", limits="layer 0 only"),
    reserved(11),
    Field("w_base", 32, "first of its weight words", bits="WeightWidth", limits="within WeightDepth, all rows"),
    Field("theta_middle", 8, "θ of level MIDDLE, for the layer's policy", signed=True, count=len(GATES), dynamic=True),
    Field("theta_all", 8, "θ of level ALL", signed=True, count=len(GATES), dynamic=True),
    Field("cell_floor", 6, "cell_floor of SENSITIVITY", dynamic=True),
    Field("lowest_x0", 3, "quarters that level LOWEST has of the input's first term, in the order HH, HL, LH, LL", least=1, most=len(Quarter), dynamic=True),
    Field("lowest_x1", 3, "of the second term", most=len(Quarter), dynamic=True),
    Field("lowest_h", 3, "of h", least=1, most=len(Quarter), dynamic=True),
    Field("middle_x0", 3, "quarters of level MIDDLE", most=len(Quarter), limits="no less than lowest_x0, and more there or in h", dynamic=True),
    Field("middle_x1", 3, "of the second term", most=len(Quarter), limits="no less than lowest_x1", dynamic=True),
    Field("middle_h", 3, "of h", most=len(Quarter), limits="no less than lowest_h", dynamic=True),
    Field("policy", 4, "precision policy", most=max(BUILD_POLICIES), bits=3, dynamic=True),
    reserved(4),
    host=True,
)

SCALES = Format(
    "SCALES", "multipliers of a row",
    Field("m_x0", 16, "of the input's first term"),
    Field("m_x1", 16, "of the input's second term"),
    Field("m_h", 16, "of h"),
)

ROW_CONSTANT = Format(
    "ROW_CONSTANT", "requantization parameters of a row",
    Field("s", 6, "shift"),
    Field("b", 18, "bias", signed=True),
    Field("b_low", 18, "bias at the lowest level", signed=True, dynamic=True),
    Field("offset", 8, "what the row adds to θ", signed=True, dynamic=True),
)

CELL = Format(
    "CELL", "cell state of a unit",
    Field("c", 16, "cell state", signed=True),
    Field("history", 8, "peak of its changes", bits=5, dynamic=True),
)

COMPLETE = Format(
    "COMPLETE", "what post-processing is told of a unit whose rows are complete",
    Field("levels", 2 * len(GATES), "levels of its rows"),
    Field("is_final", 1, "the pass decides nothing"),
)

ROW = Format(
    "ROW", "address of a row in the memories of scales and row constants",
    Field("gate", 2, "gate"),
    Field("unit", "UnitWidth", "its unit's number in the tile"),
    whole=True,
)

ENTRY = Format(
    "ENTRY", "unit in flight",
    Field("base", "WeightWidth", "its first weight word"),
    Field("unit", "UnitWidth", "its number in the tile"),
    Field("step", 2, "step mod 4"),
    Field("layer", 3, "layer"),
    Field("none", 1, "there is no unit: the layer has none in this tile"),
    Field("last", 1, "last of its layer-step"),
)

COMMIT = Format(
    "COMMIT", "what a tile puts on the commit bus",
    Field("bank", 1, "t & 1"),
    Field("h", 8, "h"),
    Field("position", 10, "of the unit in its layer"),
    Field("layer", 3, "layer"),
    Field("levels", 2 * len(GATES), "levels of its rows", dynamic=True),
    whole=True,
)

PASS = Format(
    "PASS", "one row, or two of a unit, that the dot-product unit is to pass over",
    Field("levels", 2 * len(GATES), "levels of its unit's rows, of a refinement"),
    Field("complete", 1, "the unit's rows are complete after this pass"),
    Field("base", "WeightWidth", "first weight word of its unit"),
    Field("unit", "UnitWidth", "its number in the tile"),
    Field("step", 2, "step mod 4"),
    Field("layer", 3, "layer"),
    Field("gate", 2, "gate"),
    Field("second", 2, "gate of its second row; the same gate: there is none"),
    Field("index", "IndexWidth", "its number in flight"),
    whole=True,
)

SEGMENT = Format(
    "SEGMENT", "part of a row that has a multiplier of its own; neither bit: x0",
    Field("x1", 1, "second term of the input"),
    Field("h", 1, "h"),
)

WORD_TAG = Format(
    "WORD_TAG", "what comes with the sum of a word",
    Field("complete", 1, "the last word of a unit's rows"),
    Field("unit", "UnitWidth", "its number in the tile"),
    Field("gate", 2, "gate"),
    Field("index", "IndexWidth", "its number in flight"),
    Field("fresh", 1, "the row sum starts from zero"),
    Field("segment", SEGMENT.width, "SEGMENT"),
    Field("last", 1, "last sum of its segment"),
    Field("first", 1, "first sum of its segment"),
    Field("second", 1, "of the second row of its pass"),
    Field("zero", 1, "the activations count as zero"),
    Field("data", COMPLETE.width, "COMPLETE", dynamic=True),
)

SUM_TAG = Format(
    "SUM_TAG", "what comes with the sum of a segment",
    Field("complete", 1, "the last segment of a unit's rows"),
    Field("fresh", 1, "the row sum starts from zero"),
    Field("gate", 2, "gate"),
    Field("index", "IndexWidth", "its unit's number in flight"),
    Field("data", COMPLETE.width, "COMPLETE", dynamic=True),
    whole=True,
)


class Target(Code):
    """Memories that an image packet can load."""

    WEIGHTS_HI = 0, "weights, upper halves (baseline: 8-bit weights)"
    WEIGHTS_LO = 1, "weights, lower halves (dynamic build only)"
    SCALES = 2, SCALES.about
    ROW_CONSTANTS = 3, ROW_CONSTANT.about
    CELL = 4, CELL.about
    ACTIVATIONS = 5, "activations, upper half in the upper nibble (baseline: 8 bits); address = {bank, offset}; always to all tiles"
    DESCRIPTORS = 6, f"{DESCRIPTOR.about}s; address = layer"

    @property
    def word(self) -> Format | None:
        """Format of a word, None for lanes."""
        return {Target.SCALES: SCALES, Target.ROW_CONSTANTS: ROW_CONSTANT, Target.CELL: CELL, Target.DESCRIPTORS: DESCRIPTOR}.get(self)

    def bits(self, build: "Build") -> int:
        """Width of a word in a build, in bits."""
        if self.word:
            return self.word.width
        return build.dot_lanes * (8 if self is Target.ACTIVATIONS else build.operand_bits)

    def depth(self, build: "Build") -> int:
        """Words of the memory in a build; 0 if it has none."""
        return {Target.WEIGHTS_HI: build.weight_depth, Target.WEIGHTS_LO: build.weight_depth * build.dynamic, Target.SCALES: 4 * build.unit_depth,
                Target.ROW_CONSTANTS: 4 * build.unit_depth, Target.CELL: build.unit_depth, Target.ACTIVATIONS: 2 * build.activation_depth,
                Target.DESCRIPTORS: MAX_LAYERS}[self]


HEADER = Format(
    "HEADER", "first beat of an image packet",
    Field("target", 8, "memory", bits=4, most=15, limits="of the table above"),
    Field("tile", 8, f"tile, {ALL_TILES}: all", bits=4, limits=f"below Tiles, or {ALL_TILES}"),
    reserved(16),
    Field("address", 32, "address of the first word", bits=20, limits="within the memory, all words"),
    Field("words", 32, "how many words follow"),
    reserved(32),
    host=True,
)

FORMATS = (DESCRIPTOR, SCALES, ROW_CONSTANT, CELL, HEADER, COMPLETE, ROW, ENTRY, COMMIT, PASS, SEGMENT, WORD_TAG, SUM_TAG)


# --- Quantities that pass between modules on ports of their own: (name, bits, what it is and why so wide).
QUANTITIES = (
    ("LAYER", 3, f"number of a layer, of {MAX_LAYERS}"),
    ("LAYERS", 4, f"how many layers a run has, 1..{MAX_LAYERS}"),
    ("LAYER_FLAGS", MAX_LAYERS, "a bit a layer"),
    ("POSITION", 10, f"of a unit in its layer, of {MAX_UNITS}"),
    ("UNITS", 11, f"of a layer, 1..{MAX_UNITS}"),
    ("WORDS", 10, f"of an input or h, 1..{MAX_UNITS // 2}: {MAX_UNITS} bytes in words of 2 lanes"),
    ("STEP", 2, "step mod 4: two steps of x come ahead, two of h wait to leave"),
    ("STEP_FLAGS", 4, "a bit a step mod 4"),
    ("GATE", 2, "code of a gate"),
    ("LEVEL", 2, "code of a level"),
    ("LEVELS", 2 * len(GATES), "a level a gate"),
    ("THETAS", 8 * len(GATES), "a threshold a gate"),
    ("QUARTER", 2, "code of a quarter"),
    ("QUARTERS", len(Quarter), "a bit a quarter"),
    ("QUARTER_COUNT", 3, f"the first so many quarters, 0..{len(Quarter)}"),
    ("SHIFT", 4, "of a word's sum: 4 for upper weights, and the exponent for upper activations"),
    ("POLICY", 3, "code of a policy"),
    ("KIND", 2, "code of a kind of row pass"),
    ("CLASS", 4, "code of a cycle class"),
    ("EVENTS", len(TileEvent), "a bit a tile event"),
    ("COUNT", 5, f"how many tiles do something in a cycle, 0..{MAX_TILES}"),
    ("LOAD_TARGET", 4, "code of a load target"),
    ("LOAD_ADDRESS", 20, "address of a loaded word: a memory has 2^20 words of weights at most"),
    ("READ_ADDRESS", 16, "address of a word in a state read: 2^16 units in a tile at most"),
    ("GRANULE", 2, "number of a granule in an activation word: 64 bytes in granules of 16"),
    ("BEAT", BEAT_WIDTH, "of a stream"),
    ("H", 8, "h, x or an activation"),
    ("NIBBLE", 4, "half of a weight or an activation, or the exponent of a word of x"),
    ("SEGMENT_SUM", 26, f"|sum| <= 2^24: {MAX_UNITS} products of at most 2^14; and its sign"),
    ("ROW_SUM", 43, "|sum| <= 3 * 2^40: three segments times m < 2^16"),
)
