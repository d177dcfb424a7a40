# SPDX-License-Identifier: MIT
"""Tables that a command writes into a page whose text is written by hand: each stands between two comments, of which the first one names it and the command."""

import re

TABLE = "<!-- {name}: written by {command} -->\n{rows}<!-- end -->"


def with_tables(text: str, tables: dict[str, str], command: str) -> str:
    """A page with its tables by name, each lines of Markdown, written anew. Raises ValueError where a table has not one place in it."""
    for name, rows in tables.items():
        place = re.escape(TABLE.format(name=name, command=command, rows="ROWS")).replace("ROWS", ".*?")
        made = TABLE.format(name=name, command=command, rows=rows)
        text, count = re.subn(place, lambda _, made=made: made, text, flags=re.DOTALL)
        if count != 1:
            raise ValueError(f"{count} places for the table {name} of {command}, not one")
    return text
