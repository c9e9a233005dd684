"""A supervisor in another process's care: started, watched and stopped from Python."""

import atexit
import os
import signal
import subprocess
import sys
import weakref
from collections.abc import Callable
from contextlib import ExitStack, suppress
from types import TracebackType
from typing import Any, Self

import msgspec

from tasker_mp.config import Config, load_config
from tasker_mp.control import Command, ask
from tasker_mp.engine.runtime import RuntimeDirectory
from tasker_mp.errors import EngineError, InvalidInputError, UnreachableError

_READY = b"ready\n"
_ERRORS = {kind.exit_code: kind for kind in (InvalidInputError, UnreachableError)}
_STOP_MARGIN = 15.0


class System:
    """A running supervisor; made by `bootstrap`, used as a context manager or stopped by hand."""

    def __init__(self, config: Config, *, strict: bool = False, stderr: int | None = None) -> None:
        self.config = config
        self._callbacks = ExitStack()
        self._stopped = False
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tasker_mp.engine.run", *(["--strict"] if strict else [])],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr,
            start_new_session=True,  # a Ctrl-C in the terminal is this process's to pass on
        )
        atexit.register(self.stop)
        itself = weakref.ref(self)
        os.register_at_fork(after_in_child=lambda: _disown(itself()))
        self._await_ready()

    @property
    def pid(self) -> int:
        return self._process.pid

    def _await_ready(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with suppress(BrokenPipeError):  # dead already: no answer says so
            self._process.stdin.write(msgspec.json.encode(self.config, enc_hook=str) + b"\n")
            self._process.stdin.flush()  # and kept open: its end is this process's
        if self._process.stdout.readline() != _READY:
            code = self._process.wait()
            self._finish()
            kind = _ERRORS.get(code, EngineError)
            raise kind("the supervisor could not start; what it said is above")

    def is_running(self) -> bool:
        return self._process.poll() is None

    @property
    def exit_code(self) -> int | None:
        """None while it runs; negative where a signal killed it."""
        return self._process.poll()

    def status(self) -> dict[str, Any]:
        """The document of `tasker-mp status --json`."""
        if not self.is_running():
            return {"running": False, "error": "the supervisor has stopped"}
        try:
            return ask(RuntimeDirectory(self.config.root).control_socket, Command("status"))
        except UnreachableError as error:
            return {"running": False, "error": str(error)}

    def on_shutdown(self, callback: Callable[[], object]) -> None:
        """Have `callback()` called once the supervisor has stopped; the last one added first.

        It is called by `stop`, also where the supervisor was dead before. All are called, whatever
        one of them raises; that is raised in the end.
        """
        self._callbacks.callback(callback)

    def transition_to_graceful_shutdown(self) -> None:
        """Ask the supervisor to drain; `stop` waits for it."""
        if self.is_running():
            self._process.send_signal(signal.SIGTERM)

    def stop(self, timeout: float | None = None) -> None:
        """Drain and stop, within `timeout` seconds or else at once; a second call is harmless."""
        if self._stopped:
            return
        limit = self.config.worker.drain_timeout + _STOP_MARGIN if timeout is None else timeout
        self.transition_to_graceful_shutdown()
        try:
            self._process.wait(limit)
        except subprocess.TimeoutExpired:
            self._stop_at_once()
        self._finish()

    def _stop_at_once(self) -> None:
        with suppress(UnreachableError):  # a second signal could be one with the first
            ask(RuntimeDirectory(self.config.root).control_socket, Command("kill"))
        try:
            self._process.wait(_STOP_MARGIN)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _finish(self) -> None:
        self._hang_up()
        self._callbacks.close()

    def _hang_up(self) -> None:
        self._stopped = True
        atexit.unregister(self.stop)
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with suppress(BrokenPipeError):
                    pipe.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()


def _disown(system: System | None) -> None:
    """In a forked child: the supervisor is its parent's, to stop and to keep alive."""
    if system is not None:
        system._hang_up()


def bootstrap(
    config: Config | None = None, *, strict: bool = False, stderr: int | None = None
) -> System:
    """Start a supervisor in a process of its own and return once it is ready.

    `strict` has it refuse a bad template or handler; `stderr` is a descriptor for what it says.
    `EngineError` where it cannot start. It stops when this process ends, however that happens.
    """
    return System(config or load_config(), strict=strict, stderr=stderr)
