"""A client that submits what the schedule says, and tries again until every answer is known."""

import threading
import time
from collections.abc import Sequence
from typing import Final
from uuid import UUID

from tasker_mp.client import Client
from tasker_mp.config import Config
from tasker_mp.errors import TemplateNotFoundError, UnreachableError
from tools.chaos.schedule import Burst
from tools.chaos.workload import submission

_RETRY_SECONDS: Final = 0.1


class Submitter(threading.Thread):
    """`accepted` holds the UUIDs that the system has acknowledged, and no others.

    `lost_answers` counts submits that had to be
    repeated under the same idempotency keys.
    """

    def __init__(self, seed: int, bursts: Sequence[Burst], dsn: str, config: Config) -> None:
        super().__init__(name="submitter", daemon=True)
        self._seed = seed
        self._bursts = bursts
        self._dsn = dsn
        self._config = config
        self._client: Client | None = None
        self._cancelled = threading.Event()
        self._next = 0
        self.accepted: list[UUID] = []
        self.lost_answers = 0
        self.error: Exception | None = None

    def run(self) -> None:
        began = time.monotonic()
        try:
            for burst in self._bursts:
                if self._cancelled.wait(max(0.0, began + burst.at - time.monotonic())):
                    break
                self._submit(burst.tasks)
        except Exception as error:
            self.error = error
        finally:
            self._close()

    def cancel(self) -> None:
        self._cancelled.set()

    def _submit(self, tasks: int) -> None:
        numbers = range(self._next, self._next + tasks)
        self._next += tasks
        batch = [submission(self._seed, number) for number in numbers]
        while not self._cancelled.is_set():
            try:
                self.accepted += self._connected().submit_many(batch)
            except (UnreachableError, TemplateNotFoundError):  # registered by the first supervisor
                self.lost_answers += 1
                self._close()
                self._cancelled.wait(_RETRY_SECONDS)
            else:
                return

    def _connected(self) -> Client:
        if self._client is None:
            self._client = Client(self._dsn, config=self._config)
        return self._client

    def _close(self) -> None:
        if self._client is not None:
            self._client.close()
            self._client = None
