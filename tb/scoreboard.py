"""The scoreboard of all tests: observed transactions against expected ones, and no way to pass without comparing."""

import os
from collections import deque

from cocotb_bus.scoreboard import Scoreboard as BusScoreboard


class Scoreboard(BusScoreboard):
    """cocotb-bus's scoreboard that also counts: it fails when it compared nothing, or when anything is left.

    A failure names the first mismatch and the command that repeats the run.
    """

    def __init__(self, dut):
        super().__init__(dut)
        self.compared = 0

    def expect(self, monitor, transactions, describe=None):
        """Expects `transactions` from `monitor`, in this order and after those expected before.

        describe(index, expected, got) words a mismatch.
        """
        describe = describe or (lambda index, expected, got: f"transaction {index}: expected {expected}, got {got}")
        if monitor not in self.expected:
            self.add_interface(monitor, deque(), compare_fn=lambda got: self._compare(monitor, got))
        self.expected[monitor].extend((describe, index, transaction) for index, transaction in enumerate(transactions))

    def equal(self, what: str, expected, got):
        """Compares two values that no monitor brings: a counter, a word of state."""
        if expected != got:
            fail(f"{what}: expected {expected}, got {got}")
        self.compared += 1

    def equal_all(self, what: str, expected: dict, got: dict):
        """Compares values by name; a failure lists all that differ."""
        different = {name: f"expected {expected.get(name)}, got {got.get(name)}" for name in {**expected, **got} if expected.get(name) != got.get(name)}
        if different:
            fail(f"{what}: {different}")
        self.compared += len(expected)

    def forget(self):
        """Drops what is still expected, after an aborted run."""
        for queue in self.expected.values():
            queue.clear()

    def check(self):
        """The end of a test: something was compared, and nothing is left."""
        left = {monitor.name: len(queue) for monitor, queue in self.expected.items() if queue}
        if left:
            fail(f"expected transactions that never came: {left}")
        if not self.compared:
            fail("the scoreboard compared nothing")

    def _compare(self, monitor, got):
        if not self.expected[monitor]:
            fail(f"{monitor.name}: {got} came, and nothing more was expected")
        describe, index, expected = self.expected[monitor].popleft()
        if got != expected:
            fail(f"{monitor.name}: {describe(index, expected, got)}")
        self.compared += 1


def fail(message: str):
    """Fails the test with what repeats it."""
    raise AssertionError(f"{message}\nrepeat with: {os.environ.get('REPEAT', '')}")
