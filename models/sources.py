# SPDX-License-Identifier: MIT
"""Which text decides a result: a module's, that of every module of this project that it imports, and their data.

Found in the imports themselves, so that no list has to be kept: `from` and `import` anywhere in a module, functions included, and so on
from module to module. A module that is loaded by a name made at run time (a network, the cocotb side of a run) is not found in this way: who
makes a key names it. With the text count

- files beside a module that have its name,
- versions of Python and of the packages that the modules import, and of those whose files they read, which they name in `distribution(name)`,
- versions of the Debian packages with recordings, for modules that read them.

A process computes with the text that it imported. Text that changed on the disk since then must not give its name to results.
"""

import ast
import hashlib
import re
import subprocess
import sys
from functools import cache
from importlib.metadata import PackageNotFoundError, packages_distributions, version
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PROJECT = ("models", "syn", "tb")
ONLY_SHOW = {"matplotlib", "rich", "tqdm"}  # packages that no result depends on
RECORDINGS = "/usr/share"
DEBIAN_PACKAGES = ROOT / "scripts" / "debian-packages.txt"

_TEXT = {path: path.read_bytes() for package in PROJECT for path in (ROOT / package).rglob("*.py")}


class SourceChanged(Exception):
    """A file changed since this process began; the message says what to do."""


def files_of(*modules: str) -> list[Path]:
    """The files of modules of this project and of all modules of it that they import, sorted. Raises ModuleNotFoundError."""
    found, pending = set(), []
    for name in modules:
        if _path(name) is None:
            raise ModuleNotFoundError(f"no module {name} in {', '.join(PROJECT)}")
        pending += _with_packages(name)
    while pending:
        path = _path(pending.pop())
        if path and path not in found:
            found.add(path)
            for name in _imports(path):
                pending += _with_packages(name)
    return sorted(found)


@cache
def code(*modules: str) -> str:
    """Hash of everything that the results of modules depend on, as the head of this file lists it.

    Raises SourceChanged where a file is not what it was when this process began.
    """
    digest, packages, recordings = hashlib.sha256(), {}, False
    for path in files_of(*modules):
        digest.update(_contents(path).encode())
        packages |= {name: _version(name) for name in _packages(path)}
        recordings |= RECORDINGS.encode() in _TEXT[path]
    for name, number in sorted(packages.items()):
        digest.update(f"{name} {number}\n".encode())
    digest.update(f"Python {sys.version_info[:2]}\n{_debian_versions() if recordings else ''}".encode())
    return digest.hexdigest()


@cache
def _contents(path: Path) -> str:
    """Names and hashes of a module's file and of the files beside it that have its name."""
    if path.read_bytes() != _TEXT[path]:
        raise SourceChanged(f"{path.relative_to(ROOT)} changed while this was running: start it again; what was done before is kept")
    return "".join(f"{part.relative_to(ROOT)} {content(part)}\n" for part in sorted(path.parent.glob(f"{path.stem}.*")))


def content(*paths: Path) -> str:
    """Hash of the names and the contents of files, in the order given."""
    digest = hashlib.sha256()
    for path in paths:
        digest.update(f"{path.name} {hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    return digest.hexdigest()


def packages_of(*modules: str) -> set[str]:
    """The installed packages whose versions count, by the names that `pip` has for them."""
    return {name for path in files_of(*modules) for name in _packages(path)}


@cache
def _path(name: str) -> Path | None:
    """The file of a module of this project, by its dotted name; None for any other name."""
    base = ROOT.joinpath(*name.split("."))
    if name.split(".")[0] not in PROJECT:
        return None
    return next((path for path in (base.with_name(f"{base.name}.py"), base / "__init__.py") if path in _TEXT), None)


def _with_packages(name: str) -> list[str]:
    """A module's name, and those of the packages that it lies in, which Python imports first."""
    parts = name.split(".")
    return [".".join(parts[:count]) for count in range(1, len(parts) + 1)]


@cache
def _nodes(path: Path) -> list[ast.AST]:
    kinds = ast.Import, ast.ImportFrom, ast.Call
    return [node for node in ast.walk(ast.parse(_TEXT[path])) if isinstance(node, kinds)]


@cache
def _imports(path: Path) -> tuple[str, ...]:
    """Dotted names of what a file imports. Of `from a import b`, where b may be a module or not: a.b, which holds a."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    names = []
    for node in _nodes(path):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = parts[:len(parts) - node.level] if node.level else ()
            names += [".".join([*base, *filter(None, [node.module]), alias.name]) for alias in node.names]
    return tuple(names)


@cache
def _packages(path: Path) -> frozenset[str]:
    """The installed packages that a file imports or reads."""
    modules = {name.split(".")[0] for name in _imports(path)} - {*PROJECT, *sys.stdlib_module_names, *ONLY_SHOW}
    read = {node.args[0].value for node in _nodes(path)
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "distribution" and isinstance(node.args[0], ast.Constant)}
    return frozenset(read.union(*(_distributions().get(name, [name]) for name in modules)))


_distributions = cache(packages_distributions)


@cache
def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "none"


@cache
def _debian_versions() -> str:
    """Versions of the Debian packages with recordings; empty where there is no dpkg."""
    names = re.findall(rf"^(\S+) .*{RECORDINGS}/", DEBIAN_PACKAGES.read_text(), re.MULTILINE)
    try:
        return subprocess.run(["dpkg-query", "-W", "-f=${Package} ${Version}\n", *names], capture_output=True, text=True).stdout
    except FileNotFoundError:
        return ""
