# SPDX-License-Identifier: MIT
"""Starts a command for tb/bench/leash.py: `launcher.py PARENT COMMAND...`, as the first process of a session of its own.

A process in between watches the parent and the command. As soon as one of them has ended it kills the session's process group, which holds
all that the command started (compilers below make, say), and itself. The command takes the place of this process: to its parent it is a child
like any other. Few imports: it starts with every simulation.
"""

import os
import select
import signal
import sys


def watch(ends: list[int], group: int) -> None:
    """Waits until one of some processes, given by their descriptors, has ended; then kills the group."""
    poll = select.poll()
    for end in ends:
        poll.register(end, select.POLLIN)
    poll.poll()
    os.killpg(group, signal.SIGKILL)


def main(parent: int, command: list[str]) -> None:
    try:
        ends = [os.pidfd_open(parent), os.pidfd_open(os.getpid())]
    except ProcessLookupError:
        return
    if os.getppid() != parent:  # it ended before it could be watched
        return
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    if os.fork() == 0:
        if os.fork() == 0:  # not a child of the command, which may wait for all of its own
            os.dup2(nothing, 1)  # whoever reads what the command writes shall see its end
            os.dup2(nothing, 2)
            watch(ends, os.getpgrp())
        os._exit(0)
    os.wait()
    for number in (signal.SIGPIPE, signal.SIGXFSZ):  # Python ignores them, and so would the command
        signal.signal(number, signal.SIG_DFL)
    os.execvp(command[0], command)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
