# SPDX-License-Identifier: MIT
"""make weekly: a command that fails stops none of the others, and is seen in the summary and the exit code."""

import pytest

from tb.commands import planted_bugs, regress, soak, weekly

ENDS = {"good": "pass", "bad": "raise SystemExit(3)"}


@pytest.mark.parametrize("order, code", [(["good"], 0), (["bad", "good"], 1), (["good", "bad"], 1)])
def test_a_failure_is_summed_up(monkeypatch, capfd, order, code):
    monkeypatch.setattr(weekly, "commands", lambda seed, minutes: {name: ["-c", ENDS[name]] for name in order})
    assert weekly.main(["--seed=7"]) == code
    printed = capfd.readouterr().out
    assert f"weekly: {code} of {len(order)} failed, SEED=7" in printed and ("repeat with: make bad SEED=7" in printed) == bool(code)
    assert all(f"{name:12} {'passed' if name == 'good' else 'FAILED'}" in printed for name in order)


def test_commands_take_their_arguments():
    found = weekly.commands(5, "0.5")
    assert [arguments[1] for arguments in found.values()] == [module.__name__ for module in (planted_bugs, regress, soak)]
    options = soak.parse(found["soak"][2:])
    assert (options.seed, options.minutes) == (5, 0.5)
