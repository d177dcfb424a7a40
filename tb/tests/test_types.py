# SPDX-License-Identifier: MIT
"""Public functions have types: of every argument, and of what they return."""

import ast

import pytest

from tb.bench.runner import ROOT

FILES = [path for package in ("codegen", "models", "syn", "tb") for path in sorted((ROOT / package).rglob("*.py")) if "tests" not in path.parts]
CALLED = ("__init__", "__call__")  # names that begin with an underscore, and are called by those who use the class


def public_functions(scope: ast.AST):
    """Functions of a module and methods of its classes that others use."""
    for node in scope.body:
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            yield from public_functions(node)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and (not node.name.startswith("_") or node.name in CALLED):
            yield node


def untyped(text: str) -> list[str]:
    """Public functions of a module's text that lack a type."""
    found = []
    for function in public_functions(ast.parse(text)):
        given = function.args
        arguments = [argument for argument in (*given.posonlyargs, *given.args, *given.kwonlyargs) if argument.arg not in ("self", "cls")]
        if any(argument.annotation is None for argument in arguments) or (function.returns is None and function.name != "__init__"):
            found.append(f"{function.name}, line {function.lineno}")
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_public_functions_have_types(path):
    assert untyped(path.read_text()) == []


def test_a_missing_type_is_found():
    text = "def f(a: int, *, b: int) -> int: ...\nclass C:\n    def __init__(self, a: int): ...\n    def g(self) -> int: ...\n    def _h(self, a): ...\n"
    assert untyped(text) == []
    for typed, without in (("a: int, *", "a, *"), ("b: int", "b"), (") -> int: ...\nclass", "): ...\nclass"), ("self, a: int", "self, a"), ("g(self) -> int", "g(self)")):
        assert len(untyped(text.replace(typed, without))) == 1, without
