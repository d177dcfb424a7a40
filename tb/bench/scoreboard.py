# SPDX-License-Identifier: MIT
"""The scoreboard of all tests: observed transactions against expected ones, and no way to pass without comparing."""

import os
from collections import Counter, deque
from collections.abc import Callable, Iterable
from typing import NoReturn

from cocotb.handle import SimHandleBase
from cocotb_bus.monitors import BusMonitor
from cocotb_bus.scoreboard import Scoreboard as BusScoreboard


class Scoreboard(BusScoreboard):
    """cocotb-bus's scoreboard that also counts: it fails when it compared nothing, or when anything is left.

    compared, errors: values compared and values that differed; counts: those compared, by monitor, and under "registers" what no monitor brings.
    A failure words the first mismatch and gives the command that repeats the run. fail_immediately: at the first mismatch (default), or in
    `check`. muted: while set, what monitors bring is not compared.
    """

    def __init__(self, dut: SimHandleBase, fail_immediately: bool = True):
        super().__init__(dut, fail_immediately=fail_immediately)
        self.counts, self.first, self.muted = Counter(), None, False

    @property
    def compared(self) -> int:
        return self.counts.total()

    def expect(self, monitor: BusMonitor, transactions: Iterable, describe: Callable[[int, object, object], tuple[str, int]] | None = None, values: int = 1) -> None:
        """Expects `transactions` from `monitor`, in this order and after those expected before.

        describe(index, expected, got) words a mismatch and counts the values that differ; values: in a transaction.
        """
        describe = describe or (lambda index, expected, got: (f"transaction {index}: expected {expected}, got {got}", 1))
        if monitor not in self.expected:
            self.add_interface(monitor, deque(), compare_fn=lambda got: self._compare(monitor, got))
        self.expected[monitor].extend((describe, values, index, transaction) for index, transaction in enumerate(transactions))

    def equal(self, what: str, expected: object, got: object) -> None:
        """Compares two values that no monitor brings: a counter, a word of state."""
        self.equal_all(what, {"value": expected}, {"value": got})

    def equal_all(self, what: str, expected: dict, got: dict) -> None:
        """Compares values by name; a failure lists all that differ."""
        different = [f"{name} expected {expected.get(name)}, got {got.get(name)}"
                     for name in {**expected, **got} if expected.get(name) != got.get(name)]
        if different:
            self._mismatch(f"{what}: {'; '.join(different)}", len(different))
        self.counts["registers"] += len(expected)

    def forget(self, monitor: BusMonitor | None = None, keep: int = 0) -> None:
        """Drops what is still expected, from all monitors or one, after an aborted run, except the first `keep` transactions."""
        for each, queue in self.expected.items():
            while monitor in (None, each) and len(queue) > keep:
                queue.pop()

    def check_all_came(self) -> None:
        """Fails when an expected transaction has not come yet."""
        left = {monitor.name: len(queue) for monitor, queue in self.expected.items() if queue}
        if left:
            fail(f"expected transactions that did not come: {left}")

    def check(self) -> None:
        """The end of a test: something was compared, nothing differed, and nothing is left."""
        if self.errors:
            fail(f"{self.errors} of {self.compared} values differ; first {self.first}")
        self.check_all_came()
        if not self.compared:
            fail("the scoreboard compared nothing")

    def _compare(self, monitor, got):
        if self.muted:
            return
        if not self.expected[monitor]:
            fail(f"{monitor.name}: {got} came, and nothing more was expected")
        describe, values, index, expected = self.expected[monitor].popleft()
        if got != expected:
            text, different = describe(index, expected, got)
            self._mismatch(f"{monitor.name}: {text}", different)
        self.counts[monitor.name] += values

    def _mismatch(self, text, different):
        self.first = self.first or text
        self.errors += different
        if self._imm:
            fail(text)


def fail(message: str) -> NoReturn:
    """Fails the test with what repeats it."""
    raise AssertionError(f"{message}\nrepeat with: {os.environ.get('REPEAT', '')}")
