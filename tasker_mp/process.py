"""What a process asks of the kernel: its parent's death, its orphans, its title, its memory."""

import ctypes
import os
import resource
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

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


def oom_kills(root: Path = Path("/")) -> int:
    """How often the kernel has killed for lack of memory: in this process's control group, or on
    the whole machine where that one cannot be read."""
    for file in _oom_counters(root):
        try:
            lines = file.read_text().splitlines()
        except OSError:
            continue
        for name, _, count in (line.partition(" ") for line in lines):
            if name == "oom_kill":
                return int(count)
    return 0


def _oom_counters(root: Path) -> Iterator[Path]:
    """A version 1 hierarchy has the memory controller, or else version 2 has it."""
    try:
        groups = (root / "proc/self/cgroup").read_text().splitlines()
    except OSError:
        groups = []
    places = {kinds: path for _, kinds, path in (line.split(":", 2) for line in groups)}
    mounted = root / "sys/fs/cgroup"
    if "memory" in places:
        yield mounted / "memory" / places["memory"].lstrip("/") / "memory.oom_control"
    elif "" in places:
        yield mounted / places[""].lstrip("/") / "memory.events"
    yield root / "proc/vmstat"


def _prctl(option: int, value: int) -> None:
    if sys.platform != "linux":
        return
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(option, value, 0, 0, 0) != 0:
        error = ctypes.get_errno()
        raise OSError(error, f"prctl({option}, {value}): {os.strerror(error)}")
