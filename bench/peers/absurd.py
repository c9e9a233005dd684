"""Absurd: a task of four checkpointed steps, by `absurd_sdk`."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
from absurd_sdk import Absurd, TaskContext

from bench.peers.conversation import NUMBER, Settings, play, say, until

_QUEUE = "measured"
_TASK = "linear"
_BATCH = 16
_POLL = 0.001
_LOOK = 0.02


def linear(params: dict[str, int], context: TaskContext) -> int:
    first = params["even_number"]
    second: int = context.step("step_1", lambda: first * first)
    third: int = context.step("step_2", lambda: second * second)
    fourth: int = context.step("step_3", lambda: third * third)
    result: int = context.step("step_4", lambda: fourth)
    return result


def prepare(settings: Settings) -> None:
    command = str(Path(sys.executable).with_name("absurdctl"))
    for arguments in (("init",), ("create-queue", _QUEUE)):
        subprocess.run(
            [command, *arguments, "--database", settings.dsn], check=True, stdout=sys.stderr
        )


def work(settings: Settings) -> None:
    app = Absurd(settings.dsn, queue_name=_QUEUE)
    app.register_task(_TASK)(linear)
    say({"ready": True})
    app.start_worker(batch_size=_BATCH, poll_interval=_POLL)


class Client:
    """Spawns by the SDK; many in one transaction, since the SDK takes a connection of ours."""

    def __init__(self, settings: Settings) -> None:
        self._connection = psycopg.connect(settings.dsn, autocommit=True)
        self._app = Absurd(self._connection, queue_name=_QUEUE)

    def submit(self, count: int) -> list[UUID]:
        with self._connection.transaction():
            return [self._spawn() for _ in range(count)]

    def _spawn(self) -> UUID:
        task = self._app.spawn(_TASK, {"even_number": NUMBER}, queue=_QUEUE)["task_id"]
        return UUID(str(task))

    def wait(self, submitted: list[UUID]) -> list[UUID]:
        until(lambda: self._ended(submitted) == len(submitted) or None, _LOOK)
        return submitted

    def _ended(self, tasks: list[UUID]) -> int:
        # One query for all of them: the SDK asks for each.
        row = self._connection.execute(
            f"select count(*) from absurd.t_{_QUEUE} where task_id = any (%s)"
            " and state in ('completed', 'failed', 'cancelled')",
            (tasks,),
        ).fetchone()
        assert row is not None
        return int(row[0])

    def results(self, ended: Sequence[UUID]) -> list[Any]:
        return [self._result(task) for task in ended]

    def single(self) -> Any:
        task = self._spawn()
        return until(lambda: self._result(task), _POLL)

    def _result(self, task: UUID) -> Any:
        snapshot = self._app.fetch_task_result(str(task))
        return snapshot.result if snapshot and snapshot.state == "completed" else None


if __name__ == "__main__":
    play({"prepare": prepare, "work": work}, Client, ["absurd-sdk", "absurdctl"])
