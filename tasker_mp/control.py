"""The control socket's protocol and its client: one JSON document a line, each way."""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from tasker_mp.errors import UnreachableError

_ANSWER_LIMIT = 5.0


class Command(Struct, forbid_unknown_fields=True, omit_defaults=True):
    """A command's name, and what it takes: seconds, a worker's index, a level of logging."""

    command: str
    timeout: float | None = None
    worker: int | None = None
    level: str | None = None


@contextmanager
def short_address(path: Path) -> Iterator[str]:
    """An address for a socket at any path: the kernel takes 108 bytes, a descriptor's is short."""
    fd = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{fd}/{path.name}"
    finally:
        os.close(fd)


def ask(path: Path, command: Command, limit: float = _ANSWER_LIMIT) -> dict[str, Any]:
    """The supervisor's answer; `UnreachableError` where none runs or it does not answer in time."""
    try:
        with (
            short_address(path) as address,
            socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client,
        ):
            client.settimeout(limit)
            client.connect(address)
            client.sendall(msgspec.json.encode(command) + b"\n")
            with client.makefile("rb") as answers:
                line = answers.readline()
    except (FileNotFoundError, ConnectionRefusedError):
        raise UnreachableError(
            "no supervisor is running here; start one with: tasker-mp start"
        ) from None
    except OSError as error:
        raise UnreachableError(
            f"the supervisor did not answer {command.command!r} within {limit:g} s: {error}"
        ) from error
    if not line:
        raise UnreachableError(f"the supervisor hung up on {command.command!r}")
    answer: dict[str, Any] = msgspec.json.decode(line)
    return answer
