# SPDX-License-Identifier: MIT
"""A pickle read as data: what it would call or create is written down, and nothing of it is run, imported or created.

So a file may hold modules of any class, Python's or TorchScript's, and still cannot run code.
"""

import pickletools
from dataclasses import dataclass, field
from typing import BinaryIO

from .imported import ImportFailure

MOST_OPERATIONS = 5_000_000  # some seconds; a state dict has about 40 a tensor
PLAIN = {"BININT", "BININT1", "BININT2", "INT", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT", "STRING", "BINSTRING", "SHORT_BINSTRING",
         "UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8", "BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8"}
VALUES = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
EMPTY = {"EMPTY_TUPLE": tuple, "EMPTY_LIST": list, "EMPTY_DICT": dict, "EMPTY_SET": list}
FROM_MARK = {"TUPLE": tuple, "LIST": list, "FROZENSET": list}
TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
ITEMS = {"APPEND": 1, "APPENDS": None, "ADDITEMS": None, "SETITEM": 2, "SETITEMS": None}
PUT, GET = {"PUT", "BINPUT", "LONG_BINPUT"}, {"GET", "BINGET", "LONG_BINGET"}
KEYS = (str, int, float, bytes, type(None))  # a tuple's hash may take for ever


@dataclass(eq=False)
class Made:
    """What a pickle calls for: the name of a class or function, the arguments, and what is put into the result.

    name: None for a reference to outside of the pickle, with the reference as its argument.
    """

    name: str | None
    arguments: object = ()
    state: object = None
    items: dict = field(default_factory=dict)


class _Global(str):
    """The full name of a class or function."""


def read_pickle(file: BinaryIO, outside: list[Made] | None = None) -> object:
    """The value of the pickle that begins where the file is; leaves the file at what follows. Raises ImportFailure for what is none.

    outside: gets all its references to outside.
    """
    try:
        return _run(file, [] if outside is None else outside)
    except ImportFailure:
        raise
    except Exception as error:  # of many kinds, by what is wrong
        raise ImportFailure("its pickle is cut short or damaged: save or copy it again") from error


def _run(file, outside):
    stack, marks, memo = [], [], {}

    def from_mark():
        start = marks.pop()
        taken = stack[start:]
        del stack[start:]
        return taken

    def pop(count):
        if len(stack) - (marks[-1] if marks else 0) < count:
            raise ValueError("stack is empty")
        taken = stack[len(stack) - count:]
        del stack[len(stack) - count:]
        return taken

    for number, (opcode, argument, _) in enumerate(pickletools.genops(file)):
        name = opcode.name
        if number > MOST_OPERATIONS:
            raise ImportFailure(f"its pickle has more than {MOST_OPERATIONS:,} operations: save the state dict of the LSTM alone")
        if name in PLAIN:
            stack.append(argument)
        elif name in VALUES:
            stack.append(VALUES[name])
        elif name in EMPTY:
            stack.append(EMPTY[name]())
        elif name in PUT:
            memo[argument] = stack[-1]
        elif name == "MEMOIZE":
            memo[len(memo)] = stack[-1]
        elif name in GET:
            stack.append(memo[argument])
        elif name == "MARK":
            marks.append(len(stack))
        elif name in FROM_MARK:
            stack.append(FROM_MARK[name](from_mark()))
        elif name == "DICT":
            pairs = from_mark()
            stack.append({})
            _add(stack[-1], pairs, pairs=True)
        elif name in TUPLES:
            stack.append(tuple(pop(TUPLES[name])))
        elif name in ITEMS:
            values = from_mark() if ITEMS[name] is None else pop(ITEMS[name])
            _add(stack[-1], values, pairs=name.startswith("SET"))
        elif name == "GLOBAL":
            stack.append(_Global(argument.replace(" ", ".")))
        elif name == "STACK_GLOBAL":
            stack.append(_Global(".".join(pop(2))))
        elif name in ("REDUCE", "NEWOBJ"):
            stack.append(_made(*pop(2)))
        elif name == "NEWOBJ_EX":
            stack.append(_made(*pop(3)[:2]))
        elif name == "OBJ":
            called, *arguments = from_mark()
            stack.append(_made(called, tuple(arguments)))
        elif name == "INST":
            stack.append(Made(argument.replace(" ", "."), tuple(from_mark())))
        elif name == "BUILD":
            state, = pop(1)
            if isinstance(stack[-1], Made):
                stack[-1].state = state
        elif name in ("BINPERSID", "PERSID"):
            stack.append(Made(None, pop(1)[0] if name == "BINPERSID" else argument))
            outside.append(stack[-1])
        elif name == "POP":
            if marks and marks[-1] == len(stack):
                marks.pop()
            else:
                pop(1)
        elif name == "POP_MARK":
            from_mark()
        elif name == "DUP":
            stack.append(stack[-1])
        elif name == "STOP":
            return pop(1)[0]
        elif name not in ("PROTO", "FRAME"):
            raise ValueError(f"operation {name}")
    raise ValueError("no end")


def _made(called, arguments):
    return Made(str(called) if isinstance(called, _Global) else "", arguments)


def _add(target, values, pairs):
    """APPENDS or SETITEMS, as far as it is of use: what is no list, dict or object keeps nothing."""
    items = target.items if isinstance(target, Made) else target
    if pairs and isinstance(items, dict):
        items.update((key, value) for key, value in zip(values[::2], values[1::2], strict=True) if isinstance(key, KEYS))
    elif isinstance(items, list):
        items += values
