"""tasker-mp itself, asked what its peers are asked."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import psycopg

from bench.patterns import PATTERNS
from bench.peers import conversation
from bench.peers.peer import PeerError
from bench.peers.session import Contender
from tasker_mp.client import Client, Submission
from tasker_mp.config import Config
from tasker_mp.db.connect import connect
from tasker_mp.system import bootstrap

NAME = "tasker-mp"
_LINEAR = PATTERNS["linear"]
_LAST = "linear_step_4"
_CHUNK = 1000
_LOOK = 0.02
_PATIENCE = 60.0


class OwnSession:
    """A running supervisor's client; made by `own_session`."""

    def __init__(self, client: Client, watcher: psycopg.Connection[Any]) -> None:
        self._client = client
        self._watcher = watcher
        self._limit = _PATIENCE
        self.versions: dict[str, str] = {}  # the environment names it

    def crowd(self) -> None:
        """It is the same for one and for many."""

    def ask(self, question: dict[str, int], limit: float) -> dict[str, Any]:
        self._limit = limit
        match question:
            case {"run": count}:
                return conversation.run(self, count)
            case {"singles": count}:
                return conversation.singles(self, count)
        raise AssertionError(question)

    def submit(self, count: int) -> list[UUID]:
        linear = Submission(
            namespace=_LINEAR.namespace, name=_LINEAR.template, context=_LINEAR.context
        )
        uuids: list[UUID] = []
        for start in range(0, count, _CHUNK):
            uuids += self._client.submit_many([linear] * min(_CHUNK, count - start))
        return uuids

    def wait(self, submitted: list[UUID]) -> list[UUID]:
        deadline = time.monotonic() + self._limit
        while self._ended(submitted) < len(submitted):
            if time.monotonic() > deadline:
                raise PeerError(f"did not end {len(submitted)} tasks within {self._limit:g} s")
            time.sleep(_LOOK)
        return submitted

    def _ended(self, tasks: list[UUID]) -> int:
        query = "select count(completed_at) from tasker.tasks where task_uuid = any (%s)"
        row = self._watcher.execute(query, (tasks,)).fetchone()
        assert row is not None
        return int(row[0])

    def results(self, ended: list[UUID]) -> list[int]:
        rows = self._watcher.execute(
            "select (result->>'result')::bigint from tasker.steps"
            " where task_uuid = any (%s) and name = %s and state = 'complete'",
            (ended, _LAST),
        )
        return [row[0] for row in rows]

    def single(self) -> Any:
        task = self._client.submit(_LINEAR.namespace, _LINEAR.template, _LINEAR.context)
        results = self._client.wait(task.uuid, timeout=_PATIENCE).results
        return results.get(_LAST, {}).get("result")


@contextmanager
def own_session(config: Config) -> Iterator[OwnSession]:
    with (
        bootstrap(config),
        Client(config.database.url, config=config) as client,
        connect(config.database.url) as watcher,
    ):
        yield OwnSession(client, watcher)


OWN = Contender(
    NAME,
    "a worker process a core, embedded configuration as it comes; many submitted by submit_many",
    "a commit with fsync for each batch of finished steps, and for each submit; every step's"
    " result and transitions are kept",
    own_session,
)
