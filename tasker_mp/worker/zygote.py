"""The zygote: imports the handlers once, then forks workers that share the memory of it.

    python -m tasker_mp.worker.zygote FD       settings on stdin, fork requests on socket FD

A worker is forked twice, so that it is the supervisor's child (a subreaper's orphan) and its death
is the supervisor's to see, whatever becomes of the zygote.
"""

import faulthandler
import gc
import logging
import os
import signal
import socket
import sys
import time
from contextlib import suppress
from typing import NoReturn

import msgspec

from tasker_mp import process, transport
from tasker_mp.domain_events.discovery import register_publishers, subscriber_modules
from tasker_mp.errors import EngineError, HandlerLoadError
from tasker_mp.event_bridge import EventBridge
from tasker_mp.registry import HandlerRegistry
from tasker_mp.worker.company import Limits
from tasker_mp.worker.gate import Gate
from tasker_mp.worker.main import Worker
from tasker_mp.worker.output import Output
from tasker_mp.worker.page import WorkerPage
from tasker_mp.worker.settings import (
    STACK_SIGNAL,
    ForkedWorker,
    ForkRequest,
    WorkerSettings,
    ZygoteMessage,
    ZygoteReady,
)

_MESSAGE_BYTES = 1 << 16
_MAX_FDS = 32
_OWNER_LIMIT = 2.0


class _UnwatchedError(EngineError):
    """This worker is nobody's: nothing that it could do would be seen."""


def main() -> None:
    """Load the handlers, say so, and fork until the supervisor hangs up."""
    text = sys.stdin.buffer.read()
    if not text:
        return  # the supervisor died before it could say what for
    settings = msgspec.json.decode(text, type=WorkerSettings)
    process.die_with_parent(settings.supervisor_pid)
    process.set_title(f"zygote of {settings.worker_id}")
    control = socket.socket(fileno=int(sys.argv[1]))
    output = Output(settings.log_format, settings.log_level, worker_id=settings.worker_id)
    output.install()
    sys.path.insert(0, settings.root)
    EventBridge.instance().start()  # a handler's module may listen from its import on
    registry, problems = _load_handlers(settings)
    problems += register_publishers(settings.handler_packages)
    subscribers = subscriber_modules(settings.handler_packages)
    output.settle(idle=True)  # or every worker would print its copy of the rest
    # What lives now lives as long as the process: out of the collector's sight, its pages are not
    # written by a collection and stay shared with every worker.
    gc.collect()
    gc.freeze()
    with suppress(ConnectionResetError, BrokenPipeError):  # the supervisor died in between
        _send(control, ZygoteReady(len(registry.registered_handlers()), problems, subscribers))
        _serve(control, settings, registry, output)


def _serve(
    control: socket.socket, settings: WorkerSettings, registry: HandlerRegistry, output: Output
) -> None:
    """Fork on request, until the supervisor hangs up."""
    while True:
        message, fds, _, _ = socket.recv_fds(
            control, _MESSAGE_BYTES, _MAX_FDS, socket.MSG_CMSG_CLOEXEC
        )
        if not message:
            return
        request = msgspec.json.decode(message, type=ForkRequest)
        pid = _fork_worker(request, fds, settings, registry, control, output)
        for fd in fds:
            os.close(fd)
        _send(control, ForkedWorker(request.index, request.epoch, pid))


def _load_handlers(settings: WorkerSettings) -> tuple[HandlerRegistry, list[str]]:
    registry = HandlerRegistry(settings.handler_packages).as_instance()
    problems = []
    for package in settings.handler_packages:
        try:
            registry.discover_handlers(package)
        except HandlerLoadError as error:
            problems.append(str(error))
    for definition in settings.handlers:
        try:
            registry.resolve(definition)
        except HandlerLoadError as error:
            problems.append(str(error))
    return registry, problems


