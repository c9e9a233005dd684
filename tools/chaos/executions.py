"""The external ledger read back: every execution of every step, by whom, from when to when."""

from collections.abc import Iterator
from pathlib import Path

from msgspec import Struct

from tools.chaos.witness import ENDED, FAILED, RECORD_BYTES, STARTED, YIELDED


class Execution(Struct, eq=False):
    """One run of a handler. `task` and `event` are UUIDs as hexadecimal digits, times monotonic
    nanoseconds; `ended` is None where it was cut short."""

    task: str
    step: str
    attempt: int
    event: str
    pid: int
    started: int
    ended: int | None = None
    failed: bool = False
    yielded: bool = False
    """It asked to go on from a checkpoint."""

    @property
    def has_result(self) -> bool:
        return self.ended is not None and not (self.failed or self.yielded)

    @property
    def cut_short(self) -> bool:
        return self.ended is None


def read_executions(ledger: Path) -> list[Execution]:
    """In the order of their starts; `ValueError` where the ledger itself does not make sense."""
    running: dict[int, Execution] = {}
    found = []
    for kind, task, step, attempt, event, pid, at in _records(ledger):
        if kind == STARTED:
            execution = Execution(task, step, int(attempt), event, int(pid), int(at))
            running[execution.pid] = execution
            found.append(execution)
            continue
        ended = running.pop(int(pid))
        if kind not in (ENDED, FAILED, YIELDED) or (ended.task, ended.event) != (task, event):
            raise ValueError(f"process {pid} ended {step} of task {task}, and ran {ended}")
        ended.ended, ended.failed = int(at), kind == FAILED
        ended.yielded = kind == YIELDED
    found.sort(key=lambda execution: execution.started)
    return found


def _records(ledger: Path) -> Iterator[list[str]]:
    if not ledger.exists():
        return
    with ledger.open("rb") as file:
        while record := file.read(RECORD_BYTES):
            if len(record) != RECORD_BYTES or record[-1:] != b"\n":
                raise ValueError(f"a record of {len(record)} bytes: {record!r}")
            yield record.decode().split()
