# SPDX-License-Identifier: MIT
"""The timing diagrams of docs/architecture.md are those of the RTL, and pauses in them are drawn as gaps."""

from tb.commands.waves import timing
from tb.commands.waves.timing import Row


def test_the_diagrams_are_those_of_the_rtl():
    texts = {name: timing.text_of(diagram) for name, diagram in timing.diagrams().items()}
    kept = {path.stem: path.read_text() for path in timing.JSON.glob("*.json")}
    stale = [name for name in texts.keys() | kept.keys() if texts.get(name) != kept.get(name)]
    assert not stale, f"run `make docs` and commit what it draws; other than in the RTL: {stale}"
    for name, text in texts.items():
        picture = (timing.IMAGES / f"timing-{name}.svg").read_text()
        assert picture.endswith(timing.mark_of(text)), f"timing-{name}.svg was drawn from another diagram: run `make docs`"


def test_a_pause_is_a_gap():
    waves = {"valid": [0, 1, 1, 0, 0, 0, 0, 0, 0, 1], "code": [None, 2, 3, 3, 3, 3, 3, 3, 3, 4]}
    diagram = timing.drawn(waves, "title", 0, 10, {"": [Row("valid", "valid"), Row("code", "code", str, ("valid",))]})
    cycle, clock, valid, code = diagram["signal"]
    assert valid == {"name": "valid", "wave": "01.0|.1"}
    assert code == {"name": "code", "wave": "x==x|.=", "data": ["2", "3", "4"]}
    assert cycle == {"name": "cycle", "wave": "====|==", "data": [0, 1, 2, 3, 8, 9]} and clock["wave"] == "p...|.."
