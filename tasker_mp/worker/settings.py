"""What the supervisor tells the zygote and its workers when it starts them."""

import signal
from typing import Final

from msgspec import Struct

from tasker_mp.template.model import HandlerDefinition

EXIT_EVENT: Final = bytes(16)
"""The event id of the record that asks a worker to finish what it has and exit."""

STACK_SIGNAL: Final = signal.SIGUSR2
"""Asks a worker to write its Python stacks to the stack file."""


class WorkerSettings(Struct, frozen=True):
    """The same for every worker of a supervisor; sizes in bytes, `timeout` (of a step whose
    template names none) in seconds."""

    supervisor_pid: int
    worker_id: str
    root: str
    handler_packages: tuple[str, ...]
    handlers: tuple[HandlerDefinition, ...]
    transport: str
    capacity_bytes: int
    max_payload_bytes: int
    log_level: str = "info"
    log_format: str = "console"
    async_concurrency: int = 100
    thread_concurrency: int = 8
    timeout: float = 30.0


class ForkRequest(Struct, frozen=True):
    """Asks for a worker; its descriptors follow: requests, results, page, gate, stack file, stdout,
    stderr."""

    index: int
    epoch: int
    request_fds: int
    result_fds: int


class ZygoteReady(Struct, frozen=True, tag=True):
    """The handlers are loaded; `problems` names those that could not be, and why. `subscribers` are
    the modules that the supervisor imports for those that it tells of domain events."""

    registered: int
    problems: list[str]
    subscribers: list[str] = []


class ForkedWorker(Struct, frozen=True, tag=True):
    index: int
    epoch: int
    pid: int


ZygoteMessage = ZygoteReady | ForkedWorker
