# SPDX-License-Identifier: MIT
"""Every source file names its licence, that of LICENSE, within its first three lines."""

import subprocess

from tb.bench.runner import ROOT

LINE = "SPDX-License-Identifier: MIT"
SUFFIXES = {".py", ".v", ".vh", ".rdl", ".h", ".c", ".cpp", ".sucl", ".sh", ".awk", ".toml", ".yml", ".core", ".html"}
NAMES = {"Makefile", ".ci/run", "scripts/bin/verilator"}


def test_every_source_file_names_its_licence():
    assert (ROOT / "LICENSE").read_text().startswith("MIT License")
    tracked = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True).stdout.split("\0")
    names = [name for name in tracked if name] or [str(path.relative_to(ROOT)) for path in (ROOT / "rtl").iterdir()]  # in an archive
    sources = [path for name in names if (path := ROOT / name).is_file() and (path.suffix in SUFFIXES or name in NAMES)]
    missing = [str(path.relative_to(ROOT)) for path in sources if LINE not in "".join(path.read_text().splitlines(keepends=True)[:3])]
    assert sources and not missing, f"no line with {LINE} at the top of {missing}"
