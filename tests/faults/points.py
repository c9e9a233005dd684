"""The fault points: every store, system call and commit at which a process is killed, by name."""

from typing import Literal, NamedTuple

Process = Literal["supervisor", "zygote", "between", "worker"]
When = Literal["before", "during", "after"]
Scenario = Literal["plain", "slow", "late", "narrow"]
Order = Literal["", "results first", "deaths first"]

ANY: tuple[Order, ...] = ("",)
BOTH: tuple[Order, ...] = ("results first", "deaths first")
DEATHS_FIRST: tuple[Order, ...] = ("deaths first",)

PUBLISHED = "published"
"""Counted from when this worker has published a result, so that its death leaves one to drain."""
CRASH = "worker.handler.exit"
"""The death of a worker that the points of reaping and forking come after."""
OUTAGE = "collect.finish.before"
"""The death of a supervisor that the points of recovery come after."""


class Point(NamedTuple):
    """Where a process dies: `when` the `nth` call of `target` is made, or has returned.

    `during` is half of a store's bytes, or a query that is sent and not answered. `target` is a
    module and an attribute of it; an attribute of a class that only its instances have is memory,
    and its calls are stores. Only calls with the function `within` on the stack are counted, and
    only `after` another point was reached.
    """

    process: Process
    target: str
    when: When
    within: str = ""
    nth: int = 1
    after: str = ""
    orders: tuple[Order, ...] = ANY
    charged: int = 0
    """Attempts that the death of this worker charges, to the step that it ran."""
    again: int = 0
    """Handlers that run a second time because of it."""
    scenario: Scenario = "plain"
    noticed: bool = False
    """Whether its calls count only once the death in `after` has been noticed."""


def _supervisor(target: str, when: When, within: str = "", nth: int = 1) -> Point:
    return Point("supervisor", target, when, within, nth)


def _worker(
    target: str, when: When, within: str = "", nth: int = 1, *, charged: int = 0, again: int = 0
) -> Point:
    return Point("worker", target, when, within, nth, PUBLISHED, BOTH, charged, again)


def _reap(
    target: str, when: When, within: str = "", orders: tuple[Order, ...] = BOTH, nth: int = 1
) -> Point:
    return Point("supervisor", target, when, within, nth, CRASH, orders)


def _fork(process: Process, target: str, when: When, within: str = "") -> Point:
    return Point(process, target, when, within, 1, CRASH)


def _recovery(target: str, when: When, within: str = "") -> Point:
    return Point("supervisor", target, when, within, 1, OUTAGE)


def _slow(process: Process, target: str, when: When, within: str = "") -> Point:
    return Point(process, target, when, within, scenario="slow")


def _late(target: str, when: When, within: str = "") -> Point:
    return Point("supervisor", target, when, within, scenario="late")


def _narrow(target: str, when: When, within: str = "") -> Point:
    return Point("supervisor", target, when, within, scenario="narrow")


def _narrow_worker(target: str, when: When, *, charged: int = 0, again: int = 0) -> Point:
    return _worker(target, when, charged=charged, again=again)._replace(scenario="narrow")


_MEMORY = "tasker_mp.transport.memory:os"
_RING = "tasker_mp.ring.writer:RingWriter"
_COPY = "tasker_mp.ring.reader:RingReader.drain"
_STORE = "tasker_mp.db.store:Store"
_TABLE = "tasker_mp.inflight:InflightTable"
_DISPATCHER = "tasker_mp.engine.dispatcher:Dispatcher"
_COLLECTOR = "tasker_mp.engine.collector:Collector"
_PIPELINE = "tasker_mp.engine.pipeline:Pipeline"
_LANE = "tasker_mp.engine.lane:Lane"
_FLEET = "tasker_mp.engine.fleet:Fleet"
_HELD = "tasker_mp.engine.worker_process:WorkerProcess"
_HELD_OS = "tasker_mp.engine.worker_process:os"
_NURSERY = "tasker_mp.engine.nursery"
_ZYGOTE_PROCESS = "tasker_mp.engine.zygote_process"
_RUNTIME = "tasker_mp.engine.runtime"
_WORKER = "tasker_mp.worker.main"
_PAGE = "tasker_mp.worker.page:WorkerPage._slots"
_GATE = "tasker_mp.worker.gate:os"
_SPILL = "tasker_mp.transport.spill"
_ZYGOTE = "tasker_mp.worker.zygote"

