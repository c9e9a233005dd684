"""Celery: a chain of four tasks over Redis."""

from collections.abc import Sequence
from typing import Any

from celery import Celery, chain
from celery.result import AsyncResult
from celery.signals import worker_ready

from bench.peers.conversation import LIMIT, NUMBER, Settings, play, say

_PREFETCH = 64


def application(settings: Settings) -> Celery:
    app = Celery("measured")
    app.conf.update(
        broker_url=f"redis+socket://{settings.socket}?virtual_host=0",
        result_backend=f"redis+socket://{settings.socket}?virtual_host=1",
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        worker_prefetch_multiplier=_PREFETCH,
        worker_concurrency=settings.cores,
        broker_connection_retry_on_startup=True,
    )
    for name in ("step_1", "step_2", "step_3"):
        app.task(name=name, ignore_result=True)(square)
    app.task(name="step_4")(hand_on)
    return app


def square(number: int) -> int:
    return number * number


def hand_on(number: int) -> int:
    return number


def work(settings: Settings) -> None:
    app = application(settings)
    worker_ready.connect(lambda **_: say({"ready": True}), weak=False)
    lean = ["--without-gossip", "--without-mingle", "--without-heartbeat"]
    app.worker_main(["worker", "--pool=prefork", "--loglevel=ERROR", *lean])


class Client:
    """Sends chains; the result backend tells of their ends."""

    def __init__(self, settings: Settings) -> None:
        app = application(settings)
        first, *others = (app.tasks[f"step_{number}"] for number in range(1, 5))
        self._chain = chain(first.s(NUMBER), *(task.s() for task in others))

    def submit(self, count: int) -> list[AsyncResult]:
        return [self._chain.apply_async() for _ in range(count)]

    def wait(self, submitted: list[AsyncResult]) -> list[Any]:
        return [result.get(timeout=LIMIT) for result in submitted]

    def results(self, ended: list[Any]) -> Sequence[Any]:
        return ended

    def single(self) -> Any:
        return self._chain.apply_async().get(timeout=LIMIT)


if __name__ == "__main__":
    play({"work": work}, Client, ["celery", "redis"])
