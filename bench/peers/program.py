"""A process of a peer's: it is spoken to with a time limit, and killed in the end."""

import json
import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from bench.peers.peer import PeerError

REPOSITORY = Path(__file__).parents[2]
_LONGEST = 160
_PIECE = 65536


def mortal() -> list[str]:
    """What stands before a command that is not to outlive the bench; it runs in `REPOSITORY`."""
    return [sys.executable, "-m", "bench.peers.mortal", str(os.getpid())]


class Program:
    """`command` runs in the repository's folder, in a session of its own; `log` has its stderr."""

    def __init__(self, command: Sequence[str], settings: Mapping[str, Any], log: Path) -> None:
        self._log = log
        self._said = b""
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "TASKER_"))}
        with log.open("wb") as errors:
            self._process = subprocess.Popen(
                [*mortal(), *command],
                cwd=REPOSITORY,
                env=kept | {"PYTHONDONTWRITEBYTECODE": "1"},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                start_new_session=True,  # a Ctrl-C in the terminal is not meant for it
            )
        self._tell(settings)

    def ask(self, question: Mapping[str, Any], limit: float) -> dict[str, Any]:
        """Its answer; `PeerError` if none comes within so many seconds."""
        self._tell(question)
        return self.hear(limit)

    def _tell(self, document: Mapping[str, Any]) -> None:
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):  # it is dead: whoever listens next finds out
            self._process.stdin.write(json.dumps(document).encode() + b"\n")
            self._process.stdin.flush()

    def hear(self, limit: float) -> dict[str, Any]:
        """The next line that it says."""
        line = self._line(time.monotonic() + limit, limit)
        try:
            document = json.loads(line)
        except ValueError:
            document = None
        if not isinstance(document, dict):
            raise PeerError(
                f"said {line[:_LONGEST].decode(errors='replace')!r}, which is no answer"
            )
        return document

    def _line(self, deadline: float, limit: float) -> bytes:
        assert self._process.stdout is not None
        with selectors.DefaultSelector() as selector:
            selector.register(self._process.stdout, selectors.EVENT_READ)
            while b"\n" not in self._said:
                if not selector.select(max(0.0, deadline - time.monotonic())):
                    raise PeerError(f"did not answer within {limit:g} s")
                piece = os.read(self._process.stdout.fileno(), _PIECE)
                if not piece:
                    raise PeerError(self._end())
                self._said += piece
        line, _, self._said = self._said.partition(b"\n")
        return line

    def finish(self, limit: float) -> None:
        """Wait for its own end, which is to be a good one."""
        try:
            code = self._process.wait(limit)
        except subprocess.TimeoutExpired:
            raise PeerError(f"did not end within {limit:g} s") from None
        if code:
            raise PeerError(self._end())

    def _end(self) -> str:
        """How it ended, and its last words."""
        try:
            code = self._process.wait(5)
        except subprocess.TimeoutExpired:
            return "closed its output"
        how = f"was killed ({signal.Signals(-code).name})" if code < 0 else f"ended ({code})"
        lines = self._log.read_text(errors="replace").strip().splitlines()
        return f"{how}: {lines[-1].strip()[:_LONGEST]}" if lines else how

    def close(self) -> None:
        """Kill it and what it has forked."""
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            with suppress(BrokenPipeError):  # a question that nobody has read
                pipe.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()