POINTS: dict[str, Point] = {
    # -- dispatch: the supervisor, from the claim to the wake-up -----------------------------------
    "dispatch.claim.before": _supervisor(f"{_STORE}.claim_steps", "before"),
    "dispatch.claim.during": _supervisor(f"{_STORE}.claim_steps", "during"),
    "dispatch.claim.after": _supervisor(f"{_STORE}.claim_steps", "after"),
    "dispatch.second claim.after": _supervisor(f"{_STORE}.claim_steps", "after", nth=2),
    "dispatch.template.before": _supervisor(f"{_STORE}.get_template", "before"),
    "dispatch.template.after": _supervisor(f"{_STORE}.get_template", "after"),
    "dispatch.encode.before": _supervisor("tasker_mp.claimed_step:encode", "before"),
    "dispatch.encode.after": _supervisor("tasker_mp.claimed_step:encode", "after"),
    "dispatch.entry.before": _supervisor(f"{_TABLE}.add", "before"),
    "dispatch.entry.after": _supervisor(f"{_TABLE}.add", "after"),
    "dispatch.backlog.after": _supervisor(f"{_DISPATCHER}.accept", "after"),
    "dispatch.put.before": _supervisor(f"{_RING}.put", "before", "send"),
    "dispatch.put.after": _supervisor(f"{_RING}.put", "after", "send"),
    "dispatch.second put.after": _supervisor(f"{_RING}.put", "after", "send", nth=2),
    "dispatch.sent.after": _supervisor(f"{_HELD}.send", "after"),
    "dispatch.store.before": _supervisor(f"{_RING}._memory", "before"),
    "dispatch.store.during": _supervisor(f"{_RING}._memory", "during"),
    "dispatch.store.after": _supervisor(f"{_RING}._memory", "after"),
    "dispatch.publish.before": _supervisor(f"{_MEMORY}.eventfd_write", "before", "publish"),
    "dispatch.publish.after": _supervisor(f"{_MEMORY}.eventfd_write", "after", "publish"),
    "dispatch.wake.after": _supervisor(f"{_DISPATCHER}.dispatch", "after"),
    # -- revoke: what waits behind a slow step is taken back ---------------------------------------
    "revoke.gate take.before": _slow("supervisor", f"{_GATE}.eventfd_read", "before", "revoke"),
    "revoke.gate take.after": _slow("supervisor", f"{_GATE}.eventfd_read", "after", "revoke"),
    "revoke.store.before": _slow("supervisor", _PAGE, "before", "revoke"),
    "revoke.store.after": _slow("supervisor", _PAGE, "after", "revoke"),
    "revoke.gate give.after": _slow("supervisor", f"{_GATE}.eventfd_write", "after", "revoke"),
    "revoke.requeue.before": _slow("supervisor", f"{_DISPATCHER}.requeue", "before"),
    "revoke.requeue.after": _slow("supervisor", f"{_DISPATCHER}.requeue", "after"),
    "revoke.skip.before": _slow("worker", _PAGE, "before", "mark_skipped"),
    "revoke.skip.after": _slow("worker", _PAGE, "after", "mark_skipped"),
    # -- deadline: a step that runs for too long is killed with its worker -------------------------
    "deadline.condemn.before": _late(f"{_HELD}.condemn", "before"),
    "deadline.stack.after": _late(
        "tasker_mp.engine.worker_process:signal.pidfd_send_signal", "after", "condemn"
    ),
    "deadline.gate take.after": _late(f"{_GATE}.eventfd_read", "after", "execute"),
    "deadline.kill.before": _late(f"{_HELD_OS}.killpg", "before", "execute"),
    "deadline.kill.after": _late(f"{_HELD_OS}.killpg", "after", "execute"),
    # -- oversize: a ring that holds four records, and those that have to travel beside it ---------
    "oversize.memfd.after": _narrow(f"{_SPILL}:os.memfd_create", "after"),
    "oversize.write.after": _narrow(f"{_SPILL}:os.write", "after"),
    "oversize.send.before": _narrow(f"{_SPILL}:socket.send_fds", "before"),
    "oversize.send.after": _narrow(f"{_SPILL}:socket.send_fds", "after"),
    "oversize.announce.after": _narrow(f"{_SPILL}:SpillSender.announced", "after"),
    "oversize.receive.before": _narrow(f"{_SPILL}:socket.recv_fds", "before"),
    "oversize.receive.after": _narrow(f"{_SPILL}:socket.recv_fds", "after"),
    "oversize.room wanted.after": _narrow(f"{_FLEET}.dispatched", "after"),
    "oversize.room.before": _narrow(f"{_FLEET}._on_credit", "before"),
    "oversize.room read.after": _narrow(f"{_MEMORY}.eventfd_read", "after", "_on_credit"),
    "oversize.room.after": _narrow(f"{_FLEET}._on_credit", "after"),
    "oversize.fetch.before": _narrow_worker(f"{_SPILL}:socket.recv_fds", "before"),
    "oversize.fetch.after": _narrow_worker(f"{_SPILL}:socket.recv_fds", "after"),
    "oversize.result memfd.after": _narrow_worker(
        f"{_SPILL}:os.memfd_create", "after", charged=1, again=1
    ),
    "oversize.result send.before": _narrow_worker(
        f"{_SPILL}:socket.send_fds", "before", charged=1, again=1
    ),
    "oversize.result send.after": _narrow_worker(
        f"{_SPILL}:socket.send_fds", "after", charged=1, again=1
    ),
    "oversize.credit wait.before": _narrow_worker(
        f"{_WORKER}:Worker._await_credit", "before", charged=1, again=1
    ),
    # -- worker: from the wake-up to the result's, with an earlier result to be drained ------------
    "worker.drain.before": _worker("tasker_mp.transport.memory:MemoryReader.drain", "before"),
    "worker.read.before": _worker(f"{_MEMORY}.eventfd_read", "before", "drain"),
    "worker.read.after": _worker(f"{_MEMORY}.eventfd_read", "after", "drain"),
    "worker.copy.after": _worker(_COPY, "after"),
    "worker.credit.before": _worker(f"{_MEMORY}.eventfd_write", "before", "drain"),
    "worker.credit.after": _worker(f"{_MEMORY}.eventfd_write", "after", "drain"),
    "worker.gate take.before": _worker(f"{_GATE}.eventfd_read", "before"),
    "worker.gate take.after": _worker(f"{_GATE}.eventfd_read", "after"),
    "worker.started.before": _worker(_PAGE, "before", "mark_started"),
    "worker.started.between": _worker(_PAGE, "after", "mark_started"),
    "worker.started.after": _worker(_PAGE, "after", "mark_started", nth=2, charged=1),
    "worker.gate give.before": _worker(f"{_GATE}.eventfd_write", "before", charged=1),
    "worker.gate give.after": _worker(f"{_GATE}.eventfd_write", "after", charged=1),
    "worker.handler.entry": _worker(f"{_WORKER}:invoke", "before", charged=1),
    CRASH: _worker(f"{_WORKER}:invoke", "after", charged=1, again=1),
    "worker.encode.after": _worker(f"{_WORKER}:encode", "after", charged=1, again=1),
    "worker.put.before": _worker(f"{_RING}.put", "before", charged=1, again=1),
    "worker.put.after": _worker(f"{_RING}.put", "after", charged=1, again=1),
    "worker.store.before": _worker(f"{_RING}._memory", "before", charged=1, again=1),
    "worker.store.during": _worker(f"{_RING}._memory", "during", charged=1, again=1),
    "worker.store.after": _worker(f"{_RING}._memory", "after", charged=1, again=1),
    "worker.publish.before": _worker(
        f"{_MEMORY}.eventfd_write", "before", "publish", charged=1, again=1
    ),
    "worker.publish.after": _worker(f"{_MEMORY}.eventfd_write", "after", "publish"),
    "worker.finished.before": _worker(_PAGE, "before", "mark_finished"),
    "worker.finished.between": _worker(_PAGE, "after", "mark_finished"),
    "worker.finished.after": _worker(_PAGE, "after", "mark_finished", nth=2),
    # -- collect: the supervisor, from a result's wake-up to the next dispatch ---------------------
    "collect.read.before": _supervisor(f"{_MEMORY}.eventfd_read", "before", "drain"),
    "collect.read.after": _supervisor(f"{_MEMORY}.eventfd_read", "after", "drain"),
    "collect.copy.after": _supervisor(_COPY, "after"),
    "collect.credit.before": _supervisor(f"{_MEMORY}.eventfd_write", "before", "drain"),
    "collect.credit.after": _supervisor(f"{_MEMORY}.eventfd_write", "after", "drain"),
    "collect.drain.after": _supervisor(f"{_HELD}.drain", "after"),
    "collect.entry.before": _supervisor(f"{_TABLE}.settle", "before"),
    "collect.entry.after": _supervisor(f"{_TABLE}.settle", "after"),
    "collect.settle.after": _supervisor("tasker_mp.engine.collector:settle", "after"),
    "collect.queue.before": _supervisor(f"{_COLLECTOR}._keep", "before"),
    "collect.queue.after": _supervisor(f"{_COLLECTOR}._keep", "after"),
    "collect.batch.after": _supervisor(f"{_COLLECTOR}.take", "after"),
    OUTAGE: _supervisor(f"{_STORE}.finish_steps", "before"),
    "collect.finish.during": _supervisor(f"{_STORE}.finish_steps", "during"),
    "collect.finish.after": _supervisor(f"{_STORE}.finish_steps", "after"),
    "collect.later finish.during": _supervisor(f"{_STORE}.finish_steps", "during", nth=4),
    "collect.later finish.after": _supervisor(f"{_STORE}.finish_steps", "after", nth=4),
    "collect.release.before": _supervisor(f"{_TABLE}.release", "before"),
    "collect.release.after": _supervisor(f"{_TABLE}.release", "after"),
    "collect.claims.after": _supervisor(f"{_LANE}.release", "after", nth=2),
    "collect.continue.before": _supervisor(f"{_DISPATCHER}.accept", "before", "_commit"),
    "collect.continue.after": _supervisor(f"{_DISPATCHER}.accept", "after", "_commit"),
    "collect.continue.put": _supervisor(f"{_RING}.put", "after", "_commit"),
    "collect.continue.publish": _supervisor(f"{_MEMORY}.eventfd_write", "after", "_commit"),
    # -- reap: the supervisor, from a worker's death to its replacement ----------------------------
    "reap.death.before": _reap(f"{_FLEET}._on_death", "before"),
    "reap.unwatch.after": _reap(f"{_FLEET}._unwatch", "after"),
    "reap.kill.before": _reap(f"{_HELD_OS}.killpg", "before"),
    "reap.kill.after": _reap(f"{_HELD}.kill", "after"),
    "reap.wait.before": _reap(f"{_HELD_OS}.wait4", "before"),
    "reap.wait.after": _reap(f"{_HELD_OS}.wait4", "after"),
    "reap.last words.before": _reap("tasker_mp.engine.fleet:_last_words", "before"),
    "reap.last read.after": _reap(f"{_MEMORY}.eventfd_read", "after", "_last_words", DEATHS_FIRST),
    "reap.last credit.before": _reap(
        f"{_MEMORY}.eventfd_write", "before", "_last_words", DEATHS_FIRST
    ),
    "reap.last words.after": _reap("tasker_mp.engine.fleet:_last_words", "after"),
    "reap.blame.before": _reap(f"{_HELD}.split_outstanding", "before"),
    "reap.blame.after": _reap(f"{_HELD}.split_outstanding", "after"),
    "reap.close.before": _reap(f"{_HELD}.close", "before"),
    "reap.close.between": _reap(f"{_HELD_OS}.close", "after", "_bury"),
    "reap.close.after": _reap(f"{_HELD}.close", "after"),
    "reap.last results.after": _reap(f"{_PIPELINE}.on_results", "after", "on_death"),
    "reap.fate.before": _reap(f"{_PIPELINE}._fate", "before"),
    "reap.fate.after": _reap(f"{_PIPELINE}._fate", "after"),
    "reap.requeue.before": _reap(f"{_DISPATCHER}.requeue", "before"),
    "reap.requeue.after": _reap(f"{_DISPATCHER}.requeue", "after"),
    "reap.told.after": _reap(f"{_PIPELINE}.on_death", "after"),
    "reap.charge.before": _reap(f"{_STORE}.finish_steps", "before"),
    "reap.charge.during": _reap(f"{_STORE}.finish_steps", "during"),
    "reap.charge.after": _reap(f"{_STORE}.finish_steps", "after"),
    # Not the supervisor's very first look for retries, which may come as late as this.
    "reap.retry.after": _reap(f"{_STORE}.promote_due", "after")._replace(noticed=True),
    # -- fork: a new incarnation, by the supervisor, the zygote, the parent between, the worker ----
    "fork.wanted": _fork("supervisor", f"{_NURSERY}:Nursery.fork", "before"),
    "fork.wiring.after": _fork("supervisor", f"{_NURSERY}:Wiring", "after"),
    "fork.ask.before": _fork("supervisor", f"{_ZYGOTE_PROCESS}:socket.send_fds", "before"),
    "fork.ask.after": _fork("supervisor", f"{_ZYGOTE_PROCESS}:socket.send_fds", "after"),
    "fork.answer.after": _fork("supervisor", f"{_ZYGOTE_PROCESS}:ZygoteProcess.fork", "after"),
    "fork.pidfd.after": _fork("supervisor", f"{_HELD_OS}.pidfd_open", "after"),
    "fork.adopt.before": _fork("supervisor", _PAGE, "before", "adopt"),
    "fork.adopt.after": _fork("supervisor", _PAGE, "after", "adopt"),
    "fork.watch.after": _fork("supervisor", f"{_FLEET}._adopt", "after"),
    "fork.request.after": _fork("zygote", f"{_ZYGOTE}:socket.recv_fds", "after"),
    "fork.next request.before": _fork("zygote", f"{_ZYGOTE}:socket.recv_fds", "before"),
    "fork.first.before": _fork("zygote", f"{_ZYGOTE}:os.fork", "before"),
    "fork.first.after": _fork("zygote", f"{_ZYGOTE}:os.fork", "after"),
    "fork.pid.after": _fork("zygote", f"{_ZYGOTE}:os.read", "after"),
    "fork.parent reaped.after": _fork("zygote", f"{_ZYGOTE}:os.waitpid", "after"),
    "fork.tell.before": _fork("zygote", f"{_ZYGOTE}:_send", "before"),
    "fork.tell.after": _fork("zygote", f"{_ZYGOTE}:_send", "after"),
    "fork.second.before": _fork("between", f"{_ZYGOTE}:os.fork", "before"),
    "fork.second.after": _fork("between", f"{_ZYGOTE}:os.fork", "after"),
    "fork.pid told.after": _fork("between", f"{_ZYGOTE}:os.write", "after"),
    "fork.group.before": _fork("worker", f"{_ZYGOTE}:os.setpgid", "before"),
    "fork.group.after": _fork("worker", f"{_ZYGOTE}:os.setpgid", "after"),
    "fork.adoption.after": _fork("worker", f"{_ZYGOTE}:_await_adoption", "after"),
    "fork.owner.after": _fork("worker", f"{_ZYGOTE}:_await_owner", "after"),
    "fork.rings.after": _fork("worker", f"{_ZYGOTE}:transport.attach_writer", "after"),
    "fork.ready.before": _fork("worker", _PAGE, "before", "mark_ready"),
    "fork.ready.after": _fork("worker", _PAGE, "after", "mark_ready"),
    # -- recovery: the successor of a dead supervisor, and a supervisor that leaves ----------------
    "recovery.lock.before": _recovery(f"{_RUNTIME}:fcntl.flock", "before"),
    "recovery.lock.after": _recovery(f"{_RUNTIME}:fcntl.flock", "after"),
    "recovery.record.before": _recovery(f"{_RUNTIME}:os.pwrite", "before"),
    "recovery.record.after": _recovery(f"{_RUNTIME}:os.pwrite", "after"),
    "recovery.register.before": _recovery(f"{_STORE}.register_supervisor", "before"),
    "recovery.register.during": _recovery(f"{_STORE}.register_supervisor", "during"),
    "recovery.register.after": _recovery(f"{_STORE}.register_supervisor", "after"),
    "recovery.forget.before": _recovery(f"{_RUNTIME}:os.pwrite", "before", "recovered"),
    "recovery.forget.after": _recovery(f"{_RUNTIME}:os.pwrite", "after", "recovered"),
    "recovery.heartbeat.during": _recovery(f"{_STORE}.heartbeat", "during"),
    "recovery.heartbeat.after": _recovery(f"{_STORE}.heartbeat", "after"),
    "leave.give back.before": _supervisor(f"{_STORE}.recover_owner", "before"),
    "leave.give back.during": _supervisor(f"{_STORE}.recover_owner", "during"),
    "leave.give back.after": _supervisor(f"{_STORE}.recover_owner", "after"),
    "leave.forget.after": _supervisor(f"{_RUNTIME}:os.ftruncate", "after"),
}

CASES = [(name, order) for name, point in POINTS.items() for order in point.orders]


def armed_with(name: str) -> list[str]:
    """The point itself and the one that must have been reached before."""
    after = POINTS[name].after
    return [after, name] if after in POINTS else [name]
