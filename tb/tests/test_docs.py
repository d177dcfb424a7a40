# SPDX-License-Identifier: MIT
"""The pages: their links lead somewhere, and a figure of `make bench` stands in one place."""

import re

import pytest

from tb.bench.runner import ROOT

PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]


def anchors(page):
    """Of the headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links(page):
    for target in re.findall(r"\]\((?!https?:)([^)\s]+)\)", page.read_text()):
        path, _, anchor = target.partition("#")
        to = (page.parent / path).resolve() if path else page
        assert to.exists(), f"{page.name} links to {target}, which is not there"
        assert not anchor or anchor in anchors(to), f"{page.name} links to {target}: {to.name} has no such heading"


def test_cycles_over_the_ideal_stand_once():
    found = [f"{page.name}: {line}" for page in PAGES for line in page.read_text().splitlines() if re.search(r"over (the )?ideal", line) and "%" in line]
    assert len(found) == 1 and "over_ideal_by_tiles" in found[0], found
