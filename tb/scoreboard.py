"""The scoreboard of all tests: observed transactions against expected ones, and no way to pass without comparing."""

import os

from cocotb_bus.scoreboard import Scoreboard as BusScoreboard


class Scoreboard(BusScoreboard):
    """cocotb-bus's scoreboard that also counts: it fails when it compared nothing, or when anything is left.

    A failure names the first mismatch and the command that repeats the run.
    """

    def __init__(self, dut):
        super().__init__(dut)
        self.compared = 0
        self.describe = {}

    def expect(self, monitor, transactions, describe=None):
        """Expects `transactions` (in this order) from `monitor`; describe(index, expected, got) words a mismatch."""
        queue, position = list(transactions), iter(range(len(transactions)))
        describe = describe or (lambda index, expected, got: f"transaction {index}: expected {expected}, got {got}")

        def compare(got):
            index = next(position, None)
            if index is None:
                fail(f"{monitor.name}: {got} came after all {len(transactions)} expected transactions")
            expected = queue.pop(0)
            if got != expected:
                fail(f"{monitor.name}: {describe(index, expected, got)}")
            self.compared += 1

        self.add_interface(monitor, queue, compare_fn=compare)

    def equal(self, what: str, expected, got):
        """Compares two values that no monitor brings: a counter, a word of state."""
        if expected != got:
            fail(f"{what}: expected {expected}, got {got}")
        self.compared += 1

    def check(self):
        """The end of a test: something was compared, and nothing is left."""
        left = {monitor.name: len(queue) for monitor, queue in self.expected.items() if queue}
        if left:
            fail(f"expected transactions that never came: {left}")
        if not self.compared:
            fail("the scoreboard compared nothing")


def fail(message: str):
    """Fails the test with what repeats it."""
    raise AssertionError(f"{message}\nrepeat with: {os.environ.get('REPEAT', '')}")
