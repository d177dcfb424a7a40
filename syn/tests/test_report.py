# SPDX-License-Identifier: MIT
"""make silicon: its tables as Markdown, and what they compute themselves."""

from syn import area, energy, energy_report, tables


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


def test_saving_with_dear_planes_by_hand():
    """40 of a plane's reads for 100 of the whole's are cheaper by 4/5; at the whole's price STATIC_LOW takes 50 and SENSITIVITY 75."""
    energy = {"STATIC_HIGH": {"weight memory": 100.0, "leakage": 20.0}, "STATIC_LOW": {"weight memory": 40.0},
              "SENSITIVITY": {"weight memory": 60.0, "leakage": 9.0}}
    results = {"energy": {"some": energy}, "saving_by_rule": {}, "saving_by_node": {}}
    made = energy_report.saving_table(results)
    assert [list(column.cells) for column in made.columns][2] == [f"{1 - 84 / 120:.1%}"]
