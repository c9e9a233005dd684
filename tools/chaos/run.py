"""One chaos run from an empty folder to its ledger."""

import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import psycopg

from tasker_mp.control import Command, ask
from tasker_mp.engine.runtime import RuntimeDirectory
from tasker_mp.errors import UnreachableError
from tools.chaos.audit import Audit
from tools.chaos.causes import Faults
from tools.chaos.database import Database, task_states
from tools.chaos.executions import read_executions
from tools.chaos.findings import Findings
from tools.chaos.injector import Injector
from tools.chaos.ledger import Ledger
from tools.chaos.log import search_log
from tools.chaos.processes import Mark, descriptors
from tools.chaos.project import Project
from tools.chaos.schedule import Kind, Options, bursts, faults
from tools.chaos.server import Server
from tools.chaos.service import Service
from tools.chaos.submitter import Submitter

_TICK: Final = 0.005
_PATIENCE: Final = 5
_STALLED_SECONDS: Final = 60.0
_LOOK_SECONDS: Final = 0.5
_READY_LIMIT: Final = 60.0
_QUIET_LIMIT: Final = 5.0
_FLAT_ROUNDS: Final = 3
_FINAL: Final = {"complete", "error", "cancelled", "resolved_manually"}

Say = Callable[[str], None]


class Run:
    """Everything that a run owns; `close` leaves nothing behind."""

    def __init__(self, options: Options, say: Say) -> None:
        self._options = options
        self._say = say
        self._shared_memory = _shared_memory()
        self._mark = Mark()
        self.project = Project(options.workers)
        self._service = Service(self.project, self._mark)
        self._findings = Findings()
        try:
            self._server = Server(self.project.root)
        except BaseException:
            self.project.remove()
            raise
        self._injector = Injector(faults(options), self._service, self._server, self._mark)
        self._submitter = Submitter(
            options.seed, bursts(options), self._server.dsn, self.project.config()
        )
        self._descriptors: tuple[int, int] = (0, 0)

    def run(self) -> Ledger:
        """The ledger; its findings say what did not hold."""
        self._until(lambda: bool(self._status()), _READY_LIMIT, "the first supervisor is ready")
        self._submitter.start()
        # On a busy machine a short run's faults would all fall into its start.
        self._until(lambda: self._executed > 0, _READY_LIMIT, "the first steps run")
        began = time.monotonic()
        self._inject(began)
        injected = time.monotonic()
        self._say(f"{len(self._injector.hits)} faults injected; waiting for the tasks to end")
        self._await_end()
        ended = time.monotonic()
        self._check_descriptors()
        self._stop()
        return self._ledger(injected - began, ended - injected)

    def close(self, *, keep: bool) -> None:
        """End everything that still runs, and delete it unless it is to be kept."""
        self._submitter.cancel()
        self._service.kill()
        if keep:
            self._server.stop()
        else:
            self._server.remove()
            self.project.remove()

    # -- the run ------------------------------------------------------------------------------

    def _inject(self, began: float) -> None:
        told = began
        limit = began + _PATIENCE * self._options.seconds + _READY_LIMIT
        while not self._injector.finished or self._submitter.is_alive():
            now = time.monotonic()
            if now > limit:
                self._findings.add("never", "all faults injected and all tasks submitted")
                break
            self._service.keep_alive()
            self._injector.tick(now - began)
            if now - told > 10:
                told = now
                hits = len(self._injector.hits)
                self._say(f"{now - began:4.0f} s, {hits} faults, {self._executed} executions")
            time.sleep(_TICK)
        for error in (self._submitter.error, self._server.error):
            if error is not None:
                raise error

    @property
    def _executed(self) -> int:
        """About: two records an execution."""
        ledger = self.project.ledger
        return ledger.stat().st_size // 256 if ledger.exists() else 0

    def _await_end(self) -> None:
        """Until every accepted task has ended, or nothing moves any more."""
        open_tasks, moved = -1, time.monotonic()
        while open_tasks != 0 and time.monotonic() - moved < _STALLED_SECONDS:
            self._service.keep_alive()
            left = self._open_tasks()
            if left is not None and left != open_tasks:
                open_tasks, moved = left, time.monotonic()
            time.sleep(_LOOK_SECONDS)
        if open_tasks:
            self._findings.add("stalled", f"{open_tasks} tasks open, none ended in a minute")

    def _open_tasks(self) -> int | None:
        """None while the database is away: a supervisor may be starting it."""
        try:
            states = task_states(self._server.dsn)
        except psycopg.OperationalError:
            return None
        return len(self._submitter.accepted) - sum(states[state] for state in _FINAL)

    def _check_descriptors(self) -> None:
        """Kill every worker and the fleet's like a few times at rest: nothing may accumulate."""
        if not self._until(self._is_at_rest, _READY_LIMIT, "all workers at rest"):
            return
        before = self._settled_descriptors()
        for _ in range(_FLAT_ROUNDS):
            for pid in self._injector.titled("worker"):
                self._injector.kill_worker_now(pid)
            if not self._until(self._is_at_rest, _READY_LIMIT, "all workers replaced"):
                return
        after = self._settled_descriptors()
        self._descriptors = (before, after)
        self._findings.expect("file descriptors of the supervisor and zygote", after, before)

    def _settled_descriptors(self) -> int:
        """The least within a second: connections to the control socket come and go."""
        supervisor = self._service.pid
        assert supervisor is not None
        counts = []
        for _ in range(20):
            zygotes = self._injector.titled("zygote")
            counts.append(descriptors(supervisor) + sum(map(descriptors, zygotes)))
            time.sleep(0.05)
        return min(counts)

    def _is_at_rest(self) -> bool:
        status = self._status()
        alive = len(self._injector.titled("worker")) == self._options.workers
        idle = status and all(worker["state"] == "idle" for worker in status["workers"])
        return bool(alive and idle and not status["in_flight"])

    def _status(self) -> dict[str, Any]:
        """Of the running supervisor; empty while there is none, or one that does not answer."""
        try:
            return ask(RuntimeDirectory(self.project.root).control_socket, Command("status"))
        except (UnreachableError, OSError):
            return {}

    def _until(self, condition: Callable[[], bool], limit: float, what: str) -> bool:
        """Whether it came true in time; a finding where it did not."""
        deadline = time.monotonic() + limit
        while not condition():
            self._service.keep_alive()
            if time.monotonic() > deadline:
                self._findings.add("never", what)
                return False
            time.sleep(0.02)
        return True

    def _stop(self) -> None:
        self._findings.expect("exit status of a stopped supervisor", self._service.stop(), 0)
        deadline = time.monotonic() + _QUIET_LIMIT
        while (left := self._mark.bearers()) and time.monotonic() < deadline:
            time.sleep(0.02)
        for pid in left:
            self._findings.add("process left behind", pid)
        for name in _shared_memory() - self._shared_memory:
            self._findings.add("left in /dev/shm", name)

    # -- the comparison -----------------------------------------------------------------------

    def _ledger(self, seconds: float, calm_seconds: float) -> Ledger:
        hits, exits = self._injector.hits, self._service.exits
        faults_by_time = Faults(hits, exits)
        executions = read_executions(self.project.ledger)
        audit = Audit(executions, faults_by_time, self._findings)
        database = Database(self._server.dsn)
        try:
            audit.run(database, {uuid.hex for uuid in self._submitter.accepted})
            for place, rows in database.leftovers().items():
                self._findings.expect(f"rows left in {place}", rows, 0)
            settings = database.settings()
        finally:
            database.close()
        # A zygote that was hit may have been a worker just forked, with its title still.
        killed = {hit.pid for hit in hits if hit.kind in (Kind.WORKER, Kind.ZYGOTE)}
        events = search_log(self.project.log, killed, self._findings)
        self._check_exits()
        return Ledger(
            options=self._options,
            seconds=round(seconds, 1),
            calm_seconds=round(calm_seconds, 1),
            server=settings,
            faults=Counter(hit.kind.value for hit in hits),
            accepted=len(self._submitter.accepted),
            repeated_submits=self._submitter.lost_answers,
            supervisor_starts=self._service.starts,
            supervisor_exits=Counter(str(end.code) for end in exits),
            server_start_seconds=round(self._server.slowest_start, 2),
            descriptors=self._descriptors,
            totals=audit.totals,
            log=dict(events.most_common()),
            violations=self._findings.lines(),
        )

    def _check_exits(self) -> None:
        """A supervisor may give up where the database or the zygote went away as it started."""
        hits = self._injector.hits
        killed = {hit.pid for hit in hits if hit.kind == Kind.SUPERVISOR}
        outages = [hit.at_ns for hit in hits if hit.kind in (Kind.POSTGRES, Kind.ZYGOTE)]
        for end in self._service.exits:
            near = any(0 <= end.at_ns - at <= 20_000_000_000 for at in outages)
            if end.pid not in killed and not near:
                self._findings.add("supervisor ended by itself", end)


def _shared_memory() -> set[str]:
    """Names in /dev/shm, without those of PostgreSQL servers: ours keeps nothing there, and others
    on this machine come and go."""
    names = {path.name for path in Path("/dev/shm").glob("*")}
    return {name for name in names if not name.startswith("PostgreSQL.")}
