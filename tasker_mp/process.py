"""What a process asks the kernel about itself: its parent's death, its orphans, its title."""

import ctypes
import os
import resource
import signal
import sys

from setproctitle import setproctitle

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36


def set_title(title: str) -> None:
    """What `ps` and `top` show for this process."""
    setproctitle(f"tasker-mp: {title}")


def allow_many_files() -> None:
    """Raise the soft limit of open files to the hard one: every worker takes a handful."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def become_subreaper() -> None:
    """Make orphaned descendants this process's children, not init's."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def die_with_parent(parent: int, signum: signal.Signals = signal.SIGKILL) -> None:
    """Have the kernel send `signum` when the parent dies; exits at once if it is dead already.

    Armed first, checked second: a parent that dies in between is seen by the check.
    """
    _prctl(_PR_SET_PDEATHSIG, signum)
    if os.getppid() != parent:
        os._exit(1)


def _prctl(option: int, value: int) -> None:
    if sys.platform != "linux":
        return
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(option, value, 0, 0, 0) != 0:
        error = ctypes.get_errno()
        raise OSError(error, f"prctl({option}, {value}): {os.strerror(error)}")
