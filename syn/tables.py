# SPDX-License-Identifier: MIT
"""Tables of `make silicon`, for the terminal and for a page."""

from rich.table import Table


def table(title: str, *headings: str, left: int = 1) -> Table:
    """A table whose first columns, `left` of them, stand left, the others right."""
    made = Table(title=title, title_justify="left")
    for number, heading in enumerate(headings):
        made.add_column(heading, justify="left" if number < left else "right")
    return made


def markdown(part: Table | str) -> str:
    """A table or a line of the report for a page."""
    return f"\n{part}\n" if isinstance(part, str) else f"\n## {part.title}\n\n{lines(part)}"


def lines(part: Table) -> str:
    """The lines of a table for a page, without its title."""
    headings = [str(column.header) for column in part.columns]
    rule = ["---:" if column.justify == "right" else "---" for column in part.columns]
    rows = zip(*(column.cells for column in part.columns), strict=True)
    return "".join("| " + " | ".join(map(str, row)) + " |\n" for row in (headings, rule, *rows))
