# SPDX-License-Identifier: MIT
"""Generated files are up to date, a stale one is found, and the header is C99 with the numbers of the register map."""

import re
import shutil
import subprocess

import pytest

from codegen import __main__ as command
from codegen import surfer
from codegen.output import END, ROOT, Output, marker, rendered, replace_region, stale
from codegen.registers import read_map

PROGRAM = """
#include <stdio.h>
#include "lstm_accelerator.h"
int main(void) {
%s  return 0;
}
"""


def test_no_generated_file_is_stale():
    paths = stale(command.outputs())
    assert not paths, f"run `make generate` and commit what it writes; stale: {paths}"


def test_a_stale_file_is_found(tmp_path, monkeypatch, capsys):
    outputs = command.outputs()
    for path in {output.path for output in outputs}:
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / path, tmp_path / path)
    assert stale(outputs, tmp_path) == []
    page = tmp_path / "docs" / "registers.md"
    page.write_text(page.read_text().replace("| 0x028 |", "| 0x02A |"))
    (tmp_path / "rtl" / "registers.vh").unlink()
    assert sorted(stale(outputs, tmp_path)) == ["docs/registers.md", "rtl/registers.vh"]
    monkeypatch.setattr(command, "stale", lambda made: stale(made, tmp_path))
    assert command.main(["--check"]) == 1 and "docs/registers.md is stale: run `make generate`" in capsys.readouterr().err


def test_regions_of_a_page(tmp_path):
    page = f"before\n{marker('a')}\nold\n{END}\nbetween\n{marker('b')}\n{END}\nafter\n"
    assert replace_region(page, "a", "new \\1\n") == page.replace("old", "new \\1")
    assert replace_region(page, "b", "new\n") == page.replace(f"{marker('b')}\n", f"{marker('b')}\nnew\n")
    with pytest.raises(ValueError, match="not there exactly once"):
        replace_region(page, "c", "")
    (tmp_path / "page.md").write_text(page)
    both = [Output("page.md", "1\n", "a"), Output("page.md", "2\n", "b")]
    assert rendered(both, tmp_path)["page.md"] == f"before\n{marker('a')}\n1\n{END}\nbetween\n{marker('b')}\n2\n{END}\nafter\n"
    with pytest.raises(ValueError, match=r"page\.md is generated twice"):
        rendered([Output("page.md", ""), Output("page.md", "")], tmp_path)


def expected_numbers() -> dict[str, int]:
    """What the header calls each address, mask, shift and counter, from the register map."""
    found = read_map()
    numbers = {f"LSTM_{register.name}": register.address for register in found.registers}
    for register in found.registers:
        if register.reset is not None:
            numbers[f"LSTM_{register.name}_RESET"] = register.reset
        for field in register.fields if not register.whole else ():
            numbers |= {f"LSTM_{register.name}_{field.name.upper()}_MASK": field.mask, f"LSTM_{register.name}_{field.name.upper()}_SHIFT": field.low}
    counters, rows = found.group("COUNTERS"), found.group("ROWS")
    for number, register in enumerate(counters.registers):
        numbers |= {f"LSTM_COUNTER_{register.name}": number, f"LSTM_COUNTER_ADDRESS(LSTM_COUNTER_{register.name})": counters.address + counters.step * number}
    for number, register in enumerate(rows.registers):
        numbers[f"LSTM_ROW_ADDRESS(7, LSTM_ROW_{register.name})"] = rows.address + rows.stride * 7 + rows.step * number
    return numbers


def test_the_header_is_c99(tmp_path):
    expected = expected_numbers()
    source, program = tmp_path / "driver.c", tmp_path / "driver"
    source.write_text(PROGRAM % "".join(f'  printf("%lu\\n", (unsigned long)({name}));\n' for name in expected))
    subprocess.run(["gcc", "-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic", f"-I{ROOT / 'include'}", "-o", program, source], check=True)
    got = subprocess.run([program], check=True, capture_output=True, text=True).stdout.split()
    assert dict(zip(expected, map(int, got), strict=True)) == expected


def test_the_rtl_states_no_address():
    """Addresses of registers come from registers.vh: a literal of their width is nowhere else."""
    literals = {path.name: re.findall(r"\b12'[hd]\w+", path.read_text()) for path in (ROOT / "rtl").glob("*.v")}
    assert not any(literals.values()), f"use the macros of rtl/registers.vh: { {name: found for name, found in literals.items() if found} }"


def test_the_changelog_names_the_version():
    version = f"0x{read_map().register('VERSION').reset:08X}"
    newest = re.search(r"^## .*", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)[0]
    assert newest.endswith(f"VERSION {version}"), f"the newest section of CHANGELOG.md is not of VERSION {version}"


def test_surfer_shows_what_gtkwave_shows():
    layout = "[size] 1 1\n@800200\n-a group\n@28\nharness.clk_i\n@2022\n^1 x.filter\n+{name} harness.a[0].b[3:0]\n@1000200\n-a group\n"
    assert surfer.commands(layout) == ["divider_add a_group", "variable_add harness.clk_i", "variable_add harness.a[0].b"]