def _send(control: socket.socket, message: ZygoteMessage) -> None:
    control.send(msgspec.json.encode(message))


def _fork_worker(
    request: ForkRequest,
    fds: list[int],
    settings: WorkerSettings,
    registry: HandlerRegistry,
    control: socket.socket,
    output: Output,
) -> int:
    """Fork a child that forks the worker and exits; the worker's pid comes back by a pipe."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        between = os.getpid()
        grandchild = os.fork()
        if grandchild == 0:
            os.close(reader)
            os.close(writer)
            control.close()
            _become_worker(request, fds, settings, registry, between, output)
        os.write(writer, str(grandchild).encode())
        os._exit(0)
    os.close(writer)
    told = os.read(reader, 32)
    if not told:
        sys.exit("the process that was to fork a worker has died")
    pid = int(told)
    os.close(reader)
    os.waitpid(child, 0)
    return pid


def _become_worker(
    request: ForkRequest,
    fds: list[int],
    settings: WorkerSettings,
    registry: HandlerRegistry,
    parent: int,
    output: Output,
) -> NoReturn:
    """Run as a worker until told to exit; never returns into the zygote's code."""
    status = 1
    try:
        os.setpgid(0, 0)  # a deadline kills the whole group: the worker and what its handler forks
        _await_adoption(parent, settings.supervisor_pid)
        process.set_title(f"worker {request.index} of {settings.worker_id}")
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        # Written in the signal handler itself, so it works whatever the interpreter is doing.
        *_, stack_fd, stdout_fd, stderr_fd = fds
        faulthandler.register(STACK_SIGNAL, file=stack_fd, all_threads=True)
        output.bind(worker=request.index, pid=os.getpid())
        _send_output(stdout_fd, stderr_fd)
        _worker(request, fds, settings, registry, output).run()
        status = 0
    except _UnwatchedError as error:
        logging.getLogger("tasker_mp.worker").warning("worker %d leaves: %s", request.index, error)
    except BaseException:
        logging.getLogger("tasker_mp.worker").exception("worker %d failed", request.index)
    finally:
        logging.shutdown()
        os._exit(status)


def _send_output(*pipes: int) -> None:
    """What is written past Python goes to the supervisor: it may outlive this worker's step."""
    for fd, pipe in enumerate(pipes, 1):
        os.dup2(pipe, fd)
        os.close(pipe)


def _await_adoption(parent: int, supervisor_pid: int) -> None:
    """Wait until the intermediate parent is gone and the supervisor has taken this process over.

    The death signal belongs to the parent of the moment, so it is armed only after that.
    """
    while os.getppid() == parent:
        time.sleep(0.0002)
    process.die_with_parent(supervisor_pid)


def _await_owner(page: WorkerPage) -> None:
    """Wait until the supervisor watches this process; it has never heard of it, and never will,
    where the zygote died before it could tell."""
    limit = time.monotonic() + _OWNER_LIMIT
    while not page.adopted:
        if time.monotonic() > limit:
            raise _UnwatchedError("nobody watches it: its zygote died before it could tell of it")
        time.sleep(0.0002)


def _worker(
    request: ForkRequest,
    fds: list[int],
    settings: WorkerSettings,
    registry: HandlerRegistry,
    output: Output,
) -> Worker:
    results_at = request.request_fds
    page_at = results_at + request.result_fds
    page = WorkerPage(fds[page_at])
    _await_owner(page)
    sizes = (settings.capacity_bytes, settings.max_payload_bytes)
    return Worker(
        transport.attach_reader(settings.transport, fds[:results_at], *sizes),
        transport.attach_writer(settings.transport, fds[results_at:page_at], *sizes),
        page,
        Gate(fds[page_at + 1]),
        registry,
        settings.max_payload_bytes,
        output,
        Limits(settings.async_concurrency, settings.thread_concurrency, settings.timeout),
        settings.worker_id,
    )


if __name__ == "__main__":
    main()
