# SPDX-License-Identifier: MIT
"""The testplan of docs/verification.md is true: each test it names exists, and each cocotb test is named."""

import ast
import re

from tb.bench.runner import ROOT

TB = ROOT / "tb" / "tests"


def planned() -> set[str]:
    """Tests that the tables name, as file::test below tb/tests/."""
    rows = [line for line in (ROOT / "docs" / "verification.md").read_text().splitlines() if line.startswith("|")]
    return {name for row in rows for name in re.findall(r"`([^`]+::[^`]+)`", row)}


def written(kind) -> set[str]:
    """Functions of all test files of tb/tests/ for which kind(node) holds, in the same form."""
    return {f"{path.relative_to(TB)}::{node.name}" for path in TB.rglob("test_*.py") for node in ast.walk(ast.parse(path.read_text())) if kind(node)}


def is_cocotb_test(node) -> bool:
    return isinstance(node, ast.AsyncFunctionDef) and any(ast.unparse(decorator).startswith("cocotb.test") for decorator in node.decorator_list)


def is_pytest_test(node) -> bool:
    return isinstance(node, ast.FunctionDef) and node.name.startswith("test_")


def test_every_test_of_the_plan_exists():
    missing = planned() - written(lambda node: is_cocotb_test(node) or is_pytest_test(node))
    assert not missing, f"docs/verification.md names tests that do not exist: {sorted(missing)}"


def test_every_cocotb_test_is_in_the_plan():
    found = written(is_cocotb_test)
    missing = found - planned()
    assert found and not missing, f"docs/verification.md does not name {sorted(missing)}"
