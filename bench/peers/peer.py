"""The engines that are compared, and how each is set up: as its own documentation advises."""

from collections.abc import Callable

from msgspec import Struct


class PeerError(Exception):
    """Why a peer was not measured, in one line."""


class Peer(Struct, frozen=True, kw_only=True):
    """`module` is the program; peers with one `environment` share their packages.

    `alone` worker processes serve while tasks run one by one, `crowd(cores)` when there are many:
    whoever polls pays for every further process, whoever waits for commits gains by it.
    """

    name: str
    module: str
    environment: str
    requirements: tuple[str, ...]
    arguments: tuple[str, ...] = ()
    prepares: bool = True
    broker: bool = False
    alone: int
    crowd: Callable[[int], int]
    settings: str
    durability: str


_COMMITTED = "a commit with fsync for each step"

PEERS = {
    peer.name: peer
    for peer in (
        Peer(
            name="dbos",
            module="bench.peers.dbos",
            environment="dbos",
            requirements=("dbos>=3.4",),
            alone=1,
            crowd=lambda cores: cores,
            settings="a queue; a worker process a core, worker_concurrency 32,"
            " polling_interval_sec 0.01 (by default 1), log_level ERROR, else as it comes (pool of"
            " 20, LISTEN/NOTIFY); many enqueued in one transaction (enqueue_in_transaction)",
            durability=f"{_COMMITTED}, and more for enqueue, dequeue and end",
        ),
        Peer(
            name="dbos-inline",
            module="bench.peers.dbos",
            environment="dbos",
            requirements=("dbos>=3.4",),
            arguments=("inline",),
            alone=0,
            crowd=lambda _: 0,
            settings="DBOS.start_workflow in the process that wants the result, on DBOS' own"
            " threads; log_level ERROR, else as it comes (pool of 20)",
            durability=f"{_COMMITTED}, and more for start and end",
        ),
        Peer(
            name="celery",
            module="bench.peers.celery",
            environment="celery",
            requirements=("celery[redis]>=5.6", "hiredis>=3"),
            prepares=False,
            broker=True,
            alone=1,
            crowd=lambda _: 1,  # it forks one a core by itself
            settings="chain of 4 tasks; prefork pool, concurrency = cores, task_acks_late and"
            " task_reject_on_worker_lost on, worker_prefetch_multiplier 64 (short tasks),"
            " ignore_result but for the last step, no gossip, mingle or heartbeat; Redis on a Unix"
            " socket, appendonly yes, appendfsync always, save off",
            durability="Redis' append-only file with fsync at each write; late acknowledgement,"
            " run again after visibility_timeout (1 h); the next step is sent before this one is"
            " acknowledged, not in one transaction; no history of steps",
        ),
        Peer(
            name="absurd",
            module="bench.peers.absurd",
            environment="absurd",
            requirements=("absurd-sdk>=0.5", "absurdctl>=0.5"),
            alone=1,
            crowd=lambda cores: 2 * cores,
            settings="schema and queue by absurdctl; synchronous SDK workers, 1 alone and 2 a core"
            " for many (a worker waits for one commit at a time), batch_size 16, poll_interval"
            " 0.001 (by default 0.25); many spawned in one transaction",
            durability=f"{_COMMITTED}, and more for spawn, claim and end",
        ),
        Peer(
            name="procrastinate",
            module="bench.peers.procrastinate",
            environment="procrastinate",
            requirements=("procrastinate>=3.5",),
            alone=1,
            crowd=lambda cores: 2 * cores,
            settings="asynchronous tasks; workers with concurrency 20, listen_notify on and"
            " fetch_job_polling_interval 0.05 (by default 5), 1 alone and 2 a core for many;"
            " many deferred by batch_defer",
            durability="commits with fsync for fetch, deferral and end of each job; no workflows:"
            " 4 jobs, of which each defers the next, not in one transaction with its own end; the"
            " result is the last job's argument",
        ),
    )
}
