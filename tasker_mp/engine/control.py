"""The control socket: one JSON document a line in, one out, for the supervisor's own user only."""

import asyncio
import os
import socket
import struct
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import msgspec
import structlog

from tasker_mp.control import Command, short_address
from tasker_mp.errors import EngineError

log = structlog.get_logger("tasker_mp.control")

_LINE_BYTES = 64 * 1024
_IDLE_LIMIT = 30.0
_CLIENTS = 64
"""At the same time: one more, and the oldest is hung up on, so that nobody is ever kept out."""


Handler = Callable[[Command], Awaitable[dict[str, Any]]]


class ControlServer:
    """Answers commands on a Unix socket of mode 0600."""

    def __init__(self, path: Path, handler: Handler) -> None:
        self._path = path
        self._handler = handler
        self._server: asyncio.Server | None = None
        self._clients: dict[asyncio.StreamWriter, None] = {}  # the oldest first

    async def start(self) -> None:
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        with short_address(self._path) as address:
            listener.bind(address)
        self._path.chmod(0o600)
        self._server = await asyncio.start_unix_server(
            self._serve, sock=listener, limit=_LINE_BYTES
        )

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
            self._path.unlink(missing_ok=True)
        for client in list(self._clients):
            client.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if _peer_uid(writer) not in (0, os.getuid()):
            writer.close()
            return
        if len(self._clients) >= _CLIENTS:
            oldest = next(iter(self._clients))
            del self._clients[oldest]
            oldest.transport.abort()
        self._clients[writer] = None
        try:
            while (line := await _read_line(reader)) != b"":
                writer.write(msgspec.json.encode(await self._answer(line)) + b"\n")
                async with asyncio.timeout(_IDLE_LIMIT):
                    await writer.drain()
                await asyncio.sleep(0)  # a flood that is here already must not hold the loop
        except (TimeoutError, OSError) as error:
            log.debug("control client dropped", error=str(error))
            writer.transport.abort()  # to close would wait for it to read what it never will
        finally:
            self._clients.pop(writer, None)
            writer.close()

    async def _answer(self, line: bytes | None) -> dict[str, Any]:
        if line is None:
            return {"error": f"not a command: the line is longer than {_LINE_BYTES} bytes"}
        try:
            command = msgspec.json.decode(line, type=Command)
        except (ValueError, RecursionError) as error:  # what is not UTF-8 is no DecodeError
            return {"error": f"not a command: {error}"}
        try:
            return await self._handler(command)
        except EngineError as error:
            return {"error": str(error)}


async def _read_line(reader: asyncio.StreamReader) -> bytes | None:
    """The next line, empty at the end; None for one that is too long, which is dropped.
    `TimeoutError` where none comes."""
    fits = True
    async with asyncio.timeout(_IDLE_LIMIT):
        while True:
            try:
                line = await reader.readuntil(b"\n")
            except asyncio.IncompleteReadError:
                return b""  # half a line is no command
            except asyncio.LimitOverrunError as error:
                await reader.readexactly(error.consumed)  # the rest follows, if only its end
                fits = False
            else:
                return line if fits else None


def _peer_uid(writer: asyncio.StreamWriter) -> int:
    peer: socket.socket = writer.get_extra_info("socket")
    credentials = peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    _, uid, _ = struct.unpack("3i", credentials)
    return int(uid)
