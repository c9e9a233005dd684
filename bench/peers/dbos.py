"""DBOS: a workflow of four steps, from its queue or started where the result is wanted."""

import os
import sys
import threading
from collections.abc import Sequence
from typing import Any

import sqlalchemy
from dbos import DBOS, DBOSClient, DBOSConfig, EnqueueOptions

from bench.peers.conversation import NUMBER, Settings, play, say, until

_QUEUE = "measured"
_WORKFLOW = "linear"
_VERSION = "1"
_WORKER_CONCURRENCY = 32
_POLL = 0.01
_LOOK = 0.02


@DBOS.step()
def square_1(number: int) -> int:
    return number * number


@DBOS.step()
def square_2(number: int) -> int:
    return number * number


@DBOS.step()
def square_3(number: int) -> int:
    return number * number


@DBOS.step()
def hand_on(number: int) -> int:
    return number


@DBOS.workflow(name=_WORKFLOW)
def linear(number: int) -> int:
    result: int = hand_on(square_3(square_2(square_1(number))))
    return result


def _launch(settings: Settings, *queues: str) -> None:
    config: DBOSConfig = {
        "name": "measured",
        "system_database_url": settings.dsn,
        "application_version": _VERSION,
        "executor_id": str(os.getpid()),
        "log_level": "ERROR",
    }
    DBOS(config=config)
    DBOS.listen_queues(queues)
    DBOS.launch()


def prepare(settings: Settings) -> None:
    _launch(settings)
    DBOS.register_queue(_QUEUE, worker_concurrency=_WORKER_CONCURRENCY, polling_interval_sec=_POLL)
    DBOS.destroy()


def work(settings: Settings) -> None:
    _launch(settings, _QUEUE)
    say({"ready": True})
    threading.Event().wait()


class QueueClient:
    """Enqueues, many in one transaction, for the worker processes."""

    def __init__(self, settings: Settings) -> None:
        self._engine = sqlalchemy.create_engine(
            settings.dsn.replace("postgresql://", "postgresql+psycopg://", 1)
        )
        self._client = DBOSClient(system_database_url=settings.dsn)
        self._options: EnqueueOptions = {
            "queue_name": _QUEUE,
            "workflow_name": _WORKFLOW,
            "app_version": _VERSION,
        }

    def submit(self, count: int) -> list[Any]:
        enqueue = self._client.enqueue_in_transaction
        with self._engine.begin() as connection:
            return [enqueue(connection, self._options, NUMBER) for _ in range(count)]

    def wait(self, submitted: list[Any]) -> list[Any]:
        ids = [handle.workflow_id for handle in submitted]
        with self._engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            until(lambda: _ended(connection, ids) == len(ids) or None, _LOOK)
        return submitted

    def results(self, ended: list[Any]) -> Sequence[Any]:
        return [handle.get_result() for handle in ended]

    def single(self) -> Any:
        return self._client.enqueue(self._options, NUMBER).get_result(polling_interval_sec=0.001)


def _ended(connection: Any, ids: list[str]) -> int:
    # One query for all of them: a handle asks for itself.
    query = sqlalchemy.text(
        "select count(*) from dbos.workflow_status where workflow_uuid = any (:ids)"
        " and status not in ('ENQUEUED', 'PENDING', 'DELAYED')"
    )
    return int(connection.execute(query, {"ids": ids}).scalar_one())


class InlineClient:
    """Starts workflows where it is, on DBOS' own threads; the database is still what remembers."""

    def __init__(self, settings: Settings) -> None:
        _launch(settings)

    def submit(self, count: int) -> list[Any]:
        return [DBOS.start_workflow(linear, NUMBER) for _ in range(count)]

    def wait(self, submitted: list[Any]) -> list[Any]:
        return [handle.get_result() for handle in submitted]

    def results(self, ended: list[Any]) -> Sequence[Any]:
        return ended

    def single(self) -> Any:
        return DBOS.start_workflow(linear, NUMBER).get_result()


if __name__ == "__main__":
    client = InlineClient if "inline" in sys.argv else QueueClient
    play({"prepare": prepare, "work": work}, client, ["dbos"])
