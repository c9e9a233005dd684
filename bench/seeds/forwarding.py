"""From the commit of a claim until its handler is entered, on an idle system.

The server says when a transaction was committed where `track_commit_timestamp` is on, so this has a
server of its own; the handler says when it was entered. Nothing of the engine's own clocks is used.
"""

import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID

from msgspec.structs import replace

from bench import steps
from bench.project import Served, serving, step, write_project
from tasker_mp.config import Config, TemplatesConfig
from tasker_mp.db.embedded import EmbeddedServer
from tasker_mp.errors import EngineError

_NAMESPACE = "bench_forwarding"
_NAME = "stamps"
_FIRST, _SECOND = "first", "second"
_HELD = 0.015
"""Seconds that a step stays in progress, for its row to be seen as the claim has left it."""
_LOOK_AFTER = 0.005
"""By then the handler runs, and the look disturbs nothing."""
_POLL = 0.001
_LIMIT = 30.0
_COMMITTED = (
    "select state, (extract(epoch from pg_xact_commit_timestamp(xmin)) * 1000000000)::bigint"
    " from tasker.steps where task_uuid = %s and step_no = %s"
)


class Forwarding(NamedTuple):
    """Milliseconds from a commit to a handler: of a step claimed from its queue; and of the step
    behind it, which the commit of the first one's result claims (its WAL flush is in it)."""

    claimed: float
    continued: float


@contextmanager
def forwarding_system(config: Config) -> Iterator[Served]:
    """A supervisor on a server of its own; both are gone with the block."""
    with ExitStack() as stack:
        root = Path(tempfile.mkdtemp(prefix="tasker-mp-bench-"))
        stack.callback(shutil.rmtree, root)
        root.chmod(0o711)  # as root, the account of the embedded server passes through
        write_project(root, steps, [_template()])
        server = EmbeddedServer(root, settings={"track_commit_timestamp": "on"})
        stack.callback(server.reset)
        url = stack.enter_context(server.lease())
        database = replace(config.database, url=url)
        own = replace(config, root=root, database=database, templates=TemplatesConfig())
        yield stack.enter_context(serving(own))


def _template() -> dict[str, Any]:
    chain = [step("stamp", name=_FIRST), step("stamp", _FIRST, name=_SECOND)]
    return {"name": _NAME, "namespace_name": _NAMESPACE, "version": "1.0.0", "steps": chain}


def forwardings(served: Served, count: int) -> list[Forwarding]:
    """So many, one task at a time; those that were not seen in time are left out, half at most."""
    found = [sample for _ in range(count) if (sample := _sample(served)) is not None]
    if len(found) * 2 < count:
        raise EngineError(f"only {len(found)} of {count} steps were seen while they ran")
    return found


def _sample(served: Served) -> Forwarding | None:
    task = served.client.submit(_NAMESPACE, _NAME, {"seconds": _HELD}).uuid
    committed = [_committed(served, task, number) for number in (1, 2)]
    ended = served.client.wait(task, timeout=_LIMIT)
    entered = {step.name: step.result["result"] for step in ended.steps if step.result}
    first, second = committed
    if first is None or second is None or len(entered) < 2:
        return None
    return Forwarding((entered[_FIRST] - first) / 1e6, (entered[_SECOND] - second) / 1e6)


def _committed(served: Served, task: UUID, step_no: int) -> int | None:
    """When the transaction was committed that claimed the step, in nanoseconds since the epoch;
    None where the step had ended before anybody looked."""
    deadline = time.monotonic() + _LIMIT
    time.sleep(_LOOK_AFTER)
    while time.monotonic() < deadline:
        row = served.connection.execute(_COMMITTED, (task, step_no), prepare=True).fetchone()
        assert row is not None
        state, committed = row
        if state == "in_progress":
            return int(committed)
        if state not in ("pending", "enqueued"):
            return None
        time.sleep(_POLL)
    raise EngineError(f"a step did not start within {_LIMIT:g} s")
