"""Procrastinate: four jobs, each of which defers the next one, since it has no workflows."""

import asyncio
from collections.abc import Sequence
from typing import Any

import psycopg
from procrastinate import App, PsycopgConnector, SyncPsycopgConnector

from bench.peers.conversation import NUMBER, Settings, play, say, until

_CONCURRENCY = 20
_FALLBACK = 0.05  # a notification during a fetch is lost
_POLL = 0.001
_LOOK = 0.02


def application(connector: Any) -> App:
    """The tasks; what a step has found out is the argument of the next one."""
    app = App(connector=connector)

    @app.task(name="step_1")
    async def step_1(number: int) -> None:
        await step_2.defer_async(number=number * number)

    @app.task(name="step_2")
    async def step_2(number: int) -> None:
        await step_3.defer_async(number=number * number)

    @app.task(name="step_3")
    async def step_3(number: int) -> None:
        await step_4.defer_async(number=number * number)

    @app.task(name="step_4")
    async def step_4(number: int) -> int:
        return number

    return app


def prepare(settings: Settings) -> None:
    with application(SyncPsycopgConnector(conninfo=settings.dsn)).open() as app:
        app.schema_manager.apply_schema()


def work(settings: Settings) -> None:
    asyncio.run(_work(settings))


async def _work(settings: Settings) -> None:
    size = _CONCURRENCY + 2  # one listens, one is for the heartbeat
    connector = PsycopgConnector(conninfo=settings.dsn, min_size=2, max_size=size)
    async with application(connector).open_async() as app:
        say({"ready": True})
        await app.run_worker_async(
            concurrency=_CONCURRENCY,
            listen_notify=True,
            fetch_job_polling_interval=_FALLBACK,
        )


class Client:
    """Defers by the library, which keeps no results: the last job's row has them."""

    def __init__(self, settings: Settings) -> None:
        self._app = application(SyncPsycopgConnector(conninfo=settings.dsn))
        self._app.open()
        self._connection = psycopg.connect(settings.dsn, autocommit=True)

    def submit(self, count: int) -> list[int]:
        first = self._app.tasks["step_1"]
        return list(first.batch_defer(*[{"number": NUMBER}] * count))

    def wait(self, submitted: list[int]) -> list[int]:
        until(lambda: len(self._last_steps(submitted)) == len(submitted) or None, _LOOK)
        return submitted

    def _last_steps(self, submitted: list[int]) -> list[int]:
        """The argument of each that is done; there are no other tasks than ours meanwhile."""
        rows = self._connection.execute(
            "select (args->>'number')::bigint from procrastinate_jobs"
            " where id > %s and task_name = 'step_4' and status = 'succeeded'",
            (min(submitted),),
        )
        return [row[0] for row in rows]

    def results(self, ended: list[int]) -> Sequence[int]:
        return self._last_steps(ended)

    def single(self) -> int:
        submitted = self.submit(1)
        return until(lambda: self._last_steps(submitted) or None, _POLL)[0]


if __name__ == "__main__":
    play({"prepare": prepare, "work": work}, Client, ["procrastinate"])
