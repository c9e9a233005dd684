"""Memory of a supervisor's processes, as the kernel accounts for it."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import mean
from typing import NamedTuple, TypeAlias

import psutil

from bench.usage import children_of
from tasker_mp.errors import EngineError

Rollup: TypeAlias = Mapping[str, int]
"""Bytes by the names of /proc/<pid>/smaps_rollup: `Rss`, `Pss`, `Pss_File`, `Anonymous`, …"""

_MB = 1e6


class Memory(NamedTuple):
    """MB (10^6 bytes): the supervisor's resident memory; the proportional share of the zygote and,
    by the mean, of a worker; what a worker adds to the zygote."""

    supervisor_rss: float
    zygote_pss: float
    worker_pss: float
    worker_beyond: float


def memory_of(supervisor: int) -> Memory:
    """By now; `EngineError` where it has no zygote or no worker."""
    zygotes = [rollup(process.pid) for process in children_of(supervisor, "zygote")]
    workers = [rollup(process.pid) for process in children_of(supervisor, "worker ")]
    if not zygotes or not workers:
        raise EngineError("the supervisor has lost its zygote or its workers")
    return Memory(
        psutil.Process(supervisor).memory_info().rss / _MB,
        zygotes[0]["Pss"] / _MB,
        mean(each["Pss"] for each in workers) / _MB,
        beyond_the_zygote(zygotes[0], workers) / _MB,
    )


def beyond_the_zygote(zygote: Rollup, workers: Sequence[Rollup]) -> float:
    """Bytes that a worker adds, by the mean: what zygote and workers share out among themselves,
    without what the zygote would hold alone.

    Anonymous pages are shared with nobody else, so this is exact for them. Of files, other
    processes hold a share too, which a worker is charged here although it adds no page.
    """
    together = sum(each["Pss"] for each in (zygote, *workers))
    alone = zygote["Anonymous"] + zygote["Pss_File"] + zygote["Pss_Shmem"]
    return (together - alone) / len(workers)


def rollup(pid: int) -> Rollup:
    """Of a process of this user's."""
    return parsed(Path(f"/proc/{pid}/smaps_rollup").read_text())


def parsed(text: str) -> Rollup:
    """The lines of the form `Name:   12 kB`; the first one, of addresses, is none."""
    found = {}
    for line in text.splitlines():
        name, _, rest = line.partition(":")
        number, _, unit = rest.strip().partition(" ")
        if unit == "kB":
            found[name] = int(number) * 1024
    return found
