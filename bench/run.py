"""Runs patterns through a real supervisor, on a database of their own."""

import time
from collections.abc import Sequence
from statistics import median
from typing import Any
from uuid import UUID

import psycopg
from rich.console import Console
from rich.progress import Progress

from bench.database import bench_database
from bench.patterns import Pattern
from bench.samples import percentile
from tasker_mp.client import Client, Submission
from tasker_mp.config import Config
from tasker_mp.db.connect import connect
from tasker_mp.errors import EngineError
from tasker_mp.system import bootstrap

_CHUNK = 1000
_LIMIT = 300.0
_POLL = 0.05


def run_patterns(
    config: Config,
    patterns: Sequence[Pattern],
    tasks: int,
    singles: int,
    rounds: int,
    console: Console,
) -> tuple[list[dict[str, Any]], dict[str, str]]:
    """A row a pattern, and the database's settings. Rounds are interleaved over the patterns."""
    throughputs: dict[str, list[float]] = {p.name: [] for p in patterns}
    latencies: dict[str, list[float]] = {p.name: [] for p in patterns}
    failed: dict[str, int] = {p.name: 0 for p in patterns}
    with (
        bench_database(config) as (own, settings),
        bootstrap(own),
        Client(own.database.url, config=own) as client,
        connect(own.database.url, autocommit=True) as watcher,
        Progress(console=console, transient=True) as progress,
    ):
        total = progress.add_task("measuring", total=rounds * len(patterns))
        for _ in range(rounds):
            for pattern in patterns:
                progress.update(total, description=f"{pattern.name:>10}")
                seconds, bad = _throughput(client, watcher, pattern, tasks)
                throughputs[pattern.name].append(tasks / seconds)
                failed[pattern.name] += bad
                latencies[pattern.name] += _latencies(client, pattern, singles // rounds or 1)
                progress.advance(total)
    return [
        _row(p, tasks * rounds, failed[p.name], throughputs[p.name], latencies[p.name])
        for p in patterns
    ], settings


def _throughput(
    client: Client, watcher: psycopg.Connection[Any], pattern: Pattern, tasks: int
) -> tuple[float, int]:
    """Seconds from the first submit to the last completion by the database, and failures."""
    submission = Submission(
        namespace=pattern.namespace, name=pattern.template, context=pattern.context
    )
    uuids: list[UUID] = []
    for start in range(0, tasks, _CHUNK):
        uuids += client.submit_many([submission] * min(_CHUNK, tasks - start))
    return _await_all(watcher, uuids)


def _await_all(watcher: psycopg.Connection[Any], uuids: list[UUID]) -> tuple[float, int]:
    deadline = time.monotonic() + _LIMIT
    while time.monotonic() < deadline:
        row = watcher.execute(
            "select count(completed_at), count(*) filter (where state <> 'complete'),"
            " extract(epoch from max(completed_at) - min(created_at))::float8"
            " from tasker.tasks where task_uuid = any(%s)",
            (uuids,),
        ).fetchone()
        assert row is not None
        if row[0] == len(uuids):
            return float(row[2]), int(row[1])
        time.sleep(_POLL)
    raise EngineError(f"{len(uuids)} tasks did not end within {_LIMIT:g} s")


def _latencies(client: Client, pattern: Pattern, count: int) -> list[float]:
    """Milliseconds from before the submit until the waiter has the task, one task at a time."""
    measured = []
    for _ in range(count):
        started = time.perf_counter()
        task = client.submit(pattern.namespace, pattern.template, pattern.context)
        client.wait(task.uuid, timeout=30)
        measured.append((time.perf_counter() - started) * 1000)
    return measured


def _row(
    pattern: Pattern, tasks: int, failed: int, throughputs: list[float], latencies: list[float]
) -> dict[str, Any]:
    middle = median(throughputs)
    latencies.sort()
    return {
        "pattern": pattern.name,
        "tasks": tasks,
        "success_rate": round(100 * (tasks - failed) / tasks, 2),
        "tasks_per_second": round(middle, 1),
        "steps_per_second": round(middle * pattern.steps, 1),
        "spread": round(100 * (max(throughputs) - min(throughputs)) / middle, 1),
        "p50_ms": percentile(latencies, 50),
        "p95_ms": percentile(latencies, 95),
        "p99_ms": percentile(latencies, 99),
    }
