"""What work costs: processor seconds of each group of processes, WAL bytes, batches."""

import os
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import psutil
import psycopg

SUPERVISOR, WORKERS, DATABASE, CLIENT = GROUPS = ("supervisor", "workers", "database", "client")

_COUNTERS = (
    "select (pg_current_wal_insert_lsn() - '0/0')::float8,"
    " coalesce(pg_sequence_last_value(pg_get_serial_sequence('tasker.claims', 'claim_id')), 0)"
)


class Usage(NamedTuple):
    """Since some start: steps that ran, seconds that went by, processor seconds by group (those
    that can be seen), bytes, and batches claimed."""

    steps: int
    seconds: float
    cpu_seconds: dict[str, float]
    wal_bytes: float
    claims: int

    def since(self, earlier: "Usage") -> "Usage":
        cpu = {
            group: seconds - earlier.cpu_seconds.get(group, 0.0)
            for group, seconds in self.cpu_seconds.items()
        }
        return Usage(
            self.steps - earlier.steps,
            self.seconds - earlier.seconds,
            cpu,
            self.wal_bytes - earlier.wal_bytes,
            self.claims - earlier.claims,
        )

    @property
    def rate(self) -> float:
        """Steps a second."""
        return self.steps / self.seconds

    def cpu_us(self, group: str) -> float | None:
        """Microseconds a step; None where the group's processes cannot be seen."""
        seconds = self.cpu_seconds.get(group)
        return None if seconds is None or not self.steps else seconds * 1e6 / self.steps


class Meter:
    """Reads them for a supervisor (or what stands in its place) that has run `steps()` so far, its
    workers, the database's server and this process. A server on another machine has no processes
    here, and is left out."""

    def __init__(
        self, supervisor: int, steps: Callable[[], int], connection: psycopg.Connection[Any]
    ) -> None:
        self._supervisor = psutil.Process(supervisor)
        self._steps = steps
        self._connection = connection
        self._postmaster = _postmaster(connection)

    def read(self) -> Usage:
        wal_bytes, claims = self._connection.execute(_COUNTERS).fetchone() or (0.0, 0)
        return Usage(self._steps(), time.monotonic(), self.cpu_seconds(), wal_bytes, claims)

    def cpu_seconds(self) -> dict[str, float]:
        """By group, those that can be seen; asks nobody but the kernel."""
        cpu = {
            SUPERVISOR: processor_seconds([self._supervisor]),
            WORKERS: processor_seconds(children_of(self._supervisor.pid, "worker ")),
            CLIENT: processor_seconds([psutil.Process()]),
        }
        if self._postmaster is not None:
            everyone = self._postmaster.children(recursive=True)
            # Backends that are gone count where their parent has waited for them.
            cpu[DATABASE] = processor_seconds([self._postmaster, *everyone], reaped=True)
        return cpu


def _postmaster(connection: psycopg.Connection[Any]) -> psutil.Process | None:
    """The parent of this connection's backend, where the server runs on this machine."""
    if connection.info.host and not connection.info.host.startswith("/"):
        return None
    with suppress(psutil.Error):
        parent = psutil.Process(connection.info.backend_pid).parent()
        if parent is not None and parent.name().startswith("postgres"):
            return parent
    return None


def processor_seconds(processes: Iterable[psutil.Process], *, reaped: bool = False) -> float:
    """Of all of them together; one that is gone counts nothing."""
    total = 0.0
    for process in processes:
        with suppress(psutil.Error):
            times = process.cpu_times()
            total += times.user + times.system
            if reaped:
                total += times.children_user + times.children_system
    return total


def exact_seconds(process: psutil.Process) -> float:
    """To the nanosecond, of its living threads, where the kernel counts so; else in its ticks, of
    which a process that wakes up now and then seems to take none."""
    files = Path(f"/proc/{process.pid}/task").glob("*/schedstat")
    nanoseconds = [int(file.read_text().split()[0]) for file in files]
    return sum(nanoseconds) / 1e9 if nanoseconds else processor_seconds([process])


def children_of(supervisor: int, role: str) -> list[psutil.Process]:
    """Its processes of that role: `worker `, `zygote`, `web`."""
    return [child for child in psutil.Process(supervisor).children() if _has_role(child, role)]


def _has_role(process: psutil.Process, role: str) -> bool:
    with suppress(psutil.Error):
        return " ".join(process.cmdline()).startswith(f"tasker-mp: {role}")
    return False


def load_average() -> float:
    """Others' work, when asked before ours begins."""
    return round(os.getloadavg()[0], 2)
