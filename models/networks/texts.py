# SPDX-License-Identifier: MIT
"""English texts of the frozen test, from Debian packages that no earlier evaluation has used, as documents of paragraphs.

Of the Bible's books and of the sections of the FAQ on anarchism, which are many documents of one kind each, some stay, chosen by hash.
"""

import gzip
import re
import struct
import zlib
from collections.abc import Callable, Iterator
from functools import cache
from hashlib import sha256
from html.parser import HTMLParser
from pathlib import Path

from .packages import missing

KEPT = {"bible": 3, "anarchism": 8}  # one document of so many stays
# Quotation marks and dashes that the network does not know.
PLAIN = str.maketrans({"\u201c": '"', "\u201d": '"', "\u2018": "'", "\u2019": "'", "\u2014": " - ", "\u2013": "-", "\u00a0": " "})
SHARE = Path("/usr/share")
BIBLE = "sword/modules/texts/ztext/engWEB2015eb"
ANARCHISM = "doc/anarchism/html"
# Manuals and the like, by document: Debian package, pattern of files below SHARE.
MANUALS = {
    "debian-faq": ("debian-faq", "doc/debian/FAQ/*.en.html"),
    "debian-reference": ("debian-reference-en", "debian-reference/*.en.html"),
    "developers-reference": ("developers-reference", "developers-reference/*.html"),
    "securing-debian": ("harden-doc", "doc/harden-doc/html/en-US/*.html"),
}
# Files of descriptions of a game, one quotation of literature after the other in the last one.
CRAWL = {f"crawl-{name}": f"crawl/dat/descript/{name}.txt" for name in "ability features gods items monsters mutations spells status tutorial unrand quotes".split()}
VERSES = ("dhammapada-english-transl", "dhammapada-alternate")


def documents() -> tuple[str, ...]:
    """Names of the documents. Raises FileNotFoundError that names the Debian package that is not installed."""
    return tuple(_readers())


def paragraphs(document: str) -> list[str]:
    """The paragraphs of a document, with ASCII quotation marks and one blank between words; those with little but words, each once.

    Raises KeyError for an unknown document, and FileNotFoundError that names the Debian package that is not installed.
    """
    found = dict.fromkeys(" ".join(text.translate(PLAIN).split()) for text in _readers()[document]())
    return [text for text in found if sum(letter.isalpha() or letter == " " for letter in text) > 0.85 * len(text)]


@cache
def _readers() -> dict[str, Callable[[], Iterator[str]]]:
    readers = {}
    for name, text in _bible():
        readers[f"bible-{name}"] = lambda text=text: _book(text)
    for path in _files(ANARCHISM, "*.html", "anarchism"):
        if re.fullmatch(r"sec[A-J]\d+|append\d+", path.stem):
            readers[f"anarchism-{path.stem}"] = lambda path=path: _html(path)
    readers = {name: reader for name, reader in readers.items() if sha256(name.encode()).digest()[0] % KEPT[name.split("-")[0]] == 0}
    for name, (package, pattern) in MANUALS.items():
        folder, files = pattern.rsplit("/", 1)
        paths = _files(folder, files, package)
        readers[name] = lambda paths=paths: (text for path in paths for text in _html(path))
    for name, file in CRAWL.items():
        path, = _files(*file.rsplit("/", 1), "crawl-common")
        readers[name] = lambda path=path: _descriptions(path)
    jargon, = _files("doc/jargon-text", "jargon.txt.gz", "jargon-text")
    readers["jargon"] = lambda: gzip.decompress(jargon.read_bytes()).decode().split("\n\n")
    for name in VERSES:
        path, = _files("display-dhammapada", f"{name}.txt", "display-dhammapada")
        readers[name] = lambda path=path: re.sub(r"\s\d+\n\n", "\n\n", path.read_text(encoding="utf-8", errors="replace")).split("\n\n")
    return readers


def _files(folder: str, pattern: str, package: str) -> list[Path]:
    found = sorted((SHARE / folder).glob(pattern))
    if not found:
        raise missing(f"no text {pattern} in {SHARE / folder}", package)
    return found


def _bible() -> Iterator[tuple[str, str]]:
    """Names and marked-up texts of books: SWORD's compressed blocks, each a book, found by offset and size."""
    for testament in ("ot", "nt"):
        blocks, index = (_files(BIBLE, f"{testament}.{kind}", "sword-text-web")[0].read_bytes() for kind in ("bzz", "bzs"))
        for offset, size, _ in struct.iter_unpack("<III", index):
            text = zlib.decompress(blocks[offset : offset + size]).decode() if size else ""
            name = re.search(r'canonical="true" osisID="(\w+)"', text)
            if name:
                yield name[1], text


def _book(text: str) -> Iterator[str]:
    text = re.sub(r"<(note|title)\b.*?</\1>", "", text, flags=re.DOTALL)
    return (re.sub(r"<[^>]*>", "", part) for part in re.split(r"<div\b[^>]*>|<chapter\b[^>]*>", text))


class _Blocks(HTMLParser):
    """Texts of the blocks of a page; those of tables, programs and headings are left out."""

    LEFT_OUT = frozenset("head script style pre table h1 h2 h3 h4 h5 dt nav".split())
    INLINE = frozenset("a abbr acronym b big cite code em i img kbd q samp small span strong sub sup tt u var".split())

    def __init__(self):
        super().__init__()
        self.blocks, self.left_out = [""], 0

    def handle_starttag(self, tag, attributes):
        self.left_out += tag in self.LEFT_OUT
        if tag not in self.INLINE:
            self.blocks.append("")

    def handle_endtag(self, tag):
        self.left_out = max(self.left_out - (tag in self.LEFT_OUT), 0)
        if tag not in self.INLINE:
            self.blocks.append("")

    def handle_data(self, data):
        if not self.left_out:
            self.blocks[-1] += data


def _html(path: Path) -> list[str]:
    parser = _Blocks()
    parser.feed(path.read_text(encoding="utf-8", errors="replace"))
    return parser.blocks


def _descriptions(path: Path) -> Iterator[str]:
    """Entries between lines of %; the first line of each is its key. Left out: those with anything that a program replaces."""
    for entry in path.read_text(encoding="utf-8").split("%%%%"):
        lines = [line for line in entry.strip().split("\n")[1:] if not line.startswith("#")]
        for text in "\n".join(lines).split("\n\n"):
            if not set("{}<>@$[]") & set(text):
                yield text
