"""Injects the scheduled faults into the processes of the run, and records what it hit and when."""

import heapq
import os
import signal
import time
from collections.abc import Iterable
from typing import Final, NamedTuple

from tools.chaos.processes import Mark, title
from tools.chaos.schedule import Fault, Kind
from tools.chaos.server import Server
from tools.chaos.service import Service

_AGAIN_SECONDS: Final = 0.1


class Hit(NamedTuple):
    """A fault that was injected into process `pid`; just before the signal, monotonic ns."""

    kind: Kind
    pid: int
    at_ns: int


class _Stopped(NamedTuple):
    until: float
    pid: int
    parent: int


class Injector:
    """`hits` in the order in which they happened.

    A fault without a target waits until a supervisor serves: those that gather while one starts
    would otherwise never let it finish.
    """

    def __init__(
        self, faults: Iterable[Fault], service: Service, server: Server, mark: Mark
    ) -> None:
        self._waiting = list(faults)
        self._service = service
        self._server = server
        self._mark = mark
        self._stopped: list[_Stopped] = []
        self.hits: list[Hit] = []

    @property
    def finished(self) -> bool:
        return not self._waiting and not self._stopped and not self._server.is_away

    def tick(self, now: float) -> None:
        """Inject what is due `now` seconds after the beginning; continue what stood long enough."""
        while self._waiting and self._waiting[0].at <= now:
            fault = heapq.heappop(self._waiting)
            if not self._inject(fault, now):
                again = now + _AGAIN_SECONDS * (1 + 9 * fault.pick)
                heapq.heappush(self._waiting, fault._replace(at=again, late=True))
        while self._stopped and self._stopped[0].until <= now:
            _, pid, parent = heapq.heappop(self._stopped)
            self._mark.signal(pid, parent, signal.SIGCONT)

    def _inject(self, fault: Fault, now: float) -> bool:
        match fault.kind:
            case Kind.WORKER:
                return self._signal(fault, signal.SIGKILL)
            case Kind.SUPERVISOR:
                return self._signal(fault, signal.SIGKILL)
            case Kind.ZYGOTE:
                return self._signal(fault, signal.SIGKILL)
            case Kind.POSTGRES:
                return self._kill_server(fault)
            case Kind.STOP_WORKER | Kind.STOP_SUPERVISOR:
                return self._stop(fault, now)

    def _signal(self, fault: Fault, signum: signal.Signals) -> bool:
        target = self._target(fault)
        if target is None:
            return False
        pid, parent = target
        at_ns = time.monotonic_ns()
        if not self._mark.signal(pid, parent, signum):
            return False
        self.hits.append(Hit(fault.kind, pid, at_ns))
        return True

    def _stop(self, fault: Fault, now: float) -> bool:
        if not self._signal(fault, signal.SIGSTOP):
            return False
        pid = self.hits[-1].pid
        parent = os.getpid() if fault.kind == Kind.STOP_SUPERVISOR else self._service.pid
        assert parent is not None
        heapq.heappush(self._stopped, _Stopped(now + fault.seconds, pid, parent))
        return True

    def _kill_server(self, fault: Fault) -> bool:
        at_ns = time.monotonic_ns()
        pid = self._server.kill(fault.seconds)
        if pid is None:
            return False
        self.hits.append(Hit(fault.kind, pid, at_ns))
        return True

    def _target(self, fault: Fault) -> tuple[int, int] | None:
        """(pid, parent) of whom to hit; None where there is nobody at the moment."""
        supervisor = self._service.pid
        workers = self.titled("worker")
        if supervisor is None or (fault.late and not workers):
            return None
        if fault.kind in (Kind.SUPERVISOR, Kind.STOP_SUPERVISOR):
            return supervisor, os.getpid()
        # A worker just forked has the zygote's title still; the zygote itself is older.
        found = self.titled("zygote")[:1] if fault.kind == Kind.ZYGOTE else workers
        return (found[int(fault.pick * len(found))], supervisor) if found else None

    def titled(self, role: str) -> list[int]:
        """The supervisor's children of that role, the oldest first."""
        supervisor = self._service.pid
        if supervisor is None:
            return []
        children = self._mark.children(supervisor)
        return [pid for pid in children if title(pid).startswith(f"tasker-mp: {role} ")]

    def kill_worker_now(self, pid: int) -> bool:
        """SIGKILL to a worker outside of the schedule; recorded as any."""
        supervisor = self._service.pid
        if supervisor is None:
            return False
        at_ns = time.monotonic_ns()
        if not self._mark.signal(pid, supervisor, signal.SIGKILL):
            return False
        self.hits.append(Hit(Kind.WORKER, pid, at_ns))
        return True
