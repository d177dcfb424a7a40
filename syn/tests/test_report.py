# SPDX-License-Identifier: MIT
"""make silicon: its tables as Markdown, and what they compute themselves."""

from syn import area, energy, tables


def test_a_table_as_markdown():
    made = tables.table("Clock", "build", "ns")
    made.add_row("baseline", "9.78")
    made.add_section()
    made.add_row("dynamic", "9.76")
    assert tables.markdown(made) == "\n## Clock\n\n| build | ns |\n| --- | ---: |\n| baseline | 9.78 |\n| dynamic | 9.76 |\n"
    assert tables.markdown("a line") == "\na line\n"


def test_every_part_of_the_area_has_a_cause_and_a_part_of_the_energy():
    parts = {*area.PARTS, "rest"}
    assert sorted(part for named in area.CAUSES.values() for part in named) == sorted(parts)
    assert energy.SPLIT.keys() == parts and set(energy.SPLIT.values()) <= set(energy.PARTS)
