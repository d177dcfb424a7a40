# SPDX-License-Identifier: MIT
"""What a result was made from: the commit, the text of folders, the versions of tools."""

import subprocess
from datetime import datetime, timezone
from pathlib import Path

from models.sources import content
from tb.bench.runner import ROOT


def git(*arguments: str) -> str:
    """What git says in this checkout. Raises CalledProcessError where it fails."""
    return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()


def commit() -> str:
    """The commit of this checkout, in short; with a plus behind it if files of git differ from it."""
    return git("rev-parse", "--short", "HEAD") + "+" * bool(git("status", "--porcelain", "--untracked-files=no"))


def fingerprint(*folders: str) -> str:
    """Hash of the names and the text of the files of folders, as far as git does not ignore them, whether committed or not."""
    names = sorted(name for name in git("ls-files", "--cached", "--others", "--exclude-standard", "--", *folders).splitlines() if (ROOT / name).is_file())
    if not names:
        raise FileNotFoundError(f"no files in {', '.join(folders)}")
    return content(*(ROOT / Path(name) for name in names))[:16]


def now() -> str:
    """Date and time, UTC, to the minute."""
    return datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M")
