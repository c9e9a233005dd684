"""What processes use, as the kernel tells anybody who asks: memory, processor time, their start."""

import os
import time
from pathlib import Path
from typing import Final, NamedTuple

_TICKS: Final = os.sysconf("SC_CLK_TCK")
_PAGE_BYTES: Final = os.sysconf("SC_PAGE_SIZE")

# Places in /proc/<pid>/stat behind the command's name, which may hold spaces and parentheses.
_STATE, _USER, _SYSTEM, _START, _PAGES = 0, 11, 12, 19, 21


class ProcessStat(NamedTuple):
    """`start_ticks` is since the machine booted: with the pid it names one process for ever."""

    start_ticks: int
    cpu_seconds: float
    rss_bytes: int


class Usage(NamedTuple):
    """`cpu_percent` of one core: since the last look at it, or since its start at the first one."""

    rss_bytes: int | None = None
    cpu_percent: float | None = None
    cpu_seconds: float | None = None


def process_stat(pid: int) -> ProcessStat | None:
    """A living process; None where there is none, or only what its parent has not collected."""
    try:
        text = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return None
    fields = text[text.rindex(b")") + 2 :].split()
    if fields[_STATE] in (b"Z", b"X"):
        return None
    cpu = int(fields[_USER]) + int(fields[_SYSTEM])
    return ProcessStat(int(fields[_START]), cpu / _TICKS, int(fields[_PAGES]) * _PAGE_BYTES)


class UsageMeter:
    """Remembers each process from look to look."""

    def __init__(self) -> None:
        self._seen: dict[int, tuple[ProcessStat, float]] = {}

    def look(self, pid: int | None) -> Usage:
        """All None where no such process lives."""
        stat = process_stat(pid) if pid else None
        if pid is None or stat is None:
            return Usage()
        now = time.clock_gettime(time.CLOCK_BOOTTIME)
        before, at = self._seen.get(pid, (stat, 0.0))
        if not at or before.start_ticks != stat.start_ticks:
            before, at = stat._replace(cpu_seconds=0.0), stat.start_ticks / _TICKS
        self._seen[pid] = (stat, now)
        seconds = max(now - at, 1 / _TICKS)
        percent = (stat.cpu_seconds - before.cpu_seconds) / seconds * 100
        return Usage(stat.rss_bytes, round(percent, 1), stat.cpu_seconds)

    def forget_all_but(self, pids: set[int]) -> None:
        self._seen = {pid: seen for pid, seen in self._seen.items() if pid in pids}
