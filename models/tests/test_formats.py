# SPDX-License-Identifier: MIT
"""Formats: words hold what is packed into them, documents and Verilog say the same, and what is generated from them is up to date."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codegen import formats as generator
from codegen.output import COMMAND, stale
from models import formats
from models.build import Build
from models.formats import (
    CLASS_COUNTERS,
    COUNTERS,
    DERIVED,
    DESCRIPTOR,
    FORMATS,
    HEADER,
    QUANTITIES,
    Counter,
    CycleClass,
    Field,
    Format,
    Target,
    TileEvent,
    reserved,
)

RTL = Path(__file__).resolve().parents[2] / "rtl"
FIXED = [word for word in FORMATS if isinstance(word.width, int)]
WIDTHS = {name: width for name, width, _ in QUANTITIES}


def values_of(field):
    low = -(1 << field.width - 1) if field.signed else 0
    each = st.integers(low, low + (1 << field.width) - 1)
    return each if field.count == 1 else st.tuples(*[each] * field.count)


@pytest.mark.parametrize("word", FIXED, ids=lambda word: word.name)
@given(data=st.data())
def test_unpack_is_the_inverse_of_pack(word, data):
    values = {name: data.draw(values_of(field)) for name, (_, field) in word.places.items()}
    packed = word.pack(**values)
    assert 0 <= packed < 1 << word.width and word.unpack(packed) == values
    assert not any(packed >> low & (1 << high - low + 1) - 1 for high, low in word.gaps)
    name = data.draw(st.sampled_from(sorted(values)))
    values[name] = data.draw(values_of(word[name]))
    assert word.replace(packed, **{name: values[name]}) == word.pack(**values)


def test_the_first_field_is_in_the_low_bits():
    word = Format("WORD", "", Field("low", 4), reserved(3), Field("each", 5, signed=True, count=2))
    assert word.width == 17 and word.gaps == [(6, 4)]
    assert word.pack(low=9, each=(-1, 3)) == 9 | 0b11111 << 7 | 3 << 12


@pytest.mark.parametrize("values, message", [
    (dict(c=1 << 15, history=0), "CELL|c: 32768 does not fit 16 signed bits"), (dict(c=0, history=-1), "history: -1 does not fit 8 bits"),
    (dict(c=0), r"CELL: no value of \['history'\]"), (dict(c=0, history=0, h=0), r"CELL: no field \['h'\]"),
])
def test_pack_refuses_what_a_word_cannot_hold(values, message):
    with pytest.raises(ValueError, match=message):
        formats.CELL.pack(**values)


def test_every_theta_is_needed():
    values = DESCRIPTOR.unpack(0) | dict(theta_all=(1, 2, 3))
    with pytest.raises(ValueError, match="3 values of theta_all, there are 4"):
        DESCRIPTOR.pack(**values)


def test_codes_fit_their_widths():
    own = (formats.Gate, "GATE"), (formats.BUILD_POLICIES, "POLICY"), (formats.Kind, "KIND"), (formats.Level, "LEVEL"), (formats.Quarter, "QUARTER")
    for codes, width in (*own, (CycleClass, "CLASS"), (Target, "LOAD_TARGET")):
        assert [code.value for code in codes] == list(range(len(codes))) and len(codes) <= 1 << WIDTHS[width]


def test_widths_that_say_the_same_agree():
    """A quantity on a port, and the field that it comes from or goes to."""
    assert HEADER["address"].kept == WIDTHS["LOAD_ADDRESS"] and HEADER["target"].kept == WIDTHS["LOAD_TARGET"]
    assert DESCRIPTOR["units"].kept == DESCRIPTOR["slots"].kept == WIDTHS["UNITS"] and DESCRIPTOR["policy"].kept == WIDTHS["POLICY"]
    assert DESCRIPTOR["x_words"].kept == DESCRIPTOR["h_words"].kept == WIDTHS["WORDS"]
    for word in (formats.COMMIT, formats.ENTRY, formats.COMPLETE, formats.ROW, formats.WORD_TAG, formats.SUM_TAG):
        for name in {"layer", "position", "h", "levels", "step", "gate"} & word.places.keys():
            assert word[name].width == WIDTHS[name.upper()], f"{word.name}: {name}"
    assert 1 << WIDTHS["POSITION"] == formats.MAX_UNITS and 1 << WIDTHS["LAYER"] == formats.MAX_LAYERS and WIDTHS["STEP_FLAGS"] == 1 << WIDTHS["STEP"]
    assert 1 << WIDTHS["LAYERS"] > formats.MAX_LAYERS and 1 << WIDTHS["COUNT"] > formats.MAX_TILES and WIDTHS["BEAT"] == HEADER.width


def test_every_class_and_event_has_a_counter():
    assert [counter.name for counter in CLASS_COUNTERS] == [code.name for code in CycleClass]
    assert all(f"{event.name}S" in Counter.__members__ for event in TileEvent) and len(Counter) == len(COUNTERS)


def test_derived_widths_are_numbers_and_verilog():
    """The text for Verilog, computed by Python, gives the number."""
    parameters = {"Lanes": 32, "DynamicPrecision": 0, "InFlight": 8, "UnitDepth": 512, "WeightDepth": 3000, "ActivationDepth": 256, "DotLanes": 64, "OperandBits": 4}
    for name, (function, _) in DERIVED.items():
        arguments = function.__code__.co_varnames[:function.__code__.co_argcount]
        text = str(function(*map(formats.Term, arguments)))
        text = re.sub(r"(.*) \? (.*) : (.*)", r"(\2) if (\1) else (\3)", text).replace("/", "//").replace("$", "")
        assert eval(text, {"clog2": formats.clog2, **parameters}) == function(*(parameters[argument] for argument in arguments)), name


def test_sums_are_as_wide_as_they_must_be():
    for bits, lanes in ((4, 64), (8, 16)):
        assert lanes << 2 * (bits - 1) <= 1 << formats.word_sum_width(bits, lanes) - 1
    largest = 128 * 128 * formats.MAX_UNITS
    assert largest < 1 << WIDTHS["SEGMENT_SUM"] - 1
    assert 3 * largest * 0xFFFF < 1 << WIDTHS["ROW_SUM"] - 1


def test_memories_of_a_build():
    dynamic, baseline = Build(), Build().baseline()
    assert [target.bits(dynamic) for target in Target] == [256, 256, 48, 50, 24, 512, 256]
    assert [target.depth(baseline) for target in Target] == [32768, 0, 2048, 2048, 512, 1024, 8]
    assert [(word.kept(True), word.kept(False)) for word in (formats.SCALES, formats.ROW_CONSTANT, formats.CELL)] == [(48, 48), (50, 24), (21, 16)]


@pytest.mark.parametrize("output", generator.outputs(), ids=lambda output: f"{output.path} {output.region or ''}".strip())
def test_generated_files_are_up_to_date(output):
    assert not stale([output]), f"{output.path} is not what models/formats.py says: run {COMMAND}"


def test_the_rtl_states_no_format_itself():
    """No part-select of a descriptor, a header or a memory word by number."""
    words = r"\w*(?:descriptor|entry_i|constant|cell(?!_size)|scale|load_data|tdata|word_q|complete_data|finish_data)\w*"
    found = {path.name: re.findall(rf"\b{words}\[\s*\d+\s*(?::|\+:|\])", re.sub(r"//.*", "", path.read_text())) for path in RTL.glob("*.v")}
    assert not any(found.values()), f"use the macros of rtl/formats.vh: { {name: parts for name, parts in found.items() if parts} }"


def test_every_module_that_uses_a_macro_includes_it():
    macros = set(re.findall(r"`define (\w+)", (RTL / "formats.vh").read_text()))
    for path in RTL.glob("*.v"):
        used = set(re.findall(r"`(\w+)", path.read_text())) & macros
        assert bool(used) == ('`include "formats.vh"' in path.read_text()), f"{path.name} uses {sorted(used)}"
