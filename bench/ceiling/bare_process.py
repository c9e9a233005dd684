"""The bare loop as a process, started, asked and ended."""

import os
import select
import subprocess
import sys
from types import TracebackType
from typing import Self

import msgspec

from bench.ceiling.loop import Order
from bench.project import REPOSITORY
from tasker_mp.errors import EngineError

_LIMIT = 30.0


class BareProcess:
    """A context manager; ready once it is entered."""

    def __init__(self, order: Order) -> None:
        self._order = order
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "bench.ceiling.loop"],
            cwd=REPOSITORY,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,  # a Ctrl-C in the terminal is not meant for it
        )
        try:
            self._ask(msgspec.json.encode(self._order) + b"\n")
        except BaseException:
            self._end()
            raise
        return self

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def steps(self) -> int:
        """Finished so far."""
        return self._ask(b"\n")

    def _ask(self, line: bytes) -> int:
        process = self._process
        assert process is not None
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            os.write(process.stdin.fileno(), line)
        except BrokenPipeError:
            raise EngineError("the bare loop has ended: what it said is above") from None
        poll = select.poll()
        poll.register(process.stdout, select.POLLIN)
        if not poll.poll(_LIMIT * 1000):
            raise EngineError(f"the bare loop did not answer within {_LIMIT:g} s")
        answer = process.stdout.readline()
        if not answer:
            raise EngineError("the bare loop has ended: what it said is above")
        return int(answer)

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.close()
        try:
            process.wait(_LIMIT)
        except BaseException:
            process.kill()
            process.wait()
            raise
        finally:
            process.stdout.close()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._end()
