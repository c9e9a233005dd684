"""The supervisor's end of the zygote: starts it, waits until it is ready, asks it for workers."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
from contextlib import suppress

import msgspec

from tasker_mp.errors import EngineError
from tasker_mp.worker.settings import (
    ForkedWorker,
    ForkRequest,
    WorkerSettings,
    ZygoteMessage,
    ZygoteReady,
)

_MESSAGE_BYTES = 1 << 20
_BOOT_LIMIT = 60.0
_DEATH_LIMIT = 2.0


class ZygoteProcess:
    """A running zygote; dropped and started anew when it dies, its workers live on."""

    def __init__(self, settings: WorkerSettings) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tasker_mp.worker.zygote", str(theirs.fileno())],
                stdin=subprocess.PIPE,
                stdout=sys.stderr.fileno(),  # what handlers print is for people, never data
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )
        assert self._process.stdin is not None
        # Killed before it has read them, it is found dead by whoever waits for it next.
        with suppress(BrokenPipeError), self._process.stdin as stdin:
            stdin.write(msgspec.json.encode(settings))
        self._socket = ours
        self._socket.setblocking(False)
        self._answered = asyncio.Event()
        self.pid = self._process.pid
        self.pidfd = os.pidfd_open(self.pid)

    async def ready(self) -> ZygoteReady:
        """Wait until the handlers are loaded; `EngineError` where the zygote dies over it."""
        message = await self._receive("load the handlers")
        if not isinstance(message, ZygoteReady):
            raise EngineError(f"the zygote said {message!r} before it was ready")
        return message

    async def fork(self, request: ForkRequest, fds: list[int]) -> ForkedWorker:
        """A new worker, which holds its own copies of the descriptors by then."""
        try:
            socket.send_fds(self._socket, [msgspec.json.encode(request)], fds)
        except OSError as error:
            raise EngineError(f"the zygote (pid {self.pid}) cannot be asked: {error}") from error
        message = await self._receive("fork a worker")
        if not isinstance(message, ForkedWorker) or message.epoch != request.epoch:
            raise EngineError(f"the zygote answered {message!r} to {request!r}")
        return message

    async def _receive(self, what: str) -> ZygoteMessage:
        loop = asyncio.get_running_loop()
        loop.add_reader(self._socket.fileno(), self._answered.set)
        try:
            async with asyncio.timeout(_BOOT_LIMIT):
                await self._answered.wait()
        except TimeoutError:
            raise EngineError(
                f"the zygote (pid {self.pid}) did not {what} within {_BOOT_LIMIT:g} s"
            ) from None
        finally:
            self._ignore_answers()
        encoded = self._read()
        if not encoded:
            raise EngineError(f"the zygote (pid {self.pid}) died: {self.reap()}")
        message: ZygoteMessage = msgspec.json.decode(encoded, type=ZygoteMessage)
        return message

    def _read(self) -> bytes:
        """The answer; empty where the zygote is dead, or was noticed to be and hung up on."""
        self._answered.clear()
        try:
            return self._socket.recv(_MESSAGE_BYTES)
        except OSError:
            return b""

    def _ignore_answers(self) -> None:
        if self._socket.fileno() >= 0:
            asyncio.get_running_loop().remove_reader(self._socket.fileno())

    def reap(self) -> str:
        """Wait for the dying process; how it ended, in words."""
        try:
            return exit_reason(self._process.wait(_DEATH_LIMIT))
        except subprocess.TimeoutExpired:  # it hung up, and lives
            self._process.kill()
            return exit_reason(self._process.wait())

    def kill(self) -> None:
        self._process.kill()

    def close(self) -> None:
        """Hang up: the zygote leaves by itself; reaped here so that nothing is left behind.

        Whoever waits for an answer is told: a child of a dead zygote may hold its end open.
        """
        self._ignore_answers()
        self._answered.set()
        self._socket.close()
        try:
            self._process.wait(_DEATH_LIMIT)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        os.close(self.pidfd)


def exit_reason(code: int) -> str:
    """A wait status in words; a negative code is a signal's number, as `subprocess` has it."""
    if code >= 0:
        return f"exit status {code}"
    try:
        return f"killed by {signal.Signals(-code).name}"
    except ValueError:
        return f"killed by signal {-code}"
