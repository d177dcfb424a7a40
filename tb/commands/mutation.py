# SPDX-License-Identifier: MIT
"""Small changes of Verilog, each of which should be seen by a test: operators, conditions, branches, numbers, assignments that are left out.

A parser (slang) finds the places, so that comments, declarations of widths, and text of macros stay as they are.
"""

import re
from dataclasses import dataclass
from pathlib import Path

import pyslang

OPERATORS = {
    "BinaryAndExpression": "|", "BinaryOrExpression": "&", "BinaryXorExpression": "&", "LogicalAndExpression": "||", "LogicalOrExpression": "&&",
    "EqualityExpression": "!=", "InequalityExpression": "==", "LessThanExpression": "<=", "LessThanEqualExpression": "<", "GreaterThanExpression": ">=",
    "GreaterThanEqualExpression": ">", "AddExpression": "-", "SubtractExpression": "+", "MultiplyExpression": "+", "LogicalShiftLeftExpression": ">>",
    "LogicalShiftRightExpression": "<<", "ArithmeticShiftRightExpression": ">>",
}
DROPPED = {"UnaryBitwiseNotExpression", "UnaryLogicalNotExpression"}
# What says how wide or how many things are, rather than what happens.
DECLARATIONS = {"VariableDimension", "ParameterDeclaration", "ParameterDeclarationStatement", "RangeSelect",
                "SimpleRangeSelect", "AscendingRangeSelect", "DescendingRangeSelect", "MultipleConcatenationExpression"}
LOOPS = {"LoopGenerate": "block", "ForLoopStatement": "statement"}


@dataclass(frozen=True)
class Mutation:
    """In rtl/MODULE.v, `before` at this offset of the file becomes `after`."""

    module: str
    offset: int
    before: str
    after: str
    line: int

    @property
    def name(self) -> str:
        return f"{self.module}.v:{self.line}: {_short(self.before)} -> {_short(self.after)}"

    def apply(self, text: str) -> str:
        """The text of the module with the change. Raises ValueError if the text is another one."""
        end = self.offset + len(self.before)
        if text[self.offset:end] != self.before:
            raise ValueError(f"{self.module}.v has changed: {self.before!r} is not at {self.offset}")
        return text[:self.offset] + self.after + text[end:]


def _short(text: str) -> str:
    words = " ".join(text.split())
    return words if len(words) <= 60 else words[:57] + "..."


def mutations(path: Path) -> list[Mutation]:
    """All changes of a module's file, in the order of its text. Raises ValueError for a file that does not parse."""
    manager = pyslang.SourceManager()
    manager.addUserDirectories(str(path.parent))
    tree = pyslang.SyntaxTree.fromFile(str(path), manager)
    errors = [diagnostic for diagnostic in tree.diagnostics if diagnostic.isError()]
    if errors:
        raise ValueError(f"{path.name} does not parse: {errors[0].code}")
    text, found = path.read_text(encoding="latin-1"), []  # a character a byte, as places are counted

    def change(begin, end, after):
        found.append(Mutation(path.stem, begin, text[begin:end], after, text.count("\n", 0, begin) + 1))

    def place(of):
        """(begin, end) in the file, with whole macros; None of what another file wrote."""
        begin, end = of.start, of.end
        while manager.isMacroLoc(begin):
            begin = manager.getExpansionRange(begin).start
        while manager.isMacroLoc(end):
            end = manager.getExpansionRange(end).end
        here = all(Path(manager.getFileName(one)).name == path.name for one in (begin, end))
        return (begin.offset, end.offset) if here else None

    def written(of):
        """The same of what no macro has a part in."""
        return None if manager.isMacroLoc(of.start) or manager.isMacroLoc(of.end) else place(of)

    def visit(node):
        if isinstance(node, pyslang.Token):
            return pyslang.VisitAction.Advance
        kind = node.kind.name
        if kind in DECLARATIONS:
            return pyslang.VisitAction.Skip
        if kind in LOOPS:  # without their heads
            getattr(node, LOOPS[kind]).visit(visit)
            return pyslang.VisitAction.Skip
        if (kind in OPERATORS or kind in DROPPED) and (at := written(node.operatorToken.range)):
            change(*at, OPERATORS.get(kind, ""))
        elif kind == "ConditionalExpression":
            left, right = place(node.left.sourceRange), place(node.right.sourceRange)
            if left and right:
                change(left[0], right[1], text[slice(*right)] + text[left[1]:right[0]] + text[slice(*left)])
        elif kind == "ConditionalStatement" and (at := place(node.predicate.sourceRange)):
            change(*at, f"!({text[slice(*at)]})")
        elif kind == "ExpressionStatement" and node.expr.kind.name == "NonblockingAssignmentExpression" and (at := place(node.sourceRange)):
            change(*at, "begin end")
        elif kind in ("IntegerLiteralExpression", "IntegerVectorExpression") and (at := written(node.sourceRange)):
            change(*at, _other_number(text[slice(*at)]))
        return pyslang.VisitAction.Advance

    tree.root.visit(visit)
    return sorted({one for one in found if one.before != one.after}, key=lambda one: (one.offset, one.before, one.after))


def _other_number(number: str) -> str:
    """One more, or of a single bit the other value; a number of another base stays as it is."""
    base, digits = re.fullmatch(r"(.*'s?[bodh])?\s*(\w+)", number).groups()
    if base == "1'b":
        return base + {"0": "1", "1": "0"}.get(digits, digits)
    return number if base and not base.endswith("d") else f"{base or ''}{int(digits) + 1}"
