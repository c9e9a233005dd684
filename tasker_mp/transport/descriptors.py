"""File descriptors that an end of a channel owns: duplicated, not inherited, closed together."""

import os
from collections.abc import Sequence
from contextlib import ExitStack


def own(closing: ExitStack, fds: Sequence[int]) -> None:
    """Have `closing` close them, and no program that this process starts inherit them.

    Descriptors that came over a socket are inheritable, unless the receiver asked otherwise.
    """
    for fd in fds:
        closing.callback(os.close, fd)
    for fd in fds:
        os.set_inheritable(fd, False)


def duplicate(fds: Sequence[int]) -> list[int]:
    """A copy of each, not inheritable; of none where the process may not have so many."""
    with ExitStack() as on_failure:
        copies = []
        for fd in fds:
            copies.append(os.dup(fd))
            on_failure.callback(os.close, copies[-1])
        on_failure.pop_all()
    return copies
