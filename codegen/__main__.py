# SPDX-License-Identifier: MIT
"""`make generate`: writes every generated file that is stale. With --check, only names them; exit code 1 if there are any."""

import argparse
import sys

from codegen import activation, formats, registers, surfer
from codegen.output import COMMAND, ROOT, rendered, stale

PRODUCERS = [formats.outputs, registers.outputs, activation.outputs, surfer.outputs]


def outputs() -> list:
    """What all generators make."""
    return [output for producer in PRODUCERS for output in producer()]


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m codegen", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing, name the files that are stale")
    check = parser.parse_args(arguments).check
    paths, texts = [], {}
    for producer in PRODUCERS:  # in turn: rtl/registers.rdl includes what comes from the formats
        made = producer()
        texts |= rendered(made)
        for path in stale(made):
            paths.append(path)
            if check:
                print(f"{path} is stale: run `{COMMAND}` and commit what it writes", file=sys.stderr)
            else:
                (ROOT / path).parent.mkdir(parents=True, exist_ok=True)
                (ROOT / path).write_text(texts[path])
                print(f"wrote {path}")
    if not paths:
        print(f"all {len(texts)} generated files are up to date")
    return int(check and bool(paths))


if __name__ == "__main__":
    sys.exit(main())
