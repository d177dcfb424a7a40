# SPDX-License-Identifier: MIT
"""Hook of mkdocs.yml: the site shows the files of this repository as a git host does."""

import re
from pathlib import Path

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parents[1]
PATTERNS = ("*.md", "docs/**/*", "examples/**/*", "include/*", "scripts/debian-packages.txt")
BEGINS = ("- ", "1. ", "|")  # of a list or a table
GOES_ON = (*BEGINS, " ", *(f"{digit}" for digit in range(10)))


def on_files(files, config):
    """Files lie where they lie in the repository, so that links of README.md and of docs/ hold in both; those of the theme stay."""
    theirs = [file for file in files if file.src_dir != config.docs_dir]
    paths = {path for pattern in PATTERNS for path in ROOT.glob(pattern) if path.is_file() and "__pycache__" not in path.parts}
    return Files([*theirs, *(File(str(path.relative_to(ROOT)), str(ROOT), config.site_dir, config.use_directory_urls) for path in sorted(paths))])


def on_page_markdown(markdown, **_):
    """What Python-Markdown wants, and git hosts do not: an empty line before each list and table, and four spaces for each list in a list."""
    lines, fenced = [""], False
    for line in markdown.splitlines():
        fenced ^= line.startswith("```")
        if not fenced:
            line = re.sub("^ +(?=- )", lambda spaces: "    " * -(-len(spaces[0]) // 3), line)
            lines += [""] * (line.startswith(BEGINS) and lines[-1] != "" and not lines[-1].startswith(GOES_ON))
        lines.append(line)
    return "\n".join(lines)
