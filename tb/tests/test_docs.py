# SPDX-License-Identifier: MIT
"""The pages: their links lead somewhere, the site has all of them, and a figure of `make bench` stands in one place."""

import re

import pytest
import yaml

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


class _Loader(yaml.SafeLoader):
    """Reads mkdocs.yml without the Python objects that it names."""


_Loader.add_multi_constructor("tag:yaml.org,2002:python/", lambda loader, suffix, node: None)


def pages_of(nav):
    for entry in nav:
        for found in entry.values():
            yield from pages_of(found) if isinstance(found, list) else [found]


def test_the_site_has_every_page_once():
    settings = yaml.load((ROOT / "mkdocs.yml").read_text(), _Loader)
    assert sorted(pages_of(settings["nav"])) == sorted(str(page.relative_to(ROOT)) for page in (*PAGES, ROOT / "CHANGELOG.md"))


def test_cycles_over_the_ideal_stand_once():
    found = [f"{page.name}: {line}" for page in PAGES for line in page.read_text().splitlines() if re.search(r"over (the )?ideal", line) and "%" in line]
    assert len(found) == 1 and "over_ideal_by_tiles" in found[0], found
